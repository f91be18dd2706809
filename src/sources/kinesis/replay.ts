import { SluiceError } from '../../errors.ts'
import type { Gate } from './gate.ts'
import {
  describePosition,
  isSequence,
  type ShardPosition,
  type StreamPosition,
  TRIM_HORIZON,
} from './position.ts'
import { isAfter, positionAfter, type Row } from './rows.ts'
import { ShardWalk, type WalkContext } from './shard-walk.ts'

/** So many answers in a row without the rows that were read before mean that they are gone. */
const EMPTY_ANSWERS = 3

/**
 * Reads again exactly the rows between two positions, shard by shard.
 *
 * @param source for messages: `kinesis[clicks]`
 * @throws KINESIS_DATA_LOSS when a shard gives other than the logged number of rows, unless losses are tolerated
 */
export async function replay(
  source: string,
  start: StreamPosition,
  end: StreamPosition,
  context: WalkContext,
  gate: Gate,
): Promise<ReadonlyMap<string, readonly Row[]>> {
  const shards = [...end.rows].map(async ([shardId, expected]) => {
    const from = start.shards.get(shardId) ?? TRIM_HORIZON
    const to = end.shards.get(shardId)
    if (from === 'SHARD_END' || to === undefined) {
      const reason = `the range has rows of ${shardId}, which had ended before it`
      throw new SluiceError('KINESIS_POSITION_INVALID', { source, reason })
    }
    const walk = new ShardWalk(shardId, from, 'counted', context)
    const rows = await readUpTo(source, walk, to, context, gate)
    const range = `${describePosition(from)} to ${describePosition(to)}`
    if (rows.length !== expected) context.losses.rows(shardId, expected, rows.length, range)
    return [shardId, rows] as const
  })
  return new Map(await Promise.all(shards))
}

async function readUpTo(
  source: string,
  walk: ShardWalk,
  end: ShardPosition,
  context: WalkContext,
  gate: Gate,
): Promise<readonly Row[]> {
  const rows: Row[] = []
  let emptyAnswers = 0
  while (emptyAnswers < EMPTY_ANSWERS) {
    for (let row = walk.take(); row; row = walk.take()) {
      emptyAnswers = 0
      if (isSequenceAfter(row, end)) return rows
      rows.push(row)
      if (isAt(row, end)) return rows
    }
    if (walk.ended) return rows
    if (context.closed.aborted)
      throw new SluiceError('KINESIS_CLOSED', { source, what: 'a batch to read again' })
    const waitMs = walk.waitMs
    if (waitMs > 0) await context.clock.sleep(waitMs, context.closed)
    else await gate.pass(() => walk.step())
    if (waitMs === 0 && walk.atTip) emptyAnswers++
  }
  return rows
}

function isSequenceAfter(row: Row, end: ShardPosition): boolean {
  return end !== 'SHARD_END' && isSequence(end) && isAfter(row, end)
}

/** Whether `row` is the last one before `end`. */
function isAt(row: Row, end: ShardPosition): boolean {
  if (end === 'SHARD_END' || !isSequence(end)) return false
  const position = positionAfter(row)
  return (
    position.sequenceNumber === end.sequenceNumber && position.subSequenceNumber === end.subSequenceNumber
  )
}
