import type { CallSubject } from './fault.ts'
import type { ServiceErrorCode } from './service-error.ts'

/** Where the double pretends to be. */
export interface Place {
  readonly account: string
  readonly region: string
}

/** The service's usual words for a code that was injected without any. */
export function refusalText(code: ServiceErrorCode, subject: CallSubject, place: Place): string {
  const stream = subject.stream ?? 'unknown'
  const shard = subject.shardId ?? 'shardId-000000000000'
  const arn = `arn:aws:kinesis:${place.region}:${place.account}:stream/${stream}`
  const user = `arn:aws:iam::${place.account}:user/reader`
  const key = `arn:aws:kms:${place.region}:${place.account}:key/00000000-0000-4000-8000-000000000000`
  const words: Partial<Record<ServiceErrorCode, string>> = {
    AccessDeniedException:
      `User: ${user} is not authorized to perform: kinesis:${subject.operation} on resource: ${arn} ` +
      `because no identity-based policy allows the kinesis:${subject.operation} action`,
    ExpiredIteratorException: 'Iterator expired.',
    ExpiredNextTokenException: 'NextToken has expired; it is valid for 300 seconds.',
    ExpiredTokenException: 'The security token included in the request is expired',
    InternalFailure: 'Internal service failure.',
    InvalidArgumentException: 'Invalid ShardIterator.',
    InvalidSignatureException:
      'The request signature we calculated does not match the signature you provided. ' +
      'Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
    KMSAccessDeniedException:
      `User: ${user} is not authorized to perform: kms:Decrypt on resource: ${key} ` +
      'because no identity-based policy allows the kms:Decrypt action',
    KMSDisabledException: `${key} is disabled.`,
    KMSInvalidStateException: `${key} is pending deletion.`,
    KMSNotFoundException: `Key '${key}' does not exist`,
    KMSOptInRequired: `The AWS Access Key Id needs a subscription for the service (${key})`,
    KMSThrottlingException: 'Rate exceeded (AWS KMS)',
    LimitExceededException: `Rate exceeded for stream ${stream} under account ${place.account}.`,
    ProvisionedThroughputExceededException: `Rate exceeded for shard ${shard} in stream ${stream} under account ${place.account}.`,
    RequestExpired: 'Request has expired.',
    ResourceInUseException: `Stream ${stream} under account ${place.account} not ACTIVE, instead in state UPDATING`,
    ResourceNotFoundException: `Shard ${shard} in stream ${stream} under account ${place.account} does not exist`,
    ServiceUnavailable: 'Service is unable to handle request.',
    UnrecognizedClientException: 'The security token included in the request is invalid.',
  }
  return words[code] ?? code
}
