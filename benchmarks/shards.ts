import { agree, type Benchmark, type Figures } from './harness/benchmark.ts'
import { unpaced } from './harness/kinesis-options.ts'
import { figure } from './harness/page.ts'
import { queryArm } from './harness/query.ts'
import type { SdkLoopParameters } from './harness/sdk-loop.ts'
import { rounded } from './harness/summary.ts'

const SHARDS = [1, 10, 100, 1000]
const RECORDS = 400_000

export const shards: Benchmark = {
  name: 'shards',
  question: 'The same records spread over 1 to 1,000 shards: a count over the stream, durable checkpoint.',
  arms: {
    ours: ({ url, stream }: SdkLoopParameters) =>
      queryArm({
        keys: [],
        describe: (session) => {
          session.readStream
            .format('kinesis')
            .options(unpaced(url, stream))
            .load()
            .createOrReplaceTempView('clicks')
          const totals = session.sql('SELECT count(*) AS n, sum(octet_length(data)) AS bytes FROM clicks')
          return totals.writeStream.outputMode('update')
        },
      }),
  },

  async run(lab): Promise<Figures> {
    const records = lab.scaled(RECORDS)
    const cases: Figures[] = []
    let digest: string | undefined
    for (const count of SHARDS) {
      const endpoint = await lab.endpoint()
      const stream = `clicks-${count}`
      await endpoint.seed({ stream, kind: 'clicks', shards: count, records, recordBytes: 200 })
      const arm = await lab.arm('ours', { url: endpoint.url, stream, records })
      const proof = await arm.verify()
      digest ??= proof.digest
      agree('the totals', [digest, proof.digest])
      const summary = (await lab.compare([arm])).get('ours')!
      agree('the number of records', [records, proof.records, summary.records])
      cases.push({
        shards: count,
        recordsPerSecond: rounded(summary.recordsPerSecond.median),
        minMs: rounded(summary.ms.min),
        medianMs: rounded(summary.ms.median),
        maxMs: rounded(summary.ms.max),
        cpuSeconds: rounded(summary.cpuSeconds, 2),
        peakRssMb: rounded(summary.peakRssMb),
      })
      lab.say(JSON.stringify(cases.at(-1)))
      await lab.close()
    }
    return { records, cases }
  },

  exhibit(figures) {
    const cases = figures['cases'] as unknown as readonly Readonly<Record<string, number>>[]
    return {
      columns: ['shards', 'records/s', 'ms for all', 'min – max', 'CPU seconds', 'peak memory, MB'],
      rows: cases.map((each) => [
        figure(each['shards']),
        figure(each['recordsPerSecond']),
        figure(each['medianMs']),
        `${figure(each['minMs'])} – ${figure(each['maxMs'])}`,
        figure(each['cpuSeconds'], 2),
        figure(each['peakRssMb']),
      ]),
      plot: {
        title: 'Records a second by number of shards',
        unit: 'thousand records a second',
        groups: cases.map((each) => `${figure(each['shards'])} shards`),
        series: [{ name: 'Sluice', values: cases.map((each) => (each['recordsPerSecond'] ?? 0) / 1000) }],
      },
    }
  },
}
