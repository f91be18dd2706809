import assert from 'node:assert/strict'
import { after } from 'node:test'
import { openStorage } from '../../src/checkpoint/open-storage.ts'
import type { Storage } from '../../src/checkpoint/storage.ts'
import { type ErrorCode, SluiceError } from '../../src/errors.ts'
import type { OptionValue } from '../../src/options.ts'
import { S3Double, type S3DoubleOptions } from '../../src/testing/s3/double.ts'
import type { S3Fault } from '../../src/testing/s3/fault.ts'
import { hastyClock } from '../support/hasty-clock.ts'

export const BUCKET = 'bucket'
export const LOCATION = `s3://${BUCKET}/checkpoints/a`
export const PREFIX = 'checkpoints/a/'

export interface S3Scene {
  readonly double: S3Double
  readonly endpointUrl: string
  /** A storage of its own on `LOCATION`, closed when the test file ends. */
  open(changed?: Readonly<Record<string, OptionValue>>, location?: string): Promise<Storage>
  /** As `open`, past the probe of its first write. */
  proven(changed?: Readonly<Record<string, OptionValue>>): Promise<Storage>
  /** Names in the checkpoint, as the store has them. */
  names(): readonly string[]
  /** How many requests of that kind were made for that name. */
  requests(operation: S3Fault['operation'], name: string): number
}

const closing: (() => Promise<void>)[] = []

after(async () => {
  for (const close of closing.reverse()) await close()
})

export async function s3Scene(options: S3DoubleOptions = {}): Promise<S3Scene> {
  const double = new S3Double(options)
  double.createBucket(BUCKET)
  const { endpointUrl } = await double.listen()
  closing.push(() => double.close())
  const scene: S3Scene = {
    double,
    endpointUrl,
    open: async (changed = {}, location = LOCATION) => {
      const given = {
        endpointUrl,
        region: 'eu-west-1',
        awsAccessKeyId: 'anybody',
        awsSecretKey: 'not-to-be-shown',
        maxRetryTime: '5s',
        ...changed,
      }
      const named = Object.entries(given).map(([name, value]) => [`checkpoint.s3.${name}`, value] as const)
      const storage = await openStorage(location, new Map(named), hastyClock)
      closing.push(() => storage.close())
      return storage
    },
    proven: async (changed) => {
      const storage = await scene.open(changed)
      await storage.create('sources/9/initial', new Uint8Array(1))
      await storage.remove('sources/9/initial')
      double.clearCalls()
      return storage
    },
    names: () => double.keys(BUCKET, PREFIX).map((key) => key.slice(PREFIX.length)),
    requests: (operation, name) =>
      double.calls.filter((call) => call.operation === operation && call.key === `${PREFIX}${name}`).length,
  }
  return scene
}

/** Holds an error against its code and the words that its message must and must not have. */
export function coded(code: ErrorCode, ...words: readonly (string | RegExp)[]): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof SluiceError, String(error))
    assert.equal(error.code, code, error.message)
    for (const word of words) {
      const isThere = typeof word === 'string' ? error.message.includes(word) : word.test(error.message)
      assert.ok(isThere, `${word} is not in: ${error.message}`)
    }
    assert.doesNotMatch(error.message, /not-to-be-shown/)
    return true
  }
}
