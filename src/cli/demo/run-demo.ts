import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../clock.ts'
import type { DemoArguments } from '../demo.ts'
import { stopSignals } from '../stop-signals.ts'
import { startEndpoint } from './endpoint.ts'
import { Narrator } from './narrator.ts'
import { playDemo } from './play-demo.ts'
import { DemoStream } from './stream.ts'

/** Sets the stage, plays the demo on it, and clears everything away however it ends. */
export async function runDemo(args: DemoArguments): Promise<void> {
  const clock = systemClock
  const narrator = new Narrator(clock, process.stdout)
  const signals = stopSignals((name) => narrator.say('stop', `${name}: clearing away`))
  const { signal } = signals
  const leaving: (() => unknown)[] = []
  try {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-demo-'))
    leaving.push(() =>
      args.keep ? narrator.say('kept', folder) : rm(folder, { recursive: true, force: true }),
    )
    const endpoint = await startEndpoint(args.endpoint, clock, signal)
    leaving.push(async () => {
      endpoint.child.kill()
      await endpoint.child.ended
    })
    narrator.say('endpoint', `${endpoint.name} answers on ${endpoint.url} (process ${endpoint.child.pid})`)
    const stream = new DemoStream('sentences', endpoint.url)
    leaving.push(() => stream.close())
    await playDemo({ ...args, folder, endpointUrl: endpoint.url, stream, clock, signal, narrator })
  } catch (error) {
    if (!signal.aborted) throw error
    process.exitCode = signals.exitCode
  } finally {
    narrator.endProgress()
    for (const leave of leaving.reverse()) await leave()
    signals.release()
  }
}
