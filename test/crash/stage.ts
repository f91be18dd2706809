import { KinesisDouble } from '../../src/testing/kinesis/double.ts'
import type { SeededRandom } from '../../src/testing/seeded-random.ts'
import { type Compiled, compile } from './compile.ts'
import { EventStream } from './event-stream.ts'
import { type Stretch, stretch } from './matrix.ts'
import type { QueryName } from './queries.ts'
import { type Setting, Trial } from './trial.ts'

/** A setting whose stream is filled by the test. */
export interface StageSetting extends Setting {
  readonly stream: EventStream
}

const ROWS_PER_SHARD = 20
/** Up to just before a purge (every 20 batches); of a state this small, every few batches write a snapshot. */
const YOUTH = 19
const OLD_AGE = 4

/** Everything that the trials of one run share: a Kinesis over HTTP, streams in it, and the compiled program. */
export class Stage {
  readonly #double: KinesisDouble
  readonly #endpointUrl: string
  readonly #compiled: Compiled
  readonly #random: SeededRandom
  readonly #trials: Trial[] = []

  private constructor(double: KinesisDouble, endpointUrl: string, compiled: Compiled, random: SeededRandom) {
    this.#double = double
    this.#endpointUrl = endpointUrl
    this.#compiled = compiled
    this.#random = random
  }

  static async open(random: SeededRandom): Promise<Stage> {
    const compiled = await compile()
    const double = new KinesisDouble()
    const { endpointUrl } = await double.listen()
    return new Stage(double, endpointUrl, compiled, random)
  }

  async close(): Promise<void> {
    for (const trial of this.#trials) trial.remove()
    await this.#double.close()
    await this.#compiled.remove()
  }

  /** The first three batches of a query, from nothing; a shard is split between them. */
  async firstBatches(query: QueryName): Promise<Stretch> {
    const setting = this.setting(query, 'first')
    await setting.stream.put(ROWS_PER_SHARD)
    await setting.stream.put(ROWS_PER_SHARD)
    await setting.stream.reshard('split')
    await setting.stream.put(ROWS_PER_SHARD)
    return stretch(setting)
  }

  /** Some batches of a query that has run for a while, among them a snapshot of its state, a purge and a merge of shards. */
  async laterBatches(query: QueryName): Promise<Stretch> {
    const setting = this.setting(query, 'later')
    for (let batch = 0; batch < YOUTH; batch++) await setting.stream.put(ROWS_PER_SHARD)
    const young = new Trial(setting)
    this.#trials.push(young)
    await young.finish()
    await setting.stream.reshard('merge')
    for (let batch = 0; batch < OLD_AGE; batch++) await setting.stream.put(ROWS_PER_SHARD)
    return stretch(setting, young)
  }

  /** A query and a stream of its own, with two shards and nothing in it. */
  setting(query: QueryName, stream: string): StageSetting {
    const name = `${query}-${stream}`
    return {
      query,
      stream: new EventStream(this.#double, name, this.#random),
      child: this.#compiled.child,
      source: {
        endpointUrl: this.#endpointUrl,
        streamName: name,
        // Batches end where the caps say, not where time runs out: every life then passes the same places.
        maxFetchRecordsPerShard: ROWS_PER_SHARD,
        maxFetchTimeInMs: '60s',
        fetchInterval: '1ms',
      },
      writer: { minBatchesToRetain: 4, checkpointHeartbeat: '50ms' },
    }
  }
}
