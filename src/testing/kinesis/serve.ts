#!/usr/bin/env node
import { fstatSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { reasonOf } from '../../errors.ts'
import { KinesisDouble } from './double.ts'

/**
 * The double as a process of its own: `node dist/testing/kinesis/serve.js --port 4567 [--host 127.0.0.1]`.
 *
 * Prints one line when it is ready, and ends on SIGTERM, SIGINT, or when the process that started it goes away
 * (its end of a piped stdin closes, or the IPC channel does), so that no double outlives a demo or a test.
 */
const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    host: { type: 'string', default: '127.0.0.1' },
  },
})

const double = new KinesisDouble()
try {
  const endpoint = await double.listen({ port: Number(values.port), host: values.host })
  process.stdout.write(`listening on ${endpoint.endpointUrl}\n`)
  stopWithParent()
} catch (error) {
  process.stderr.write(`cannot listen on ${values.host}, port ${values.port}: ${reasonOf(error)}\n`)
  process.exitCode = 1
}

function stopWithParent(): void {
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
  process.once('disconnect', stop)
  const stdin = fstatSync(0)
  // A pipe tells when its other end goes away; /dev/null and terminals are at their end, or never, for no reason.
  if (!stdin.isFIFO() && !stdin.isSocket()) return
  process.stdin.once('end', stop)
  process.stdin.once('error', stop)
  process.stdin.resume()
}

function stop(): void {
  process.stdin.destroy()
  process.removeAllListeners('disconnect')
  if (process.connected) process.disconnect()
  void double.close()
}
