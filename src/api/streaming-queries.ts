import { SluiceError } from '../errors.ts'
import type { StreamingQuery } from './query.ts'

/** The queries of a session: `session.streams`. */
export class StreamingQueries {
  readonly #queries = new Set<StreamingQuery>()
  readonly #starting = new Set<string>()
  #ended: Promise<StreamingQuery>[] = []

  /** Those that are running. */
  get active(): readonly StreamingQuery[] {
    return [...this.#queries].filter((query) => query.isActive)
  }

  /** A running query by its id or name. */
  get(idOrName: string): StreamingQuery | undefined {
    return this.active.find((query) => query.id === idOrName || query.name === idOrName)
  }

  /** Waits until any query started since the last `resetTerminated` has ended; rejects with what ended it, if it failed. */
  async awaitAnyTermination(): Promise<void> {
    const query = await Promise.race(this.#ended)
    if (query?.exception) throw query.exception
  }

  /** Forgets the queries that have ended, so that `awaitAnyTermination` waits for the others. */
  resetTerminated(): void {
    for (const query of this.#queries) if (!query.isActive) this.#queries.delete(query)
    this.#ended = this.active.map(whenEnded)
  }

  /**
   * Starts a query under a name that no other has while it runs.
   *
   * @throws QUERY_NAME_TAKEN
   */
  async start(name: string | undefined, launch: () => Promise<StreamingQuery>): Promise<StreamingQuery> {
    if (name === undefined) return this.#add(await launch())
    if (this.#starting.has(name) || this.active.some((query) => query.name === name)) {
      throw new SluiceError('QUERY_NAME_TAKEN', { name })
    }
    this.#starting.add(name)
    try {
      return this.#add(await launch())
    } finally {
      this.#starting.delete(name)
    }
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.active.map((query) => query.stop()))
  }

  #add(query: StreamingQuery): StreamingQuery {
    this.#queries.add(query)
    this.#ended.push(whenEnded(query))
    return query
  }
}

/** Never rejects: the query says itself how it ended. */
async function whenEnded(query: StreamingQuery): Promise<StreamingQuery> {
  await query.awaitTermination().catch(() => undefined)
  return query
}
