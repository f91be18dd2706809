import { type Expression, isColumnRef } from './ast.ts'
import type { EventTimes } from './event-time.ts'
import type { StreamJoin } from './plan.ts'
import { conjuncts, isEquality, LEFT, RIGHT, type TimeBounds, timeBounds } from './time-bounds.ts'
import { walk } from './walk.ts'

/** What an as-of join of streams goes by. */
export interface AsOfMatch {
  /** The times of both sides: `left - right >= leastMs`. */
  readonly bounds: TimeBounds & { readonly leastMs: number }
  /** What has to be equal, as expressions over the right side. */
  readonly rightKeys: readonly Expression[]
}

/**
 * Reads the condition of an as-of join that streams can answer: `left.time >= right.time`, or `>`, on event times, and
 * equalities. Then a left row is final once the watermark has passed it: no right row before it can come any more.
 *
 * Undefined for any other, such as one that looks for the next right row, which may be however far ahead.
 */
export function asOfMatch(join: StreamJoin, left: EventTimes, right: EventTimes): AsOfMatch | undefined {
  const conditions = conjuncts(join.condition)
  const bounds = timeBounds(join, left, right)
  const inequalities = conditions.filter((each) => !isEquality(each))
  if (inequalities.length !== 1 || bounds?.leastMs === undefined || bounds.mostMs !== undefined)
    return undefined
  if (bounds.left.time.kind !== 'instant') return undefined
  const rightKeys = conditions.filter(isEquality).flatMap((each) => {
    const operands = [each['left'] as Expression, each['right'] as Expression]
    const [l, r] = [LEFT, RIGHT].map((side) => operands.find((operand) => isOf(operand, side)))
    return l && r ? [r] : []
  })
  if (rightKeys.length < conditions.length - 1) return undefined
  return { bounds: { ...bounds, leastMs: bounds.leastMs }, rightKeys }
}

/** Whether an expression is made of columns of one side. */
function isOf(expression: Expression, side: string): boolean {
  const sides = new Set<string | undefined>()
  walk(expression, (node) => {
    if (node.class === 'SUBQUERY') sides.add(undefined)
    if (isColumnRef(node)) sides.add(node.column_names[0])
    return undefined
  })
  return sides.size === 1 && sides.has(side)
}
