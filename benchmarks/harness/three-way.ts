import { agree, type Exhibit, type Figures } from './benchmark.ts'
import type { Lab } from './lab.ts'
import { figure } from './page.ts'
import type { Stock } from './records.ts'
import { rounded } from './summary.ts'

/**
 * A query of ours against the bare SDK loop and against DuckDB alone: the arms `ours`, `sdk` and `duckdb` of the
 * benchmark, on one stream.
 */
export async function threeWay(lab: Lab, stock: Stock): Promise<Figures> {
  const endpoint = await lab.endpoint()
  await endpoint.seed(stock)
  const parameters = { url: endpoint.url, stream: stock.stream, records: stock.records }
  const ours = await lab.arm('ours', parameters)
  const sdk = await lab.arm('sdk', parameters)
  const duckdb = await lab.arm('duckdb', parameters)
  const times = await lab.compare([ours, sdk, duckdb])
  const [a, b, c] = [times.get('ours')!, times.get('sdk')!, times.get('duckdb')!]
  // Last, for it holds all rows as objects, and the peak of memory is that of a process's life.
  const [own, oracle, loop] = [await ours.verify(), await duckdb.verify(), await sdk.verify()]
  agree('the result', [own.digest, oracle.digest])
  agree('the number of result rows', [own.check, oracle.check])
  agree('the number of records', [stock.records, own.records, oracle.records, loop.records])
  agree('the result rows of a pass', [own.check, a.check, c.check])
  return {
    ours: rounded(a.recordsPerSecond.median),
    sdk: rounded(b.recordsPerSecond.median),
    duckdb: rounded(c.recordsPerSecond.median),
    ratioToSdk: rounded(a.recordsPerSecond.median / b.recordsPerSecond.median, 2),
    ratioToDuckdb: rounded(a.recordsPerSecond.median / c.recordsPerSecond.median, 3),
    peakRssMb: rounded(a.peakRssMb),
    oursSpread: [rounded(a.recordsPerSecond.min), rounded(a.recordsPerSecond.max)],
    sdkSpread: [rounded(b.recordsPerSecond.min), rounded(b.recordsPerSecond.max)],
    duckdbSpread: [rounded(c.recordsPerSecond.min), rounded(c.recordsPerSecond.max)],
    oursCpuSeconds: rounded(a.cpuSeconds, 2),
    sdkCpuSeconds: rounded(b.cpuSeconds, 2),
    duckdbCpuSeconds: rounded(c.cpuSeconds, 2),
    records: stock.records,
    resultRows: own.check,
    digest: own.digest,
  }
}

export function threeWayExhibit(figures: Figures, title: string): Exhibit {
  const rows = (['ours', 'sdk', 'duckdb'] as const).map((side) => [
    {
      ours: 'Sluice, durable checkpoint',
      sdk: 'AWS SDK loop, counting only',
      duckdb: 'DuckDB alone, from a table',
    }[side],
    figure(figures[side]),
    (figures[`${side}Spread`] as unknown as readonly number[]).map((value) => figure(value)).join(' – '),
    figure(figures[`${side}CpuSeconds`], 2),
    figure(Number(figures['ours']) / Number(figures[side]), 2),
  ])
  return {
    columns: ['', 'records/s', 'min – max', 'CPU seconds', 'Sluice is … times as fast'],
    rows,
    plot: {
      title,
      unit: 'thousand records a second',
      groups: [''],
      series: [
        { name: 'Sluice', values: [Number(figures['ours']) / 1000] },
        { name: 'AWS SDK loop', values: [Number(figures['sdk']) / 1000] },
        { name: 'DuckDB alone', values: [Number(figures['duckdb']) / 1000] },
      ],
    },
  }
}
