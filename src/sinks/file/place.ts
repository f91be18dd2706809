import type { SluiceError } from '../../errors.ts'
import type { ManifestFile } from '../../files/manifest.ts'

/** A finished file on this machine, and the path in the output at which it is to be. */
export interface StagedFile {
  readonly file: string
  readonly path: string
}

/** What the files of dead processes are judged by. */
export interface Verdicts {
  /** The last batch in the output; -1 when there is none. */
  lastBatch(): Promise<number>
  /** Paths of the files that an entry names; undefined when there is none, and it may still be created. */
  filesOf(entry: string): Promise<ReadonlySet<string> | undefined>
  /** Paths of merged files that count, or did until lately. */
  mergedFiles(): Promise<ReadonlySet<string>>
}

/**
 * Where an output lies: a directory, or a prefix of a bucket. It holds data files, and entries of a ledger.
 *
 * Invariants: an entry is created once and whole, and never changes; a data file has its name only when it is whole
 * and durable; nothing is there before `begin`, and nothing is removed that does not carry the query's own mark.
 */
export interface Place {
  /** Refuses what can never be used. Changes nothing. */
  inspect(): Promise<void>
  /** The text of an entry; undefined when there is none. */
  read(entry: string): Promise<string | undefined>
  /** The names of all entries. */
  entries(): Promise<readonly string[]>
  create(entry: string, text: string): Promise<'created' | 'exists'>
  /** Makes ready for writing; called once, before anything is created. */
  begin(): Promise<void>
  /** An empty directory of this machine, out of which `bring` takes files. */
  stage(name: string): Promise<string>
  /** Puts finished files into the output. They count once the entry names them. */
  bring(entry: string, files: readonly StagedFile[]): Promise<readonly ManifestFile[]>
  /** An entry was created: nobody can any more. */
  settle(verdicts: Verdicts): Promise<void>
  /** Gives data files as files of this machine, while `work` runs. */
  withLocal(paths: readonly string[], work: (files: readonly string[]) => Promise<void>): Promise<void>
  /** Removing what is not there is no error. */
  remove(paths: readonly string[]): Promise<void>
  /** Removes what earlier processes of the query left half done. */
  recover(verdicts: Verdicts): Promise<void>
  close(): Promise<void>
  /** @param batchId of the batch being written, if one was */
  failure(operation: 'read' | 'write', cause: unknown, batchId?: number): Promise<SluiceError>
}
