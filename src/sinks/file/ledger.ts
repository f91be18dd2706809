import { join } from 'node:path'
import { absent, codeOf, type DiskCalls, syncDirectory, writeDurably } from '../../durable-file.ts'
import { SluiceError } from '../../errors.ts'
import { hit } from '../../failpoints.ts'
import { diskError } from './disk-error.ts'
import { type Claim, claimText, type Manifest, manifestText, parseClaim, parseManifest } from './manifest.ts'

/** The folder of the ledger in the output; readers of data pass by what begins with an underscore. */
export const LEDGER = '_sluice'
const CLAIM = 'query'

/**
 * Says whose an output directory is and which batches are in it.
 *
 * Invariants: an entry is created once and whole, by link(2), which the kernel refuses for a name that is taken;
 * it never changes.
 */
export class Ledger {
  readonly #root: string
  readonly #folder: string
  readonly #claim: Claim
  readonly #sink: string
  readonly #calls: DiskCalls

  /** @param sink its description, for messages */
  constructor(root: string, claim: Claim, sink: string, calls: DiskCalls) {
    this.#root = root
    this.#folder = join(root, LEDGER)
    this.#claim = claim
    this.#sink = sink
    this.#calls = calls
  }

  /** Whether the output is this query's; false when it is nobody's. @throws SINK_PATH_TAKEN, SINK_DAMAGED */
  async isClaimed(): Promise<boolean> {
    const file = join(this.#folder, CLAIM)
    const text = await this.#read(file)
    if (text === undefined) return false
    const { queryId, format, partitionBy } = parseClaim(this.#sink, file, text)
    if (queryId !== this.#claim.queryId) throw this.#taken(`it belongs to query ${queryId}`)
    if (format !== this.#claim.format) throw this.#taken(`this query filled it with ${format} before`)
    if (partitionBy.join() !== this.#claim.partitionBy.join()) {
      throw this.#taken(`this query partitioned it by ${partitionBy.join(', ') || 'no column'} before`)
    }
    return true
  }

  /** Makes the output this query's, unless it is. @throws SINK_PATH_TAKEN, SINK_DAMAGED */
  async claim(workshop: string): Promise<void> {
    if ((await this.#create(CLAIM, claimText(this.#claim), workshop)) === 'exists') await this.isClaimed()
  }

  /** Of a batch that is in the output; else undefined. @throws SINK_PATH_TAKEN, SINK_DAMAGED */
  async manifest(batchId: number): Promise<Manifest | undefined> {
    const file = join(this.#folder, String(batchId))
    const text = await this.#read(file)
    if (text === undefined) return undefined
    const manifest = parseManifest(this.#sink, file, text)
    if (manifest.queryId === this.#claim.queryId) return manifest
    throw this.#taken(`its batch ${batchId} is of query ${manifest.queryId}`)
  }

  /** The last batch in the output; -1 when there is none. */
  async lastBatch(): Promise<number> {
    const names = (await this.#calls.readdir(this.#folder).catch(absent)) ?? []
    return names.reduce((last, name) => (/^\d+$/.test(name) ? Math.max(last, Number(name)) : last), -1)
  }

  /** Puts a batch into the output. */
  async record(manifest: Manifest, workshop: string): Promise<'created' | 'exists'> {
    return this.#create(String(manifest.batchId), manifestText(manifest), workshop)
  }

  async #create(name: string, text: string, workshop: string): Promise<'created' | 'exists'> {
    // Linked out of the workshop: who takes the workshop away has stopped its process before this step.
    const draft = join(workshop, `draft-${name}`)
    await writeDurably(this.#calls, draft, Buffer.from(text))
    const target = join(this.#folder, name)
    try {
      await this.#calls.link(draft, target)
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return 'exists'
      throw codeOf(error) === 'ENOENT' ? error : diskError(this.#sink, 'link', target, error)
    } finally {
      await this.#calls.unlink(draft).catch(absent)
    }
    hit('sink.recorded')
    await syncDirectory(this.#calls, this.#folder)
    return 'created'
  }

  async #read(file: string): Promise<string | undefined> {
    try {
      return await this.#calls.readFile(file, 'utf8').catch(absent)
    } catch (error) {
      throw diskError(this.#sink, 'read', file, error)
    }
  }

  #taken(reason: string): SluiceError {
    return new SluiceError('SINK_PATH_TAKEN', { path: this.#root, reason })
  }
}
