import type { Expression } from './ast.ts'
import { isStar } from './ast.ts'
import type { Plan } from './plan.ts'
import { isSimple } from './used-rows.ts'
import { walk } from './walk.ts'

/**
 * Whether the rows of a plan are rows of one stream's parsed records, chosen and arranged by next to no work: whoever
 * reads them more than once need not keep them, for the records are a table already.
 */
export function isPassing(plan: Plan): boolean {
  switch (plan.kind) {
    case 'scan':
      return plan.input.payload !== undefined
    case 'alias':
      return isPassing(plan.child)
    case 'filter':
      return isCheap(plan.predicate) && isPassing(plan.child)
    case 'project':
      return plan.items.every(isCheap) && isPassing(plan.child)
    default:
      return false
  }
}

function isCheap(expression: Expression): boolean {
  let isSo = true
  walk(expression, (node) => {
    if (!isSimple(node) && !isStar(node)) isSo = false
    return isSo
  })
  return isSo
}
