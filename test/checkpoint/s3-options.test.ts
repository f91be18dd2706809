import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { openStorage, S3_OPTIONS } from '../../src/checkpoint/open-storage.ts'
import { SluiceError } from '../../src/errors.ts'
import type { OptionValue } from '../../src/options.ts'
import { parseS3Location } from '../../src/s3/location.ts'
import { parseS3Options } from '../../src/s3/options.ts'
import { optionRows } from '../support/option-rows.ts'
import { coded, LOCATION, s3Scene } from './s3-scene.ts'

const refuse = (reason: string, location: string) =>
  new SluiceError('CHECKPOINT_LOCATION', { location, reason })
const given = (options: Readonly<Record<string, OptionValue>>) => new Map(Object.entries(options))

describe('options of a checkpoint on S3', () => {
  test('have defaults that need nothing but the environment', () => {
    const { aws, requestTimeoutMs, maxRetryTimeMs } = parseS3Options(
      'the checkpoint',
      'checkpoint.s3.',
      new Map(),
    )
    assert.equal(aws.region, undefined)
    assert.equal(aws.endpointUrl, undefined)
    assert.equal(aws.pathStyle, false)
    assert.deepEqual([requestTimeoutMs, maxRetryTimeMs, aws.connectTimeoutMs], [20_000, 120_000, 5000])
  })

  test('are refused when they contradict or lack each other, without telling secrets', () => {
    const refusals: readonly (readonly [Readonly<Record<string, OptionValue>>, Parameters<typeof coded>])[] =
      [
        [
          { 'checkpoint.s3.endpoint': 'http://x' },
          ['OPTION_UNKNOWN', "did you mean 'checkpoint.s3.endpointUrl'?"],
        ],
        [{ 'checkpoint.s3.endpointUrl': 'http://u:p@x' }, ['OPTION_INVALID', '//***@x', 'without user name']],
        [{ 'checkpoint.s3.endpointUrl': 'http://169.254.169.254' }, ['OPTION_INVALID', 'not link-local']],
        [{ 'checkpoint.s3.awsAccessKeyId': 'a' }, ['OPTION_MISSING', 'checkpoint.s3.awsSecretKey']],
        [
          { 'checkpoint.s3.secretAccessKey': 'not-to-be-shown' },
          ['OPTION_MISSING', 'checkpoint.s3.awsAccessKeyId'],
        ],
        [
          { 'checkpoint.s3.sessionToken': 'not-to-be-shown' },
          ['OPTION_MISSING', 'checkpoint.s3.awsSecretKey'],
        ],
        [
          {
            'checkpoint.s3.profile': 'p',
            'checkpoint.s3.accessKeyId': 'a',
            'checkpoint.s3.awsSecretKey': 's',
          },
          ['OPTION_INVALID', 'awsProfile or awsAccessKeyId, not both'],
        ],
        [{ 'checkpoint.s3.pathStyle': 'sometimes' }, ['OPTION_INVALID', 'true or false']],
        [{ 'checkpoint.s3.requestTimeout': 0 }, ['OPTION_INVALID', 'at least 1 ms']],
      ]
    for (const [options, expected] of refusals) {
      assert.throws(
        () => parseS3Options('the checkpoint', 'checkpoint.s3.', given(options)),
        coded(...expected),
      )
    }
  })

  test('are documented as they are', () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/checkpoint.md'), 'utf8')
    assert.ok(page.includes(optionRows(S3_OPTIONS)), optionRows(S3_OPTIONS))
  })

  test('decide who asks, and where: region, keys and path style', async () => {
    const { open, double, endpointUrl } = await s3Scene()
    const storage = await open({
      region: 'ap-south-1',
      awsAccessKeyId: 'AKIA',
      sessionToken: 'not-to-be-shown',
    })
    await storage.read('metadata')
    const { accessKeyId, signedRegion, host } = double.calls[0] ?? {}
    assert.deepEqual([accessKeyId, signedRegion, host], ['AKIA', 'ap-south-1', new URL(endpointUrl).host])
    const { port } = new URL(endpointUrl)
    const byPath = await open({ endpointUrl: `http://localhost:${port}`, pathStyle: true })
    await byPath.read('metadata')
    assert.equal(double.calls.at(-1)?.style, 'path')
  })

  test('missing path style is asked for when the bucket’s host is not found', async () => {
    const { open } = await s3Scene()
    // A reserved name, which no resolver knows.
    const storage = await open({ endpointUrl: 'http://store.invalid', maxRetryTime: 1 })
    await assert.rejects(
      storage.read('metadata'),
      coded('S3_UNAVAILABLE', 'host bucket.store.invalid', 'does this store need checkpoint.s3.pathStyle?'),
    )
  })

  test('a region that nothing names is asked for', async () => {
    const { endpointUrl } = await s3Scene()
    const names = [
      'AWS_REGION',
      'AWS_DEFAULT_REGION',
      'AWS_PROFILE',
      'AWS_CONFIG_FILE',
      'AWS_SHARED_CREDENTIALS_FILE',
    ]
    const before = names.map((name) => [name, process.env[name]] as const)
    for (const name of names) delete process.env[name]
    process.env['AWS_CONFIG_FILE'] = process.env['AWS_SHARED_CREDENTIALS_FILE'] = '/nonexistent'
    try {
      const storage = await openStorage(LOCATION, given({ 'checkpoint.s3.endpointUrl': endpointUrl }))
      await assert.rejects(
        storage.read('metadata'),
        coded('S3_REGION', LOCATION, 'neither options nor environment', 'AWS_REGION'),
      )
      await storage.close()
    } finally {
      for (const [name, value] of before) {
        if (value === undefined) delete process.env[name]
        else process.env[name] = value
      }
    }
  })

  test('belong to S3: a directory takes none', async () => {
    await assert.rejects(
      openStorage('/tmp/x', given({ 'checkpoint.s3.region': 'eu-west-1' })),
      coded('OPTION_UNKNOWN', 'a checkpoint in a directory', 'it takes none'),
    )
  })
})

describe('locations on S3', () => {
  test('give bucket and prefix as they are written', () => {
    const places: Readonly<Record<string, readonly [string, string]>> = {
      's3://bucket': ['bucket', ''],
      's3://bucket/': ['bucket', ''],
      's3a://bucket/a': ['bucket', 'a/'],
      'S3://bucket/a/b/': ['bucket', 'a/b/'],
      's3://my.bucket-1/50% & Ü/x+y?#': ['my.bucket-1', '50% & Ü/x+y?#/'],
    }
    for (const [location, [bucket, prefix]] of Object.entries(places)) {
      assert.deepEqual(parseS3Location(location, refuse), { bucket, prefix })
    }
  })

  test('that name no bucket, fold away, or hold credentials are refused', () => {
    const refusals: Readonly<Record<string, string>> = {
      's3://': "'' is no name",
      's3:///a': "'' is no name",
      's3://-x/a': "'-x' is no name",
      's3://bucket//a': "a folder named ''",
      's3://bucket/a/../b': "a folder named '..'",
      's3://bucket/a\nb': 'control characters',
      's3://key:not-to-be-shown@bucket/a': 'credentials are given as options',
    }
    for (const [location, reason] of Object.entries(refusals)) {
      assert.throws(() => parseS3Location(location, refuse), coded('CHECKPOINT_LOCATION', reason), location)
    }
  })
})
