import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import type { Holder } from '../../src/checkpoint/holder.ts'
import { processTable } from '../../src/checkpoint/process-table.ts'

const hasProc = existsSync('/proc/self/stat')

async function holderOf(pid: number, changed: Partial<Holder> = {}): Promise<Holder> {
  const stat = hasProc ? readFileSync(`/proc/${pid}/stat`, 'utf8') : ''
  const startTicks = hasProc ? (stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '') : null
  return { ...(await processTable.self()), pid, startTicks, ...changed }
}

/** A process that sleeps until it is killed, with a name that is hard to parse. */
function sleeper() {
  return spawn(process.execPath, [
    '-e',
    "process.title = 'a) R (b'; setInterval(() => {}, 1000); console.log('up')",
  ])
}

describe('process table', () => {
  test('this process is alive for writers that it holds open, and has let go of the others', async () => {
    const self = await processTable.self()
    processTable.opened('open')
    assert.equal(await processTable.liveness(self, 'open'), 'alive')
    assert.equal(await processTable.liveness(self, 'other'), 'dead')
    processTable.closed('open')
    assert.equal(await processTable.liveness(self, 'open'), 'dead')
  })

  test('another thread of this process may live', async () => {
    const self = await processTable.self()
    assert.equal(await processTable.liveness({ ...self, thread: self.thread + 1 }, 'any'), 'unknown')
  })

  test('a process is alive, stopped or dead as the kernel says', {
    skip: !hasProc && 'needs /proc',
  }, async () => {
    const child = sleeper()
    const exit = once(child, 'exit')
    await once(child.stdout, 'data')
    const holder = await holderOf(child.pid ?? 0)
    assert.equal(await processTable.liveness(holder, 'w'), 'alive')
    child.kill('SIGSTOP')
    while ((await processTable.liveness(holder, 'w')) === 'alive')
      await new Promise((done) => setImmediate(done))
    assert.equal(await processTable.liveness(holder, 'w'), 'stopped')
    child.kill('SIGKILL')
    // Before its parent has waited for it the process is a zombie, afterwards it is gone: dead both times.
    while ((await processTable.liveness(holder, 'w')) !== 'dead')
      await new Promise((done) => setImmediate(done))
    await exit
    assert.equal(await processTable.liveness(holder, 'w'), 'dead')
  })

  test('a process that was killed and not yet waited for is dead', {
    skip: !hasProc && 'needs /proc',
  }, async () => {
    // The shell becomes a program that never waits for the child it inherits.
    const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'])
    const exit = once(parent, 'exit')
    const pid = Number(await once(parent.stdout, 'data'))
    const holder = await holderOf(pid)
    assert.equal(await processTable.liveness(holder, 'w'), 'alive')
    process.kill(pid, 'SIGKILL')
    while ((await processTable.liveness(holder, 'w')) !== 'dead')
      await new Promise((done) => setImmediate(done))
    assert.match(readFileSync(`/proc/${pid}/stat`, 'utf8'), /\) Z /)
    parent.kill('SIGKILL')
    await exit
  })

  test('a pid that another process uses now is dead', { skip: !hasProc && 'needs /proc' }, async () => {
    const parent = await holderOf(process.ppid, { startTicks: '1' })
    assert.equal(await processTable.liveness(parent, 'w'), 'dead')
    assert.equal(await processTable.liveness(await holderOf(process.pid, { startTicks: '1' }), 'w'), 'dead')
  })

  test('a holder under another kernel or in another container may live', {
    skip: !hasProc && 'needs /proc',
  }, async () => {
    const pid = process.ppid
    for (const changed of [
      { bootId: 'other' },
      { pidNamespace: 'pid:[1]' },
      { bootId: null, pidNamespace: null },
    ]) {
      assert.equal(await processTable.liveness(await holderOf(pid, changed), 'w'), 'unknown')
    }
  })
})
