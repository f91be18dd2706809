import type { Clock } from '../../clock.ts'
import { hasCode } from '../../errors.ts'
import { sentences, wordsOf } from './sentences.ts'
import type { DemoStream } from './stream.ts'

export interface ProducerOptions {
  readonly stream: DemoStream
  /** Sentences in a second. */
  readonly rate: number
  /** Sentences in all. */
  readonly total: number
  readonly seed: number
  readonly clock: Clock
}

const TICK_MS = 100
/** The most that one PutRecords takes. */
const RECORDS_PER_PUT = 500
const AFTER_REFUSAL_MS = 200

/** Puts sentences into the stream at a steady rate, and counts what the stream has acknowledged. */
export class Producer {
  readonly #options: ProducerOptions
  readonly #counts = new Map<string, number>()
  #acknowledged = 0
  #retried = 0

  constructor(options: ProducerOptions) {
    this.#options = options
  }

  /** Sentences that the stream has taken. */
  get acknowledged(): number {
    return this.#acknowledged
  }

  /** Sentences that had to be put again because the stream did not take them. */
  get retried(): number {
    return this.#retried
  }

  /** How often each word stands in the sentences that the stream has taken. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts
  }

  /** Resolves when all sentences are acknowledged, or when told to stop. */
  async run(signal: AbortSignal): Promise<void> {
    const { rate, total, seed, clock } = this.#options
    const source = sentences(seed)
    const startMs = clock.monotonic()
    let waiting: string[] = []
    for (let made = 0; this.#acknowledged < total && !signal.aborted; ) {
      const due = Math.min(total, Math.floor(((clock.monotonic() - startMs) / 1000) * rate))
      for (; made < due; made++) waiting.push(source.next().value)
      if (waiting.length > 0) waiting = await this.#put(waiting, signal)
      await clock.sleep(TICK_MS, signal)
    }
  }

  /** @returns what is still to be put */
  async #put(waiting: readonly string[], signal: AbortSignal): Promise<string[]> {
    const batch = waiting.slice(0, RECORDS_PER_PUT)
    const taken = await this.#takenOf(batch)
    const refused: string[] = []
    for (const [index, sentence] of batch.entries()) {
      if (taken[index]) this.#count(sentence)
      else refused.push(sentence)
    }
    this.#retried += refused.length
    if (refused.length > 0) await this.#options.clock.sleep(AFTER_REFUSAL_MS, signal)
    return [...refused, ...waiting.slice(batch.length)]
  }

  /** A throttled call took nothing. Any other failure leaves open what was taken, and ends the demo. */
  async #takenOf(batch: readonly string[]): Promise<readonly boolean[]> {
    try {
      return await this.#options.stream.put(batch)
    } catch (error) {
      if (hasCode(error, 'AWS_THROTTLED')) return batch.map(() => false)
      throw error
    }
  }

  #count(sentence: string): void {
    this.#acknowledged++
    for (const word of wordsOf(sentence)) this.#counts.set(word, (this.#counts.get(word) ?? 0) + 1)
  }
}
