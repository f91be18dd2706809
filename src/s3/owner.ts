import type { SluiceError } from '../errors.ts'

/** On whose behalf requests are made. */
export interface S3Owner {
  /** For messages: `the checkpoint s3://bucket/clicks`. */
  readonly name: string
  /** What a failure of the disk of this machine is to it; errors with a code pass through. */
  localFailure(operation: 'read' | 'create' | 'remove', file: string, cause: unknown): SluiceError
}
