import type { FileHandle } from 'node:fs/promises'
import type { DiskCalls } from '../../durable-file.ts'

/** Where the two headers of a DuckDB file lie; the one with the higher number is in force. Blocks come behind them. */
const HEADERS_AT = 4096
const HEADERS_BYTES = 8192
const BLOCKS_AT = HEADERS_AT + HEADERS_BYTES

/**
 * The bytes of a DuckDB file below the database.
 *
 * It has to be open for at least as long as the file is attached: where a process closes a file, POSIX takes away all
 * locks that it has on that file, DuckDB's among them.
 */
export class DatabaseBlocks {
  readonly #handle: FileHandle

  private constructor(handle: FileHandle) {
    this.#handle = handle
  }

  static async open(calls: DiskCalls, path: string): Promise<DatabaseBlocks> {
    return new DatabaseBlocks(await calls.open(path, 'r+'))
  }

  /** Both headers; they change with every checkpoint that came to its end, and with nothing else. */
  headers(): Promise<Buffer> {
    return this.#read(HEADERS_BYTES, HEADERS_AT)
  }

  /** @param bytes the size of a block */
  read(block: number, bytes: number): Promise<Buffer> {
    return this.#read(bytes, BLOCKS_AT + block * bytes)
  }

  async write(block: number, bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const at = BLOCKS_AT + block * bytes.length + done
      done += (await this.#handle.write(bytes, done, bytes.length - done, at)).bytesWritten
    }
  }

  sync(): Promise<void> {
    return this.#handle.sync()
  }

  close(): Promise<void> {
    return this.#handle.close()
  }

  /** Shorter where the file ends. */
  async #read(bytes: number, at: number): Promise<Buffer> {
    const buffer = Buffer.alloc(bytes)
    let filled = 0
    for (;;) {
      const { bytesRead } = await this.#handle.read(buffer, filled, bytes - filled, at + filled)
      filled += bytesRead
      if (bytesRead === 0 || filled === bytes) return buffer.subarray(0, filled)
    }
  }
}
