import { type AwsOptions, checkEndpoint } from '../aws.ts'
import { SluiceError } from '../errors.ts'
import { type GivenOptions, type OptionsOf, type OptionTable, parseOptions } from '../options.ts'

const OPTIONS = {
  region: {
    kind: 'text',
    doc: 'region of the bucket; else AWS_REGION, else the profile. The endpoint never decides it',
  },
  endpointUrl: {
    kind: 'text',
    doc: 'where to send requests, for VPC endpoints and other stores than AWS; else AWS_ENDPOINT_URL_S3',
  },
  pathStyle: {
    kind: 'boolean',
    doc: 'true puts the bucket into the path instead of the host name, as most other stores than AWS need it',
    default: 'false',
  },
  awsProfile: {
    kind: 'text',
    doc: 'profile of the shared AWS files; else AWS_PROFILE',
    aliases: ['profile'],
  },
  awsAccessKeyId: {
    kind: 'text',
    doc: 'static credentials; needs awsSecretKey',
    aliases: ['accessKeyId'],
  },
  awsSecretKey: {
    kind: 'secret',
    doc: 'static credentials; needs awsAccessKeyId',
    aliases: ['secretAccessKey'],
  },
  sessionToken: { kind: 'secret', doc: 'of temporary static credentials' },
  roleArn: {
    kind: 'text',
    doc: 'role to assume with the credentials above, renewed before they expire',
  },
  connectTimeout: { kind: 'duration', doc: 'for opening a connection', default: '5s', min: 1 },
  requestTimeout: {
    kind: 'duration',
    doc: 'for one request, and for any silence within it; a big file has 8 s more for each MiB',
    default: '20s',
    min: 1,
  },
  maxRetryTime: {
    kind: 'duration',
    doc: 'how long one operation is tried again before the query stops; 10s at most until the store has answered once',
    default: '2m',
  },
} as const satisfies OptionTable

type Name = keyof typeof OPTIONS
type Prefixed<P extends string> = { readonly [K in Name as `${P}${K}`]: (typeof OPTIONS)[K] }

/** The options by which something reaches a bucket, each name after the given prefix: `checkpoint.s3.region`. */
export function s3Options<const P extends string>(prefix: P): Prefixed<P> {
  const rows = Object.entries<OptionTable[string]>(OPTIONS).map(([name, spec]) => {
    const aliases = spec.aliases?.map((alias) => prefix + alias)
    return [prefix + name, aliases === undefined ? spec : { ...spec, aliases }] as const
  })
  return Object.fromEntries(rows) as unknown as Prefixed<P>
}

export interface S3Settings {
  readonly aws: AwsOptions & { readonly pathStyle: boolean }
  /** Of one attempt, without what its bytes add. */
  readonly requestTimeoutMs: number
  /** Of all attempts at one operation together. */
  readonly maxRetryTimeMs: number
  /** Before the names of the options, for messages. */
  readonly optionPrefix: string
}

/** Requests come one after another, but for a heartbeat, a purge and the parts of a big file. */
const SOCKETS = 16

/**
 * @param given options of `s3Options(prefix)` alone
 * @throws OPTION_UNKNOWN, OPTION_INVALID, OPTION_MISSING, OPTION_TWICE
 */
export function parseS3Options(owner: string, prefix: string, given: GivenOptions): S3Settings {
  const table = s3Options(prefix)
  const parsed: Readonly<Record<string, unknown>> = parseOptions(owner, table, given)
  const named = Object.keys(OPTIONS).map((name) => [name, parsed[prefix + name]])
  const options = Object.fromEntries(named) as OptionsOf<typeof OPTIONS>
  const needs = (one: Name, other: Name) => {
    if (options[one] === undefined || options[other] !== undefined) return
    const doc = `${OPTIONS[other].doc}; ${prefix}${one} is given`
    throw new SluiceError('OPTION_MISSING', { owner, option: prefix + other, doc })
  }
  needs('awsAccessKeyId', 'awsSecretKey')
  needs('awsSecretKey', 'awsAccessKeyId')
  needs('sessionToken', 'awsSecretKey')
  const { awsProfile: profile, endpointUrl, requestTimeout: requestTimeoutMs } = options
  if (profile !== undefined && options.awsAccessKeyId !== undefined) {
    const expected = 'awsProfile or awsAccessKeyId, not both'
    throw new SluiceError('OPTION_INVALID', {
      owner,
      option: `${prefix}awsProfile`,
      value: profile,
      expected,
    })
  }
  if (endpointUrl !== undefined) checkEndpoint(owner, `${prefix}endpointUrl`, endpointUrl)
  return {
    aws: {
      region: options.region,
      endpointUrl,
      pathStyle: options.pathStyle,
      profile,
      accessKeyId: options.awsAccessKeyId,
      secretAccessKey: options.awsSecretKey,
      sessionToken: options.sessionToken,
      roleArn: options.roleArn,
      connectTimeoutMs: options.connectTimeout,
      requestTimeoutMs,
      maxSockets: SOCKETS,
    },
    requestTimeoutMs,
    maxRetryTimeMs: options.maxRetryTime,
    optionPrefix: prefix,
  }
}
