import type { Json } from '../../src/batch.ts'
import { BENCHMARKS } from '../benchmarks.ts'
import type { Arm, Pass } from './arm.ts'
import { serveParent } from './child.ts'

/** A process that holds one arm and does what its parent asks: `node arm-process.js BENCHMARK ARM PARAMETERS`. */
const [name = '', armName = '', parameters = '{}'] = process.argv.slice(2)
const open = BENCHMARKS.find((benchmark) => benchmark.name === name)?.arms[armName]
if (!open) throw new RangeError(`no arm '${armName}' of benchmark '${name}'`)
const arm = await open(JSON.parse(parameters) as never)

serveParent({
  run: () => timed(arm),
  verify: () => arm.verify?.() ?? Promise.reject(new RangeError(`arm '${armName}' has no digest`)),
  observe: (request: Json) =>
    arm.observe?.(request) ?? Promise.reject(new RangeError(`arm '${armName}' observes nothing`)),
  close: () => arm.close(),
})

async function timed(each: Arm): Promise<Pass> {
  globalThis.gc?.()
  const cpu = process.cpuUsage()
  const start = performance.now()
  const tally = await each.run()
  const ms = performance.now() - start
  const { user, system } = process.cpuUsage(cpu)
  return { ...tally, ms, cpuMs: (user + system) / 1000, peakRssMb: process.resourceUsage().maxRSS / 1024 }
}
