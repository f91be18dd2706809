import type { Json } from '../src/batch.ts'
import { Session } from '../src/index.ts'
import { silentLogger } from '../src/log.ts'
import type { Arm } from './harness/arm.ts'
import { arrowFormat } from './harness/arrow-source.ts'
import { batchTimes } from './harness/batch-times.ts'
import { agree, type Benchmark, type Figures } from './harness/benchmark.ts'
import { unpaced } from './harness/kinesis-options.ts'
import { figure } from './harness/page.ts'
import { quantile, rounded, spreadOf } from './harness/summary.ts'

const RATES = [
  { perSecond: 1, seconds: 15 },
  { perSecond: 1000, seconds: 6 },
  { perSecond: 10_000, seconds: 6 },
] as const
/** As fast as it goes, and as fast as a real shard allows. */
const PACES = [
  { name: 'unpaced', fetchInterval: '5ms' },
  { name: 'as a shard allows', fetchInterval: '250ms' },
] as const
/** Before this much time has passed, the query is still starting. */
const SKIPPED_MS = 1500
const SMALL_BATCHES = 150
const SMALL_ROWS = 1000

interface Parameters {
  readonly url: string
  readonly stream: string
  readonly fetchInterval: string
}

/** Reads until it was asked, and tells how old every record was when the sink had it. */
async function putToSink({ url, stream, fetchInterval }: Parameters): Promise<Arm> {
  const session = await Session.create({ log: silentLogger })
  const records = session.readStream
    .format('kinesis')
    .options({ ...unpaced(url, stream), fetchInterval })
    .schema({ n: 'BIGINT', sentMs: 'DOUBLE' })
    .load()
  const seen: { readonly n: number; readonly sentMs: number; readonly ms: number }[] = []
  const query = await records.writeStream
    .foreachBatch(async (batch) => {
      const rows = await batch.toObjects()
      const now = performance.timeOrigin + performance.now()
      for (const { n, sentMs } of rows)
        seen.push({ n: Number(n), sentMs: Number(sentMs), ms: now - Number(sentMs) })
    })
    .start()
  return {
    run: async () => ({ records: 0, check: 0 }),
    observe: async (): Promise<Json> => {
      await query.processAllAvailable()
      const start = seen[0]?.sentMs ?? 0
      const timed = seen.filter(({ sentMs }) => sentMs - start >= SKIPPED_MS)
      const sorted = timed.map(({ ms }) => ms).sort((a, b) => a - b)
      return {
        distinct: new Set(seen.map(({ n }) => n)).size,
        records: seen.length,
        p50Ms: quantile(sorted, 0.5),
        p99Ms: quantile(sorted, 0.99),
        maxMs: sorted.at(-1) ?? 0,
      }
    },
    close: () => session.close(),
  }
}

/** What a batch of 1,000 rows costs when there is nothing to fetch and nothing to parse. */
async function smallBatches(): Promise<Arm> {
  return {
    run: async () => ({ records: 0, check: 0 }),
    observe: async (): Promise<Json> => {
      const format = arrowFormat({
        keysOf: (index) =>
          index < SMALL_BATCHES ? Array.from({ length: SMALL_ROWS }, (_, i) => BigInt(i)) : undefined,
      })
      const times = await batchTimes((session) => {
        session.readStream.format(format).load().createOrReplaceTempView('numbers')
        return session.sql('SELECT key + 1 AS next FROM numbers WHERE key % 2 = 0').writeStream
      })
      const rowsOut = times.reduce((sum, { progress }) => sum + progress.sink.numOutputRows, 0)
      return { ms: times.slice(20).map(({ ms }) => ms), batches: times.length, rowsOut }
    },
    close: async () => undefined,
  }
}

export const latency: Benchmark = {
  name: 'latency',
  question:
    'From the put of a record to the sink, p50 and p99, and the fixed cost of a small batch (1,000 rows, durable checkpoint).',
  arms: { putToSink, smallBatches },

  async run(lab): Promise<Figures> {
    const small = await lab.arm('smallBatches', null)
    const seen = (await small.observe(null)) as { ms: number[]; batches: number; rowsOut: number }
    await small.stop()
    agree('the number of small batches', [SMALL_BATCHES, seen.batches])
    agree('the rows out of small batches', [(SMALL_BATCHES * SMALL_ROWS) / 2, seen.rowsOut])
    const batch = spreadOf(seen.ms)
    const cases: Figures[] = []
    for (const pace of PACES) {
      for (const { perSecond, seconds } of RATES) {
        const endpoint = await lab.endpoint()
        const stream = 'fresh'
        await endpoint.create(stream, 1)
        const arm = await lab.arm('putToSink', {
          url: endpoint.url,
          stream,
          fetchInterval: pace.fetchInterval,
        })
        const records = perSecond * (lab.scale < 1 ? Math.min(seconds, 4) : seconds)
        await endpoint.pace(stream, perSecond, records)
        const found = (await arm.observe(null)) as Record<string, number>
        agree('the number of records', [records, found['records']!, found['distinct']!])
        cases.push({
          perSecond,
          pace: pace.name,
          p50Ms: rounded(found['p50Ms']!, 1),
          p99Ms: rounded(found['p99Ms']!, 1),
          maxMs: rounded(found['maxMs']!, 1),
        })
        lab.say(JSON.stringify(cases.at(-1)))
        await lab.close()
      }
    }
    return {
      smallBatchMs: rounded(batch.median, 2),
      smallBatchMinMs: rounded(batch.min, 2),
      smallBatchMaxMs: rounded(batch.max, 2),
      cases,
    }
  },

  exhibit(figures) {
    const cases = figures['cases'] as unknown as readonly Readonly<Record<string, string | number>>[]
    const small = [
      'a small batch, fixed cost',
      '',
      `${figure(figures['smallBatchMs'], 2)}`,
      '',
      `${figure(figures['smallBatchMaxMs'], 1)}`,
    ]
    return {
      columns: ['records/s', 'reads of the shard', 'p50, ms', 'p99, ms', 'most, ms'],
      rows: [
        ...cases.map((each) => [
          figure(each['perSecond']),
          String(each['pace']),
          figure(each['p50Ms'], 1),
          figure(each['p99Ms'], 1),
          figure(each['maxMs'], 1),
        ]),
        small,
      ],
    }
  },
}
