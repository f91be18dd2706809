import { crc32 } from 'node:zlib'

/** Where a shard iterator stands, and since when. */
export interface IteratorState {
  readonly stream: string
  /** Of the stream; tells an iterator of its predecessor of the same name. */
  readonly createdMs: number
  readonly shardId: string
  readonly index: number
  /** Empty answers already given in the sparse stretch before `index`. */
  readonly hop: number
  readonly issuedMs: number
  /** Stands at a trimmed position of a stream whose trimmed reads never get anywhere. */
  readonly stuck: boolean
}

type Fields = [string, number, string, number, number, number, 0 | 1]

/** Opaque to clients, as in the service; a checksum tells a damaged token from a good one. */
export function encodeIterator(state: IteratorState): string {
  const fields: Fields = [
    state.stream,
    state.createdMs,
    state.shardId,
    state.index,
    state.hop,
    state.issuedMs,
    state.stuck ? 1 : 0,
  ]
  return sealToken(fields)
}

/** Undefined for what this double never issued. */
export function decodeIterator(token: string): IteratorState | undefined {
  const fields = openToken(token) as Fields | undefined
  if (fields?.length !== 7) return undefined
  const [stream, createdMs, shardId, index, hop, issuedMs, stuck] = fields
  return { stream, createdMs, shardId, index, hop, issuedMs, stuck: stuck === 1 }
}

/** The same place, issued at another time. */
export function renewedIterator(token: string, issuedMs: number): string {
  const state = decodeIterator(token)
  return state ? encodeIterator({ ...state, issuedMs }) : token
}

/** JSON behind four bytes of CRC-32, in base64. */
export function sealToken(value: unknown): string {
  const json = Buffer.from(JSON.stringify(value))
  const sealed = Buffer.allocUnsafe(4 + json.length)
  sealed.writeUInt32BE(crc32(json), 0)
  sealed.set(json, 4)
  return sealed.toString('base64')
}

export function openToken(token: string): unknown {
  const sealed = Buffer.from(token, 'base64')
  const json = sealed.subarray(4)
  if (sealed.length < 5 || sealed.readUInt32BE(0) !== crc32(json)) return undefined
  return JSON.parse(json.toString())
}
