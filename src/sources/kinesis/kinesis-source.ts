import type { Batch, Json, Position, Range } from '../../batch.ts'
import type { Clock } from '../../clock.ts'
import { SluiceError } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import type { Read, Source } from '../source.ts'
import { BatchReader, type Gathered, type Pin } from './batch-reader.ts'
import { Counters } from './counters.ts'
import { firstPosition } from './first-position.ts'
import { Gate } from './gate.ts'
import type { KinesisPort } from './kinesis-port.ts'
import { LagAlarm, lagOf } from './lag.ts'
import { shareLimiter } from './limiter.ts'
import { Lister } from './lister.ts'
import { Losses } from './losses.ts'
import type { KinesisOptions } from './options.ts'
import { positionFromJson, positionToJson, type StreamPosition } from './position.ts'
import { encodeRows, KINESIS_SCHEMA } from './record-batches.ts'
import { replay } from './replay.ts'
import { ServerClock } from './server-clock.ts'
import { Shards } from './shard-set.ts'
import type { WalkContext } from './shard-walk.ts'
import { startUp } from './startup.ts'
import { refuseOther, StreamWatch } from './stream-watch.ts'

export interface KinesisSourceContext {
  readonly options: KinesisOptions
  readonly port: KinesisPort
  readonly clock: Clock
  readonly log: Logger
}

/**
 * A stream as a replayable source of rows.
 *
 * Invariants, beside those of `Source`: every record that the service acknowledged is delivered once, in the order of
 * its shard, and children of a shard after the shard, whatever fails on the way; or an error says what is lost.
 */
export class KinesisSource implements Source {
  readonly description: string
  readonly schema = KINESIS_SCHEMA
  readonly #options: KinesisOptions
  readonly #port: KinesisPort
  readonly #clock: Clock
  readonly #log: Logger
  readonly #counters = new Counters()
  readonly #closing = new AbortController()
  readonly #gate: Gate
  readonly #watch: StreamWatch
  readonly #lister: Lister
  readonly #losses: Losses
  readonly #shards: Shards
  readonly #walkContext: WalkContext
  readonly #lagAlarm: LagAlarm
  readonly #releaseLimiter: () => void
  #started: Promise<unknown> | undefined
  /** The position that `#shards` stands at, as it was handed out or asked for. */
  #cursor: string | undefined
  #pin: Pin | undefined
  #lookFailure: unknown

  constructor({ options, port, clock, log }: KinesisSourceContext) {
    const { stream, retry, limits } = options
    this.description = describeSource(options)
    this.#options = options
    this.#port = port
    this.#clock = clock
    this.#log = log
    const serverClock = new ServerClock(clock)
    const counters = this.#counters
    this.#gate = new Gate(limits.parallelReads)
    this.#watch = new StreamWatch(port, serverClock)
    this.#losses = new Losses(stream.name, options.failOnDataLoss, counters, log)
    this.#lagAlarm = new LagAlarm(stream.name, log)
    const intervalMs = options.describeShardIntervalMs
    this.#lister = new Lister({ port, clock, counters, log, retry, intervalMs, streamName: stream.name })
    const { limiter, release } = shareLimiter(clock, port.id)
    this.#releaseLimiter = release
    this.#walkContext = {
      port,
      clock,
      serverClock,
      watch: this.#watch,
      losses: this.#losses,
      counters,
      log,
      limiter,
      rate: options.rate,
      retry,
      recordsPerRead: Math.min(limits.recordsPerRead, limits.rowsPerShard),
      closed: this.#closing.signal,
      hashRangeOf: (id) =>
        this.#watch.summary?.autoPlaced ? undefined : this.#lister.known.get(id)?.hashRange,
      look: (id) => this.#look(id),
      discovered: (children) => this.#discovered(children),
    }
    this.#shards = new Shards(this.#lister, this.#walkContext)
  }

  async initial(): Promise<Position> {
    await this.#start()
    const summary = this.#watch.summary ?? (await this.#watch.describe(this.#closing.signal))
    const position = firstPosition(this.#options.start, summary, this.#lister.known)
    const json = positionToJson(position)
    this.#shards.standAt(position, 'fresh')
    this.#cursor = JSON.stringify(json)
    const { text } = this.#options.start
    this.#log.info(
      { source: this.description, startingPosition: text },
      `new query: starts at ${text} in ${this.#lister.known.size} shards`,
    )
    return json
  }

  async resume(position: Position): Promise<void> {
    const parsed = positionFromJson(this.description, position)
    await this.#start()
    // What `initial` has just pinned is no checkpoint to be suspicious of.
    if (JSON.stringify(position) === this.#cursor) return
    await this.#stand(parsed)
    this.#cursor = JSON.stringify(position)
    const { text } = this.#options.start
    this.#log.info(
      { source: this.description, startingPosition: text },
      `resuming from the checkpoint in ${parsed.shards.size} shards; startingPosition '${text}' counts for new queries only`,
    )
  }

  async read(from: Position, signal: AbortSignal): Promise<Read> {
    if (this.#closing.signal.aborted || signal.aborted) return { drained: false }
    await this.#start()
    await this.#follow(from)
    const ended = AbortSignal.any([signal, this.#closing.signal])
    const reader = new BatchReader(this.#clock, this.#options.limits, this.#gate, this.#pin, ended)
    let drained = false
    let gathered: Gathered
    try {
      drained = await this.#gather(reader)
    } finally {
      gathered = await reader.finish()
    }
    const retentionMs = this.#watch.summary?.retentionMs
    if (retentionMs !== undefined) this.#lagAlarm.check(lagOf(this.#shards.walks, retentionMs), retentionMs)
    if (gathered.rows.size === 0) return { drained: drained && gathered.complete }
    const batch = this.#batch(from, gathered)
    this.#cursor = JSON.stringify(batch.range.end)
    return { batch, drained: drained && gathered.complete }
  }

  async reread(range: Range): Promise<Batch> {
    const start = positionFromJson(this.description, range.start)
    const end = positionFromJson(this.description, range.end)
    await this.#start()
    this.#refuseOtherStream(end)
    const rows = await replay(this.description, start, end, this.#walkContext, this.#gate)
    return { range, ...encodeRows(this.#options.stream.name, rows) }
  }

  async pinEnd(): Promise<void> {
    await this.#start()
    const since = this.#clock.monotonic()
    const { serverTime } = await this.#watch.describe(this.#closing.signal)
    this.#pin = { since, arrivedMs: serverTime.latestMs }
  }

  metrics(): Readonly<Record<string, Json>> {
    const { millisBehindLatest, maxMillisBehindLatest, millisToDataLoss } = lagOf(
      this.#shards.walks,
      this.#watch.summary?.retentionMs,
    )
    return {
      millisBehindLatest,
      maxMillisBehindLatest,
      ...(millisToDataLoss === undefined ? {} : { millisToDataLoss }),
      ...this.#shards.counts(),
      ...this.#counters,
    }
  }

  close(): Promise<void> {
    if (!this.#closing.signal.aborted) {
      this.#closing.abort()
      this.#releaseLimiter()
      this.#port.close()
    }
    return Promise.resolve()
  }

  /** Joins shards to the batch until none is left that may be read; answers whether none is held back. */
  async #gather(reader: BatchReader): Promise<boolean> {
    const closed = this.#closing.signal
    if (this.#lookFailure !== undefined) throw this.#takeLookFailure()
    let look = this.#lister.due ? this.#lookInBackground() : undefined
    for (let joined = new Set<string>(); ; ) {
      const { free, held } = this.#shards.readable(reader)
      const fresh = free.filter((walk) => !joined.has(walk.shardId))
      for (const walk of fresh) reader.join(walk)
      joined = new Set([...joined, ...fresh.map((walk) => walk.shardId)])
      await reader.settle()
      if (reader.closed || closed.aborted) return false
      // A shard ended and named no children: only the list can say who they are.
      if (this.#shards.childless && look === undefined && this.#lister.due) look = this.#lookInBackground()
      if (this.#shards.childless && look) await reader.wait(look)
      if (this.#lookFailure !== undefined) throw this.#takeLookFailure()
      if (reader.closed) return false
      const more = this.#shards.readable(reader).free.some((walk) => !joined.has(walk.shardId))
      if (!more) return held.length === 0 && this.#shards.readable(reader).held.length === 0
    }
  }

  #lookInBackground(): Promise<void> {
    return this.#lister.refreshIfDue(this.#closing.signal).catch((error: unknown) => {
      this.#lookFailure = error
    })
  }

  #takeLookFailure(): unknown {
    const failure = this.#lookFailure
    this.#lookFailure = undefined
    return failure
  }

  #batch(from: Position, gathered: Gathered): Batch {
    const rows = new Map([...gathered.rows].map(([id, each]) => [id, each.length] as const))
    const summary = this.#watch.summary
    const end = positionToJson({
      stream: summary?.arn ?? '',
      createdMs: summary?.createdMs ?? 0,
      shards: this.#shards.positions(),
      rows,
    })
    const encoded = encodeRows(this.#options.stream.name, gathered.rows)
    this.#counters.rows += encoded.rows
    return { range: { start: from, end }, ...encoded }
  }

  async #start(): Promise<void> {
    if (this.#closing.signal.aborted)
      throw new SluiceError('KINESIS_CLOSED', { source: this.description, what: 'anything' })
    this.#started ??= startUp({
      clock: this.#clock,
      watch: this.#watch,
      lister: this.#lister,
      retry: this.#options.retry,
      closed: this.#closing.signal,
    }).catch((error: unknown) => {
      this.#started = undefined
      throw error
    })
    await this.#started
  }

  /** Makes the shards stand at `from`; nothing to do when that is where the last read left them. */
  async #follow(from: Position): Promise<void> {
    const cursor = JSON.stringify(from)
    if (cursor === this.#cursor) return
    await this.#stand(positionFromJson(this.description, from))
    this.#cursor = cursor
  }

  async #stand(position: StreamPosition): Promise<void> {
    if (!this.#refuseOtherStream(position)) {
      // Another stream of that name: of the old one nothing can be read any more.
      for (const [shardId, each] of position.shards) {
        if (each !== 'SHARD_END')
          this.#losses.shard(shardId, 'the stream was created anew', 'all that was unread')
      }
      this.#shards.standAt({ ...position, shards: new Map() }, 'fresh')
      return
    }
    const missing = [...position.shards].filter(([id, each]) => each !== 'SHARD_END' && !this.#lister.has(id))
    if (missing.length > 0 && !this.#losses.tolerated) {
      // Looked at twice: a list may miss a shard once.
      await this.#lister.refresh(this.#closing.signal)
      for (const [shardId] of missing) {
        if (this.#lister.has(shardId)) continue
        this.#losses.shard(shardId, 'it expired before it was read to its end', 'all that was unread')
      }
    }
    this.#shards.standAt(position, 'suspect')
  }

  /** False when it is another stream and losses are tolerated. @throws KINESIS_STREAM_REPLACED */
  #refuseOtherStream(position: StreamPosition): boolean {
    const summary = this.#watch.summary
    if (!summary || (summary.arn === position.stream && summary.createdMs === position.createdMs)) return true
    if (!this.#losses.tolerated) refuseOther(summary, position.stream, position.createdMs)
    return false
  }

  #discovered(children: Parameters<WalkContext['discovered']>[0]): void {
    this.#lister.announce(children)
    this.#lister.ask()
  }

  async #look(shardId: string): Promise<'open' | 'closed' | 'gone'> {
    await this.#lister.refresh(this.#closing.signal)
    if (!this.#lister.has(shardId)) return 'gone'
    return this.#lister.known.get(shardId)?.closed ? 'closed' : 'open'
  }
}

export function describeSource(options: KinesisOptions): string {
  return `kinesis[${options.stream.name}]`
}
