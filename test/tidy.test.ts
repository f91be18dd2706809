import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'

/** Laws of the house: who may import whom, and what may be asked for only at one door. */

const SRC = join(import.meta.dirname, '..', 'src')

/** Room -> rooms it may import. Files at the root of `src` are the ground that all stand on. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  ground: [],
  // One door to buckets for checkpoints, sinks and sources, which know nothing of each other.
  s3: ['ground'],
  // What an output of files says about itself: sinks write it, sources read it.
  files: ['s3', 'ground'],
  // Programs of WebAssembly, and how they come to run.
  wasm: ['ground'],
  // JSON records into vectors of DuckDB.
  json: ['wasm', 'ground'],
  plan: ['json', 'ground'],
  sources: ['files', 's3', 'wasm', 'ground'],
  sinks: ['files', 's3', 'ground'],
  checkpoint: ['s3', 'ground'],
  engine: ['plan', 'json', 'sources', 'sinks', 'checkpoint', 'ground'],
  api: ['engine', 'plan', 'sources', 'sinks', 'checkpoint', 'ground'],
  ui: ['engine', 'ground'],
  // What users' tests stand on; it plays the service, so it shares nothing with the source that reads it.
  testing: ['sources', 'sinks', 'ground'],
  cli: ['ui', 'api', 'index', 'ground'],
  index: ['api', 'engine', 'sources', 'sinks', 'ground'],
}

/** From one room into another only through these doors, where the table's arrow is meant for a few files only. */
const DOORS: Readonly<Record<string, readonly string[]>> = {
  'api -> sources': [
    'sources/files/options.ts',
    'sources/files/static-files.ts',
    'sources/index.ts',
    'sources/source.ts',
  ],
  'api -> sinks': [
    'sinks/index.ts',
    'sinks/sink.ts',
    'sinks/foreach-batch.ts',
    'sinks/foreach.ts',
    'sinks/render-table.ts',
  ],
  // Work on a checkpoint whose query is not running, one file for each kind.
  'api -> checkpoint': [
    'checkpoint/open-storage.ts',
    'checkpoint/storage.ts',
    'checkpoint/stored-query.ts',
    'checkpoint/stored-batches.ts',
    'checkpoint/verify.ts',
    'checkpoint/rewind.ts',
    'checkpoint/fork.ts',
    'checkpoint/repair.ts',
  ],
  'testing -> sources': ['sources/memory.ts', 'sources/source.ts'],
  'testing -> sinks': ['sinks/sink.ts'],
  'ui -> engine': ['engine/progress.ts'],
}

/** What may be written only in these files. */
const ONLY_IN: readonly {
  readonly pattern: RegExp
  readonly files: readonly string[]
  readonly why: string
}[] = [
  { pattern: /\bDate\.now\(|\bperformance\.now\(/, files: ['clock.ts'], why: 'time is handed in' },
  { pattern: /\bMath\.random\(|\brandomUUID\(/, files: ['clock.ts'], why: 'chance is handed in' },
  {
    pattern: /\bset(?:Timeout|Interval)\(|timers\/promises/,
    files: ['clock.ts', 'testing/manual-clock.ts'],
    why: 'waiting is handed in',
  },
  {
    pattern: /from '@duckdb\//,
    files: ['duckdb.ts', 'attach.ts', 'records-scan.ts', 'string-structs.ts', 'user-functions.ts'],
    why: 'DuckDB has one door',
  },
  { pattern: /from 'pg'/, files: ['sinks/postgres/server.ts'], why: 'PostgreSQL has one door' },
  { pattern: /new (?:Kinesis|S3|STS)Client\(/, files: ['aws.ts'], why: 'AWS has one door' },
  { pattern: /\bthrow new (?:Type|Range)?Error\(/, files: [], why: 'errors have codes' },
  { pattern: /\bas any\b|: any\b|@ts-ignore|@ts-expect-error/, files: [], why: 'types are kept' },
  { pattern: /\b(?:TODO|FIXME|HACK)\b/, files: [], why: 'what is open stands in an issue' },
]

const LINES_MAX = 400

interface Import {
  readonly from: string
  readonly to: string
  readonly isType: boolean
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.replaceAll('\\', '/'))
  .sort()
const text = new Map(files.map((file) => [file, readFileSync(join(SRC, file), 'utf8')]))
const imports = files.flatMap(importsOf)

test('rooms import only what the table allows', () => {
  const broken = imports.filter(({ from, to }) => {
    const [a, b] = [roomOf(from), roomOf(to)]
    if (a === b) return false
    if (!MAY_IMPORT[a]?.includes(b)) return true
    const doors = DOORS[`${a} -> ${b}`]
    return doors !== undefined && !doors.includes(to)
  })
  assert.deepEqual(
    broken.map(({ from, to }) => `${from} -> ${to}`),
    [],
  )
})

test('no file is part of an import cycle', () => {
  const values = new Map<string, string[]>()
  for (const { from, to, isType } of imports) if (!isType) values.set(from, [...(values.get(from) ?? []), to])
  const done = new Set<string>()
  const visit = (file: string, path: readonly string[]): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file]
    if (done.has(file)) return undefined
    for (const next of values.get(file) ?? []) {
      const cycle = visit(next, [...path, file])
      if (cycle) return cycle
    }
    done.add(file)
    return undefined
  }
  for (const file of files) assert.equal(visit(file, [])?.join(' -> '), undefined)
})

test('every room is in the table', () => {
  for (const file of files)
    assert.ok(MAY_IMPORT[roomOf(file)], `${file} stands in a room the table does not know`)
})

for (const { pattern, files: allowed, why } of ONLY_IN) {
  test(`${why}: ${pattern.source} only in ${allowed.join(', ') || 'no file'}`, () => {
    const offenders = files.filter(
      (file) => !allowed.includes(file) && pattern.test(withoutComments(text.get(file) ?? '')),
    )
    assert.deepEqual(offenders, [])
  })
}

test(`no file has more than ${LINES_MAX} lines, but for the table of errors`, () => {
  const long = files.filter(
    (file) => file !== 'errors.ts' && (text.get(file) ?? '').split('\n').length > LINES_MAX,
  )
  assert.deepEqual(long, [])
})

function roomOf(file: string): string {
  if (file === 'index.ts') return 'index'
  return file.includes('/') ? (file.split('/')[0] as string) : 'ground'
}

function importsOf(file: string): Import[] {
  const pattern = /^(?:import|export)\s+(type\s)?[^'";]*?from\s+'(\.[^']+)'/gms
  return [...(text.get(file) ?? '').matchAll(pattern)].map(([, type, target]) => ({
    from: file,
    to: relative(SRC, join(SRC, dirname(file), target as string)).replaceAll('\\', '/'),
    isType: type !== undefined,
  }))
}

function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '')
}
