import { type Author, readAuthored, sealAuthored } from './author.ts'
import { corrupt } from './corrupt.ts'
import { type Holder, holderFrom, holderToJson } from './holder.ts'
import type { Storage } from './storage.ts'

/*
 * epochs/<n>            who took epoch n, put-if-absent: the highest n is the one writer
 * epochs/<n>.beat.<k>   the k-th sign of life of its holder; only the highest k is kept, and its content is not read
 * epochs/<n>.released   the holder closed the checkpoint
 */
export const EPOCHS = 'epochs/'

/** How often a holder gives a sign of life, unless it is told otherwise. */
export const HEARTBEAT_MS = 10_000

/** A successor waits for several of them, so a longer one would look like a hang. */
export const HEARTBEAT_MAX_MS = 600_000

const NAME = /^epochs\/([1-9]\d{0,14})(?:\.(released)|\.beat\.(\d{1,15}))?$/

/** What `epochs/` says at one moment. */
export interface EpochsSeen {
  /** The highest epoch taken, 0 when there is none. */
  readonly latest: number
  readonly released: boolean
  /** The highest beat of the latest epoch, 0 before the first. */
  readonly beat: number
  /** The highest number in any name, so that no number is used twice even if a file was lost. */
  readonly highest: number
  readonly names: readonly EpochName[]
}

export interface EpochName {
  readonly path: string
  readonly epoch: number
  readonly kind: 'taken' | 'released' | 'beat'
}

/** `epochs/<n>` */
export interface EpochRecord extends Author {
  readonly holder: Holder
  /** Wall clock of the holder; for the reader, never compared. */
  readonly takenAtMs: number
  /** How often the holder beats. */
  readonly heartbeatMs: number
  /** The last committed batch that the holder found, -1 for none: commits up to it must be there for ever. */
  readonly last: number
}

export async function seeEpochs(storage: Storage): Promise<EpochsSeen> {
  const names: EpochName[] = []
  const beats = new Map<number, number>()
  for (const path of await storage.list(EPOCHS)) {
    const match = NAME.exec(path)
    if (!match) continue
    const [epoch, beat] = [Number(match[1]), match[3]]
    if (beat !== undefined) beats.set(epoch, Math.max(beats.get(epoch) ?? 0, Number(beat)))
    names.push({ path, epoch, kind: beat !== undefined ? 'beat' : match[2] ? 'released' : 'taken' })
  }
  const latest = highest(names.filter((name) => name.kind === 'taken'))
  return {
    latest,
    released: names.some((name) => name.kind === 'released' && name.epoch === latest),
    beat: beats.get(latest) ?? 0,
    highest: highest(names),
    names,
  }
}

/** The record of an epoch that was just listed; undefined when its successor has tidied it away meanwhile. */
export async function readEpoch(
  storage: Storage,
  epoch: number,
  queryId: string,
): Promise<EpochRecord | undefined> {
  const path = epochPath(epoch)
  const file = await readAuthored(storage, 'epoch', path, queryId)
  if (file === undefined) return undefined
  if (file.epoch !== epoch) throw corrupt(storage.location, path, `holds epoch ${file.epoch}`)
  const { fields, writer } = file
  const heartbeatMs = fields.count('heartbeatMs')
  if (heartbeatMs > HEARTBEAT_MAX_MS) throw fields.wrong('heartbeatMs', `at most ${HEARTBEAT_MAX_MS}`)
  return {
    queryId,
    epoch,
    writer,
    holder: holderFrom(fields.object('holder')),
    takenAtMs: fields.count('takenAtMs'),
    heartbeatMs,
    last: fields.count('committed') - 1,
  }
}

export function sealEpoch(record: EpochRecord): Uint8Array {
  const { holder, takenAtMs, heartbeatMs, last } = record
  return sealAuthored('epoch', record, {
    holder: holderToJson(holder),
    takenAtMs,
    heartbeatMs,
    committed: last + 1,
  })
}

/** The last batch that the holder of a released epoch had committed; undefined when it was not released. */
export async function readRelease(
  storage: Storage,
  epoch: number,
  queryId: string,
): Promise<number | undefined> {
  const path = releasePath(epoch)
  const file = await readAuthored(storage, 'release', path, queryId)
  if (file === undefined) return undefined
  if (file.epoch !== epoch) throw corrupt(storage.location, path, `holds epoch ${file.epoch}`)
  return file.fields.count('committed') - 1
}

export function sealRelease(author: Author, last: number): Uint8Array {
  return sealAuthored('release', author, { committed: last + 1 })
}

export function epochPath(epoch: number): string {
  return `${EPOCHS}${epoch}`
}

export function releasePath(epoch: number): string {
  return `${EPOCHS}${epoch}.released`
}

export function beatPath(epoch: number, beat: number): string {
  return `${EPOCHS}${epoch}.beat.${beat}`
}

function highest(names: readonly EpochName[]): number {
  return names.reduce((most, name) => Math.max(most, name.epoch), 0)
}
