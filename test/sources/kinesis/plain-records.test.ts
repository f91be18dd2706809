import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import { hasCode } from '../../../src/errors.ts'
import { readAnswer } from '../../../src/sources/kinesis/records-answer.ts'
import type { RowBlock } from '../../../src/sources/kinesis/row-block.ts'
import { walkedBuffer } from '../../../src/sources/kinesis/walked-memory.ts'
import { aggregate } from '../../../src/testing/kinesis/kpl-aggregate.ts'
import { type SeededRandom, seededRandom } from '../../../src/testing/seeded-random.ts'
import { forSeeds } from '../../support/seeds.ts'
import { bodyOf, NOTHING_ODD, oddities, recordsOf } from './random-answer.ts'

/** The walk in WebAssembly against the walk in TypeScript, on the same bytes. */

const ROOMY = 4 * 1024 * 1024
const memory = walkedBuffer(ROOMY)!

/** As the program reads it, if it does: what else lay in the memory stays behind the body. */
function inMemory(body: Uint8Array): Buffer {
  memory.set(body)
  return memory
}

function onHeap(body: Uint8Array): Buffer {
  const bytes = Buffer.alloc(2 * body.length + 4096, 0xee)
  bytes.set(body)
  return bytes
}

interface Reading {
  readonly next: string | undefined
  readonly behind: number | undefined
  readonly bytes: number | undefined
  readonly records: readonly unknown[]
}

function readingOf(
  bytes: Buffer,
  length: number,
): { readonly reading: Reading; readonly block: RowBlock | undefined } {
  const { records, nextIterator, millisBehindLatest } = readAnswer({ bytes, length })
  const spelledOut = [...(records ?? [])].map(({ data, ...rest }) => ({
    ...rest,
    data: crc32(data),
    length: data.length,
  }))
  const reading = {
    next: nextIterator,
    behind: millisBehindLatest,
    bytes: records?.bytes,
    records: spelledOut,
  }
  return { reading, block: records?.block }
}

const isWalked = (block: RowBlock | undefined): boolean => block?.columns.arrivedMicros !== undefined

test('both walks find the same', async () => {
  let walked = 0
  await forSeeds(150, async (random) => {
    const odd = oddities(random)
    const body = bodyOf(random, recordsOf(random, random.pick([0, 1, 2, 30]), odd))
    const here = readingOf(inMemory(body), body.length)
    assert.deepEqual(here.reading, readingOf(onHeap(body), body.length).reading)
    if (isWalked(here.block)) walked++
  })
  assert.ok(walked > 0)
})

test('answers of which nothing is odd are walked, and laid out alike', async () => {
  await forSeeds(50, async (random) => {
    const body = bodyOf(random, recordsOf(random, random.pick([1, 2, 30]), NOTHING_ODD))
    const mine = readingOf(inMemory(body), body.length).block!
    const theirs = readingOf(onHeap(body), body.length).block!
    assert.ok(isWalked(mine) && !isWalked(theirs))
    for (const name of ['data', 'partitionKeys', 'sequenceNumbers'] as const) {
      assert.deepEqual(mine.columns[name].offsets, theirs.columns[name].offsets)
      assert.ok(Buffer.from(mine.columns[name].bytes).equals(theirs.columns[name].bytes), name)
    }
    assert.deepEqual(mine.columns.arrivedMs, theirs.columns.arrivedMs)
    assert.deepEqual(
      mine.columns.arrivedMicros,
      BigInt64Array.from(theirs.columns.arrivedMs, (ms) => BigInt(ms) * 1000n),
    )
  })
})

/** Each makes one record of many unusual. */
const SPOILED: Readonly<
  Record<string, (record: Record<string, unknown>, before: Record<string, unknown>) => object>
> = {
  unordered: (record, before) => ({ ...record, SequenceNumber: before['SequenceNumber'] }),
  unknownMember: (record) => ({ ...record, FutureMember: { deep: [1, 2.5, null, true] } }),
  fractionalArrival: (record) => ({ ...record, ApproximateArrivalTimestamp: 1_700_000_000_000.25 }),
  aggregate: (record) => ({ ...record, Data: aggregate([{ partitionKey: 'a', data: 'b' }]) }),
  keyless: ({ PartitionKey: _, ...record }) => record,
  withoutArrival: ({ ApproximateArrivalTimestamp: _, ...record }) => record,
}

test('an answer with one odd record is left to the other walk', async () => {
  await forSeeds(2, async (random) => {
    const records = recordsOf(random, 10, NOTHING_ODD)
    for (const [name, spoiled] of Object.entries(SPOILED)) {
      const at = 1 + random.below(9)
      const odd: object[] = records.with(
        at,
        spoiled(records[at]!, records[at - 1]!) as Record<string, unknown>,
      )
      const body = bodyOf(random, odd)
      const here = readingOf(inMemory(body), body.length)
      assert.ok(!isWalked(here.block), name)
      assert.deepEqual(here.reading, readingOf(onHeap(body), body.length).reading)
    }
  })
})

test('an answer without room behind it for its columns is left to the other walk', () => {
  const records = Array.from({ length: 2000 }, (_, i) => ({
    SequenceNumber: String(10 ** 6 + i),
    ApproximateArrivalTimestamp: new Date(1_700_000_000_000),
    Data: Buffer.of(1),
    PartitionKey: 'k',
  }))
  const body = bodyOf(seededRandom('fixed'), records)
  const tight = walkedBuffer(body.length)!
  tight.set(body)
  const { reading, block } = readingOf(tight, body.length)
  assert.ok(block && !isWalked(block))
  assert.deepEqual(reading, readingOf(onHeap(body), body.length).reading)
})

test('both walks refuse the same, cut short or damaged, whatever lies behind', async () => {
  const outcome = (bytes: Buffer, length: number): Reading | string => {
    try {
      return readingOf(bytes, length).reading
    } catch (error) {
      if (hasCode(error, 'CBOR_MALFORMED')) return error.code
      throw error
    }
  }
  await forSeeds(30, async (random) => {
    const body = bodyOf(random, recordsOf(random, 4, oddities(random)))
    for (let round = 0; round < 50; round++) {
      const bytes = damaged(random, body)
      // Cut short, the rest of the true answer lies just behind the end.
      inMemory(body)
      assert.deepEqual(outcome(inMemory(bytes), bytes.length), outcome(onHeap(bytes), bytes.length))
    }
  })
})

function damaged(random: SeededRandom, body: Uint8Array): Uint8Array {
  if (random.below(2) === 0) return body.slice(0, random.below(body.length))
  const bytes = body.slice()
  for (let i = 0; i <= random.below(3); i++) bytes[random.below(body.length)] = random.below(256)
  return bytes
}
