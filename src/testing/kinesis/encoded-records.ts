import type { RecordSlice } from './record-slice.ts'
import type { Shard } from './shard.ts'

/** Bytes of some consecutive records and where each begins; one more start marks the end. */
export interface EncodedRun {
  readonly bytes: Uint8Array
  readonly starts: readonly number[]
}

/** Encodes the records [`from`, `to`) of a shard's log. */
export type EncodeRun = (shard: Shard, from: number, to: number) => EncodedRun

const RUN = 512

/**
 * Records encoded once for one wire format and then sent many times: an answer of any range is a handful of
 * views into runs of 512 records, so reading a stored stream again costs the double next to nothing.
 */
export class EncodedRecords {
  readonly #encode: EncodeRun
  readonly #runs = new WeakMap<Shard, Map<number, EncodedRun>>()

  constructor(encode: EncodeRun) {
    this.#encode = encode
  }

  of(slice: RecordSlice): Uint8Array[] {
    const parts: Uint8Array[] = []
    for (let from = slice.from; from < slice.to; ) {
      const run = Math.floor(from / RUN)
      const to = Math.min(slice.to, (run + 1) * RUN)
      parts.push(this.#part(slice.shard, run, from, to))
      from = to
    }
    return parts
  }

  #part(shard: Shard, run: number, from: number, to: number): Uint8Array {
    const first = run * RUN
    // Only whole runs are kept: one that still grows, or lost its front to retention, is encoded as asked for.
    if (first < shard.horizon || first + RUN > shard.end) return this.#encode(shard, from, to).bytes
    const { bytes, starts } = this.#whole(shard, run)
    return bytes.subarray(starts[from - first], starts[to - first])
  }

  #whole(shard: Shard, run: number): EncodedRun {
    const runs = this.#runs.get(shard) ?? new Map<number, EncodedRun>()
    this.#runs.set(shard, runs)
    const known = runs.get(run)
    if (known) return known
    const encoded = this.#encode(shard, run * RUN, (run + 1) * RUN)
    runs.set(run, encoded)
    return encoded
  }
}
