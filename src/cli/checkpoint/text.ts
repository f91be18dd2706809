import { getBorderCharacters, table } from 'table'
import type { StoredBatch, StoredQuery, Verdict } from '../../api/stored-checkpoint.ts'

const STANDING: Readonly<Record<string, string>> = {
  released: 'which was stopped cleanly',
  alive: 'which is running',
  stopped: 'which is suspended',
  dead: 'which is gone',
  unknown: 'of which this machine knows nothing',
}

export function queryText({
  location,
  queryId,
  createdAtMs,
  versions,
  sources,
  holder,
}: StoredQuery): string {
  const rows = [
    ['checkpoint', location],
    ['query', queryId],
    ['created', `${iso(createdAtMs)} by Sluice ${versions.sluice} with DuckDB ${versions.duckdb}`],
    ['reads', sources.join(', ')],
    [
      'last held by',
      holder
        ? `process ${holder.pid} on ${holder.host} since ${iso(holder.takenAtMs)}, ${STANDING[holder.standing]}`
        : 'nobody',
    ],
  ]
  return rows.map(([name = '', value = '']) => `${name.padEnd(14)}${value}\n`).join('')
}

export function batchesText(batches: readonly StoredBatch[]): string {
  if (batches.length === 0) return 'no batches yet\n'
  const header = ['batch', 'standing', 'begun', 'rows', 'watermark', 'state files', 'state bytes', 'epoch']
  const text = drawn([header, ...batches.map(lineOf)], [0, 3, 5, 6, 7])
  const damage = batches.flatMap((batch) => batch.damage.map((error) => `${error.message}\n`))
  return `${text}${damage.join('')}`
}

function lineOf({ batchId, standing, intent, commit, damage }: StoredBatch): string[] {
  const files = commit?.stateFiles
  return [
    String(batchId),
    damage.length > 0 ? `${standing}, damaged` : standing,
    intent ? iso(intent.startedAtMs) : '',
    intent ? number(rowsOf(intent)) : '',
    intent ? watermark(intent.watermarkMs) : '',
    files ? String(files.length) : '',
    files ? number(files.reduce((sum, { bytes }) => sum + bytes, 0)) : '',
    String((commit ?? intent)?.epoch ?? ''),
  ]
}

/** @param sources what the query reads */
export function batchText(
  { batchId, standing, intent, commit, damage }: StoredBatch,
  sources: readonly string[],
): string {
  const lines = [`batch ${batchId}, ${standing}`]
  if (intent) {
    lines.push(
      `begun ${iso(intent.startedAtMs)} in epoch ${intent.epoch}, watermark ${watermark(intent.watermarkMs)}`,
    )
    for (const [index, { range, rows, digest }] of intent.sources.entries()) {
      lines.push(
        `\n${sources[index] ?? `source ${index}`}: ${number(rows)} rows${digest ? `, digest ${digest}` : ''}`,
      )
      lines.push(`from  ${JSON.stringify(range.start)}`, `to    ${JSON.stringify(range.end)}`)
    }
  }
  if (commit) {
    lines.push(`\ncommitted in epoch ${commit.epoch}, next watermark ${watermark(commit.nextWatermarkMs)}`)
    const files = commit.stateFiles.map(({ path, bytes, crc32 }) => [path, number(bytes), crc32])
    lines.push(
      files.length > 0 ? drawn([['state file', 'bytes', 'crc32'], ...files], [1]).trimEnd() : 'no state',
    )
  }
  for (const { message } of damage) lines.push(`\n${message}`)
  return `${lines.join('\n')}\n`
}

export function verdictText({ batches, stateFiles, stateBytes, problems }: Verdict): string {
  const looked = `${number(batches)} ${batches === 1 ? 'batch' : 'batches'} and ${number(stateFiles)} state ${stateFiles === 1 ? 'file' : 'files'} (${number(stateBytes)} bytes)`
  if (problems.length === 0) return `sound: ${looked}\n`
  const texts = problems.map(
    ({ stops, error }) =>
      `${stops === 'start' ? 'the query cannot start' : 'the query can start, but not be rewound to every batch'}\n  ${error.message}\n`,
  )
  return `${texts.join('')}damaged: ${looked}, ${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}\n`
}

/** `batch 5`, `batches 5 to 9`, `no batch`. */
export function plural(ids: readonly number[]): string {
  const [first, last] = [ids[0], ids.at(-1)]
  if (first === undefined) return 'no batch'
  return first === last ? `batch ${first}` : `batches ${first} to ${last}`
}

function rowsOf(intent: NonNullable<StoredBatch['intent']>): number {
  return intent.sources.reduce((sum, { rows }) => sum + rows, 0)
}

function drawn(rows: string[][], right: readonly number[]): string {
  return table(rows, {
    border: getBorderCharacters('ramac'),
    columns: rows[0]?.map((_, column) => ({ alignment: right.includes(column) ? 'right' : 'left' })) ?? [],
    drawHorizontalLine: (index, size) => index <= 1 || index === size,
  })
}

function number(value: number): string {
  return value.toLocaleString('en')
}

function watermark(ms: number | null): string {
  return ms === null ? 'none' : iso(ms)
}

/** Beyond what a Date can say, the number itself. */
function iso(ms: number): string {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString()
}
