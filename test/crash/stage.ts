import { KinesisDouble } from '../../src/testing/kinesis/double.ts'
import { S3Double } from '../../src/testing/s3/double.ts'
import type { SeededRandom } from '../../src/testing/seeded-random.ts'
import { type CheckpointStore, onDisk, onS3, type StoreName } from './checkpoint-store.ts'
import { type Compiled, compile } from './compile.ts'
import { EventStream } from './event-stream.ts'
import { type Stretch, stretch } from './matrix.ts'
import type { QueryName } from './queries.ts'
import type { Scene } from './scenes.ts'
import { RESULTS, type Services } from './sinks.ts'
import { Successors } from './successors.ts'
import { type Setting, Trial } from './trial.ts'

/** A setting whose stream is filled by the test. */
export interface StageSetting extends Setting {
  readonly stream: EventStream
}

const ROWS_PER_SHARD = 20
/** Up to the one before a purge, which comes every 20 batches: then follow that one, one with a purge and one after it. */
const YOUTH = 19
const OLD_AGE = 3

/** Everything that the trials of one run share: a Kinesis and an S3 over HTTP, streams, and the compiled program. */
export class Stage {
  readonly #kinesis: KinesisDouble
  readonly #s3: S3Double
  readonly #endpointUrl: string
  readonly #stores: Readonly<Record<StoreName, CheckpointStore>>
  readonly #services: Services
  readonly #compiled: Compiled
  readonly #successors: Successors
  readonly #random: SeededRandom
  readonly #trials: Trial[] = []
  readonly #streams = new Map<string, EventStream>()

  private constructor(
    kinesis: KinesisDouble,
    s3: S3Double,
    endpoints: { readonly kinesis: string; readonly s3: string },
    compiled: Compiled,
    random: SeededRandom,
    postgres: string | undefined,
  ) {
    this.#kinesis = kinesis
    this.#s3 = s3
    this.#endpointUrl = endpoints.kinesis
    this.#services = { s3: { double: s3, endpointUrl: endpoints.s3 }, postgres }
    this.#successors = new Successors(compiled.child)
    this.#stores = { disk: onDisk, s3: onS3(s3, endpoints.s3) }
    this.#compiled = compiled
    this.#random = random
  }

  /** @param postgres the URL of a server, if there is one */
  static async open(random: SeededRandom, postgres?: string): Promise<Stage> {
    const compiled = await compile()
    const [kinesis, s3] = [new KinesisDouble({ keptCalls: 1 }), new S3Double({ keptCalls: 1 })]
    s3.createBucket(RESULTS)
    const endpoints = {
      kinesis: (await kinesis.listen()).endpointUrl,
      s3: (await s3.listen()).endpointUrl,
    }
    return new Stage(kinesis, s3, endpoints, compiled, random, postgres)
  }

  async close(): Promise<void> {
    for (const trial of this.#trials) trial.remove()
    this.#successors.close()
    await this.#kinesis.close()
    await this.#s3.close()
    await this.#compiled.remove()
  }

  /** The first three batches of a query, from nothing; a shard is split between them. */
  async firstBatches(scene: Scene): Promise<Stretch> {
    const stream = await this.#filled(`${scene.query}-first`, async (empty) => {
      await empty.put(ROWS_PER_SHARD)
      await empty.put(ROWS_PER_SHARD)
      await empty.reshard('split')
      await empty.put(ROWS_PER_SHARD)
    })
    return stretch(this.#setting(scene, stream))
  }

  /** Some batches of a query that has run for a while, among them a purge; two shards are merged, and some states get a snapshot. */
  async laterBatches(scene: Scene): Promise<Stretch> {
    const stream = this.#stream(`${scene.query}-later-${scene.store}-${scene.sink}`)
    const setting = this.#setting(scene, stream)
    for (let batch = 0; batch < YOUTH; batch++) await stream.put(ROWS_PER_SHARD)
    const young = new Trial(setting)
    this.#trials.push(young)
    await young.finish()
    await stream.reshard('merge')
    for (let batch = 0; batch < OLD_AGE; batch++) await stream.put(ROWS_PER_SHARD)
    return stretch(setting, young)
  }

  /** A query that writes files and gives many signs of life, with a stream of its own that has nothing in it. */
  setting(query: QueryName, store: StoreName, stream: string): StageSetting {
    const setting = this.#setting({ query, store, sink: 'foreachBatch' }, this.#stream(`${query}-${stream}`))
    return { ...setting, writer: { ...setting.writer, checkpointHeartbeat: '50ms' } }
  }

  async #filled(name: string, fill: (stream: EventStream) => Promise<void>): Promise<EventStream> {
    const known = this.#streams.get(name)
    if (known) return known
    const stream = this.#stream(name)
    this.#streams.set(name, stream)
    await fill(stream)
    return stream
  }

  #stream(name: string): EventStream {
    return new EventStream(this.#kinesis, name, this.#random)
  }

  #setting({ query, store, sink }: Scene, stream: EventStream): StageSetting {
    return {
      query,
      stream,
      sink,
      store: this.#stores[store],
      services: this.#services,
      child: this.#compiled.child,
      successors: this.#successors,
      source: {
        endpointUrl: this.#endpointUrl,
        streamName: stream.name,
        // Batches end where the caps say, not where time runs out: every life then passes the same places.
        maxFetchRecordsPerShard: ROWS_PER_SHARD,
        maxFetchTimeInMs: '60s',
        fetchInterval: '1ms',
      },
      // Nor does a sign of life come in between.
      writer: { minBatchesToRetain: 16, checkpointHeartbeat: '10m' },
    }
  }
}
