import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import { hasCode } from '../../../src/errors.ts'
import { type CborMap, readCbor, writeCborMap } from '../../../src/sources/kinesis/cbor.ts'
import type { StoredRecord } from '../../../src/sources/kinesis/kinesis-port.ts'
import { bodyBuffer } from '../../../src/sources/kinesis/lent-body.ts'
import { type RecordsAnswer, readAnswer } from '../../../src/sources/kinesis/records-answer.ts'
import type { RowBlock } from '../../../src/sources/kinesis/row-block.ts'
import { CborWriter } from '../../../src/testing/kinesis/cbor-writer.ts'
import { forSeeds } from '../../support/seeds.ts'
import { bodyOf, NOTHING_ODD, oddities, recordsOf } from './random-answer.ts'

/** The same by way of spelling everything out. */
function slowly(body: Uint8Array): {
  records: StoredRecord[]
  nextIterator: unknown
  millisBehindLatest: unknown
} {
  const { Records, NextShardIterator, MillisBehindLatest } = readCbor(body) as CborMap
  const records = (Records as readonly CborMap[]).map((record): StoredRecord => {
    const arrived = record['ApproximateArrivalTimestamp'] as number | undefined
    return {
      sequenceNumber: record['SequenceNumber'] as string,
      partitionKey: record['PartitionKey'] as string | undefined,
      data: record['Data'] as Uint8Array,
      arrivedMs: arrived === undefined ? undefined : Math.round(arrived),
    }
  })
  return { records, nextIterator: NextShardIterator, millisBehindLatest: MillisBehindLatest }
}

/** In a buffer with so much room behind it, as it comes off the network. */
function answerOf(body: Uint8Array, room: number): RecordsAnswer {
  const bytes = Buffer.alloc(body.length + room, 0xee)
  bytes.set(body)
  return readAnswer({ bytes, length: body.length })
}

function spelledOut(answer: RecordsAnswer) {
  const records = [...(answer.records ?? [])].map(({ sequenceNumber, partitionKey, data, arrivedMs }) => {
    return { sequenceNumber, partitionKey, data: Buffer.from(data), arrivedMs }
  })
  return { records, nextIterator: answer.nextIterator, millisBehindLatest: answer.millisBehindLatest }
}

function buffered(expected: ReturnType<typeof slowly>) {
  return { ...expected, records: expected.records.map((each) => ({ ...each, data: Buffer.from(each.data) })) }
}

test('records come out of an answer as if each had been spelled out', async () => {
  let asColumns = 0
  await forSeeds(150, async (random) => {
    const odd = oddities(random)
    const records = recordsOf(random, random.pick([0, 1, 2, 30]), odd)
    const body = bodyOf(random, records)
    const answer = answerOf(body, random.pick([0, 10, 100_000]))
    assert.deepEqual(spelledOut(answer), buffered(slowly(body)))
    const { length, bytes } = answer.records!
    assert.equal(length, records.length)
    if (answer.records!.block) asColumns++
    else assert.ok(bytes >= 0)
  })
  assert.ok(asColumns > 0)
})

test('plain records become columns, whether or not they have keys', () => {
  const record = { SequenceNumber: '12', Data: Buffer.from('abc'), ApproximateArrivalTimestamp: new Date(5) }
  const writer = new CborWriter({ lengths: 'definite' })
  writer.value({
    Records: [
      { ...record, PartitionKey: 'k' },
      { ...record, SequenceNumber: '123' },
    ],
  })
  const { records } = answerOf(writer.finish(), 0)
  assert.deepEqual(records?.block?.row(0), {
    sequenceNumber: '12',
    subSequenceNumber: undefined,
    partitionKey: 'k',
    data: Buffer.from('abc'),
    arrivedMs: 5,
    last: true,
  })
  assert.equal(records?.block?.row(1).partitionKey, undefined)
  assert.equal(records?.bytes, 7)
})

test('a body is lent again when all its rows are released, and no row changes before it is', async () => {
  await forSeeds(1, async (random) => {
    const held: { block: RowBlock; expected: string }[] = []
    const buffers = new Set<ArrayBufferLike>()
    for (let page = 0; page < 40; page++) {
      const records = recordsOf(random, 6, NOTHING_ODD)
      const answer = bodyOf(random, records)
      const bytes = bodyBuffer(2 * answer.length + 100_000)
      buffers.add(bytes.buffer)
      bytes.set(answer)
      const block = readAnswer({ bytes, length: answer.length }).records?.block
      if (!block) continue
      for (let from = 0; from < block.length; ) {
        const part = block.slice(from, Math.min(block.length, from + 1 + random.below(5)))
        held.push({ block: part, expected: textOf(part) })
        from += part.length
      }
      while (held.length > random.below(12)) {
        const [{ block: part, expected }] = held.splice(random.below(held.length), 1) as [
          (typeof held)[number],
        ]
        assert.equal(textOf(part), expected)
        part.release()
      }
    }
    assert.ok(buffers.size < 25, `${buffers.size} buffers for 40 pages`)
  })
})

function textOf(block: RowBlock): string {
  return Array.from({ length: block.length }, (_, index) => {
    const { sequenceNumber, partitionKey, data } = block.row(index)
    return `${sequenceNumber} ${partitionKey} ${crc32(data)}`
  }).join()
}

test('an answer that is cut short anywhere is refused', async () => {
  await forSeeds(20, async (random) => {
    const body = bodyOf(random, recordsOf(random, 3, oddities(random)))
    for (let cuts = 0; cuts < 50; cuts++) {
      const cut = body.slice(0, random.below(body.length))
      assert.throws(
        () => answerOf(cut, 1000),
        (error) => hasCode(error, 'CBOR_MALFORMED'),
      )
    }
  })
})

test('a damaged answer is refused or read, and nothing else', async () => {
  await forSeeds(30, async (random) => {
    const body = bodyOf(random, recordsOf(random, 4, oddities(random)))
    for (let damages = 0; damages < 50; damages++) {
      const damaged = body.slice()
      for (let i = 0; i < 3; i++) damaged[random.below(body.length)] = random.below(256)
      try {
        for (const record of answerOf(damaged, 1000).records ?? [])
          assert.equal(typeof record.sequenceNumber, 'string')
      } catch (error) {
        assert.ok(hasCode(error, 'CBOR_MALFORMED'), String(error))
      }
    }
  })
})

test('requests are written as the service reads them', () => {
  const request = {
    ShardIterator: 'A'.repeat(300),
    Limit: 10_000,
    StreamARN: 'arn:aws:kinesis:eu-west-1:1:stream/x',
  }
  assert.deepEqual(readCbor(writeCborMap(request)), request)
})
