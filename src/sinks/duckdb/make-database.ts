import { type Connection, literal, quoted } from '../../duckdb.ts'
import { absent, codeOf, type DiskCalls, hasNoLinks } from '../../durable-file.ts'

/**
 * Makes an empty database file unless there is one. It appears whole: DuckDB writes one header after the other, and a
 * process that is killed in between leaves what nobody can open.
 *
 * @param alias under which nothing is attached; the file it is made in has it in its name
 */
export async function makeDatabase(
  calls: DiskCalls,
  connection: Connection,
  path: string,
  alias: string,
): Promise<void> {
  if (await calls.stat(path).catch(absent)) return
  const draft = `${path}.${alias}`
  await connection.run(`ATTACH ${literal(draft)} AS ${quoted(alias)} (TYPE duckdb)`)
  await connection.run(`DETACH ${quoted(alias)}`)
  try {
    await calls.link(draft, path)
  } catch (error) {
    // Somebody else was first, or DuckDB has to make it in place.
    if (codeOf(error) !== 'EEXIST' && !hasNoLinks(error)) throw error
  } finally {
    await calls.unlink(draft)
  }
}
