import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { codeOf } from '../durable-file.ts'
import type { S3Location } from './location.ts'
import type { S3Owner } from './owner.ts'

/**
 * Files of this machine for whoever keeps something on S3: those on their way to the bucket, and copies of those in it.
 *
 * They lie in a directory of the system's temporary one that goes with `close`; what a killed process left there is
 * swept by the next query on the same place. Nothing is made before the first file is asked for.
 *
 * Fails with what a failing disk is to the owner.
 */
export class S3LocalFiles {
  readonly #owner: S3Owner
  /** Of the directories for this place, whoever made them; then comes the process id. */
  readonly #family: string
  #directory: Promise<string> | undefined
  #count = 0

  constructor(owner: S3Owner, { bucket, prefix }: S3Location) {
    this.#owner = owner
    const name = createHash('sha256').update(`${bucket}/${prefix}`).digest('hex').slice(0, 16)
    this.#family = `sluice-s3-${name}-`
  }

  /** The path of a file that does not exist yet. */
  async next(): Promise<string> {
    this.#directory ??= mkdtemp(join(tmpdir(), `${this.#family}${process.pid}-`))
    try {
      return join(await this.#directory, String(this.#count++))
    } catch (error) {
      this.#directory = undefined
      throw this.#owner.localFailure('create', `a directory in ${tmpdir()}`, error)
    }
  }

  /** Removing what is not there is no error. */
  async remove(file: string): Promise<void> {
    await unlink(file).catch((error: unknown) => {
      if (codeOf(error) !== 'ENOENT') throw this.#owner.localFailure('remove', file, error)
    })
  }

  /** Removes what processes that are gone have left for this place. Never throws: it is none of its files. */
  async sweep(): Promise<void> {
    const root = tmpdir()
    const names = await readdir(root).catch(() => [])
    for (const name of names.filter((each) => each.startsWith(this.#family))) {
      const pid = Number(/^\d+/.exec(name.slice(this.#family.length))?.[0] ?? process.pid)
      if (!isRunning(pid)) await rm(join(root, name), { recursive: true, force: true }).catch(() => {})
    }
  }

  /** Removes all files of this instance. */
  async close(): Promise<void> {
    const directory = await this.#directory?.catch(() => undefined)
    this.#directory = undefined
    if (directory !== undefined) await rm(directory, { recursive: true, force: true })
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return codeOf(error) !== 'ESRCH'
  }
}
