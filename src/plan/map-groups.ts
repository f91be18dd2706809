import { parseDuckType, typeText } from '../duck-type.ts'
import { quoted } from '../duckdb.ts'
import { SluiceError } from '../errors.ts'
import type { OutputMode } from '../output-mode.ts'
import type { Analysis } from './analysis.ts'
import type { GroupsDraft } from './draft.ts'
import { eventTimes } from './event-time.ts'
import { isStreaming, type MapGroups, nodesOf, type Plan } from './plan.ts'

/** What `…GroupsWithState` may not do; by Spark's rules, but for tables. SQL has no words for any of it. */
export const GROUP_REFUSALS = {
  'map-groups-mode': {
    what: 'mapGroupsWithState in append or complete mode',
    why: 'every call for a group gives a row that replaces the one before',
    instead: "outputMode update, or flatMapGroupsWithState with outputMode: 'append'",
  },
  'flat-map-groups-mode': {
    what: 'flatMapGroupsWithState in another output mode than it is declared for',
    why: 'only the function knows whether its rows are final',
    instead: 'the same outputMode in both places',
  },
  'groups-on-changing-rows': {
    what: '…GroupsWithState over an aggregation or top-N',
    why: 'its function would see rows that later ones replace',
    instead: 'the function first and the aggregation over it, or two queries',
  },
  'aggregate-over-updates': {
    what: 'an aggregation or top-N over …GroupsWithState in update mode',
    why: 'rows that replace others would be counted again',
    instead: "flatMapGroupsWithState with outputMode: 'append'",
  },
  'groups-on-table': {
    what: '…GroupsWithState over a table',
    why: 'a table has no batches to keep a state between',
    instead: 'GROUP BY, or a stream',
  },
} as const

type GroupRefusal = keyof typeof GROUP_REFUSALS

function refused(key: GroupRefusal): SluiceError {
  return new SluiceError('STREAMING_UNSUPPORTED', { ...GROUP_REFUSALS[key], key })
}

/** @param child whose first columns are the keys, `keyColumn(0)` and so on */
export async function mapGroups(
  child: Plan,
  { groups }: GroupsDraft,
  analysis: Analysis,
): Promise<MapGroups> {
  const { keys, mapping } = groups
  if (mapping.timeout === 'eventTime' && eventTimes(child).size === 0)
    throw new SluiceError('WATERMARK_REQUIRED', { call: `${mapping.name} with timeout: 'eventTime'` })
  const columns = mapping.output.map(({ name, type }) => `NULL::${type} AS ${quoted(name)}`)
  const { state } = mapping
  const stateType =
    state === 'json'
      ? 'VARCHAR'
      : typeText({
          kind: 'struct',
          fields: state.map(({ name, type }) => ({ name, type: parseDuckType(type) })),
        })
  return {
    kind: 'map-groups',
    child,
    keys: keys.map(({ name }, index) => ({ name, column: keyColumn(index) })),
    mapping: { ...mapping, stateType },
    empty: await analysis.sql.parse(`SELECT ${columns.join(', ')} LIMIT 0`),
  }
}

export function keyColumn(index: number): string {
  return `key ${index}`
}

/**
 * The refusals that depend on the output mode.
 *
 * @throws STREAMING_UNSUPPORTED
 */
export function checkGroupsMode(plan: Plan, mode: OutputMode): void {
  const isAggregated = nodesOf(plan).some(changes)
  for (const { mapping } of groupsOf(plan)) {
    const { isFlat } = mapping
    if (isAggregated && mapping.mode === 'update') throw refused('aggregate-over-updates')
    if (!isAggregated && mapping.mode !== mode)
      throw refused(isFlat ? 'flat-map-groups-mode' : 'map-groups-mode')
  }
}

/** @throws STREAMING_UNSUPPORTED */
export function checkGroupsShape(plan: Plan): void {
  for (const groups of groupsOf(plan)) {
    if (!isStreaming(groups)) throw refused('groups-on-table')
    if (nodesOf(groups).some(changes)) throw refused('groups-on-changing-rows')
  }
}

function groupsOf(plan: Plan): MapGroups[] {
  return nodesOf(plan).filter((node) => node.kind === 'map-groups')
}

const changes = (node: Plan): boolean => node.kind === 'aggregate' || node.kind === 'top-n'
