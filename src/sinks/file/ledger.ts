import { SluiceError } from '../../errors.ts'
import { hit } from '../../failpoints.ts'
import {
  CLAIM,
  type Claim,
  claimText,
  entryText,
  LEDGER,
  type Manifest,
  type ManifestFile,
  type Merged,
  manifestText,
  mergedEntry,
  mergedThrough,
  parseClaim,
  parseManifest,
  parseMerged,
} from '../../files/manifest.ts'
import type { Place } from './place.ts'

/** Says whose an output is and which batches are in it. */
export class Ledger {
  readonly #place: Place
  readonly #root: string
  readonly #claim: Claim
  readonly #sink: string

  /**
   * @param root of the output, for messages
   * @param sink its description, for messages
   */
  constructor(place: Place, root: string, claim: Claim, sink: string) {
    this.#place = place
    this.#root = root
    this.#claim = claim
    this.#sink = sink
  }

  /** Whether the output is this query's; false when it is nobody's. @throws SINK_PATH_TAKEN, SINK_DAMAGED */
  async isClaimed(): Promise<boolean> {
    const text = await this.#place.read(CLAIM)
    if (text === undefined) return false
    const { queryId, format, partitionBy } = parseClaim(text, this.#damaged(CLAIM))
    if (queryId !== this.#claim.queryId) throw this.#taken(`it belongs to query ${queryId}`)
    if (format !== this.#claim.format) throw this.#taken(`this query filled it with ${format} before`)
    if (partitionBy.join() !== this.#claim.partitionBy.join()) {
      throw this.#taken(`this query partitioned it by ${partitionBy.join(', ') || 'no column'} before`)
    }
    return true
  }

  /** Makes the output this query's, unless it is. @throws SINK_PATH_TAKEN, SINK_DAMAGED */
  async claim(): Promise<void> {
    if ((await this.#place.create(CLAIM, claimText(this.#claim))) === 'exists') await this.isClaimed()
  }

  /** Of a batch that is in the output; else undefined. @throws SINK_PATH_TAKEN, SINK_DAMAGED */
  async manifest(batchId: number): Promise<Manifest | undefined> {
    const text = await this.#place.read(String(batchId))
    if (text === undefined) return undefined
    const manifest = parseManifest(text, this.#damaged(String(batchId)))
    if (manifest.queryId === this.#claim.queryId) return manifest
    throw this.#taken(`its batch ${batchId} is of query ${manifest.queryId}`)
  }

  /** The last batch in the output; -1 when there is none. */
  async lastBatch(): Promise<number> {
    const names = await this.#place.entries()
    return names.reduce((last, name) => (/^\d+$/.test(name) ? Math.max(last, Number(name)) : last), -1)
  }

  async filesOf(entry: string): Promise<ReadonlySet<string> | undefined> {
    const through = mergedThrough(entry)
    const files =
      through === undefined
        ? (await this.manifest(Number(entry)))?.files
        : await this.#mergedBy(through, await this.merged())
    return files && new Set(files.map(({ path }) => path))
  }

  async mergedFiles(): Promise<ReadonlySet<string>> {
    const { files = [], replaced = [] } = (await this.merged()) ?? {}
    return new Set([...files, ...replaced].map(({ path }) => path))
  }

  /** The last merge; undefined when there was none. @throws SINK_DAMAGED, SINK_PATH_TAKEN */
  async merged(): Promise<Merged | undefined> {
    const throughs = (await this.#place.entries()).map(mergedThrough).filter((each) => each !== undefined)
    return throughs.length === 0 ? undefined : this.#merge(Math.max(...throughs))
  }

  /** Puts merged files in the place of others. */
  async recordMerge(merged: Merged): Promise<'created' | 'exists'> {
    const outcome = await this.#place.create(mergedEntry(merged.through), entryText(merged))
    hit('sink.merged')
    return outcome
  }

  async #merge(through: number): Promise<Merged | undefined> {
    const entry = mergedEntry(through)
    const text = await this.#place.read(entry)
    return text === undefined ? undefined : parseMerged(text, this.#damaged(entry))
  }

  /** What an entry that a later one has overtaken names will never count. */
  async #mergedBy(through: number, last: Merged | undefined): Promise<readonly ManifestFile[] | undefined> {
    if (last === undefined || last.through < through) return undefined
    return last.through === through ? last.files : []
  }

  /** Puts a batch into the output. */
  async record(manifest: Manifest): Promise<'created' | 'exists'> {
    const outcome = await this.#place.create(String(manifest.batchId), manifestText(manifest))
    hit('sink.recorded')
    return outcome
  }

  #damaged(entry: string): (reason: string) => SluiceError {
    const path = `${this.#root}/${LEDGER}/${entry}`
    return (reason) => new SluiceError('SINK_DAMAGED', { sink: this.#sink, path, reason })
  }

  #taken(reason: string): SluiceError {
    return new SluiceError('SINK_PATH_TAKEN', { path: this.#root, reason })
  }
}
