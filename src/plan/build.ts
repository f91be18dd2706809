import { quoted } from '../duckdb.ts'
import { SluiceError } from '../errors.ts'
import { didYouMean } from '../options.ts'
import type { Analysis } from './analysis.ts'
import {
  type BaseTable,
  type Expression,
  emptyTable,
  isBareStar,
  isBaseTable,
  isFunction,
  isJoin,
  isSelect,
  isSetOperation,
  isSubquery,
  isSubqueryRef,
  type JoinRef,
  type Query,
  type SelectQuery,
  type SetOperation,
  subqueryRef,
  type TableRef,
} from './ast.ts'
import { refused } from './check.ts'
import { analysisQuery, describePlan } from './describe-plan.ts'
import { distinctOn, firstOn } from './distinct-on.ts'
import {
  type DedupDraft,
  type Draft,
  draftOver,
  type GroupsDraft,
  INPUT,
  OTHER,
  type SqlDraft,
  type WatermarkDraft,
} from './draft.ts'
import { eventTimes } from './event-time.ts'
import { expandHops, hasHop } from './expand-hops.ts'
import { group, isGrouped } from './group.ts'
import { withNames, withWindowNames } from './item-names.ts'
import { joinTree } from './join-tree.ts'
import { keyColumn, mapGroups } from './map-groups.ts'
import { mentions } from './names.ts'
import { overGroups } from './over-groups.ts'
import { hasResultsBelow } from './over-results.ts'
import { isStreaming, nodesOf, type Plan, watermarksOf } from './plan.ts'
import { refuseUnlessRowWise } from './row-join.ts'
import { batchTime } from './rules/batch-time.ts'
import { blobAsText } from './rules/blob-as-text.ts'
import { eventTimeWindows, oneWindowEach } from './rules/event-time-windows.ts'
import { fromJson } from './rules/from-json.ts'
import { rankFilter } from './rules/rank-filter.ts'
import { unqualify } from './rules/unqualify.ts'
import { and, bind } from './stream-join.ts'
import { replaceTables, tablesIn } from './tables.ts'
import { conjuncts } from './time-bounds.ts'
import { toQuery } from './to-query.ts'
import { topN } from './top-n.ts'
import { walk } from './walk.ts'
import { windowCallsIn } from './window-calls.ts'

/** What a name after FROM stands for. */
type Scope = ReadonlyMap<string, Plan>

/**
 * Parses and analyses a draft and everything below it.
 *
 * @throws SQL_SYNTAX, SQL_INVALID (as DuckDB's own binder sees the text), STREAMING_UNSUPPORTED, EVENT_TIME_INVALID
 */
export async function buildPlan(draft: Draft, analysis: Analysis): Promise<Plan> {
  if ('inputs' in draft) return buildSql(draft, analysis)
  if (!('input' in draft)) return { kind: 'scan', input: draft }
  if ('groups' in draft) return grouped(draft, analysis)
  const child = await buildPlan(draft.input, analysis)
  return 'watermark' in draft ? watermarked(child, draft, analysis) : deduplicated(child, draft, analysis)
}

async function buildSql(draft: SqlDraft, analysis: Analysis): Promise<Plan> {
  const scope = new Map<string, Plan>()
  for (const [name, input] of draft.inputs) scope.set(name, await buildPlan(input, analysis))
  const written = await analysis.sql.parse(await textOf(draft, scope, analysis))
  refuseCallbacks(written)
  await analysis.userFunctionsIn(written)
  const query = await fromJson(written, analysis.sql)
  const used = tablesIn(query).map((table) => table.table_name.toLowerCase())
  const reachable = new Map([...scope].filter(([name]) => used.includes(name)))
  if (![...reachable.values()].some(isStreaming)) {
    await validate(query, reachable, analysis)
    return new Builder(analysis, await analysis.aggregatesFor(query)).query(query, reachable)
  }
  const streaming = withWindowNames(eventTimeWindows(query))
  await validate(oneWindowEach(streaming), reachable, analysis)
  return new Builder(analysis, await analysis.aggregatesFor(streaming)).query(streaming, reachable)
}

async function textOf(draft: SqlDraft, scope: Scope, analysis: Analysis): Promise<string> {
  if (typeof draft.text === 'string') return draft.text
  const columnsOf = async (name: string) => {
    const plan = scope.get(name)
    return plan ? describePlan(plan, analysis) : []
  }
  return draft.text(await columnsOf(INPUT), await columnsOf(OTHER))
}

async function watermarked(child: Plan, { watermark }: WatermarkDraft, analysis: Analysis): Promise<Plan> {
  if (!isStreaming(child)) return child
  const columns = await describePlan(child, analysis)
  const field = columns.find(({ name }) => name.toLowerCase() === watermark.column.toLowerCase())
  const refuse = (reason: string) =>
    new SluiceError('EVENT_TIME_INVALID', { column: watermark.column, reason })
  if (!field)
    throw refuse(
      didYouMean(
        watermark.column,
        columns.map(({ name }) => name),
      ),
    )
  if (!field.type.startsWith('TIMESTAMP')) throw refuse(`it is a ${field.type}`)
  if (eventTimes(child).size > 0) throw refuse('a watermark stands below it already')
  if (nodesOf(child).some((node) => node.kind === 'map-groups'))
    throw refuse('rows of …GroupsWithState have no event time')
  return { kind: 'watermark', child, column: field.name, delayMs: watermark.delayMs }
}

async function deduplicated(child: Plan, { distinct }: DedupDraft, analysis: Analysis): Promise<Plan> {
  const columns = await describePlan(child, analysis)
  for (const column of distinct.columns) {
    if (columns.some(({ name }) => name.toLowerCase() === column.toLowerCase())) continue
    const reason = `dropDuplicates('${column}'): ${didYouMean(
      column,
      columns.map(({ name }) => name),
    )}`
    throw new SluiceError('SQL_INVALID', { reason })
  }
  const delay = watermarksOf(child).map(({ delayMs }) => delayMs)
  if (distinct.isWithinWatermark && eventTimes(child).size === 0)
    throw new SluiceError('WATERMARK_REQUIRED', { call: 'dropDuplicatesWithinWatermark' })
  return {
    kind: 'dedup',
    child,
    keys: distinct.columns,
    withinMs: distinct.isWithinWatermark ? Math.max(...delay) : undefined,
  }
}

/** The keys become columns in front of the others. */
async function grouped(draft: GroupsDraft, analysis: Analysis): Promise<Plan> {
  const keys = draft.groups.keys.map(({ sql }, index) => `${sql} AS ${quoted(keyColumn(index))}`)
  const keyed = draftOver(draft.input, `SELECT ${keys.join(', ')}, * FROM ${INPUT}`)
  return mapGroups(await buildSql(keyed, analysis), draft, analysis)
}

/** Lets DuckDB's binder judge the text as it was written, so that its messages speak of the user's own names. */
async function validate(query: Query, scope: Scope, analysis: Analysis): Promise<void> {
  const bound = new Map<string, Query>()
  for (const [name, plan] of scope) bound.set(name, await analysisQuery(plan, analysis))
  await analysis.describe(inlined(query, bound))
}

/** `query` with every table that is a name of ours replaced by what it stands for. */
function inlined<T>(query: T, bound: ReadonlyMap<string, Query>): T {
  return replaceTables(query, (table) => {
    const target = isPlainName(table) ? bound.get(table.table_name.toLowerCase()) : undefined
    return target && subqueryRef(target, table.alias || table.table_name, table.column_name_alias)
  })
}

const isPlainName = (table: BaseTable): boolean => table.schema_name === '' && table.catalog_name === ''

class Builder {
  readonly #analysis: Analysis
  readonly #aggregates: ReadonlySet<string>

  constructor(analysis: Analysis, aggregates: ReadonlySet<string>) {
    this.#analysis = analysis
    this.#aggregates = aggregates
  }

  /** @throws STREAMING_UNSUPPORTED */
  async query(query: Query, outer: Scope): Promise<Plan> {
    if (!this.#readsStream(query, outer)) return this.#static(query, outer)
    const ranked = isSelect(query) ? rankFilter(query) : query
    const scope = await this.#withCtes(ranked, outer)
    if (isSelect(ranked)) return this.#select(ranked, scope)
    if (isSetOperation(query)) return this.#setOperation(query, scope)
    throw refused('recursive-cte')
  }

  /** Whether any table below `node` is one of our streams. Names that CTEs shadow count as well: harmless. */
  #readsStream(node: unknown, scope: Scope): boolean {
    return tablesIn(node).some((table) => {
      const plan = isPlainName(table) ? scope.get(table.table_name.toLowerCase()) : undefined
      return plan !== undefined && isStreaming(plan)
    })
  }

  #static(query: Query, scope: Scope): Plan {
    return { kind: 'static', ref: subqueryRef(this.#inlineStatic(query, scope), '') }
  }

  #inlineStatic<T>(node: T, scope: Scope): T {
    const bound = new Map<string, Query>()
    for (const [name, plan] of scope) {
      if (!isStreaming(plan)) bound.set(name, toQuery(plan, NO_STREAMS))
    }
    return inlined(node, bound)
  }

  async #withCtes(query: Query, outer: Scope): Promise<Scope> {
    const scope = new Map(outer)
    for (const { key, value } of query.cte_map.map) {
      const plan = await this.query(value.query.node, scope)
      const columns = value.aliases
      scope.set(
        key.toLowerCase(),
        columns.length > 0 ? { kind: 'alias', child: plan, name: key, columns } : plan,
      )
    }
    return scope
  }

  async #setOperation(query: SetOperation, scope: Scope): Promise<Plan> {
    if (query.setop_type !== 'UNION') throw refused('set-operation')
    const left = await this.query(query.left, scope)
    const right = await this.query(query.right, scope)
    if (!isStreaming(left) || !isStreaming(right)) throw refused('union-with-static')
    const all: Plan = { kind: 'union', left, right }
    return this.#arranged(query.setop_all ? all : firstOfEach(all), query)
  }

  async #select(query: SelectQuery, scope: Scope): Promise<Plan> {
    refuseClauses(query)
    let select = await this.#prepared(query, scope)
    let plan: Plan
    if (this.#joinsStreams(select.from_table, scope) || (isJoin(select.from_table) && hasHop(select))) {
      const { side, where } = await joinTree(select.from_table, conjuncts(select.where_clause), {
        plan: (ref) => this.#from(ref, scope, select),
        describe: (below) => describePlan(below, this.#analysis),
      })
      ;({ plan, select } = bind({ ...select, where_clause: and(where) }, side))
    } else plan = await this.#from(select.from_table, scope, select)
    if (plan.kind === 'alias') {
      const columns = await describePlan(plan, this.#analysis)
      select = unqualify(select, plan.name, columns)
      if (plan.columns.length === 0 && !mentions(select, plan.name)) plan = plan.child
    }
    if (select.where_clause) plan = { kind: 'filter', child: plan, predicate: select.where_clause }
    if (isGrouped(select, this.#aggregates)) {
      const columns = await describePlan(plan, this.#analysis)
      ;({ plan, select } = await group(plan, select, columns, this.#aggregates, this.#analysis.sql))
      ;({ plan, select } = overGroups(plan, select, await describePlan(plan, this.#analysis)))
      plan = { kind: 'project', child: plan, items: select.select_list }
      return this.#arranged(distinctRows(plan, select), select)
    }
    ;({ plan, select } = await expandHops(plan, select, this.#analysis.sql))
    const isOverGroups =
      windowCallsIn([select.select_list, select.qualify]).length > 0 && hasResultsBelow(plan)
    if (isOverGroups) ({ plan, select } = overGroups(plan, select, await describePlan(plan, this.#analysis)))
    else if (select.qualify) ({ plan, select } = topN(plan, select))
    else if (distinctOn(select))
      ({ plan, select } = firstOn(plan, select, await describePlan(plan, this.#analysis)))
    if (
      !isOverGroups &&
      windowCallsIn([select.select_list, select.where_clause, select.modifiers]).length > 0
    )
      throw refused('window-function')
    const isIdentity = select.select_list.length === 1 && isBareStar(select.select_list[0] as Expression)
    if (!isIdentity) plan = { kind: 'project', child: plan, items: select.select_list }
    return this.#arranged(distinctRows(plan, select), select)
  }

  /** Names fixed, streaming's own meaning of a few functions put in, static subqueries made self-contained. */
  async #prepared(query: SelectQuery, scope: Scope): Promise<SelectQuery> {
    const { from_table, cte_map, ...said } = query
    walk([said, conditionsOf(from_table)], (node) => {
      if (isSubquery(node) && this.#readsStream(node, scope)) throw refused('stream-in-subquery')
      return undefined
    })
    const { from_table: _, ...clauses } = await withNames(query, this.#analysis.sql)
    const ruled = blobAsText(batchTime(this.#inlineStatic(clauses, scope)))
    return { ...ruled, from_table: this.#withConditions(from_table, scope) } as SelectQuery
  }

  /** FROM with the subqueries in its conditions made self-contained. */
  #withConditions(ref: TableRef, scope: Scope): TableRef {
    if (!isJoin(ref)) return ref
    return {
      ...ref,
      condition: this.#inlineStatic(ref.condition, scope),
      left: this.#withConditions(ref.left, scope),
      right: this.#withConditions(ref.right, scope),
    } as TableRef
  }

  async #from(ref: TableRef, scope: Scope, select: SelectQuery): Promise<Plan> {
    if (ref.sample && this.#readsStream(ref, scope)) throw refused('sample')
    if (isBaseTable(ref) && isPlainName(ref)) {
      const plan = scope.get(ref.table_name.toLowerCase())
      if (plan) return this.#alias(plan, ref.alias || ref.table_name, ref.column_name_alias, select)
    }
    if (isSubqueryRef(ref) && this.#readsStream(ref, scope)) {
      const plan = await this.query(ref.subquery.node, scope)
      return this.#alias(plan, ref.alias, ref.column_name_alias, select)
    }
    if (isJoin(ref) && this.#readsStream(ref, scope)) return this.#join(ref, scope, select)
    return { kind: 'static', ref: this.#inlineStatic(ref, scope) }
  }

  /** Whether two streams meet in a join of FROM. */
  #joinsStreams(ref: TableRef, scope: Scope): boolean {
    if (!isJoin(ref)) return false
    const [left, right] = [this.#readsStream(ref.left, scope), this.#readsStream(ref.right, scope)]
    return (left && right) || this.#joinsStreams(ref.left, scope) || this.#joinsStreams(ref.right, scope)
  }

  async #join(ref: JoinRef, scope: Scope, select: SelectQuery): Promise<Plan> {
    const left = await this.#from(ref.left, scope, select)
    const right = await this.#from(ref.right, scope, select)
    refuseUnlessRowWise(ref, left, right)
    return {
      kind: 'join',
      left,
      right,
      ref: blobAsText(batchTime({ ...ref, left: emptyTable, right: emptyTable })),
    }
  }

  /** An alias is worth a node only when something says `name.column`, or renames columns. */
  #alias(child: Plan, name: string, columns: readonly string[], select: SelectQuery): Plan {
    if (name === '' || (columns.length === 0 && !mentions(select, name))) return child
    return { kind: 'alias', child, name, columns }
  }

  #arranged(child: Plan, query: Query): Plan {
    const modifiers = query.modifiers.filter((modifier) => modifier.type !== 'DISTINCT_MODIFIER')
    return modifiers.length > 0 ? { kind: 'arrange', child, modifiers } : child
  }
}

const CALLBACKS = /^(?:flat_?)?map_?groups_?with_?state$|^transform_?with_?state$/i

function refuseCallbacks(query: Query): void {
  walk(query, (node) => {
    if (isFunction(node) && CALLBACKS.test(node.function_name)) throw refused('callback-in-sql')
    return undefined
  })
}

/** SELECT DISTINCT: the first of every row. */
function distinctRows(child: Plan, select: SelectQuery): Plan {
  if (distinctOn(select)) throw refused('distinct-on')
  const isDistinct = select.modifiers.some((modifier) => modifier.type === 'DISTINCT_MODIFIER')
  return isDistinct ? firstOfEach(child) : child
}

const firstOfEach = (child: Plan): Plan => ({ kind: 'dedup', child, keys: [], withinMs: undefined })

/** What stands behind ON, in all joins of FROM. */
function conditionsOf(ref: TableRef): (Expression | null)[] {
  return isJoin(ref) ? [ref.condition, ...conditionsOf(ref.left), ...conditionsOf(ref.right)] : []
}

const NO_STREAMS = { stream: () => emptyTable }

function refuseClauses(query: SelectQuery): void {
  if (query.sample) throw refused('sample')
}
