import { connectKinesis } from '../../aws.ts'
import type { Relation, Row } from '../../duckdb.ts'
import { hasCode, type SluiceError } from '../../errors.ts'
import { needDeadLetters } from '../need-dead-letters.ts'
import type { RefusedRow, SinkFormat } from '../sink.ts'
import { Aggregation } from './aggregation.ts'
import { type Entry, EntryReader, type Origin } from './entries.ts'
import { KINESIS_SINK_OPTIONS, OWNER, parseKinesisSinkOptions } from './options.ts'
import { PutPort } from './put-port.ts'
import { requestsOf } from './requests.ts'
import { NO_PACE, type SenderParts, send } from './sender.ts'
import { ShardMap } from './shard-map.ts'
import { SHARD_BYTES_A_SECOND, ShardPace } from './shard-pace.ts'

/**
 * Rows become records of a stream: `data` and `partitionKey`, and `explicitHashKey` if there is one. A batch that
 * comes again is sent again; `provenance` lets readers drop what they have.
 */
export const kinesisFormat: SinkFormat = Object.freeze({
  name: 'kinesis',
  modes: ['append', 'update', 'complete'],
  guarantee: 'at-least-once',
  options: KINESIS_SINK_OPTIONS,
  open: async (context) => {
    const { options, schema, queryId, log, clock, stop } = context
    const { stream, provenance, refusedRows, recordBytes, limits, paceShards, aggregateBytes, retry, aws } =
      parseKinesisSinkOptions(options)
    if (refusedRows === 'deadLetter') needDeadLetters('kinesis', context)
    const description = `kinesis[${stream.name}]`
    const reader = new EntryReader(description, schema, provenance, recordBytes)
    const port = new PutPort(connectKinesis(OWNER, aws), stream, aws.endpointUrl)
    const shards = new ShardMap(port)
    const pace = paceShards ? new ShardPace(shards, clock, stop) : NO_PACE
    const aggregation = aggregateBytes === undefined ? undefined : new Aggregation(shards, aggregateBytes)
    const most = paceShards ? Math.min(limits.bytes, SHARD_BYTES_A_SECOND) : limits.bytes
    const requestLimits = { records: limits.records, bytes: most }
    const parts: SenderParts = {
      sink: description,
      port,
      pace,
      aggregation,
      limits: requestLimits,
      retry,
      clock,
      stop,
      log,
    }
    return {
      description,
      guarantee: 'at-least-once',
      write: async (batchId, rows) => {
        const refused = (error: SluiceError, row: Row) => {
          if (refusedRows === 'fail') throw error
          if (refusedRows === 'drop') log.warn({ ...error.params }, 'a row is no record and is left out')
          else context.refuse?.(asLetter(error, row))
        }
        const entries = entriesOf(reader, rows, { queryId, batchId }, refused)
        const requests = requestsOf(aggregation ? aggregation.pack(entries) : entries, requestLimits)
        await inParallel(requests, limits.parallel, (request) => send(parts, request, batchId))
      },
      close: async () => port.close(),
    }
  },
} satisfies SinkFormat)

/** @param refused is told of a row that is no record, and may throw */
async function* entriesOf(
  reader: EntryReader,
  rows: Relation,
  origin: Origin,
  refused: (error: SluiceError, row: Row) => void,
): AsyncGenerator<Entry> {
  let index = 0
  for await (const piece of rows.connection.pieces(reader.select(rows.name))) {
    for (const row of piece) {
      let entry: Entry | undefined
      try {
        entry = reader.entry(row, index++, origin)
      } catch (error) {
        if (!hasCode(error, 'SINK_ROW')) throw error
        refused(error, row)
      }
      if (entry) yield entry
    }
  }
}

function asLetter(error: SluiceError, { data, key }: Row): RefusedRow {
  const letter = { reason: String(error.params['reason']), data: data instanceof Uint8Array ? data : '' }
  return typeof key === 'string' ? { ...letter, partitionKey: key } : letter
}

/** Runs `work` on every item, on at most so many at one time; after a failure no new one begins. */
async function inParallel<T>(
  items: AsyncIterable<T>,
  most: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>()
  const failures: unknown[] = []
  try {
    for await (const item of items) {
      const run: Promise<void> = work(item)
        .catch((error: unknown) => void failures.push(error))
        .finally(() => running.delete(run))
      running.add(run)
      if (running.size >= most) await Promise.race(running)
      if (failures.length > 0) break
    }
  } finally {
    await Promise.all(running)
  }
  if (failures.length > 0) throw failures[0]
}
