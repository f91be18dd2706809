import {
  DescribeStreamSummaryCommand,
  type DescribeStreamSummaryInput,
  type DescribeStreamSummaryOutput,
  GetRecordsCommand,
  type GetRecordsInput,
  type GetRecordsOutput,
  GetShardIteratorCommand,
  type GetShardIteratorInput,
  type GetShardIteratorOutput,
  ListShardsCommand,
  type ListShardsInput,
  type ListShardsOutput,
  type ServiceInputTypes,
  type ServiceOutputTypes,
} from '@aws-sdk/client-kinesis'
import type { KinesisConnection } from '../../aws.ts'
import type { Clock } from '../../clock.ts'
import { directHttp } from './direct-http.ts'
import type { ServerTime } from './kinesis-port.ts'
import { askForCbor } from './records-over-cbor.ts'

/** The four requests of a polling consumer, typed as the SDK types them. */
export interface Requests {
  DescribeStreamSummary: { input: DescribeStreamSummaryInput; output: DescribeStreamSummaryOutput }
  ListShards: { input: ListShardsInput; output: ListShardsOutput }
  GetShardIterator: { input: GetShardIteratorInput; output: GetShardIteratorOutput }
  GetRecords: { input: GetRecordsInput; output: GetRecordsOutput }
}

export type RequestName = keyof Requests

export interface Answer<R extends RequestName> {
  readonly output: Requests[R]['output']
  readonly serverTime: ServerTime
}

/** Carries a request to the service and throws whatever went wrong as it came; `stream-port.ts` makes sense of it. */
export interface KinesisTransport {
  /** Known after the first request; before it, as good a guess as there is. */
  readonly host: string
  readonly credentials: string
  region(): Promise<string>
  send<R extends RequestName>(
    request: R,
    input: Requests[R]['input'],
    signal: AbortSignal,
  ): Promise<Answer<R>>
  refreshCredentials(): Promise<void>
  close(): void
}

/** Requests over HTTP with the AWS SDK. */
export class SdkTransport implements KinesisTransport {
  readonly credentials: string
  readonly #connection: KinesisConnection
  readonly #clock: Clock
  /** By the input of a request, and then by the request itself. */
  readonly #signals = new WeakMap<object, AbortSignal>()
  #host: string

  constructor(connection: KinesisConnection, endpointUrl: string | undefined, clock: Clock) {
    this.#connection = connection
    this.#clock = clock
    this.#host = endpointUrl === undefined ? 'kinesis' : new URL(endpointUrl).host
    this.credentials = connection.credentials
    this.#listen()
    askForCbor(connection.client)
    const { connectTimeoutMs, requestTimeoutMs } = connection.options
    const timeouts = { connectMs: connectTimeoutMs, silenceMs: requestTimeoutMs }
    directHttp(connection.client, timeouts, (request) => this.#signals.get(request))
    // Puts the thirty layers of a request together once, not for every request; but only for those without options.
    connection.client.config.cacheMiddleware = true
  }

  get host(): string {
    return this.#host
  }

  region(): Promise<string> {
    return this.#connection.region()
  }

  async send<R extends RequestName>(
    request: R,
    input: Requests[R]['input'],
    signal: AbortSignal,
  ): Promise<Answer<R>> {
    // Asked first, so that a missing region is our error and not the SDK's.
    await this.region()
    // An input of its own, whatever the caller hands in again.
    const command = commandOf(request, { ...input })
    this.#signals.set(command.input, signal)
    const output = await this.#connection.client.send(command)
    return { output: output as Requests[R]['output'], serverTime: this.#timeOf(output) }
  }

  refreshCredentials(): Promise<void> {
    return this.#connection.refreshCredentials()
  }

  close(): void {
    this.#connection.client.destroy()
  }

  /** Notes the host that is really called and the server's clock, which the SDK does not hand out, and passes the signal on. */
  #listen(): void {
    const stack = this.#connection.client.middlewareStack
    stack.add(
      (next) => async (args) => {
        const { hostname, port } = args.request as { hostname?: string; port?: number }
        if (hostname !== undefined) this.#host = port === undefined ? hostname : `${hostname}:${port}`
        const signal = this.#signals.get(args.input)
        if (signal) this.#signals.set(args.request as object, signal)
        const result = await next(args)
        const { headers } = result.response as { headers?: Readonly<Record<string, string>> }
        if (result.output) dates.set(result.output, headers?.['date'])
        return result
      },
      { step: 'deserialize', priority: 'high', name: 'sluiceServerTime' },
    )
  }

  #timeOf(output: ServiceOutputTypes): ServerTime {
    const second = Date.parse(dates.get(output) ?? '')
    if (!Number.isFinite(second)) return { earliestMs: this.#clock.now(), latestMs: this.#clock.now() }
    return { earliestMs: second, latestMs: second + 999 }
  }
}

const dates = new WeakMap<object, string | undefined>()

function commandOf(request: RequestName, input: ServiceInputTypes): GetRecordsCommand {
  const command = {
    DescribeStreamSummary: () => new DescribeStreamSummaryCommand(input as DescribeStreamSummaryInput),
    ListShards: () => new ListShardsCommand(input as ListShardsInput),
    GetShardIterator: () => new GetShardIteratorCommand(input as GetShardIteratorInput),
    GetRecords: () => new GetRecordsCommand(input as GetRecordsInput),
  }[request]()
  // `send` is overloaded by command; one of four is as good as another to its types.
  return command as GetRecordsCommand
}
