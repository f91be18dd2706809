import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..', '..')
/** What a user runs; `npm test` builds it first. */
const MAIN = join(ROOT, 'dist', 'cli', 'main.js')

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Start {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

/** A `sluice` under way; what it has written so far can be waited for. */
export class Running {
  readonly ended: Promise<Outcome>
  readonly process: ChildProcess
  readonly #wrote = { stdout: '', stderr: '' }

  constructor(args: readonly string[], { cwd = ROOT, env = {} }: Start) {
    this.process = spawn(process.execPath, [MAIN, ...args], {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      // Nothing of the machine's own: neither AWS settings nor a HOME with an .aws folder.
      env: { PATH: process.env['PATH'], HOME: '/nonexistent', AWS_EC2_METADATA_DISABLED: 'true', ...env },
    })
    for (const name of ['stdout', 'stderr'] as const) {
      this.process[name]?.setEncoding('utf8').on('data', (text: string) => {
        this.#wrote[name] += text
      })
    }
    this.ended = once(this.process, 'close').then(([code]) => ({
      code: code as number | null,
      ...this.#wrote,
    }))
  }

  /** What it has written on stdout so far. */
  get said(): string {
    return this.#wrote.stdout
  }

  /** Resolves when the pattern is found in what was written; rejects when the process ends before. */
  async wrote(name: 'stdout' | 'stderr', pattern: RegExp): Promise<void> {
    while (!pattern.test(this.#wrote[name])) {
      const gone = this.process.exitCode !== null || this.process.signalCode !== null
      if (gone) throw new Error(`ended without ${pattern}: ${this.#wrote.stdout}\n${this.#wrote.stderr}`)
      await Promise.race([once(this.process[name]!, 'data'), this.ended])
    }
  }
}

/** Runs `sluice` from the sources, and waits for its end. */
export function sluice(args: readonly string[], start: Start = {}): Promise<Outcome> {
  return new Running(args, start).ended
}

/** Calls `use` with a directory that exists for so long. */
export async function inDirectory<T>(use: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-cli-'))
  try {
    return await use(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/**
 * A directory for the temporary files of the processes that one test file starts, to see what they leave there. It is
 * shared, because the loader that runs the sources keeps its cache in it.
 */
export async function temporaryDirectory(): Promise<{
  path: string
  left(): Promise<string[]>
  remove(): Promise<void>
}> {
  const path = await mkdtemp(join(tmpdir(), 'sluice-cli-'))
  return {
    path,
    left: async () => (await readdir(path)).filter((name) => !/^tsx-\d+$/.test(name)),
    remove: () => rm(path, { recursive: true, force: true }),
  }
}

/** Every file below a directory with its bytes as text. */
export async function filesOf(directory: string): Promise<Map<string, string>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return new Map(
    await Promise.all(files.map(async (file) => [file, await readFile(file, 'latin1')] as const)),
  )
}
