interface Refusal {
  readonly status: number
  readonly message: string
}

/** Codes that S3 answers with, their HTTP status and its words. */
export const S3_ERRORS = {
  AccessDenied: { status: 403, message: 'Access Denied' },
  AuthorizationHeaderMalformed: { status: 400, message: 'The authorization header is malformed.' },
  BadDigest: { status: 400, message: 'The digest you specified did not match what we received.' },
  ConditionalRequestConflict: {
    status: 409,
    message: 'The conditional request cannot succeed due to a conflicting operation against this resource.',
  },
  EntityTooSmall: {
    status: 400,
    message: 'Your proposed upload is smaller than the minimum allowed size',
  },
  ExpiredToken: { status: 400, message: 'The provided token has expired.' },
  IncompleteBody: {
    status: 400,
    message: 'You did not provide the number of bytes specified by the Content-Length HTTP header',
  },
  InternalError: { status: 500, message: 'We encountered an internal error. Please try again.' },
  InvalidAccessKeyId: {
    status: 403,
    message: 'The AWS Access Key Id you provided does not exist in our records.',
  },
  InvalidArgument: { status: 400, message: 'Invalid Argument' },
  InvalidPart: {
    status: 400,
    message: 'One or more of the specified parts could not be found.',
  },
  InvalidPartOrder: {
    status: 400,
    message: 'The list of parts was not in ascending order.',
  },
  InvalidRange: { status: 416, message: 'The requested range is not satisfiable' },
  InvalidURI: { status: 400, message: "Couldn't parse the specified URI." },
  KeyTooLongError: { status: 400, message: 'Your key is too long' },
  MalformedXML: {
    status: 400,
    message: 'The XML you provided was not well-formed or did not validate against our published schema',
  },
  NoSuchBucket: { status: 404, message: 'The specified bucket does not exist' },
  NoSuchKey: { status: 404, message: 'The specified key does not exist.' },
  NoSuchUpload: { status: 404, message: 'The specified multipart upload does not exist.' },
  NotImplemented: {
    status: 501,
    message: 'A header you provided implies functionality that is not implemented',
  },
  NotModified: { status: 304, message: 'Not Modified' },
  PermanentRedirect: {
    status: 301,
    message:
      'The bucket you are attempting to access must be addressed using the specified endpoint. ' +
      'Please send all future requests to this endpoint.',
  },
  PreconditionFailed: {
    status: 412,
    message: 'At least one of the pre-conditions you specified did not hold',
  },
  RequestTimeTooSkewed: {
    status: 403,
    message: 'The difference between the request time and the current time is too large.',
  },
  RequestTimeout: {
    status: 400,
    message:
      'Your socket connection to the server was not read from or written to within the timeout period. ' +
      'Idle connections will be closed.',
  },
  ServiceUnavailable: { status: 503, message: 'Service is unable to handle request.' },
  SignatureDoesNotMatch: {
    status: 403,
    message:
      'The request signature we calculated does not match the signature you provided. ' +
      'Check your key and signing method.',
  },
  SlowDown: { status: 503, message: 'Please reduce your request rate.' },
  XAmzContentSHA256Mismatch: {
    status: 400,
    message: "The provided 'x-amz-content-sha256' header does not match what was computed.",
  },
} as const satisfies Readonly<Record<string, Refusal>>

export type S3ErrorCode = keyof typeof S3_ERRORS

export interface RefusalDetails {
  /** Default: the service's words for that code. */
  readonly message?: string | undefined
  /** Default: the service's status for that code. */
  readonly status?: number | undefined
  readonly headers?: Readonly<Record<string, string>>
  /** More elements of the error document, such as `Region`. */
  readonly fields?: Readonly<Record<string, string>>
}

/**
 * A refusal of the modelled service.
 *
 * Not a `SluiceError`: it stands for what a remote service says, and code under test has to translate it.
 */
export class S3ServiceError extends Error {
  override readonly name: S3ErrorCode
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly fields: Readonly<Record<string, string>>

  constructor(code: S3ErrorCode, details: RefusalDetails = {}) {
    super(details.message ?? S3_ERRORS[code].message)
    this.name = code
    this.status = details.status ?? S3_ERRORS[code].status
    this.headers = details.headers ?? {}
    this.fields = details.fields ?? {}
  }
}

export function refuse(code: S3ErrorCode, details: RefusalDetails = {}): never {
  throw new S3ServiceError(code, details)
}
