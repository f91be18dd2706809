/** Codes that the service answers with, and their HTTP status. */
export const SERVICE_ERRORS = {
  AccessDeniedException: 400,
  ExpiredIteratorException: 400,
  ExpiredNextTokenException: 400,
  ExpiredTokenException: 400,
  IncompleteSignatureException: 400,
  InternalFailure: 500,
  InvalidArgumentException: 400,
  InvalidSignatureException: 400,
  KMSAccessDeniedException: 400,
  KMSDisabledException: 400,
  KMSInvalidStateException: 400,
  KMSNotFoundException: 400,
  KMSOptInRequired: 400,
  KMSThrottlingException: 400,
  LimitExceededException: 400,
  MissingAuthenticationTokenException: 400,
  ProvisionedThroughputExceededException: 400,
  RequestExpired: 400,
  ResourceInUseException: 400,
  ResourceNotFoundException: 400,
  SerializationException: 400,
  ServiceUnavailable: 503,
  UnknownOperationException: 400,
  UnrecognizedClientException: 400,
  ValidationException: 400,
} as const satisfies Readonly<Record<string, number>>

export type ServiceErrorCode = keyof typeof SERVICE_ERRORS

/**
 * A refusal of the modelled service: `name` is the code, as with the AWS SDK's own exceptions.
 *
 * Not a `SluiceError`: it stands for what a remote service says, and code under test has to translate it.
 */
export class KinesisServiceError extends Error {
  override readonly name: ServiceErrorCode
  readonly $fault: 'client' | 'server'
  readonly $metadata: { readonly httpStatusCode: number; readonly requestId?: string }

  constructor(code: ServiceErrorCode, message: string, requestId?: string) {
    super(message)
    this.name = code
    const status = SERVICE_ERRORS[code]
    this.$fault = status >= 500 ? 'server' : 'client'
    this.$metadata = { httpStatusCode: status, ...(requestId === undefined ? {} : { requestId }) }
  }
}

export function refuse(code: ServiceErrorCode, message: string): never {
  throw new KinesisServiceError(code, message)
}
