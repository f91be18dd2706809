import type { SluiceError } from '../../errors.ts'

/** Names a row for ever, so that a reader can tell a repeat. */
export interface Place {
  readonly queryId: string
  readonly batchId: number
  /** Counted from 0 in the order of partition key and contents. */
  readonly row: number
}

/** The member that `field` adds to a JSON object. */
const MEMBER = '_sluice'

/**
 * Puts a row's place into its data: as the first member of the JSON object that it is, or as a line of JSON before
 * it (`envelope`), which leaves any bytes as they are.
 *
 * @param refuse makes the error for data that is no JSON object
 */
export function mark(
  how: 'field' | 'envelope',
  data: Uint8Array,
  place: Place,
  refuse: (reason: string) => SluiceError,
): Uint8Array {
  const { queryId, batchId, row } = place
  const header = JSON.stringify({ queryId, batchId, row })
  if (how === 'envelope') return Buffer.concat([Buffer.from(`${header}\n`), data])
  const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('utf8').trim()
  const members = membersOf(text)
  if (members === undefined) throw refuse("data is no JSON object, which provenance 'field' needs")
  if (members.includes(MEMBER)) throw refuse(`data has a member ${MEMBER} already`)
  const separator = members.length === 0 ? '' : ','
  // Spliced in, not printed anew: JavaScript would change numbers that it cannot hold.
  return Buffer.from(`{"${MEMBER}":${header}${separator}${text.slice(1)}`)
}

function membersOf(text: string): readonly string[] | undefined {
  try {
    const parsed: unknown = JSON.parse(text)
    const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
    return isObject ? Object.keys(parsed) : undefined
  } catch {
    return undefined
  }
}
