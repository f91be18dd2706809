import { dirname } from 'node:path'
import { checksum } from '../../checksum.ts'
import { type Connection, literal } from '../../duckdb.ts'
import { absent, type DiskCalls, syncDirectory, writeDurably } from '../../durable-file.ts'
import { hit } from '../../failpoints.ts'
import type { DatabaseBlocks } from './database-blocks.ts'

const CHECKSUM_BYTES = 8

/** The first line of the file, in JSON. Behind it lie the headers, the blocks, and the CRC-32 of all that. */
interface Heading {
  /** Version of the format. */
  readonly sluiceMetadataJournal: 1
  readonly headerBytes: number
  readonly blockBytes: number
  readonly blocks: readonly number[]
}

/** Blocks of a database file as they are while its headers are these. */
interface Kept {
  readonly headers: Buffer
  readonly blocks: ReadonlyMap<number, Buffer>
}

/**
 * The metadata of a DuckDB file, kept in a file beside it for as long as DuckDB may write it over.
 *
 * A checkpoint of DuckDB writes rows beside the old ones, and last a header that points to them. Blocks with metadata,
 * though, it writes in place as long as they have room left: a process that is killed, or meets a full disk, in the
 * middle of such a write leaves a block with a checksum that is wrong, in a file that nobody can open. The header is
 * still the old one then, and what it points to is in the journal.
 *
 * J1 Whatever is written in place while the headers are H is in a durable journal for H before.
 * J2 A block is restored only under the headers for which it was kept, and by somebody who is alone with the file.
 */
export class MetadataJournal {
  readonly #calls: DiskCalls
  readonly #path: string
  /** For which the journal on the disk is good. */
  #keptFor: Buffer | undefined

  /** @param database the path of the database file */
  constructor(calls: DiskCalls, database: string) {
    this.#calls = calls
    this.#path = `${database}.sluice-journal`
  }

  /** Keeps all blocks with metadata, unless that has been done since the last checkpoint. */
  async keep(connection: Connection, catalog: string, file: DatabaseBlocks): Promise<void> {
    const headers = await file.headers()
    if (this.#keptFor?.equals(headers)) return
    const blockBytes = Number(
      await connection.value(
        `SELECT block_size FROM pragma_database_size() WHERE database_name = ${literal(catalog)}`,
      ),
    )
    const blocks = new Map<number, Buffer>()
    for (const row of await connection.rows(
      `SELECT block_id AS number FROM pragma_metadata_info(${literal(catalog)}) ORDER BY number`,
    )) {
      const number = Number(row['number'])
      blocks.set(number, await file.read(number, blockBytes))
    }
    await this.#write(headers, blocks, blockBytes)
    this.#keptFor = headers
    hit('sink.metadata-kept')
  }

  /**
   * The blocks that are not what they were under the headers that the file still has. None when a checkpoint has come to
   * its end since, or there is no journal that can be read: it was never finished, and so nothing was written in place.
   */
  async overwritten(file: DatabaseBlocks): Promise<ReadonlyMap<number, Buffer>> {
    const overwritten = new Map<number, Buffer>()
    const kept = await this.#read()
    if (!kept?.headers.equals(await file.headers())) return overwritten
    for (const [number, bytes] of kept.blocks)
      if (!bytes.equals(await file.read(number, bytes.length))) overwritten.set(number, bytes)
    return overwritten
  }

  /** @returns how many blocks were restored */
  async restore(file: DatabaseBlocks): Promise<number> {
    const blocks = await this.overwritten(file)
    for (const [number, bytes] of blocks) {
      await file.write(number, bytes)
      hit('sink.metadata-restored')
    }
    if (blocks.size > 0) await file.sync()
    return blocks.size
  }

  /** When the file was let go of in order. Should it stay or come back, it is one for headers that are gone. */
  async drop(): Promise<void> {
    this.#keptFor = undefined
    await this.#calls.unlink(this.#path).catch(absent)
  }

  async #write(headers: Buffer, blocks: ReadonlyMap<number, Buffer>, blockBytes: number): Promise<void> {
    const heading: Heading = {
      sluiceMetadataJournal: 1,
      headerBytes: headers.length,
      blockBytes,
      blocks: [...blocks.keys()],
    }
    const content = Buffer.concat([Buffer.from(`${JSON.stringify(heading)}\n`), headers, ...blocks.values()])
    // Whoever writes it is alone with the database: a draft that lies there is from somebody who died.
    const draft = `${this.#path}.new`
    await this.#calls.unlink(draft).catch(absent)
    await writeDurably(this.#calls, draft, Buffer.concat([content, Buffer.from(checksum(content))]))
    await this.#calls.rename(draft, this.#path)
    await syncDirectory(this.#calls, dirname(this.#path))
  }

  async #read(): Promise<Kept | undefined> {
    const file = await this.#calls.readFile(this.#path).catch(absent)
    const content = file?.subarray(0, -CHECKSUM_BYTES)
    if (!content || checksum(content) !== file?.subarray(-CHECKSUM_BYTES).toString('latin1')) return undefined
    const lineEnd = content.indexOf('\n')
    const heading = JSON.parse(content.toString('utf8', 0, lineEnd)) as Heading
    if (heading.sluiceMetadataJournal !== 1) return undefined
    const blocksAt = lineEnd + 1 + heading.headerBytes
    const block = (index: number) =>
      content.subarray(blocksAt + index * heading.blockBytes, blocksAt + (index + 1) * heading.blockBytes)
    return {
      headers: content.subarray(lineEnd + 1, blocksAt),
      blocks: new Map(heading.blocks.map((number, index) => [number, block(index)])),
    }
  }
}
