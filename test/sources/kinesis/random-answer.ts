import { CborWriter } from '../../../src/testing/kinesis/cbor-writer.ts'
import { aggregate } from '../../../src/testing/kinesis/kpl-aggregate.ts'
import type { SeededRandom } from '../../../src/testing/seeded-random.ts'

/** What may be odd about an answer. */
export interface Oddities {
  readonly keyless: boolean
  readonly encrypted: boolean
  readonly aggregates: boolean
  readonly unordered: boolean
  readonly unknownMember: boolean
  readonly fractionalArrival: boolean
}

const ODDITIES = [
  'keyless',
  'encrypted',
  'aggregates',
  'unordered',
  'unknownMember',
  'fractionalArrival',
] as const

export const NOTHING_ODD: Oddities = Object.freeze({
  keyless: false,
  encrypted: false,
  aggregates: false,
  unordered: false,
  unknownMember: false,
  fractionalArrival: false,
})

/** Kinesis' own records, and now and then one thing about them that is unusual. */
export function oddities(random: SeededRandom): Oddities {
  const odd = random.below(2) === 0 ? random.pick(ODDITIES) : undefined
  return Object.fromEntries(ODDITIES.map((name) => [name, name === odd])) as unknown as Oddities
}

export function recordsOf(random: SeededRandom, count: number, odd: Oddities): Record<string, unknown>[] {
  const some = () => random.below(5) === 0
  let sequence = 10n ** 55n * BigInt(1 + random.below(9))
  return Array.from({ length: count }, (_, i) => {
    const up = BigInt(1 + random.below(3)) * 10n ** BigInt(random.below(40))
    sequence += odd.unordered && some() ? -up : up
    const data = random.pick([0, 1, 3, 4, 23, 24, 255, 256, 70_000])
    const key = random.pick(['k', 'user-123', 'ключ 🌊', 'x'.repeat(256)])
    const plain = Uint8Array.from({ length: data }, () => random.below(256))
    const members: [string, unknown][] = [
      ['SequenceNumber', String(sequence)],
      [
        'ApproximateArrivalTimestamp',
        odd.fractionalArrival ? 1_700_000_000_000.25 + i : new Date(1_700_000_000_000 + i),
      ],
      ['Data', odd.aggregates && some() ? aggregate([{ partitionKey: 'a', data: 'b' }]) : plain],
      ...(odd.keyless && some() ? [] : ([['PartitionKey', key]] as [string, unknown][])),
      ...(odd.encrypted ? ([['EncryptionType', 'KMS']] as [string, unknown][]) : []),
      ...(odd.unknownMember && some()
        ? ([['FutureMember', { deep: [1, 2.5, null, true] }]] as [string, unknown][])
        : []),
    ]
    // The order of members means nothing.
    return Object.fromEntries(random.below(3) === 0 ? members.reverse() : members)
  })
}

export function bodyOf(random: SeededRandom, records: readonly unknown[]): Uint8Array {
  const writer = new CborWriter({ lengths: random.pick(['definite', 'indefinite']) })
  const members: [string, unknown][] = [
    ['NextShardIterator', 'AAAA'],
    ['MillisBehindLatest', random.below(100_000)],
    ['Records', records],
  ]
  writer.value(Object.fromEntries(random.below(2) === 0 ? members.reverse() : members))
  return writer.finish()
}
