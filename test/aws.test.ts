import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { DescribeStreamSummaryCommand } from '@aws-sdk/client-kinesis'
import { type AwsOptions, checkEndpoint, connectKinesis, parseStreamArn } from '../src/aws.ts'
import { type AwsCall, awsError } from '../src/aws-error.ts'
import { type ErrorCode, hasCode, SluiceError } from '../src/errors.ts'

const CALL: AwsCall = {
  service: 'kinesis-streams',
  operation: 'DescribeStreamSummary',
  target: "stream 'clicks'",
  host: 'kinesis.eu-west-1.amazonaws.com',
  region: 'eu-west-1',
  action: 'kinesis:DescribeStreamSummary',
  resource: 'arn:aws:kinesis:eu-west-1:*:stream/clicks',
  credentials: 'default chain',
}

const TIMES = { connectTimeoutMs: 500, requestTimeoutMs: 300, maxSockets: 4 }
const KEYS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'canary-secret' }

/** What the machine that runs the tests knows about AWS must not decide them. */
const AWS_VARIABLES = Object.keys(process.env).filter((name) => name.startsWith('AWS_'))
const kept = new Map<string, string | undefined>()
let home = ''

before(() => {
  home = mkdtempSync(join(tmpdir(), 'sluice-aws-'))
  for (const name of [
    ...AWS_VARIABLES,
    'AWS_CONFIG_FILE',
    'AWS_SHARED_CREDENTIALS_FILE',
    'AWS_EC2_METADATA_DISABLED',
  ]) {
    kept.set(name, process.env[name])
    delete process.env[name]
  }
  process.env['AWS_CONFIG_FILE'] = join(home, 'config')
  process.env['AWS_SHARED_CREDENTIALS_FILE'] = join(home, 'credentials')
  process.env['AWS_EC2_METADATA_DISABLED'] = 'true'
  writeFileSync(join(home, 'config'), '[profile prod]\nregion = ap-southeast-2\n')
  writeFileSync(
    join(home, 'credentials'),
    '[prod]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = canary-profile\n',
  )
})

after(() => {
  for (const [name, value] of kept) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
  rmSync(home, { recursive: true, force: true })
})

async function serving<T>(answer: RequestListener, work: (url: string) => Promise<T>): Promise<T> {
  const server: Server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    return await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

const SUMMARY = JSON.stringify({
  StreamDescriptionSummary: {
    StreamName: 'clicks',
    StreamARN: 'arn',
    StreamStatus: 'ACTIVE',
    RetentionPeriodHours: 24,
  },
})

/** What came in, of a request that was answered well. */
async function requestOf(options: Partial<AwsOptions>): Promise<IncomingMessage> {
  const requests: IncomingMessage[] = []
  await serving(
    (request, response) => {
      requests.push(request)
      response.end(SUMMARY)
    },
    async (endpointUrl) => {
      const { client } = connectKinesis('source kinesis', { ...TIMES, endpointUrl, ...options })
      await client.send(new DescribeStreamSummaryCommand({ StreamName: 'clicks' }))
      client.destroy()
    },
  )
  return requests[0]!
}

const authorization = async (options: Partial<AwsOptions>): Promise<string> =>
  (await requestOf(options)).headers.authorization ?? ''

async function errorOf(options: Partial<AwsOptions>): Promise<SluiceError> {
  const { client } = connectKinesis('source kinesis', { ...TIMES, ...KEYS, region: 'eu-west-1', ...options })
  try {
    await client.send(new DescribeStreamSummaryCommand({ StreamName: 'clicks' }))
  } catch (thrown) {
    return awsError(CALL, thrown)
  } finally {
    client.destroy()
  }
  return assert.fail('did not fail')
}

test('requests are signed for the given region, whatever the host of the endpoint', async () => {
  assert.match(
    await authorization({ ...KEYS, region: 'cn-north-1' }),
    /Credential=AKIDEXAMPLE\/\d{8}\/cn-north-1\/kinesis\//,
  )
})

test('the region comes from the option, then the environment, then the profile', async () => {
  const region = (options: Partial<AwsOptions>): Promise<string> =>
    connectKinesis('s', { ...TIMES, ...options }).region()
  assert.equal(await region({ profile: 'prod' }), 'ap-southeast-2')
  process.env['AWS_REGION'] = 'us-west-2'
  try {
    assert.equal(await region({ region: 'eu-north-1' }), 'eu-north-1')
    assert.equal(await region({}), 'us-west-2')
  } finally {
    delete process.env['AWS_REGION']
  }
})

test('a region that nobody named is an error of ours, also with an endpoint', async () => {
  const connection = connectKinesis('source kinesis', {
    ...TIMES,
    ...KEYS,
    endpointUrl: 'https://vpce-1.kinesis.eu-west-1.vpce.amazonaws.com',
  })
  await assert.rejects(
    connection.region(),
    (error) => hasCode(error, 'AWS_REGION_MISSING') && /AWS_REGION/.test(error.message),
  )
})

test('static keys and their session token sign the request', async () => {
  const request = await requestOf({ ...KEYS, sessionToken: 'TOKEN', region: 'eu-west-1' })
  assert.match(request.headers.authorization ?? '', /AKIDEXAMPLE/)
  assert.equal(request.headers['x-amz-security-token'], 'TOKEN')
})

test('a profile of the shared files signs the request', async () => {
  assert.match(await authorization({ profile: 'prod' }), /AKIDPROFILE.*ap-southeast-2/)
})

const STS_ANSWER = (operation: string): string =>
  `<${operation}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${operation}Result><Credentials>` +
  '<AccessKeyId>AKIDROLE</AccessKeyId><SecretAccessKey>canary-role</SecretAccessKey><SessionToken>ROLETOKEN</SessionToken>' +
  `<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></${operation}Result></${operation}Response>`

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

test('a role is assumed with session name and external id, and its credentials sign the request', async () => {
  const bodies: string[] = []
  await serving(
    async (request, response) => {
      bodies.push(await bodyOf(request))
      response.end(STS_ANSWER('AssumeRole'))
    },
    async (stsEndpointUrl) => {
      const roleArn = 'arn:aws:iam::123456789012:role/reader'
      const role = { roleArn, roleSessionName: 'me', roleExternalId: 'ext-7', stsEndpointUrl }
      const request = await requestOf({ ...KEYS, ...role, region: 'eu-west-1' })
      assert.match(request.headers.authorization ?? '', /AKIDROLE/)
      assert.equal(request.headers['x-amz-security-token'], 'ROLETOKEN')
    },
  )
  const asked = new URLSearchParams(bodies[0])
  assert.equal(asked.get('Action'), 'AssumeRole')
  assert.equal(asked.get('RoleSessionName'), 'me')
  assert.equal(asked.get('ExternalId'), 'ext-7')
})

test('a web identity token is exchanged for a role', async () => {
  const bodies: string[] = []
  writeFileSync(join(home, 'token'), 'JWT')
  await serving(
    async (request, response) => {
      bodies.push(await bodyOf(request))
      response.end(STS_ANSWER('AssumeRoleWithWebIdentity'))
    },
    async (stsEndpointUrl) => {
      const roleArn = 'arn:aws:iam::123456789012:role/reader'
      const webIdentityTokenFile = join(home, 'token')
      assert.match(
        await authorization({ roleArn, webIdentityTokenFile, stsEndpointUrl, region: 'eu-west-1' }),
        /AKIDROLE/,
      )
    },
  )
  const asked = new URLSearchParams(bodies[0])
  assert.equal(asked.get('Action'), 'AssumeRoleWithWebIdentity')
  assert.equal(asked.get('WebIdentityToken'), 'JWT')
})

test('a role that may not be assumed is named, with the action that is missing', async () => {
  const denied =
    '<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User x is not authorized</Message></Error></ErrorResponse>'
  const error = await serving(
    (_, response) => response.writeHead(403).end(denied),
    (stsEndpointUrl) =>
      errorOf({
        roleArn: 'arn:aws:iam::123456789012:role/reader',
        stsEndpointUrl,
        endpointUrl: 'http://127.0.0.1:9',
      }),
  )
  assert.equal(error.code, 'AWS_ACCESS_DENIED')
  assert.match(error.message, /AssumeRole on role arn:aws:iam::123456789012:role\/reader.*sts:AssumeRole/)
})

test('credentials that nobody has are an error of ours', async () => {
  const error = await errorOf({
    accessKeyId: undefined,
    secretAccessKey: undefined,
    endpointUrl: 'http://127.0.0.1:9',
  })
  assert.equal(error.code, 'AWS_CREDENTIALS_MISSING')
  assert.match(error.message, /AWS_ACCESS_KEY_ID/)
})

test('credentials are asked for again on demand', async () => {
  const { client, refreshCredentials } = connectKinesis('s', {
    ...TIMES,
    profile: 'prod',
    region: 'eu-west-1',
  })
  assert.equal((await client.config.credentials()).accessKeyId, 'AKIDPROFILE')
  writeFileSync(join(home, 'credentials'), '[prod]\naws_access_key_id = AKIDNEW\naws_secret_access_key = x\n')
  await refreshCredentials()
  assert.equal((await client.config.credentials()).accessKeyId, 'AKIDNEW')
  client.destroy()
})

/** What happens on the wire, and what it is called. */
const ANSWERS: readonly (readonly [string, RequestListener, ErrorCode, RegExp])[] = [
  ['silence', () => {}, 'AWS_TIMEOUT', /300 ms/],
  [
    'an answer that stalls half way',
    (_, response) => response.write('{"Stream'),
    'AWS_TIMEOUT',
    /timed out|timeout/i,
  ],
  ['a reset', (request) => request.socket.destroy(), 'AWS_UNAVAILABLE', /ECONNRESET/],
  [
    'the page of a captive portal',
    (_, response) => response.end('<html>Log in</html>'),
    'AWS_BAD_RESPONSE',
    /HTTP 200/,
  ],
  [
    'the page of a broken proxy',
    (_, response) => response.writeHead(502).end('<html>Bad gateway</html>'),
    'AWS_BAD_RESPONSE',
    /HTTP 502/,
  ],
  ['JSON cut off', (_, response) => response.end('{"Stream'), 'AWS_BAD_RESPONSE', /JSON/],
  [
    'an internal failure',
    (_, response) => response.writeHead(500).end('{"__type":"InternalFailure"}'),
    'AWS_UNAVAILABLE',
    /HTTP 500/,
  ],
  [
    'an unknown refusal',
    (_, response) => response.writeHead(400).end('{"__type":"NewException","message":"no"}'),
    'AWS_REQUEST_REFUSED',
    /NewException: no/,
  ],
  [
    'an unknown throttle',
    (_, response) => response.writeHead(429).end('{"__type":"Slow","message":"no"}'),
    'AWS_THROTTLED',
    /Slow/,
  ],
]

for (const [what, answer, code, reason] of ANSWERS) {
  test(`${what} is ${code}`, async () => {
    const error = await serving(answer, (endpointUrl) => errorOf({ endpointUrl }))
    assert.equal(error.code, code)
    assert.match(error.message, reason)
    assert.match(
      error.message,
      /DescribeStreamSummary on stream 'clicks' \(host kinesis.eu-west-1.amazonaws.com, region eu-west-1/,
    )
  })
}

test('the request id of a refusal is in the message', async () => {
  const error = await serving(
    (_, response) =>
      response
        .writeHead(400, { 'x-amzn-requestid': 'id-1' })
        .end('{"__type":"AccessDeniedException","Message":"no"}'),
    (endpointUrl) => errorOf({ endpointUrl }),
  )
  assert.match(error.message, /request id-1/)
})

test('nobody listening is told apart from silence, with what to check in a private subnet', async () => {
  const server = createTcpServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  const error = await errorOf({ endpointUrl: `http://127.0.0.1:${port}` })
  assert.equal(error.code, 'AWS_UNREACHABLE')
  assert.match(error.message, /ECONNREFUSED.*com\.amazonaws\.eu-west-1\.kinesis-streams/)
})

test('a host that does not exist is unreachable', async () => {
  const thrown = Object.assign(new Error('getaddrinfo ENOTFOUND kinesis.example'), { code: 'ENOTFOUND' })
  assert.equal(awsError(CALL, thrown).code, 'AWS_UNREACHABLE')
})

test('errors of ours pass unchanged', () => {
  const ours = new SluiceError('AWS_REGION_MISSING', { owner: 'x' })
  assert.equal(awsError(CALL, ours), ours)
})

test('whatever is thrown becomes a coded error', () => {
  for (const thrown of ['text', undefined, null, 5, {}, new Error('odd')])
    assert.ok(awsError(CALL, thrown) instanceof SluiceError)
})

test('no message and no inspected error shows a secret', async () => {
  const { inspect } = await import('node:util')
  const error = await serving(
    (_, response) =>
      response.writeHead(400).end('{"__type":"InvalidSignatureException","message":"no match"}'),
    (endpointUrl) => errorOf({ endpointUrl }),
  )
  assert.doesNotMatch(inspect(error, { depth: 10 }), /canary/)
})

test('stream ARNs of all partitions are read, and others refused', () => {
  const arn = 'arn:aws-cn:kinesis:cn-north-1:123456789012:stream/my.stream_1-a'
  assert.deepEqual(parseStreamArn(arn), {
    arn,
    region: 'cn-north-1',
    account: '123456789012',
    name: 'my.stream_1-a',
  })
  for (const bad of [
    '',
    'clicks',
    'arn:aws:s3:::b',
    'arn:aws:kinesis:us-east-1:1:stream/x',
    `${arn}/consumer/c:1`,
  ]) {
    assert.throws(
      () => parseStreamArn(bad),
      (error) => hasCode(error, 'AWS_ARN_INVALID'),
      bad,
    )
  }
})

test('endpoints are URLs of hosts, and nothing else', () => {
  for (const url of ['https://kinesis.us-east-1.amazonaws.com', 'http://localhost:4566', 'http://[::1]:4567'])
    checkEndpoint('s', 'endpointUrl', url)
  for (const url of [
    '',
    'localhost:4566',
    'file:///etc/passwd',
    'https://u:p@host',
    'http://169.254.170.2/',
    'http://[fe80::1]/',
  ]) {
    assert.throws(
      () => checkEndpoint('s', 'endpointUrl', url),
      (error) => hasCode(error, 'OPTION_INVALID'),
      url,
    )
  }
})

test('requests that follow one another share one connection', async () => {
  const server = createServer((_, response) => response.end(SUMMARY)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  let connections = 0
  server.on('connection', () => connections++)
  const endpointUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { client } = connectKinesis('s', { ...TIMES, ...KEYS, region: 'eu-west-1', endpointUrl })
  for (let i = 0; i < 10; i++) await client.send(new DescribeStreamSummaryCommand({ StreamName: 'clicks' }))
  assert.equal(connections, 1)
  await Promise.all(
    Array.from({ length: 20 }, () => client.send(new DescribeStreamSummaryCommand({ StreamName: 'clicks' }))),
  )
  assert.ok(connections <= TIMES.maxSockets, `${connections} connections`)
  client.destroy()
  server.closeAllConnections()
  server.close()
})

test('no warning about the version of Node reaches the user, and other warnings still do', async () => {
  const program = `
    const { connectKinesis } = await import('./src/aws.ts')
    connectKinesis('s', { region: 'eu-west-1', connectTimeoutMs: 1, requestTimeoutMs: 1, maxSockets: 1 })
    process.emitWarning('something else')
    console.log(process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED)`
  const { stderr, stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '--eval', program],
    { cwd: join(import.meta.dirname, '..') },
  )
  assert.doesNotMatch(stderr, /NodeVersionSupportWarning|AWS SDK/)
  assert.match(stderr, /something else/)
  assert.equal(stdout.trim(), 'undefined', 'the switch is set back')
})
