import type { Schema } from '../../batch.ts'
import { quoted } from '../../duckdb.ts'
import { type Expression, named, selectQuery, star, subqueryRef } from '../ast.ts'
import { analysisQuery } from '../describe-plan.ts'
import { GROUPING_SET } from '../grouping-sets.ts'
import type { Aggregate, Plan } from '../plan.ts'
import { LATE_BEFORE, type OperatorContext } from './operator.ts'

/** What an operator dropped of a batch because it came behind the watermark. */
export interface LateRows {
  /** How many rows. */
  readonly count: string
  /** The rows as they came to the operator, with the watermark that they missed and the batch. */
  rows(batchId: number): string
  readonly schema: Schema
}

/** The time of a row while its lateness is judged. */
const TIME = 'time that was late'

const COLUMNS: Schema = [
  { name: '_watermark', type: 'TIMESTAMP' },
  { name: '_batch_id', type: 'BIGINT' },
]

/**
 * The late rows of an operator over `input`. They are selected once more from the operator's input, and only when
 * somebody asks for them: what an operator itself keeps of a row may be less than the row.
 *
 * @param isLate whether a row is late, by the SQL for the value of `time`
 * @param added columns of the input that are no part of the row
 */
export async function lateRows(
  count: string,
  input: Plan,
  time: Expression,
  isLate: (time: string) => string,
  { analysis, print }: OperatorContext,
  added: readonly string[] = [],
): Promise<LateRows> {
  const timed: Plan = { kind: 'project', child: input, items: [star, named(time, TIME)] }
  const query = selectQuery({ from_table: subqueryRef(await analysisQuery(input, analysis), '') })
  const all = await analysis.describe(query)
  const schema = all.filter((column) => column.name !== GROUPING_SET && !added.includes(column.name))
  const columns = schema.map((column) => quoted(column.name)).join(', ')
  const once = schema.length < all.length - added.length ? ` AND ${ONCE}` : ''
  const late = `FROM (${await print(timed)}) WHERE (${isLate(quoted(TIME))})${once}`
  return {
    count,
    rows: (batchId) =>
      `SELECT ${columns}, ${LATE_BEFORE} AS _watermark, ${batchId}::BIGINT AS _batch_id ${late}`,
    schema: [...schema, ...COLUMNS],
  }
}

/** Of the copies that several grouping sets make of a row. */
const ONCE = `${quoted(GROUPING_SET)} = 0`

/** ` AND …`, so that a row which stands in several grouping sets is late once. */
export function countedOnce({ keys }: Aggregate): string {
  return keys.some(({ name }) => name === GROUPING_SET) ? ` AND ${ONCE}` : ''
}
