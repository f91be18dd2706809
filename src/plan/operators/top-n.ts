import { quoted } from '../../duckdb.ts'
import { atMost, baseTable, named, rowNumber, selectQuery, star } from '../ast.ts'
import { describePlan } from '../describe-plan.ts'
import type { Plan, TopN } from '../plan.ts'
import { loadAll, type Operator, type OperatorContext, sameKey, storable } from './operator.ts'

/** The rank of a row in its partition where the query does not ask for it by a name. */
const RANK = 'rank in its partition'
/** The batch that put a partition's rows there; the youngest decides on load. */
const VERSION = 'version'

/**
 * The first rows of every partition.
 *
 * Algebra: for a partition that the batch touches, `S' = first n of (S + D)`; the others stay. Handed on are all
 * rows of the touched partitions.
 */
export async function topNOperator(topN: TopN, context: OperatorContext): Promise<Operator> {
  const { name, analysis, print } = context
  const partition = topN.partition.map((expression, i) => named(expression, `partition ${i}`))
  const input: Plan = { kind: 'project', child: topN.child, items: [star, ...partition] }
  const types = await describePlan(input, analysis)
  const keys = partition.map(({ alias }) => alias)
  const columns = (await describePlan(topN.child, analysis)).map((field) => quoted(field.name)).join(', ')
  const select = await print(input)
  const texts = await analysis.sql.printExpressions(topN.partition)
  const ordered = await analysis.sql.printExpressions(topN.orders.map(({ expression }) => expression))
  const orders = topN.orders.map(
    ({ type, null_order }, i) =>
      `${ordered[i]} ${type === 'DESCENDING' ? 'DESC' : 'ASC'} ${null_order === 'NULLS_FIRST' ? 'NULLS FIRST' : 'NULLS LAST'}`,
  )

  const [state, delta, both] = [quoted(`${name}_state`), quoted(`${name}_delta`), quoted(`${name}_both`)]
  const stateTypes = [...types, { name: VERSION, type: 'BIGINT' }]
  const rank = named(rowNumber(topN.partition, topN.orders), topN.rank ?? RANK)
  const first = await analysis.sql.print(
    selectQuery({
      select_list: [star, rank],
      from_table: baseTable(`${name}_both`),
      qualify: atMost(rowNumber(topN.partition, topN.orders), topN.limit),
    }),
  )
  const all = types.map((field) => quoted(field.name)).join(', ')
  const shown = topN.rank === undefined ? columns : `${columns}, ${quoted(topN.rank)}`
  const touched = `${state} AS s SEMI JOIN ${delta} AS d ON ${sameKey(keys, 's', 'd')}`
  return {
    name,
    keeps: `the first ${topN.limit} rows of every partition by ${texts.join(', ') || 'nothing'}; forgets nothing else`,
    state,
    prepare: [
      `CREATE TEMP TABLE ${delta} AS ${select} LIMIT 0`,
      `CREATE TEMP TABLE ${state} AS SELECT *, 0::BIGINT AS ${VERSION} FROM ${delta} LIMIT 0`,
      `CREATE TEMP TABLE ${quoted(name)} AS SELECT ${shown} FROM (SELECT *, 0::BIGINT AS ${quoted(topN.rank ?? RANK)} FROM ${delta}) LIMIT 0`,
    ],
    run: [
      `CREATE OR REPLACE TEMP TABLE ${delta} AS ${select}`,
      `CREATE OR REPLACE TEMP TABLE ${both} AS SELECT ${all} FROM ${touched} UNION ALL SELECT ${all} FROM ${delta}`,
      `DELETE FROM ${state} AS s USING (SELECT DISTINCT ${keys.map(quoted).join(', ') || '1'} FROM ${delta}) AS d WHERE ${sameKey(keys, 's', 'd')}`,
      `CREATE OR REPLACE TEMP TABLE ${quoted(`${name}_first`)} AS ${first}`,
      `INSERT INTO ${state} SELECT ${all}, getvariable('batch_id') FROM ${quoted(`${name}_first`)}`,
      `CREATE OR REPLACE TEMP TABLE ${quoted(name)} AS SELECT ${shown} FROM ${quoted(`${name}_first`)}`,
    ],
    evict: [],
    late: undefined,
    changed: `SELECT ${storable(stateTypes)} FROM ${touched}`,
    snapshot: `SELECT ${storable(stateTypes)} FROM ${state}`,
    load: (files) =>
      `${loadAll(state, stateTypes, files).replace(/ ORDER BY _age, file_row_number$/, '')} QUALIFY ${VERSION} = max(${VERSION}) OVER (PARTITION BY ${keys.map(quoted).join(', ') || '1'})`,
    counts: `SELECT (SELECT count(*) FROM ${state}) AS total, (SELECT count(*) FROM ${quoted(name)}) AS updated`,
    identity: {
      kind: 'top-n',
      partition: texts,
      order: orders,
      limit: topN.limit,
      columns: types.map(({ name: c, type }) => ({ column: c, type })),
    },
  }
}
