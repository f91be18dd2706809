import { call, type Expression, isColumnRef, isFunction, text } from '../ast.ts'
import { rewrite } from '../walk.ts'

/** The DuckDB variable that holds the time of the running batch; logged, so that a replay sees the same. */
export const BATCH_TIME = 'batch_time'

const CURRENT = new Set(['now', 'current_timestamp', 'get_current_timestamp', 'transaction_timestamp'])

/**
 * `now()` and its synonyms become the time of the batch: fixed when the batch is logged, the same for every row,
 * and the same again when the batch is replayed after a crash.
 */
export function batchTime<T>(tree: T): T {
  return rewrite(tree, (node) => {
    const name = isFunction(node) && node.children.length === 0 ? node.function_name : keywordOf(node)
    if (name === undefined || !CURRENT.has(name.toLowerCase())) return undefined
    const alias = node.alias || (isColumnRef(node) ? name : '')
    return { ...call('getvariable', [text(BATCH_TIME)]), alias }
  })
}

/** `current_timestamp` stands without parentheses and parses as a column. */
function keywordOf(node: Expression): string | undefined {
  const name = isColumnRef(node) && node.column_names.length === 1 ? node.column_names[0] : undefined
  return name?.toLowerCase() === 'current_timestamp' ? name : undefined
}
