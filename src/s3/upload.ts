import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { hit } from '../failpoints.ts'
import { limits } from './allowance.ts'
import { contentOfBytes, type LocalFile } from './content.ts'
import { malformed, statusOf } from './error.ts'
import { headObject, NONCE } from './head.ts'
import type { Requests } from './requests.ts'

/** Of a part, and the most that is put in one piece; S3 wants 5 MiB at least in all parts but the last. */
export const PART_BYTES = 8 * 1024 ** 2
const PARTS_MAX = 10_000
/** Parts of one file on their way at a time: each is in memory until it is there. */
const AT_ONCE = 4

interface Part {
  readonly PartNumber: number
  readonly ETag: string
  readonly ChecksumCRC32: string
}

/**
 * Puts a file in parts, under a key that nobody else writes; the object is there once all of them are. When that
 * fails the parts are removed, for they cost as much as an object and no listing shows them.
 *
 * @param nonce by which the object is known again when the last answer is lost
 */
export async function uploadInParts(
  requests: Requests,
  key: string,
  file: LocalFile,
  nonce: string,
): Promise<void> {
  const id = await begin(requests, key, nonce)
  try {
    await complete(requests, key, id, await sendParts(requests, key, id, file), nonce)
  } catch (error) {
    // The failure of the upload says more than that of the clean-up, which is made up for by the next start.
    await abortUpload(requests, key, id).catch(() => undefined)
    throw error
  }
}

/** Removes the parts of an upload; one that is over is no error. */
export function abortUpload({ client, attempts, bucket }: Requests, key: string, id: string): Promise<void> {
  return attempts.run('AbortMultipartUpload', key, 0, async (allowance) => {
    const command = new AbortMultipartUploadCommand({ Bucket: bucket, Key: key, UploadId: id })
    await client.send(command, limits(allowance)).catch((error: unknown) => {
      if (statusOf(error) !== 404) throw error
    })
    hit('upload.aborted')
  })
}

/** Uploads that were neither finished nor aborted, under keys that begin so. */
export async function* unfinishedUploads(
  { client, attempts, bucket }: Requests,
  prefix: string,
): AsyncGenerator<{ readonly key: string; readonly id: string }> {
  let after: { readonly KeyMarker: string; readonly UploadIdMarker: string } | undefined
  do {
    const page = await attempts.run('ListMultipartUploads', prefix, 0, async (allowance, call) => {
      const command = new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix, ...after })
      const answer = await client.send(command, limits(allowance))
      if (answer.IsTruncated === undefined) throw malformed(call, 'no listing')
      return answer
    })
    for (const { Key: key = '', UploadId: id = '' } of page.Uploads ?? []) yield { key, id }
    const { IsTruncated, NextKeyMarker: KeyMarker = '', NextUploadIdMarker: UploadIdMarker = '' } = page
    after = IsTruncated ? { KeyMarker, UploadIdMarker } : undefined
  } while (after)
}

function begin({ client, attempts, bucket }: Requests, key: string, nonce: string): Promise<string> {
  return attempts.run('CreateMultipartUpload', key, 0, async (allowance, call) => {
    const command = new CreateMultipartUploadCommand({
      Bucket: bucket,
      Key: key,
      ChecksumAlgorithm: 'CRC32',
      Metadata: { [NONCE]: nonce },
    })
    hit('upload.beginning')
    const { UploadId } = await client.send(command, limits(allowance))
    hit('upload.begun')
    if (UploadId === undefined) throw malformed(call, 'an upload without an id')
    return UploadId
  })
}

async function sendParts(
  { client, attempts, bucket }: Requests,
  key: string,
  id: string,
  file: LocalFile,
): Promise<readonly Part[]> {
  const size = Math.max(PART_BYTES, Math.ceil(file.bytes / PARTS_MAX))
  const parts: Part[] = []
  const starts = Array.from({ length: Math.ceil(file.bytes / size) }, (_, index) => index * size)
  let next = 0
  let isFailed = false
  const work = async () => {
    while (next < starts.length && !isFailed) {
      const index = next++
      const start = index * size
      const { open, bytes, crc32 } = contentOfBytes(
        await file.read(start, Math.min(size, file.bytes - start)),
      )
      parts[index] = await attempts.run('UploadPart', key, bytes, async (allowance, call) => {
        const command = new UploadPartCommand({
          Bucket: bucket,
          Key: key,
          UploadId: id,
          PartNumber: index + 1,
          Body: open() as Uint8Array,
          ContentLength: bytes,
          ChecksumCRC32: crc32,
        })
        hit('upload.part-sending')
        const { ETag } = await client.send(command, limits(allowance))
        hit('upload.part-sent')
        if (ETag === undefined) throw malformed(call, 'a part without an ETag')
        return { PartNumber: index + 1, ETag, ChecksumCRC32: crc32 }
      })
    }
  }
  const failure = (error: unknown) => {
    isFailed = true
    throw error
  }
  // All of them are at rest before anything is aborted: a part that comes after that would stay.
  const ends = await Promise.allSettled(Array.from({ length: AT_ONCE }, () => work().catch(failure)))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
  return parts
}

function complete(
  requests: Requests,
  key: string,
  id: string,
  parts: readonly Part[],
  nonce: string,
): Promise<void> {
  const { client, attempts, bucket } = requests
  return attempts.run('CompleteMultipartUpload', key, 0, async (allowance, call) => {
    const command = new CompleteMultipartUploadCommand({
      Bucket: bucket,
      Key: key,
      UploadId: id,
      MultipartUpload: { Parts: [...parts] },
    })
    try {
      hit('upload.completing')
      const { ETag } = await client.send(command, limits(allowance))
      hit('upload.completed')
      if (ETag === undefined) throw malformed(call, 'a success without an ETag')
    } catch (error) {
      if (statusOf(error) !== 404) throw error
      // The upload is over: by an attempt of ours of which the answer was lost, or by whoever aborted it.
      const head = await headObject(requests, key)
      if (head?.nonce !== nonce) throw error
    }
  })
}
