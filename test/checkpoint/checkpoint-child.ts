import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { after } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'

const SCRIPT = join(import.meta.dirname, '../support/checkpoint-child.ts')

/** The checkpoint script in a process of its own; gone at the latest when the test file ends. */
export class CheckpointChild {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>
  readonly #lines: AsyncIterator<string>
  readonly #exit: Promise<unknown[]>

  constructor(...args: readonly string[]) {
    this.#process = spawn(process.execPath, ['--import', 'tsx', SCRIPT, ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]()
    this.#exit = once(this.#process, 'exit')
    started.push(this)
  }

  get pid(): number {
    return this.#process.pid ?? 0
  }

  /** The next line that it prints; `(ended)` when it ended instead. */
  async line(): Promise<string> {
    const next = await this.#lines.next()
    return next.done ? '(ended)' : next.value
  }

  /** The word it waits for. */
  go(): void {
    this.#process.stdin.write('go\n')
  }

  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    this.#process.kill(name)
  }

  /** Suspends it, and comes back when the kernel has: until then it counts as running. */
  async suspend(): Promise<void> {
    this.signal('SIGSTOP')
    while (!/\) T /.test(readFileSync(`/proc/${this.pid}/stat`, 'latin1'))) await delay(5)
  }

  /** Closes its input and waits: the signal that ended it, or its exit code. */
  async ended(): Promise<string | number> {
    this.#process.stdin.end()
    const [code, signal] = await this.#exit
    return (signal ?? code) as string | number
  }
}

const started: CheckpointChild[] = []

after(async () => {
  for (const child of started) {
    child.signal('SIGKILL')
    await child.ended()
  }
})
