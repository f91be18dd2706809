import { type Connection, literal, quoted } from '../duckdb.ts'
import { SluiceError } from '../errors.ts'
import { parseOptions } from '../options.ts'
import type { Sink, SinkContext, SinkFormat } from './sink.ts'

/** The session's own database, where `session.sql` finds tables. */
const MAIN = 'memory.main'

/** Which batch each table of a memory sink holds last; in the same transaction as the rows. */
const LEDGER = 'memory.sluice.memory_sinks'

/**
 * A table of the session, named as the query: `session.sql('SELECT … FROM counts')`. append adds rows, complete
 * replaces them. The rows are visible once their batch is committed, and are gone with the session.
 */
export const memoryFormat: SinkFormat = Object.freeze({
  name: 'memory',
  // As in Spark: update needs a key to know which row to replace.
  modes: ['append', 'complete'],
  guarantee: 'exactly-once',
  options: {},
  open: async (context) => {
    parseOptions('sink memory', {}, context.options)
    if (context.queryName === undefined) throw new SluiceError('SINK_NEEDS_NAME', { sink: 'memory' })
    return memorySink(context, context.queryName)
  },
} satisfies SinkFormat)

function memorySink({ schema, outputMode, queryId }: SinkContext, name: string): Sink {
  const target = `${MAIN}.${quoted(name)}`
  let isPrepared = false

  /** A table that this query made is continued, one that another query made under this name is replaced. */
  const prepare = async (connection: Connection): Promise<void> => {
    await connection.run('CREATE SCHEMA IF NOT EXISTS memory.sluice')
    await connection.run(`CREATE TABLE IF NOT EXISTS ${LEDGER} (name VARCHAR, query VARCHAR, batch BIGINT)`)
    const [entry] = await connection.rows(`SELECT query FROM ${LEDGER} WHERE name = ${literal(name)}`)
    if (entry?.['query'] === queryId) return
    if (entry) await connection.run(`DROP TABLE IF EXISTS ${target}`)
    else if (await tableExists(connection, name)) throw new SluiceError('SINK_TABLE_TAKEN', { table: name })
    const columns = schema.map((field) => `${quoted(field.name)} ${field.type}`)
    await connection.run(`CREATE TABLE ${target} (${columns.join(', ')})`)
    await connection.run(`DELETE FROM ${LEDGER} WHERE name = ${literal(name)}`)
    await connection.run(`INSERT INTO ${LEDGER} VALUES (${literal(name)}, ${literal(queryId)}, -1)`)
  }

  return {
    description: `memory[${name}]`,
    guarantee: 'exactly-once',
    write: async (batchId, { connection, name: rows }) => {
      if (!isPrepared) await prepare(connection)
      isPrepared = true
      const last = await connection.value(`SELECT batch FROM ${LEDGER} WHERE name = ${literal(name)}`)
      if (Number(last) >= batchId) return
      if (outputMode === 'complete') await connection.run(`DELETE FROM ${target}`)
      await connection.run(`INSERT INTO ${target} FROM ${rows}`)
      await connection.run(`UPDATE ${LEDGER} SET batch = ${batchId} WHERE name = ${literal(name)}`)
    },
    close: async () => undefined,
  }
}

async function tableExists(connection: Connection, name: string): Promise<boolean> {
  const found = await connection.value(
    `SELECT count(*) FROM duckdb_tables()
     WHERE database_name = 'memory' AND schema_name = 'main' AND lower(table_name) = lower(${literal(name)})`,
  )
  return Number(found) > 0
}
