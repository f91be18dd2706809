import { seededRandom } from '../../src/testing/seeded-random.ts'

/** What a stream of the endpoint is filled with. */
export interface Stock {
  readonly stream: string
  readonly kind: RecordKind
  readonly shards: number
  readonly records: number
  /** Of the payload of one record; `clicks` are filled up to it. */
  readonly recordBytes: number
}

export type RecordKind = 'clicks' | 'ads'

/** Event time rises by this much a record, so that a second of it holds 10,000 records. */
const MICROS_PER_RECORD = 100
const START_MS = Date.UTC(2024, 0, 1)
const KINDS = ['view', 'view', 'view', 'cart', 'buy'] as const

/** The same records for the same arguments, in every process. */
export function* recordsOf(
  kind: RecordKind,
  count: number,
  recordBytes: number,
): Generator<{ readonly partitionKey: string; readonly data: Uint8Array }> {
  const random = seededRandom(`${kind} ${recordBytes}`)
  const filling = '-'.repeat(recordBytes)
  for (let i = 0; i < count; i++) {
    const at = new Date(START_MS + Math.floor((i * MICROS_PER_RECORD) / 1000)).toISOString()
    const user = random.below(100_000)
    const json = kind === 'clicks' ? click(at, user, random.below) : ad(at, user, random.below)
    const text = json.length + 11 > recordBytes ? json : withFilling(json, filling, recordBytes)
    yield { partitionKey: `user-${user}`, data: Buffer.from(text) }
  }
}

function click(at: string, user: number, below: (n: number) => number): string {
  const kind = KINDS[below(KINDS.length)]
  return `{"userId":${user},"page":"/p/${below(1000)}","kind":"${kind}","at":"${at}"}`
}

/** An event of the Yahoo streaming benchmark: 100 campaigns of ten ads each, a third of the events are views. */
function ad(at: string, user: number, below: (n: number) => number): string {
  const type = ['view', 'click', 'purchase'][below(3)]
  return (
    `{"user_id":"user-${user}","page_id":"page-${below(1000)}","ad_id":"ad-${below(1000)}",` +
    `"ad_type":"banner","event_type":"${type}","event_time":"${at}","ip_address":"10.0.0.${below(255)}"}`
  )
}

function withFilling(json: string, filling: string, bytes: number): string {
  return `${json.slice(0, -1)},"filling":"${filling.slice(0, bytes - json.length - 13)}"}`
}
