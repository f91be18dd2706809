import { type AwsCall, awsError, whereOf } from '../aws-error.ts'
import { hasCode, reasonOf, SluiceError } from '../errors.ts'
import type { S3Location } from './location.ts'

export type S3OperationName =
  | 'PutObject'
  | 'HeadObject'
  | 'GetObject'
  | 'ListObjectsV2'
  | 'DeleteObject'
  | 'CreateMultipartUpload'
  | 'UploadPart'
  | 'CompleteMultipartUpload'
  | 'AbortMultipartUpload'
  | 'ListMultipartUploads'

/** One request, described for whoever has to read why it failed. */
export interface S3Call {
  readonly operation: S3OperationName
  /** Of a listing, its prefix. */
  readonly key: string
  /** On whose behalf: `the checkpoint s3://bucket/clicks`. */
  readonly owner: string
  /** Before the names of its options. */
  readonly optionPrefix: string
  readonly place: S3Location
  readonly host: string
  readonly region: string
  /** Where the credentials came from. */
  readonly credentials: string
}

/** What the SDK hangs on an error of the service. */
interface Thrown {
  readonly name?: string
  readonly Region?: unknown
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string }
  readonly $response?: {
    readonly statusCode?: number
    readonly headers?: Readonly<Record<string, string | undefined>>
  }
}

/** The HTTP status of a refusal, or undefined for what is none. */
export function statusOf(thrown: unknown): number | undefined {
  return viewOf(thrown).$metadata?.httpStatusCode
}

/** Whatever a request threw, as one of our codes. Those that another try may mend are `retriable`. */
export function s3Error(call: S3Call, thrown: unknown): SluiceError {
  const { owner, optionPrefix, place, host } = call
  if (hasCode(thrown, 'AWS_REGION_MISSING')) {
    const reason = 'neither options nor environment nor profile name one'
    const params = { owner, reason, option: `${optionPrefix}region`, region: 'eu-west-1' }
    return new SluiceError('S3_REGION', params, { cause: thrown })
  }
  if (thrown instanceof SluiceError) return thrown
  const { name, Region, $metadata, $response } = viewOf(thrown)
  const where = whereOf(awsCall(call), $metadata?.requestId)
  const found =
    $response?.headers?.['x-amz-bucket-region'] ?? (typeof Region === 'string' ? Region : undefined)
  const status = $metadata?.httpStatusCode
  if (isElsewhere(name, status) && (found !== undefined || status === 301)) {
    const reason = `${where}: ${name} (HTTP ${status})${found === undefined ? '' : `, the bucket lies in ${found}`}`
    const params = { owner, reason, option: `${optionPrefix}region`, region: found ?? 'eu-west-1' }
    return new SluiceError('S3_REGION', params, { cause: thrown })
  }
  if (name === 'NoSuchBucket') {
    return new SluiceError('S3_NO_BUCKET', { bucket: place.bucket, owner, where }, { cause: thrown })
  }
  // S3 gives its refusals a code (but to HEAD); without one, somebody else may have answered.
  if (name === 'Unknown' && status !== undefined && status < 500) {
    return malformed(call, `HTTP ${status} without an error code`, thrown)
  }
  const error = awsError(awsCall(call), thrown)
  if (hasCode(error, 'AWS_UNREACHABLE') && host.startsWith(`${place.bucket}.`) && !/amazonaws/.test(host)) {
    const reason = `${error.params.reason}; does this store need ${optionPrefix}pathStyle?`
    return new SluiceError('AWS_UNREACHABLE', { ...error.params, reason }, { cause: thrown })
  }
  return error
}

/** An answer that S3 does not give; another try may get a better one. */
export function malformed(call: S3Call, reason: string, cause?: unknown): SluiceError {
  const where = whereOf(awsCall(call), viewOf(cause).$metadata?.requestId)
  return new SluiceError('AWS_BAD_RESPONSE', { where, reason }, { cause })
}

/** The error of an operation that was tried for long enough. */
export function gaveUp(call: S3Call, seconds: number, last: SluiceError): SluiceError {
  const { params } = last as {
    readonly params: { readonly where?: string | number; readonly reason?: string | number }
  }
  const where = params.where ?? whereOf(awsCall(call))
  const reason = `${last.code}: ${params.reason ?? reasonOf(last)}`
  const option = `${call.optionPrefix}maxRetryTime`
  return new SluiceError('S3_UNAVAILABLE', { where, seconds, reason, option }, { cause: last })
}

function isElsewhere(name: string | undefined, status: number | undefined): boolean {
  return (
    status === 301 ||
    name === 'AuthorizationHeaderMalformed' ||
    name === 'IllegalLocationConstraintException' ||
    name === 'PermanentRedirect'
  )
}

const ACTIONS: Readonly<Record<S3OperationName, string>> = {
  PutObject: 's3:PutObject',
  // Without the second, S3 says AccessDenied where it would say that there is no such key.
  HeadObject: 's3:GetObject and s3:ListBucket',
  GetObject: 's3:GetObject and s3:ListBucket',
  ListObjectsV2: 's3:ListBucket',
  DeleteObject: 's3:DeleteObject',
  CreateMultipartUpload: 's3:PutObject',
  UploadPart: 's3:PutObject',
  CompleteMultipartUpload: 's3:PutObject',
  AbortMultipartUpload: 's3:AbortMultipartUpload',
  ListMultipartUploads: 's3:ListBucketMultipartUploads',
}

function awsCall({ operation, key, owner, place, host, region, credentials }: S3Call): AwsCall {
  const { bucket, prefix } = place
  const [theBucket, theObjects] = [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/${prefix}*`]
  const resources: Partial<Record<S3OperationName, string>> = {
    HeadObject: `${theObjects} and ${theBucket}`,
    GetObject: `${theObjects} and ${theBucket}`,
    ListObjectsV2: theBucket,
    ListMultipartUploads: theBucket,
  }
  return {
    service: 's3',
    operation,
    target: `s3://${bucket}/${key} of ${owner}`,
    host,
    region,
    action: ACTIONS[operation],
    resource: resources[operation] ?? theObjects,
    credentials,
  }
}

function viewOf(thrown: unknown): Thrown {
  return typeof thrown === 'object' && thrown !== null ? (thrown as Thrown) : {}
}
