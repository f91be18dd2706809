import { setMaxListeners } from 'node:events'
import type { Batch, Json, Position, Range } from '../../batch.ts'
import type { Clock } from '../../clock.ts'
import { SluiceError } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import type { Read, Source } from '../source.ts'
import { BatchReader, type Gathered, type Pin } from './batch-reader.ts'
import { Counters } from './counters.ts'
import { firstPosition } from './first-position.ts'
import { Gate } from './gate.ts'
import type { KinesisPort, StreamSummary } from './kinesis-port.ts'
import { LagAlarm, lagOf } from './lag.ts'
import { shareLimiter } from './limiter.ts'
import { Lister } from './lister.ts'
import { Losses } from './losses.ts'
import type { KinesisOptions } from './options.ts'
import { positionFromJson, positionToJson, type StreamPosition } from './position.ts'
import { encodeRows, KINESIS_SCHEMA } from './record-batches.ts'
import { replay } from './replay.ts'
import type { RowBlock } from './row-block.ts'
import { ServerClock } from './server-clock.ts'
import { Shards } from './shard-set.ts'
import type { ShardWalk } from './shard-walk.ts'
import { shareReads } from './shared-reads.ts'
import { startUp } from './startup.ts'
import { refuseOther, StreamWatch } from './stream-watch.ts'
import type { WalkContext } from './walk-context.ts'

/** Between two looks for children that a closed shard must have and the list does not show. */
const CHILDLESS_PAUSE_MS = 1000

export interface KinesisSourceContext {
  readonly options: KinesisOptions
  readonly port: KinesisPort
  /** Sources with the same one share what they fetch, see `shareReads`; absent for one that shares nothing. */
  readonly sharedBy?: string | undefined
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
  readonly #releaseShared: () => void
  /** The position that `#shards` stands at, as it was handed out or asked for. */
  #cursor: string | undefined
  #pin: Pin | undefined
  #lookFailure: unknown
  #namesChildren = false

  constructor({ options, port: ownPort, sharedBy, clock, log }: KinesisSourceContext) {
    const { stream, retry, limits } = options
    const shared = sharedBy === undefined ? undefined : shareReads(clock, sharedBy, ownPort)
    const port = shared?.port ?? ownPort
    this.description = describeSource(options)
    this.#options = options
    this.#port = port
    this.#clock = clock
    this.#log = log
    // Every request under way waits on this one signal.
    setMaxListeners(0, this.#closing.signal)
    const serverClock = new ServerClock(clock)
    const counters = this.#counters
    this.#gate = new Gate(limits.parallelReads)
    this.#watch = new StreamWatch(port, serverClock)
    this.#losses = new Losses(stream.name, options.failOnDataLoss, counters, log)
    this.#lagAlarm = new LagAlarm(stream.name, log)
    const intervalMs = options.describeShardIntervalMs
    this.#lister = new Lister({ port, clock, counters, log, retry, intervalMs, streamName: stream.name })
    const { limiter, release } = shareLimiter(clock, port.id)
    this.#releaseShared = () => {
      release()
      shared?.release()
    }
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
      isClosed: (id) => this.#lister.known.get(id)?.closed === true,
      look: (id) => this.#look(id),
      discovered: (children) => this.#discovered(children),
      namesChildren: () => this.#namesChildren,
    }
    this.#shards = new Shards(this.#lister, this.#walkContext)
  }

  async initial(): Promise<Position> {
    const summary = await this.#survey()
    const position = firstPosition(this.#options.start, summary, this.#lister.known)
    const json = positionToJson(position)
    this.#shards.standAt(position)
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
    // Nothing to go back to when `initial` has pinned it just now.
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
    const closing = this.#closing.signal
    if (closing.aborted || signal.aborted) return { drained: false }
    try {
      await this.#start()
      await this.#follow(from)
      return await this.#read(from, [signal, closing])
    } catch (error) {
      // Rows that were taken before the failure went nowhere: the next read has to fetch them again.
      this.#cursor = undefined
      if (closing.aborted) return { drained: false }
      throw error
    }
  }

  async reread(range: Range): Promise<Batch> {
    const start = positionFromJson(this.description, range.start)
    const end = positionFromJson(this.description, range.end)
    await this.#start()
    if (this.#isOtherStream(end)) {
      for (const [shardId, rows] of end.rows) this.#losses.rows(shardId, rows, 0, 'of the stream before')
      return { range, ...encodeRows(this.#options.stream.name, new Map()) }
    }
    const rows = await replay(this.description, start, end, this.#walkContext, this.#gate)
    return { range, ...encodeRows(this.#options.stream.name, rows) }
  }

  async pinEnd(): Promise<void> {
    const at = this.#clock.monotonic()
    const asked = new Map([...this.#shards.walks].map((walk) => [walk, walk.asked] as const))
    const { serverTime } = await this.#survey()
    this.#pin = { at, asked, arrivedMs: serverTime.latestMs }
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
      this.#releaseShared()
      this.#port.close()
    }
    return Promise.resolve()
  }

  async #read(from: Position, signals: readonly AbortSignal[]): Promise<Read> {
    const reader = new BatchReader(this.#clock, this.#options.limits, this.#gate, this.#pin, signals)
    let nothingHeldBack = false
    let gathered: Gathered
    try {
      nothingHeldBack = await this.#gather(reader)
    } finally {
      gathered = await reader.finish()
    }
    const retentionMs = this.#watch.summary?.retentionMs
    if (retentionMs !== undefined) this.#lagAlarm.check(lagOf(this.#shards.walks, retentionMs), retentionMs)
    const drained = nothingHeldBack && gathered.complete
    if (gathered.rows.size === 0) return { drained }
    const batch = this.#batch(from, gathered)
    this.#cursor = JSON.stringify(batch.range.end)
    return { batch, drained }
  }

  /** Joins shards to the batch until none is left that may be read; answers whether none is held back. */
  async #gather(reader: BatchReader): Promise<boolean> {
    const joined = new Set<ShardWalk>()
    if (this.#lister.due) void this.#lookInBackground()
    for (;;) {
      this.#throwLookFailure()
      const { free, held } = this.#shards.readable(reader)
      const fresh = free.filter((walk) => !joined.has(walk))
      if (joined.size > 0 && fresh.length === 0) return held.length === 0 && !this.#shards.childless
      for (const walk of fresh) {
        joined.add(walk)
        reader.join(walk)
      }
      await reader.settle()
      if (!reader.closed && this.#shards.childless) await reader.wait(this.#lookForChildren())
      if (reader.closed) return false
    }
  }

  /** Some shard ended and named no children: only the list can say who they are, and it may lag behind. */
  async #lookForChildren(): Promise<void> {
    this.#lister.ask()
    await this.#lookInBackground()
    if (this.#shards.childless) await this.#clock.sleep(CHILDLESS_PAUSE_MS, this.#closing.signal)
  }

  #lookInBackground(): Promise<void> {
    return this.#lister.refreshIfDue(this.#closing.signal).catch((error: unknown) => {
      this.#lookFailure = error
    })
  }

  #throwLookFailure(): void {
    const failure = this.#lookFailure
    this.#lookFailure = undefined
    if (failure !== undefined) throw failure
  }

  #batch(from: Position, gathered: Gathered): Batch {
    const count = (blocks: readonly RowBlock[]) => blocks.reduce((sum, block) => sum + block.length, 0)
    const rows = new Map([...gathered.rows].map(([id, blocks]) => [id, count(blocks)] as const))
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
    this.#refuseClosed()
    if (this.#watch.summary === undefined || this.#lister.known.size === 0) await this.#survey()
  }

  /** Describes the stream and lists its shards, patiently but not for long. */
  async #survey(): Promise<StreamSummary> {
    this.#refuseClosed()
    const context = { watch: this.#watch, lister: this.#lister, retry: this.#options.retry }
    return await startUp({ ...context, clock: this.#clock, closed: this.#closing.signal })
  }

  #refuseClosed(): void {
    if (!this.#closing.signal.aborted) return
    throw new SluiceError('KINESIS_CLOSED', { source: this.description, what: 'anything' })
  }

  /** Makes the shards stand at `from`; nothing to do when that is where the last read left them. */
  async #follow(from: Position): Promise<void> {
    const cursor = JSON.stringify(from)
    if (cursor === this.#cursor) return
    await this.#stand(positionFromJson(this.description, from))
    this.#cursor = cursor
  }

  async #stand(position: StreamPosition): Promise<void> {
    if (this.#isOtherStream(position)) {
      for (const [shardId, each] of position.shards) {
        if (each !== 'SHARD_END')
          this.#losses.shard(shardId, 'the stream was created anew', 'all that was unread')
      }
      this.#shards.standAt({ ...position, shards: new Map() })
      return
    }
    const missing = [...position.shards].filter(([id, each]) => each !== 'SHARD_END' && !this.#lister.has(id))
    if (missing.length > 0 && !this.#losses.tolerated) {
      // Looked at twice: a list may miss a shard once.
      await this.#survey()
      for (const [shardId] of missing) {
        if (this.#lister.has(shardId)) continue
        this.#losses.shard(shardId, 'it expired before it was read to its end', 'all that was unread')
      }
    }
    this.#shards.standAt(position)
  }

  /** Of another stream nothing can be read any more. @throws KINESIS_STREAM_REPLACED unless losses are tolerated */
  #isOtherStream(position: StreamPosition): boolean {
    const summary = this.#watch.summary
    if (!summary || (summary.arn === position.stream && summary.createdMs === position.createdMs))
      return false
    if (!this.#losses.tolerated) refuseOther(summary, position.stream, position.createdMs)
    return true
  }

  #discovered(children: Parameters<WalkContext['discovered']>[0]): void {
    if (children.length > 0) this.#namesChildren = true
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
