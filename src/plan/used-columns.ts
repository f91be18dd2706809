import type { Schema } from '../batch.ts'
import { isColumnRef, isStar } from './ast.ts'
import { childrenOf, nodesOf, type Plan, type StreamInput } from './plan.ts'
import { walk } from './walk.ts'

/**
 * The columns of a stream that a plan may look at: perhaps more than it does, never fewer.
 *
 * Names are compared, not bound: a column counts as used when anything in the plan bears its name. Wherever columns
 * can be meant without being named, all of them count.
 */
export function usedColumns(plan: Plan, input: StreamInput): Schema {
  const names = handsOnAll(plan, input, true) ? undefined : namesIn(plan)
  return names ? input.schema.filter(({ name }) => names.has(name.toLowerCase())) : input.schema
}

/**
 * Whether rows of the stream leave the plan whole, or enter an operator that keeps them whole.
 *
 * @param isWanted what is above takes all columns that come
 */
function handsOnAll(plan: Plan, input: StreamInput, isWanted: boolean): boolean {
  if (plan.kind === 'scan') return isWanted && plan.input === input
  const wantsAll =
    plan.kind === 'project' || plan.kind === 'aggregate' ? false : isWanted || readsByPosition(plan)
  return childrenOf(plan).some((child) => handsOnAll(child, input, wantsAll))
}

function readsByPosition(plan: Plan): boolean {
  switch (plan.kind) {
    case 'dedup':
    case 'top-n':
    case 'stream-join':
    case 'union':
      return true
    case 'alias':
      return plan.columns.length > 0
    case 'join':
      return plan.ref.ref_type === 'NATURAL'
    default:
      return false
  }
}

/** All names that could be columns, in lower case; undefined where columns are meant without a name. */
function namesIn(plan: Plan): ReadonlySet<string> | undefined {
  const nodes = nodesOf(plan)
  const names = new Set(nodes.flatMap(namesOf).map((name) => name.toLowerCase()))
  const rows = new Set(nodes.flatMap((node) => (node.kind === 'alias' ? [node.name.toLowerCase()] : [])))
  let areNamed = true
  walk(nodes.map(partsOf), (node) => {
    if (isStar(node) || node.class === 'POSITIONAL_REFERENCE') areNamed = false
    if (!isColumnRef(node)) return undefined
    const parts = node.column_names.map((name) => name.toLowerCase())
    // The name of a relation alone is a row of it.
    if (parts.length === 1 && rows.has(parts[0] as string)) areNamed = false
    for (const part of parts) names.add(part)
    return undefined
  })
  return areNamed ? names : undefined
}

/** Names that a node gives as text. */
function namesOf(node: Plan): readonly string[] {
  switch (node.kind) {
    case 'watermark':
      return [node.column]
    case 'join':
      return node.ref.using_columns
    default:
      return []
  }
}

/** What a node holds beside its children: an input holds no expressions of the plan. */
function partsOf(node: Plan): unknown {
  return node.kind === 'scan'
    ? undefined
    : Object.values({ ...node, child: undefined, left: undefined, right: undefined })
}
