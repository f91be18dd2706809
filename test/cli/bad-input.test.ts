// biome-ignore-all lint/suspicious/noTemplateCurlyInString: scripts have places of this form
import assert from 'node:assert/strict'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { KinesisDouble } from '../../src/testing/index.ts'
import { filesOf, inDirectory, type Outcome, sluice, temporaryDirectory } from './sluice.ts'

const SECRET = 'canary-secret-key'
const KEYS = `awsAccessKeyId 'someone', awsSecretKey '${SECRET}'`
const double = new KinesisDouble()
const temporary = await temporaryDirectory()
let endpointUrl = ''

before(async () => {
  double.createStream('numbers')
  double.put('numbers', [{ partitionKey: 'a', data: '{"n": 1}' }])
  endpointUrl = (await double.listen()).endpointUrl
})
after(() => Promise.all([double.close(), temporary.remove()]))

interface Script {
  readonly source?: string
  readonly options?: string
  readonly sink?: string
  readonly sinkOptions?: string
  readonly select?: string
}

function script({
  source = 'kinesis',
  options = `streamName 'numbers', region 'us-east-1', endpointUrl '${endpointUrl}', ${KEYS}`,
  sink = 'console',
  sinkOptions = "trigger 'availableNow'",
  select = 'SELECT n FROM numbers',
}: Script): string {
  return (
    `CREATE STREAM numbers (n BIGINT) USING ${source} OPTIONS (startingPosition 'trim_horizon', ${options});\n` +
    `CREATE SINK counts USING ${sink} OPTIONS (${sinkOptions}) AS ${select};\n`
  )
}

async function run(
  text: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome & { left: string[] }> {
  return inDirectory(async (directory) => {
    await writeFile(join(directory, 'bad.sql'), text)
    const outcome = await sluice(['run', 'bad.sql', '--log-level', 'silent'], {
      cwd: directory,
      env: { ...env, TMPDIR: temporary.path },
    })
    return { ...outcome, left: [...(await readdir(directory)), ...(await temporary.left())] }
  })
}

function assertRefused({ code, stdout, stderr }: Outcome, error: string, says: RegExp): void {
  assert.equal(code, 1, stderr)
  assert.equal(stdout, '')
  assert.match(stderr, new RegExp(`^error ${error}\n`))
  assert.match(stderr.replace(/\s+/g, ' '), says)
  assert.match(stderr, /\n\n {2}To fix: /)
  assert.doesNotMatch(stderr, /\n\s+at |Warning/)
  assert.ok(!stderr.includes(SECRET), 'the secret is shown')
}

const cases: [string, () => Script, string, RegExp][] = [
  [
    'an unknown option',
    () => ({ options: `streamNam 'x', ${KEYS}` }),
    'OPTION_UNKNOWN',
    /did you mean 'streamName'/,
  ],
  [
    'an unknown option of the sink',
    () => ({ sinkOptions: 'numRow 3' }),
    'OPTION_UNKNOWN',
    /did you mean 'numRows'/,
  ],
  ['an unknown source format', () => ({ source: 'kinesi' }), 'FORMAT_UNKNOWN', /did you mean 'kinesis'/],
  ['an unknown sink format', () => ({ sink: 'consol' }), 'FORMAT_UNKNOWN', /did you mean 'console'/],
  ['a missing stream name', () => ({ options: KEYS }), 'OPTION_MISSING', /needs the option 'streamName'/],
  [
    'a wrong duration',
    () => ({ options: `streamName 'x', describeShardInterval 'soon', ${KEYS}` }),
    'OPTION_INVALID',
    /'describeShardInterval' of source kinesis is 'soon'.* such as 500ms, 10s/,
  ],
  [
    'a stream that does not exist',
    () => ({ options: `streamName 'letters', region 'us-east-1', endpointUrl '${endpointUrl}', ${KEYS}` }),
    'KINESIS_STREAM_NOT_FOUND',
    /stream 'letters' does not exist in region us-east-1 at 127\.0\.0\.1:/,
  ],
  [
    'an endpoint nobody listens on',
    // The discard service; nothing of today serves it.
    () => ({ options: `streamName 'x', region 'us-east-1', endpointUrl 'http://127.0.0.1:9', ${KEYS}` }),
    'AWS_UNREACHABLE',
    /host 127\.0\.0\.1:9.*ECONNREFUSED.*check region, endpointUrl/,
  ],
  [
    'missing credentials',
    () => ({ options: `streamName 'numbers', region 'us-east-1', endpointUrl '${endpointUrl}'` }),
    'AWS_CREDENTIALS_MISSING',
    /found no AWS credentials.*set AWS_ACCESS_KEY_ID/,
  ],
  [
    'a missing region',
    () => ({ options: `streamName 'numbers', endpointUrl '${endpointUrl}', ${KEYS}` }),
    'AWS_REGION_MISSING',
    /no AWS region for source kinesis/,
  ],
  [
    'a syntax error',
    () => ({ select: 'SELECT n FRM numbers' }),
    'SQL_SYNTAX',
    /near "numbers" \(line 2, column \d+\)/,
  ],
  ['an unknown column', () => ({ select: 'SELECT m FROM numbers' }), 'SQL_INVALID', /"m" not found/],
  ['an unknown stream', () => ({ select: 'SELECT * FROM nombres' }), 'SQL_INVALID', /nombres/],
]

for (const [what, broken, code, says] of cases) {
  test(`${what} gives one readable error and leaves nothing behind`, async () => {
    const outcome = await run(script(broken()))
    assertRefused(outcome, code, says)
    assert.deepEqual(outcome.left, ['bad.sql'])
  })
}

test('a script without a sink says so', async () => {
  assertRefused(
    await run(script({}).split('CREATE SINK')[0] as string),
    'SCRIPT_NO_SINK',
    /add for example: CREATE SINK/,
  )
})

test('a script of comments is empty', async () => {
  assertRefused(await run('-- CREATE SINK\n/* ; */ ;\n'), 'SCRIPT_EMPTY', /'bad\.sql' has no statement/)
})

test('a script with values that nobody gives names them', async () => {
  const outcome = await run("CREATE STREAM s USING kinesis OPTIONS (streamName '${name}', region '${place}')")
  assertRefused(outcome, 'SCRIPT_VALUE_MISSING', /needs values for name, place/)
})

test('a secret that a syntax error would quote is masked', async () => {
  const env = { dbPassword: SECRET }
  assertRefused(
    await run("CREATE STREAM s USING kinesis OPTIONS ('${dbPassword}')", env),
    'SQL_SYNTAX',
    /"'\*\*\*'"/,
  )
})

test('what is no script is refused with the reason', async () => {
  await inDirectory(async (directory) => {
    await mkdir(join(directory, 'folder.sql'))
    await writeFile(join(directory, 'binary.sql'), Buffer.from([0xff, 0xfe, 0x00]))
    const outcomes = ['none.sql', 'folder.sql', 'binary.sql'].map((file) =>
      sluice(['run', file], { cwd: directory }),
    )
    const [none, folder, binary] = (await Promise.all(outcomes)) as [Outcome, Outcome, Outcome]
    assertRefused(none, 'SCRIPT_UNREADABLE', /'none\.sql' cannot be read: there is no such file/)
    assertRefused(folder, 'SCRIPT_UNREADABLE', /it is a directory/)
    assertRefused(binary, 'SCRIPT_UNREADABLE', /it is not UTF-8 text/)
  })
})

test('a malformed checkpoint is named and left as it is', async () => {
  await inDirectory(async (directory) => {
    const sinkOptions = "outputMode 'complete', trigger 'availableNow', checkpointLocation 'checkpoint'"
    await writeFile(
      join(directory, 'a.sql'),
      script({ sinkOptions, select: 'SELECT sum(n) AS s FROM numbers' }),
    )
    const start = () => sluice(['run', 'a.sql', '--log-level', 'silent'], { cwd: directory })
    const first = await start()
    assert.equal(first.code, 0, first.stderr)
    const offsets = join(directory, 'checkpoint', 'offsets', '0')
    await writeFile(offsets, 'torn')
    const files = await filesOf(directory)
    assertRefused(await start(), 'CHECKPOINT_CORRUPT', /offsets\/0 in the checkpoint/)
    const after = await filesOf(directory)
    for (const [file, content] of files) assert.equal(after.get(file), content, file)
  })
})
