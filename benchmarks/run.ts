import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import yargs from 'yargs'
import { hideBin } from 'yargs/helpers'
import { BENCHMARKS } from './benchmarks.ts'
import type { Benchmark } from './harness/benchmark.ts'
import { compile } from './harness/compile.ts'
import { Lab } from './harness/lab.ts'
import { machine } from './harness/machine.ts'
import { markdown, writePage } from './harness/page.ts'
import { keep } from './harness/results.ts'

const WIDTH = Math.max(...BENCHMARKS.map((each) => each.name.length))
const LIST = BENCHMARKS.map(({ name, question }) => `  ${name.padEnd(WIDTH)}  ${question}`).join('\n')

/** `npm run bench` lists the benchmarks; `npm run bench -- NAME` runs one. */
const cli = yargs(hideBin(process.argv))
  .scriptName('npm run bench --')
  .locale('en')
  .wrap(null)
  .usage(`$0 NAME [options]\n\n${LIST}`)
  .options({
    json: { type: 'boolean', default: false, describe: 'the last line is one JSON object with the figures' },
    runs: { type: 'number', default: 5, requiresArg: true, describe: 'timed passes of each side' },
    scale: {
      type: 'number',
      default: 1,
      requiresArg: true,
      describe: 'share of the usual data, for a quick look; such a run is not kept',
    },
    query: {
      type: 'string',
      requiresArg: true,
      describe: 'qN of nexmark: this query alone; such a run is not kept',
    },
    profile: {
      type: 'boolean',
      default: false,
      describe: 'CPU profiles of every process, in a temporary folder; such a run is not kept',
    },
    page: {
      type: 'boolean',
      default: false,
      describe: 'write docs/benchmarks.md again from the kept results',
    },
  })
  .version(false)
  .strictOptions()
  .check(({ _: [name, ...others], runs, scale, query }) => {
    const chosen = BENCHMARKS.find((each) => each.name === name)
    if (name !== undefined && !chosen) return `no benchmark is called '${name}'`
    if (others.length > 0) return `one benchmark at a time: '${others.join(' ')}' is too much`
    if (query !== undefined && !chosen?.queries?.includes(query))
      return chosen?.queries
        ? `no query is called '${query}', or it is refused`
        : '--query is for nexmark alone'
    if (!(Number.isInteger(runs) && runs > 0)) return '--runs is a whole number, 1 or more'
    return scale > 0 || '--scale is a number above 0'
  })
const values = cli.parseSync()
const benchmark = BENCHMARKS.find(({ name }) => name === values._[0])
if (benchmark) await measure(benchmark)
else if (values.page) await writePage(BENCHMARKS)
else cli.showHelp('log')

async function measure(chosen: Benchmark): Promise<void> {
  const profileDirectory = values.profile ? await mkdtemp(join(tmpdir(), 'sluice-profile-')) : undefined
  const before = machine()
  const say = (line: string): void => void process.stderr.write(`${line}\n`)
  const { runs, scale, query } = values
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
