import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Benchmark, Figures } from './harness/benchmark.ts'
import { agree } from './harness/benchmark.ts'
import { figure } from './harness/page.ts'
import { rounded, spreadOf } from './harness/summary.ts'

const RECORDS = 1000

export const startup: Benchmark = {
  name: 'startup',
  question:
    'From the start of a process to the commit of its first batch: import, session, query, 1,000 records, durable checkpoint.',
  arms: {},

  async run(lab): Promise<Figures> {
    const endpoint = await lab.endpoint()
    await endpoint.seed({ stream: 'clicks', kind: 'clicks', shards: 1, records: RECORDS, recordBytes: 200 })
    const times: { ms: number; importMs: number; sessionMs: number }[] = []
    for (let run = 0; run < Math.max(3, 2 * lab.runs) + 1; run++) {
      const start = performance.now()
      const child = spawn(process.execPath, [lab.compiled('harness/first-batch'), endpoint.url, 'clicks'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const [line] = (await once(child.stdout, 'data')) as [Buffer]
      const ms = performance.now() - start
      await once(child, 'exit')
      const said = JSON.parse(line.toString()) as { rows: number; importMs: number; sessionMs: number }
      agree('the rows of the first batch', [RECORDS, said.rows])
      // The first start also reads the files from disk.
      if (run > 0) times.push({ ms, importMs: said.importMs, sessionMs: said.sessionMs })
    }
    const { median, min, max } = spreadOf(times.map(({ ms }) => ms))
    return {
      medianMs: rounded(median),
      minMs: rounded(min),
      maxMs: rounded(max),
      importMs: rounded(spreadOf(times.map(({ importMs }) => importMs)).median),
      sessionMs: rounded(spreadOf(times.map(({ sessionMs }) => sessionMs)).median),
    }
  },

  exhibit: (figures) => ({
    columns: ['', 'ms'],
    rows: [
      ['process start to first commit, median', figure(figures['medianMs'])],
      ['least – most', `${figure(figures['minMs'])} – ${figure(figures['maxMs'])}`],
      ['of these: importing the package', figure(figures['importMs'])],
      ['of these: opening a session', figure(figures['sessionMs'])],
    ],
  }),
}
