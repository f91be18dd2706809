import { SluiceError } from '../../errors.ts'
import type { Gate } from './gate.ts'
import {
  describePosition,
  isSequence,
  type ShardPosition,
  type StreamPosition,
  TRIM_HORIZON,
} from './position.ts'
import { countWhile, type RowBlock } from './row-block.ts'
import { isAfter, positionAfter, type Row } from './rows.ts'
import { ShardWalk } from './shard-walk.ts'
import type { WalkContext } from './walk-context.ts'

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
): Promise<ReadonlyMap<string, readonly RowBlock[]>> {
  const shards = [...end.rows].map(async ([shardId, expected]) => {
    const from = start.shards.get(shardId) ?? TRIM_HORIZON
    const to = end.shards.get(shardId)
    if (from === 'SHARD_END' || to === undefined) {
      const reason = `the range has rows of ${shardId}, which had ended before it`
      throw new SluiceError('KINESIS_POSITION_INVALID', { source, reason })
    }
    const walk = new ShardWalk(shardId, from, true, context)
    const blocks = await readUpTo(source, walk, to, context, gate)
    const found = blocks.reduce((sum, rows) => sum + rows.length, 0)
    const range = `${describePosition(from)} to ${describePosition(to)}`
    if (found !== expected) context.losses.rows(shardId, expected, found, range)
    return [shardId, blocks] as const
  })
  return new Map(await Promise.all(shards))
}

async function readUpTo(
  source: string,
  walk: ShardWalk,
  end: ShardPosition,
  context: WalkContext,
  gate: Gate,
): Promise<readonly RowBlock[]> {
  const blocks: RowBlock[] = []
  let emptyAnswers = 0
  while (emptyAnswers < EMPTY_ANSWERS) {
    const { rows } = walk
    if (rows.length > 0) {
      emptyAnswers = 0
      const wanted = countWhile(rows.length, (index) => !isSequenceAfter(rows.row(index), end))
      if (wanted > 0) blocks.push(walk.take(wanted))
      if (wanted < rows.length || isAt(rows.row(wanted - 1), end)) return blocks
    }
    if (walk.ended) return blocks
    if (context.closed.aborted)
      throw new SluiceError('KINESIS_CLOSED', { source, what: 'a batch to read again' })
    if (await walk.turn(context.closed)) await gate.pass(() => walk.step())
    if (walk.atTip) emptyAnswers++
  }
  return blocks
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
