import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ErrorCode, hasCode } from '../../../src/errors.ts'
import type { OptionValue } from '../../../src/options.ts'
import { KINESIS_OPTIONS } from '../../../src/sources/kinesis/option-table.ts'
import { type KinesisOptions, parseKinesisOptions } from '../../../src/sources/kinesis/options.ts'

const parse = (given: Readonly<Record<string, OptionValue>>): KinesisOptions =>
  parseKinesisOptions(new Map(Object.entries({ streamName: 'clicks', ...given })))

function refuses(given: Readonly<Record<string, OptionValue>>, code: ErrorCode, text: RegExp): void {
  assert.throws(
    () => parseKinesisOptions(new Map(Object.entries(given))),
    (error) => hasCode(error, code) && text.test(error.message),
    JSON.stringify(given),
  )
}

const ARN = 'arn:aws:kinesis:eu-west-1:123456789012:stream/clicks'

test('a stream name is enough', () => {
  const options = parse({})
  assert.deepEqual(options.stream, { name: 'clicks', arn: undefined })
  assert.deepEqual(options.limits, {
    rowsPerShard: 100_000,
    recordsPerRead: 10_000,
    fetchTimeMs: 1000,
    bytes: 64 * 1024 * 1024,
    parallelReads: 32,
  })
  assert.deepEqual(options.rate, { intervalMs: 250, bytesPerSecond: 2 * 1024 * 1024 })
  assert.equal(options.describeShardIntervalMs, 10_000)
  assert.equal(options.failOnDataLoss, true)
  assert.equal(options.aws.accountIdEndpointMode, 'disabled')
})

test('a job written for qubole or roncemer runs as it was written', () => {
  const options = parseKinesisOptions(
    new Map<string, OptionValue>([
      ['streamName', 'clicks'],
      ['endpointUrl', 'https://kinesis.us-east-1.amazonaws.com'],
      ['regionName', 'us-east-1'],
      ['awsAccessKeyId', 'AK'],
      ['awsSecretKey', 'SK'],
      ['sessionToken', 'ST'],
      ['startingposition', 'TRIM_HORIZON'],
      ['failondataloss', 'false'],
      ['kinesis.executor.maxFetchTimeInMs', '2000'],
      ['kinesis.executor.maxFetchRecordsPerShard', '500'],
      ['kinesis.executor.maxRecordPerRead', '100'],
      ['kinesis.executor.addIdleTimeBetweenReads', 'true'],
      ['kinesis.executor.idleTimeBetweenReadsInMs', '700'],
      ['kinesis.client.describeShardInterval', '5m'],
      ['kinesis.client.numRetries', '3'],
      ['kinesis.client.retryIntervalMs', '1000'],
      ['kinesis.client.maxRetryIntervalMs', '10000'],
      ['kinesis.client.avoidEmptyBatches', 'true'],
      ['kinesis.client.maxParallelThreads', '8'],
    ]),
  )
  assert.equal(options.limits.fetchTimeMs, 2000)
  assert.equal(options.limits.rowsPerShard, 500)
  assert.equal(options.limits.recordsPerRead, 100)
  assert.equal(options.limits.parallelReads, 8)
  assert.equal(options.rate.intervalMs, 700)
  assert.equal(options.describeShardIntervalMs, 300_000)
  assert.deepEqual(options.retry, { firstMs: 1000, ceilingMs: 10_000, giveUpMs: 300_000, attempts: 3 })
  assert.equal(options.aws.region, 'us-east-1')
  assert.equal(options.failOnDataLoss, false)
})

test('a job written for the connector of awslabs runs as it was written', () => {
  const options = parseKinesisOptions(
    new Map<string, OptionValue>([
      ['kinesis.streamName', 'clicks'],
      ['kinesis.endpointUrl', 'https://kinesis.us-east-1.amazonaws.com'],
      ['kinesis.region', 'us-east-1'],
      ['kinesis.consumerType', 'getrecords'],
      ['kinesis.failOnDataLoss', 'false'],
      ['kinesis.maxFetchRecordsPerShard', '500'],
      ['kinesis.maxFetchTimePerShardSec', '20'],
      ['kinesis.startingPosition', 'AT_TIMESTAMP 2023-08-30T19:00:05Z'],
      ['kinesis.describeShardInterval', '1s'],
      ['kinesis.clientNumRetries', '5'],
      ['kinesis.clientRetryIntervalsMs', '1000'],
      ['kinesis.clientMaxRetryIntervalMs', '10000'],
      ['kinesis.stsRoleArn', 'arn:aws:iam::1:role/r'],
      ['kinesis.stsSessionName', 'me'],
      ['kinesis.getRecords.numberOfRecordsPerFetch', '5000'],
      ['kinesis.getRecords.fetchIntervalMs', '200'],
      ['kinesis.checkNewRecordThreads', '4'],
    ]),
  )
  assert.equal(options.limits.fetchTimeMs, 20_000)
  assert.equal(options.limits.recordsPerRead, 5000)
  assert.equal(options.rate.intervalMs, 200)
  assert.equal(options.aws.roleSessionName, 'me')
})

test('idle time between reads is on when it is given, off when it is turned off, and never faster than the interval', () => {
  assert.equal(parse({ idleTimeBetweenReadsInMs: 600 }).rate.intervalMs, 600)
  assert.equal(parse({ addIdleTimeBetweenReads: true }).rate.intervalMs, 1000)
  assert.equal(parse({ addIdleTimeBetweenReads: false, idleTimeBetweenReadsInMs: 600 }).rate.intervalMs, 250)
  assert.equal(parse({ idleTimeBetweenReadsInMs: 1 }).rate.intervalMs, 250)
})

test('an ARN names the stream and the region to sign for', () => {
  const options = parseKinesisOptions(new Map([['streamArn', ARN]]))
  assert.deepEqual(options.stream, { name: 'clicks', arn: ARN })
  assert.equal(options.aws.region, 'eu-west-1')
})

test('endpoint and region are independent: the host of a VPC endpoint decides nothing', () => {
  for (const endpointUrl of [
    'https://vpce-0ab-1cd.kinesis.cn-north-1.vpce.amazonaws.com.cn',
    'https://vpce-0ab.kinesis.us-east-1.vpce.amazonaws.com',
    'http://127.0.0.1:4566',
  ]) {
    assert.equal(parse({ endpointUrl, region: 'eu-central-1' }).aws.region, 'eu-central-1')
    assert.equal(parse({ endpointUrl }).aws.region, undefined)
  }
})

test('options that contradict each other are refused', () => {
  refuses({}, 'OPTION_MISSING', /streamName/)
  refuses({ streamName: '' }, 'OPTION_MISSING', /streamName/)
  refuses({ streamName: 'a b' }, 'OPTION_INVALID', /letters/)
  refuses({ streamName: 'other', streamArn: ARN }, 'OPTION_INVALID', /clicks/)
  refuses({ streamArn: 'arn:aws:s3:::bucket' }, 'AWS_ARN_INVALID', /stream\/clicks/)
  refuses({ streamArn: ARN, region: 'us-east-1' }, 'AWS_REGION_CONFLICT', /eu-west-1.*us-east-1/)
  refuses({ streamName: 's', awsAccessKeyId: 'AK' }, 'OPTION_MISSING', /awsSecretKey/)
  refuses({ streamName: 's', awsSecretKey: 'SK' }, 'OPTION_MISSING', /awsAccessKeyId/)
  refuses({ streamName: 's', sessionToken: 'ST' }, 'OPTION_MISSING', /awsSecretKey/)
  refuses({ streamName: 's', roleExternalId: 'x' }, 'OPTION_MISSING', /roleArn/)
  refuses({ streamName: 's', webIdentityTokenFile: '/t' }, 'OPTION_MISSING', /roleArn/)
  refuses(
    { streamName: 's', awsProfile: 'p', awsAccessKeyId: 'AK', awsSecretKey: 'SK' },
    'OPTION_INVALID',
    /not both/,
  )
  refuses({ streamName: 's', awsUseInstanceProfile: true, awsProfile: 'p' }, 'OPTION_INVALID', /not both/)
  refuses({ streamName: 's', retryInterval: '20s' }, 'OPTION_INVALID', /maxRetryInterval/)
  refuses(
    { streamName: 's', maxFetchTimeInMs: 10, maxFetchTimePerShardSec: 10 },
    'OPTION_INVALID',
    /not both/,
  )
  refuses({ streamName: 's', maxRecordPerRead: 10_001 }, 'OPTION_INVALID', /10000/)
  refuses({ streamName: 's', maxFetchRecordsPerShard: 0 }, 'OPTION_INVALID', /at least 1/)
  refuses({ streamName: 's', consumerType: 'SubscribeToShard' }, 'OPTION_INVALID', /GetRecords/)
  refuses({ streamName: 's', avoidEmptyBatches: false }, 'OPTION_INVALID', /true/)
  refuses({ streamName: 's', startingPosition: 'newest' }, 'OPTION_INVALID', /trim_horizon/)
  refuses({ streamName: 's', describeShardIntervall: '1s' }, 'OPTION_UNKNOWN', /describeShardInterval/)
})

test('endpoints that would send signed requests astray are refused, and no password is shown', () => {
  refuses({ streamName: 's', endpointUrl: 'kinesis.us-east-1.amazonaws.com' }, 'OPTION_INVALID', /URL/)
  refuses({ streamName: 's', endpointUrl: 'ftp://host' }, 'OPTION_INVALID', /http/)
  refuses({ streamName: 's', endpointUrl: 'http://169.254.169.254/' }, 'OPTION_INVALID', /link-local/)
  const withPassword = { streamName: 's', endpointUrl: 'https://user:canary@host' }
  assert.throws(
    () => parseKinesisOptions(new Map(Object.entries(withPassword))),
    (error) => hasCode(error, 'OPTION_INVALID') && !error.message.includes('canary'),
  )
})

test('no message about a secret shows it', () => {
  assert.throws(
    () => parse({ awsSecretKey: 'canary', sessionToken: 'canary' }),
    (error) => error instanceof Error && !error.message.includes('canary'),
  )
})

test('every option is documented, and no spelling belongs to two', () => {
  const seen = new Map<string, string>()
  for (const [name, spec] of Object.entries(KINESIS_OPTIONS)) {
    assert.ok(spec.doc.length > 10, name)
    for (const spelling of [name, ...('aliases' in spec ? spec.aliases : [])]) {
      assert.equal(seen.get(spelling.toLowerCase()), undefined, spelling)
      seen.set(spelling.toLowerCase(), name)
    }
  }
})
