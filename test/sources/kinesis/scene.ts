import type { Position } from '../../../src/batch.ts'
import { silentLogger } from '../../../src/log.ts'
import type { OptionValue } from '../../../src/options.ts'
import { KinesisSource } from '../../../src/sources/kinesis/kinesis-source.ts'
import { parseKinesisOptions } from '../../../src/sources/kinesis/options.ts'
import { StreamPort } from '../../../src/sources/kinesis/stream-port.ts'
import type {
  Answer,
  KinesisTransport,
  RequestName,
  Requests,
} from '../../../src/sources/kinesis/transport.ts'
import { KinesisDouble, type KinesisDoubleOptions } from '../../../src/testing/kinesis/double.ts'
import { ManualClock } from '../../../src/testing/manual-clock.ts'

export const STREAM = 'clicks'

/** Asks a double without a network; its clock's milliseconds stand in for the Date header. */
export class DoubleTransport implements KinesisTransport {
  readonly host = 'double'
  readonly credentials = 'none'
  readonly #double: KinesisDouble
  refreshed = 0

  constructor(double: KinesisDouble) {
    this.#double = double
  }

  region(): Promise<string> {
    return Promise.resolve('us-east-1')
  }

  async send<R extends RequestName>(
    request: R,
    input: Requests[R]['input'],
    signal: AbortSignal,
  ): Promise<Answer<R>> {
    const output = await this.#double.handle(request, input as never, { signal })
    const now = this.#double.clock.now()
    return { output: output as Requests[R]['output'], serverTime: { earliestMs: now, latestMs: now } }
  }

  refreshCredentials(): Promise<void> {
    this.refreshed++
    return Promise.resolve()
  }

  close(): void {}
}

/** A double and a clock of one's own, whose time jumps ahead whenever nothing else happens. */
export function scene(options: KinesisDoubleOptions & { seed?: string; passes?: 'manual' | 'idle' } = {}): {
  readonly clock: ManualClock
  readonly double: KinesisDouble
} {
  const clock = new ManualClock({ seed: options.seed ?? 'scene', passes: options.passes ?? 'idle' })
  return { clock, double: new KinesisDouble({ clock, ...options }) }
}

export function openSource(
  double: KinesisDouble,
  given: Readonly<Record<string, OptionValue>> = {},
  log = silentLogger,
  sharedBy?: string,
): KinesisSource {
  const options = parseKinesisOptions(
    new Map(Object.entries({ streamName: STREAM, startingPosition: 'trim_horizon', ...given })),
  )
  const transport = new DoubleTransport(double)
  const { clock } = double
  const timeoutMs = 2 * options.aws.requestTimeoutMs
  const port = new StreamPort({ id: 'double', transport, stream: options.stream, clock, timeoutMs })
  return new KinesisSource({ options, port, sharedBy, clock, log })
}

/** A row as tests compare it. */
export interface SeenRow {
  readonly text: string
  readonly partitionKey: string | null
  readonly sequenceNumber: string
  readonly subSequenceNumber: number | null
  readonly shardId: string
}

export function rowsOf(batch: { readonly records: readonly unknown[] } | undefined): SeenRow[] {
  const rows: SeenRow[] = []
  for (const records of (batch?.records ?? []) as Iterable<Iterable<Record<string, unknown>>>) {
    for (const row of records) {
      rows.push({
        text: Buffer.from(row['data'] as Uint8Array).toString(),
        partitionKey: row['partitionKey'] as string | null,
        sequenceNumber: row['sequenceNumber'] as string,
        subSequenceNumber: row['subSequenceNumber'] === null ? null : Number(row['subSequenceNumber']),
        shardId: row['shardId'] as string,
      })
    }
  }
  return rows
}

export const never: AbortSignal = new AbortController().signal

/** Reads until the source says that nothing more is there. */
export async function readAll(
  source: KinesisSource,
  from: Position,
  most = 1000,
): Promise<{ readonly rows: SeenRow[]; readonly end: Position; readonly batches: number }> {
  const rows: SeenRow[] = []
  let end = from
  let batches = 0
  for (let reads = 0; reads < most; reads++) {
    const { batch, drained } = await source.read(end, never)
    if (batch) {
      rows.push(...rowsOf(batch))
      end = batch.range.end
      batches++
    }
    if (drained) return { rows, end, batches }
  }
  throw new Error(`not drained after ${most} reads, ${rows.length} rows`)
}
