import type { Json, Schema } from '../batch.ts'
import { quoted } from '../duckdb.ts'
import type { OutputMode } from '../output-mode.ts'
import { signatureOf } from '../user-functions.ts'
import type { Analysis } from './analysis.ts'
import { baseTable, selectQuery, subqueryRef } from './ast.ts'
import { closesTogether } from './closing-key.ts'
import { analysisQuery } from './describe-plan.ts'
import { isPassing } from './is-passing.ts'
import { aggregateOperators } from './operators/aggregate.ts'
import { asOfOperators } from './operators/as-of-join.ts'
import { computedAnew } from './operators/computed-anew.ts'
import { dedupOperator } from './operators/dedup.ts'
import { mapGroupsOperator } from './operators/map-groups.ts'
import { changedOf, type HandsOn, type Operator, type OperatorContext } from './operators/operator.ts'
import { joinOperators } from './operators/stream-join.ts'
import { topNOperator } from './operators/top-n.ts'
import { isOverResults } from './over-results.ts'
import { type PayloadStage, payloadStage } from './payload-stage.ts'
import {
  inputsOf,
  type Plan,
  type Stateful,
  type StreamInput,
  statefulOf,
  type Watermark,
  watermarksOf,
} from './plan.ts'
import { type Snapshot, snapshots } from './snapshots.ts'
import { isAsOf } from './time-bounds.ts'
import { toQuery } from './to-query.ts'
import { usedColumns } from './used-columns.ts'
import { usedRows } from './used-rows.ts'

/**
 * A plan as the SQL that the engine runs for every micro-batch:
 *
 * 1. the rows of input `i` are attached as the temporary table `sources[i].table`, or beside it and parsed;
 * 2. every watermark keeps the rows that pass it, as a table or a view, and looks how far event time has come;
 * 3. every operator runs, those that feed others first;
 * 4. `emit` selects the result rows;
 * 5. every operator forgets what the watermark allows.
 */
export interface Program {
  readonly sources: readonly ProgramSource[]
  /** What is read before the first batch, and again when the query says so. */
  readonly snapshots: readonly Snapshot[]
  readonly watermarks: readonly WatermarkStage[]
  readonly operators: readonly Operator[]
  readonly emit: string
  readonly schema: Schema
  /** Whether a watermark that moved is worth a batch without rows: some operator then hands on what it held back. */
  readonly waitsForWatermark: boolean
  /** What must stay the same for a checkpoint's state to keep its meaning. */
  readonly fingerprint: Json
}

export interface ProgramSource {
  readonly input: StreamInput
  /** What the query reads. */
  readonly table: string
  /** Where records are parsed, `table` is a view of the parsed rows. */
  readonly payload?: PayloadStage | undefined
}

export interface WatermarkStage {
  readonly table: string
  readonly column: string
  readonly delayMs: number
  /** Which of the program's sources its rows come from. */
  readonly sources: readonly number[]
  /** Run before the first batch: what operators read has to be there. */
  readonly prepare: string
  /** Keeps the rows of the batch that pass here; absent where `prepare` made a view of them. */
  readonly keep: string | undefined
  /**
   * One row: event time of the batch as `least`, `greatest` and `average`, epoch milliseconds, NULL without rows.
   * What lies too far in the future does not count as greatest.
   */
  readonly eventTime: string
}

/**
 * @param whole what is wanted with all its columns, whether or not the query looks at them
 * @throws STREAMING_UNSUPPORTED
 */
export async function incremental(
  plan: Plan,
  mode: OutputMode,
  analysis: Analysis,
  whole: { readonly badRecords?: boolean; readonly lateRows?: boolean } = {},
): Promise<Program> {
  const sources = await Promise.all(
    inputsOf(plan).map(async (input, index) => {
      const table = `source_${index}`
      const conditions = await analysis.sql.printExpressions(usedRows(plan, input))
      const payload =
        input.payload &&
        payloadStage(input.payload, table, {
          columns: whole.lateRows ? undefined : usedColumns(plan, input),
          rows: conditions.map((each) => `(${each})`).join(' AND ') || undefined,
          badRecords: whole.badRecords,
        })
      return { input, table, payload }
    }),
  )
  const tableOf = new Map(sources.map(({ input, table }) => [input, baseTable(table)]))
  const names = namesOf(plan)
  const kept = await snapshots(plan, analysis)
  const printOver = (node: Plan, nameOf: (stored: Watermark | Stateful) => string | undefined) =>
    analysis.sql.print(
      kept.over(
        toQuery(node, {
          static: kept.relation,
          stream: (input) => tableOf.get(input) ?? baseTable(input.description),
          stored: (stored) => {
            const name = nameOf(stored)
            return name === undefined ? undefined : baseTable(name)
          },
        }),
      ),
    )
  const print = (node: Plan) => printOver(node, (stored) => names.get(stored))
  const printInPlace = (node: Plan) =>
    printOver(node, (stored) => (stored === node ? undefined : names.get(stored)))
  const printChanged = (node: Plan) => printOver(node, (stored) => changedOf(names.get(stored) as string))
  const watermarks = await Promise.all(
    watermarksOf(plan).map(async (node) =>
      watermarkStage(node, {
        table: names.get(node) as string,
        select: await printInPlace(node),
        sources: inputsOf(node).map((input) => sources.findIndex((source) => source.input === input)),
      }),
    ),
  )
  const operators = (
    await Promise.all(
      statefulOf(plan).map((node) => {
        const context = {
          name: names.get(node) as string,
          mode: handsOn(node, plan, mode),
          analysis,
          print,
          printInPlace,
          printChanged,
        }
        return operatorsOf(node, context)
      }),
    )
  ).flat()
  // Of those that state was made with: their code may change, their types may not.
  const functions = await analysis.userFunctionsIn(statefulOf(plan))
  return {
    sources,
    snapshots: kept.all,
    watermarks: watermarks.reverse(),
    operators,
    emit: await print(plan),
    // Through a subquery, which tells columns of one name apart as the table of the result does: id, id_1.
    schema: await analysis.describe(
      selectQuery({ from_table: subqueryRef(await analysisQuery(plan, analysis), '') }),
    ),
    waitsForWatermark: statefulOf(plan).some((node) => holdsBack(node, mode)),
    fingerprint: {
      operators: operators.map((operator) => operator.identity),
      // The logged watermark speaks of these, and what the operators have forgotten went by it.
      ...(operators.some(({ late }) => late) ? { watermarks: watermarks.map(({ column }) => column) } : {}),
      ...(functions.length > 0 ? { functions: functions.map(signatureOf) } : {}),
    },
  }
}

async function operatorsOf(node: Stateful, context: OperatorContext): Promise<readonly Operator[]> {
  if (isOverResults(node) && (context.mode !== 'append' || isOfClosedGroups(node)))
    return [await computedAnew(node, context)]
  switch (node.kind) {
    case 'aggregate':
      return aggregateOperators(node, context)
    case 'dedup':
      return [await dedupOperator(node, context)]
    case 'top-n':
      return [await topNOperator(node, context)]
    case 'stream-join':
      return isAsOf(node) ? asOfOperators(node, context) : joinOperators(node, context)
    case 'map-groups':
      return [await mapGroupsOperator(node, context)]
  }
}

/** The first of groups that are handed on together: nothing has to be kept of them. */
function isOfClosedGroups(node: Stateful): boolean {
  return node.kind === 'top-n' && closesTogether(node.child, node.partition)
}

/** `aggregate_0`, `dedup_1`, `watermark_0`: names of tables and of folders in the checkpoint. */
function namesOf(plan: Plan): ReadonlyMap<Watermark | Stateful, string> {
  const stateful = statefulOf(plan).map(
    (node, index) => [node, `${node.kind.replace('-', '_')}_${index}`] as const,
  )
  const watermarks = watermarksOf(plan).map((node, index) => [node, `watermark_${index}`] as const)
  return new Map<Watermark | Stateful, string>([...stateful, ...watermarks])
}

/** Whether rows wait inside for the watermark. */
function holdsBack(node: Stateful, mode: OutputMode): boolean {
  if (node.kind === 'map-groups') return node.mapping.timeout === 'eventTime'
  const waits = node.kind === 'stream-join' && node.type !== 'INNER' && node.type !== 'SEMI'
  return mode === 'append' && (node.kind === 'aggregate' || waits)
}

/** Only what is computed anew from it may read groups that will change again; other operators want final rows. */
function handsOn(node: Stateful, plan: Plan, mode: OutputMode): HandsOn {
  if (!isBelowAnother(node, plan)) return mode
  if (mode === 'append' || (node.kind !== 'aggregate' && !isOverResults(node))) return 'append'
  return mode === 'complete' ? 'complete' : 'all-and-changed'
}

function isBelowAnother(node: Stateful, plan: Plan): boolean {
  return statefulOf(plan).some((other) => other !== node && statefulOf(other).includes(node))
}

function watermarkStage(
  node: Watermark,
  {
    table,
    select,
    sources,
  }: { readonly table: string; readonly select: string; readonly sources: readonly number[] },
): WatermarkStage {
  const time = `epoch_us(${quoted(node.column)}::TIMESTAMP) / 1000`
  const keep = `CREATE OR REPLACE TEMP TABLE ${table} AS ${select}`
  const believed = `coalesce(${time} <= getvariable('event_time_limit'), true)`
  return {
    table,
    column: node.column,
    delayMs: node.delayMs,
    sources,
    prepare: isPassing(node.child) ? `CREATE OR REPLACE TEMP VIEW ${table} AS ${select}` : keep,
    keep: isPassing(node.child) ? undefined : keep,
    eventTime: `SELECT min(${time}) AS least, max(${time}) FILTER (WHERE ${believed}) AS greatest, avg(${time}) AS average FROM ${table}`,
  }
}
