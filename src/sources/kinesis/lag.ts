import type { Logger } from '../../log.ts'
import type { ShardWalk } from './shard-walk.ts'

/** How far the shards are behind, by their last answers. */
export interface Lag {
  readonly millisBehindLatest: Readonly<Record<string, number>>
  readonly maxMillisBehindLatest: number
  /** How long the query may stand still before retention takes unread records; undefined when nothing is unread. */
  readonly millisToDataLoss: number | undefined
}

export function lagOf(walks: Iterable<ShardWalk>, retentionMs: number | undefined): Lag {
  const behind: Record<string, number> = {}
  let max = 0
  for (const walk of walks) {
    const { millisBehindLatest } = walk
    if (walk.ended || millisBehindLatest === undefined) continue
    behind[walk.shardId] = millisBehindLatest
    max = Math.max(max, millisBehindLatest)
  }
  const left = retentionMs === undefined || max === 0 ? undefined : Math.max(0, retentionMs - max)
  return { millisBehindLatest: behind, maxMillisBehindLatest: max, millisToDataLoss: left }
}

const WARN_AT = 0.5
const ALARM_AT = 0.8

/** Says once, and again only after the query had caught up, that retention is about to overtake the query. */
export class LagAlarm {
  readonly #log: Logger
  readonly #stream: string
  #level = 0

  constructor(stream: string, log: Logger) {
    this.#stream = stream
    this.#log = log
  }

  check(lag: Lag, retentionMs: number): void {
    const used = lag.maxMillisBehindLatest / retentionMs
    const level = used >= ALARM_AT ? 2 : used >= WARN_AT ? 1 : 0
    if (level > this.#level) {
      const percent = Math.round(used * 100)
      const text =
        `stream '${this.#stream}' is read ${Math.round(lag.maxMillisBehindLatest / 60_000)} min behind its tip, ` +
        `${percent} % of its retention: raise the retention, or make the query faster, before records are lost`
      if (level === 2) this.#log.error({ ...lag }, text)
      else this.#log.warn({ ...lag }, text)
    }
    this.#level = level
  }
}
