import type { Field, Schema } from '../../batch.ts'
import { quoted, type Relation } from '../../duckdb.ts'
import { SluiceError } from '../../errors.ts'
import { hit } from '../../failpoints.ts'
import type { OutputMode } from '../../output-mode.ts'
import { columnType } from './column-type.ts'
import { NOTES, type PostgresTarget } from './options.ts'
import type { Statement } from './server.ts'

/** Characters of the values of one INSERT, at most, but for its last row. */
const CHARACTERS_PER_STATEMENT = 8 * 1024 * 1024
/** Longer names are cut by the server, and two could become one. */
const NAME_BYTES_MAX = 63
/** `UNIQUE NULLS NOT DISTINCT` came with this version. */
const NULLS_COMPARE_SINCE = 150_000

/** What every batch of one run of a query has in common. */
export interface Writing {
  readonly queryId: string
  readonly mode: OutputMode
  readonly schema: Schema
}

/** Writes batches into a table and notes each in `sluice_batches`, in one transaction: the database has both or neither. */
export class TableWriter {
  readonly #target: PostgresTarget
  readonly #writing: Writing
  /** Quoted and qualified. */
  readonly #table: string
  readonly #notes: string
  #nullsCompare = false

  /** @throws SINK_TABLE for names that PostgreSQL cannot keep */
  constructor(target: PostgresTarget, writing: Writing) {
    this.#target = target
    this.#writing = writing
    this.#table = `${quoted(target.schema)}.${quoted(target.table)}`
    this.#notes = `${quoted(target.schema)}.${quoted(NOTES)}`
    for (const name of [target.schema, target.table, ...writing.schema.map((field) => field.name)]) {
      if (Buffer.byteLength(name) <= NAME_BYTES_MAX) continue
      throw this.#refusal(`the name ${name} has more than ${NAME_BYTES_MAX} bytes`, 'choose a shorter one')
    }
  }

  /** Looks whether a table that is there can take the rows. @throws SINK_TABLE */
  async inspect(run: Statement): Promise<void> {
    const columns = await this.#columns(run)
    if (columns.size > 0) await this.#check(run, columns)
  }

  /** Leaves out a batch that is noted already. @throws SINK_TABLE, SINK_ROW */
  async write(run: Statement, batchId: number, rows: Relation): Promise<void> {
    const last = (await this.#lastBatch(run)) ?? (await this.#begin(run))
    if (last >= batchId) return
    hit('sink.begun')
    if (this.#writing.mode === 'complete') await run(`DELETE FROM ${this.#table}`)
    if (!this.#nullsCompare) await this.#refuseNullKeys(batchId, rows)
    await this.#insert(run, rows)
    const { queryId } = this.#writing
    await run(`UPDATE ${this.#notes} SET batch = $3 WHERE query = $1 AND "table" = $2`, [
      queryId,
      this.#target.table,
      batchId,
    ])
    hit('sink.added')
  }

  /** Undefined before the first batch of the query. Holds back another process of the query until this transaction ends. */
  async #lastBatch(run: Statement): Promise<number | undefined> {
    const [found] = await run('SELECT to_regclass($1) IS NOT NULL AS known', [this.#notes])
    if (found?.['known'] !== true) return undefined
    const select = `SELECT batch FROM ${this.#notes} WHERE query = $1 AND "table" = $2 FOR UPDATE`
    const [note] = await run(select, [this.#writing.queryId, this.#target.table])
    return note === undefined ? undefined : Number(note['batch'])
  }

  /** Makes the tables that are not there, and a note of no batch. */
  async #begin(run: Statement): Promise<number> {
    // Of two that find a table missing, the second would fail to make it.
    await run(`SELECT pg_advisory_xact_lock(hashtext('sluice'))`)
    const [schema] = await run('SELECT to_regnamespace($1) IS NOT NULL AS known', [
      quoted(this.#target.schema),
    ])
    if (schema?.['known'] !== true) await run(`CREATE SCHEMA ${quoted(this.#target.schema)}`)
    const [notes] = await run('SELECT to_regclass($1) IS NOT NULL AS known', [this.#notes])
    if (notes?.['known'] !== true) {
      await run(
        `CREATE TABLE ${this.#notes} (query text, "table" text, batch bigint NOT NULL, PRIMARY KEY (query, "table"))`,
      )
    }
    const columns = await this.#columns(run)
    if (columns.size === 0) await this.#create(run)
    else if (this.#writing.mode === 'complete') {
      const reason = 'it was not made by this query, and complete mode would empty it'
      throw this.#refusal(reason, 'choose another table, or drop this one')
    } else await this.#check(run, columns)
    const insert = `INSERT INTO ${this.#notes} VALUES ($1, $2, -1) ON CONFLICT DO NOTHING`
    await run(insert, [this.#writing.queryId, this.#target.table])
    return (await this.#lastBatch(run)) ?? -1
  }

  async #create(run: Statement): Promise<void> {
    const { key } = this.#target
    const [server] = await run(`SELECT current_setting('server_version_num')::int AS version`)
    this.#nullsCompare = Number(server?.['version']) >= NULLS_COMPARE_SINCE
    const columns = this.#writing.schema.map((field) => `${quoted(field.name)} ${columnType(field).type}`)
    const unique = this.#nullsCompare ? 'UNIQUE NULLS NOT DISTINCT' : 'PRIMARY KEY'
    const constraint = key.length === 0 ? [] : [`${unique} (${listOf(key)})`]
    await run(`CREATE TABLE ${this.#table} (${[...columns, ...constraint].join(', ')})`)
  }

  /** Names and types; none when there is no such table. */
  async #columns(run: Statement): Promise<ReadonlyMap<string, string>> {
    const rows = await run(
      `SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute
       WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped`,
      [this.#table],
    )
    return new Map(rows.map(({ name, type }) => [String(name), String(type)]))
  }

  /** A table may have more columns than the query; the others are NULL or have their default in new rows. */
  async #check(run: Statement, columns: ReadonlyMap<string, string>): Promise<void> {
    for (const field of this.#writing.schema) {
      const { type, fits } = columnType(field)
      const found = columns.get(field.name)
      if (found !== undefined && fits.test(found)) continue
      const has = found === undefined ? `no column "${field.name}"` : `"${field.name}" of type ${found}`
      const column = quoted(field.name)
      const change =
        found === undefined ? `ADD COLUMN ${column} ${type}` : `ALTER COLUMN ${column} TYPE ${type}`
      const remedy = `ALTER TABLE ${this.#table} ${change}, or cast or rename the column in the SELECT`
      throw this.#refusal(`it has ${has} where the query gives ${field.type}`, remedy)
    }
    const { key } = this.#target
    if (key.length === 0) return
    const [index] = await run(UNIQUE_INDEX, [this.#table, key])
    if (!index) {
      const remedy = `ALTER TABLE ${this.#table} ADD UNIQUE (${listOf(key)})`
      throw this.#refusal(`no unique index has just the columns of the key (${key.join(', ')})`, remedy)
    }
    this.#nullsCompare = index['nulls_compare'] === true
  }

  /** An index that takes no NULL for another would let their rows in again and again. */
  async #refuseNullKeys(batch: number, { connection, name }: Relation): Promise<void> {
    const { key, description: sink } = this.#target
    if (key.length === 0) return
    const isNull = key.map((column) => `${quoted(column)} IS NULL`).join(' OR ')
    const row = await connection.value(
      `SELECT min(row) FROM (SELECT row_number() OVER () - 1 AS row, * FROM ${name}) WHERE ${isNull}`,
    )
    if (row === null || row === undefined) return
    const reason = `a column of the key is NULL, and the table's index takes no NULL for equal to another; coalesce it`
    throw new SluiceError('SINK_ROW', { sink, batch, row: Number(row), reason })
  }

  async #insert(run: Statement, { connection, name }: Relation): Promise<void> {
    const { schema } = this.#writing
    const { rowsPerStatement, key } = this.#target
    const insert = insertSql(this.#table, schema, key)
    const items = schema.map((field, i) => `${columnType(field).text(quoted(field.name))} AS c${i}`)
    // Of several rows with one key the last counts, in the order in which the query gives them.
    const last = `QUALIFY row_number() OVER (PARTITION BY ${listOf(key)} ORDER BY rowid DESC) = 1`
    let values = schema.map(() => [] as unknown[])
    let characters = 0
    const flush = async () => {
      if (values[0]?.length) await run(insert, values)
      values = schema.map(() => [])
      characters = 0
    }
    const select = `SELECT ${items.join(', ')} FROM ${name} ${key.length > 0 ? last : ''}`
    for await (const rows of connection.pieces(select)) {
      for (const row of rows) {
        for (const [i, column] of values.entries()) {
          const value = row[`c${i}`]
          column.push(value)
          if (typeof value === 'string') characters += value.length
        }
        if (values[0]?.length === rowsPerStatement || characters > CHARACTERS_PER_STATEMENT) await flush()
      }
    }
    await flush()
  }

  #refusal(reason: string, remedy: string): SluiceError {
    const { database, schema, table } = this.#target
    return new SluiceError('SINK_TABLE', { table: `${schema}.${table}`, path: database, reason, remedy })
  }
}

/** Whole, immediate, over plain columns: what `ON CONFLICT` can use. One that compares NULLs comes first. */
const UNIQUE_INDEX = `
  SELECT coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) AS nulls_compare
  FROM pg_index i, LATERAL (
    SELECT array_agg(attname::text) AS names FROM pg_attribute
    WHERE attrelid = i.indrelid AND attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])
  ) AS columns
  WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indimmediate AND i.indisvalid
    AND i.indpred IS NULL AND i.indexprs IS NULL AND names @> $2::text[] AND names <@ $2::text[]
  ORDER BY 1 DESC`

/** Takes one array of texts for each column, so that its text does not depend on the number of rows. */
function insertSql(table: string, schema: Schema, key: readonly string[]): string {
  const names = schema.map(({ name }) => name)
  const cast = (field: Field, i: number) => `c${i}::${columnType(field).type}`
  const arrays = schema.map((_, i) => `$${i + 1}::text[]`).join(', ')
  const columns = schema.map((_, i) => `c${i}`).join(', ')
  const rest = names.filter((name) => !key.includes(name))
  const change =
    rest.length === 0
      ? 'DO NOTHING'
      : `DO UPDATE SET ${rest.map((name) => `${quoted(name)} = EXCLUDED.${quoted(name)}`).join(', ')}`
  return (
    `INSERT INTO ${table} (${listOf(names)}) SELECT ${schema.map(cast).join(', ')} ` +
    `FROM unnest(${arrays}) AS incoming(${columns})` +
    (key.length === 0 ? '' : ` ON CONFLICT (${listOf(key)}) ${change}`)
  )
}

function listOf(columns: readonly string[]): string {
  return columns.map(quoted).join(', ')
}
