import type { Json } from '../batch.ts'
import type { Fields } from './fields.ts'

/** The process that holds an epoch, told so that it can be found again on the same machine. */
export interface Holder {
  readonly host: string
  readonly pid: number
  /** Worker thread within the process; 0 is the main thread. */
  readonly thread: number
  /** Of the running kernel; null where the system has none to read. */
  readonly bootId: string | null
  /** Containers of one kernel each count pids of their own; null as above. */
  readonly pidNamespace: string | null
  /** When the process started, in kernel ticks since boot: a pid is used again, a pid with its start is not. */
  readonly startTicks: string | null
}

/**
 * What this machine can say about a holder. `stopped` is a process that exists but is suspended (SIGSTOP, a
 * debugger); `unknown` one that may live elsewhere.
 */
export type Liveness = 'alive' | 'stopped' | 'dead' | 'unknown'

/** The processes of this machine; replaced in tests. */
export interface ProcessTable {
  self(): Promise<Holder>
  /** @param writer the nonce of the holder's epoch, to tell a writer that was closed in this very process */
  liveness(holder: Holder, writer: string): Promise<Liveness>
  /** Called with the nonce of each epoch that is taken and given back in this process. */
  opened(writer: string): void
  closed(writer: string): void
}

export function holderToJson(holder: Holder): { readonly [key: string]: Json } {
  return { ...holder }
}

export function holderFrom(fields: Fields): Holder {
  return {
    host: fields.text('host'),
    pid: fields.count('pid'),
    thread: fields.count('thread'),
    bootId: fields.textOrNull('bootId'),
    pidNamespace: fields.textOrNull('pidNamespace'),
    startTicks: fields.textOrNull('startTicks'),
  }
}
