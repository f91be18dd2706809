import { HeadObjectCommand } from '@aws-sdk/client-s3'
import { limits } from './allowance.ts'
import { malformed, statusOf } from './error.ts'
import type { Requests } from './requests.ts'

/** Under which an object keeps the nonce of whoever created it. */
export const NONCE = 'sluice-nonce'

export interface ObjectHead {
  readonly etag: string
  readonly bytes: number
  readonly modifiedMs: number
  /** Empty when the object was not created by us. */
  readonly nonce: string
}

/** What is known of an object without reading it; undefined when there is none. */
export function headObject(
  { client, attempts, bucket }: Requests,
  key: string,
): Promise<ObjectHead | undefined> {
  return attempts.run('HeadObject', key, 0, async (allowance, call) => {
    const command = new HeadObjectCommand({ Bucket: bucket, Key: key })
    try {
      const answer = await client.send(command, limits(allowance))
      const { ETag: etag, ContentLength: bytes = 0, LastModified, Metadata } = answer
      if (etag === undefined) throw malformed(call, 'an object without an ETag')
      return { etag, bytes, modifiedMs: LastModified?.getTime() ?? 0, nonce: Metadata?.[NONCE] ?? '' }
    } catch (error) {
      if (statusOf(error) === 404) return undefined
      throw error
    }
  })
}
