import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { assertEqual, compare, comparisonTable } from '../../src/cli/demo/comparison.ts'
import { sentences, wordsOf } from '../../src/cli/demo/sentences.ts'
import { DemoStream } from '../../src/cli/demo/stream.ts'
import { hasCode } from '../../src/errors.ts'
import { Running, temporaryDirectory } from './sluice.ts'

const temporary = await temporaryDirectory()
after(temporary.remove)

function shortDemo(): Running {
  const args = ['demo', '--endpoint', 'double', '--seconds', '3', '--rate', '100']
  return new Running(args, { env: { TMPDIR: temporary.path } })
}

/** The processes that the demo has told of. */
async function processesOf(running: Running): Promise<number[]> {
  await running.wrote('stdout', /puts 100 sentences/)
  return [...running.said.matchAll(/process (\d+)/g)].map(([, pid]) => Number(pid))
}

async function untilGone(pids: readonly number[]): Promise<void> {
  assert.ok(pids.length >= 2, 'no processes were told of')
  while (pids.some(isThere)) await delay(20)
}

/** A process that has ended but that nobody has asked after yet, as in a container without an init, is gone. */
function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch (error) {
    return !/ESRCH|ENOENT/.test(String(error))
  }
}

const within = { timeout: 60_000 }

test('the demo comes out equal through a reshard and a kill, and leaves nothing behind', within, async () => {
  const running = shortDemo()
  const pids = await processesOf(running)
  const { code, stdout, stderr } = await running.ended
  assert.equal(code, 0, `${stdout}\n${stderr}`)
  assert.equal(stderr, '')
  const topics = stdout.match(/(?<=^ *[\d.]+s {2})\w+/gm)?.filter((topic) => topic !== 'progress')
  const order = 'endpoint stream query producer reshard kill restart resumed producer query query'
  assert.equal(topics?.join(' '), order)
  assert.match(stdout, /reshard {4}shard 0 is split into 2 and 3/)
  assert.match(stdout, /done: 300 sentences, ([\d,]+) words\n[\s\S]*total +│ +\1 │ +\1 │ = │/)
  assert.match(stdout, /\nEQUAL: \d+ words, [\d,]+ counts, through one reshard and one SIGKILL/)
  await untilGone(pids)
  assert.deepEqual(await temporary.left(), [])
})

test('the demo fails when the query counts what the producer did not put', within, async () => {
  const running = shortDemo()
  await running.wrote('stdout', /puts 100 sentences/)
  const stream = new DemoStream('sentences', /http:\S+/.exec(running.said)?.[0] ?? '')
  await stream.put(['stowaway'])
  stream.close()
  const { code, stdout, stderr } = await running.ended
  assert.equal(code, 1, stdout)
  assert.match(stdout, /│ stowaway +│ +0 │ +1 │ \+1 │/)
  assert.doesNotMatch(stdout, /EQUAL/)
  assert.match(stderr, /^error DEMO_DIFFERS\n/)
})

test('Ctrl-C ends the demo with its processes and files', within, async () => {
  const running = shortDemo()
  const pids = await processesOf(running)
  running.process.kill('SIGINT')
  const { code, stderr } = await running.ended
  assert.deepEqual({ code, stderr }, { code: 130, stderr: '' })
  await untilGone(pids)
  assert.deepEqual(await temporary.left(), [])
})

test('no process outlives a demo that is killed', within, async () => {
  const running = shortDemo()
  const pids = await processesOf(running)
  running.process.kill('SIGKILL')
  await untilGone(pids)
})

test('words that differ come first in the table, and fail the comparison', () => {
  const produced = new Map([
    ...Array.from({ length: 9 }, (_, n) => [`word${n}`, 100 - n] as const),
    ['lost', 2],
  ])
  const words = compare(produced, new Map([...produced, ['lost', 1], ['made up', 3]]))
  const lines = comparisonTable(words, 4).split('\n')
  assert.match(lines[3] ?? '', /lost +│ +2 │ +1 │ -1 │/)
  assert.match(lines[4] ?? '', /made up +│ +0 │ +3 │ \+3 │/)
  assert.match(lines.join('\n'), /7 more words +│ +[\d]+ │ +[\d]+ │ = /)
  assert.throws(
    () => assertEqual(words),
    (error) => hasCode(error, 'DEMO_DIFFERS') && error.params.words === 2,
  )
  assertEqual(compare(produced, produced))
})

test('the same seed gives the same sentences, of four to nine words', () => {
  const some = (seed: number) => {
    const source = sentences(seed)
    return Array.from({ length: 500 }, () => source.next().value)
  }
  assert.deepEqual(some(7), some(7))
  assert.notDeepEqual(some(7), some(8))
  assert.deepEqual(
    [...new Set(some(7).map((sentence) => wordsOf(sentence).length))].sort(),
    [4, 5, 6, 7, 8, 9],
  )
})
