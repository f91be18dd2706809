/**
 * The whole crash matrix: `npm run crash [-- --query NAME] [--pairs N] [--workers N]`.
 *
 * Every hit of every failpoint kills a process once, for every query, at its start and later in its life; then come
 * random pairs of kills. SLUICE_SEED repeats a run.
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { table } from 'table'
import { seededRandom } from '../../src/testing/seeded-random.ts'
import { inParallel, killAt, randomPairs, type Stretch } from './matrix.ts'
import { CRASH_QUERIES, type QueryName } from './queries.ts'
import { Stage } from './stage.ts'
import type { Point } from './trial.ts'

const { values } = parseArgs({
  options: {
    query: { type: 'string', multiple: true, default: Object.keys(CRASH_QUERIES) },
    pairs: { type: 'string', default: '50' },
    workers: { type: 'string', default: String(Math.max(2, availableParallelism())) },
  },
})

const seed = process.env['SLUICE_SEED'] ?? String(Date.now())
const random = seededRandom(seed)
const rows: (string | number)[][] = []
const stage = await Stage.open(random)
say(`SLUICE_SEED=${seed}`)
try {
  for (const query of values.query as QueryName[]) {
    await play(query, 'first batches', await stage.firstBatches(query))
    await play(query, 'later batches', await stage.laterBatches(query))
  }
  const head = ['query', 'stretch', 'failpoints', 'hits', 'pairs', 'processes killed', 'lost', 'repeated']
  process.stdout.write(table([head, ...rows]))
} finally {
  await stage.close()
}

async function play(query: QueryName, name: string, stretch: Stretch): Promise<void> {
  const paths: readonly (readonly Point[])[] = [
    ...stretch.points.map((point) => [point]),
    ...randomPairs(stretch, Number(values.pairs), random),
  ]
  let killed = 0
  let done = 0
  await inParallel(paths, Number(values.workers), async (points) => {
    const count = await killAt(stretch, points)
    killed += count
    if (++done % 50 === 0) say(`${query}, ${name}: ${done} of ${paths.length}`)
  })
  const names = new Set(stretch.points.map((point) => point.name))
  // Any row too many or too few would have ended the run.
  rows.push([query, name, names.size, stretch.points.length, values.pairs, killed, 0, 0])
  say(`${query}, ${name}: ${stretch.points.length} hits, ${killed} processes killed, exact`)
}

function say(line: string): void {
  process.stderr.write(`${line}\n`)
}
