/** Whole state of an operator, or what one batch changed in it. */
export type StateKind = 'snapshot' | 'delta'

/** What the name of a state file says. */
export interface StateName {
  readonly path: string
  readonly operator: string
  readonly batchId: number
  /** Of the writer. A re-run of the batch by a successor saves under its own epoch and meets no old file. */
  readonly epoch: number
  readonly kind: StateKind
}

/** A stored state file. It counts once a commit names it, and never otherwise. */
export interface StateFile extends StateName {
  readonly bytes: number
  /** CRC-32 of the content, eight lower-case hex digits. */
  readonly crc32: string
}

export const STATE = 'state/'

const OPERATOR = /^[A-Za-z0-9_][\w-]{0,99}$/
const PATH =
  /^state\/([A-Za-z0-9_][\w-]{0,99})\/(\d{1,15})\.(\d{1,15})(?:\.\d{1,15})?\.(snapshot|delta)\.parquet$/

export function isOperatorName(operator: string): boolean {
  return OPERATOR.test(operator)
}

/** @param attempt 1 for the first file of its kind that this writer saves for this batch */
export function statePath(
  operator: string,
  batchId: number,
  epoch: number,
  attempt: number,
  kind: StateKind,
): string {
  const again = attempt === 1 ? '' : `.${attempt}`
  return `${STATE}${operator}/${batchId}.${epoch}${again}.${kind}.parquet`
}

/** Undefined for a name that no writer gives. */
export function parseStatePath(path: string): StateName | undefined {
  const match = PATH.exec(path)
  if (!match) return undefined
  const [, operator = '', batchId, epoch, kind] = match
  return { path, operator, batchId: Number(batchId), epoch: Number(epoch), kind: kind as StateKind }
}

/**
 * The files that make up the state once `saved` is added: a snapshot takes the place of all earlier files of its
 * operator. Loading order within an operator: the snapshot if there is one, then deltas by batch.
 */
export function appended(chain: readonly StateFile[], saved: readonly StateFile[]): readonly StateFile[] {
  const replaced = new Set(saved.filter((file) => file.kind === 'snapshot').map((file) => file.operator))
  return Object.freeze([...chain.filter((file) => !replaced.has(file.operator)), ...saved])
}
