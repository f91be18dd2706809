import { availableParallelism } from 'node:os'
import { Database } from '../src/duckdb.ts'
import {
  loadNexmark,
  type NexmarkQuery,
  nexmarkQueries,
  nexmarkQuery,
  TUMBLE_MACRO,
} from '../test/support/nexmark.ts'
import { createNexmarkViews, cutNexmark, STILL_CLOCK } from '../test/support/nexmark-stream.ts'
import type { Arm } from './harness/arm.ts'
import { agree, type Benchmark, type Figures } from './harness/benchmark.ts'
import { rowsDigest } from './harness/digest.ts'
import { figure } from './harness/page.ts'
import { queryArm, type State } from './harness/query.ts'
import { rounded } from './harness/summary.ts'

const EVENTS = 500_000
const BATCH_EVENTS = 50_000
/** Refused, for the reason that `sql/nexmark` gives. */
const REFUSED = ['q6']

interface Parameters {
  readonly query: string
  readonly events: number
}

/** A hundred seconds, in order, as the source of the suite makes them by default. */
const settingsOf = ({ events }: Parameters) => ({ seed: 1, events, interEventMicros: 200 })

/** The query as a stream; the making of the events is part of it. */
async function streamed(parameters: Parameters): Promise<Arm> {
  const query = nexmarkQuery(parameters.query)
  const load = (table: string) => cutNexmark({ ...settingsOf(parameters), table }, query, () => BATCH_EVENTS)
  const arm = await queryArm({
    ...(query.key.length > 0 && { keys: query.key }),
    clock: STILL_CLOCK,
    describe: async (session) => {
      await createNexmarkViews(session, query, (table) => session.readStream.format(load(table)).load())
      return session.sql(query.sql).writeStream.outputMode(query.mode)
    },
  })
  // All streams of the suite together, of which a query may read one.
  const { events: records } = parameters
  return {
    ...arm,
    run: async () => ({ ...(await arm.run()), records }),
    verify: async () => ({ ...(await arm.verify!()), records }),
  }
}

/** The batch form, by plain DuckDB with all its threads over tables that are filled beforehand. */
async function batch(parameters: Parameters): Promise<Arm> {
  const query = nexmarkQuery(parameters.query)
  const database = await Database.open()
  const connection = await database.connect()
  await connection.run(`SET threads = ${availableParallelism()}`)
  await connection.run(TUMBLE_MACRO)
  await loadNexmark(connection, settingsOf(parameters))
  for (const table of ['person', 'auction', 'bid']) {
    await connection.run(`CREATE TEMP TABLE stored AS FROM ${table}`)
    await connection.run(`DROP VIEW ${table}`)
    await connection.run(`ALTER TABLE stored RENAME TO ${table}`)
  }
  for (const statement of query.setup) await connection.run(statement)
  const run = async () => {
    await connection.run(`CREATE OR REPLACE TEMP TABLE result AS ${query.batchSql}`)
    return {
      records: parameters.events,
      check: Number(await connection.value('SELECT count(*) FROM result')),
    }
  }
  return {
    run,
    verify: async () => ({ ...(await run()), digest: rowsDigest(await connection.rows('FROM result')) }),
    close: async () => {
      connection.close()
      database.close()
    },
  }
}

const QUERIES = nexmarkQueries().filter(({ name }) => !REFUSED.includes(name))

export const nexmark: Benchmark = {
  name: 'nexmark',
  question:
    'Events a second and size of the state, query by query of the Nexmark suite; durable checkpoint. --query qN for one.',
  arms: { streamed, batch },
  queries: QUERIES.map(({ name }) => name),

  async run(lab): Promise<Figures> {
    const cases: Figures[] = []
    for (const query of QUERIES.filter(({ name }) => name === (lab.query ?? name))) {
      cases.push(await measured(query, lab.scaled(EVENTS)))
      lab.say(JSON.stringify(cases.at(-1)))
      await lab.close()
    }
    return { events: lab.scaled(EVENTS), cases }

    async function measured({ name, mode }: NexmarkQuery, events: number): Promise<Figures> {
      const parameters = { query: name, events }
      const [ours, duckdb] = [await lab.arm('streamed', parameters), await lab.arm('batch', parameters)]
      agree(`the answer to ${name}`, [(await ours.verify()).digest, (await duckdb.verify()).digest])
      const state = (await ours.observe(null)) as unknown as State
      const times = await lab.compare([ours, duckdb])
      const [a, b] = [times.get('streamed')!, times.get('batch')!]
      return {
        query: name,
        mode,
        ours: rounded(a.recordsPerSecond.median),
        duckdb: rounded(b.recordsPerSecond.median),
        ratioToDuckdb: rounded(a.recordsPerSecond.median / b.recordsPerSecond.median, 3),
        stateRows: state.rows,
        stateBytes: state.bytes,
        peakRssMb: rounded(a.peakRssMb),
      }
    }
  },

  exhibit(figures) {
    const cases = figures['cases'] as unknown as readonly Readonly<Record<string, string | number>>[]
    return {
      columns: [
        'query',
        'mode',
        'events/s',
        'DuckDB alone, events/s',
        'ratio',
        'rows of state, most',
        'state on disk, MB',
      ],
      rows: cases.map((each) => [
        String(each['query']),
        String(each['mode']),
        figure(each['ours']),
        figure(each['duckdb']),
        figure(each['ratioToDuckdb'], 3),
        figure(each['stateRows']),
        figure(Number(each['stateBytes']) / 1e6, 1),
      ]),
      plot: {
        title: 'Nexmark, query by query',
        unit: 'thousand events a second',
        groups: cases.map((each) => String(each['query'])),
        series: [{ name: 'Sluice', values: cases.map((each) => Number(each['ours']) / 1000) }],
      },
    }
  },
}
