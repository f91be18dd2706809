import { column, type Expression, isColumnRef, isFunction } from './ast.ts'
import { childrenOf, type Plan, type StreamInput } from './plan.ts'
import { conjuncts } from './time-bounds.ts'
import { rewrite, walk } from './walk.ts'

/**
 * What the rows of a stream have to satisfy for a plan to look at them, as predicates over the stream's columns. All
 * other rows may be left out before the plan sees them. Perhaps fewer predicates than there are, never one too many: a
 * predicate counts where the stream is read once, by filters that come before anything that sees all rows.
 *
 * Only predicates count that are cheap, fail for no row and always answer the same, for they are evaluated a second time.
 */
export function usedRows(plan: Plan, input: StreamInput): readonly Expression[] {
  const paths = pathsTo(plan, input)
  const [path] = paths
  return paths.length === 1 && path ? alongPath(path, input) : []
}

/** The nodes from the plan down to a scan of the input, the scan first, once for every way there. */
function pathsTo(plan: Plan, input: StreamInput): Plan[][] {
  if (plan.kind === 'scan') return plan.input === input ? [[plan]] : []
  return childrenOf(plan).flatMap((child) => pathsTo(child, input).map((path) => [...path, plan]))
}

function alongPath([scan, ...above]: readonly Plan[], input: StreamInput): readonly Expression[] {
  const columns = new Set(input.schema.map(({ name }) => name.toLowerCase()))
  const found: Expression[] = []
  let below = scan
  let relation: string | undefined
  for (const node of above) {
    if (node.kind === 'alias' && node.columns.length === 0) {
      relation = node.name.toLowerCase()
    } else if (node.kind === 'filter') {
      for (const predicate of conjuncts(node.predicate)) {
        const own = overColumns(predicate, columns, relation)
        if (own) found.push(own)
      }
    } else if (node.kind !== 'join' || !keepsNames(node, below)) {
      break
    }
    below = node
  }
  return found
}

/** A row of this side comes out of the join as it went in, or not at all. */
function keepsNames(join: Extract<Plan, { kind: 'join' }>, side: Plan | undefined): boolean {
  const { ref_type, join_type, using_columns } = join.ref
  if (using_columns.length > 0 || (ref_type !== 'REGULAR' && ref_type !== 'CROSS')) return false
  return join_type === 'INNER' || (join_type === 'LEFT' && join.left === side)
}

/** The predicate with the plain names of columns; undefined where it says more than is known here. */
function overColumns(
  predicate: Expression,
  columns: ReadonlySet<string>,
  relation: string | undefined,
): Expression | undefined {
  let isKnown = true
  walk(predicate, (node) => {
    if (!isSimple(node)) isKnown = false
    return isKnown
  })
  if (!isKnown) return undefined
  const own = rewrite(predicate, (node) => {
    if (!isColumnRef(node)) return undefined
    const names = node.column_names
    const isQualified = names.length === 2 && names[0]!.toLowerCase() === relation
    const name = names.length === 1 || isQualified ? names.at(-1)! : undefined
    if (name === undefined || !columns.has(name.toLowerCase()) || (isQualified && columns.has(relation!)))
      isKnown = false
    return name === undefined ? undefined : column(name)
  })
  return isKnown ? own : undefined
}

const SIMPLE_CLASSES = new Set(['COMPARISON', 'CONJUNCTION', 'CONSTANT', 'COLUMN_REF', 'BETWEEN'])
const SIMPLE_OPERATORS = new Set([
  'OPERATOR_IS_NULL',
  'OPERATOR_IS_NOT_NULL',
  'OPERATOR_NOT',
  'COMPARE_IN',
  'COMPARE_NOT_IN',
])
/** LIKE and NOT LIKE. */
const SIMPLE_FUNCTIONS = new Set(['~~', '!~~'])

/** Whether an expression, but for those in it, is cheap, fails for no row and always answers the same. */
export function isSimple(node: Expression): boolean {
  if (node.class === 'OPERATOR') return SIMPLE_OPERATORS.has(node.type)
  if (isFunction(node)) return SIMPLE_FUNCTIONS.has(node.function_name)
  return SIMPLE_CLASSES.has(node.class)
}
