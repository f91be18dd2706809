/**
 * The query of the demo, in a process of its own: counts the words of a stream, and keeps the totals in a file.
 *
 *   node word-count.js ENDPOINT_URL STREAM CHECKPOINT_LOCATION TOTALS_FILE
 */
import { rename, writeFile } from 'node:fs/promises'
import { col, count, explode, Session, split } from '../../index.ts'
import type { Totals } from './totals.ts'

const [endpointUrl = '', streamName = '', checkpointLocation = '', totalsFile = ''] = process.argv.slice(2)

process.on('uncaughtException', ({ message }) => {
  console.error(message)
  process.exit(1)
})

const session = await Session.create()
const sentences = session.readStream
  .format('kinesis')
  .option('streamName', streamName)
  .option('region', 'us-east-1')
  .option('endpointUrl', endpointUrl)
  .option('awsAccessKeyId', 'demo')
  .option('awsSecretKey', 'demo')
  .option('startingPosition', 'trim_horizon')
  .load()

const counts = sentences
  .select(explode(split(col('data').cast('STRING'), ' ')).as('word'))
  .groupBy('word')
  .agg(count().as('count'))

const query = await counts.writeStream
  .outputMode('complete')
  .option('checkpointLocation', checkpointLocation)
  .foreachBatch(async (batch, batchId) => {
    const rows = await batch.toObjects()
    const counts = Object.fromEntries(rows.map((row) => [String(row['word']), Number(row['count'])]))
    const totals: Totals = { batchId, pid: process.pid, counts }
    // In place at once, so that nobody reads a half-written file.
    await writeFile(`${totalsFile}.next`, JSON.stringify(totals))
    await rename(`${totalsFile}.next`, totalsFile)
  })
  .start()

process.once('SIGTERM', () => void query.stop())
await query.awaitTermination()
await session.close()
