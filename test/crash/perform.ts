import { type DataFrame, Session } from '../../src/index.ts'
import { silentLogger } from '../../src/log.ts'
import { lineOf, writeBatch } from './batch-files.ts'
import type { Order } from './life.ts'
import { CRASH_QUERIES, type CrashQuery, DELAY_SECONDS } from './queries.ts'

/** Runs the query of an order to the end of its stream, or until SIGTERM. */
export async function perform(order: Order, onStart: () => void): Promise<void> {
  const session = await Session.create({ log: silentLogger })
  try {
    const results = await ask(session, order)
    const writer = results.writeStream
      .outputMode(CRASH_QUERIES[order.query].mode)
      .options(order.writer)
      .trigger(order.endless ? { processingTime: 0 } : { availableNow: true })
    const target =
      order.format === undefined
        ? writer.foreachBatch(async (batch, batchId) =>
            writeBatch(order.output, batchId, (await batch.toObjects()).map(lineOf)),
          )
        : writer.format(order.format)
    const query = await target.start()
    const stop = () => void query.stop()
    process.once('SIGTERM', stop)
    onStart()
    try {
      await query.awaitTermination()
    } finally {
      process.off('SIGTERM', stop)
    }
  } finally {
    await session.close()
  }
}

async function ask(session: Session, { query, source }: Order): Promise<DataFrame> {
  const { sql, groups, timed, tables }: CrashQuery = CRASH_QUERIES[query]
  for (const table of tables) await session.run(table)
  const events = session.readStream
    .format('kinesis')
    .options({
      region: 'us-east-1',
      awsAccessKeyId: 'test',
      awsSecretKey: 'test',
      startingPosition: 'trim_horizon',
      ...source,
    })
    .schema({ id: 'BIGINT', key: 'VARCHAR', value: 'BIGINT', at: 'TIMESTAMP' })
    .load()
  const watched = timed ? events.withWatermark('at', `${DELAY_SECONDS} seconds`) : events
  watched.createOrReplaceTempView('events')
  const selected = session.sql(sql)
  return groups ? groups(selected) : selected
}
