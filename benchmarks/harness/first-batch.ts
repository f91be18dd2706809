import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unpaced } from './kinesis-options.ts'

/** A whole program, timed from outside: says one line once its first batch is committed. */
const [url = '', stream = ''] = process.argv.slice(2)
const start = performance.now()
const { Session } = await import('../../src/index.ts')
const imported = performance.now()
const session = await Session.create()
const opened = performance.now()
const checkpoint = await mkdtemp(join(tmpdir(), 'sluice-bench-'))
const clicks = session.readStream
  .format('kinesis')
  .options(unpaced(url, stream))
  .schema({ userId: 'BIGINT', page: 'VARCHAR' })
  .load()
const query = await clicks
  .select('userId', 'page')
  .writeStream.format('noop')
  .trigger({ once: true })
  .option('checkpointLocation', checkpoint)
  .start()
await query.awaitTermination()
const rows = query.lastProgress?.numInputRows ?? 0
process.stdout.write(
  `${JSON.stringify({ rows, importMs: imported - start, sessionMs: opened - imported })}\n`,
)
await session.close()
await rm(checkpoint, { recursive: true, force: true })
