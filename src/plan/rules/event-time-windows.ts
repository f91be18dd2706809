import { call, type Expression, type FunctionCall, isFunction } from '../ast.ts'
import { rewrite, sameExpression } from '../walk.ts'

/** The functions that make windows. `window` in its two forms has become one of these before a plan is built. */
export const TUMBLE = 'tumble'
export const HOP = 'hop'
export const SESSION = 'session_window'
/** The last moment of a window, so that windows of windows can be made. */
export const WINDOW_TIME = 'window_time'

const INTERVAL = (text: string): string => `CAST(${text} AS INTERVAL)`

/** Windows are aligned to the epoch, as in Spark and Flink; DuckDB's own default is a Monday in 2000. */
const bucket = (width: string): string =>
  `time_bucket(${INTERVAL(width)}, ts, TIMESTAMP '1970-01-01' + ${INTERVAL('shift')})`

const windowAt = (start: string): string => `{'start': ${start}, 'end': ${start} + ${INTERVAL('size')}}`

const hopStart = `${bucket('slide')} - CAST(i AS INTEGER) * ${INTERVAL('slide')}`
const hopCount = `CAST(ceil(epoch(${INTERVAL('size')}) / epoch(${INTERVAL('slide')})) AS BIGINT)`

/**
 * What the window functions mean, as DuckDB macros of every session. A window is `STRUCT("start", "end")`, from its
 * start up to but not including its end. `hop` gives the list of all windows that hold a moment.
 */
export const WINDOW_MACROS: readonly string[] = [
  `CREATE MACRO ${TUMBLE}(ts, size, shift := '0 seconds') AS ${windowAt(bucket('size'))}`,
  `CREATE MACRO ${HOP}(ts, slide, size, shift := '0 seconds') AS list_filter(
     list_transform(range(${hopCount}), i -> ${windowAt(hopStart)}), w -> w."end" > ts)`,
  `CREATE MACRO ${WINDOW_TIME}(w) AS w."end" - INTERVAL 1 MICROSECOND`,
]

/**
 * `window(ts, size[, slide[, start]])`, as Spark writes it, becomes `tumble(ts, size[, start])` or
 * `hop(ts, slide, size[, start])`.
 */
export function eventTimeWindows<T>(tree: T): T {
  return rewrite(tree, (node) => {
    if (!isFunction(node) || node.function_name.toLowerCase() !== 'window') return undefined
    const [ts, size, slide, start] = node.children
    if (!ts || !size) return undefined
    const shift = start ? [start] : []
    const isTumbling = !slide || sameExpression(slide, size)
    const made = isTumbling ? call(TUMBLE, [ts, size, ...shift]) : call(HOP, [ts, slide, size, ...shift])
    return { ...made, alias: node.alias }
  })
}

/** Every `hop` and `session_window` as a `tumble` of the same type, for the binder: a row has one window of them. */
export function oneWindowEach<T>(tree: T): T {
  return rewrite(tree, (node) => {
    if (isSession(node)) return { ...call(TUMBLE, node.children.slice(0, 2)), alias: node.alias }
    if (!isHop(node)) return undefined
    const [ts, , size, ...shift] = node.children as [Expression, Expression, Expression, ...Expression[]]
    return { ...call(TUMBLE, [ts, size, ...shift]), alias: node.alias }
  })
}

export function isHop(node: Expression): node is FunctionCall {
  return isFunction(node) && node.function_name.toLowerCase() === HOP
}

export function isSession(node: Expression): node is FunctionCall {
  return isFunction(node) && node.function_name.toLowerCase() === SESSION
}

export function isWindow(node: Expression): boolean {
  return isFunction(node) && [TUMBLE, HOP, 'window'].includes(node.function_name.toLowerCase())
}
