import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'

/** The user and the password of every server. */
export const USER = 'sluice'
export const PASSWORD = 'quod erat 42'

/** Where the programs of a PostgreSQL server are on this machine; undefined when there is none. */
export function postgresPrograms(): string | undefined {
  const debian = '/usr/lib/postgresql'
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : []
  const places = [
    ...versions.map((version) => join(debian, version, 'bin')),
    ...(process.env['PATH'] ?? '').split(delimiter),
  ]
  return places.find((place) => existsSync(join(place, 'initdb')) && existsSync(join(place, 'postgres')))
}

/** A PostgreSQL server of its own on loopback, in a directory that goes with it. */
export class PostgresServer {
  readonly port: number
  /** The certificate of the server, for `localhost`; undefined where openssl is missing. */
  readonly certificate: string | undefined
  readonly #programs: string
  readonly #directory: string
  readonly #stop: () => Promise<void>

  private constructor(
    port: number,
    certificate: string | undefined,
    programs: string,
    directory: string,
    stop: () => Promise<void>,
  ) {
    this.port = port
    this.certificate = certificate
    this.#programs = programs
    this.#directory = directory
    this.#stop = stop
  }

  static async start(programs: string): Promise<PostgresServer> {
    const directory = mkdtempSync(join(tmpdir(), 'sluice-postgres-'))
    const data = join(directory, 'data')
    const owner = unprivileged()
    const as = { ...owner, cwd: directory, env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' } }
    const secret = join(directory, 'password')
    writeFileSync(secret, PASSWORD)
    const certificate = makeCertificate(directory)
    for (const file of ['', ...readdirSync(directory)]) {
      chmodSync(join(directory, file), file === '' ? 0o700 : 0o600)
      if (owner) chownSync(join(directory, file), owner.uid, owner.gid)
    }
    const settings = ['-U', USER, '-A', 'scram-sha-256', `--pwfile=${secret}`, '--no-sync', '-E', 'UTF8']
    execFileSync(join(programs, 'initdb'), ['-D', data, ...settings], {
      ...as,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const port = await freePort()
    const options = [
      `port=${port}`,
      'listen_addresses=127.0.0.1',
      'unix_socket_directories=',
      'fsync=off',
      'max_connections=20',
    ]
    if (certificate !== undefined)
      options.push('ssl=on', `ssl_cert_file=${certificate}`, `ssl_key_file=${join(directory, 'key.pem')}`)
    const server = spawn(
      join(programs, 'postgres'),
      ['-D', data, ...options.flatMap((option) => ['-c', option])],
      { ...as, stdio: ['ignore', 'ignore', 'pipe'] },
    )
    // It does not outlive the test that started it.
    const kill = () => server.kill('SIGQUIT')
    process.once('exit', kill)
    for await (const line of createInterface(server.stderr))
      if (line.includes('ready to accept connections')) break
    server.stderr.resume()
    const stop = async () => {
      process.off('exit', kill)
      const gone = once(server, 'exit')
      server.kill('SIGQUIT')
      await gone
      rmSync(directory, { recursive: true, force: true })
    }
    return new PostgresServer(port, certificate, programs, directory, stop)
  }

  /** As whom and where, for clients. */
  get url(): string {
    return `postgres://${USER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${this.port}/postgres`
  }

  /**
   * What `psql` prints: a line a row, values apart by `|`.
   *
   * @param file takes the lines instead
   */
  psql(sql: string, database = 'postgres', file?: string): string[] {
    const args = [
      '-h',
      '127.0.0.1',
      '-p',
      String(this.port),
      '-U',
      USER,
      '-d',
      database,
      '-XAtq',
      ...(file === undefined ? [] : ['-o', file]),
      '-v',
      'ON_ERROR_STOP=1',
      '-c',
      sql,
    ]
    const env = { PATH: process.env['PATH'], PGPASSWORD: PASSWORD }
    const printed = execFileSync(join(this.#programs, 'psql'), args, {
      env,
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
      cwd: this.#directory,
    })
    return printed.split('\n').slice(0, -1)
  }

  stop(): Promise<void> {
    return this.#stop()
  }
}

/** The server refuses to run as root. */
function unprivileged(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
  const [, , uid, gid] =
    users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody') ?? []
  return { uid: Number(uid), gid: Number(gid) }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

function makeCertificate(directory: string): string | undefined {
  const certificate = join(directory, 'certificate.pem')
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  const files = ['-keyout', join(directory, 'key.pem'), '-out', certificate]
  try {
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-days',
        '2',
        ...subject,
        ...files,
      ],
      { stdio: 'ignore' },
    )
    return certificate
  } catch {
    return undefined
  }
}
