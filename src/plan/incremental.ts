import type { Json, Schema } from '../batch.ts'
import { literal, quoted } from '../duckdb.ts'
import type { OutputMode } from '../output-mode.ts'
import type { Analysis } from './analysis.ts'
import { baseTable, type Expression, named } from './ast.ts'
import { describePlan } from './describe-plan.ts'
import { type MergeableCall, mergeable } from './mergeable.ts'
import { type Aggregate, aggregatesOf, inputsOf, type Plan, type StreamInput } from './plan.ts'
import { toQuery } from './to-query.ts'

/**
 * A plan as the SQL that the engine runs for every micro-batch:
 *
 * 1. the rows of input `i` are attached as the temporary table `sources[i].table`;
 * 2. for every operator, `delta` aggregates them and `merge` folds that into the state table;
 * 3. `emit` selects the result rows.
 */
export interface Program {
  readonly sources: readonly { readonly input: StreamInput; readonly table: string }[]
  readonly operators: readonly Operator[]
  readonly emit: string
  readonly schema: Schema
  /** What must stay the same for a checkpoint's state to keep its meaning. */
  readonly fingerprint: Json
}

/** A stateful operator: one state table, one row a key. All texts are single statements. */
export interface Operator {
  /** Also the name of its folder in the checkpoint: `aggregate_0`. */
  readonly name: string
  readonly state: string
  /** Creates the empty state table and the view of its results. */
  readonly create: readonly string[]
  /** Replaces the table of this batch's partial aggregates. */
  readonly delta: string
  readonly merge: string
  /** The state rows this batch touched, in types that Parquet holds. */
  readonly changed: string
  /** All state rows, likewise. */
  readonly snapshot: string
  /** Fills the empty state table from files given oldest first: the last row of a key wins. */
  load(files: readonly string[]): string
  /** How many rows the state table and the last delta have. */
  readonly counts: string
}

/** @throws STREAMING_UNSUPPORTED where an aggregate's state cannot be merged */
export async function incremental(plan: Plan, mode: OutputMode, analysis: Analysis): Promise<Program> {
  const sources = inputsOf(plan).map((input, index) => ({ input, table: `source_${index}` }))
  const tableOf = new Map(sources.map(({ input, table }) => [input, baseTable(table)]))
  const streams = { stream: (input: StreamInput) => tableOf.get(input) ?? baseTable(input.description) }
  const aggregates = aggregatesOf(plan)
  const operators = await Promise.all(
    aggregates.map((aggregate, index) =>
      operatorOf(aggregate, `aggregate_${index}`, mode, analysis, (partial) =>
        analysis.sql.print(toQuery(partial, streams)),
      ),
    ),
  )
  const emit = toQuery(plan, {
    ...streams,
    aggregate: (aggregate) => baseTable(`aggregate_${aggregates.indexOf(aggregate)}`),
  })
  return {
    sources,
    operators: operators.map(({ operator }) => operator),
    emit: await analysis.sql.print(emit),
    schema: await describePlan(plan, analysis),
    fingerprint: {
      sources: sources.map(({ input }) => input.description),
      operators: operators.map(({ identity }) => identity),
    },
  }
}

async function operatorOf(
  aggregate: Aggregate,
  name: string,
  mode: OutputMode,
  analysis: Analysis,
  print: (partial: Plan) => Promise<string>,
): Promise<{ operator: Operator; identity: Json }> {
  const calls = await mergeableCalls(aggregate, analysis)
  const partial: Plan = {
    ...aggregate,
    calls: calls.flatMap(({ state }) => state.map((column) => ({ name: column.name, call: column.partial }))),
  }
  const keys = aggregate.keys.map((key) => key.name)
  const columns = calls.flatMap(({ state }) => state)
  const select = await print(partial)
  const types = await describePlan(partial, analysis)
  const texts = await analysis.sql.printExpressions(aggregate.keys.map((key) => key.expression))

  const [state, delta] = [quoted(`${name}_state`), quoted(`${name}_delta`)]
  const sameKey = (a: string, b: string) =>
    keys.map((key) => `${a}.${quoted(key)} IS NOT DISTINCT FROM ${b}.${quoted(key)}`).join(' AND ') || 'true'
  const stored = types.map((field) =>
    field.type.startsWith('AGGREGATE_STATE')
      ? `${quoted(field.name)}::BLOB AS ${quoted(field.name)}`
      : quoted(field.name),
  )
  const touched = `${state} AS s SEMI JOIN ${delta} AS d ON ${sameKey('s', 'd')}`
  const results = [
    ...keys.map(quoted),
    ...calls.map((call, i) => `${call.final} AS ${quoted(aggregate.calls[i]!.name)}`),
  ]
  const all = types.map((field) => quoted(field.name)).join(', ')
  const updates = columns.map(
    ({ name: c, merge }) => `${quoted(c)} = ${merge(`s.${quoted(c)}`, `d.${quoted(c)}`)}`,
  )
  const operator: Operator = {
    name,
    state,
    create: [
      `CREATE TEMP TABLE ${delta} AS ${select} LIMIT 0`,
      `CREATE TEMP TABLE ${state} AS SELECT * FROM ${delta} LIMIT 0`,
      `CREATE TEMP VIEW ${quoted(name)} AS SELECT ${results.join(', ')} FROM ${mode === 'complete' ? state : touched}`,
    ],
    delta: `CREATE OR REPLACE TEMP TABLE ${delta} AS ${select}`,
    merge:
      `MERGE INTO ${state} AS s USING ${delta} AS d ON ${sameKey('s', 'd')} ` +
      `WHEN MATCHED THEN UPDATE SET ${updates.join(', ')} WHEN NOT MATCHED THEN INSERT`,
    changed: `SELECT ${stored.join(', ')} FROM ${touched}`,
    snapshot: `SELECT ${stored.join(', ')} FROM ${state}`,
    load: (files) => loadStatement(state, all, keys, files),
    counts: `SELECT (SELECT count(*) FROM ${state}) AS total, (SELECT count(*) FROM ${delta}) AS updated`,
  }
  const identity = {
    keys: texts.map((text, i) => ({ expression: text, type: types[i]!.type })),
    state: types.slice(keys.length).map(({ name: column, type }) => ({ column, type })),
  }
  return { operator, identity }
}

async function mergeableCalls(aggregate: Aggregate, analysis: Analysis): Promise<MergeableCall[]> {
  const withArgument = aggregate.calls.filter(({ call }) => call.children.length > 0)
  const items = withArgument.map(({ call }, i) => named(call.children[0] as Expression, `argument ${i}`))
  const types =
    items.length > 0 ? await describePlan({ kind: 'project', child: aggregate.child, items }, analysis) : []
  return aggregate.calls.map((each) =>
    mergeable(each.name, each.call, types[withArgument.indexOf(each)]?.type),
  )
}

function loadStatement(
  state: string,
  columns: string,
  keys: readonly string[],
  files: readonly string[],
): string {
  const parts = files.map((file, i) => `SELECT ${columns}, ${i} AS _age FROM read_parquet(${literal(file)})`)
  const partition = keys.length > 0 ? `PARTITION BY ${keys.map(quoted).join(', ')} ` : ''
  return (
    `INSERT INTO ${state} SELECT ${columns} FROM (${parts.join(' UNION ALL ')}) ` +
    `QUALIFY row_number() OVER (${partition}ORDER BY _age DESC) = 1`
  )
}
