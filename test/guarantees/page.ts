import { SINKS } from '../../src/sinks/index.ts'
import { sinkChecks } from '../../src/testing/sink-checks.ts'
import { sourceChecks } from '../../src/testing/source-checks.ts'
import { STORES, type StoreName } from '../crash/checkpoint-store.ts'
import { CRASH_QUERIES, type QueryName } from '../crash/queries.ts'
import { SAMPLE, type Scene, WHOLE_MATRIX } from '../crash/scenes.ts'
import { SLEEPS } from '../crash/sleeps.ts'
import {
  checkpointPromises,
  type Promised,
  type Proof,
  promisesOf,
  type Subject,
  subjectsOf,
} from './evidence.ts'

const YES = '●'
const COMMAND = '○'
const NOTHING = ''
const LABELS: Readonly<Record<StoreName, string>> = { disk: 'disk', s3: 'S3' }

/** What no conformance suite says of a sink, by a test of its own. */
const KILLED_ALONE: Readonly<Record<string, Proof>> = {
  parquet: {
    file: 'sinks/file/crash.test.ts',
    name: 'wherever a process dies, the batch is in the output once after the next start',
  },
  'parquet on S3': {
    file: 'sinks/file/s3.test.ts',
    name: 'wherever a process dies, the batch is in the output once after the next start',
  },
  duckdb: {
    file: 'sinks/duckdb/duckdb-sink.test.ts',
    name: 'wherever a process is killed, the batches before and after are in the table once',
  },
  postgres: {
    file: 'sinks/postgres/postgres-sink.test.ts',
    name: 'wherever a process is killed, the batches before and after are in the table once',
  },
}

/** What holds for a whole query, whatever its source, sink and store. */
const OF_EVERY_QUERY: readonly { readonly promise: string; readonly proofs: readonly Proof[] }[] = [
  {
    promise:
      'The result is that of plain DuckDB over the same rows, in any cut into batches and through crashes',
    proofs: [
      {
        file: 'engine/batch-answer.test.ts',
        name: 'aggregations in random cuts, with crashes, give the batch answer',
      },
      {
        file: 'engine/fuzz.test.ts',
        name: 'random queries with late rows, in random cuts, with crashes, give the batch answer',
      },
    ],
  },
  {
    promise: 'A batch that fails is never skipped: the query stops with the cause, and the batch comes again',
    proofs: [
      {
        file: 'engine/stream-execution.test.ts',
        name: 'a failing sink ends the query, and the same batch comes again',
      },
      {
        file: 'engine/restart-policy.test.ts',
        name: 'stops with the cause when the last try fails, and the next start has the same batch',
      },
    ],
  },
  {
    promise: 'A batch that is tried again has its id, its rows and the state of the last commit',
    proofs: [
      {
        file: 'engine/restart-policy.test.ts',
        name: 'tries a batch again with its id and its rows, over the state of the last commit',
      },
    ],
  },
  {
    promise: 'Several recoveries in a row run the one batch that was not committed, with the same rows',
    proofs: [
      {
        file: 'engine/recovery.test.ts',
        name: 'a batch that fails in every start comes again in each, and is there once in the end',
      },
      {
        file: 'checkpoint/crash.test.ts',
        name: 'a query killed again and again, also while it recovers, goes on exactly',
      },
    ],
  },
  {
    promise: 'A logged range that brings other rows than it did stops the query before anything is written',
    proofs: [
      {
        file: 'engine/recovery.test.ts',
        name: 'other rows than those that were logged stop the query and leave the batch as it was',
      },
    ],
  },
  {
    promise: 'Rows that are malformed or late are counted, and can be kept once',
    proofs: [
      {
        file: 'engine/dead-letters.test.ts',
        name: 'bad records, late rows and refused rows go to the dead letters, once, whatever crashes',
      },
    ],
  },
]

/** The page, and every test that it names. */
export function guaranteesPage(): { readonly text: string; readonly proofs: readonly Proof[] } {
  const proofs: Proof[] = [...OF_EVERY_QUERY.flatMap((row) => row.proofs), ...Object.values(KILLED_ALONE)]
  const checkpoint = checkpointPromises()
  proofs.push(...checkpoint.flatMap((promise) => promise.proofs))
  const text = `# Guarantees

What is promised, for which source, sink and store, and which test proves it. The page is written out of the contracts, the
conformance suites and the crash matrix by \`test/docs.test.ts\`, which fails when it says anything else than they do, or names
a test that is not there. ${YES} is proven in every run of the tests, ${COMMAND} by \`npm run crash\` alone, and an empty cell by nothing.

## Every query

${table(
  ['promise', 'tests'],
  OF_EVERY_QUERY.map((row) => [row.promise, row.proofs.map(named).join('<br>')]),
)}

## Killed at every step, every row once

A process dies by SIGKILL at each hit of each failpoint, another takes over, and what the sink holds in the end is compared, as
a multiset, with what plain DuckDB makes of the producer's ledger: \`npm run crash\`. A function that writes files is killed everywhere, in
the first batches of a query and around a purge of an older one; the other sinks [in their own steps](decisions/0060-a-sink-is-killed-in-its-own-steps.md). Every run of the tests kills each ${YES} at two
places drawn by chance, the second while it recovers or later (\`crash/crash.test.ts\`: "goes on exactly").

${killed()}

## Replaced while it slept

A process is stopped by SIGSTOP, replaced, and woken: it must end with CHECKPOINT_FENCED and leave no trace in sink or checkpoint
(\`crash/zombie.test.ts\`: "is fenced when it wakes").

${table(
  ['it sleeps', ...STORES.map((store) => LABELS[store])],
  [...new Set(SLEEPS.map(({ when }) => when))].map((when) => [
    when,
    ...STORES.map((store) => {
      const sleep = SLEEPS.find((each) => each.when === when && each.store === store)
      return sleep === undefined ? NOTHING : sleep.isInEveryRun ? YES : 'with `SLUICE_SEEDS`'
    }),
  ]),
)}

## Sources

\`conformance/source.test.ts\` runs the checks of \`sluice/testing\` over each.

${conformance(
  promisesOf('sources/source.ts'),
  sourceChecks(neverArranged).map(({ name }) => name),
  subjectsOf('sourceConformance'),
  () => YES,
)}

## Sinks

\`conformance/sink.test.ts\` runs the checks of \`sluice/testing\` over each, and \`sinks/postgres/postgres-sink.test.ts\` over PostgreSQL
where a server is installed. A sink that is not exactly-once says so in its cell.

${conformance(
  promisesOf('sinks/sink.ts'),
  sinkChecks(neverArranged).map(({ name }) => name),
  subjectsOf('sinkConformance'),
  sinkCell,
)}

Killed within a batch of their own tests as well: ${Object.entries(KILLED_ALONE)
    .map(([sink, { file, name }]) => `\`${sink}\` (${named({ file, name })})`)
    .join('; ')}.

## Stores

${table(
  ['invariant', 'disk', 'S3'],
  checkpoint.map(({ id, text, proofs }) => [
    `**${id}** ${text}`,
    ...[false, true].map((s3) =>
      proofs
        .filter(({ file }) => file.startsWith('conformance/') || /\/s3-/.test(file) === s3)
        .map(named)
        .join('<br>'),
    ),
  ]),
)}
`
  return { text, proofs }
}

function killed(): string {
  const columns = WHOLE_MATRIX.filter(
    ({ sink, store }, i) =>
      WHOLE_MATRIX.findIndex((each) => each.sink === sink && each.store === store) === i,
  )
  return table(
    ['query', ...columns.map(({ sink, store }) => `${sink}, checkpoint on ${LABELS[store]}`)],
    (Object.keys(CRASH_QUERIES) as QueryName[]).map((query) => [
      query,
      ...columns.map(({ sink, store }) => {
        const within = (scenes: readonly Scene[]) =>
          scenes.some((scene) => scene.query === query && scene.sink === sink && scene.store === store)
        return within(SAMPLE) ? YES : within(WHOLE_MATRIX) ? COMMAND : NOTHING
      }),
    ]),
  )
}

/** A check proves the invariants that its name begins with. */
function conformance(
  promises: readonly Promised[],
  checks: readonly string[],
  subjects: readonly Subject[],
  cell: (subject: Subject, id: string) => string,
): string {
  return table(
    ['invariant', ...subjects.map(({ name }) => name)],
    promises.map(({ id, text }) => {
      const isChecked = checks.some((check) =>
        /^([A-Z]\d+(?:, [A-Z]\d+)*):/.exec(check)?.[1]?.split(', ').includes(id),
      )
      return [`**${id}** ${text}`, ...subjects.map((subject) => (isChecked ? cell(subject, id) : NOTHING))]
    }),
  )
}

/** What a check can see of a sink: the checks that read what it holds say nothing of one that keeps nothing. */
function sinkCell({ name, arrangement }: Subject, id: string): string {
  const guarantee = SINKS[name.split(' ')[0] ?? '']?.guarantee ?? 'at-least-once'
  const keeps = /\bcontents\b/.test(arrangement)
  if (id === 'K1' || id === 'K2') return guarantee === 'exactly-once' && keeps ? YES : guarantee
  if (id === 'K3') return /\bignoresRows\b/.test(arrangement) ? NOTHING : YES
  return keeps ? YES : NOTHING
}

function named({ file, name }: Proof): string {
  return `\`${file}\`: "${name}"`
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

/** Checks are listed here and never run. */
function neverArranged(): never {
  throw new Error('a check was run that was only to be named')
}
