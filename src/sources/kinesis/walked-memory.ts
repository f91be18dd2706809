import { type Compiled, compile, instantiate } from '../../wasm/engine.ts'
import { type WalkExports, walkProgram } from './walk-program.ts'

const programs = new WeakMap<ArrayBufferLike, WalkExports>()
let walk: Compiled | undefined
let isRefused = false

/**
 * A buffer that `programOver` has a program for, zeros that take no memory until they are written to.
 *
 * @returns undefined where there are none to be had
 */
export function walkedBuffer(bytes: number): Buffer | undefined {
  if (isRefused) return undefined
  try {
    walk ??= compile(walkProgram())
    const { buffer, exports } = instantiate(walk, bytes)
    programs.set(buffer, exports as WalkExports)
    return Buffer.from(buffer)
  } catch {
    isRefused = true
    return undefined
  }
}

/** The program over the memory that is this buffer, if it came from `walkedBuffer`. */
export function programOver(buffer: Buffer): WalkExports | undefined {
  return programs.get(buffer.buffer)
}
