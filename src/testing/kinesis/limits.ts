import type { CallSubject } from './fault.ts'
import type { OperationName } from './operations.ts'
import { MOST_BYTES } from './read-operations.ts'
import { type Place, refusalText } from './refusal-text.ts'
import { refuse } from './service-error.ts'

/** `reads` and `writes` per shard, `control` for everything else. */
export type LimitKind = 'reads' | 'writes' | 'control'

const SECOND_MS = 1000
const READS_A_SECOND = 5
const READ_BYTES_A_SECOND = 2 * 1024 * 1024
/** After an answer of 10 MiB nothing can be read from the shard for this long. */
const PENALTY_MS = 5000
const WRITE_BYTES_A_SECOND = 1024 * 1024
const WRITE_RECORDS_A_SECOND = 1000

/** Calls a second; per stream where the service counts so, else for the account. */
const CONTROL: Partial<Record<OperationName, { readonly rate: number; readonly per: 'account' | 'stream' }>> =
  {
    CreateStream: { rate: 5, per: 'account' },
    DeleteStream: { rate: 5, per: 'account' },
    DescribeStream: { rate: 10, per: 'account' },
    DescribeStreamSummary: { rate: 20, per: 'account' },
    ListShards: { rate: 1000, per: 'stream' },
    ListStreams: { rate: 5, per: 'account' },
    MergeShards: { rate: 5, per: 'account' },
    SplitShard: { rate: 5, per: 'account' },
  }

/** The rate limits of the service, by the double's clock. Refused calls cost nothing. */
export class Limits {
  readonly #kinds: ReadonlySet<LimitKind>
  readonly #place: Place
  readonly #windows = new Map<string, Window>()
  readonly #readAgainMs = new Map<string, number>()

  constructor(kinds: readonly LimitKind[], place: Place) {
    this.#kinds = new Set(kinds)
    this.#place = place
  }

  /** @throws ProvisionedThroughputExceededException, LimitExceededException */
  admit(subject: CallSubject, nowMs: number): void {
    const shard = `${subject.stream}/${subject.shardId}`
    if (subject.operation === 'GetRecords' && this.#kinds.has('reads')) {
      if (nowMs < (this.#readAgainMs.get(shard) ?? 0)) this.#throttle(subject)
      if (!this.#window(`read ${shard}`).has(READ_BYTES_A_SECOND, nowMs)) this.#throttle(subject)
      if (!this.#window(`calls ${shard}`).take(1, READS_A_SECOND, nowMs)) this.#throttle(subject)
    }
    if (subject.operation === 'GetShardIterator' && this.#kinds.has('reads')) {
      if (!this.#window(`iterators ${shard}`).take(1, READS_A_SECOND, nowMs)) this.#throttle(subject)
    }
    const control = CONTROL[subject.operation]
    if (control && this.#kinds.has('control')) {
      const whose = control.per === 'stream' ? subject.stream : ''
      if (!this.#window(`${subject.operation} ${whose}`).take(1, control.rate, nowMs)) {
        refuse('LimitExceededException', refusalText('LimitExceededException', subject, this.#place))
      }
    }
  }

  /** Counts what a GetRecords answer carried; `capped` when it was cut at 10 MiB. */
  answered(subject: CallSubject, bytes: number, capped: boolean, nowMs: number): void {
    if (!this.#kinds.has('reads')) return
    const shard = `${subject.stream}/${subject.shardId}`
    this.#window(`read ${shard}`).add(bytes, nowMs)
    if (capped || bytes >= MOST_BYTES) this.#readAgainMs.set(shard, nowMs + PENALTY_MS)
  }

  /** Whether the shard takes one more record of this size now. */
  admitsWrite(stream: string, shardId: string, bytes: number, nowMs: number): boolean {
    if (!this.#kinds.has('writes')) return true
    const shard = `${stream}/${shardId}`
    if (!this.#window(`written ${shard}`).has(WRITE_BYTES_A_SECOND, nowMs)) return false
    if (!this.#window(`records ${shard}`).take(1, WRITE_RECORDS_A_SECOND, nowMs)) return false
    this.#window(`written ${shard}`).add(bytes, nowMs)
    return true
  }

  #window(key: string): Window {
    const known = this.#windows.get(key)
    if (known) return known
    const window = new Window()
    this.#windows.set(key, window)
    return window
  }

  #throttle(subject: CallSubject): never {
    const code = 'ProvisionedThroughputExceededException'
    return refuse(code, refusalText(code, subject, this.#place))
  }
}

/** Amounts over the last second. */
class Window {
  #entries: { readonly atMs: number; readonly amount: number }[] = []
  #sum = 0

  /** Whether less than `most` was used: an amount may overshoot, and then blocks until it has slid out. */
  has(most: number, nowMs: number): boolean {
    this.#slide(nowMs)
    return this.#sum < most
  }

  take(amount: number, most: number, nowMs: number): boolean {
    this.#slide(nowMs)
    if (this.#sum + amount > most) return false
    this.add(amount, nowMs)
    return true
  }

  add(amount: number, nowMs: number): void {
    this.#entries.push({ atMs: nowMs, amount })
    this.#sum += amount
  }

  #slide(nowMs: number): void {
    const keep = this.#entries.findIndex((entry) => entry.atMs > nowMs - SECOND_MS)
    const gone = this.#entries.splice(0, keep < 0 ? this.#entries.length : keep)
    for (const entry of gone) this.#sum -= entry.amount
  }
}
