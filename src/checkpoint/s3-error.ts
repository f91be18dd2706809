import { type AwsCall, awsError, whereOf } from '../aws-error.ts'
import { hasCode, reasonOf, SluiceError } from '../errors.ts'
import type { S3Location } from './s3-location.ts'

export type S3OperationName = 'PutObject' | 'HeadObject' | 'GetObject' | 'ListObjectsV2' | 'DeleteObject'

/** One request for the checkpoint, described for whoever has to read why it failed. */
export interface S3Call {
  readonly operation: S3OperationName
  /** Of a listing, its prefix. */
  readonly key: string
  /** As the user wrote it. */
  readonly location: string
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
  const { location, place, host } = call
  if (hasCode(thrown, 'AWS_REGION_MISSING')) {
    const reason = 'neither options nor environment nor profile name one'
    return new SluiceError(
      'CHECKPOINT_S3_REGION',
      { location, reason, region: 'eu-west-1' },
      { cause: thrown },
    )
  }
  if (thrown instanceof SluiceError) return thrown
  const { name, Region, $metadata, $response } = viewOf(thrown)
  const where = whereOf(awsCall(call), $metadata?.requestId)
  const found =
    $response?.headers?.['x-amz-bucket-region'] ?? (typeof Region === 'string' ? Region : undefined)
  const status = $metadata?.httpStatusCode
  if (isElsewhere(name, status) && (found !== undefined || status === 301)) {
    const reason = `${where}: ${name} (HTTP ${status})${found === undefined ? '' : `, the bucket lies in ${found}`}`
    const region = found ?? 'eu-west-1'
    return new SluiceError('CHECKPOINT_S3_REGION', { location, reason, region }, { cause: thrown })
  }
  if (name === 'NoSuchBucket') {
    const reason = `the bucket '${place.bucket}' does not exist: ${where}`
    return new SluiceError('CHECKPOINT_LOCATION', { location, reason }, { cause: thrown })
  }
  // S3 gives its refusals a code (but to HEAD); without one, somebody else may have answered.
  if (name === 'Unknown' && status !== undefined && status < 500) {
    return malformed(call, `HTTP ${status} without an error code`, thrown)
  }
  const error = awsError(awsCall(call), thrown)
  if (hasCode(error, 'AWS_UNREACHABLE') && host.startsWith(`${place.bucket}.`) && !/amazonaws/.test(host)) {
    const reason = `${error.params.reason}; does this store need checkpoint.s3.pathStyle?`
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
  return new SluiceError('CHECKPOINT_S3_UNAVAILABLE', { where, seconds, reason }, { cause: last })
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
}

function awsCall({ operation, key, location, place, host, region, credentials }: S3Call): AwsCall {
  const { bucket, prefix } = place
  const [theBucket, theObjects] = [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/${prefix}*`]
  const resources = {
    PutObject: theObjects,
    HeadObject: `${theObjects} and ${theBucket}`,
    GetObject: `${theObjects} and ${theBucket}`,
    ListObjectsV2: theBucket,
    DeleteObject: theObjects,
  }
  return {
    service: 's3',
    operation,
    target: `s3://${bucket}/${key} of the checkpoint ${location}`,
    host,
    region,
    action: ACTIONS[operation],
    resource: resources[operation],
    credentials,
  }
}

function viewOf(thrown: unknown): Thrown {
  return typeof thrown === 'object' && thrown !== null ? (thrown as Thrown) : {}
}
