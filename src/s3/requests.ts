import type { S3Client } from '@aws-sdk/client-s3'
import type { S3Attempts } from './attempts.ts'

/** By what requests of one bucket are made. */
export interface Requests {
  readonly client: S3Client
  readonly attempts: S3Attempts
  readonly bucket: string
}
