/**
 * Queries under kills, reshards and faults: `npm run soak -- --minutes 30 [--rate 500] [--seed S]`.
 *
 * Two queries are killed, stopped, suspended and replaced all the time; a third one lives as long as the soak, so that
 * its memory can be watched. In the end each must hold exactly what plain DuckDB makes of all that was put. A row that
 * was lost or repeated, a process that ended as nobody meant it to, or memory that grows gives exit code 1.
 */

import { setTimeout as delay } from 'node:timers/promises'
import { table } from 'table'
import yargs from 'yargs'
import { hideBin } from 'yargs/helpers'
import { KinesisDouble } from '../../../src/testing/kinesis/double.ts'
import { S3Double } from '../../../src/testing/s3/double.ts'
import { seededRandom } from '../../../src/testing/seeded-random.ts'
import { onDisk, onS3 } from '../checkpoint-store.ts'
import { compile } from '../compile.ts'
import { Successors } from '../successors.ts'
import { type Setting, Trial } from '../trial.ts'
import { MemorySamples } from './memory.ts'
import { SteadyStream } from './steady-stream.ts'
import { type Fates, Victim } from './victim.ts'
import { weather } from './weather.ts'

const PUT_EVERY_MS = 200
const SAMPLE_EVERY_MS = 5000
const REPORT_EVERY_MS = 60_000
const RESHARD_EVERY_MS = 45_000

const { minutes, rate, seed } = yargs(hideBin(process.argv))
  .scriptName('npm run soak --')
  .locale('en')
  .usage('$0 [options]\n\nQueries under kills, reshards and faults, held against plain DuckDB in the end.')
  .options({
    minutes: { type: 'number', default: 30, requiresArg: true },
    rate: { type: 'number', default: 500, requiresArg: true, describe: 'records a second' },
    seed: {
      type: 'string',
      default: process.env['SLUICE_SEED'] ?? String(Date.now()),
      defaultDescription: 'drawn',
      requiresArg: true,
    },
  })
  .version(false)
  .strict()
  .check(({ minutes, rate }) => (minutes > 0 && rate > 0) || '--minutes and --rate are numbers above 0')
  .parseSync()
const durationMs = minutes * 60_000
say(`soak, seed ${seed}: ${minutes} minutes, ${rate} records a second`)

const random = seededRandom(seed)
const compiled = await compile()
const successors = new Successors(compiled.child)
const [kinesis, s3] = [new KinesisDouble({ keptCalls: 1 }), new S3Double({ keptCalls: 1 })]
const stream = new SteadyStream(kinesis, random, rate)
const { endpointUrl } = await kinesis.listen()
const inBucket = onS3(s3, (await s3.listen()).endpointUrl)

const stateless = trial({ query: 'stateless', store: onDisk, sink: 'duckdb' })
const aggregate = trial({ query: 'aggregate', store: inBucket, sink: 'foreachBatch' })
const windowed = trial({ query: 'windowed', store: onDisk, sink: 'foreachBatch' })
const subjects = [
  { title: 'rows into DuckDB, checkpoint on disk', trial: stateless, victim: new Victim(stateless, random) },
  { title: 'totals of keys, checkpoint on S3', trial: aggregate, victim: new Victim(aggregate, random) },
  { title: 'windows, nobody kills it', trial: windowed, victim: undefined },
] as const
const victims = subjects.flatMap(({ victim }) => (victim ? [victim] : []))
const survivor = windowed.start()
const memory = new MemorySamples(survivor.pid)
const over = new AbortController()

try {
  await survivor.started
  const faults = weather(kinesis, s3)
  await storm()
  kinesis.clearFaults()
  s3.clearFaults()
  survivor.signal('SIGTERM')
  const ending = await survivor.ended
  if (ending.by !== 0)
    throw new Error(`the query that nobody killed ended with ${ending.by}: ${ending.stderr}`)
  process.exitCode = (await settle(faults())) ? 0 : 1
} catch (error) {
  say(`FAILED: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
} finally {
  survivor.signal('SIGKILL')
  // What went wrong is kept, to be looked at.
  for (const each of subjects) {
    if (process.exitCode === 0) each.trial.remove()
    else say(`kept: ${each.trial.output} and ${each.trial.checkpoint.location}`)
  }
  successors.close()
  await kinesis.close()
  await s3.close()
  await compiled.remove()
}

/** Everything at once until the time is up, or something has gone wrong. */
async function storm(): Promise<void> {
  const startedAt = performance.now()
  const timer = setTimeout(() => over.abort(), durationMs)
  const every = async (ms: number, work: () => Promise<void> | void) => {
    for (;;) {
      await delay(ms, undefined, { signal: over.signal }).catch(() => undefined)
      if (over.signal.aborted) return
      await work()
    }
  }
  const put = () => {
    const due = Math.floor(((performance.now() - startedAt) / 1000) * rate) - stream.size
    if (due > 0) stream.put(due)
  }
  const survive = async () => {
    const ended = await Promise.race([survivor.ended, aborted(over.signal)])
    if (ended) throw new Error(`the query that nobody killed ended with ${ended.by}: ${ended.stderr}`)
  }
  const all = [
    every(PUT_EVERY_MS, put),
    every(RESHARD_EVERY_MS, () => stream.reshard()),
    every(SAMPLE_EVERY_MS, () => memory.take()),
    every(REPORT_EVERY_MS, report),
    survive(),
    ...victims.map((victim) => victim.suffer(over.signal)),
  ]
  try {
    await Promise.all(all)
  } finally {
    clearTimeout(timer)
    over.abort()
    await Promise.allSettled(all)
  }
}

/** Lets every query come to the end of the stream, and holds it against the ledger. */
async function settle(faults: readonly string[]): Promise<boolean> {
  let exact = true
  const columns: (string | number)[][] = []
  for (const { title, trial, victim } of subjects) {
    await trial.finish()
    const { found, expected } = await trial.outcome()
    const [lost, repeated] = [missing(expected, found), missing(found, expected)]
    exact &&= lost === 0 && repeated === 0
    const fates: Partial<Fates> = victim?.fates ?? {}
    columns.push([
      ...[title, stream.size, found.length, lost, repeated],
      ...[fates.processes ?? 1, fates.killed ?? 0, fates.killedAtPoint ?? 0],
      ...[fates.fenced ?? 0, fates.conflicts ?? 0, fates.stopped ?? 0],
    ])
  }
  const heads = [
    ...['', 'records in', 'rows out', 'lost', 'repeated', 'processes', 'kills survived'],
    ...['of them inside a step', 'zombies fenced', 'conflicts with a zombie', 'graceful stops'],
  ]
  const rows = heads.map((head, row) => [head, ...columns.map((column) => column[row] ?? '')])
  say(table(rows, { drawHorizontalLine: (line, count) => line < 2 || line === count }))
  const { lastMib, mibPerHour, riseMib, verdict } = memory.trend()
  say(`faults that struck: ${faults.join(', ')}`)
  say(`reshards: ${stream.reshards}`)
  say(
    `memory of the query that nobody killed: ${lastMib.toFixed(0)} MiB, ${verdict} ` +
      `(slope ${mibPerHour.toFixed(1)} MiB an hour, ${riseMib.toFixed(1)} MiB since the warm-up)`,
  )
  const isWell = exact && verdict !== 'growing'
  say(isWell ? 'every row once' : `NOT WELL; npm run soak -- --seed ${seed} draws the same again`)
  return isWell
}

/** How many of `these` are not among `those`, each as often as it stands there. */
function missing(these: readonly string[], those: readonly string[]): number {
  const counts = new Map<string, number>()
  for (const line of those) counts.set(line, (counts.get(line) ?? 0) + 1)
  let count = 0
  for (const line of these) {
    const left = counts.get(line) ?? 0
    if (left === 0) count++
    else counts.set(line, left - 1)
  }
  return count
}

function report(): void {
  const sum = (fate: keyof Fates) => victims.reduce((total, { fates }) => total + fates[fate], 0)
  const shards = kinesis.shards(stream.name).filter((shard) => shard.open).length
  say(
    `${new Date().toISOString().slice(11, 19)} records in ${stream.size}, kills ${sum('killed')}, ` +
      `fenced ${sum('fenced')}, stops ${sum('stopped')}, reshards ${stream.reshards}, open shards ${shards}, ` +
      `memory ${memory.lastMib.toFixed(0)} MiB`,
  )
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined)
    signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
}

function trial({ query, store, sink }: Pick<Setting, 'query' | 'store' | 'sink'>): Trial {
  return new Trial({
    query,
    store,
    sink,
    stream,
    child: compiled.child,
    successors,
    services: {},
    source: {
      endpointUrl,
      streamName: stream.name,
      fetchInterval: '200ms',
      describeShardInterval: '2s',
      connectTimeout: '2s',
      requestTimeout: '2s',
      retryInterval: '50ms',
      maxRetryInterval: '2s',
    },
    writer: { minBatchesToRetain: 10, checkpointHeartbeat: '500ms' },
  })
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
