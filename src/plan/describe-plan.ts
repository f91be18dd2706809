import type { Schema } from '../batch.ts'
import type { Analysis } from './analysis.ts'
import type { Query, TableRef } from './ast.ts'
import { inputsOf, type Plan, type StreamInput } from './plan.ts'
import { toQuery } from './to-query.ts'

/** Names and types of a plan's result, as DuckDB's binder sees them. */
export async function describePlan(plan: Plan, analysis: Analysis): Promise<Schema> {
  return analysis.describe(await analysisQuery(plan, analysis))
}

/** A plan as a query over the empty tables that stand for its streams. */
export async function analysisQuery(plan: Plan, analysis: Analysis): Promise<Query> {
  const tables = new Map<StreamInput, TableRef>()
  for (const input of inputsOf(plan)) tables.set(input, await analysis.tableOf(input))
  return toQuery(plan, { stream: (input) => tables.get(input) as TableRef })
}
