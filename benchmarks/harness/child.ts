import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { Json } from '../../src/batch.ts'

interface Request {
  readonly id: number
  readonly command: string
  readonly argument: Json
}

interface Reply {
  readonly id: number
  readonly value?: Json
  readonly error?: string
}

/** A Node process that answers commands over IPC. It ends when its parent does. */
export class Child {
  readonly #process: ChildProcess
  readonly #waiting = new Map<number, { resolve(value: Json): void; reject(error: Error): void }>()
  #last = 0

  private constructor(child: ChildProcess) {
    this.#process = child
    child.on('message', (message) => {
      const { id, value, error } = message as Reply
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (error === undefined) waiting?.resolve(value ?? null)
      else waiting?.reject(new Error(error))
    })
    child.once('exit', (code, signal) => {
      const error = new Error(`a benchmark's process ended with ${signal ?? `exit code ${code}`}`)
      for (const { reject } of this.#waiting.values()) reject(error)
    })
  }

  /** Starts a compiled file and waits until it is ready for commands. */
  static async start(
    file: string,
    args: readonly string[],
    execArgv: readonly string[] = [],
  ): Promise<Child> {
    const child = fork(file, [...args], {
      execArgv: [...execArgv],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    const failed = once(child, 'exit').then(([code, signal]) => {
      throw new Error(`${file} did not start: ${signal ?? `exit code ${code}`}`)
    })
    await Promise.race([once(child, 'message'), failed])
    failed.catch(() => undefined)
    return new Child(child)
  }

  async ask(command: string, argument: Json = null): Promise<Json> {
    const id = ++this.#last
    const answer = new Promise<Json>((resolve, reject) => this.#waiting.set(id, { resolve, reject }))
    this.#process.send({ id, command, argument } satisfies Request)
    return await answer
  }

  /** Lets the process end by itself, so that profiles are written. */
  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const ended = once(this.#process, 'exit')
    this.#process.disconnect()
    await ended
  }
}

/** The other end: answers the parent's commands one after the other, and ends the process when the parent is gone. */
export function serveParent(commands: Readonly<Record<string, (argument: Json) => Promise<unknown>>>): void {
  let turn: Promise<void> = Promise.resolve()
  process.on('message', (message) => {
    const { id, command, argument } = message as Request
    turn = turn.then(async () => {
      const handler = commands[command] ?? (() => Promise.reject(new RangeError(`no command '${command}'`)))
      const reply: Reply = await handler(argument).then(
        (value) => ({ id, value: (value ?? null) as Json }),
        (error: unknown) => ({
          id,
          error: error instanceof Error ? (error.stack ?? error.message) : String(error),
        }),
      )
      if (process.connected) process.send?.(reply)
    })
  })
  process.once('disconnect', () => {
    void (commands['close']?.(null) ?? Promise.resolve()).finally(() => process.exit())
  })
  process.send?.({ id: 0, value: 'ready' } satisfies Reply)
}
