import { reasonOf, SluiceError } from './errors.ts'

/** One request to AWS, described for whoever has to read why it failed. */
export interface AwsCall {
  /** As in `com.amazonaws.<region>.<service>`, the name of an interface endpoint. */
  readonly service: string
  readonly operation: string
  /** `stream 'clicks', shard shardId-000000000000`, `role arn:…`. */
  readonly target: string
  readonly host: string
  readonly region: string
  /** `kinesis:GetRecords` */
  readonly action: string
  /** ARN or name, for the policy statement to add. */
  readonly resource: string
  /** Where the credentials came from: `profile prod`, `role arn:…`. Never the credentials. */
  readonly credentials: string
}

type AwsCode =
  | 'AWS_ACCESS_DENIED'
  | 'AWS_BAD_RESPONSE'
  | 'AWS_CREDENTIALS_MISSING'
  | 'AWS_CREDENTIALS_REJECTED'
  | 'AWS_KMS_DENIED'
  | 'AWS_KMS_UNAVAILABLE'
  | 'AWS_NOT_FOUND'
  | 'AWS_REQUEST_REFUSED'
  | 'AWS_THROTTLED'
  | 'AWS_TIMEOUT'
  | 'AWS_UNAVAILABLE'
  | 'AWS_UNREACHABLE'
  | 'KINESIS_ITERATOR_EXPIRED'
  | 'KINESIS_TOKEN_EXPIRED'

/** What the service's own codes mean for us; anything else is judged by its HTTP status. */
const MEANING: Readonly<Record<string, AwsCode>> = {
  AccessDenied: 'AWS_ACCESS_DENIED',
  AccessDeniedException: 'AWS_ACCESS_DENIED',
  ExpiredIteratorException: 'KINESIS_ITERATOR_EXPIRED',
  ExpiredNextTokenException: 'KINESIS_TOKEN_EXPIRED',
  ExpiredToken: 'AWS_CREDENTIALS_REJECTED',
  ExpiredTokenException: 'AWS_CREDENTIALS_REJECTED',
  IncompleteSignatureException: 'AWS_CREDENTIALS_REJECTED',
  InvalidClientTokenId: 'AWS_CREDENTIALS_REJECTED',
  InvalidSignatureException: 'AWS_CREDENTIALS_REJECTED',
  MissingAuthenticationTokenException: 'AWS_CREDENTIALS_REJECTED',
  RequestExpired: 'AWS_CREDENTIALS_REJECTED',
  RequestTimeTooSkewed: 'AWS_CREDENTIALS_REJECTED',
  SignatureDoesNotMatch: 'AWS_CREDENTIALS_REJECTED',
  UnrecognizedClientException: 'AWS_CREDENTIALS_REJECTED',
  InternalFailure: 'AWS_UNAVAILABLE',
  InternalFailureException: 'AWS_UNAVAILABLE',
  ServiceUnavailable: 'AWS_UNAVAILABLE',
  ServiceUnavailableException: 'AWS_UNAVAILABLE',
  KMSAccessDeniedException: 'AWS_KMS_DENIED',
  KMSNotFoundException: 'AWS_KMS_DENIED',
  KMSOptInRequired: 'AWS_KMS_DENIED',
  KMSDisabledException: 'AWS_KMS_UNAVAILABLE',
  KMSInvalidStateException: 'AWS_KMS_UNAVAILABLE',
  KMSThrottlingException: 'AWS_THROTTLED',
  LimitExceededException: 'AWS_THROTTLED',
  ProvisionedThroughputExceededException: 'AWS_THROTTLED',
  Throttling: 'AWS_THROTTLED',
  ThrottlingException: 'AWS_THROTTLED',
  RequestThrottled: 'AWS_THROTTLED',
  TooManyRequestsException: 'AWS_THROTTLED',
  ResourceNotFoundException: 'AWS_NOT_FOUND',
  // A stream that is being created or changed; goes away by itself.
  ResourceInUseException: 'AWS_UNAVAILABLE',
  // S3
  BadDigest: 'AWS_UNAVAILABLE',
  ConditionalRequestConflict: 'AWS_UNAVAILABLE',
  IncompleteBody: 'AWS_UNAVAILABLE',
  InternalError: 'AWS_UNAVAILABLE',
  InvalidAccessKeyId: 'AWS_CREDENTIALS_REJECTED',
  InvalidToken: 'AWS_CREDENTIALS_REJECTED',
  NoSuchBucket: 'AWS_NOT_FOUND',
  NoSuchKey: 'AWS_NOT_FOUND',
  NoSuchUpload: 'AWS_NOT_FOUND',
  NotImplemented: 'AWS_REQUEST_REFUSED',
  OperationAborted: 'AWS_UNAVAILABLE',
  RequestTimeout: 'AWS_TIMEOUT',
  SlowDown: 'AWS_THROTTLED',
  TokenRefreshRequired: 'AWS_CREDENTIALS_REJECTED',
}

const CONNECT_FAILED =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EAI_NODATA|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL)$/
const CONNECTION_LOST = /^(ECONNRESET|ECONNABORTED|EPIPE|ERR_SOCKET_CLOSED|UND_ERR_SOCKET)$/
const TLS_FAILED = /^(EPROTO|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_TLS|ERR_SSL)/

/** What the AWS SDK hangs on whatever it throws, service error or not. */
interface Thrown {
  readonly name?: string
  readonly code?: unknown
  readonly message?: string
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string }
  readonly $response?: { readonly statusCode?: number }
}

/**
 * Turns whatever an AWS client threw, from a refused connection to the page of a captive portal, into one of our
 * codes. Errors of ours pass unchanged, so a failing credential provider keeps its own words.
 */
export function awsError(call: AwsCall, thrown: unknown): SluiceError {
  if (thrown instanceof SluiceError) return thrown
  const error = (
    typeof thrown === 'object' && thrown !== null ? thrown : { message: String(thrown) }
  ) as Thrown
  const code = codeOf(error)
  const params = {
    where: whereOf(call, error.$metadata?.requestId),
    reason: reasonFor(error, thrown),
    action: call.action,
    resource: call.resource,
    service: `com.amazonaws.${call.region}.${call.service}`,
    source: call.credentials,
  }
  return new SluiceError(code, params, { cause: thrown })
}

/** `GetRecords on stream 'clicks' (host kinesis.eu-west-1.amazonaws.com, region eu-west-1, request 1f3e…)` */
export function whereOf(call: AwsCall, requestId?: string): string {
  const request = requestId === undefined ? '' : `, request ${requestId}`
  return `${call.operation} on ${call.target} (host ${call.host}, region ${call.region}${request})`
}

function codeOf(error: Thrown): AwsCode {
  const name = error.name ?? ''
  const system = typeof error.code === 'string' ? error.code : ''
  const status = error.$metadata?.httpStatusCode ?? error.$response?.statusCode
  const known = MEANING[name]
  if (known !== undefined) return known
  if (name === 'CredentialsProviderError' || name === 'ProviderError' || name === 'TokenProviderError') {
    return 'AWS_CREDENTIALS_MISSING'
  }
  if (CONNECT_FAILED.test(system) || TLS_FAILED.test(system)) return 'AWS_UNREACHABLE'
  if (CONNECTION_LOST.test(system)) return 'AWS_UNAVAILABLE'
  if (name === 'TimeoutError' || name === 'AbortError' || /^(ETIMEDOUT|ABORT_ERR)$/.test(system)) {
    return /connect/i.test(error.message ?? '') ? 'AWS_UNREACHABLE' : 'AWS_TIMEOUT'
  }
  // The body was no answer of the service: HTML, cut off, or not JSON at all.
  if (error instanceof SyntaxError || error instanceof TypeError || error instanceof RangeError) {
    return 'AWS_BAD_RESPONSE'
  }
  if (status === undefined) return 'AWS_BAD_RESPONSE'
  if (status >= 500) return 'AWS_UNAVAILABLE'
  if (status === 429) return 'AWS_THROTTLED'
  return status >= 400 ? 'AWS_REQUEST_REFUSED' : 'AWS_BAD_RESPONSE'
}

function reasonFor(error: Thrown, thrown: unknown): string {
  const status = error.$metadata?.httpStatusCode ?? error.$response?.statusCode
  const code = typeof error.code === 'string' ? error.code : error.name === 'Error' ? undefined : error.name
  // The SDK adds hints for programmers.
  const message = reasonOf(thrown)
    .replace(/ Deserialization error: to see the raw response.*$/, '')
    .replace(/^@smithy\/node-http-handler - \[ERROR\] /, '')
  const http = status === undefined ? '' : ` (HTTP ${status})`
  return `${code === undefined ? '' : `${code}: `}${message.slice(0, 300)}${http}`
}
