/**
 * The whole crash matrix: `npm run crash [-- --query NAME --store disk|s3 --sink NAME --pairs N --workers N --seed S]`.
 *
 * Every hit of every failpoint kills a process once, at the start of a query and later in its life; then come random
 * pairs of kills. What a query gives in the end is held against plain DuckDB over the producer's ledger.
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { table } from 'table'
import { seededRandom } from '../../src/testing/seeded-random.ts'
import { PostgresServer, postgresPrograms } from '../support/postgres-server.ts'
import { inParallel, killAt, randomPairs, type Stretch } from './matrix.ts'
import { type Scene, WHOLE_MATRIX } from './scenes.ts'
import { CRASH_POSTGRES } from './sinks.ts'
import { Stage } from './stage.ts'
import type { Point } from './trial.ts'

const PROGRESS_EVERY = 25

const { values } = parseArgs({
  options: {
    query: { type: 'string', multiple: true },
    store: { type: 'string', multiple: true },
    sink: { type: 'string', multiple: true },
    pairs: { type: 'string', default: '50' },
    workers: { type: 'string', default: String(Math.max(2, availableParallelism())) },
    seed: { type: 'string', default: process.env['SLUICE_SEED'] ?? String(Date.now()) },
  },
})

interface Row {
  readonly scene: Scene
  readonly stretch: string
  readonly names: number
  readonly hits: number
  readonly runs: number
  readonly killed: number
  readonly failed: number
}

const pairs = Number(values.pairs)
const workers = Number(values.workers)
const random = seededRandom(values.seed)
const failures: string[] = []
const stage = await Stage.open(random)
const programs = postgresPrograms()
const postgres = programs === undefined ? undefined : await PostgresServer.start(programs)
if (postgres) process.env[CRASH_POSTGRES] = postgres.url
else say('no PostgreSQL server on this machine: the sink postgres is left out')
say(`crash matrix, seed ${values.seed}`)
try {
  const rows: Row[] = []
  for (const scene of scenes()) {
    rows.push(await play(scene, 'first batches', await stage.firstBatches(scene)))
    // How a batch gets into a sink does not change with age; checkpoint and state do.
    if (scene.sink === 'foreachBatch')
      rows.push(await play(scene, 'later batches', await stage.laterBatches(scene)))
  }
  process.stdout.write(tableOf(rows))
} finally {
  await stage.close()
  await postgres?.stop()
}
for (const failure of failures) process.stdout.write(`${failure}\n`)
if (failures.length > 0) process.stdout.write(`npm run crash -- --seed ${values.seed} repeats this run\n`)
process.exitCode = failures.length > 0 ? 1 : 0

function scenes(): readonly Scene[] {
  const { query, store, sink } = values
  const asked = WHOLE_MATRIX.filter(
    (scene) =>
      (query?.includes(scene.query) ?? true) &&
      (store?.includes(scene.store) ?? true) &&
      (sink?.includes(scene.sink) ?? true) &&
      (scene.sink !== 'postgres' || postgres !== undefined),
  )
  if (asked.length === 0) throw new Error('no scene of the matrix has this query, store and sink')
  return asked
}

async function play(scene: Scene, name: string, stretch: Stretch): Promise<Row> {
  const paths: readonly (readonly Point[])[] = [
    ...stretch.points.map((point) => [point]),
    ...randomPairs(stretch, pairs, random),
  ]
  const title = `${scene.query} on ${scene.store} into ${scene.sink}, ${name}`
  let [killed, done, failed] = [0, 0, 0]
  await inParallel(paths, workers, async (points) => {
    try {
      // Two steps: another worker adds to the sum while this one waits.
      const count = await killAt(stretch, points)
      killed += count
    } catch (error) {
      failed++
      failures.push(`${title}: ${error instanceof Error ? error.message : String(error)}`)
      say(failures.at(-1) ?? '')
    }
    if (++done % PROGRESS_EVERY === 0) say(`${title}: ${done} of ${paths.length} runs, ${failed} failed`)
  })
  say(`${title}: ${done} runs, ${killed} processes killed, ${failed} failed`)
  const names = new Set(stretch.points.map((point) => point.name)).size
  return { scene, stretch: name, names, hits: stretch.points.length, runs: done, killed, failed }
}

function tableOf(rows: readonly Row[]): string {
  const sum = (pick: (row: Row) => number) => rows.reduce((total, row) => total + pick(row), 0)
  return table([
    ['query', 'store', 'sink', 'stretch', 'failpoints', 'hits', 'runs', 'processes killed', 'not exact'],
    ...rows.map(({ scene, stretch, names, hits, runs, killed, failed }) => [
      ...[scene.query, scene.store, scene.sink, stretch],
      ...[names, hits, runs, killed, failed],
    ]),
    [
      ...['all', '', '', '', ''],
      ...[sum((row) => row.hits), sum((row) => row.runs), sum((row) => row.killed), sum((row) => row.failed)],
    ],
  ])
}

function say(line: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`)
}
