import { call, isCast } from '../ast.ts'
import { rewrite } from '../walk.ts'

/** The macro that `CAST(x AS VARCHAR)` becomes on a stream; defined once in every session's database. */
export const TEXT_OF = 'text_of'

/** Bytes that are no UTF-8 give NULL: one bad record must not fail a batch. */
export const TEXT_OF_MACRO = `CREATE MACRO ${TEXT_OF}(x BLOB) AS TRY(decode(x)), (x) AS CAST(x AS VARCHAR)`

/**
 * `CAST(data AS STRING)` gives the UTF-8 text of a payload, as Spark users expect; DuckDB's own cast would
 * escape every byte outside ASCII. Types other than BLOB are cast as before.
 */
export function blobAsText<T>(tree: T): T {
  return rewrite(tree, (node) => {
    if (!isCast(node) || node.cast_type.id !== 'VARCHAR' || node.child.class === 'CONSTANT') return undefined
    return { ...call(TEXT_OF, [blobAsText(node.child)]), alias: node.alias }
  })
}
