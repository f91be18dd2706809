import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

export interface KinesisLocal {
  readonly endpointUrl: string
  stop(): Promise<void>
}

const ATTEMPTS = 5
const READY_CHECKS = 200
const CHECK_EVERY_MS = 50

/**
 * Runs the `kinesis-local` package in a process of its own, on free ports, and resolves once it answers.
 * Ports are free when picked but may be taken by the time the process binds them: then others are tried.
 */
export async function startKinesisLocal(): Promise<KinesisLocal> {
  for (let attempt = 1; ; attempt++) {
    const [plain, tls] = await freePorts(2)
    const child = launch(plain!, tls!)
    const endpointUrl = `http://127.0.0.1:${plain}`
    if (await ready(child, endpointUrl)) return { endpointUrl, stop: () => stop(child) }
    await stop(child)
    if (attempt === ATTEMPTS) assert.fail(`kinesis-local did not start in ${ATTEMPTS} attempts`)
  }
}

function launch(plainPort: number, tlsPort: number): ChildProcess {
  const folder = dirname(createRequire(import.meta.url).resolve('kinesis-local/package.json'))
  const child = spawn(process.execPath, [join(folder, 'main.js')], {
    stdio: 'ignore',
    env: {
      PATH: process.env['PATH'],
      KINESIS_MOCK_PLAIN_PORT: String(plainPort),
      KINESIS_MOCK_TLS_PORT: String(tlsPort),
      // Read from the working directory unless absolute.
      KINESIS_MOCK_CERT_PATH: join(folder, 'server.json'),
      LOG_LEVEL: 'ERROR',
      SHARD_LIMIT: '1000',
      CREATE_STREAM_DURATION: '1ms',
      DELETE_STREAM_DURATION: '1ms',
      SPLIT_SHARD_DURATION: '1ms',
      MERGE_SHARDS_DURATION: '1ms',
      UPDATE_SHARD_COUNT_DURATION: '1ms',
    },
  })
  const kill = (): void => void child.kill('SIGKILL')
  process.once('exit', kill)
  child.once('exit', () => process.removeListener('exit', kill))
  return child
}

async function ready(child: ChildProcess, endpointUrl: string): Promise<boolean> {
  for (let check = 0; check < READY_CHECKS && child.exitCode === null; check++) {
    const response = await fetch(`${endpointUrl}/healthcheck`).catch(() => undefined)
    await response?.arrayBuffer()
    // Whoever took the port in between would hardly have this path.
    if (response?.ok) return child.exitCode === null
    await delay(CHECK_EVERY_MS)
  }
  return false
}

/** At once: it keeps nothing on disk, and takes two seconds to leave when asked. */
async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}
