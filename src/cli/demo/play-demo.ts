import type { Shard } from '@aws-sdk/client-kinesis'
import type { Clock } from '../../clock.ts'
import { SluiceError } from '../../errors.ts'
import { assertEqual, compare, comparisonTable, grouped } from './comparison.ts'
import type { Narrator } from './narrator.ts'
import { Producer } from './producer.ts'
import { QueryProcess } from './query-process.ts'
import type { DemoStream } from './stream.ts'
import { sumOf, type Totals } from './totals.ts'

export interface Stage {
  readonly seconds: number
  readonly rate: number
  readonly endpointUrl: string
  readonly stream: DemoStream
  readonly folder: string
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly narrator: Narrator
}

const SHARDS = 2
const SEED = 20_240_607
const WORDS_SHOWN = 10
const LOOK_EVERY_MS = 50
const STEP_WITHIN_MS = 10_000
const STOP_WITHIN_MS = 10_000
const BATCH_WITHIN_MS = 2000

/**
 * The word count, act by act.
 *
 * @throws DEMO_DIFFERS when the totals are not equal; DEMO_QUERY_ENDED, DEMO_ENDPOINT_FAILED
 */
export async function playDemo(stage: Stage): Promise<void> {
  const { endpointUrl, stream, folder } = stage
  const query = new QueryProcess(endpointUrl, stream.name, folder)
  try {
    await new Play(stage, query).play()
  } finally {
    await query.kill()
  }
}

class Play {
  readonly #stage: Stage
  readonly #query: QueryProcess
  readonly #producer: Producer
  readonly #total: number
  #totals: Totals | undefined
  #producerFailed: { readonly error: unknown } | undefined

  constructor(stage: Stage, query: QueryProcess) {
    const { stream, rate, clock } = stage
    this.#stage = stage
    this.#query = query
    this.#total = stage.seconds * rate
    this.#producer = new Producer({ stream, rate, total: this.#total, seed: SEED, clock })
  }

  async play(): Promise<void> {
    const { stream, signal, narrator } = this.#stage
    await stream.create(SHARDS)
    await this.#untilDone('CreateStream', () => stream.isActive())
    narrator.say('stream', `${stream.name} is active with ${SHARDS} shards`)
    narrator.say('query', `process ${this.#query.start()} counts words from trim_horizon`)
    const ending = new AbortController()
    const producing = this.#producer.run(AbortSignal.any([signal, ending.signal])).catch((error: unknown) => {
      this.#producerFailed = { error }
    })
    try {
      narrator.say('producer', `puts ${this.#stage.rate} sentences a second for ${this.#stage.seconds} s`)
      await this.#untilPut(this.#total / 3)
      await this.#reshard()
      await this.#untilPut((this.#total * 2) / 3)
      await this.#killAndRestart()
      await this.#untilPut(this.#total)
    } finally {
      ending.abort()
      await producing
    }
    await this.#catchUp()
    await this.#stop()
    this.#compare()
  }

  async #reshard(): Promise<void> {
    const { stream, narrator } = this.#stage
    const [shard] = await stream.shards()
    await stream.split(shard as Shard)
    let children: readonly Shard[] = []
    await this.#untilDone('SplitShard', async () => {
      children = (await stream.shards()).filter(({ ParentShardId }) => ParentShardId === shard?.ShardId)
      return children.length === 2
    })
    const into = children.map(({ ShardId }) => short(ShardId)).join(' and ')
    narrator.say('reshard', `shard ${short(shard?.ShardId)} is split into ${into} (${this.#progress()})`)
  }

  async #killAndRestart(): Promise<void> {
    const { clock, narrator } = this.#stage
    await this.#query.nextBatch(clock, BATCH_WITHIN_MS)
    await this.#query.kill()
    const [open, totals] = await Promise.all([this.#query.openBatch(), this.#query.totals()])
    this.#totals = totals
    const where = open === undefined ? 'between batches' : `in batch ${open}, logged but not committed`
    narrator.say('kill', `SIGKILL ${where} (${this.#put()})`)
    const pid = this.#query.start()
    narrator.say('restart', `process ${pid} goes on from the checkpoint`)
    if (!(await this.#until(() => this.#totals?.pid === pid, STEP_WITHIN_MS))) return
    const again = open === undefined ? 'the query goes on' : `batch ${open} ran again with the same records`
    narrator.say('resumed', `${again} (${this.#progress()})`)
  }

  async #catchUp(): Promise<void> {
    const { narrator, seconds } = this.#stage
    narrator.endProgress()
    const { acknowledged, retried } = this.#producer
    const twice = retried === 0 ? '' : `, ${grouped(retried)} of them put again after a refusal`
    narrator.say(
      'producer',
      `done: ${grouped(acknowledged)} sentences, ${grouped(this.#produced)} words${twice}`,
    )
    const withinMs = STEP_WITHIN_MS + seconds * 100
    const caughtUp = await this.#until(() => this.#counted >= this.#produced, withinMs)
    const how = caughtUp ? 'has caught up' : `has not caught up within ${withinMs / 1000} s`
    narrator.say('query', `${how} (batch ${this.#totals?.batchId})`)
  }

  async #stop(): Promise<void> {
    const { clock, signal, narrator } = this.#stage
    const stopped = new AbortController()
    const slow = AbortSignal.any([signal, stopped.signal])
    // Whatever takes longer than this is a hang, and a kill makes it a failure.
    void clock.sleep(STOP_WITHIN_MS, slow).then(() => {
      if (!stopped.signal.aborted) void this.#query.kill()
    })
    try {
      await this.#query.stop()
    } finally {
      stopped.abort()
    }
    this.#totals = await this.#query.totals()
    narrator.say('query', 'stopped with SIGTERM, exit code 0')
  }

  #compare(): void {
    const words = compare(this.#producer.counts, new Map(Object.entries(this.#totals?.counts ?? {})))
    process.stdout.write(`\n${comparisonTable(words, WORDS_SHOWN)}\n`)
    assertEqual(words)
    const took = `${this.#stage.narrator.elapsedSeconds.toFixed(1)} s`
    process.stdout.write(
      `EQUAL: ${words.length} words, ${grouped(this.#produced)} counts, through one reshard and one SIGKILL (${took})\n`,
    )
  }

  get #produced(): number {
    return sumOf(this.#producer.counts.values())
  }

  get #counted(): number {
    return sumOf(Object.values(this.#totals?.counts ?? {}))
  }

  #progress(): string {
    return `${this.#put()}, ${this.#totals === undefined ? 'no batch yet' : `batch ${this.#totals.batchId}`}`
  }

  #put(): string {
    return `${grouped(this.#producer.acknowledged)} sentences put`
  }

  /** Kinesis answers at once and does what it was asked to later. */
  async #untilDone(operation: string, isDone: () => Promise<boolean>): Promise<void> {
    if (await this.#until(isDone, STEP_WITHIN_MS)) return
    const reason = `${operation} took longer than ${STEP_WITHIN_MS / 1000} s`
    throw new SluiceError('DEMO_ENDPOINT_FAILED', { endpoint: this.#stage.endpointUrl, reason })
  }

  async #untilPut(sentences: number): Promise<void> {
    const enough = () => this.#producer.acknowledged >= sentences
    await this.#until(enough, Number.POSITIVE_INFINITY)
  }

  /**
   * Looks again and again; meanwhile keeps the progress on the screen up to date, and an eye on the others.
   *
   * @returns false when the time was over before
   */
  async #until(reached: () => boolean | Promise<boolean>, withinMs: number): Promise<boolean> {
    const { clock, signal, narrator } = this.#stage
    const deadlineMs = clock.monotonic() + withinMs
    for (;;) {
      signal.throwIfAborted()
      if (this.#producerFailed) throw this.#producerFailed.error
      this.#query.assertRunning()
      this.#totals = (await this.#query.totals()) ?? this.#totals
      const put = this.#producer.acknowledged
      if (put > 0 && put < this.#total) narrator.progress(put, this.#total, this.#progress())
      if (await reached()) return true
      if (clock.monotonic() >= deadlineMs) return false
      await clock.sleep(LOOK_EVERY_MS, signal)
    }
  }
}

/** `shardId-000000000003` as `3`. */
function short(shardId: string | undefined): string {
  return shardId?.replace(/^shardId-0*(?=\d)/, '') ?? ''
}
