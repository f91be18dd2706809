import { isWindowCall, type WindowCall } from './ast.ts'
import { walk } from './walk.ts'

/** Window functions that expressions call themselves; those in a subquery are the subquery's. */
export function windowCallsIn(root: unknown): WindowCall[] {
  const calls: WindowCall[] = []
  walk(root, (node) => {
    if (isWindowCall(node)) calls.push(node)
    return node.class !== 'SUBQUERY'
  })
  return calls
}
