import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { KinesisDouble } from '../src/testing/kinesis/double.ts'

const ROOT = join(import.meta.dirname, '..')
const TSX = pathToFileURL(join(ROOT, 'node_modules/tsx/dist/esm/index.mjs')).href

test('a sink of your own, as docs/sinks.md shows it, passes the checks of every sink', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-own-sink-'))
  const page = await readFile(join(ROOT, 'docs', 'sinks.md'), 'utf8')
  const code = /## A sink of your own[\s\S]*?^```ts\n([\s\S]*?)^```$/m.exec(page)?.[1] ?? ''
  const from = (path: string) => `'${pathToFileURL(join(ROOT, path)).href}'`
  const source = code
    .replace("'sluice/testing'", from('src/testing/index.ts'))
    .replace("'sluice'", from('src/index.ts'))
  await writeFile(join(folder, 'array.test.mts'), source)
  const file = join(folder, 'array.test.mts')
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined }
  const child = spawn(process.execPath, ['--import', TSX, '--test', '--test-reporter=tap', file], { env })
  let output = ''
  child.stdout.on('data', (text) => (output += text))
  child.stderr.on('data', (text) => (output += text))
  const exit = await new Promise((resolve) => child.once('close', resolve))
  await rm(folder, { recursive: true, force: true })
  assert.equal(exit, 0, output)
  assert.match(output, /^# pass 19$/m)
})

/** Every code block of the README does what the README says. The AWS SDK's own variable points it at the double. */
describe('README', () => {
  let readme: string
  let folder: string
  let endpoint: Awaited<ReturnType<KinesisDouble['listen']>>

  before(async () => {
    readme = await readFile(join(ROOT, 'README.md'), 'utf8')
    folder = await mkdtemp(join(tmpdir(), 'sluice-readme-'))
    const double = new KinesisDouble()
    double.createStream('clicks', { shards: 2 })
    for (let userId = 0; userId < 10; userId++) {
      const payload = { userId, page: userId % 2 ? 'home' : 'cart', at: `2026-01-01T00:00:0${userId}Z` }
      double.put('clicks', { partitionKey: String(userId), data: Buffer.from(JSON.stringify(payload)) })
    }
    endpoint = await double.listen()
  })

  after(async () => {
    await endpoint.close()
    await rm(folder, { recursive: true, force: true })
  })

  const block = (language: string): string => {
    const blocks = [...readme.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].filter(
      ([, name]) => name === language,
    )
    assert.equal(blocks.length, 1, `one block in ${language}`)
    return blocks[0]?.[2] as string
  }

  const run = async (...args: string[]): Promise<string> => {
    const child = spawn(process.execPath, ['--import', TSX, ...args], {
      cwd: folder,
      env: {
        ...process.env,
        AWS_ENDPOINT_URL_KINESIS: endpoint.endpointUrl,
        AWS_ACCESS_KEY_ID: 'test',
        AWS_SECRET_ACCESS_KEY: 'test',
      },
    })
    let output = ''
    child.stdout.on('data', (text) => (output += text))
    child.stderr.on('data', (text) => (output += text))
    const code = await new Promise((resolve) => child.once('close', resolve))
    assert.equal(code, 0, output)
    return output
  }

  test('the program in TypeScript counts the views of a minute', async () => {
    const source = block('ts').replace("'sluice'", `'${pathToFileURL(join(ROOT, 'src/index.ts')).href}'`)
    await writeFile(join(folder, 'clicks.mts'), source)
    const output = await run('clicks.mts')
    assert.match(output, /^batch 0: \[/)
    assert.match(output, /page: 'home',\s+views: 5n/)
    assert.match(output, /page: 'cart',\s+views: 4n/)
  })

  test('the file in SQL does the same without the window', async () => {
    await writeFile(join(folder, 'clicks.sql'), block('sql'))
    const output = await run(join(ROOT, 'src/cli/main.ts'), 'run', 'clicks.sql', '--log-level', 'error')
    assert.match(output, /\| home +\| +5 \| 2026-01-01 00:00:09 \|/)
    assert.match(output, /\| cart +\| +4 \| 2026-01-01 00:00:08 \|/)
    assert.match(
      await run(join(ROOT, 'src/cli/main.ts'), 'explain', 'clicks.sql'),
      /Aggregate by page: count_star\(\), max/,
    )
  })

  test('the set-up is two lines that package.json knows', async () => {
    const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
    assert.equal(block('sh'), 'npm ci && npm run demo\nnpm ci && npm test\n')
    assert.ok(scripts.demo && scripts.test && scripts.prepare)
  })

  test('every file it points to is there', async () => {
    for (const [, target] of readme.matchAll(/\]\((?!https?:)([^)#]+)\)/g)) {
      assert.ok(target && (await import('node:fs')).existsSync(join(ROOT, target)), target)
    }
  })

  test('the listing of the demo has the words of the demo', async () => {
    const narrator = await readFile(join(ROOT, 'src/cli/demo/play-demo.ts'), 'utf8')
    const all = narrator + (await readFile(join(ROOT, 'src/cli/demo/run-demo.ts'), 'utf8'))
    for (const [, word] of block('console').matchAll(/^ +[\d.]+s {2}(\w+) /gm)) {
      assert.ok(all.includes(`'${word}'`), `${word} is no step of the demo`)
    }
  })
})
