import { agree, type Benchmark, type Figures } from './harness/benchmark.ts'
import type { TableParameters } from './harness/duckdb-alone.ts'
import { figure } from './harness/page.ts'
import { rounded } from './harness/summary.ts'
import { stateless } from './stateless.ts'

const RECORDS = 400_000
const TIMES = 10

export const memory: Benchmark = {
  name: 'memory',
  question: 'Peak memory of the stateless query at full speed, and again after ten times the data.',
  arms: { ours: (parameters: TableParameters) => stateless.arms['ours']!(parameters as never) },

  async run(lab): Promise<Figures> {
    const records = lab.scaled(RECORDS)
    const endpoint = await lab.endpoint()
    await endpoint.seed({ stream: 'clicks', kind: 'clicks', shards: 4, records, recordBytes: 200 })
    const arm = await lab.arm('ours', { url: endpoint.url, stream: 'clicks', records })
    const peaks: number[] = []
    const checks: number[] = []
    for (let pass = 0; pass < TIMES; pass++) {
      const { peakRssMb, check, records: read } = await arm.run()
      agree('the number of records', [records, read])
      peaks.push(rounded(peakRssMb))
      checks.push(check)
    }
    agree('the result rows of a pass', checks)
    return { records, peakRssMb: peaks[0]!, peakRssMbAfterTenTimes: peaks.at(-1)!, peaks }
  },

  exhibit(figures) {
    const peaks = figures['peaks'] as unknown as readonly number[]
    return {
      columns: ['records read', 'peak memory so far, MB'],
      rows: peaks.map((peak, index) => [figure(Number(figures['records']) * (index + 1)), figure(peak)]),
      plot: {
        title: 'Peak memory over ten times the data',
        unit: 'MB, highest resident set so far',
        groups: peaks.map((_, index) => `${index + 1}×`),
        series: [{ name: 'Sluice', values: peaks }],
      },
    }
  },
}
