/**
 * The whole crash matrix: `npm run crash [-- --query NAME --store disk|s3 --sink NAME --pairs N --workers N --seed S]`.
 *
 * Every hit of every failpoint kills a process once, at the start of a query and later in its life; a sink of its own is
 * killed in its own steps. Then come random pairs of kills. What a query gives in the end is held against plain DuckDB
 * over the producer's ledger. That is about 4,400 runs, and 45 minutes of CPU.
 */
import { availableParallelism } from 'node:os'
import { table } from 'table'
import yargs from 'yargs'
import { hideBin } from 'yargs/helpers'
import { seededRandom } from '../../src/testing/seeded-random.ts'
import { PostgresServer, postgresPrograms } from '../support/postgres-server.ts'
import { inParallel, killAt, randomPairs, type Stretch } from './matrix.ts'
import { type Scene, WHOLE_MATRIX } from './scenes.ts'
import { Stage } from './stage.ts'
import type { Point } from './trial.ts'

const PROGRESS_EVERY = 25

const several = (part: keyof Scene) =>
  ({
    array: true,
    nargs: 1,
    choices: [...new Set(WHOLE_MATRIX.map((scene) => scene[part] as string))],
  }) as const
const { query, store, sink, pairs, workers, seed } = yargs(hideBin(process.argv))
  .scriptName('npm run crash --')
  .locale('en')
  .usage('$0 [options]\n\nThe crash matrix, or the part of it that the options name.')
  .options({
    query: { ...several('query'), describe: 'play these queries alone' },
    store: { ...several('store'), describe: 'and these stores of checkpoints' },
    sink: { ...several('sink'), describe: 'and these sinks' },
    pairs: { type: 'number', default: 20, requiresArg: true, describe: 'random pairs of kills of each cell' },
    workers: {
      type: 'number',
      default: Math.max(2, availableParallelism()),
      requiresArg: true,
      describe: 'runs at the same time',
    },
    seed: {
      type: 'string',
      default: process.env['SLUICE_SEED'] ?? String(Date.now()),
      defaultDescription: 'drawn',
      requiresArg: true,
    },
  })
  .version(false)
  .strict()
  .check(({ pairs, workers }) => {
    if (!(Number.isInteger(pairs) && pairs >= 0)) return '--pairs is a whole number'
    return (Number.isInteger(workers) && workers > 0) || '--workers is a whole number, 1 or more'
  })
  .parseSync()

interface Row {
  readonly scene: Scene
  readonly stretch: string
  readonly names: number
  readonly hits: number
  readonly runs: number
  readonly killed: number
  /** Runs in which no process met its point. */
  readonly missed: number
  readonly failed: number
  readonly minutes: number
}

const random = seededRandom(seed)
const failures: string[] = []
const programs = postgresPrograms()
const postgres = programs === undefined ? undefined : await PostgresServer.start(programs)
const stage = await Stage.open(random, postgres?.url)
if (!postgres) say('no PostgreSQL server on this machine: the sink postgres is left out')
say(`crash matrix, seed ${seed}`)
try {
  const rows: Row[] = []
  for (const scene of scenes()) {
    rows.push(await play(scene, 'first batches', () => stage.firstBatches(scene)))
    // How a batch gets into a sink does not change with age; checkpoint and state do.
    if (scene.sink === 'foreachBatch')
      rows.push(await play(scene, 'later batches', () => stage.laterBatches(scene)))
  }
  process.stdout.write(tableOf(rows))
} finally {
  await stage.close()
  await postgres?.stop()
}
for (const failure of failures) process.stdout.write(`${failure}\n`)
if (failures.length > 0) process.stdout.write(`npm run crash -- --seed ${seed} repeats this run\n`)
process.exitCode = failures.length > 0 ? 1 : 0

function scenes(): readonly Scene[] {
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

async function play(scene: Scene, name: string, open: () => Promise<Stretch>): Promise<Row> {
  const title = `${scene.query} on ${scene.store} into ${scene.sink}, ${name}`
  const startedAt = performance.now()
  let [hits, names, killed, missed, runs, failed] = [0, 0, 0, 0, 0, 0]
  const fail = (error: unknown) => {
    failed++
    failures.push(`${title}: ${error instanceof Error ? error.message : String(error)}`)
    say(failures.at(-1) ?? '')
  }
  const kill = async (stretch: Stretch, points: readonly Point[]) => {
    try {
      // Two steps: another worker adds to the sum while this one waits.
      const count = await killAt(stretch, points)
      killed += count
      // The second process of a pair may have too little left to do to come to its point.
      if (count === 0) missed++
    } catch (error) {
      fail(error)
    }
    if (++runs % PROGRESS_EVERY === 0) say(`${title}: ${runs} runs, ${failed} failed`)
  }
  try {
    const stretch = await open()
    hits = stretch.points.length
    names = new Set(stretch.points.map((point) => point.name)).size
    const paths = [...stretch.points.map((point) => [point]), ...randomPairs(stretch, pairs, random)]
    await inParallel(paths, workers, (points) => kill(stretch, points))
  } catch (error) {
    fail(error)
  }
  const minutes = (performance.now() - startedAt) / 60_000
  say(
    `${title}: ${names} failpoints, ${hits} hits, ${runs} runs, ${killed} processes killed, ` +
      `${missed} runs without a death, ${failed} failed, ${minutes.toFixed(1)} minutes`,
  )
  return { scene, stretch: name, names, hits, runs, killed, missed, failed, minutes }
}

function tableOf(rows: readonly Row[]): string {
  const sum = (pick: (row: Row) => number) => rows.reduce((total, row) => total + pick(row), 0)
  const heads = ['query', 'store', 'sink', 'stretch', 'failpoints', 'hits', 'runs']
  return table([
    [...heads, 'processes killed', 'runs without a death', 'not exact', 'minutes'],
    ...rows.map(({ scene, stretch, names, hits, runs, killed, missed, failed, minutes }) => [
      ...[scene.query, scene.store, scene.sink, stretch],
      ...[names, hits, runs, killed, missed, failed, minutes.toFixed(1)],
    ]),
    [
      ...['all', '', '', '', '', sum((row) => row.hits), sum((row) => row.runs)],
      ...[sum((row) => row.killed), sum((row) => row.missed), sum((row) => row.failed)],
      sum((row) => row.minutes).toFixed(1),
    ],
  ])
}

function say(line: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`)
}
