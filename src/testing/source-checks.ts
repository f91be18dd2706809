import assert from 'node:assert/strict'
import type { Batch, Position } from '../batch.ts'
import { type ErrorCode, hasCode, SluiceError } from '../errors.ts'
import type { Source } from '../sources/source.ts'
import type { Check } from './check.ts'

/** A source to be tested, and the hand that feeds it. */
export interface SourceUnderTest {
  /** Opened anew over the same stream, as another process would. */
  open(): Source
  /** Makes at least so many rows more available. */
  grow(rows: number): void | Promise<void>
  /** The most rows that one batch may have. */
  readonly batchRows: number
  /**
   * From now on a read has to wait for something that does not come; absent where no read waits. Gives a promise that
   * a read does so.
   */
  stall?(): Promise<void>
  /** Opens a source whose rows so far can no longer be read, and what it then says; absent where none can be lost. */
  readonly lost?: { readonly code: ErrorCode; open(): Source }
  close(): Promise<void>
}

const never = new AbortController().signal

/** Reads that may bring nothing before a source is taken to have stopped. */
const PATIENCE = 100

/** The invariants of `Source` over one implementation, to be given to any test runner. @param arrange a new stream */
export function sourceChecks(arrange: () => Promise<SourceUnderTest>): readonly Check[] {
  const checks: Check[] = []
  const check = (name: string, body: (source: Source, under: SourceUnderTest) => Promise<void>): void => {
    const run = async () => {
      const under = await arrange()
      const source = under.open()
      try {
        await body(source, under)
      } finally {
        await source.close()
        await under.close()
      }
    }
    checks.push({ name, run })
  }

  check(
    'S1: the initial position is pinned, and means the same to another process',
    async (source, under) => {
      const initial = stored(await source.initial())
      await under.grow(5)
      const here = await readRows(source, initial, 5)
      const other = under.open()
      await other.resume(initial)
      await under.grow(5)
      assert.deepEqual(first(5, (await readRows(other, initial, 5)).rows), first(5, here.rows))
      await other.close()
    },
  )

  check(
    'S2: a batch begins where the last one ended, and no row is left out or repeated',
    async (source, under) => {
      const initial = stored(await source.initial())
      const { batches, rows } = await readGrowing(source, initial, under)
      let from = initial
      for (const { range } of batches) {
        assert.deepEqual(range.start, from)
        assert.notDeepEqual(range.end, range.start)
        from = range.end
      }
      // Whatever is left out or repeated where batches meet is not so for a reader who cuts elsewhere.
      const other = under.open()
      await other.resume(initial)
      await under.grow(rows.length)
      assert.deepEqual(first(rows.length, (await readRows(other, initial, rows.length)).rows), rows)
      await other.close()
    },
  )

  check('S3: a batch is bounded by the limits of the source, and counts its rows', async (source, under) => {
    const initial = await source.initial()
    await under.grow(under.batchRows * 3 + 1)
    const { batches } = await readRows(source, initial, under.batchRows * 3)
    for (const { rows, records } of batches) {
      assert.ok(rows > 0 && rows <= under.batchRows, `${rows} rows`)
      assert.equal(
        rows,
        records.reduce((sum, each) => sum + each.numRows, 0),
      )
      for (const { schema } of records) {
        assert.deepEqual(
          schema.fields.map((field) => field.name),
          source.schema.map((field) => field.name),
        )
      }
    }
  })

  check('S4: a range gives the same rows again, in this process and in another', async (source, under) => {
    const initial = await source.initial()
    const { batches } = await readGrowing(source, initial, under)
    const other = under.open()
    await other.resume(stored(batches.at(-1)!.range.end))
    for (const batch of batches) {
      for (const reader of [source, other]) {
        const again = await reader.reread(stored(batch.range))
        assert.deepEqual(rowsOf(again), rowsOf(batch))
        assert.equal(again.rows, batch.rows)
        assert.equal(again.digest, batch.digest)
      }
    }
    assert.equal(new Set(batches.map(({ digest }) => digest)).size, batches.length)
    await other.close()
  })

  check(
    'S4: rows of long ago are given again, or an error says that they are lost',
    async (source, under) => {
      const initial = await source.initial()
      await under.grow(10)
      const [batch] = (await readRows(source, initial, 10)).batches as [Batch]
      const { lost } = under
      const other = (lost ?? under).open()
      await other.resume(batch.range.end).catch(onlyCoded)
      const again = other.reread(batch.range)
      if (lost) await assert.rejects(again, (error) => hasCode(error, lost.code))
      else assert.deepEqual(rowsOf(await again), rowsOf(batch))
      await other.close()
    },
  )

  check('S5: a read starts where it is told to, wherever the last one ended', async (source, under) => {
    const initial = await source.initial()
    await under.grow(under.batchRows * 2)
    const { batches } = await readRows(source, initial, under.batchRows * 2)
    const again = await readRows(source, initial, 1)
    assert.deepEqual(first(1, again.rows), first(1, rowsOf(batches[0]!)))
    const second = await readRows(source, batches[0]!.range.end, 1)
    assert.deepEqual(first(1, second.rows), first(1, rowsOf(batches[1]!)))
  })

  check('S6: an aborted read returns, and loses nothing', async (source, under) => {
    const initial = await source.initial()
    await under.grow(5)
    const rows: string[] = []
    let from = initial
    const aborting = new AbortController()
    const reading = source.read(from, aborting.signal)
    aborting.abort()
    for (const read of [await reading, await source.read(from, aborting.signal)]) {
      if (!read.batch || rows.length > 0) continue
      assert.deepEqual(read.batch.range.start, from)
      rows.push(...rowsOf(read.batch))
      from = read.batch.range.end
    }
    rows.push(...(await readRows(source, from, 5 - rows.length)).rows)
    assert.deepEqual(first(5, rows), first(5, (await readRows(source, initial, 5)).rows))
  })

  check(
    'S6, S7: a read that waits ends when it is aborted, and when the source is closed',
    async (source, under) => {
      const initial = await source.initial()
      const aborting = new AbortController()
      const isWaiting = under.stall?.()
      const reading = source.read(initial, aborting.signal)
      await isWaiting
      aborting.abort()
      const { batch, drained } = await reading
      if (under.stall) assert.deepEqual({ batch, drained }, { batch: undefined, drained: false })
      const another = source.read(initial, never).catch(onlyCoded)
      await new Promise((resolve) => setImmediate(resolve))
      await source.close()
      await another
    },
  )

  check('S7: a source may be closed before its first call, and more than once', async (source) => {
    await source.close()
    await source.close()
  })

  check('S8: a batch stays as it was while the next ones are read', async (source, under) => {
    const initial = await source.initial()
    await under.grow(under.batchRows * 3 + 1)
    const [batch] = (await readRows(source, initial, 1)).batches as [Batch]
    const before = rowsOf(batch)
    await readRows(source, batch.range.end, under.batchRows * 2)
    assert.deepEqual(rowsOf(batch), before)
  })

  check('what is available now is fixed when it is asked', async (source, under) => {
    const initial = await source.initial()
    await under.grow(5)
    await source.pinEnd()
    await under.grow(5)
    let from = initial
    let rows = 0
    for (let reads = 0; ; reads++) {
      assert.ok(reads < PATIENCE, 'it is never drained')
      const { batch, drained } = await source.read(from, never)
      from = batch?.range.end ?? from
      rows += batch?.rows ?? 0
      if (drained) break
    }
    assert.ok(rows >= 5, 'what was there is there')
    await under.grow(5)
    assert.deepEqual(await source.read(from, never), { drained: true })
    const other = under.open()
    await other.resume(stored(from))
    await under.grow(5)
    await readRows(other, from, 5)
    await other.close()
  })

  check('figures for progress are plain JSON', async (source, under) => {
    const initial = await source.initial()
    await under.grow(5)
    await readRows(source, initial, 5)
    assert.deepEqual(stored(source.metrics()), source.metrics())
  })
  return checks
}

/** As it comes back from the offsets log. */
function stored<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T
}

interface Rows {
  readonly rows: readonly string[]
  readonly batches: readonly Batch[]
  readonly end: Position
}

/** Reads on until so many rows came; a batch may bring more. */
async function readRows(source: Source, from: Position, count: number): Promise<Rows> {
  const batches: Batch[] = []
  let end = from
  let rows = 0
  for (let idle = 0; rows < count; ) {
    const { batch } = await source.read(end, never)
    if (batch) {
      batches.push(batch)
      end = batch.range.end
      rows += batch.rows
    } else {
      idle++
      assert.ok(idle < PATIENCE, `${rows} of ${count} rows came`)
    }
  }
  return { rows: batches.flatMap(rowsOf), batches, end }
}

/** Several batches of a stream that grows while it is read. */
async function readGrowing(source: Source, from: Position, under: SourceUnderTest): Promise<Rows> {
  const parts: Rows[] = []
  let end = from
  for (const rows of [1, 7, under.batchRows + 3]) {
    await under.grow(rows)
    const part = await readRows(source, end, rows)
    parts.push(part)
    end = part.end
  }
  return {
    rows: parts.flatMap((part) => part.rows),
    batches: parts.flatMap((part) => part.batches),
    end,
  }
}

function rowsOf(batch: Batch | undefined): string[] {
  return (batch?.records ?? []).flatMap((records) => [...records].map((row) => textOf(row)))
}

function textOf(row: unknown): string {
  return JSON.stringify(row, (_, value: unknown) => {
    if (typeof value === 'bigint') return `${value}n`
    return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value
  })
}

function first(count: number, rows: readonly string[]): readonly string[] {
  return rows.slice(0, count)
}

function onlyCoded(error: unknown): void {
  assert.ok(error instanceof SluiceError, String(error))
}
