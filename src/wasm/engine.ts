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

/** A program that has been compiled. */
export interface Compiled {
  readonly module: object
}

export const PAGE_BYTES = 64 * 1024

/** Throws where there is no WebAssembly, or the process is forbidden to compile. */
export function compile(program: Uint8Array<ArrayBuffer>): Compiled {
  return { module: new WebAssembly.Module(program) }
}

/**
 * A memory of its own for a program, in whole pages of zeros that take no memory until they are written to. It never
 * grows, so that its buffer stays what it is.
 *
 * Throws where the system has no room for the 10 GB of addresses that every memory takes.
 */
export function instantiate(
  { module }: Compiled,
  bytes: number,
): { readonly buffer: ArrayBuffer; readonly exports: unknown } {
  const pages = Math.ceil(bytes / PAGE_BYTES)
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages })
  const { exports } = new WebAssembly.Instance(module, { host: { memory } })
  return { buffer: memory.buffer, exports }
}
