import { type Connection, literal, quoted } from '../../duckdb.ts'
import { absent, codeOf, type DiskCalls } from '../../durable-file.ts'

/** Of file systems without hard links. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])

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
    if (codeOf(error) !== 'EEXIST' && !NO_LINKS.has(codeOf(error))) throw error
  } finally {
    await calls.unlink(draft)
  }
}
