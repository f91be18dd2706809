import { KinesisServiceError, type ServiceErrorCode } from './service-error.ts'
import { parseAuthorization, type SignedRequest, signatureOf } from './signature.ts'

/** What requests have to be signed with; what is absent is not looked at. */
export interface Credentials {
  readonly accessKeyId?: string
  /** The region in the signature's scope, which need not be in the host's name. */
  readonly region?: string
  readonly sessionToken?: string
  /** With it every signature is verified over headers and body. */
  readonly secretAccessKey?: string
}

/** Who a request says it is from; `refusal` when the credentials do not satisfy. */
export interface Identity {
  readonly accessKeyId?: string | undefined
  readonly signedRegion?: string | undefined
  readonly refusal?: KinesisServiceError
}

/** Compares a request's signature with what is required, and refuses in the service's words. */
export function identify(request: SignedRequest, required: Credentials | undefined): Identity {
  const { authorization } = request.headers
  const scope = parseAuthorization(authorization ?? '')
  const identity = { accessKeyId: scope?.accessKeyId, signedRegion: scope?.region }
  if (!required) return identity
  const refused = (code: ServiceErrorCode, message: string): Identity => ({
    ...identity,
    refusal: new KinesisServiceError(code, message),
  })
  if (authorization === undefined) {
    return refused('MissingAuthenticationTokenException', 'Missing Authentication Token')
  }
  if (!scope)
    return refused('IncompleteSignatureException', 'Authorization header is not a complete AWS4 signature.')
  if (required.accessKeyId !== undefined && required.accessKeyId !== scope.accessKeyId) {
    return refused('UnrecognizedClientException', 'The security token included in the request is invalid.')
  }
  if (
    required.sessionToken !== undefined &&
    required.sessionToken !== request.headers['x-amz-security-token']
  ) {
    return refused('ExpiredTokenException', 'The security token included in the request is expired')
  }
  if (required.region !== undefined && required.region !== scope.region) {
    return refused(
      'InvalidSignatureException',
      `Credential should be scoped to a valid region, not '${scope.region}'. `,
    )
  }
  if (scope.service !== 'kinesis') {
    return refused('InvalidSignatureException', "Credential should be scoped to correct service: 'kinesis'. ")
  }
  const secret = required.secretAccessKey
  if (secret !== undefined && signatureOf(request, scope, secret) !== scope.signature) {
    return refused(
      'InvalidSignatureException',
      'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access ' +
        'Key and signing method. Consult the service documentation for details.',
    )
  }
  return identity
}
