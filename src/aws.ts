import { KinesisClient, type KinesisClientConfig } from '@aws-sdk/client-kinesis'
import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3'
import {
  fromInstanceMetadata,
  fromNodeProviderChain,
  fromTemporaryCredentials,
  fromTokenFile,
} from '@aws-sdk/credential-providers'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { awsError } from './aws-error.ts'
import { SluiceError } from './errors.ts'

/** How to reach AWS and as whom. Everything absent comes from the environment and the shared AWS files. */
export interface AwsOptions {
  /** The signing region. An endpoint never decides it. */
  readonly region?: string | undefined
  /** For VPC endpoints and local stand-ins. */
  readonly endpointUrl?: string | undefined
  readonly profile?: string | undefined
  readonly accessKeyId?: string | undefined
  readonly secretAccessKey?: string | undefined
  readonly sessionToken?: string | undefined
  /** Assumed with the credentials that the other options give, or with the token of `webIdentityTokenFile`. */
  readonly roleArn?: string | undefined
  readonly roleSessionName?: string | undefined
  readonly roleExternalId?: string | undefined
  readonly stsEndpointUrl?: string | undefined
  readonly webIdentityTokenFile?: string | undefined
  /** Ask the instance metadata service alone, instead of the default chain. */
  readonly instanceProfile?: boolean | undefined
  /** `disabled` keeps to `kinesis.<region>`, the name that allow-lists and private zones know. */
  readonly accountIdEndpointMode?: 'disabled' | 'preferred' | 'required' | undefined
  readonly connectTimeoutMs: number
  /** Of a whole request, and of a silence in the middle of an answer. */
  readonly requestTimeoutMs: number
  readonly maxSockets: number
}

export interface KinesisConnection {
  readonly client: KinesisClient
  readonly options: Pick<AwsOptions, 'connectTimeoutMs' | 'requestTimeoutMs'>
  /** Option, then environment, then profile. @throws AWS_REGION_MISSING */
  region(): Promise<string>
  /** For messages: `profile prod`. */
  readonly credentials: string
  /** Asks the provider again; for credentials that were revoked or rotated before their time. */
  refreshCredentials(): Promise<void>
}

type Provider = ReturnType<typeof fromNodeProviderChain>

/**
 * A Kinesis client that speaks HTTP/1.1 with keep-alive, has timeouts, and never retries: whoever polls paces and
 * retries by itself, and the SDK's own sub-second retries would eat the five reads a shard allows in a second.
 *
 * @param owner for messages: `source kinesis`
 * @throws AWS_REGION_MISSING and AWS_CREDENTIALS_MISSING at the first request
 */
export function connectKinesis(owner: string, options: AwsOptions): KinesisConnection {
  const requestHandler = httpHandler(options)
  const config: KinesisClientConfig = {
    requestHandler,
    maxAttempts: 1,
    accountIdEndpointMode: options.accountIdEndpointMode ?? 'disabled',
    credentials: credentialsOf(options),
    ...(options.region === undefined ? {} : { region: options.region }),
    ...(options.endpointUrl === undefined ? {} : { endpoint: options.endpointUrl }),
    ...(options.profile === undefined ? {} : { profile: options.profile }),
  }
  const client = withoutVersionWarning(() => new KinesisClient(config))
  return {
    client,
    options,
    credentials: credentialsName(options),
    region: () =>
      client.config.region().catch((cause: unknown) => {
        throw new SluiceError('AWS_REGION_MISSING', { owner }, { cause })
      }),
    refreshCredentials: async () => {
      await (client.config.credentials as (how: { forceRefresh: boolean }) => Promise<unknown>)({
        forceRefresh: true,
      })
    },
  }
}

export interface S3Connection {
  readonly client: S3Client
  /** Option, then environment, then profile. @throws AWS_REGION_MISSING */
  region(): Promise<string>
  /** For messages: `profile prod`. */
  readonly credentials: string
  /** Asks the provider again; for credentials that were revoked or rotated before their time. */
  refreshCredentials(): Promise<void>
}

/**
 * An S3 client with keep-alive and timeouts that never retries: after a lost answer only the caller can tell its own
 * write from that of somebody else.
 *
 * @param owner for messages: `the checkpoint s3://bucket/clicks`
 * @param options `pathStyle` puts the bucket into the path instead of the host name
 * @throws AWS_REGION_MISSING and AWS_CREDENTIALS_MISSING at the first request
 */
export async function connectS3(
  owner: string,
  options: AwsOptions & { readonly pathStyle: boolean },
): Promise<S3Connection> {
  // Loaded on demand: it doubles the time that a program takes to start, and few need it.
  const s3 = await import('@aws-sdk/client-s3')
  const config: S3ClientConfig = {
    requestHandler: httpHandler(options),
    maxAttempts: 1,
    credentials: credentialsOf(options),
    forcePathStyle: options.pathStyle,
    // With it the SDK opens a connection per write, and waits for seconds where a proxy swallows the 100.
    expectContinueHeader: false,
    logger: quiet,
    ...(options.region === undefined ? {} : { region: options.region }),
    ...(options.endpointUrl === undefined ? {} : { endpoint: options.endpointUrl }),
    ...(options.profile === undefined ? {} : { profile: options.profile }),
  }
  const client = withoutVersionWarning(() => new s3.S3Client(config))
  return {
    client,
    credentials: credentialsName(options),
    region: () =>
      client.config.region().catch((cause: unknown) => {
        throw new SluiceError('AWS_REGION_MISSING', { owner }, { cause })
      }),
    refreshCredentials: async () => {
      await (client.config.credentials as (how: { forceRefresh: boolean }) => Promise<unknown>)({
        forceRefresh: true,
      })
    },
  }
}

export interface StreamArn {
  readonly arn: string
  readonly region: string
  readonly account: string
  readonly name: string
}

const STREAM_ARN = /^arn:aws[a-z-]*:kinesis:([a-z0-9-]+):(\d{12}):stream\/([a-zA-Z0-9_.-]{1,128})$/

/** @throws AWS_ARN_INVALID */
export function parseStreamArn(arn: string): StreamArn {
  const [, region, account, name] = STREAM_ARN.exec(arn) ?? []
  if (region === undefined || account === undefined || name === undefined) {
    const expected = 'arn:aws:kinesis:eu-west-1:123456789012:stream/clicks'
    throw new SluiceError('AWS_ARN_INVALID', { arn: arn.slice(0, 200), kind: 'a Kinesis stream', expected })
  }
  return { arn, region, account, name }
}

/**
 * Refuses what would send signed requests to the wrong place: other protocols, user names in the URL, and the
 * link-local addresses where instance metadata lives.
 *
 * @throws OPTION_INVALID
 */
export function checkEndpoint(owner: string, option: string, url: string): void {
  const refuse = (expected: string): never => {
    throw new SluiceError('OPTION_INVALID', {
      owner,
      option,
      value: url.replace(/\/\/[^/]*@/, '//***@').slice(0, 200),
      expected,
    })
  }
  const parsed = URL.canParse(url)
    ? new URL(url)
    : refuse('a URL such as https://kinesis.eu-west-1.amazonaws.com')
  if (!/^https?:$/.test(parsed.protocol)) refuse('an http:// or https:// URL')
  if (parsed.username !== '' || parsed.password !== '') refuse('a URL without user name and password')
  if (/^169\.254\.|^\[fe80:/i.test(parsed.hostname)) refuse('an address that is not link-local')
}

/** Credentials by the first of: static keys, web identity, instance profile, profile, default chain; then the role. */
function credentialsOf(options: AwsOptions): Provider {
  const base = baseCredentials(options)
  if (options.roleArn === undefined || options.webIdentityTokenFile !== undefined) return base
  const roleArn = options.roleArn
  const assume = fromTemporaryCredentials({
    masterCredentials: base,
    clientConfig: stsConfig(options),
    params: {
      RoleArn: roleArn,
      RoleSessionName: options.roleSessionName ?? DEFAULT_SESSION,
      ...(options.roleExternalId === undefined ? {} : { ExternalId: options.roleExternalId }),
    },
  })
  return (how) => assume(how).catch(stsFailed(options, 'AssumeRole', roleArn))
}

function baseCredentials(options: AwsOptions): Provider {
  const { accessKeyId, secretAccessKey, sessionToken, webIdentityTokenFile, roleArn } = options
  if (accessKeyId !== undefined && secretAccessKey !== undefined) {
    const keys = { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) }
    return () => Promise.resolve(keys)
  }
  if (webIdentityTokenFile !== undefined && roleArn !== undefined) {
    const exchange = fromTokenFile({
      webIdentityTokenFile,
      roleArn,
      roleSessionName: options.roleSessionName ?? DEFAULT_SESSION,
      clientConfig: stsConfig(options),
    })
    return (how) => exchange(how).catch(stsFailed(options, 'AssumeRoleWithWebIdentity', roleArn))
  }
  if (options.instanceProfile) return fromInstanceMetadata({ timeout: 1000, maxRetries: 2 })
  return fromNodeProviderChain({
    logger: quiet,
    // Else the files are read once in the life of the process, and rotated keys are never seen.
    ignoreCache: true,
    clientConfig: stsConfig(options),
    ...(options.profile === undefined ? {} : { profile: options.profile }),
  })
}

const DEFAULT_SESSION = 'sluice'

/** The default chain warns on the console when it finds two sources; a library's user sees our errors instead. */
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

function stsConfig(options: AwsOptions): Record<string, unknown> {
  return {
    requestHandler: httpHandler({ ...options, maxSockets: 2 }),
    ...(options.region === undefined ? {} : { region: options.region }),
    ...(options.stsEndpointUrl === undefined ? {} : { endpoint: options.stsEndpointUrl }),
  }
}

function stsFailed(options: AwsOptions, operation: string, roleArn: string): (cause: unknown) => never {
  return (cause) => {
    throw awsError(
      {
        service: 'sts',
        operation,
        target: `role ${roleArn}`,
        host: options.stsEndpointUrl === undefined ? 'STS' : new URL(options.stsEndpointUrl).host,
        region: options.region ?? 'of the environment',
        action: `sts:${operation}`,
        resource: roleArn,
        credentials: credentialsName({ ...options, roleArn: undefined }),
      },
      cause,
    )
  }
}

function credentialsName(options: AwsOptions): string {
  if (options.webIdentityTokenFile !== undefined) return `web identity in ${options.webIdentityTokenFile}`
  if (options.roleArn !== undefined) return `role ${options.roleArn}`
  if (options.accessKeyId !== undefined) return 'the option awsAccessKeyId'
  if (options.instanceProfile) return 'instance profile'
  return options.profile === undefined ? 'default chain' : `profile ${options.profile}`
}

function httpHandler(options: AwsOptions): NodeHttpHandler {
  const agent = { keepAlive: true, maxSockets: options.maxSockets }
  return new NodeHttpHandler({
    connectionTimeout: options.connectTimeoutMs,
    requestTimeout: options.requestTimeoutMs,
    // Without this a timeout is only a line in the log, and the request waits for ever.
    throwOnRequestTimeout: true,
    // The request timeout ends with the headers; this one ends an answer that stalls half way.
    socketTimeout: options.requestTimeoutMs,
    httpAgent: agent,
    httpsAgent: agent,
    logger: quiet,
  })
}

const WARNING_SWITCH = 'AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'

/** The SDK announces the end of Node versions when its first client is made. Only that warning is silenced. */
function withoutVersionWarning<T>(make: () => T): T {
  const before = process.env[WARNING_SWITCH]
  process.env[WARNING_SWITCH] = 'true'
  try {
    return make()
  } finally {
    if (before === undefined) delete process.env[WARNING_SWITCH]
    else process.env[WARNING_SWITCH] = before
  }
}
