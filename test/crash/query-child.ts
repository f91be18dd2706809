/**
 * One life of a query, in a process of its own because it is to be killed: `node query-child.js ORDER`.
 *
 * Reads the stream to its end, or until SIGTERM, and ends with 0. A failure ends it with 1 and its code on stderr.
 */
import type { Socket } from 'node:net'
import { Session, SluiceError } from '../../src/index.ts'
import { silentLogger } from '../../src/log.ts'
import { lineOf, writeBatch } from './batch-files.ts'
import type { Order } from './life.ts'
import { CRASH_QUERIES, type CrashQuery, DELAY_SECONDS } from './queries.ts'
import { CRASH_SINKS, type CrashSink } from './sinks.ts'

// Whoever started this process holds the other end, and has gone away when it closes.
const parent = process.stdin as Socket
parent
  .once('end', () => process.exit(1))
  .resume()
  .unref()

const order = JSON.parse(process.argv[2] ?? '') as Order
const asked: CrashQuery = CRASH_QUERIES[order.query]
const { sql, mode, timed, tables } = asked
const sink: CrashSink = CRASH_SINKS[order.sink]

const session = await Session.create({ log: silentLogger })
for (const table of tables) await session.run(table)
const events = session.readStream
  .format('kinesis')
  .options({
    region: 'us-east-1',
    awsAccessKeyId: 'test',
    awsSecretKey: 'test',
    startingPosition: 'trim_horizon',
    ...order.source,
  })
  .schema({ id: 'BIGINT', key: 'VARCHAR', value: 'BIGINT', at: 'TIMESTAMP' })
  .load()
const watched = timed ? events.withWatermark('at', `${DELAY_SECONDS} seconds`) : events
watched.createOrReplaceTempView('events')

try {
  const writer = session
    .sql(sql)
    .writeStream.outputMode(mode)
    .options({ ...order.writer, ...sink.options(order.output, asked) })
    .trigger(order.endless ? { processingTime: 0 } : { availableNow: true })
  const target =
    sink.format === undefined
      ? writer.foreachBatch(async (batch, batchId) =>
          writeBatch(order.output, batchId, (await batch.toObjects()).map(lineOf)),
        )
      : writer.format(sink.format)
  const query = await target.start()
  process.once('SIGTERM', () => void query.stop())
  process.stdout.write('running\n')
  await query.awaitTermination()
} catch (error) {
  process.stderr.write(error instanceof SluiceError ? `${error.code}\n${error.message}\n` : String(error))
  process.exitCode = 1
}
await session.close()
