import type { Clock } from '../../clock.ts'
import { type Fetched, FetchedPages } from './fetched-pages.ts'
import type { IteratorStart, KinesisPort, RecordsPage, ShardPage, StreamSummary } from './kinesis-port.ts'

/** What the sources of one process that read a stream in the same way have in common. */
class Fellowship {
  readonly readers = new Set<SharedPort>()
  pages = new FetchedPages()
  /** Requests under way; undefined for one that failed. */
  readonly flights = new Map<string, Promise<Fetched | undefined>>()

  /** One source alone keeps nothing. */
  get isShared(): boolean {
    return this.readers.size > 1
  }
}

/**
 * A port whose answers serve all sources of the process that read the same stream: each is asked for once, by whoever
 * comes first. Every source goes its own pace; one that falls far behind, or starts elsewhere, asks by itself until it
 * meets the others.
 */
export class SharedPort implements KinesisPort {
  readonly #port: KinesisPort
  readonly #clock: Clock
  readonly #fellowship: Fellowship

  constructor(port: KinesisPort, clock: Clock, fellowship: Fellowship) {
    this.#port = port
    this.#clock = clock
    this.#fellowship = fellowship
  }

  get id(): string {
    return this.#port.id
  }

  get place(): string {
    return this.#port.place
  }

  isAtHand(iterator: string): boolean {
    const { isShared, pages, flights } = this.#fellowship
    if (!isShared) return false
    const token = pages.furthest(iterator)
    return pages.has(token) || flights.has(token)
  }

  async getRecords(
    shardId: string,
    iterator: string,
    limit: number,
    signal: AbortSignal,
  ): Promise<RecordsPage> {
    const { pages, flights, readers } = this.#fellowship
    if (!this.#fellowship.isShared) return await this.#port.getRecords(shardId, iterator, limit, signal)
    const token = pages.furthest(iterator)
    const known =
      pages.take(token, this, readers.size, this.#clock.monotonic()) ??
      (await unlessAborted(flights.get(token), signal))
    if (known) {
      pages.take(token, this, readers.size, this.#clock.monotonic())
      return { ...known.page, sharedAt: known.askedAt }
    }
    const askedAt = this.#clock.monotonic()
    const fetching = this.#port
      .getRecords(shardId, token, limit, signal)
      .then((page) => pages.add({ shardId, token, page, askedAt }, this))
    const flight = fetching.catch(() => undefined)
    flights.set(token, flight)
    try {
      return (await fetching).page
    } finally {
      if (flights.get(token) === flight) flights.delete(token)
    }
  }

  describeStream(signal: AbortSignal): Promise<StreamSummary> {
    return this.#port.describeStream(signal)
  }

  listShards(nextToken: string | undefined, signal: AbortSignal): Promise<ShardPage> {
    return this.#port.listShards(nextToken, signal)
  }

  getShardIterator(shardId: string, start: IteratorStart, signal: AbortSignal): Promise<string> {
    return this.#port.getShardIterator(shardId, start, signal)
  }

  close(): void {
    this.#port.close()
  }
}

/** By clock first, so that a test with a clock of its own shares nothing with the rest. */
const registry = new WeakMap<Clock, Map<string, Fellowship>>()

/**
 * @param key of what has to be the same for one answer to serve two: the stream, who asks, and for how much
 * @returns the port, and a function to call once when it is no longer used
 */
export function shareReads(
  clock: Clock,
  key: string,
  port: KinesisPort,
): { readonly port: KinesisPort; release(): void } {
  const fellowships = registry.get(clock) ?? new Map<string, Fellowship>()
  registry.set(clock, fellowships)
  const fellowship = fellowships.get(key) ?? new Fellowship()
  fellowships.set(key, fellowship)
  const shared = new SharedPort(port, clock, fellowship)
  fellowship.readers.add(shared)
  const release = (): void => {
    fellowship.readers.delete(shared)
    if (!fellowship.isShared) fellowship.pages = new FetchedPages()
    if (fellowship.readers.size === 0 && fellowships.get(key) === fellowship) fellowships.delete(key)
  }
  return { port: shared, release }
}

/** What a request of another source brings, for as long as this one waits for it. */
async function unlessAborted<T>(work: Promise<T> | undefined, signal: AbortSignal): Promise<T | undefined> {
  if (work === undefined || signal.aborted) return undefined
  let stop: (() => void) | undefined
  const aborted = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined)
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    if (stop) signal.removeEventListener('abort', stop)
  }
}
