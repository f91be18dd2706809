import { type AwsOptions, checkEndpoint } from './aws.ts'
import { SluiceError } from './errors.ts'
import type { OptionsOf, OptionTable } from './options.ts'

/** How to reach AWS and as whom: the options that everything on AWS shares; aliases are those of the Spark connectors. */
export const AWS_OPTIONS = {
  region: {
    kind: 'text',
    doc: 'signing region; else AWS_REGION, else the profile. endpointUrl never decides it',
    aliases: ['regionName', 'kinesis.region', 'kinesis.kinesisRegion'],
  },
  endpointUrl: {
    kind: 'text',
    doc: 'where to send requests, for VPC endpoints and local stand-ins; independent of region',
    aliases: ['kinesis.endpointUrl'],
  },
  connectTimeout: { kind: 'duration', doc: 'for opening a connection', default: '5s', min: 1 },
  requestTimeout: {
    kind: 'duration',
    doc: 'for an answer to begin, and for any silence within it',
    default: '30s',
    min: 1,
  },
  awsAccessKeyId: {
    kind: 'text',
    doc: 'static credentials; needs awsSecretKey',
    aliases: ['kinesis.awsAccessKeyId', 'awsAccessKey'],
  },
  awsSecretKey: {
    kind: 'secret',
    doc: 'static credentials; needs awsAccessKeyId',
    aliases: ['kinesis.awsSecretKey', 'awsSecretAccessKey'],
  },
  sessionToken: {
    kind: 'secret',
    doc: 'of temporary static credentials',
    aliases: ['kinesis.sessionToken', 'awsSessionToken'],
  },
  awsProfile: { kind: 'text', doc: 'profile of the shared AWS files; else AWS_PROFILE' },
  awsUseInstanceProfile: {
    kind: 'boolean',
    doc: 'true asks the instance metadata alone; else the default chain, which ends there',
  },
  roleArn: {
    kind: 'text',
    doc: 'role to assume with the credentials above, renewed before they expire',
    aliases: ['awsSTSRoleARN', 'kinesis.stsRoleArn'],
  },
  roleSessionName: {
    kind: 'text',
    doc: "session name of the assumed role; 'sluice' by default",
    aliases: ['awsSTSSessionName', 'kinesis.stsSessionName'],
  },
  roleExternalId: { kind: 'text', doc: 'external id that the role asks for' },
  webIdentityTokenFile: { kind: 'text', doc: 'file with the token to exchange for roleArn' },
  stsEndpointUrl: { kind: 'text', doc: 'private endpoint of STS', aliases: ['kinesis.stsEndpointUrl'] },
  accountIdEndpointMode: {
    kind: 'text',
    doc: 'disabled keeps to kinesis.<region>, the host that allow-lists and private DNS know',
    default: 'disabled',
    oneOf: ['disabled', 'preferred', 'required'],
  },
} as const satisfies OptionTable

type Given = OptionsOf<typeof AWS_OPTIONS>

const NEEDS: readonly (readonly [keyof Given, keyof Given])[] = [
  ['awsAccessKeyId', 'awsSecretKey'],
  ['awsSecretKey', 'awsAccessKeyId'],
  ['sessionToken', 'awsSecretKey'],
  ['roleSessionName', 'roleArn'],
  ['roleExternalId', 'roleArn'],
  ['webIdentityTokenFile', 'roleArn'],
  ['stsEndpointUrl', 'roleArn'],
]

const EXCLUDES: readonly (readonly [keyof Given, keyof Given])[] = [
  ['webIdentityTokenFile', 'awsAccessKeyId'],
  ['webIdentityTokenFile', 'roleExternalId'],
  ['awsProfile', 'awsAccessKeyId'],
  ['awsUseInstanceProfile', 'awsAccessKeyId'],
  ['awsUseInstanceProfile', 'awsProfile'],
  ['awsUseInstanceProfile', 'webIdentityTokenFile'],
]

/**
 * The parsed options as what `aws.ts` takes.
 *
 * @param owner for messages: `sink kinesis`
 * @param region where the resource lies, if its ARN says so
 * @throws OPTION_MISSING, OPTION_INVALID for options that do not go together
 */
export function awsOptions(
  owner: string,
  given: Given,
  region = given.region,
): Omit<AwsOptions, 'maxSockets'> {
  for (const [one, other] of NEEDS) {
    if (!isOn(given, one) || given[other] !== undefined) continue
    const doc = `${AWS_OPTIONS[other].doc}; ${one} is given`
    throw new SluiceError('OPTION_MISSING', { owner, option: other, doc })
  }
  for (const [one, other] of EXCLUDES) {
    if (!isOn(given, one) || given[other] === undefined) continue
    const expected = `${one} or ${other}, not both`
    throw new SluiceError('OPTION_INVALID', { owner, option: one, value: String(given[one]), expected })
  }
  for (const option of ['endpointUrl', 'stsEndpointUrl'] as const) {
    const url = given[option]
    if (url !== undefined) checkEndpoint(owner, option, url)
  }
  return {
    region,
    endpointUrl: given.endpointUrl,
    profile: given.awsProfile,
    accessKeyId: given.awsAccessKeyId,
    secretAccessKey: given.awsSecretKey,
    sessionToken: given.sessionToken,
    roleArn: given.roleArn,
    roleSessionName: given.roleSessionName,
    roleExternalId: given.roleExternalId,
    stsEndpointUrl: given.stsEndpointUrl,
    webIdentityTokenFile: given.webIdentityTokenFile,
    instanceProfile: given.awsUseInstanceProfile,
    accountIdEndpointMode: given.accountIdEndpointMode as AwsOptions['accountIdEndpointMode'],
    connectTimeoutMs: given.connectTimeout,
    requestTimeoutMs: given.requestTimeout,
  }
}

function isOn(given: Given, option: keyof Given): boolean {
  return given[option] !== undefined && given[option] !== false
}
