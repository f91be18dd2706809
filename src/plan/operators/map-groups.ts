import type { Schema } from '../../batch.ts'
import { type Connection, quoted, type Row } from '../../duckdb.ts'
import { fieldCheck, recordsOf } from '../../rows.ts'
import { answerOf, userCodeFailed } from '../../user-code.ts'
import { column } from '../ast.ts'
import { describePlan } from '../describe-plan.ts'
import { eventTimes } from '../event-time.ts'
import { type GroupMoment, GroupState } from '../group-state.ts'
import type { MapGroups } from '../plan.ts'
import { BATCH_TIME } from '../rules/batch-time.ts'
import { closing, isBehind } from './closing.ts'
import { lateRows } from './late-rows.ts'
import {
  columnList,
  loadLatest,
  type Operator,
  type OperatorContext,
  sameKey,
  WATERMARK,
} from './operator.ts'

/** Number of a group within its batch. */
const GROUP = 'group of the batch'
const BATCH_TIME_MS = `epoch_ms(getvariable('${BATCH_TIME}')::TIMESTAMP)`
const WATERMARK_MS = `epoch_ms(${WATERMARK})`

/**
 * State that a function of the user's keeps, one a key.
 *
 * Algebra: the function is called once for every key of the batch, with the key's rows in their order and its state,
 * then for every other key whose timeout has passed, without rows. `S'` is S with what the calls have left; handed on
 * is what they answered. S is read and written for the keys that are called, and for no other.
 */
export async function mapGroupsOperator(groups: MapGroups, context: OperatorContext): Promise<Operator> {
  const { name, analysis, print } = context
  const { mapping, keys } = groups
  const columns = await describePlan(groups.child, analysis)
  const keyTypes = keys.map(({ column }) => columns.find((field) => field.name === column)!)
  const keyList = columnList(keyTypes)
  const keyNames = keys.map(({ column }) => column)
  const output = await describePlan(groups, analysis)
  const left = [
    { name: 'state', type: mapping.stateType },
    { name: 'timeout', type: 'BIGINT' },
    { name: 'removed', type: 'BOOLEAN' },
  ]
  const stateTypes = [...keyTypes, ...left]
  const changeTypes = [{ name: GROUP, type: 'BIGINT' }, ...left]
  const [eventTime] = eventTimes(groups.child)
  const isLate = (value: string) => isBehind(eventTime && closing(value, eventTime[1]))
  const select = await print(groups.child)

  const table = (suffix: string) => quoted(`${name}_${suffix}`)
  const [state, delta, late, called, changes] = [
    table('state'),
    table('delta'),
    table('late'),
    table('called'),
    table('changes'),
  ]
  const passed = {
    none: 'false',
    processingTime: `s.timeout < ${BATCH_TIME_MS}`,
    eventTime: `s.timeout < ${WATERMARK_MS}`,
  }
  const keysOf = (relation: string) => keyNames.map((key) => `${relation}.${quoted(key)}`).join(', ')
  const rowsOfBatch = `(SELECT ${keyList}, min(rowid) AS first FROM ${delta} GROUP BY ${keyList})`
  const checkAnswer = fieldCheck(output)
  const checkState = mapping.state === 'json' ? undefined : fieldCheck(mapping.state)
  const recordsFor = (types: Schema, rows: readonly Row[]) => {
    try {
      return [recordsOf(types, rows)]
    } catch (error) {
      throw userCodeFailed(mapping.name, error)
    }
  }
  const attach = async (connection: Connection, { changes: changed, rows }: Outcome) => {
    await connection.attach(`${name}_changed`, changeTypes, recordsFor(changeTypes, changed))
    await connection.attach(`${name}_answered`, output, recordsFor(output, rows))
  }
  const attachNothing = {
    code: `attach ${name}_changed, ${name}_answered`,
    run: (connection: Connection) => attach(connection, { rows: [], changes: [] }),
  }
  const callAll = {
    code: `call ${mapping.name} for every row of ${name}_called; attach ${name}_changed, ${name}_answered`,
    run: async (connection: Connection) =>
      attach(
        connection,
        await callGroups(groups, connection, {
          delta,
          called,
          hasWatermark: eventTime !== undefined,
          checkAnswer,
          checkState,
        }),
      ),
  }
  return {
    name,
    keeps: `what ${mapping.name} keeps, one ${mapping.stateType} a key of ${keys.map((key) => key.name).join(', ')}; forgets what it removes`,
    state,
    prepare: [
      `CREATE TEMP TABLE ${delta} AS ${select} LIMIT 0`,
      `CREATE TEMP TABLE ${state} (${stateTypes.map((field) => `${quoted(field.name)} ${field.type}`).join(', ')})`,
      `CREATE TEMP TABLE ${changes} AS FROM ${state}`,
      attachNothing,
      `CREATE TEMP TABLE ${quoted(name)} AS FROM ${table('answered')}`,
    ],
    run: [
      `CREATE OR REPLACE TEMP TABLE ${delta} AS ${select}`,
      ...(eventTime
        ? [
            `CREATE OR REPLACE TEMP TABLE ${late} AS SELECT count(*) AS n FROM ${delta} WHERE ${isLate(quoted(eventTime[0]))}`,
            `DELETE FROM ${delta} WHERE ${isLate(quoted(eventTime[0]))}`,
          ]
        : []),
      `CREATE OR REPLACE TEMP TABLE ${called} AS SELECT row_number() OVER (ORDER BY has_timed_out, first, timeout, ${keyList}) AS ${quoted(GROUP)}, *, ${BATCH_TIME_MS} AS batch_time, ${WATERMARK_MS} AS watermark FROM (` +
        `SELECT ${keysOf('d')}, d.first, s.state, s.timeout, false AS has_timed_out FROM ${rowsOfBatch} AS d LEFT JOIN ${state} AS s ON ${sameKey(keyNames, 's', 'd')} ` +
        `UNION ALL SELECT ${keysOf('s')}, NULL, s.state, s.timeout, true FROM ${state} AS s ANTI JOIN ${delta} AS d ON ${sameKey(keyNames, 's', 'd')} WHERE ${passed[mapping.timeout]})`,
      callAll,
      `CREATE OR REPLACE TEMP TABLE ${changes} AS SELECT ${keysOf('g')}, c.state, c.timeout, c.removed FROM ${table('changed')} AS c JOIN ${called} AS g USING (${quoted(GROUP)})`,
      `MERGE INTO ${state} AS s USING ${changes} AS c ON ${sameKey(keyNames, 's', 'c')} ` +
        'WHEN MATCHED THEN UPDATE SET state = c.state, timeout = c.timeout, removed = c.removed WHEN NOT MATCHED THEN INSERT',
      `CREATE OR REPLACE TEMP TABLE ${quoted(name)} AS FROM ${table('answered')}`,
    ],
    evict: [`DELETE FROM ${state} WHERE removed`],
    late:
      eventTime &&
      (await lateRows(
        `SELECT n FROM ${late}`,
        groups.child,
        column(eventTime[0]),
        isLate,
        context,
        keyNames,
      )),
    due: mapping.timeout === 'processingTime' ? `SELECT min(timeout) FROM ${state}` : undefined,
    changed: `FROM ${changes}`,
    snapshot: `FROM ${state}`,
    load: (files) => loadLatest(state, stateTypes, keyNames, files),
    counts: `SELECT (SELECT count(*) FROM ${state}) AS total, (SELECT count(*) FROM ${changes}) AS updated`,
    identity: {
      kind: 'map-groups',
      keys: keys.map((key, index) => ({ key: key.name, type: keyTypes[index]!.type })),
      state: mapping.stateType,
      timeout: mapping.timeout,
    },
  }
}

/** What the calls of one batch have left. */
interface Outcome {
  readonly rows: Row[]
  readonly changes: Row[]
}

interface Calling {
  readonly delta: string
  readonly called: string
  readonly hasWatermark: boolean
  readonly checkAnswer: (row: unknown) => void
  readonly checkState: ((row: unknown) => void) | undefined
}

async function callGroups(groups: MapGroups, connection: Connection, calling: Calling): Promise<Outcome> {
  const outcome: Outcome = { rows: [], changes: [] }
  const { delta, called } = calling
  const waiting = await connection.rows(`FROM ${called} ORDER BY ${quoted(GROUP)}`)
  const keyNames = groups.keys.map(({ column }) => column)
  const rows =
    `SELECT g.${quoted(GROUP)}, d.* EXCLUDE (${keyNames.map(quoted).join(', ')}) FROM ${delta} AS d ` +
    `JOIN ${called} AS g ON ${sameKey(keyNames, 'd', 'g')} ORDER BY g.${quoted(GROUP)}, d.rowid`
  let next = 0
  let mine: Row[] = []
  const finish = () => {
    callGroup(groups, waiting[next++] as Row, mine, calling, outcome)
    mine = []
  }
  for await (const piece of connection.pieces(rows)) {
    for (const { [GROUP]: group, ...row } of piece) {
      while (group !== waiting[next]?.[GROUP]) finish()
      mine.push(row)
    }
  }
  while (next < waiting.length) finish()
  return outcome
}

function callGroup(
  { mapping, keys }: MapGroups,
  group: Row,
  rows: readonly Row[],
  { hasWatermark, checkAnswer, checkState }: Calling,
  outcome: Outcome,
): void {
  const key = Object.fromEntries(keys.map(({ name, column }) => [name, group[column]]))
  const before = group['state']
  const isJson = mapping.state === 'json'
  const moment: GroupMoment = {
    timeout: mapping.timeout,
    batchTimeMs: Number(group['batch_time']),
    watermarkMs: hasWatermark ? Number(group['watermark'] ?? 0) : undefined,
    hasTimedOut: group['has_timed_out'] === true,
  }
  try {
    const value = before === null ? undefined : isJson ? JSON.parse(String(before)) : (before as Row)
    const state = new GroupState<unknown>(value, moment)
    const answer = answerOf(mapping.code(key, rows, state))
    const answers = mapping.isFlat ? (answer as Iterable<Row>) : [answer as Row]
    for (const row of answers) {
      checkAnswer(row)
      outcome.rows.push(row)
    }
    const left = state.outcome()
    const timeout = left.timeoutMs ?? null
    const timeoutBefore = group['timeout'] === null ? null : Number(group['timeout'])
    if (!left.isChanged && timeout === timeoutBefore) return
    const kept = left.value === undefined ? null : isJson ? JSON.stringify(left.value) : left.value
    if (kept !== null) checkState?.(kept)
    outcome.changes.push({
      [GROUP]: group[GROUP],
      state: kept,
      timeout,
      removed: kept === null && timeout === null,
    })
  } catch (error) {
    throw userCodeFailed(mapping.name, error)
  }
}
