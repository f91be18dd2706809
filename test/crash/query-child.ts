/**
 * Lives of a query, in a process of its own because it is to be killed: `node query-child.js ORDER`. Ends with 0 at the
 * end of the stream or after SIGTERM; a failure ends it with 1 and its code on stderr.
 *
 * Without an order it takes them from stdin, a line each, and answers each with an `Answer` on stdout.
 */
import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { SluiceError } from '../../src/index.ts'
import type { Order } from './life.ts'
import { perform } from './perform.ts'
import type { Answer } from './successors.ts'

// Whoever started this process holds the other end, and has gone away when it closes.
const parent = process.stdin as Socket
parent.once('end', () => process.exit(1))

const [given] = process.argv.slice(2)
void (given === undefined ? performAll() : performOne(JSON.parse(given) as Order))

async function performOne(order: Order): Promise<void> {
  parent.resume().unref()
  try {
    await perform(order, () => process.stdout.write('running\n'))
  } catch (error) {
    process.stderr.write(textOf(error))
    process.exitCode = 1
  }
}

async function performAll(): Promise<void> {
  for await (const line of createInterface(parent)) {
    const failure = await perform(JSON.parse(line) as Order, () => undefined).then(() => null, textOf)
    process.stdout.write(`${JSON.stringify({ failure } satisfies Answer)}\n`)
  }
}

function textOf(error: unknown): string {
  return error instanceof SluiceError ? `${error.code}\n${error.message}\n` : String(error)
}
