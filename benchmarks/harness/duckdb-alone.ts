import { availableParallelism } from 'node:os'
import { systemClock } from '../../src/clock.ts'
import { Database } from '../../src/duckdb.ts'
import { silentLogger } from '../../src/log.ts'
import { kinesisFormat } from '../../src/sources/kinesis/format.ts'
import type { Arm } from './arm.ts'
import { rowsDigest } from './digest.ts'
import { unpaced } from './kinesis-options.ts'

export interface TableParameters {
  readonly url: string
  readonly stream: string
  readonly records: number
}

/**
 * DuckDB with all its threads on the same bytes, which are in a native table before anything is timed: no endpoint,
 * no decoding, no batches, no state, no checkpoint. What a streaming engine on DuckDB can at most come near to.
 *
 * @param setUp statements to run beforehand, for static tables
 * @param select over the table `input (data BLOB)`
 */
export async function duckdbAlone(
  { url, stream, records }: TableParameters,
  setUp: readonly string[],
  select: string,
): Promise<Arm> {
  const database = await Database.open()
  const connection = await database.connect()
  // A session of ours leaves a core to JavaScript, which has nothing to do here.
  await connection.run(`SET threads = ${availableParallelism()}`)
  for (const statement of setUp) await connection.run(statement)
  await connection.run('CREATE TEMP TABLE input (data BLOB)')
  const options = new Map(Object.entries(unpaced(url, stream)))
  const source = kinesisFormat.open({ options, clock: systemClock, log: silentLogger })
  let position = await source.initial()
  for (let left = records; left > 0; ) {
    const { batch, drained } = await source.read(position, new AbortController().signal)
    if (!batch && drained) throw new RangeError(`the stream ended ${left} records early`)
    // On a busy machine a read may end before the first answer has come.
    if (!batch) continue
    await connection.attach('batch', source.schema, batch.records)
    await connection.run('INSERT INTO input SELECT data FROM batch')
    position = batch.range.end
    left -= batch.rows
  }
  await source.close()
  const run = async () => {
    await connection.run(`CREATE OR REPLACE TEMP TABLE result AS ${select}`)
    return { records, check: Number(await connection.value('SELECT count(*) FROM result')) }
  }
  return {
    run,
    verify: async () => ({ ...(await run()), digest: rowsDigest(await connection.rows('FROM result')) }),
    close: async () => {
      connection.close()
      database.close()
    },
  }
}
