import { quoted } from '../../duckdb.ts'
import { column, type Expression, integer, named } from '../ast.ts'
import { describePlan } from '../describe-plan.ts'
import { fannedOut } from '../expand-hops.ts'
import { type OverResults, withoutFilters } from '../over-results.ts'
import type { Plan } from '../plan.ts'
import { handOn, type Operator, type OperatorContext } from './operator.ts'

/**
 * An operator over the results of an aggregation, such as an average of maxima: it keeps nothing, and is computed anew
 * from all results below in every batch.
 *
 * Algebra: with R the results below after the batch, all results here are the query over R. In update mode those are
 * handed on whose key is that of a result below which the batch touched: no result below ever changes its key.
 */
export async function computedAnew(given: OverResults, context: OperatorContext): Promise<Operator> {
  const { name, mode, printInPlace, printChanged, analysis } = context
  const node = given.kind === 'aggregate' ? fannedOut(given) : given
  const all = await printInPlace(node)
  const keys = keysOf(node)
  const touched: Plan = {
    kind: 'project',
    child: withoutFilters(node.child),
    items: keys.length > 0 ? keys.map(({ below }, i) => named(below, touchedKey(i))) : [integer(1)],
  }
  const here = await analysis.sql.printExpressions(keys.map((key) => key.here))
  const isTouched = here.map((key, i) => `${key} IS NOT DISTINCT FROM ${quoted(touchedKey(i))}`)
  const columns = (await describePlan(given, analysis)).map((field) => quoted(field.name)).join(', ')
  const table = quoted(name)
  return {
    name,
    keeps: 'nothing; computed anew from all results below in every batch',
    state: '',
    prepare: [`CREATE TEMP TABLE ${table} AS ${all} LIMIT 0`],
    run: handOn('TABLE', name, mode, {
      append: all,
      complete: all,
      update: `SELECT ${columns} FROM (${all}) SEMI JOIN (${await printChanged(touched)}) ON ${isTouched.join(' AND ') || 'true'}`,
    }),
    evict: [],
    late: undefined,
    changed: '',
    snapshot: '',
    load: () => '',
    counts: 'SELECT 0 AS total, 0 AS updated',
    identity: { kind: 'computed anew' },
  }
}

const touchedKey = (index: number): string => `key of a touched result ${index}`

/** What a result goes by: as an expression over the rows below, and over the results here. */
function keysOf(node: OverResults): readonly { readonly below: Expression; readonly here: Expression }[] {
  switch (node.kind) {
    case 'aggregate':
      return node.keys.map(({ name, expression }) => ({ below: expression, here: column(name) }))
    case 'top-n':
      return node.partition.map((expression) => ({ below: expression, here: expression }))
    case 'dedup':
      return []
  }
}
