import { type AwsOptions, checkEndpoint } from '../aws.ts'
import { SluiceError } from '../errors.ts'
import { type GivenOptions, type OptionsOf, type OptionTable, parseOptions } from '../options.ts'

/** Options of a checkpoint on S3. What is absent comes from the environment and the shared AWS files. */
export const S3_OPTIONS = {
  'checkpoint.s3.region': {
    kind: 'text',
    doc: 'region of the bucket; else AWS_REGION, else the profile. The endpoint never decides it',
  },
  'checkpoint.s3.endpointUrl': {
    kind: 'text',
    doc: 'where to send requests, for VPC endpoints and other stores than AWS; else AWS_ENDPOINT_URL_S3',
  },
  'checkpoint.s3.pathStyle': {
    kind: 'boolean',
    doc: 'true puts the bucket into the path instead of the host name, as most other stores than AWS need it',
    default: 'false',
  },
  'checkpoint.s3.awsProfile': {
    kind: 'text',
    doc: 'profile of the shared AWS files; else AWS_PROFILE',
    aliases: ['checkpoint.s3.profile'],
  },
  'checkpoint.s3.awsAccessKeyId': {
    kind: 'text',
    doc: 'static credentials; needs awsSecretKey',
    aliases: ['checkpoint.s3.accessKeyId'],
  },
  'checkpoint.s3.awsSecretKey': {
    kind: 'secret',
    doc: 'static credentials; needs awsAccessKeyId',
    aliases: ['checkpoint.s3.secretAccessKey'],
  },
  'checkpoint.s3.sessionToken': { kind: 'secret', doc: 'of temporary static credentials' },
  'checkpoint.s3.roleArn': {
    kind: 'text',
    doc: 'role to assume with the credentials above, renewed before they expire',
  },
  'checkpoint.s3.connectTimeout': {
    kind: 'duration',
    doc: 'for opening a connection',
    default: '5s',
    min: 1,
  },
  'checkpoint.s3.requestTimeout': {
    kind: 'duration',
    doc: 'for one request, and for any silence within it; a big file has 8 s more for each MiB',
    default: '20s',
    min: 1,
  },
  'checkpoint.s3.maxRetryTime': {
    kind: 'duration',
    doc: 'how long one operation is tried again before the query stops; 10s at most until the store has answered once',
    default: '2m',
  },
} as const satisfies OptionTable

export interface S3Settings {
  readonly aws: AwsOptions & { readonly pathStyle: boolean }
  /** Of one attempt, without what its bytes add. */
  readonly requestTimeoutMs: number
  /** Of all attempts at one operation together. */
  readonly maxRetryTimeMs: number
}

type Parsed = OptionsOf<typeof S3_OPTIONS>

const OWNER = 'the checkpoint on S3'
/** A checkpoint makes one request after another; a heartbeat and a purge may come beside it. */
const SOCKETS = 16

/** @throws OPTION_UNKNOWN, OPTION_INVALID, OPTION_MISSING, OPTION_TWICE */
export function parseS3Options(given: GivenOptions): S3Settings {
  const options = parseOptions(OWNER, S3_OPTIONS, given)
  needs(options, 'checkpoint.s3.awsAccessKeyId', 'checkpoint.s3.awsSecretKey')
  needs(options, 'checkpoint.s3.awsSecretKey', 'checkpoint.s3.awsAccessKeyId')
  needs(options, 'checkpoint.s3.sessionToken', 'checkpoint.s3.awsSecretKey')
  const profile = options['checkpoint.s3.awsProfile']
  if (profile !== undefined && options['checkpoint.s3.awsAccessKeyId'] !== undefined) {
    const expected = 'awsProfile or awsAccessKeyId, not both'
    const option = 'checkpoint.s3.awsProfile'
    throw new SluiceError('OPTION_INVALID', { owner: OWNER, option, value: profile, expected })
  }
  const endpointUrl = options['checkpoint.s3.endpointUrl']
  if (endpointUrl !== undefined) checkEndpoint(OWNER, 'checkpoint.s3.endpointUrl', endpointUrl)
  const requestTimeoutMs = options['checkpoint.s3.requestTimeout']
  return {
    aws: {
      region: options['checkpoint.s3.region'],
      endpointUrl,
      pathStyle: options['checkpoint.s3.pathStyle'],
      profile,
      accessKeyId: options['checkpoint.s3.awsAccessKeyId'],
      secretAccessKey: options['checkpoint.s3.awsSecretKey'],
      sessionToken: options['checkpoint.s3.sessionToken'],
      roleArn: options['checkpoint.s3.roleArn'],
      connectTimeoutMs: options['checkpoint.s3.connectTimeout'],
      requestTimeoutMs,
      maxSockets: SOCKETS,
    },
    requestTimeoutMs,
    maxRetryTimeMs: options['checkpoint.s3.maxRetryTime'],
  }
}

function needs(options: Parsed, given: keyof Parsed, missing: keyof Parsed): void {
  if (options[given] === undefined || options[missing] !== undefined) return
  const doc = `${S3_OPTIONS[missing].doc}; ${given} is given`
  throw new SluiceError('OPTION_MISSING', { owner: OWNER, option: missing, doc })
}
