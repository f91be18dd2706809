import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'

const SERVE = new URL('../../../src/testing/kinesis/serve.ts', import.meta.url).pathname

async function started(): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', SERVE, '--port', '0'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const [line] = (await once(child.stdout!, 'data')) as [Buffer]
  const [, url] = /^listening on (http:\/\/127\.0\.0\.1:\d+)\n$/.exec(String(line)) ?? []
  assert.ok(url, String(line))
  return { child, url }
}

const endings: [string, (child: ChildProcess) => void][] = [
  ['SIGTERM', (child) => void child.kill('SIGTERM')],
  ['SIGINT', (child) => void child.kill('SIGINT')],
  ['the end of its stdin', (child) => void child.stdin?.end()],
]

for (const [name, end] of endings) {
  test(`serves in a process of its own until ${name}`, async () => {
    const { child, url } = await started()
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'x-amz-target': 'Kinesis_20131202.ListStreams', connection: 'close' },
      body: '{}',
    })
    assert.deepEqual(await response.json(), { StreamNames: [], HasMoreStreams: false, StreamSummaries: [] })
    const exited = once(child, 'exit')
    end(child)
    assert.deepEqual(await exited, [0, null])
  })
}

test('says why it cannot listen', async () => {
  const child = spawn(process.execPath, ['--import', 'tsx', SERVE, '--port', '70000'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const [[text], [code]] = await Promise.all([once(child.stderr!, 'data'), once(child, 'exit')])
  assert.match(String(text), /cannot listen on 127\.0\.0\.1, port 70000/)
  assert.equal(code, 1)
})
