import { type WalkExports, walkProgram } from './walk-program.ts'

/** As much of WebAssembly's interface as is used here; Node's types leave it out. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object
  readonly Memory: new (pages: {
    readonly initial: number
    readonly maximum: number
  }) => {
    readonly buffer: ArrayBuffer
  }
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown }
}

const PAGE_BYTES = 64 * 1024

const programs = new WeakMap<ArrayBufferLike, WalkExports>()
let module: object | undefined
let isRefused = false

/**
 * A buffer that `programOver` has a program for, in whole pages of 64 KB, zeros that take no memory until they are
 * written to. Its memory never grows, so that the buffer stays what it is.
 *
 * Every one of them takes 10 GB of addresses, which an engine or a system may be short of; and a process may be
 * forbidden to compile.
 *
 * @returns undefined where there are none to be had
 */
export function walkedBuffer(bytes: number): Buffer | undefined {
  if (isRefused) return undefined
  try {
    module ??= new WebAssembly.Module(walkProgram())
    const pages = Math.ceil(bytes / PAGE_BYTES)
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages })
    const { exports } = new WebAssembly.Instance(module, { host: { memory } })
    programs.set(memory.buffer, exports as WalkExports)
    return Buffer.from(memory.buffer)
  } catch {
    isRefused = true
    return undefined
  }
}

/** The program over the memory that is this buffer, if it came from `walkedBuffer`. */
export function programOver(buffer: Buffer): WalkExports | undefined {
  return programs.get(buffer.buffer)
}
