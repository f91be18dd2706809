import { Int64, type RecordBatch, TimestampMicrosecond } from 'apache-arrow'
import { Int64Column, recordBatch, type Schema } from '../batch.ts'
import type { Clock } from '../clock.ts'
import { type GivenOptions, type OptionsOf, type OptionTable, parseOptions } from '../options.ts'
import { firstDifference, GeneratedSource, type Origin, type RowGenerator } from './generated-source.ts'
import type { SourceFormat } from './source.ts'

/** Spark's `numPartitions` is refused as unknown: one process makes the rows. */
export const RATE_OPTIONS = {
  rowsPerSecond: { kind: 'count', doc: 'rows made in a second', min: 1, max: 1_000_000_000, default: '1' },
  rampUpTime: {
    kind: 'duration',
    doc: 'time in which the speed grows from 0 to rowsPerSecond, evenly',
    default: '0s',
  },
  batchRows: {
    kind: 'count',
    doc: 'most rows in one batch, when the query is behind',
    min: 1,
    default: '100000',
  },
} as const satisfies OptionTable

type RateOptions = OptionsOf<typeof RATE_OPTIONS>

const SCHEMA: Schema = Object.freeze([
  { name: 'timestamp', type: 'TIMESTAMP' },
  { name: 'value', type: 'BIGINT' },
])

/**
 * Numbers from 0, so many a second, each with the time at which it was due. The first start of the query is time
 * zero, also after a restart: what was due in between comes then.
 */
export class RateRows implements RowGenerator {
  readonly description = 'rate'
  readonly schema = SCHEMA
  readonly #options: RateOptions
  readonly #clock: Clock

  constructor(options: RateOptions, clock: Clock) {
    this.#options = options
    this.#clock = clock
  }

  origin(): Origin {
    return { startedMs: Math.floor(this.#clock.now()), ...this.#speed() }
  }

  refusal({ startedMs, ...speed }: Origin): string | undefined {
    if (!Number.isSafeInteger(startedMs)) return 'it does not say when the stream started'
    return firstDifference(speed, this.#speed())
  }

  available({ startedMs }: Origin): number {
    const elapsedMicros = (this.#clock.now() - (startedMs as number)) * 1000
    if (elapsedMicros < 0) return 0
    let count = Math.floor(this.#valueAfter(elapsedMicros / 1e6))
    // The estimate is rounded, and the rows' own times decide.
    while (this.#dueMicros(count) <= elapsedMicros) count++
    while (count > 0 && this.#dueMicros(count - 1) > elapsedMicros) count--
    return count
  }

  batchEnd(next: number, available: number): number {
    return Math.max(next, Math.min(available, next + this.#options.batchRows))
  }

  records({ startedMs }: Origin, start: number, end: number): RecordBatch {
    const timestamp = new Int64Column(end - start)
    const value = new Int64Column(end - start)
    for (let number = start; number < end; number++) {
      timestamp.push(BigInt((startedMs as number) * 1000 + this.#dueMicros(number)))
      value.push(BigInt(number))
    }
    return recordBatch(SCHEMA, [timestamp.finish(new TimestampMicrosecond()), value.finish(new Int64())])
  }

  /** Microseconds after the start at which a value is due: never less than that of a smaller value. */
  #dueMicros(value: number): number {
    const { rowsPerSecond } = this.#options
    const rampUp = this.#rampUpSeconds
    const whileRamping = (rowsPerSecond * rampUp) / 2
    const seconds =
      value < whileRamping
        ? Math.sqrt((2 * value * rampUp) / rowsPerSecond)
        : rampUp + (value - whileRamping) / rowsPerSecond
    return Math.floor(seconds * 1e6)
  }

  /** About how many values are due after so many seconds. */
  #valueAfter(seconds: number): number {
    const { rowsPerSecond } = this.#options
    const rampUp = this.#rampUpSeconds
    if (seconds < rampUp) return (rowsPerSecond * seconds * seconds) / (2 * rampUp)
    return (rowsPerSecond * rampUp) / 2 + (seconds - rampUp) * rowsPerSecond
  }

  get #rampUpSeconds(): number {
    return this.#options.rampUpTime / 1000
  }

  #speed(): Origin {
    return { rowsPerSecond: this.#options.rowsPerSecond, rampUpMs: this.#options.rampUpTime }
  }
}

/** `.format('rate')`: Spark's source for trying things out, with columns `timestamp` and `value`. */
export const rateFormat: SourceFormat = Object.freeze({
  name: 'rate',
  schema: ({ options }) => {
    parseRateOptions(options)
    return SCHEMA
  },
  describe: ({ options }) => {
    parseRateOptions(options)
    return 'rate'
  },
  open: ({ options, clock }) => new GeneratedSource(new RateRows(parseRateOptions(options), clock)),
} satisfies SourceFormat)

function parseRateOptions(given: GivenOptions): RateOptions {
  return parseOptions('source rate', RATE_OPTIONS, given)
}
