import { SluiceError } from '../../errors.ts'
import type { StreamSummary } from './kinesis-port.ts'
import { type ShardPosition, type StreamPosition, TRIM_HORIZON } from './position.ts'
import type { ShardMap } from './shards.ts'
import type { ShardStart, StartingPosition } from './starting-position.ts'
import { keptMs } from './stream-watch.ts'

/**
 * Turns the option `startingPosition` into a place in every listed shard.
 *
 * `latest` becomes the server's time when the stream was described, before its shards were listed. Closed shards get
 * it as well: a record that arrives between the two may lie in a shard that closes in between, and one that holds
 * nothing younger is through after a single read. Shards found later have no position, and so start at TRIM_HORIZON.
 *
 * @throws OPTION_INVALID for a timestamp in the future, or a shard that the stream does not have
 */
export function firstPosition(
  start: StartingPosition,
  summary: StreamSummary,
  known: ShardMap,
): StreamPosition {
  const { earliestMs, latestMs } = summary.serverTime
  const refuse = (expected: string): never => {
    throw new SluiceError('OPTION_INVALID', {
      owner: 'source kinesis',
      option: 'startingPosition',
      value: start.text,
      expected,
    })
  }
  const missing = [...start.shards.keys()].filter((id) => !known.has(id))
  if (missing.length > 0) {
    refuse(
      `shards of the stream; ${missing.slice(0, 3).join(', ')} is not among its ${known.size} (or has expired)`,
    )
  }
  const pinned = (shardId: string): ShardPosition => {
    const wanted: ShardStart = start.shards.get(shardId) ?? start.others
    if (wanted === 'LATEST') return { timestampMs: Math.floor(earliestMs) }
    if (wanted === 'SHARD_END' || 'sequenceNumber' in wanted) return wanted
    if ('from' in wanted) return { ...wanted, seenMs: Math.floor(earliestMs) }
    if (wanted.timestampMs > latestMs)
      refuse(`a time that has come; the service's clock shows ${new Date(latestMs).toISOString()}`)
    // Older than anything that is certainly kept: the horizon is what is meant, and no loss.
    const isKept = latestMs - wanted.timestampMs < keptMs(summary.retentionMs)
    return isKept ? wanted : { ...TRIM_HORIZON, seenMs: Math.floor(earliestMs) }
  }
  return {
    stream: summary.arn,
    createdMs: summary.createdMs,
    shards: new Map([...known.keys()].map((id) => [id, pinned(id)])),
    rows: new Map(),
  }
}
