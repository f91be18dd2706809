import type { Schema } from '../batch.ts'
import { type Connection, literal, quoted } from '../duckdb.ts'
import { SluiceError } from '../errors.ts'
import { parseOptions } from '../options.ts'
import type { Sink, SinkContext, SinkFormat } from './sink.ts'

/**
 * A table of the session, named as the query: `session.sql('SELECT … FROM counts')`. append adds rows, complete
 * replaces them. The rows are visible once their batch is committed, and are gone with the session.
 */
export const memoryFormat: SinkFormat = Object.freeze({
  name: 'memory',
  // As in Spark: update needs a key to know which row to replace.
  modes: ['append', 'complete'],
  guarantee: 'exactly-once',
  options: {},
  open: async (context) => {
    parseOptions('sink memory', {}, context.options)
    if (!context.queryName) throw new SluiceError('SINK_NEEDS_NAME', { sink: 'memory' })
    return memorySink(context, context.queryName)
  },
} satisfies SinkFormat)

function memorySink({ outputMode, queryId, log }: SinkContext, name: string): Sink {
  const target = `memory.main.${quoted(name)}`
  return {
    description: `memory[${name}]`,
    guarantee: 'exactly-once',
    write: async (batchId, { connection, name: rows, schema }) => {
      const found = await findTable(connection, name)
      if (found?.query === queryId) {
        if (found.batch >= batchId) return
        await refuseOtherColumns(connection, name, schema)
        if (outputMode === 'complete') await connection.run(`DELETE FROM ${target}`)
        await connection.run(`INSERT INTO ${target} FROM ${rows}`)
      } else {
        if (found) await connection.run(`DROP TABLE ${target}`)
        await connection.run(`CREATE TABLE ${target} AS FROM ${rows}`)
        if (batchId > 0 && outputMode === 'append') {
          log.warn(
            { table: name, batch: batchId },
            'the memory table begins empty: it holds no earlier batch',
          )
        }
      }
      await connection.run(
        `COMMENT ON TABLE ${target} IS ${literal(markOf({ query: queryId, batch: batchId }))}`,
      )
    },
    close: async () => undefined,
  }
}

/** DuckDB would cast what it can, and so round numbers. @throws SINK_TABLE */
async function refuseOtherColumns(connection: Connection, name: string, schema: Schema): Promise<void> {
  const textOf = (columns: Schema) => columns.map((field) => `${field.name} ${field.type}`).join(', ')
  const [has, gives] = [await connection.describe(`FROM memory.main.${quoted(name)}`), schema].map(textOf)
  if (has === gives) return
  const reason = `it has the columns ${has}, and the query now gives ${gives}`
  const remedy = 'choose another queryName, or drop the table: the query then begins a new one'
  throw new SluiceError('SINK_TABLE', { table: name, path: 'memory', reason, remedy })
}

/** Whose rows a table holds, and the last batch among them. */
interface Mark {
  readonly query: string
  readonly batch: number
}

/**
 * The mark is the table's comment: it changes in the transaction of the rows and goes with the table. A ledger of
 * all sinks would let queries that begin at the same time fail each other, as DuckDB lets only one of two open
 * transactions create it.
 */
function markOf({ query, batch }: Mark): string {
  return `Sluice memory sink: query ${query}, batch ${batch}`
}

const MARK = /^Sluice memory sink: query (.+), batch (\d+)$/s

/**
 * The mark of the table of that name, if there is one.
 *
 * @throws SINK_TABLE_TAKEN when it is not ours, or is a view, or is ours by a name that differs in case
 */
async function findTable(connection: Connection, name: string): Promise<Mark | undefined> {
  const isNamed = (column: string) =>
    `database_name = 'memory' AND schema_name = 'main' AND lower(${column}) = lower(${literal(name)})`
  const [found] = await connection.rows(
    `SELECT table_name AS name, comment FROM duckdb_tables() WHERE ${isNamed('table_name')}
     UNION ALL SELECT view_name, NULL FROM duckdb_views() WHERE ${isNamed('view_name')}`,
  )
  if (!found) return undefined
  const mark = MARK.exec(String(found['comment']))
  if (found['name'] !== name || !mark) throw new SluiceError('SINK_TABLE_TAKEN', { table: name })
  return { query: mark[1]!, batch: Number(mark[2]) }
}
