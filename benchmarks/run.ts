import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { BENCHMARKS } from './benchmarks.ts'
import type { Benchmark } from './harness/benchmark.ts'
import { compile } from './harness/compile.ts'
import { Lab } from './harness/lab.ts'
import { machine } from './harness/machine.ts'
import { markdown, writePage } from './harness/page.ts'
import { keep } from './harness/results.ts'

/** `npm run bench` lists the benchmarks; `npm run bench -- NAME` runs one. */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    runs: { type: 'string', default: '5' },
    scale: { type: 'string', default: '1' },
    query: { type: 'string' },
    profile: { type: 'boolean', default: false },
    page: { type: 'boolean', default: false },
  },
})

const USAGE = `
npm run bench -- NAME [options]
  --json        the last line is one JSON object with the figures
  --runs N      timed passes of each side (default 5)
  --scale X     share of the usual data, for a quick look; such a run is not kept
  --query qN    of nexmark: this query alone; such a run is not kept
  --profile     CPU profiles of every process, in a temporary folder; such a run is not kept
npm run bench -- --page    writes docs/benchmarks.md again from the kept results
`

const [name] = positionals
const benchmark = BENCHMARKS.find((each) => each.name === name)
if (benchmark) await measure(benchmark)
else if (values.page) await writePage(BENCHMARKS)
else list()

function list(): void {
  const width = Math.max(...BENCHMARKS.map((each) => each.name.length))
  for (const each of BENCHMARKS) process.stdout.write(`${each.name.padEnd(width)}  ${each.question}\n`)
  process.stdout.write(USAGE)
  if (name !== undefined) {
    process.stderr.write(`\nno benchmark is called '${name}'\n`)
    process.exitCode = 2
  }
}

async function measure(chosen: Benchmark): Promise<void> {
  const runs = Number(values.runs)
  const scale = Number(values.scale)
  const profileDirectory = values.profile ? await mkdtemp(join(tmpdir(), 'sluice-profile-')) : undefined
  const before = machine()
  const say = (line: string): void => void process.stderr.write(`${line}\n`)
  const { query } = values
  const lab = new Lab({
    name: chosen.name,
    compiled: await compile(),
    runs,
    scale,
    query,
    profileDirectory,
    say,
  })
  try {
    const figures = await chosen.run(lab)
    if (scale === 1 && query === undefined && profileDirectory === undefined) {
      await keep(chosen.name, { measuredAt: new Date().toISOString(), machine: before, runs, scale, figures })
      await writePage(BENCHMARKS)
    }
    process.stdout.write(`${markdown(chosen.exhibit(figures))}\n`)
    if (profileDirectory !== undefined) say(`profiles: ${profileDirectory}`)
    if (values.json) process.stdout.write(`${JSON.stringify({ name: chosen.name, ...figures })}\n`)
  } finally {
    await lab.close()
  }
}
