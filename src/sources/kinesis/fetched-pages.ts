import type { RecordsPage } from './kinesis-port.ts'
import { compareSequence } from './position.ts'
import type { StoredRecords } from './stored-records.ts'

/** Bytes of records that wait for slower readers; what they miss they fetch themselves. */
const MOST_BYTES = 32 * 1024 * 1024
/** Iterators live for five minutes: a page that is older leads to one that soon ends. */
const MOST_AGE_MS = 200_000
/** Empty answers that are remembered. */
const MOST_STEPS = 1000

/** An answer to GetRecords, and when it was asked for on the monotonic clock. */
export interface Fetched {
  readonly shardId: string
  readonly token: string
  readonly page: RecordsPage
  readonly askedAt: number
}

interface Kept extends Fetched {
  readonly takers: Set<object>
  /** Sequence numbers of its first and its last record; undefined for the bare end of a shard. */
  readonly edges: readonly [string, string] | undefined
}

/**
 * What the sources that read one stream together have fetched and not all taken yet, by the iterators that it answers.
 *
 * Invariant: what is given for an iterator is what the service answered to it, or to one that it led to over empty
 * answers alone; so whoever follows it misses nothing and meets nothing twice but what a cursor cuts off anyway.
 */
export class FetchedPages {
  readonly #kept = new Map<string, Kept>()
  /** From an iterator that was answered with nothing to the next. */
  readonly #steps = new Map<string, string>()
  #bytes = 0

  /** The iterator to ask with: behind all that is known to be empty. */
  furthest(token: string): string {
    let at = token
    for (let hops = 0; hops < MOST_STEPS; hops++) {
      const next = this.#steps.get(at)
      if (next === undefined) break
      at = next
    }
    return at
  }

  has(token: string): boolean {
    return this.#kept.has(token)
  }

  /** @param readers how many there are: what all have taken goes */
  take(token: string, taker: object, readers: number, nowMs: number): Fetched | undefined {
    const kept = this.#kept.get(token)
    if (!kept) return undefined
    if (nowMs - kept.askedAt > MOST_AGE_MS) {
      this.#drop(kept)
      return undefined
    }
    kept.takers.add(taker)
    if (kept.takers.size >= readers) this.#drop(kept)
    return kept
  }

  /** Keeps an answer for the others, and leads its reader to where another is already. */
  add({ page: answer, ...rest }: Fetched, taker: object): Fetched {
    // Several may release the same rows.
    const page = { ...answer, records: answer.records.kept() }
    const fetched = { ...rest, page }
    const { shardId, token } = rest
    const edges = edgesOf(page.records)
    if (edges === undefined && page.nextIterator !== undefined) {
      this.#step(token, page.nextIterator)
      return fetched
    }
    const meeting = edges && page.nextIterator !== undefined ? this.#around(shardId, edges[1]) : undefined
    if (meeting) return { ...fetched, page: { ...page, nextIterator: meeting } }
    this.#kept.set(token, { ...fetched, takers: new Set([taker]), edges })
    this.#bytes += page.records.bytes
    for (const oldest of this.#kept.values()) {
      if (this.#bytes <= MOST_BYTES) break
      this.#drop(oldest)
    }
    return fetched
  }

  /** An iterator of other readers with which all that follows a record comes, and perhaps some of what precedes it. */
  #around(shardId: string, sequenceNumber: string): string | undefined {
    for (const { shardId: shard, token, page, edges } of this.#kept.values()) {
      if (shard !== shardId || !edges) continue
      const [first, last] = edges
      if (compareSequence(first, sequenceNumber) > 0) continue
      const isBeforeEnd = compareSequence(sequenceNumber, last)
      if (isBeforeEnd < 0) return token
      if (isBeforeEnd === 0) return page.nextIterator
    }
    return undefined
  }

  #step(from: string, to: string): void {
    if (from === to) return
    this.#steps.set(from, to)
    const [oldest] = this.#steps.keys()
    if (oldest !== undefined && this.#steps.size > MOST_STEPS) this.#steps.delete(oldest)
  }

  #drop(kept: Kept): void {
    if (this.#kept.delete(kept.token)) this.#bytes -= kept.page.records.bytes
  }
}

function edgesOf(records: StoredRecords): readonly [string, string] | undefined {
  if (records.length === 0) return undefined
  const { block } = records
  if (block) return [block.sequenceNumber(0), block.sequenceNumber(block.length - 1)]
  const all = [...records]
  return [all[0]?.sequenceNumber ?? '', all.at(-1)?.sequenceNumber ?? '']
}
