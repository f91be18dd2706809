import { readFile, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Storage } from '../../src/checkpoint/storage.ts'
import { SluiceError } from '../../src/errors.ts'
import { temporaryDirectory } from './temporary-directory.ts'

const NAME = /^\w[\w.-]*(?:\/\w[\w.-]*)*$/

/** Local copies, shared by all storages that hold the same content. */
const written = new WeakMap<Uint8Array, string>()

/** A storage whose files can be copied, damaged and compared at will. */
export class MemoryStorage implements Storage {
  readonly location: string
  readonly files: Map<string, Uint8Array>
  #scratch: Promise<string> | undefined
  #scratchFiles = 0

  constructor(files: ReadonlyMap<string, Uint8Array> = new Map(), location = 'memory') {
    this.files = files instanceof Map ? files : new Map(files)
    this.location = location
  }

  async create(path: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    this.#check(path)
    if (this.files.has(path)) return 'exists'
    this.files.set(path, Uint8Array.from(bytes))
    return 'created'
  }

  async createFrom(path: string, file: string): Promise<'created' | 'exists'> {
    const outcome = await this.create(path, await readFile(file))
    if (outcome === 'created') await unlink(file)
    return outcome
  }

  async read(path: string): Promise<Uint8Array | undefined> {
    this.#check(path)
    return this.files.get(path)
  }

  async localFile(path: string): Promise<string | undefined> {
    const bytes = await this.read(path)
    if (bytes === undefined) return undefined
    const file = written.get(bytes) ?? (await this.scratchFile())
    if (!written.has(bytes)) await writeFile(file, bytes)
    written.set(bytes, file)
    return file
  }

  async list(folder: string, limit?: number): Promise<readonly string[]> {
    return [...this.files.keys()]
      .filter((path) => path.startsWith(folder))
      .sort()
      .slice(0, limit)
  }

  async remove(path: string): Promise<void> {
    this.#check(path)
    this.files.delete(path)
  }

  async scratchFile(): Promise<string> {
    this.#scratch ??= temporaryDirectory()
    return join(await this.#scratch, String(this.#scratchFiles++))
  }

  async recover(): Promise<void> {}

  async close(): Promise<void> {}

  #check(path: string): void {
    if (NAME.test(path)) return
    throw new SluiceError('CHECKPOINT_MISUSE', { location: this.location, reason: `'${path}' is no name` })
  }
}
