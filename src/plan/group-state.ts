import type { Row } from '../duckdb.ts'
import { SluiceError } from '../errors.ts'
import { parseDuration } from '../options.ts'

/** What makes a group be called without rows: nothing, the time of a batch, or the watermark. */
export type GroupTimeout = 'none' | 'processingTime' | 'eventTime'

/** What one call for a group runs under. */
export interface GroupMoment {
  readonly timeout: GroupTimeout
  /** Of the batch, epoch milliseconds. */
  readonly batchTimeMs: number
  /** Undefined where the query has no watermark; 0 before the first row moved it. */
  readonly watermarkMs: number | undefined
  readonly hasTimedOut: boolean
}

/**
 * The state of one group, during one call of the function for it. As in Spark, a timeout holds until the next call,
 * whatever that is for: it has to be set again every time.
 */
export class GroupState<S = Row> {
  readonly #moment: GroupMoment
  #value: S | undefined
  #isChanged = false
  #timeoutMs: number | undefined

  constructor(value: S | undefined, moment: GroupMoment) {
    this.#value = value
    this.#moment = moment
  }

  /** Whether there is a state: `update` has been called for the group, and `remove` not since. */
  get exists(): boolean {
    return this.#value !== undefined
  }

  /** @throws GROUP_STATE when there is none */
  get(): S {
    if (this.#value === undefined)
      throw misuse('get()', 'the group has no state; ask exists, or use getOption()')
    return this.#value
  }

  /** The state, or undefined. Changing the object has no effect before `update`. */
  getOption(): S | undefined {
    return this.#value
  }

  /** @throws GROUP_STATE for null or undefined */
  update(value: S): void {
    if (value === null || value === undefined)
      throw misuse('update()', 'a state cannot be null; use remove()')
    this.#value = value
    this.#isChanged = true
  }

  remove(): void {
    this.#isChanged ||= this.exists
    this.#value = undefined
  }

  /** Whether this call is for a timeout: then there are no rows. */
  get hasTimedOut(): boolean {
    return this.#moment.hasTimedOut
  }

  /**
   * Calls the function again, without rows, in the first batch that begins later than this after the time of this one,
   * unless rows come before.
   *
   * @param duration milliseconds, or a text such as `10 minutes`
   * @throws GROUP_STATE without `timeout: 'processingTime'`, or when it is not positive
   */
  setTimeoutDuration(duration: number | string): void {
    const call = 'setTimeoutDuration()'
    if (this.#moment.timeout !== 'processingTime') throw misuse(call, "it needs timeout: 'processingTime'")
    const ms = typeof duration === 'number' ? duration : parseDuration(duration)
    if (ms === undefined || !(ms > 0)) throw misuse(call, 'the duration must be positive, such as 10 minutes')
    this.#timeoutMs = this.#moment.batchTimeMs + Math.ceil(ms)
  }

  /**
   * Calls the function again, without rows, once the watermark has passed this moment, unless rows come before.
   *
   * @param moment epoch milliseconds or a Date
   * @throws GROUP_STATE without `timeout: 'eventTime'`, or when the watermark has passed it already
   */
  setTimeoutTimestamp(moment: number | Date): void {
    const call = 'setTimeoutTimestamp()'
    if (this.#moment.timeout !== 'eventTime') throw misuse(call, "it needs timeout: 'eventTime'")
    const ms = Number(moment)
    if (!(ms > 0)) throw misuse(call, 'the timestamp must be positive')
    if (ms < (this.#moment.watermarkMs ?? 0))
      throw misuse(call, 'the watermark has passed the timestamp already')
    this.#timeoutMs = Math.ceil(ms)
  }

  /**
   * The watermark of the batch, epoch milliseconds; 0 before there is one.
   *
   * @throws GROUP_STATE in a query without withWatermark
   */
  getCurrentWatermarkMs(): number {
    const { watermarkMs } = this.#moment
    if (watermarkMs === undefined) throw misuse('getCurrentWatermarkMs()', 'it needs withWatermark below')
    return watermarkMs
  }

  /** The time of the batch, epoch milliseconds: logged, and the same when the batch is replayed. */
  getCurrentProcessingTimeMs(): number {
    return this.#moment.batchTimeMs
  }

  /** What the call has left. For the operator. */
  outcome(): {
    readonly value: S | undefined
    readonly isChanged: boolean
    readonly timeoutMs: number | undefined
  } {
    return { value: this.#value, isChanged: this.#isChanged, timeoutMs: this.#timeoutMs }
  }
}

function misuse(call: string, reason: string): SluiceError {
  return new SluiceError('GROUP_STATE', { call, reason })
}
