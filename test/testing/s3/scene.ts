import type { Readable } from 'node:stream'
import { after } from 'node:test'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  type GetObjectCommandInput,
  ListObjectsV2Command,
  type ListObjectsV2CommandInput,
  PutObjectCommand,
  type PutObjectCommandInput,
  S3Client,
} from '@aws-sdk/client-s3'
import { S3Double, type S3DoubleOptions } from '../../../src/testing/s3/double.ts'

process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true'

export const BUCKET = 'bucket'

/** The double as a program with the AWS SDK meets it. */
export interface Scene {
  readonly double: S3Double
  readonly client: S3Client
  readonly endpointUrl: string
  put(
    key: string,
    body: string | Buffer | Readable,
    more?: Partial<Omit<PutObjectCommandInput, 'Body'>>,
  ): Promise<string>
  get(key: string, more?: Partial<GetObjectCommandInput>): Promise<string>
  remove(key: string): Promise<string>
  list(more?: Omit<ListObjectsV2CommandInput, 'Bucket'>): Promise<readonly string[]>
}

const closing: (() => Promise<void>)[] = []

after(async () => {
  for (const close of closing) await close()
})

export async function scene(options: S3DoubleOptions = {}, region = 'eu-west-1'): Promise<Scene> {
  const double = new S3Double(options)
  double.createBucket(BUCKET)
  const { endpointUrl } = await double.listen()
  const client = new S3Client({
    endpoint: endpointUrl,
    region,
    credentials: { accessKeyId: 'anybody', secretAccessKey: 'anything' },
    maxAttempts: 1,
    logger: { debug() {}, info() {}, warn() {}, error() {} },
  })
  closing.push(async () => {
    client.destroy()
    await double.close()
  })
  const Bucket = BUCKET
  return {
    double,
    client,
    endpointUrl,
    put: (Key, Body, more) =>
      outcome(client.send(new PutObjectCommand({ Bucket, Key, Body, ...more })).then(() => 'ok')),
    get: (Key, more) =>
      outcome(
        client
          .send(new GetObjectCommand({ Bucket, Key, ...more }))
          .then(async ({ Body }) => (await Body?.transformToString()) ?? ''),
      ),
    remove: (Key) => outcome(client.send(new DeleteObjectCommand({ Bucket, Key })).then(() => 'ok')),
    list: async (more) => {
      const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket, ...more }))
      return Contents.map(({ Key = '' }) => Key)
    },
  }
}

/** What came back, or `!` and the code or HTTP status of the refusal. */
async function outcome(answer: Promise<string>): Promise<string> {
  try {
    return await answer
  } catch (error) {
    const { name, code, $metadata } = error as {
      name: string
      code?: string
      $metadata?: { httpStatusCode?: number }
    }
    return `!${code ?? (name === 'Unknown' ? $metadata?.httpStatusCode : name)}`
  }
}
