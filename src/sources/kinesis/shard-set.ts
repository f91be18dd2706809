import type { Json } from '../../batch.ts'
import type { BatchReader } from './batch-reader.ts'
import type { Lister } from './lister.ts'
import { type OpenPosition, type ShardPosition, type StreamPosition, TRIM_HORIZON } from './position.ts'
import { ShardWalk } from './shard-walk.ts'
import { forgettable, hasChild, planShards } from './shards.ts'
import type { WalkContext } from './walk-context.ts'

/**
 * Where the source stands in every shard: the walks that are under way, and the positions of the others.
 *
 * Invariant: a shard counts as ended only when its children are known, so a position that says SHARD_END always has
 * somebody to carry on, and a child is pinned at TRIM_HORIZON in the same position that ends its last parent.
 */
export class Shards {
  readonly #lister: Lister
  readonly #context: WalkContext
  #base: ReadonlyMap<string, ShardPosition> = new Map()
  #walks = new Map<string, ShardWalk>()
  #turn = 0

  constructor(lister: Lister, context: WalkContext) {
    this.#lister = lister
    this.#context = context
  }

  get walks(): Iterable<ShardWalk> {
    return this.#walks.values()
  }

  /** Whether some shard has ended and its children are not known yet. */
  get childless(): boolean {
    return [...this.#walks.values()].some((walk) => walk.ended && !this.#isFinished(walk))
  }

  /** Forgets the walks; what they had fetched beyond the position is fetched again. */
  standAt(position: StreamPosition): void {
    this.#base = position.shards
    this.#walks = new Map()
  }

  /**
   * The walks that may be read now. `held`: shards whose parents have rows in the batch under way; to keep the rows of
   * one key in order they wait for the next one.
   */
  readable(reader: BatchReader): { free: readonly ShardWalk[]; held: readonly string[] } {
    const { readable, starting } = planShards(this.#lister.known, this.#current())
    const isHeld = (id: string): boolean => this.#parentsOf(id).some((parent) => reader.rowsOf(parent) > 0)
    const candidates = [...readable, ...starting.map((id) => [id, this.#beginning()] as const)]
    const free = candidates.filter(([id]) => !isHeld(id)).map(([id, position]) => this.#walk(id, position))
    const held = candidates.map(([id]) => id).filter(isHeld)
    // Another shard first each time, so that none is always last when a batch fills up.
    const turn = free.length === 0 ? 0 : this.#turn++ % free.length
    return { free: [...free.slice(turn), ...free.slice(0, turn)], held }
  }

  /** The position to log after a batch. */
  positions(): ReadonlyMap<string, ShardPosition> {
    for (const walk of this.#walks.values()) walk.markSeen()
    const positions = this.#current()
    const known = this.#lister.known
    for (const id of planShards(known, positions).starting) positions.set(id, this.#beginning())
    for (const id of forgettable(known, positions)) positions.delete(id)
    for (const [id, walk] of this.#walks) if (this.#isFinished(walk)) this.#walks.delete(id)
    this.#base = positions
    return positions
  }

  counts(): Readonly<Record<string, Json>> {
    const known = [...this.#lister.known.values()]
    const walks = [...this.#walks.values()]
    return {
      shardsOpen: known.filter((shard) => !shard.closed).length,
      shardsClosed: known.filter((shard) => shard.closed).length,
      shardsReading: walks.filter((walk) => !walk.ended).length,
      shardsWaiting: planShards(this.#lister.known, this.#current()).waiting.length,
      shardsCrossingGap: walks.filter((walk) => walk.crossingGap).length,
      shardsFailing: walks.filter((walk) => walk.failing).length,
    }
  }

  #current(): Map<string, ShardPosition> {
    const positions = new Map(this.#base)
    for (const [id, walk] of this.#walks)
      positions.set(id, this.#isFinished(walk) ? 'SHARD_END' : walk.position)
    return positions
  }

  #isFinished(walk: ShardWalk): boolean {
    return walk.ended && (walk.vanished || hasChild(this.#lister.known, walk.shardId))
  }

  #walk(id: string, position: OpenPosition): ShardWalk {
    const walk = this.#walks.get(id) ?? new ShardWalk(id, position, false, this.#context)
    this.#walks.set(id, walk)
    return walk
  }

  /** Of a shard that became readable just now: whatever it holds is still there. */
  #beginning(): OpenPosition {
    const seenMs = this.#context.serverClock.earliestMs
    return seenMs === undefined ? TRIM_HORIZON : { ...TRIM_HORIZON, seenMs }
  }

  #parentsOf(id: string): readonly string[] {
    return this.#lister.known.get(id)?.parents ?? []
  }
}
