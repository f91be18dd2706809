import assert from 'node:assert/strict'
import type { Row } from '../duckdb.ts'
import { SluiceError } from '../errors.ts'
import type { Bench } from './bench.ts'
import type { CheckOfSink } from './row-checks.ts'
import { rowsIn, type SinkUnderTest } from './sink-under-test.ts'

const BEFORE = "SELECT 1 AS i, 'a' AS s"

/** Whether a sink must do as it says, or may do either where other columns come. */
interface Change {
  readonly what: string
  readonly after: string
  readonly isDeclared: boolean
}

const CHANGES: readonly Change[] = [
  { what: 'with one column more', after: "SELECT 2 AS i, 'b' AS s, true AS more", isDeclared: true },
  { what: 'with a column of another type', after: "SELECT 2.5::DOUBLE AS i, 'b' AS s", isDeclared: true },
  { what: 'with a column less', after: 'SELECT 2 AS i', isDeclared: false },
]

/** A query that was changed between two of its runs, so that its rows have other columns. */
export const changedQueryChecks: readonly CheckOfSink[] = CHANGES.map(({ what, after, isDeclared }) => ({
  name: `a changed query ${what} is refused, or its rows are taken as they are`,
  body: async (bench, under) => {
    const first = await bench.open(under.format, BEFORE, 'append', under.options)
    await bench.write(first, 0, BEFORE)
    await first.close()
    const failure = await writeOnce(bench, under, after).then(
      () => undefined,
      (error: unknown) => error,
    )
    const { contents, changedColumns = 'refused' } = under
    if (!contents) return
    if (failure !== undefined) assert.ok(failure instanceof SluiceError, String(failure))
    if (isDeclared) assert.equal(failure === undefined ? 'taken' : 'refused', changedColumns, String(failure))
    const later = failure === undefined ? await bench.connection.rows(after) : []
    const expected = [...(await bench.connection.rows(BEFORE)), ...later]
    assert.deepEqual((await rowsIn(under, bench.connection)).map(plain), expected.map(plain))
  },
}))

async function writeOnce(bench: Bench, { format, options }: SinkUnderTest, sql: string): Promise<void> {
  const sink = await bench.open(format, sql, 'append', options)
  try {
    await bench.write(sink, 1, sql)
  } finally {
    await sink.close()
  }
}

/** Without what is NULL, which may as well be missing. */
function plain(row: Row): Row {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null))
}
