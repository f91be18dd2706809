/** A file of a store as a listing shows it. */
export interface StoredFile {
  /** Relative to the root, its folders separated by `/`. */
  readonly path: string
  readonly bytes: number
  /** Changes when the content does: the time of the last change, or the ETag. */
  readonly version: string
  readonly modifiedMs: number
}

/** Files in a directory or below a prefix of a bucket, for reading. */
export interface FileStore {
  /** All of them, in no promised order, but for those below a name that begins with `_` or `.`. */
  list(): Promise<readonly StoredFile[]>
  /** Undefined when there is no such file. */
  find(path: string): Promise<StoredFile | undefined>
  /** The content as text; undefined when there is no such file. */
  text(path: string): Promise<string | undefined>
  /** Names in a folder, without those in folders below it. */
  names(folder: string): Promise<readonly string[]>
  /** A file of this machine with the content, until `release`; undefined when there is no such file. */
  local(path: string): Promise<string | undefined>
  release(local: string): Promise<void>
  close(): Promise<void>
}

/** Whether readers pass by a file: it, or a folder on the way to it, begins with `_` or `.`. */
export function isHidden(path: string): boolean {
  return /(?:^|\/)[_.]/.test(path)
}
