/**
 * What a sequence number says, in the layout the service uses today: 186 bits, in 56 decimal digits.
 *
 * ```
 * 2 | shard created, s (36) | shard (4) | counter (64) | 00 (8) | arrived, s (36) | shard (32) | 2 (4)
 * ```
 * Clients must treat the number as opaque; the double reads it to tell numbers of another shard, or of a
 * stream that was deleted and created again under the same name, from its own.
 */
export interface SequenceNumber {
  /** Seconds since the epoch at which the shard was created; never twice the same within one double. */
  readonly shardCreated: number
  readonly shardNumber: number
  /** Rises with every record of the shard. */
  readonly counter: number
  /** Seconds since the epoch. */
  readonly arrived: number
}

const VERSION = 2n
/** Above every counter: the ending sequence number of a closed shard. */
export const LAST_COUNTER = 2n ** 63n - 1n

/** A function from (counter, arrival) to sequence numbers of one shard; the constant bits are computed once. */
export function sequenceNumbersOf(
  shardCreated: number,
  shardNumber: number,
): (counter: number | bigint, arrived: number) => string {
  const high = (VERSION << 184n) | (BigInt(shardCreated) << 148n) | (BigInt(shardNumber & 15) << 144n)
  const low = (BigInt(shardNumber) << 4n) | VERSION
  return (counter, arrived) => (high | (BigInt(counter) << 80n) | (BigInt(arrived) << 36n) | low).toString()
}

/** Undefined when the text is not a number that the double (or the service, today) could have issued. */
export function parseSequenceNumber(text: string): SequenceNumber | undefined {
  if (!/^[1-9]\d{54,56}$/.test(text)) return undefined
  const bits = BigInt(text)
  if (bits >> 184n !== VERSION || (bits & 15n) !== VERSION) return undefined
  const field = (shift: bigint, width: bigint): number => Number((bits >> shift) & ((1n << width) - 1n))
  const shardNumber = field(4n, 32n)
  if (field(144n, 4n) !== (shardNumber & 15) || field(72n, 8n) !== 0) return undefined
  return { shardCreated: field(148n, 36n), shardNumber, counter: field(80n, 64n), arrived: field(36n, 36n) }
}
