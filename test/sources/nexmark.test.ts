import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Session } from '../../src/api/session.ts'
import type { Position } from '../../src/batch.ts'
import { type Connection, Database } from '../../src/duckdb.ts'
import { silentLogger } from '../../src/log.ts'
import { NexmarkRows } from '../../src/sources/nexmark/nexmark-rows.ts'
import { parseNexmarkOptions } from '../../src/sources/nexmark/options.ts'
import type { Source } from '../../src/sources/source.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { loadNexmark, type NexmarkSettings, nexmarkRows, openNexmark } from '../support/nexmark.ts'
import { forSeeds } from '../support/seeds.ts'

const never = new AbortController().signal
const TABLES = ['all', 'person', 'auction', 'bid'] as const
const EVENTS = 20_000

function rowsOf(settings: NexmarkSettings): NexmarkRows {
  return new NexmarkRows(parseNexmarkOptions(new Map(Object.entries(settings))), new ManualClock())
}

function textsOf(rows: NexmarkRows, start: number, end: number): string[] {
  return [...rows.records(rows.origin(), start, end)].map((row) =>
    JSON.stringify(row, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value)),
  )
}

describe('the Nexmark stream', () => {
  test('is the same however it is cut', () =>
    forSeeds(8, async (random) => {
      const events = 300 + random.below(300)
      for (const table of TABLES) {
        const settings = { table, seed: random.below(1000), outOfOrderGroupSize: 1 + random.below(200) }
        const whole = textsOf(rowsOf(settings), 0, events)
        const parts: string[] = []
        for (let at = 0; at < events; ) {
          const end = Math.min(events, at + 1 + random.below(100))
          parts.push(...textsOf(rowsOf(settings), at, end))
          at = end
        }
        assert.deepEqual(parts, whole)
      }
    }))

  test('is another one for another seed', () => {
    for (const table of TABLES) {
      const seeds = [1, 2, 2 ** 32 + 1].map((seed) => textsOf(rowsOf({ table, seed }), 0, 100).join())
      assert.equal(new Set(seeds).size, seeds.length)
    }
  })

  test('holds the same events in and out of order', () => {
    const inOrder = textsOf(rowsOf({ table: 'all' }), 0, 700)
    const disordered = textsOf(rowsOf({ table: 'all', outOfOrderGroupSize: 70 }), 0, 700)
    assert.notDeepEqual(disordered, inOrder)
    for (let group = 0; group < 700; group += 70) {
      assert.deepEqual(disordered.slice(group, group + 70).sort(), inOrder.slice(group, group + 70).sort())
    }
  })

  test('goes on beyond 32 bits', () => {
    const rows = rowsOf({ table: 'bid' })
    const far = textsOf(rows, 2 ** 33, 2 ** 33 + 50)
    assert.equal(far.length, 46)
    assert.equal(new Set(far).size, 46)
    assert.notDeepEqual(textsOf(rows, 2 ** 32, 2 ** 32 + 50), far)
  })
})

describe('what Nexmark events say', () => {
  let database: Database
  let connection: Connection

  before(async () => {
    database = await Database.open()
    connection = await database.connect()
    await loadNexmark(connection, { seed: 1, events: EVENTS })
    const source = openNexmark({ events: EVENTS })
    const { batch } = await source.read(await source.initial(), never)
    await connection.attach('event', source.schema, batch?.records ?? [])
  })

  after(() => {
    connection.close()
    database.close()
  })

  /** One row of numbers. */
  async function figures(select: string): Promise<Record<string, number>> {
    const [row] = await connection.rows(select)
    return Object.fromEntries(Object.entries(row ?? {}).map(([name, value]) => [name, Number(value)]))
  }

  const near = (found: number | undefined, expected: number, within: number) =>
    assert.ok(found !== undefined && Math.abs(found - expected) <= within, `${found} is not near ${expected}`)

  test('is the same in one table and in three', async () => {
    for (const [kind, table] of ['person', 'auction', 'bid'].entries()) {
      const structs = `SELECT ${table}.* FROM event WHERE event_type = ${kind}`
      assert.deepEqual(
        await figures(
          `SELECT (SELECT count(*) FROM (${structs})) AS n,
            (SELECT count(*) FROM (${structs} EXCEPT FROM ${table})) AS more,
            (SELECT count(*) FROM (FROM ${table} EXCEPT ${structs})) AS less`,
        ),
        { n: [1, 3, 46][kind]! * (EVENTS / 50), more: 0, less: 0 },
      )
    }
    assert.deepEqual(
      await figures(
        `SELECT count(*) FILTER ((person IS NULL)::INT + (auction IS NULL)::INT + (bid IS NULL)::INT <> 2) AS odd,
          count(*) FILTER (dateTime <> coalesce(person.dateTime, auction.dateTime, bid.dateTime)) AS untimely,
          count(DISTINCT dateTime) AS moments FROM event`,
      ),
      { odd: 0, untimely: 0, moments: EVENTS },
    )
  })

  test('has the sizes of the suite', async () => {
    const { person, auction, bid } = await figures(`SELECT
      (SELECT avg(8 + len(name) + len(emailAddress) + len(creditCard) + len(city) + len(state) + len(extra)) FROM person) AS person,
      (SELECT avg(48 + len(itemName) + len(description) + len(extra)) FROM auction) AS auction,
      (SELECT avg(32 + len(extra)) FROM bid) AS bid`)
    near(person, 200, 4)
    near(auction, 500, 10)
    near(bid, 100, 2)
  })

  test('has the skew of the suite', async () => {
    const bids = await figures(`SELECT
      avg((auction % 100 = 0)::INT) AS hotAuction, avg((bidder % 100 = 1)::INT) AS hotBidder,
      avg((channel IN ('Google', 'Facebook', 'Baidu', 'Apple'))::INT) AS hotChannel,
      avg(contains(url, '&channel_id=')::INT) FILTER (starts_with(channel, 'channel-')) AS named,
      count(DISTINCT url) FILTER (channel = 'Apple') AS appleUrls,
      avg((price < 1000)::INT) AS cheap, avg((price >= 10000000)::INT) AS dear, min(price) AS least, max(price) AS most
      FROM bid`)
    near(bids['hotAuction'], 0.5 + 0.5 / 110, 0.02)
    near(bids['hotBidder'], 0.75, 0.02)
    near(bids['hotChannel'], 0.5, 0.02)
    near(bids['named'], 0.9, 0.02)
    assert.equal(bids['appleUrls'], 1)
    near(bids['cheap'], 1 / 6, 0.01)
    near(bids['dear'], 1 / 6, 0.01)
    assert.ok(bids['least']! >= 100 && bids['most']! <= 100_000_000)
    const auctions =
      await figures(`SELECT avg((seller % 100 = 0)::INT) AS hot, count(DISTINCT category) AS categories,
      min(category) AS first, avg(epoch_ms(expires) - epoch_ms(dateTime)) AS ms, min(reserve - initialBid) AS more FROM auction`)
    near(auctions['hot'], 0.75, 0.02)
    assert.deepEqual([auctions['first'], auctions['categories']], [10, 5])
    // A hundred auctions open at a time: every third of 50 events, 100 microseconds each.
    near(auctions['ms'], (100 * 50) / 3 / 10, 8)
    assert.ok(auctions['more']! >= 100)
    const people = await figures(
      'SELECT count(DISTINCT state) AS states, count(DISTINCT city) AS cities FROM person',
    )
    assert.deepEqual(people, { states: 6, cities: 10 })
  })

  test('names people and auctions that are there or soon will be', async () => {
    assert.deepEqual(
      await figures(`SELECT min(id) AS first, max(id) - min(id) + 1 - count(*) AS holes FROM person`),
      { first: 1000, holes: 0 },
    )
    assert.deepEqual(
      await figures(`SELECT min(id) AS first, max(id) - min(id) + 1 - count(*) AS holes FROM auction`),
      { first: 1000, holes: 0 },
    )
    const strangers = (table: string, column: string, of: string) =>
      figures(`SELECT count(*) FILTER (x.${column} > newest.id + 10) AS n FROM ${table} x
        ASOF JOIN ${of} newest ON x.dateTime >= newest.dateTime`)
    assert.deepEqual(await strangers('auction', 'seller', 'person'), { n: 0 })
    assert.deepEqual(await strangers('bid', 'bidder', 'person'), { n: 0 })
    assert.deepEqual(await strangers('bid', 'auction', 'auction'), { n: 0 })
  })

  test('is what the rows for oracles say', async () => {
    const { person, auction, bid } = await nexmarkRows(1, 1000)
    assert.deepEqual(person, await connection.rows('FROM person LIMIT 20'))
    assert.deepEqual(auction, await connection.rows('FROM auction LIMIT 60'))
    assert.deepEqual(bid, await connection.rows('FROM bid LIMIT 920'))
  })
})

describe('the Nexmark source', () => {
  async function drain(source: Source, from: Position): Promise<{ rows: number[]; end: Position }> {
    const rows: number[] = []
    let end = from
    for (;;) {
      const { batch, drained } = await source.read(end, never)
      if (batch) rows.push(batch.rows)
      end = batch?.range.end ?? end
      if (drained) return { rows, end }
    }
  }

  test('comes to every event of a kind that is rarer than its batches are large', async () => {
    const source = openNexmark({ table: 'person', events: 200, batchEvents: 7 })
    assert.deepEqual((await drain(source, await source.initial())).rows, [1, 1, 1, 1])
  })

  test('ends where it is told to, and goes on when it is told later to end later', async () => {
    const first = openNexmark({ table: 'bid', events: 120, batchEvents: 50 })
    const { rows, end } = await drain(first, await first.initial())
    assert.deepEqual(rows, [46, 46, 16])
    const later = openNexmark({ table: 'bid', events: 150, batchEvents: 50 })
    await later.resume(end)
    assert.deepEqual((await drain(later, end)).rows, [30])
  })

  test('keeps its pace, and after a restart goes on from where it was', async () => {
    const clock = new ManualClock()
    const settings = { table: 'all', eventsPerSecond: 100 }
    const first = openNexmark(settings, clock)
    const initial = await first.initial()
    assert.deepEqual(await first.read(initial, never), { drained: true })
    await clock.advance(1500)
    const { rows, end } = await drain(first, initial)
    assert.deepEqual(rows, [150])
    await clock.advance(60_000)
    const second = openNexmark(settings, clock)
    await second.resume(end)
    assert.deepEqual(await second.read(end, never), { drained: true })
    await clock.advance(1000)
    assert.deepEqual((await drain(second, end)).rows, [100])
  })

  test('refuses to go on in another stream, and says what is different', async () => {
    const source = openNexmark({ seed: 1 })
    const { batch } = await source.read(await source.initial(), never)
    const refusal = (message: RegExp) => ({ code: 'GENERATED_POSITION', message })
    const other = (settings: NexmarkSettings) => openNexmark(settings).resume(batch!.range.end)
    await assert.rejects(other({ seed: 2 }), refusal(/seed was the default and is 2/))
    await assert.rejects(other({ table: 'bid' }), refusal(/table was the default and is bid/))
    await assert.rejects(openNexmark({ seed: 2 }).reread(batch!.range), refusal(/seed/))
    await other({ eventsPerSecond: 5, batchEvents: 9, events: 99, firstEventTime: '2015-07-15' })
    for (const position of [null, 7, 'x', {}, { version: 2 }, { version: 1, origin: {}, next: -1 }]) {
      await assert.rejects(openNexmark({}).resume(position), { code: 'GENERATED_POSITION' })
    }
  })

  test('refuses options that make no stream', () => {
    const refused = (settings: NexmarkSettings, message: RegExp) =>
      assert.throws(() => openNexmark(settings), { code: 'OPTION_INVALID', message })
    refused({ table: 'seller' }, /all \| person \| auction \| bid/)
    refused({ events: 0 }, /at least 1/)
    refused({ outOfOrderGroupSize: 953 * 2 }, /no multiple of 953/)
    refused({ firstEventTime: 'yesterday' }, /an instant such as/)
    refused({ firstEventTime: '2015-13-01' }, /an instant such as/)
    assert.throws(() => openNexmark({ sead: 1 }), { code: 'OPTION_UNKNOWN', message: /did you mean 'seed'/ })
  })

  test('takes the spellings of the Flink connector', async () => {
    const source = openNexmark({ table: 'bid', 'events.num': 100, 'bid.proportion': 6 })
    assert.deepEqual((await drain(source, await source.initial())).rows, [60])
  })

  test('begins at the given time', async () => {
    for (const firstEventTime of [
      '2026-03-04T05:06:07Z',
      '2026-03-04 05:06:07',
      '2026-03-04T07:06:07+02:00',
    ]) {
      const { person } = await nexmarkRows(1, 50, { firstEventTime })
      assert.deepEqual(person[0]?.['dateTime'], new Date('2026-03-04T05:06:07Z'))
    }
  })

  test('is known to SQL', async () => {
    const session = await Session.create({ log: silentLogger })
    try {
      const [query] = await session.run(`
        CREATE STREAM bid USING nexmark OPTIONS (table 'bid', events 1000, batchEvents 300);
        CREATE SINK bids USING memory OPTIONS (outputMode 'append', trigger 'availableNow') AS SELECT price FROM bid`)
      await query?.awaitTermination()
      assert.equal(await session.sql('FROM bids').count(), 920)
      assert.deepEqual(
        query?.recentProgress.map((progress) => progress.sources[0]?.description),
        Array(4).fill('nexmark[bid]'),
      )
    } finally {
      await session.close()
    }
  })
})
