import type { RecordBatch } from 'apache-arrow'
import type { Schema } from '../../batch.ts'
import { type Connection, Database, literal, quoted } from '../../duckdb.ts'
import { reasonOf, SluiceError } from '../../errors.ts'
import type { CsvLayout, FileKind } from './options.ts'

/** Reads files of one kind as rows of one schema, by a DuckDB of its own. */
export class FileRows {
  readonly #source: string
  readonly #kind: FileKind
  readonly #csv: CsvLayout
  readonly #schema: Schema
  #database: Database | undefined
  #connection: Connection | undefined

  /** @param source its description, for messages */
  constructor(source: string, kind: FileKind, csv: CsvLayout, schema: Schema) {
    this.#source = source
    this.#kind = kind
    this.#csv = csv
    this.#schema = schema
  }

  /**
   * All rows of a file, in its order.
   *
   * @param path as the source names the file; its folders may give columns: `day=1/x.parquet`
   * @param local where it lies on this machine
   * @throws FILE_UNREADABLE
   */
  async read(path: string, local: string): Promise<RecordBatch | undefined> {
    this.#database ??= await Database.open()
    this.#connection ??= await this.#database.connect()
    try {
      const table = await this.#connection.arrow(await this.#select(this.#connection, path, local))
      return table.numRows === 0 ? undefined : table.batches[0]
    } catch (error) {
      const reason =
        error instanceof SluiceError && 'reason' in error.params
          ? String(error.params.reason)
          : reasonOf(error)
      const params = { source: this.#source, path, reason: withoutData(reason.replaceAll(local, path)) }
      throw new SluiceError('FILE_UNREADABLE', params, { cause: error })
    }
  }

  close(): void {
    this.#connection?.close()
    this.#database?.close()
    this.#connection = undefined
    this.#database = undefined
  }

  async #select(connection: Connection, path: string, local: string): Promise<string> {
    const folders = foldersOf(path)
    const relation = this.#relation(local, folders)
    const found = relation.columns ?? (await connection.describe(`FROM ${relation.from}`))
    const items = this.#schema.map(({ name, type }) => {
      const folder = folders.get(name.toLowerCase())
      const column = found.find((each) => each.name.toLowerCase() === name.toLowerCase())
      const value =
        folder !== undefined ? (folder ?? 'NULL') : column === undefined ? 'NULL' : quoted(column.name)
      return `CAST(${value} AS ${type}) AS ${quoted(name)}`
    })
    return `SELECT ${items.join(', ')} FROM ${relation.from}`
  }

  #relation(
    local: string,
    folders: ReadonlyMap<string, string | null>,
  ): { readonly from: string; readonly columns?: Schema } {
    const file = literal(local)
    const inFile = this.#schema.filter(({ name }) => !folders.has(name.toLowerCase()))
    switch (this.#kind) {
      case 'parquet':
        return { from: `read_parquet(${file}, hive_partitioning = false)` }
      case 'json': {
        const columns = inFile.map(({ name, type }) => `${literal(name)}: ${literal(type)}`)
        const options = `format = 'newline_delimited', hive_partitioning = false, maximum_object_size = ${OBJECT_BYTES}`
        return { from: `read_json(${file}, columns = {${columns.join(', ')}}, ${options})`, columns: inFile }
      }
      case 'csv': {
        const { header, settings } = this.#csv
        const options = [...settings, 'hive_partitioning = false']
        if (header) return { from: `read_csv(${file}, ${options.join(', ')})` }
        // Without names, columns are those of the schema, one after the other.
        const columns = inFile.map(({ name }) => `${literal(name)}: 'VARCHAR'`)
        const declared = [...options, 'auto_detect = false', `columns = {${columns.join(', ')}}`]
        return { from: `read_csv(${file}, ${declared.join(', ')})`, columns: inFile }
      }
    }
  }
}

/** What DuckDB says of a file, without its advice on options of its own and without what stands in the file. */
function withoutData(reason: string): string {
  const [first = ''] = reason.split(
    /\s*(?:Try setting|Possible fixes:|The search space|If this error occurred)/,
  )
  return first.replace(/: (?:"(?:[^"\\]|\\.)*"|[{[].*)/gs, ': (not shown)')
}

/** An object may have some megabytes; DuckDB takes 16 MB unless told. */
const OBJECT_BYTES = 64 * 1024 * 1024

/** Columns that stand in the names of folders, as SQL text by lower-case name; null for NULL. */
function foldersOf(path: string): Map<string, string | null> {
  const folders = path.split('/').slice(0, -1)
  return new Map(
    folders.flatMap((folder) => {
      const [, name, value] = /^([^=]+)=(.*)$/s.exec(folder) ?? []
      if (name === undefined || value === undefined) return []
      const isNull = value === '__HIVE_DEFAULT_PARTITION__'
      return [[decoded(name).toLowerCase(), isNull ? null : literal(decoded(value))] as const]
    }),
  )
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
