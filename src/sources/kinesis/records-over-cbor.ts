import type { KinesisClient } from '@aws-sdk/client-kinesis'
import { type CborMap, readCbor, writeCborMap } from './cbor.ts'
import { bodyBuffer } from './lent-body.ts'

/** The body of a GetRecords answer in CBOR, with free bytes behind it for whoever reads it. */
export interface RawAnswer {
  readonly bytes: Buffer
  readonly length: number
}

interface HttpMessage {
  headers: Record<string, string>
  body: unknown
}

interface HttpAnswer extends HttpMessage {
  statusCode: number
}

const CBOR = 'application/x-amz-cbor-1.1'
const JSON_TYPE = 'application/x-amz-json'
const GET_RECORDS = 'Kinesis_20131202.GetRecords'
const LARGEST_ANSWER_BYTES = 12 * 1024 * 1024

const answers = new WeakMap<object, RawAnswer>()

/** The body that an output of GetRecords was made from, if it came in CBOR; then the output itself is empty. */
export function rawAnswerOf(output: object): RawAnswer | undefined {
  return answers.get(output)
}

/**
 * Makes a client ask for records in CBOR, which has their bytes as they are where JSON has them in base64, and keeps
 * the SDK from spelling them out. Everything else stays the SDK's: credentials, signatures, endpoints, errors.
 *
 * An endpoint that refuses CBOR is asked the same in JSON, and when it answers in that, in JSON from then on.
 */
export function askForCbor({ middlewareStack }: KinesisClient): void {
  let speaksCbor: boolean | undefined
  const refusals = new WeakSet<object>()
  const answersInJson = new WeakSet<object>()
  const bodies = new WeakMap<object, RawAnswer>()

  middlewareStack.add(
    (next) => async (args) => {
      const { input } = args
      const kept = async () => {
        const result = await next(args)
        const raw = bodies.get(result.response as object)
        if (raw && result.output) answers.set(result.output, raw)
        return result
      }
      try {
        return await kept()
      } catch (error) {
        if (!refusals.has(input)) throw error
        const before = speaksCbor
        speaksCbor = false
        return await kept().catch((again: unknown) => {
          // An error of the service is an answer, too; a proxy's page is none.
          if (!answersInJson.has(input)) speaksCbor = before
          throw again
        })
      }
    },
    { step: 'initialize', name: 'sluiceCborOrJson' },
  )
  middlewareStack.add(
    (next) => (args) => {
      const request = args.request as HttpMessage
      if (request.headers['x-amz-target'] === GET_RECORDS && speaksCbor !== false) {
        request.headers['content-type'] = CBOR
        request.body = writeCborMap(args.input as Record<string, string | number>)
      }
      return next(args)
    },
    // Before the length of the body is taken, and long before it is signed.
    { step: 'build', priority: 'high', name: 'sluiceCborRequest' },
  )
  middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args)
      const { input } = args
      const response = result.response as HttpAnswer
      const { statusCode, headers } = response
      const type = headers['content-type'] ?? ''
      if (type.startsWith(JSON_TYPE)) answersInJson.add(input)
      if ((args.request as HttpMessage).headers['content-type'] !== CBOR) return result
      if (type.startsWith(CBOR)) {
        speaksCbor = true
        const raw = await collect(response)
        if (statusCode < 300) bodies.set(response, raw)
        response.body = Buffer.from(statusCode < 300 ? '{}' : errorAsJson(raw))
      } else if (isRefusal(speaksCbor, statusCode, type)) refusals.add(input)
      return result
    },
    // The last before the SDK makes sense of the answer.
    { step: 'deserialize', priority: 'low', name: 'sluiceCborAnswer' },
  )
}

/** Whether an answer that is not CBOR says that its sender does not know CBOR, rather than that something else is wrong. */
function isRefusal(speaksCbor: boolean | undefined, statusCode: number, type: string): boolean {
  // There is a stand-in that answers in CBOR as long as nothing is wrong, and says nothing else in it.
  if (type === '') return statusCode >= 400
  return speaksCbor === undefined && statusCode >= 400 && statusCode < 500
}

/** The whole body in one buffer of its own, with room behind it. @throws what the connection fails with */
async function collect({ headers, body }: HttpAnswer): Promise<RawAnswer> {
  // From a connection of ours, which has put it into such a buffer.
  if (body instanceof Uint8Array) return { bytes: Buffer.from(body.buffer), length: body.length }
  const announced = Number(headers['content-length'] ?? 64 * 1024)
  let bytes = bodyBuffer(Math.min(announced || 0, LARGEST_ANSWER_BYTES))
  let length = 0
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    if (length + chunk.length > bytes.length) {
      const bigger = bodyBuffer(length + chunk.length)
      bigger.set(bytes.subarray(0, length))
      bytes = bigger
    }
    bytes.set(chunk, length)
    length += chunk.length
  }
  return { bytes, length }
}

/** An error of the service in the format that the SDK reads. */
function errorAsJson({ bytes, length }: RawAnswer): string {
  if (length === 0) return '{}'
  return JSON.stringify(readCbor(bytes.subarray(0, length)) as CborMap)
}
