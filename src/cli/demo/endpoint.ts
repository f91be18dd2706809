import { once } from 'node:events'
import { createRequire } from 'node:module'
import { type AddressInfo, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import type { Clock } from '../../clock.ts'
import { SluiceError } from '../../errors.ts'
import { Child } from './child.ts'
import type { EndpointChoice } from './endpoint-choice.ts'

export interface Endpoint {
  readonly name: string
  readonly url: string
  readonly child: Child
}

/** Where both endpoints believe to be. */
export const REGION = 'us-east-1'

const READY_WITHIN_MS = 15_000
const CHECK_EVERY_MS = 50
const ATTEMPTS = 3

/**
 * Starts an embedded Kinesis endpoint in a process of its own and waits until it answers.
 *
 * @throws DEMO_ENDPOINT_FAILED
 */
export async function startEndpoint(
  choice: EndpointChoice,
  clock: Clock,
  signal: AbortSignal,
): Promise<Endpoint> {
  const folder = choice === 'double' ? undefined : kinesisLocalFolder()
  if (folder !== undefined) return startKinesisLocal(folder, clock, signal)
  if (choice !== 'local') return startDouble(clock, signal)
  const reason = 'the npm package kinesis-local is not installed'
  throw new SluiceError('DEMO_ENDPOINT_FAILED', { endpoint: 'kinesis-local', reason })
}

async function startDouble(clock: Clock, signal: AbortSignal): Promise<Endpoint> {
  const child = new Child('../../testing/kinesis/serve', ['--port', '0'])
  const answered = await until(clock, signal, child, () => /^listening on (\S+)$/m.exec(child.output)?.[1])
  if (answered !== undefined) return { name: 'the double of sluice/testing', url: answered, child }
  return refuse('the double of sluice/testing', child)
}

/** Ports are free when picked, but may be taken by the time the process binds them: then others are tried. */
async function startKinesisLocal(folder: string, clock: Clock, signal: AbortSignal): Promise<Endpoint> {
  for (let attempt = 1; ; attempt++) {
    const [plain, tls] = (await freePorts(2)) as [number, number]
    const child = new Child(join(folder, 'main.js'), [], {
      KINESIS_MOCK_PLAIN_PORT: String(plain),
      KINESIS_MOCK_TLS_PORT: String(tls),
      // Looked for in the working directory unless absolute.
      KINESIS_MOCK_CERT_PATH: join(folder, 'server.json'),
      AWS_REGION: REGION,
      LOG_LEVEL: 'ERROR',
    })
    const url = `http://127.0.0.1:${plain}`
    if (await until(clock, signal, child, () => isHealthy(url))) return { name: 'kinesis-local', url, child }
    if (child.ending === undefined || attempt === ATTEMPTS) return refuse('kinesis-local', child)
  }
}

function kinesisLocalFolder(): string | undefined {
  try {
    return dirname(createRequire(import.meta.url).resolve('kinesis-local/package.json'))
  } catch {
    // Not installed, as in every project that did not ask for it.
    return undefined
  }
}

async function isHealthy(url: string): Promise<boolean | undefined> {
  const response = await fetch(`${url}/healthcheck`).catch(() => undefined)
  await response?.arrayBuffer()
  return response?.ok || undefined
}

/** What `look` finds, or undefined when the process ends or takes too long before it finds anything. */
async function until<T>(
  clock: Clock,
  signal: AbortSignal,
  child: Child,
  look: () => T | undefined | Promise<T | undefined>,
): Promise<T | undefined> {
  const deadlineMs = clock.monotonic() + READY_WITHIN_MS
  while (child.ending === undefined && clock.monotonic() < deadlineMs) {
    if (signal.aborted) break
    const found = await look()
    if (found !== undefined) return found
    await clock.sleep(CHECK_EVERY_MS, signal)
  }
  if (signal.aborted) child.kill()
  signal.throwIfAborted()
  return undefined
}

function refuse(endpoint: string, child: Child): never {
  const reason =
    child.ending === undefined
      ? `no answer within ${READY_WITHIN_MS / 1000} s`
      : `it ended with ${child.ending}`
  child.kill()
  const words = child.output.trim().split('\n').slice(-3).join(' ')
  throw new SluiceError('DEMO_ENDPOINT_FAILED', {
    endpoint,
    reason: words === '' ? reason : `${reason}: ${words}`,
  })
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}
