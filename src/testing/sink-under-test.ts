import type { Connection, Row } from '../duckdb.ts'
import type { OptionValue } from '../options.ts'
import type { SinkFormat } from '../sinks/sink.ts'

/** A sink to be tested, and how to see what it holds. */
export interface SinkUnderTest {
  readonly format: SinkFormat
  readonly options?: Readonly<Record<string, OptionValue>>
  /**
   * All rows that are in the sink now, or a SELECT that gives them on this connection, which is faster where they are
   * many; absent for a sink that keeps none.
   */
  readonly contents?: (connection: Connection) => Promise<Row[] | string>
  /** It never reads the rows, so it cannot fail on them. */
  readonly ignoresRows?: true
  /** What `write` did stays when the engine rolls the batch back; the batch then comes again with the same rows. */
  readonly commitsItself?: true
  /**
   * What a query meets that was changed since it last wrote, and gives one column more or one of another type: its
   * batches are refused and what is there stays, or the sink takes them beside the older rows, which lack the column.
   * Default: refused.
   */
  readonly changedColumns?: 'refused' | 'taken'
}

/** @throws what reading fails with; a sink that keeps nothing has no rows */
export async function rowsIn(under: SinkUnderTest, connection: Connection): Promise<Row[]> {
  const found = (await under.contents?.(connection)) ?? []
  return typeof found === 'string' ? connection.rows(found) : found
}
