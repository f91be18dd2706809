/**
 * Where a checkpoint lies: a flat space of named byte strings, written once each.
 *
 * Names are segments of `A-Z a-z 0-9 _ - .` joined by `/`; no segment begins with a dot.
 *
 * Invariants, proven for every implementation by `test/conformance/storage.ts`:
 * - T1 `create` is atomic put-if-absent: of any number of writers exactly one gets `created`, the others `exists`;
 *   a reader sees the whole content or nothing, also after a power cut once `create` has returned.
 * - T2 what `create` stored never changes; it can only be removed.
 * - T3 `list` names everything created before it was called and not removed, sorted.
 * - T4 failure is a `SluiceError` that names the location and the path. A full disk leaves no partial file.
 */
export interface Storage {
  /** As the user wrote it, for messages. */
  readonly location: string
  create(path: string, bytes: Uint8Array): Promise<'created' | 'exists'>
  /** As `create`, out of a local file too big for memory. After `created` the file is gone, else it is still there. */
  createFrom(path: string, file: string): Promise<'created' | 'exists'>
  /** The content, or undefined when there is none of that name. */
  read(path: string): Promise<Uint8Array | undefined>
  /**
   * The content as a local file for a reader that needs one; it must not be changed, and may go with `close`.
   * Undefined when there is none.
   */
  localFile(path: string): Promise<string | undefined>
  /** Names below `folder` (which ends in `/`, or is empty for all), relative to the location; any `limit` of them. */
  list(folder: string, limit?: number): Promise<readonly string[]>
  /** Removing what is not there is no error. */
  remove(path: string): Promise<void>
  /** The path of a local file that does not exist yet, from where `createFrom` is cheap. */
  scratchFile(): Promise<string>
  /**
   * For the single writer alone, before it acts on what it reads: removes what interrupted writers left behind, and
   * makes durable whatever can be read. A `create` running elsewhere meanwhile still ends as T1 says.
   */
  recover(): Promise<void>
  /** Gives back connections and local copies; the checkpoint stays. The last call, but for calling it again. */
  close(): Promise<void>
}
