import { kinesisFormat } from '../../../src/sinks/kinesis/format.ts'
import type { SinkFormat } from '../../../src/sinks/sink.ts'
import { KinesisDouble, type KinesisDoubleOptions } from '../../../src/testing/kinesis/double.ts'
import { ManualClock } from '../../../src/testing/manual-clock.ts'
import { Bench } from '../../conformance/sink.ts'

export const STREAM = 'out'

/** A stream of the double, a sink that sleeps in no time, and a database. */
export class Scene {
  readonly clock: ManualClock
  readonly format: SinkFormat = kinesisFormat
  readonly double: KinesisDouble
  readonly bench: Bench
  readonly options: Readonly<Record<string, string>>

  private constructor(clock: ManualClock, double: KinesisDouble, bench: Bench, endpointUrl: string) {
    this.clock = clock
    this.double = double
    this.bench = bench
    this.options = {
      streamName: STREAM,
      region: 'eu-west-1',
      endpointUrl,
      awsAccessKeyId: 'AKIDEXAMPLE',
      awsSecretKey: 'secret',
    }
  }

  static async open(shards = 1, options: KinesisDoubleOptions = {}): Promise<Scene> {
    const clock = new ManualClock({ passes: 'idle' })
    const double = new KinesisDouble({ region: 'eu-west-1', clock, ...options })
    double.createStream(STREAM, { shards })
    const { endpointUrl } = await double.listen()
    return new Scene(clock, double, await Bench.open(clock), endpointUrl)
  }

  /** All that is in the stream, shard by shard. */
  get records() {
    return this.double.shards(STREAM).flatMap(({ id }) => this.double.records(STREAM, id))
  }

  get texts(): string[] {
    return this.records.map(({ Data }) => Buffer.from(Data ?? []).toString())
  }

  async write(sql: string, options: object = {}, batchId = 0): Promise<void> {
    const sink = await this.bench.open(this.format, sql, 'append', { ...this.options, ...options })
    try {
      await this.bench.write(sink, batchId, sql)
    } finally {
      await sink.close()
    }
  }

  async close(): Promise<void> {
    this.bench.close()
    await this.double.close()
  }
}
