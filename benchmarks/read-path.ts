import { createHash } from 'node:crypto'
import { systemClock } from '../src/clock.ts'
import { Database } from '../src/duckdb.ts'
import { silentLogger } from '../src/log.ts'
import { kinesisFormat } from '../src/sources/kinesis/format.ts'
import type { Arm, Tally } from './harness/arm.ts'
import { agree, type Benchmark, type Figures } from './harness/benchmark.ts'
import { Digest } from './harness/digest.ts'
import { unpaced } from './harness/kinesis-options.ts'
import { figure } from './harness/page.ts'
import { type SdkLoopParameters, sdkLoop } from './harness/sdk-loop.ts'
import { rounded } from './harness/summary.ts'

/** Records of each size; enough for some hundred milliseconds of the faster side. */
const CASES = [
  { recordBytes: 100, records: 800_000 },
  { recordBytes: 200, records: 800_000 },
  { recordBytes: 1024, records: 200_000 },
  { recordBytes: 10_240, records: 20_000 },
] as const
const SHARDS = 4

/** From GetRecords to a table that DuckDB can query: the project's own source and `Connection.attach`. */
async function relation({ url, stream, records }: SdkLoopParameters): Promise<Arm> {
  const database = await Database.open()
  const connection = await database.connect()
  const readAll = async (use: () => Promise<void>): Promise<void> => {
    const options = new Map(Object.entries(unpaced(url, stream)))
    const source = kinesisFormat.open({ options, clock: systemClock, log: silentLogger })
    const { signal } = new AbortController()
    try {
      let left = records
      // As in a query, the next batch is on its way while this one is worked on.
      let from = await source.initial()
      let next = source.read(from, signal)
      while (left > 0) {
        const { batch, drained } = await next
        if (!batch && drained) throw new RangeError(`the stream ended ${left} records early`)
        left -= batch?.rows ?? 0
        from = batch?.range.end ?? from
        if (left > 0) next = source.read(from, signal)
        // On a busy machine a read may end before the first answer has come.
        if (!batch) continue
        await connection.attach('batch', source.schema, batch.records)
        await use()
        batch.release?.()
      }
    } finally {
      await source.close()
    }
  }
  return {
    run: async (): Promise<Tally> => {
      let count = 0
      let bytes = 0
      await readAll(async () => {
        const [row] = await connection.rows(
          'SELECT count(*) AS n, sum(octet_length(data)) AS bytes FROM batch',
        )
        count += Number(row?.['n'])
        bytes += Number(row?.['bytes'])
      })
      return { records: count, check: bytes }
    },
    verify: async () => {
      const digest = new Digest()
      let bytes = 0
      await readAll(async () => {
        const rows = await connection.rows(
          'SELECT "partitionKey" AS k, "sequenceNumber" AS s, data FROM batch',
        )
        for (const { k, s, data } of rows as { k: string; s: string; data: Uint8Array }[]) {
          digest.add(createHash('sha256').update(k).update('\0').update(s).update('\0').update(data))
          bytes += data.length
        }
      })
      return { records: digest.count, check: bytes, digest: digest.value }
    },
    close: async () => {
      connection.close()
      database.close()
    },
  }
}

interface Case {
  readonly recordBytes: number
  readonly ours: number
  readonly sdk: number
  readonly ratio: number
  readonly oursSpread: readonly [number, number]
  readonly sdkSpread: readonly [number, number]
}

export const readPath: Benchmark = {
  name: 'read-path',
  question:
    'GetRecords bytes to a relation that DuckDB can query, against the plain AWS SDK loop that only counts records.',
  arms: { ours: relation, sdk: sdkLoop },

  async run(lab): Promise<Figures> {
    const cases: Figures[] = []
    for (const { recordBytes, records: usual } of CASES) {
      const records = lab.scaled(usual)
      const endpoint = await lab.endpoint()
      const stream = `clicks-${recordBytes}`
      await endpoint.seed({ stream, kind: 'clicks', shards: SHARDS, records, recordBytes })
      const parameters = { url: endpoint.url, stream, records }
      const ours = await lab.arm('ours', parameters)
      const sdk = await lab.arm('sdk', parameters)
      const times = await lab.compare([ours, sdk])
      const [a, b] = [times.get('ours')!, times.get('sdk')!]
      // Last, for it makes objects of all rows, and the peak of memory is that of a process's life.
      const proofs = [await ours.verify(), await sdk.verify()]
      agree(
        'the digest',
        proofs.map(({ digest }) => digest),
      )
      agree('the number of records', [records, ...proofs.map((proof) => proof.records)])
      agree('the bytes of a pass', [a.check, b.check, ...proofs.map((proof) => proof.check)])
      cases.push({
        recordBytes,
        ours: rounded(a.recordsPerSecond.median),
        sdk: rounded(b.recordsPerSecond.median),
        ratio: rounded(a.recordsPerSecond.median / b.recordsPerSecond.median, 2),
        oursSpread: [rounded(a.recordsPerSecond.min), rounded(a.recordsPerSecond.max)],
        sdkSpread: [rounded(b.recordsPerSecond.min), rounded(b.recordsPerSecond.max)],
        oursCpuSeconds: rounded(a.cpuSeconds, 2),
        sdkCpuSeconds: rounded(b.cpuSeconds, 2),
        oursPeakRssMb: rounded(a.peakRssMb),
        sdkPeakRssMb: rounded(b.peakRssMb),
        digest: proofs[0]!.digest,
      })
      lab.say(`${recordBytes} B: ${JSON.stringify(cases.at(-1))}`)
      await lab.close()
    }
    return { cases }
  },

  exhibit(figures) {
    const cases = figures['cases'] as unknown as readonly Case[]
    return {
      columns: ['record', 'ours, records/s', 'min – max', 'SDK loop, records/s', 'min – max', 'ratio'],
      rows: cases.map((each) => [
        `${each.recordBytes} B`,
        figure(each.ours),
        each.oursSpread.map((value) => figure(value)).join(' – '),
        figure(each.sdk),
        each.sdkSpread.map((value) => figure(value)).join(' – '),
        each.ratio,
      ]),
      plot: {
        title: 'Read path: bytes of GetRecords to a queryable relation',
        unit: 'thousand records a second',
        groups: cases.map(({ recordBytes }) => `${recordBytes} B`),
        series: [
          { name: 'Sluice', values: cases.map(({ ours }) => ours / 1000) },
          { name: 'AWS SDK loop', values: cases.map(({ sdk }) => sdk / 1000) },
        ],
      },
    }
  },
}
