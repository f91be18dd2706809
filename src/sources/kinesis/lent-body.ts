import { walkedBuffer } from './walked-memory.ts'

/** Smaller ones are made new: the pool is for what weighs on the garbage collector. */
const SMALLEST_BYTES = 64 * 1024
const STEP_BYTES = 256 * 1024
/** A buffer is lent for no less than this share of its size. */
const LEAST_SHARE = 1 / 4
/** What waits to be lent, a good third of it never written to: two batches. More is left to the garbage collector. */
const MOST_FREE_BYTES = 320 * 1024 * 1024
/** Buffers that none of so many answers needed are let go. */
const ANSWERS_A_LOOK = 256

/** The last is lent next. */
const free: Buffer[] = []
let freeBytes = 0
let answers = 0
/** How few waited at any time since the last look. */
let fewestFree = 0

/**
 * A buffer for the body of an answer, and behind its `bytes` as many for the columns that it is laid out in, whatever
 * they hold; one that was lent before if there is one. V8 goes through the whole heap for every few megabytes of buffers
 * that are made, so they are made once. What nobody writes to takes no memory.
 */
export function bodyBuffer(bytes: number): Buffer {
  if (++answers % ANSWERS_A_LOOK === 0) {
    letGo(fewestFree)
    fewestFree = free.length
  }
  const needed = 2 * bytes
  if (needed < SMALLEST_BYTES) return Buffer.allocUnsafeSlow(needed)
  const index = free.findLastIndex(({ length }) => length >= needed && length * LEAST_SHARE <= needed)
  if (index < 0) {
    const size = Math.ceil(needed / STEP_BYTES) * STEP_BYTES
    return walkedBuffer(size) ?? Buffer.allocUnsafeSlow(size)
  }
  const [buffer] = free.splice(index, 1) as [Buffer]
  freeBytes -= buffer.length
  fewestFree = Math.min(fewestFree, free.length)
  return buffer
}

/** Those that have waited longest. */
function letGo(count: number): void {
  for (const { length } of free.splice(0, count)) freeBytes -= length
  fewestFree = Math.min(fewestFree, free.length)
}

/**
 * A body that rows lie in. When all of them have been released, and not before, it may be lent for another answer.
 *
 * Rows that nobody releases, because a read failed or a query ended, keep it from ever being lent again, which costs
 * some memory to the garbage collector and nothing else.
 */
export class LentBody {
  readonly #buffer: Buffer
  #rows: number

  /** @param rows all that lie in the buffer */
  constructor(buffer: Buffer, rows: number) {
    this.#buffer = buffer
    this.#rows = rows
  }

  /** Nobody will look at these rows again. To be called once for every row. */
  release(rows: number): void {
    this.#rows -= rows
    const { length } = this.#buffer
    if (this.#rows !== 0 || length < SMALLEST_BYTES) return
    free.push(this.#buffer)
    freeBytes += length
    // Rather those of a size that is not asked for any more.
    while (freeBytes > MOST_FREE_BYTES) letGo(1)
  }
}
