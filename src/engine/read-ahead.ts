import type { Position } from '../batch.ts'
import type { Read, Source } from '../sources/source.ts'

/**
 * Reads the next batch of a source while the batch before is worked on, so that the network and DuckDB are busy at the
 * same time. At most one batch is held in advance, and a source bounds each of its batches: memory holds two of them.
 *
 * Invariants: what was read in advance is nothing but the answer to the next `read`: no one has logged it, and if no
 * one asks, it is dropped and read again by the next start; a failure is thrown by the `read` that asks for it.
 */
export class ReadAhead {
  readonly #source: Source
  #begun: { readonly from: Position; readonly read: Promise<Read> } | undefined

  constructor(source: Source) {
    this.#source = source
  }

  /** A read has been begun that the next `read` will answer with. */
  get isUnderWay(): boolean {
    return this.#begun !== undefined
  }

  /** Begins to read after `from`; `signal` ends that as it ends any read. */
  begin(from: Position, signal: AbortSignal): void {
    const read = Promise.resolve().then(() => this.#source.read(from, signal))
    // Until somebody asks, a failure is nobody's.
    read.catch(() => undefined)
    this.#begun = { from, read }
  }

  async read(from: Position, signal: AbortSignal): Promise<Read> {
    const begun = this.#begun
    this.#begun = undefined
    if (begun?.from === from) return await begun.read
    return await this.#source.read(from, signal)
  }
}
