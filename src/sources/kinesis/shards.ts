import type { Shard } from './kinesis-port.ts'
import type { OpenPosition, ShardPosition } from './position.ts'

export type ShardMap = ReadonlyMap<string, Shard>

/** What a position means for the shards that are known at a moment. */
export interface ShardPlan {
  /** May be read now, from these positions. */
  readonly readable: ReadonlyMap<string, OpenPosition>
  /** New, and every parent is read to its end: to be read from TRIM_HORIZON. */
  readonly starting: readonly string[]
  /** Some parent is not read to its end yet. */
  readonly waiting: readonly string[]
}

/**
 * Which shards may be read.
 *
 * Invariants: a shard is readable only when each of its parents is at SHARD_END, is forgotten (its children have
 * positions), or has expired (neither listed nor in the position); so records of one key come in order across any
 * number of splits and merges. A shard without a position starts at TRIM_HORIZON, wherever its parents started.
 */
export function planShards(known: ShardMap, positions: ReadonlyMap<string, ShardPosition>): ShardPlan {
  const forgotten = ancestorsOf(positions.keys(), known)
  const finished = (id: string): boolean => {
    const position = positions.get(id)
    if (position !== undefined) return position === 'SHARD_END'
    return !known.has(id) || forgotten.has(id)
  }
  const unblocked = (id: string): boolean => (known.get(id)?.parents ?? []).every(finished)
  const unread = sorted(positions).flatMap(([id, at]) => (at === 'SHARD_END' ? [] : [[id, at] as const]))
  const fresh = [...known.keys()].filter((id) => !positions.has(id) && !forgotten.has(id))
  return {
    readable: new Map(unread.filter(([id]) => unblocked(id))),
    starting: fresh.filter(unblocked).sort(),
    waiting: [...unread.map(([id]) => id), ...fresh].filter((id) => !unblocked(id)).sort(),
  }
}

/**
 * Shards at SHARD_END that the service lists no more and whose children have positions. Without those children a list
 * that misses the shard once, and shows it again later, would make it look new.
 */
export function forgettable(
  known: ShardMap,
  positions: ReadonlyMap<string, ShardPosition>,
): readonly string[] {
  const ancestors = ancestorsOf(positions.keys(), known)
  return [...positions.keys()].filter(
    (id) => positions.get(id) === 'SHARD_END' && !known.has(id) && ancestors.has(id),
  )
}

/** Whether the service has told us where the records that follow this closed shard lie. */
export function hasChild(known: ShardMap, shardId: string): boolean {
  for (const shard of known.values()) if (shard.parents.includes(shardId)) return true
  return false
}

/** Parents that are named but not known: expired, or missing from a list that lags behind. */
export function missingParents(known: ShardMap): readonly string[] {
  const missing = new Set<string>()
  for (const shard of known.values()) for (const id of shard.parents) if (!known.has(id)) missing.add(id)
  return [...missing]
}

const LAST_HASH_KEY = 2n ** 128n - 1n

/**
 * Why a list of shards cannot be the whole truth, or undefined when the shards without listed children cover the
 * hash key space exactly. A list that races a reshard may miss a shard; acting on it would skip the shard's records.
 */
export function coverageGap(known: ShardMap): string | undefined {
  const parents = new Set([...known.values()].flatMap((shard) => shard.parents))
  const leaves = [...known.values()]
    .filter((shard) => !parents.has(shard.shardId))
    .sort((a, b) => (a.hashRange.start < b.hashRange.start ? -1 : 1))
  let next = 0n
  for (const { shardId, hashRange } of leaves) {
    if (hashRange.start > next) return `no shard for hash keys ${next} to ${hashRange.start - 1n}`
    if (hashRange.start < next) return `${shardId} overlaps another shard at hash key ${hashRange.start}`
    next = hashRange.end + 1n
  }
  return next === LAST_HASH_KEY + 1n ? undefined : `no shard for hash keys ${next} to ${LAST_HASH_KEY}`
}

function ancestorsOf(ids: Iterable<string>, known: ShardMap): ReadonlySet<string> {
  const ancestors = new Set<string>()
  const open = [...ids]
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    for (const parent of known.get(id)?.parents ?? []) {
      if (ancestors.has(parent)) continue
      ancestors.add(parent)
      open.push(parent)
    }
  }
  return ancestors
}

function sorted<T>(map: ReadonlyMap<string, T>): [string, T][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1))
}
