import { isDeepStrictEqual } from 'node:util'
import type { Json } from '../batch.ts'
import { SluiceError } from '../errors.ts'
import { corrupt } from './corrupt.ts'
import { Fields } from './fields.ts'
import { seal, unseal } from './sealed.ts'
import type { Storage } from './storage.ts'

/** `metadata`: written once, when the query first starts on this location. */
export interface CheckpointIdentity {
  readonly queryId: string
  readonly createdAtMs: number
  /** What must not change for the state and the offsets to stay valid; its meaning is the engine's. */
  readonly fingerprint: Json
  /** What each source reads, in the order of `sources` in the offsets. */
  readonly sources: readonly string[]
  /** Of the engine that created the checkpoint, for the reader of the file. */
  readonly versions: EngineVersions
}

export interface EngineVersions {
  readonly sluice: string
  readonly duckdb: string
}

const PATH = 'metadata'
const VERSION = 1
const FOLDERS = /^(?:offsets|commits|epochs|sources|state|again)\//
/** Enough names to say what a directory is. */
const LOOK = 50

/** @throws CHECKPOINT_FOREIGN, CHECKPOINT_CORRUPT, CHECKPOINT_VERSION */
export async function readIdentity(storage: Storage): Promise<CheckpointIdentity | undefined> {
  const bytes = (await storage.read(PATH)) ?? (await laterThan(storage))
  if (bytes === undefined) return undefined
  const fields = new Fields(
    storage.location,
    PATH,
    unseal('metadata', [VERSION], storage.location, PATH, bytes),
  )
  const versions = fields.object('versions')
  return Object.freeze({
    queryId: fields.text('queryId'),
    createdAtMs: fields.count('createdAtMs'),
    fingerprint: fields.json('fingerprint'),
    sources: fields.texts('sources'),
    versions: { sluice: versions.text('sluice'), duckdb: versions.text('duckdb') },
  })
}

/** Makes the location the checkpoint of this query. Of several first starts at once, one identity wins. */
export async function createIdentity(
  storage: Storage,
  identity: CheckpointIdentity,
): Promise<CheckpointIdentity> {
  const { queryId, createdAtMs, fingerprint, sources, versions } = identity
  const body = { queryId, createdAtMs, fingerprint, sources, versions: { ...versions } }
  await storage.create(PATH, seal('metadata', VERSION, body))
  const stored = await readIdentity(storage)
  if (stored === undefined) throw corrupt(storage.location, PATH, 'vanished right after it was written')
  return stored
}

/** @throws CHECKPOINT_INCOMPATIBLE naming every difference */
export function refuseOtherQuery(
  location: string,
  stored: CheckpointIdentity,
  given: { readonly fingerprint: Json; readonly sources: readonly string[] },
): void {
  // Through JSON, as the stored one went: an absent prototype or a -0 is no change.
  const now = JSON.parse(JSON.stringify(given)) as typeof given
  const changes = [
    ...differences(stored.sources, now.sources, 'sources'),
    ...differences(stored.fingerprint, now.fingerprint, 'query'),
  ]
  if (changes.length === 0) return
  const more = changes.length > CHANGES_SHOWN ? ` and ${changes.length - CHANGES_SHOWN} more` : ''
  throw new SluiceError('CHECKPOINT_INCOMPATIBLE', {
    location,
    queryId: stored.queryId,
    changes: changes.slice(0, CHANGES_SHOWN).join('; ') + more,
  })
}

const CHANGES_SHOWN = 5
const VALUE_SHOWN = 120

/** Where two values differ, as `query.keys[0] was "a", now "b"`. Order of keys is no difference. */
function differences(before: Json | undefined, now: Json | undefined, where: string): readonly string[] {
  if (isDeepStrictEqual(before, now)) return []
  if (!isBranch(before) || !isBranch(now) || Array.isArray(before) !== Array.isArray(now)) {
    return [`${where} was ${shown(before)}, now ${shown(now)}`]
  }
  // Of two things of different kinds, that is all there is to say.
  if ('kind' in before && 'kind' in now && before['kind'] !== now['kind']) {
    return [`${where} was ${shown(before['kind'])}, now ${shown(now['kind'])}`]
  }
  const [old, fresh] = [new Map(Object.entries(before)), new Map(Object.entries(now))]
  return [...new Set([...old.keys(), ...fresh.keys()])].flatMap((key) =>
    differences(old.get(key), fresh.get(key), Array.isArray(before) ? `${where}[${key}]` : `${where}.${key}`),
  )
}

function isBranch(value: Json | undefined): value is readonly Json[] | { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null
}

function shown(value: Json | undefined): string {
  if (value === undefined) return 'absent'
  const text = JSON.stringify(value)
  return text.length > VALUE_SHOWN ? `${text.slice(0, VALUE_SHOWN)}…` : text
}

/** The metadata of a query that first started while we looked; refuses a location that something else occupies. */
async function laterThan(storage: Storage): Promise<Uint8Array | undefined> {
  const found = await storage.list('', LOOK)
  // Metadata is the first file of a checkpoint, so whoever made what was found has made it by now.
  const bytes = found.length === 0 ? undefined : await storage.read(PATH)
  if (bytes !== undefined) return bytes
  if (found.some((path) => FOLDERS.test(path))) {
    throw corrupt(storage.location, PATH, `is missing although there is ${found[0]}`)
  }
  if (found.length === 0) return undefined
  const more = found.length > 3 ? ', …' : ''
  throw new SluiceError('CHECKPOINT_FOREIGN', {
    location: storage.location,
    found: found.slice(0, 3).join(', ') + more,
  })
}
