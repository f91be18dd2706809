import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import type { DataFrame } from '../../src/api/dataframe.ts'
import { col, count, expr } from '../../src/api/functions.ts'
import type { GroupFunction, GroupState, GroupTimeout } from '../../src/api/keyed-groups.ts'
import { Session } from '../../src/api/session.ts'
import { systemClock } from '../../src/clock.ts'
import type { Row } from '../../src/duckdb.ts'
import type { Progress } from '../../src/engine/progress.ts'
import { hasCode } from '../../src/errors.ts'
import { silentLogger } from '../../src/log.ts'
import type { OutputMode } from '../../src/output-mode.ts'
import type { GROUP_REFUSALS } from '../../src/plan/map-groups.ts'
import { MemoryStream } from '../../src/sources/memory.ts'
import type { SeededRandom } from '../../src/testing/seeded-random.ts'
import { multiset, textOf } from '../support/oracle.ts'
import { forSeeds } from '../support/seeds.ts'

const COLUMNS = { user: 'VARCHAR', n: 'BIGINT', at: 'TIMESTAMP' }
const OUTPUT =
  'user VARCHAR, kind VARCHAR, calls BIGINT, sum BIGINT, tags VARCHAR[], watermark BIGINT, now BIGINT'
const STATE = { calls: 'BIGINT', sum: 'BIGINT', last: 'TIMESTAMP', tags: 'VARCHAR[]' }
const DELAY_MS = 4000

interface Kept {
  readonly calls: bigint
  readonly sum: bigint
  readonly last: Date
  readonly tags: readonly (string | null)[]
}

/** What the reference and the engine both can hand to a function. */
type Handle = Pick<
  GroupState<Kept>,
  | 'exists'
  | 'hasTimedOut'
  | 'get'
  | 'update'
  | 'remove'
  | 'setTimeoutDuration'
  | 'setTimeoutTimestamp'
  | 'getCurrentWatermarkMs'
  | 'getCurrentProcessingTimeMs'
>

/** Does a little of everything: keeps, forgets, waits, and forgets to wait again. */
function visit(timeout: GroupTimeout) {
  return function* (key: Row, rows: readonly Row[], state: Handle): Generator<Row> {
    const before: Kept = state.exists ? state.get() : { calls: 0n, sum: 0n, last: new Date(0), tags: [] }
    const sum = rows.reduce((total, row) => total + (row['n'] as bigint), before.sum)
    const times = rows.map((row) => (row['at'] as Date).getTime())
    const last = new Date(Math.max(before.last.getTime(), ...times))
    const tags = [...before.tags, rows.length > 3 ? null : `${rows.length}`].slice(-2)
    const kept = { calls: before.calls + 1n, sum, last, tags }
    yield {
      user: key['user'],
      kind: state.hasTimedOut ? 'timeout' : rows.map((row) => row['n']).join(' '),
      ...{
        calls: kept.calls,
        sum,
        tags,
        watermark: state.getCurrentWatermarkMs(),
        now: state.getCurrentProcessingTimeMs(),
      },
    }
    if (state.hasTimedOut && sum % 2n === 0n) return state.remove()
    if (!state.hasTimedOut && sum % 5n === 0n) state.remove()
    else if (sum % 3n !== 0n) state.update(kept)
    if (timeout === 'eventTime' && sum % 4n !== 0n)
      state.setTimeoutTimestamp(Math.max(last.getTime() + 3000, state.getCurrentWatermarkMs()))
    if (timeout === 'processingTime' && sum % 4n !== 0n) state.setTimeoutDuration(2500)
  }
}

/** The operator in plain TypeScript, over the batches as they were cut. */
function reference(rows: readonly Row[], batches: readonly Progress[], timeout: GroupTimeout): Row[] {
  const states = new Map<string, { key: Row; value: Kept | undefined; timeoutMs: number | undefined }>()
  const answers: Row[] = []
  let [watermarkMs, lateBeforeMs, greatestMs, fed] = [0, 0, 0, 0]
  for (const { numInputRows, timestamp } of batches) {
    const nowMs = Date.parse(timestamp)
    const batch = rows.slice(fed, fed + numInputRows)
    fed += numInputRows
    const groups = new Map<string, Row[]>()
    for (const row of batch) {
      if ((row['at'] as Date).getTime() <= lateBeforeMs) continue
      const id = textOf(row['user'])
      groups.set(id, [...(groups.get(id) ?? []), row])
    }
    const limit = { none: 0, processingTime: nowMs, eventTime: watermarkMs }[timeout]
    const passed = [...states].filter(
      ([id, { timeoutMs }]) => !groups.has(id) && timeoutMs !== undefined && timeoutMs < limit,
    )
    const call = (id: string, key: Row, mine: readonly Row[], hasTimedOut: boolean) => {
      const entry = { key, value: states.get(id)?.value, timeoutMs: undefined as number | undefined }
      const handle: Handle = {
        hasTimedOut,
        get exists() {
          return entry.value !== undefined
        },
        get: () => entry.value as Kept,
        update: (value) => (entry.value = value),
        remove: () => (entry.value = undefined),
        setTimeoutDuration: (ms) => (entry.timeoutMs = nowMs + Number(ms)),
        setTimeoutTimestamp: (ms) => (entry.timeoutMs = Number(ms)),
        getCurrentWatermarkMs: () => watermarkMs,
        getCurrentProcessingTimeMs: () => nowMs,
      }
      answers.push(...visit(timeout)(key, mine, handle))
      if (entry.value === undefined && entry.timeoutMs === undefined) states.delete(id)
      else states.set(id, entry)
    }
    for (const [id, mine] of groups) call(id, { user: mine[0]!['user'] }, mine, false)
    for (const [id, { key }] of passed) call(id, key, [], true)
    for (const row of batch) greatestMs = Math.max(greatestMs, (row['at'] as Date).getTime())
    lateBeforeMs = watermarkMs
    if (greatestMs > 0) watermarkMs = Math.max(watermarkMs, greatestMs - DELAY_MS)
  }
  // DuckDB gives numbers of the declared type.
  return answers.map((row) => ({
    ...row,
    watermark: BigInt(row['watermark'] as number),
    now: BigInt(row['now'] as number),
  }))
}

const CRASH = new Error('crash on purpose')

/** Random rows in random cuts, with crashes and restarts; time passes between batches and between starts. */
async function checkAgainstReference(random: SeededRandom): Promise<void> {
  const timeout = random.pick(['none', 'processingTime', 'eventTime'] as const)
  const outputMode = random.pick(['append', 'update'] as const)
  const users = ['a', 'b', null, 'd', 'e', 'f'].slice(0, 1 + random.below(6))
  const rows: Row[] = Array.from({ length: 20 + random.below(120) }, (_, index) => ({
    user: random.pick(users),
    n: BigInt(random.below(9)),
    at: new Date(1_000_000 + index * 400 + random.below(7000) - (random.next() < 0.1 ? 9000 : 0)),
  }))
  let nowMs = 5_000_000
  const pass = () => (nowMs += random.below(2000))
  const clock = { ...systemClock, now: () => nowMs }
  const stream = new MemoryStream(COLUMNS, {
    batchRows: () => {
      pass()
      return 1 + random.below(25)
    },
  })
  const checkpoint = await mkdtemp(join(tmpdir(), 'sluice-groups-'))
  const written = new Map<number, Row[]>()
  const batches = new Map<number, Progress>()
  const run = async (mayCrash: boolean) => {
    const session = await Session.create({ log: silentLogger, clock })
    try {
      const query = await session.readStream
        .format(stream)
        .load()
        .withWatermark('at', `${DELAY_MS}ms`)
        .groupByKey('user')
        .flatMapGroupsWithState<Kept>({ state: STATE, output: OUTPUT, timeout, outputMode }, visit(timeout))
        .writeStream.outputMode(outputMode)
        .option('checkpointLocation', checkpoint)
        .trigger({ availableNow: true })
        .foreachBatch(async (batch, id) => {
          if (mayCrash && random.next() < 0.15) throw CRASH
          const answers = await batch.toObjects()
          const before = written.get(id)
          if (before) assert.deepEqual(answers, before, `batch ${id} came again with other rows`)
          written.set(id, answers)
          if (mayCrash && random.next() < 0.15) throw CRASH
        })
        .start()
      await query.awaitTermination().catch((error: Error) => {
        if (error.cause !== CRASH) throw error
      })
      for (const progress of query.recentProgress) batches.set(progress.batchId, progress)
    } finally {
      await session.close()
    }
  }
  try {
    for (let fed = 0; fed < rows.length; ) {
      const more = 1 + random.below(rows.length)
      stream.add(...rows.slice(fed, fed + more))
      fed += more
      await run(true)
      pass()
    }
    await run(false)
    const inOrder = [...batches].sort(([a], [b]) => a - b).map(([, progress]) => progress)
    const got = [...written].sort(([a], [b]) => a - b).map(([, answers]) => answers)
    assert.equal(
      inOrder.reduce((sum, { numInputRows }) => sum + numInputRows, 0),
      rows.length,
    )
    assert.deepEqual(
      multiset(got.flat()),
      multiset(reference(rows, inOrder, timeout)),
      `${timeout}, ${outputMode}`,
    )
  } finally {
    await rm(checkpoint, { recursive: true, force: true })
  }
}

test('a function with state gives what plain TypeScript gives over the same batches, through crashes', async () => {
  await forSeeds(2, checkAgainstReference)
})

describe('a function with state', () => {
  let session: Session
  let stream: MemoryStream
  let events: DataFrame

  beforeEach(async () => {
    session = await Session.create({ log: silentLogger })
    stream = new MemoryStream(COLUMNS, { batchRows: () => 2 })
    events = session.readStream.format(stream).load()
  })
  afterEach(() => session.close())

  const drain = async (
    frame: DataFrame,
    mode: OutputMode,
    options: Readonly<Record<string, string>> = {},
  ) => {
    const written: Row[][] = []
    const query = await frame.writeStream
      .outputMode(mode)
      .options(options)
      .trigger({ availableNow: true })
      .foreachBatch(async (batch) => void written.push(await batch.toObjects()))
      .start()
    await query.awaitTermination()
    return { written, query }
  }
  const total: GroupFunction<{ total: number; seen?: string[] }, Row> = (key, rows, state) => {
    const sum = rows.reduce((all, row) => all + Number(row['n']), state.getOption()?.total ?? 0)
    state.update({ total: sum })
    return { half: key['half'], page: key['page'] ?? null, sum }
  }

  test('gets keys by name, expressions among them, and only the keys of the batch', async () => {
    stream.add(...[1n, 2n, 3n, 4n, 10n].map((n) => ({ user: n > 2n ? null : 'u', n, at: new Date(0) })))
    const frame = events
      .groupByKey(col('n').mod(2).as('half'), expr('upper("user")').as('page'))
      .mapGroupsWithState(
        { state: 'json', output: { half: 'BIGINT', page: 'VARCHAR', sum: 'INTEGER' } },
        total,
      )
    const { written, query } = await drain(frame, 'update')
    assert.deepEqual(written, [
      [
        { half: 1n, page: 'U', sum: 1 },
        { half: 0n, page: 'U', sum: 2 },
      ],
      [
        { half: 1n, page: null, sum: 3 },
        { half: 0n, page: null, sum: 4 },
      ],
      [{ half: 0n, page: null, sum: 14 }],
    ])
    assert.deepEqual(
      query.recentProgress.map(({ stateOperators: [each] }) => [each?.numRowsTotal, each?.numRowsUpdated]),
      [
        [2, 2],
        [4, 2],
        [4, 1],
      ],
    )
    const explained = query.explain()
    assert.match(
      explained,
      /^MapGroups by half, page: half BIGINT, page VARCHAR, sum INTEGER; state VARCHAR, timeout none, update mode; mapGroupsWithState is TypeScript/m,
    )
    assert.match(explained, /^local {3}call mapGroupsWithState for every row of map_groups_0_called/m)
  })

  test('counts late rows, and feeds an aggregation in append mode', async () => {
    const at = (ms: number) => new Date(ms)
    stream.add(
      { user: 'a', n: 1n, at: at(60_000) },
      { user: 'a', n: 2n, at: at(61_000) },
      { user: 'b', n: 3n, at: at(61_000) },
      { user: 'b', n: 4n, at: at(62_000) },
    )
    stream.add({ user: 'c', n: 5n, at: at(1000) })
    const frame = events
      .withWatermark('at', '1 second')
      .groupByKey('user')
      .flatMapGroupsWithState(
        { state: 'json', output: 'user STRING, n LONG', outputMode: 'append' },
        (key, rows) => rows.map((row) => ({ user: key['user'], n: row['n'] })),
      )
      .groupBy('user')
      .agg(count().as('rows'))
    const directory = await mkdtemp(join(tmpdir(), 'sluice-groups-'))
    const { written, query } = await drain(frame, 'complete', { lateRowsPath: join(directory, 'late') })
    assert.deepEqual(
      multiset(written.at(-1) ?? []),
      multiset([
        { user: 'a', rows: 2n },
        { user: 'b', rows: 2n },
      ]),
    )
    const dropped = query.recentProgress.flatMap(({ stateOperators }) =>
      stateOperators.map((each) => each.numRowsDroppedByWatermark),
    )
    assert.equal(
      dropped.reduce((sum, each) => sum + each, 0),
      1,
    )
    // As they came: without the keys that the engine puts beside them.
    const late = session.sql(
      `SELECT * EXCLUDE (query, operator, _watermark, _batch_id) FROM read_parquet('${join(directory, 'late')}/**/*.parquet', hive_partitioning = true)`,
    )
    assert.deepEqual(await late.collect(), [{ user: 'c', n: 5n, at: at(1000) }])
    await rm(directory, { recursive: true, force: true })
  })

  test('cannot answer or keep what has no value in TypeScript', () => {
    for (const type of ['UUID', 'INTERVAL', 'ARRAY<UUID>', 'STRUCT<a: TIME WITH TIME ZONE>']) {
      for (const options of [
        { state: 'json', output: { x: type } },
        { state: { x: type }, output: 'x STRING' },
      ] as const) {
        assert.throws(() => events.groupByKey('user').mapGroupsWithState(options, () => ({})), {
          code: 'UDF_INVALID',
          message: /cannot cross; cast to VARCHAR/,
        })
      }
    }
  })

  test('is called without rows once the watermark or the time of a batch has passed its timeout, and not before', async () => {
    let nowMs = 100_000
    const timed = await Session.create({ log: silentLogger, clock: { ...systemClock, now: () => nowMs } })
    const checkpoint = await mkdtemp(join(tmpdir(), 'sluice-timeout-'))
    try {
      const source = new MemoryStream(COLUMNS)
      const run = async (timeout: GroupTimeout, ...rows: Row[]) => {
        source.add(...rows)
        const said: unknown[] = []
        const frame = timed.readStream
          .format(source)
          .load()
          .withWatermark('at', '0s')
          .groupByKey('user')
          .flatMapGroupsWithState(
            { state: 'json', output: 'user STRING', outputMode: 'append', timeout },
            (key, mine, state) => {
              said.push(`${key['user']} ${state.hasTimedOut ? 'timeout' : mine.length}`)
              if (state.hasTimedOut) state.remove()
              else if (timeout === 'eventTime') state.setTimeoutTimestamp(key['user'] === 'a' ? 5000 : 5001)
              else state.setTimeoutDuration('2 seconds')
              return []
            },
          )
        const query = await frame.writeStream
          .option('checkpointLocation', join(checkpoint, timeout))
          .format('noop')
          .trigger({ availableNow: true })
          .start()
        await query.awaitTermination()
        const state = query.lastProgress?.stateOperators[0]
        return [...said, ...query.recentProgress.map(({ numInputRows }) => numInputRows), state?.numRowsTotal]
      }
      const row = (user: string, at: number) => ({ user, n: 0n, at: new Date(at) })
      // A watermark that moves is worth a batch without rows.
      assert.deepEqual(await run('eventTime', row('a', 1000), row('b', 5001)), [
        'a 1',
        'b 1',
        'a timeout',
        2,
        0,
        1,
      ])
      assert.deepEqual(await run('eventTime', row('c', 5002)), ['c 1', 'b timeout', 'c timeout', 1, 0, 0])
      assert.deepEqual(await run('eventTime'), [undefined])
      // So is a time that has passed; nobody waits for one that has not.
      assert.deepEqual(await run('processingTime'), ['a 1', 'b 1', 'c 1', 3, 3])
      nowMs += 2000
      assert.deepEqual(await run('processingTime'), [undefined])
      nowMs += 1
      assert.deepEqual(await run('processingTime'), ['a timeout', 'b timeout', 'c timeout', 0, 0])
      assert.deepEqual(await run('processingTime'), [undefined])
      const other = timed.readStream
        .format(source)
        .load()
        .groupByKey('n')
        .flatMapGroupsWithState(
          { state: { n: 'INT' }, output: 'user STRING', outputMode: 'append' },
          () => [],
        )
      const restarted = other.writeStream
        .option('checkpointLocation', join(checkpoint, 'eventTime'))
        .format('noop')
        .start()
      await assert.rejects(
        restarted,
        (error) =>
          hasCode(error, 'CHECKPOINT_INCOMPATIBLE') &&
          /key was "user", now "n".*state was "VARCHAR"/.test(error.message),
      )
    } finally {
      await timed.close()
      await rm(checkpoint, { recursive: true, force: true })
    }
  })

  test('fails its batch with a code and without the data when it does what it may not', async () => {
    stream.add({ user: 'secret', n: 1n, at: new Date(0) })
    const options = { state: { total: 'BIGINT' }, output: { sum: 'BIGINT' }, outputMode: 'append' } as const
    const cases: readonly (readonly [code: GroupFunction<Row, Iterable<Row>>, reason: RegExp])[] = [
      [
        (key) => {
          throw new RangeError(`no ${key['user']}`)
        },
        /'flatMapGroupsWithState' failed in batch 0: it threw RangeError at .*keyed-groups\.test\.ts/,
      ],
      [(_, __, state) => [{ sum: state.get()['total'] }], /get\(\) is refused: the group has no state/],
      [
        (_, __, state) => {
          state.setTimeoutDuration(1)
          return []
        },
        /setTimeoutDuration\(\) is refused: it needs timeout: 'processingTime'/,
      ],
      [
        (_, __, state) => {
          state.getCurrentWatermarkMs()
          return []
        },
        /getCurrentWatermarkMs\(\) is refused: it needs withWatermark/,
      ],
      [
        (_, __, state) => {
          state.update(null as never)
          return []
        },
        /update\(\) is refused: a state cannot be null/,
      ],
      [
        (_, __, state) => {
          state.update({ totl: 1 })
          return []
        },
        /the field 'totl' where one of total is due/,
      ],
      [
        (key, __, state) => {
          state.update({ total: key['user'] })
          return []
        },
        /a string where BIGINT is due/,
      ],
      [(key) => [{ sum: key['user'] }], /a string where BIGINT is due/],
      [() => [{ other: 1 }], /the field 'other' where one of sum is due/],
      [() => [7] as never, /a number where a row is due/],
      [() => Promise.reject(new Error('late')) as never, /a promise/],
    ]
    for (const [code, reason] of cases) {
      await assert.rejects(
        drain(events.groupByKey('user').flatMapGroupsWithState(options, code), 'append'),
        (error) => {
          assert.ok(hasCode(error, 'UDF_FAILED') && reason.test(error.message), String(error))
          assert.ok(!error.message.includes('secret'))
          return true
        },
      )
    }
    const code = () => []
    assert.throws(() => events.groupByKey().flatMapGroupsWithState(options, code), { code: 'UDF_INVALID' })
    assert.throws(
      () => events.groupByKey('user').flatMapGroupsWithState(options, (async () => []) as never),
      { code: 'UDF_INVALID' },
    )
    assert.throws(
      () => events.groupByKey('user').flatMapGroupsWithState({ ...options, timeout: 'soon' as never }, code),
      { code: 'UDF_INVALID' },
    )
    await assert.rejects(drain(events.groupByKey('nobody').flatMapGroupsWithState(options, code), 'append'), {
      code: 'SQL_INVALID',
    })
    await assert.rejects(
      drain(
        events.groupByKey('user').flatMapGroupsWithState({ ...options, timeout: 'eventTime' }, code),
        'append',
      ),
      { code: 'WATERMARK_REQUIRED' },
    )
    await assert.rejects(
      drain(
        events
          .groupByKey('user')
          .flatMapGroupsWithState({ ...options, output: 'at TIMESTAMP' }, code)
          .withWatermark('at', '1s'),
        'append',
      ),
      { code: 'EVENT_TIME_INVALID' },
    )
  })

  test('is refused where Spark refuses it', async () => {
    const flat = (frame: DataFrame, outputMode: 'append' | 'update') =>
      frame
        .groupByKey('user')
        .flatMapGroupsWithState({ state: 'json', output: 'user STRING', outputMode }, () => [])
    const map = (frame: DataFrame) =>
      frame.groupByKey('user').mapGroupsWithState({ state: 'json', output: 'user STRING' }, () => ({}))
    const grouped = events.withWatermark('at', '1s').groupBy('user', 'at').agg(count().as('n'))
    const cases: Record<keyof typeof GROUP_REFUSALS, readonly (readonly [DataFrame, OutputMode])[]> = {
      'map-groups-mode': [
        [map(events), 'append'],
        [map(events), 'complete'],
      ],
      'flat-map-groups-mode': [
        [flat(events, 'append'), 'update'],
        [flat(events, 'update'), 'append'],
        [flat(events, 'append'), 'complete'],
      ],
      'groups-on-changing-rows': [[flat(grouped, 'append'), 'append']],
      'aggregate-over-updates': [
        [map(events).groupBy('user').count(), 'update'],
        [flat(events, 'update').groupBy('user').count(), 'complete'],
      ],
      'groups-on-table': [],
    }
    for (const [key, each] of Object.entries(cases)) {
      for (const [frame, mode] of each) {
        const start = frame.writeStream.outputMode(mode).format('noop').start()
        await assert.rejects(
          start,
          (error) => hasCode(error, 'STREAMING_UNSUPPORTED') && error.params.key === key,
          `${key} in ${mode}`,
        )
      }
    }
    await assert.rejects(
      map(session.sql("SELECT 'u' AS user")).collect(),
      (error) => hasCode(error, 'STREAMING_UNSUPPORTED') && error.params.key === 'groups-on-table',
    )
    await assert.rejects(
      flat(events, 'update').dropDuplicates('user').writeStream.outputMode('update').format('noop').start(),
      (error) => hasCode(error, 'STREAMING_UNSUPPORTED') && error.params.key === 'nested-aggregate',
    )
  })
})
