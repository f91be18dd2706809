import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Session } from '../src/api/session.ts'
import { fillValues } from '../src/cli/script-values.ts'
import { hasCode } from '../src/errors.ts'
import { silentLogger } from '../src/log.ts'
import type { OutputMode } from '../src/output-mode.ts'
import type { Refusal } from '../src/plan/check.ts'
import { seededRandom } from '../src/testing/seeded-random.ts'
import {
  type Answer,
  NEXMARK_FOLDER,
  NEXMARK_STREAMS,
  NexmarkOracle,
  type NexmarkQuery,
  nexmarkQueries,
} from './support/nexmark.ts'
import { createNexmarkViews, keepFound, streamedAnswer } from './support/nexmark-stream.ts'
import { forSeeds } from './support/seeds.ts'

const EXAMPLES = join(import.meta.dirname, '..', 'sql', 'examples')
const DIGESTS = join(NEXMARK_FOLDER, 'digests.json')
const isUpdating = process.env['SLUICE_UPDATE'] === '1'

/** What streams cannot answer yet, and the reason that is given; a query that they learn has to leave this list. */
const REFUSED: Readonly<Record<string, Refusal>> = {
  q6: 'window-function',
}

const QUERIES = nexmarkQueries()

/** The output modes that a query may use besides its own; each other one is refused. */
const ALSO: Readonly<Record<string, OutputMode>> = {
  ...Object.fromEntries('q0 q1 q2 q3 q10 q13 q14 q20 q21 q22'.split(' ').map((name) => [name, 'update'])),
  ...Object.fromEntries('q4 q11 q12 q15 q16 q17'.split(' ').map((name) => [name, 'complete'])),
}

/** A hundred events a second across midnight: 20 windows of 10 seconds, and two days. */
const PUBLISHED = {
  seed: 1,
  events: 20_000,
  interEventMicros: 10_000,
  firstEventTime: '2015-07-14T23:58:20Z',
}

/** Out of order by up to a second, well within the watermarks; a whole number of groups. */
const STREAMED = {
  ...PUBLISHED,
  events: 2_000,
  outOfOrderGroupSize: 100,
  firstEventTime: '2015-07-14T23:59:45Z',
}

test('every Nexmark query is there', () => {
  assert.deepEqual(
    QUERIES.map(({ name }) => name),
    Array.from({ length: 23 }, (_, number) => `q${number}`),
  )
  for (const { name, mode, key } of QUERIES) {
    assert.ok(['append', 'update', 'complete'].includes(mode), name)
    assert.equal(key.length > 0, mode === 'update', `${name}: a key belongs to update mode`)
  }
})

describe('plain DuckDB gives the published answer', () => {
  let oracle: NexmarkOracle
  const found = {
    options: PUBLISHED,
    streams: {} as Record<string, Answer>,
    answers: {} as Record<string, Answer>,
  }
  const published = existsSync(DIGESTS)
    ? (JSON.parse(readFileSync(DIGESTS, 'utf8')) as typeof found)
    : { ...found, options: undefined }

  before(async () => {
    oracle = await NexmarkOracle.open(PUBLISHED)
  })

  after(() => {
    oracle.close()
    if (isUpdating) writeFileSync(DIGESTS, `${JSON.stringify(found, null, 2)}\n`)
  })

  test('to the same events', () => {
    if (!isUpdating) assert.deepEqual(published.options, PUBLISHED)
  })

  for (const stream of NEXMARK_STREAMS) {
    test(`stream ${stream}`, async () => {
      found.streams[stream] = await oracle.digest(stream)
      if (!isUpdating) assert.deepEqual(found.streams[stream], published.streams[stream])
    })
  }

  for (const query of QUERIES) {
    test(query.name, async () => {
      const answer = await oracle.answer(query)
      found.answers[query.name] = answer
      assert.ok(answer.rows > 0, 'an answer without rows proves nothing')
      if (!isUpdating) assert.deepEqual(answer, published.answers[query.name])
    })
  }
})

describe('a stream gives the answer of plain DuckDB, or refuses the query', () => {
  let oracle: NexmarkOracle
  let crashes = 0

  before(async () => {
    oracle = await NexmarkOracle.open(STREAMED)
  })

  after(() => oracle.close())

  for (const query of QUERIES) {
    const { name, mode, key } = query
    const reason = REFUSED[name]
    if (reason !== undefined) {
      test(`${name} is refused: ${reason}`, () =>
        assert.rejects(explain(query), (error) => {
          assert.ok(hasCode(error, 'STREAMING_UNSUPPORTED'), String(error))
          assert.equal(error.params.key, reason)
          return true
        }))
      continue
    }
    // Half of the queries in a run, the other half perhaps in the next; all of them with SLUICE_SEEDS.
    const isDrawn = process.pid % 2 === Number(name.slice(1)) % 2
    const { SLUICE_SEED, SLUICE_SEEDS } = process.env
    const skip = !isDrawn && (SLUICE_SEED ?? SLUICE_SEEDS) === undefined && 'not drawn in this run'
    test(`${name} in random cuts, with crashes`, { skip }, async () => {
      const expected = await oracle.answer(query)
      await forSeeds(1, async (_, seed) => {
        const streamed = await streamedAnswer(query, STREAMED, seededRandom(`${name} ${seed}`))
        crashes += streamed.crashes
        assert.ok(streamed.batches.length > 1)
        await keepFound(oracle.connection, streamed, mode, key)
        if ((await oracle.digest('found')).digest !== expected.digest) await showDifference(oracle)
        assert.deepEqual(await oracle.digest('found'), expected)
      })
    })
  }

  for (const query of QUERIES.filter(({ name }) => REFUSED[name] === undefined)) {
    const { SLUICE_SEED, SLUICE_SEEDS } = process.env
    // One of them in a run; all with SLUICE_SEEDS.
    const isDrawn = QUERIES[process.pid % QUERIES.length] === query
    const skip = !isDrawn && (SLUICE_SEED ?? SLUICE_SEEDS) === undefined && 'not drawn in this run'
    test(`${query.name} in every other output mode that it may use`, { skip }, async () => {
      for (const mode of (['append', 'update', 'complete'] as const).filter((each) => each !== query.mode)) {
        const other = { ...query, mode }
        if (ALSO[query.name] !== mode) {
          await assert.rejects(explain(other), (error) => hasCode(error, 'STREAMING_UNSUPPORTED'), mode)
          continue
        }
        // In complete mode the session of the event that closes all others is there as well.
        if (query.name === 'q11') continue
        const expected = await oracle.answer(query)
        const streamed = await streamedAnswer(other, STREAMED, seededRandom(`${query.name} ${mode}`))
        // Rows that never change are handed on once in update mode too.
        await keepFound(oracle.connection, streamed, mode === 'update' ? 'append' : mode, query.key)
        assert.deepEqual(await oracle.digest('found'), expected, mode)
      }
    })
  }

  test('some of them crashed on the way', () => assert.ok(crashes > 0))
})

describe('plans are as recorded', () => {
  for (const query of QUERIES.filter(({ name }) => REFUSED[name] === undefined)) {
    test(query.name, async () =>
      checkGolden(join(NEXMARK_FOLDER, `${query.name}.plan`), await explain(query)),
    )
  }

  test('no plan is kept of a query that is refused', () => {
    for (const name of Object.keys(REFUSED)) {
      const plan = join(NEXMARK_FOLDER, `${name}.plan`)
      if (isUpdating) rmSync(plan, { force: true })
      assert.equal(existsSync(plan), false, plan)
    }
  })

  for (const file of readdirSync(EXAMPLES).filter((each) => each.endsWith('.sql'))) {
    test(`example ${basename(file, '.sql')}`, async () => {
      const session = await Session.create({ log: silentLogger })
      try {
        const script = fillValues(file, readFileSync(join(EXAMPLES, file), 'utf8'), new Map(), {})
        const plans = (await session.prepare(script)).map(
          async (writer) => `Sink ${writer.name}\n\n${await writer.explain()}`,
        )
        assert.ok(plans.length > 0, 'an example writes to a sink')
        checkGolden(join(EXAMPLES, file.replace(/\.sql$/, '.plan')), (await Promise.all(plans)).join('\n'))
      } finally {
        await session.close()
      }
    })
  }
})

async function explain(query: NexmarkQuery): Promise<string> {
  const session = await Session.create({ log: silentLogger })
  try {
    await createNexmarkViews(session, query, (table) =>
      session.readStream.format('nexmark').option('table', table).load(),
    )
    return await session.sql(query.sql).writeStream.outputMode(query.mode).format('noop').explain()
  } finally {
    await session.close()
  }
}

function checkGolden(file: string, text: string): void {
  if (isUpdating) writeFileSync(file, text)
  else assert.equal(text, existsSync(file) ? readFileSync(file, 'utf8') : undefined)
}

/** Fails with a few of the rows that only one side has. */
async function showDifference({ connection }: NexmarkOracle): Promise<void> {
  const only = (one: string, other: string) =>
    connection.rows(
      `SELECT a::VARCHAR AS row FROM ${one} a EXCEPT ALL SELECT b::VARCHAR FROM ${other} b ORDER BY row LIMIT 3`,
    )
  assert.deepEqual(
    { onlyStreamed: await only('found', 'expected'), onlyBatch: await only('expected', 'found') },
    { onlyStreamed: [], onlyBatch: [] },
  )
}
