import { readFile, readlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { threadId } from 'node:worker_threads'
import { codeOf } from '../durable-file.ts'
import type { Holder, Liveness, ProcessTable } from './holder.ts'

/** Epochs that this thread of this process holds now. */
const open = new Set<string>()

/**
 * The real processes, by /proc where there is one.
 *
 * A wrong answer costs a wait or a takeover, never a row: fencing does not rest on it.
 */
export const processTable: ProcessTable = Object.freeze({
  async self(): Promise<Holder> {
    const [bootId, pidNamespace, status] = await Promise.all([
      readFile('/proc/sys/kernel/random/boot_id', 'utf8').then((text) => text.trim(), nothing),
      readlink('/proc/self/ns/pid').catch(nothing),
      processStatus(process.pid),
    ])
    const startTicks = status?.startTicks ?? null
    return { host: hostname(), pid: process.pid, thread: threadId, bootId, pidNamespace, startTicks }
  },

  async liveness(holder: Holder, writer: string): Promise<Liveness> {
    const self = await processTable.self()
    const kernelKnown = self.bootId !== null && self.pidNamespace !== null
    const sameKernel = holder.bootId === self.bootId && holder.pidNamespace === self.pidNamespace
    // Without a boot id, a host name is all there is; two hosts may share it, hence only `dead` is concluded below.
    if (kernelKnown ? !sameKernel : holder.host !== self.host) return 'unknown'
    if (holder.pid === self.pid && holder.startTicks === self.startTicks) {
      if (holder.thread !== self.thread) return 'unknown'
      return open.has(writer) ? 'alive' : 'dead'
    }
    if (!exists(holder.pid)) return 'dead'
    const status = await processStatus(holder.pid)
    // A /proc mounted with hidepid shows nothing of other users' processes.
    if (status === null) return 'unknown'
    if (status.startTicks !== holder.startTicks) return 'dead'
    // Killed but not yet waited for by its parent: it runs no instruction any more.
    if ('ZXx'.includes(status.state)) return 'dead'
    return 'Tt'.includes(status.state) ? 'stopped' : 'alive'
  },

  opened(writer: string): void {
    open.add(writer)
  },

  closed(writer: string): void {
    open.delete(writer)
  },
})

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return codeOf(error) !== 'ESRCH'
  }
}

/** State letter and start of a process, out of `/proc/<pid>/stat` (proc(5), fields 3 and 22). */
async function processStatus(pid: number): Promise<{ state: string; startTicks: string } | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(nothing)
  if (text === null) return null
  // Field 2 is the command in parentheses and may itself hold spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { state: fields[0] ?? '', startTicks: fields[19] ?? '' }
}

function nothing(): null {
  return null
}
