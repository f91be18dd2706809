import type { FileHandle } from 'node:fs/promises'
import { type DiskCalls, diskCalls } from '../../src/durable-file.ts'

export type DiskCall = keyof DiskCalls | 'write' | 'sync'

/** What happens to one call: carry it out (as told), or throw. */
export type Fault = (
  call: DiskCall,
  carryOut: () => Promise<unknown>,
  detail: FaultDetail,
) => Promise<unknown>

export interface FaultDetail {
  /** The call's place in the life of this disk, from 1. */
  readonly nth: number
  /** The file or directory, the target for `link`. */
  readonly file: string
  /** Of `write`: how many bytes it was to write, and a way to write fewer. */
  readonly bytes?: number
  readonly writeOnly?: (bytes: number) => Promise<unknown>
}

/** The real file system with `fault` in the way of every call that changes it or makes it durable. */
export function faultyDisk(fault: Fault): DiskCalls {
  let calls = 0
  const through = <A extends unknown[], R>(call: DiskCall, real: (...args: A) => Promise<R>) =>
    ((...args: A) =>
      fault(call, () => real(...args), {
        nth: ++calls,
        file: String(call === 'link' ? args[1] : args[0]),
      })) as (...args: A) => Promise<R>
  return {
    ...diskCalls,
    link: through('link', diskCalls.link),
    unlink: through('unlink', diskCalls.unlink),
    mkdir: through('mkdir', diskCalls.mkdir as never) as never,
    mkdtemp: through('mkdtemp', diskCalls.mkdtemp as never) as never,
    rm: through('rm', diskCalls.rm),
    copyFile: through('copyFile', diskCalls.copyFile),
    open: async (file, flags, mode) => {
      const real = await diskCalls.open(file, flags, mode)
      return faultyHandle(real, String(file), (call, carryOut, detail) =>
        fault(call, carryOut, { ...detail, nth: ++calls }),
      )
    },
  }
}

function faultyHandle(real: FileHandle, file: string, fault: Fault): FileHandle {
  return new Proxy(real, {
    get(target, name) {
      if (name === 'sync') return () => fault('sync', () => target.sync(), { nth: 0, file })
      if (name === 'write') {
        return (bytes: Uint8Array, offset: number, length: number) => {
          const writeOnly = (most: number) => target.write(bytes, offset, most)
          return fault('write', () => writeOnly(length), { nth: 0, file, bytes: length, writeOnly })
        }
      }
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** As the operating system throws it. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code })
}

/** The process is gone: nothing after it happens any more. */
export class Crash extends Error {}

/**
 * A disk that stops for good at its n-th call, as when the process is killed there: before the call, after it, or
 * (a write) halfway.
 */
export function dyingDisk(at: number, when: 'before' | 'half' | 'after'): DiskCalls {
  let dead = false
  return faultyDisk(async (call, carryOut, { nth, bytes, writeOnly }) => {
    if (dead) throw new Crash()
    if (nth < at) return carryOut()
    dead = true
    if (when === 'half' && call === 'write' && bytes) await writeOnly?.(bytes >> 1)
    if (when === 'after') await carryOut()
    throw new Crash()
  })
}
