import type { FileHandle } from 'node:fs/promises'
import { type DiskCalls, diskCalls } from '../../../src/durable-file.ts'

/** What happens to one call of the file system: carry it out, or throw. `nth` counts from 1. */
export type Fault = (
  call: string,
  file: string,
  nth: number,
  carryOut: () => Promise<unknown>,
) => Promise<unknown>

const HANDLE_CALLS = new Set(['sync', 'write', 'read'])

/** The real file system with `fault` in the way of every call. */
export function faultyDisk(fault: Fault): DiskCalls {
  let calls = 0
  const through = (call: string, file: string, carryOut: () => Promise<unknown>) =>
    fault(call, file, ++calls, carryOut)
  const entries = Object.entries({
    link: diskCalls.link,
    rename: diskCalls.rename,
    unlink: diskCalls.unlink,
    mkdir: diskCalls.mkdir,
    readdir: diskCalls.readdir,
    readFile: diskCalls.readFile,
    rm: diskCalls.rm,
    stat: diskCalls.stat,
  }).map(([call, real]) => {
    const carryOut = real as (...args: unknown[]) => Promise<unknown>
    const target = call === 'link' || call === 'rename' ? 1 : 0
    return [call, (...args: unknown[]) => through(call, String(args[target]), () => carryOut(...args))]
  })
  const open = async (file: string, flags: string) => {
    const handle = (await through('open', file, () => diskCalls.open(file, flags))) as FileHandle
    return new Proxy(handle, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        if (!HANDLE_CALLS.has(String(name))) return value.bind(target)
        return (...args: unknown[]) =>
          through(String(name), file, () => value.apply(target, args) as Promise<unknown>)
      },
    })
  }
  return { ...Object.fromEntries(entries), open } as unknown as DiskCalls
}

/** As the operating system throws it. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code })
}

/** The process is gone: nothing after it happens any more. */
export class Crash extends Error {}

/** A disk that stops for good at its n-th call, as when the process is killed just before it. */
export function dyingDisk(at: number): DiskCalls {
  return faultyDisk(async (_call, _file, nth, carryOut) => {
    if (nth >= at) throw new Crash()
    return carryOut()
  })
}
