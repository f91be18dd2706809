/**
 * Queries under kills, reshards and faults, for as long as you like: `npm run soak -- --minutes 30 [--rate 500]`.
 *
 * Two queries are killed, stopped, suspended and replaced all the time; a third one lives as long as the soak, so that
 * its memory can be watched. In the end each must hold exactly what plain DuckDB makes of all that was put.
 */

import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { table } from 'table'
import { KinesisDouble } from '../../../src/testing/kinesis/double.ts'
import { seededRandom } from '../../../src/testing/seeded-random.ts'
import { readBatches } from '../batch-files.ts'
import { onDisk } from '../checkpoint-store.ts'
import { compile } from '../compile.ts'
import type { QueryName } from '../queries.ts'
import { Trial } from '../trial.ts'
import { MemorySamples } from './memory.ts'
import { SteadyStream } from './steady-stream.ts'
import { Victim } from './victim.ts'
import { weather } from './weather.ts'

const PUT_EVERY_MS = 200
const SAMPLE_EVERY_MS = 5000
const REPORT_EVERY_MS = 60_000
const RESHARD_EVERY_MS = 60_000

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '30' }, rate: { type: 'string', default: '500' } },
})
const durationMs = Number(values.minutes) * 60_000
const eventsPerSecond = Number(values.rate)
const seed = process.env['SLUICE_SEED'] ?? String(Date.now())
say(`SLUICE_SEED=${seed}, ${values.minutes} minutes, ${eventsPerSecond} records a second`)

const random = seededRandom(seed)
const compiled = await compile()
const double = new KinesisDouble({ keptCalls: 1 })
const stream = new SteadyStream(double, random, eventsPerSecond)
const { endpointUrl } = await double.listen()
const trials = { stateless: trial('stateless'), aggregate: trial('aggregate'), windowed: trial('windowed') }
const victims = [new Victim(trials.stateless, random), new Victim(trials.aggregate, random)]
const survivor = trials.windowed.start()
const memory = new MemorySamples(survivor.pid)
const over = new AbortController()
const failed: unknown[] = []

try {
  await survivor.started
  const faults = weather(double)
  await storm()
  double.clearFaults()
  say(`faults that struck: ${faults().join(', ')}`)
  survivor.signal('SIGTERM')
  const ending = await survivor.ended
  if (ending.by !== 0)
    throw new Error(`the query that nobody killed ended with ${ending.by}: ${ending.stderr}`)
  process.exitCode = (await settle()) ? 0 : 1
} finally {
  survivor.signal('SIGKILL')
  for (const each of Object.values(trials)) each.remove()
  await double.close()
  await compiled.remove()
}

/** Everything at once until the time is up, or something has gone wrong. */
async function storm(): Promise<void> {
  const startedAt = performance.now()
  const timer = setTimeout(() => over.abort(), durationMs)
  const every = async (ms: number, work: () => Promise<void> | void) => {
    while (!over.signal.aborted) {
      await work()
      await delay(ms, undefined, { signal: over.signal }).catch(() => undefined)
    }
  }
  const put = () => {
    const due = Math.floor(((performance.now() - startedAt) / 1000) * eventsPerSecond) - stream.size
    if (due > 0) stream.put(due)
  }
  const watch = survivor.ended.then(({ by, stderr }) => {
    throw new Error(`the query that nobody killed ended with ${by}: ${stderr}`)
  })
  const all = [
    every(PUT_EVERY_MS, put),
    every(RESHARD_EVERY_MS, () => stream.reshard()),
    every(SAMPLE_EVERY_MS, () => memory.take()),
    every(REPORT_EVERY_MS, report),
    ...victims.map((victim) => victim.suffer(over.signal)),
  ]
  const guarded = all.map((each) =>
    each.catch((error: unknown) => {
      failed.push(error)
      over.abort()
    }),
  )
  watch.catch((error: unknown) => {
    if (!over.signal.aborted) failed.push(error)
    over.abort()
  })
  await Promise.all(guarded)
  clearTimeout(timer)
  if (failed.length > 0) throw failed[0]
}

/** Lets every query come to the end of the stream, and holds it against the ledger. */
async function settle(): Promise<boolean> {
  const rows: (string | number)[][] = []
  let exact = true
  for (const each of Object.values(trials)) {
    await each.finish()
    const { found, expected } = await each.outcome()
    const [lost, repeated] = [missing(expected, found), missing(found, expected)]
    exact &&= lost === 0 && repeated === 0
    const fates = victims.find((victim) => victim.trial === each)?.fates
    const batches = readBatches(each.output).size
    rows.push([
      each.setting.query,
      stream.size,
      found.length,
      batches,
      lost,
      repeated,
      ...(fates
        ? [fates.killed, fates.killedAtPoint, fates.fenced, fates.conflicts, fates.stopped]
        : [0, 0, 0, 0, 0]),
    ])
  }
  const head = [
    'query',
    'records in',
    'rows out',
    'batches',
    'lost',
    'repeated',
    'kills survived',
    'of them inside a step',
  ]
  process.stdout.write(table([[...head, 'fenced', 'conflicts', 'graceful stops'], ...rows]))
  const slope = memory.slopeMibPerHour().toFixed(1)
  say(`reshards: ${stream.reshards}`)
  say(`memory of the query that nobody killed: ${memory.lastMib.toFixed(0)} MiB, slope ${slope} MiB an hour`)
  return exact
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
  const kills = victims.reduce((sum, { fates }) => sum + fates.killed, 0)
  const fenced = victims.reduce((sum, { fates }) => sum + fates.fenced, 0)
  const shards = double.shards(stream.name).filter((shard) => shard.open).length
  say(
    `${new Date().toISOString().slice(11, 19)} in ${stream.size}, kills ${kills}, fenced ${fenced}, ` +
      `shards ${shards}, memory ${memory.lastMib.toFixed(0)} MiB`,
  )
}

function trial(query: QueryName): Trial {
  return new Trial({
    query,
    stream,
    child: compiled.child,
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
    store: onDisk,
    sink: 'foreachBatch',
  })
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
