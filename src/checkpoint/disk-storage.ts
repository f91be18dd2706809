import { join, resolve } from 'node:path'
import {
  codeOf,
  type DiskCalls,
  diskCalls,
  makeDirectory,
  readRegular,
  syncDirectory,
  syncFile,
  writeDurably,
} from '../durable-file.ts'
import { SluiceError } from '../errors.ts'
import { hit } from '../failpoints.ts'
import { corrupt } from './corrupt.ts'
import { type DiskOperation, diskError } from './disk-error.ts'
import { checkFileName } from './file-name.ts'
import type { Storage } from './storage.ts'

/** Files on their way in. Names with a leading dot are no part of a checkpoint. */
const INCOMING = '.incoming'
/** A writer that swept our temporary file lets us try again; it sweeps once in its life. */
const ATTEMPTS = 4

/**
 * A checkpoint in a local directory.
 *
 * A file is written beside the others, synced, and given its name by link(2), which the kernel refuses when the
 * name is taken; rename(2) would overwrite. Nothing is touched before the first `create`, which also proves that
 * the file system keeps that promise.
 *
 * Fails with CHECKPOINT_LOCATION, CHECKPOINT_CORRUPT (something else stands in a file's place), CHECKPOINT_FULL,
 * CHECKPOINT_DENIED, CHECKPOINT_STORE_UNSAFE, CHECKPOINT_IO.
 */
export class DiskStorage implements Storage {
  readonly location: string
  readonly #root: string
  readonly #calls: DiskCalls
  readonly #ready = new Set<string>()
  #incoming: Promise<string> | undefined
  #written = 0

  /** @param calls the file system; replaced by tests alone */
  constructor(directory: string, calls: DiskCalls = diskCalls) {
    this.location = directory
    this.#root = resolve(directory)
    this.#calls = calls
  }

  async create(path: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    return this.#attempt('create', path, async (target) => {
      const temporary = await this.#temporaryFile()
      try {
        await writeDurably(this.#calls, temporary, bytes)
        return await this.#publish(temporary, target)
      } finally {
        await this.#unlink(temporary)
      }
    })
  }

  async createFrom(path: string, file: string): Promise<'created' | 'exists'> {
    return this.#attempt('create', path, async (target) => {
      await syncFile(this.#calls, file)
      hit('file.synced')
      const outcome = await this.#publish(file, target).catch(async (error: unknown) => {
        if (codeOf(error) !== 'EXDEV') throw error
        return this.#publishCopy(file, target)
      })
      if (outcome === 'created') await this.#unlink(file)
      return outcome
    })
  }

  async read(path: string): Promise<Uint8Array | undefined> {
    const content = await this.#translated('read', path, () => readRegular(this.#calls, this.#file(path)))
    if (content === 'not a regular file') throw corrupt(this.location, path, 'is not a regular file')
    return content
  }

  async localFile(path: string): Promise<string | undefined> {
    const file = this.#file(path)
    const stats = await this.#translated('read', path, () => this.#calls.stat(file).catch(absent))
    if (stats && !stats.isFile()) throw corrupt(this.location, path, 'is not a regular file')
    return stats && file
  }

  async list(folder: string, limit = Number.POSITIVE_INFINITY): Promise<readonly string[]> {
    const names: string[] = []
    const folders = [folder]
    for (let next = folders.shift(); next !== undefined && names.length < limit; next = folders.shift()) {
      const directory = join(this.#root, next)
      const entries = await this.#translated('list', next, () =>
        this.#calls.readdir(directory, { withFileTypes: true }).catch(absent),
      )
      for (const entry of entries ?? []) {
        if (entry.name.startsWith('.')) continue
        if (entry.isDirectory()) folders.push(`${next}${entry.name}/`)
        else if (names.length < limit) names.push(`${next}${entry.name}`)
      }
    }
    return names.sort()
  }

  async remove(path: string): Promise<void> {
    const file = this.#file(path)
    await this.#translated('remove', path, () => this.#unlink(file))
    hit('file.removed')
  }

  async scratchFile(): Promise<string> {
    return this.#translated('create', INCOMING, async () => this.#temporaryFile())
  }

  async recover(): Promise<void> {
    await this.#translated('recover', '', async () => {
      const incoming = join(this.#root, INCOMING)
      const own = await this.#incoming
      for (const name of (await this.#calls.readdir(incoming).catch(absent)) ?? []) {
        const leftover = join(incoming, name)
        if (leftover === own) continue
        // Somebody who is still alive may put a file in meanwhile; whoever recovers next takes what he leaves.
        await this.#calls.rm(leftover, { recursive: true, force: true }).catch((error: unknown) => {
          if (codeOf(error) !== 'ENOTEMPTY') throw error
        })
      }
      // A writer killed between link and fsync leaves a name that we can read and a power cut could still take.
      await this.#syncTree(this.#root)
      await syncDirectory(this.#calls, resolve(this.#root, '..')).catch((error: unknown) => {
        // Whoever gave us this directory need not let us read the one above.
        if (codeOf(error) !== 'EACCES') throw error
      })
    })
  }

  async close(): Promise<void> {}

  async #syncTree(directory: string): Promise<void> {
    const entries = await this.#calls.readdir(directory, { withFileTypes: true })
    for (const entry of entries) {
      if (entry.isDirectory() && !entry.name.startsWith('.')) {
        await this.#syncTree(join(directory, entry.name))
      }
    }
    await syncDirectory(this.#calls, directory)
  }

  async #attempt(
    operation: DiskOperation,
    path: string,
    write: (target: string) => Promise<'created' | 'exists'>,
  ): Promise<'created' | 'exists'> {
    const target = this.#file(path)
    for (let attempt = 1; ; attempt++) {
      try {
        return await write(target)
      } catch (error) {
        // Our temporary file or a directory was swept under us, and nothing was created.
        if (codeOf(error) !== 'ENOENT' || attempt === ATTEMPTS) throw this.#told(operation, path, error)
        this.#ready.clear()
        this.#incoming = undefined
      }
    }
  }

  /** Gives a complete, synced file its name. */
  async #publish(file: string, target: string): Promise<'created' | 'exists'> {
    const directory = resolve(target, '..')
    if (!this.#ready.has(directory)) {
      await makeDirectory(this.#calls, directory)
      this.#ready.add(directory)
    }
    try {
      await this.#calls.link(file, target)
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return 'exists'
      throw error
    }
    hit('file.linked')
    await syncDirectory(this.#calls, directory)
    hit('file.created')
    return 'created'
  }

  async #publishCopy(file: string, target: string): Promise<'created' | 'exists'> {
    const temporary = await this.#temporaryFile()
    try {
      await this.#calls.copyFile(file, temporary)
      await syncFile(this.#calls, temporary)
      return await this.#publish(temporary, target)
    } finally {
      await this.#unlink(temporary)
    }
  }

  async #temporaryFile(): Promise<string> {
    this.#incoming ??= this.#prepare()
    try {
      return join(await this.#incoming, String(this.#written++))
    } catch (error) {
      this.#incoming = undefined
      throw error
    }
  }

  /** A directory that is ours alone, also among containers that share the disk and count pids from 1 each. */
  async #prepare(): Promise<string> {
    const incoming = join(this.#root, INCOMING)
    await makeDirectory(this.#calls, incoming)
    const own = await this.#calls.mkdtemp(join(incoming, 'writer-'))
    await this.#probe(own)
    return own
  }

  /** Proves that a taken name is refused, before anything is trusted to it. */
  async #probe(directory: string): Promise<void> {
    const [file, name] = [join(directory, 'probe'), join(directory, 'probe-name')]
    const unsafe = (reason: string, cause?: unknown) =>
      new SluiceError('CHECKPOINT_STORE_UNSAFE', { location: this.location, reason }, { cause })
    // Another writer that recovers sweeps the directory, and a full disk says nothing about links.
    const passOn = (error: unknown) => {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOSPC') throw error
    }
    await writeDurably(this.#calls, file, new Uint8Array(1))
    try {
      await this.#calls.link(file, name).catch((error: unknown) => {
        passOn(error)
        throw unsafe(`it does not make hard links (${codeOf(error)})`, error)
      })
      const second = await this.#calls.link(file, name).then(
        () => 'no error',
        (error: unknown) => {
          passOn(error)
          return codeOf(error)
        },
      )
      if (second !== 'EEXIST') throw unsafe(`link to a name that exists gave ${second} instead of EEXIST`)
    } finally {
      await this.#unlink(name)
      await this.#unlink(file)
    }
  }

  async #unlink(file: string): Promise<void> {
    await this.#calls.unlink(file).catch(absent)
  }

  #file(path: string): string {
    checkFileName(this.location, path)
    return join(this.#root, path)
  }

  async #translated<T>(operation: DiskOperation, path: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw this.#told(operation, path, error)
    }
  }

  #told(operation: DiskOperation, path: string, error: unknown): SluiceError {
    if (codeOf(error) !== 'ENOTDIR' && !(codeOf(error) === 'EEXIST' && operation === 'create')) {
      return diskError(operation, this.location, path, error)
    }
    // A file stands where a directory belongs: the location itself, or a folder of the checkpoint.
    const directory = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : this.#root
    const reason = `a file stands where a directory is needed (${directory})`
    return new SluiceError('CHECKPOINT_LOCATION', { location: this.location, reason }, { cause: error })
  }
}

function absent(error: unknown): undefined {
  if (codeOf(error) === 'ENOENT') return undefined
  throw error
}
