import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { createInterface, type Interface } from 'node:readline'
import { cleanEnvironment, type Order } from './life.ts'

/** What a process says when it has done with an order. */
export interface Answer {
  /** Why it did not come to its end; null when it did. */
  readonly failure: string | null
}

/** A process has run so many queries when another takes its place. */
const ORDERS_MAX = 100

/**
 * Processes that go on where others were killed, one query after another.
 *
 * To take over takes no process of its own: whoever does it knows of the dead one what lies in the checkpoint and in the
 * sink. To die does.
 */
export class Successors {
  readonly #script: string
  readonly #idle: Successor[] = []

  /** @param script the compiled `query-child` */
  constructor(script: string) {
    this.#script = script
  }

  /** Runs a query to its end. @throws with what it failed with */
  async finish(order: Order): Promise<void> {
    const successor = this.#idle.pop() ?? new Successor(this.#script)
    let failure: string | null = 'it did not answer'
    try {
      failure = (await successor.perform(order)).failure
    } finally {
      // One that failed may not be itself any more.
      if (failure === null && successor.orders < ORDERS_MAX) this.#idle.push(successor)
      else successor.end()
    }
    if (failure !== null) throw new Error(`the query that took over ended with ${failure}`)
  }

  close(): void {
    for (const successor of this.#idle.splice(0)) successor.end()
  }
}

class Successor {
  orders = 0
  readonly #process: ChildProcessWithoutNullStreams
  readonly #lines: Interface
  #stderr = ''

  constructor(script: string) {
    this.#process = spawn(process.execPath, [script], { env: cleanEnvironment() })
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
    })
    this.#lines = createInterface(this.#process.stdout)
  }

  perform(order: Order): Promise<Answer> {
    this.orders++
    return new Promise((resolve, reject) => {
      const gone = () => reject(new Error(`the process that took over is gone: ${this.#stderr}`))
      this.#process.once('close', gone)
      this.#lines.once('line', (line) => {
        this.#process.off('close', gone)
        resolve(JSON.parse(line) as Answer)
      })
      this.#process.stdin.write(`${JSON.stringify(order)}\n`)
    })
  }

  end(): void {
    this.#process.kill('SIGKILL')
  }
}
