import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { before, describe, test } from 'node:test'
import { Checkpoint } from '../../src/checkpoint/checkpoint.ts'
import { checksum } from '../../src/checksum.ts'
import { hasCode, SluiceError } from '../../src/errors.ts'
import { seededRandom } from '../../src/testing/seeded-random.ts'
import { MemoryStorage } from './memory-storage.ts'
import { assertExact, type Ledger, ledgerSink, loadSum, options, runBatches, runQuery } from './query.ts'

const END = 20
/** Each bit of every file with SLUICE_FUZZ=all. */
const BITS_A_FILE = process.env['SLUICE_FUZZ'] === 'all' ? Number.POSITIVE_INFINITY : 60
const seed = process.env['SLUICE_SEED'] ?? `${process.pid}-${process.hrtime.bigint()}`

type Files = Map<string, Uint8Array>

/** A checkpoint with a snapshot and deltas, a batch that was interrupted after its state was saved, and its sink. */
const golden: { files: Files; ledger: Ledger; answer: unknown } = {
  files: new Map(),
  ledger: new Map(),
  answer: {},
}

before(async () => {
  const storage = new MemoryStorage(golden.files)
  await runQuery(storage, ledgerSink(golden.ledger), 15, () => 3)
  const checkpoint = await Checkpoint.open(storage, options())
  const { epoch } = checkpoint
  const sources = [{ range: { start: 15, end: 18 }, rows: 3, digest: '18' }]
  await checkpoint.logIntent({ batchId: 5, epoch, startedAtMs: 5000, watermarkMs: 4, sources })
  const file = await checkpoint.state.write((path) => writeFile(path, '51'))
  await checkpoint.state.save('sum', 5, 'delta', file)
  golden.answer = await answer(golden.files)
})

async function answer(files: Files): Promise<unknown> {
  const checkpoint = await Checkpoint.open(new MemoryStorage(new Map(files)), options())
  const { last, lastIntent, pending, nextWatermarkMs, queryId } = checkpoint
  const [sum, initial] = [await loadSum(checkpoint), await checkpoint.initialPosition(0)]
  return { last, lastIntent, pending, nextWatermarkMs, queryId, sum, initial }
}

async function assertRefusedOrSame(files: Files, damage: string): Promise<void> {
  try {
    assert.deepEqual(await answer(files), golden.answer, damage)
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error
    assert.match(error.code, /^CHECKPOINT_(CORRUPT|VERSION)$/, damage)
    assert.match(error.message, /To fix: \S/)
  }
}

/** Lets the query run on: it must be refused with a code or come out exact, and refusal leaves the log as it was. */
async function assertRefusedOrExact(files: Files, damage: string): Promise<string> {
  const storage = new MemoryStorage(new Map(files))
  const ledger: Ledger = new Map(golden.ledger)
  let checkpoint: Checkpoint
  try {
    checkpoint = await Checkpoint.open(storage, options())
  } catch (error) {
    assert.ok(error instanceof SluiceError, `${damage}: ${String(error)}`)
    assert.deepEqual(storage.files, files, `${damage}: a refused start touches nothing`)
    return error.message
  }
  try {
    assertExact(ledger, await runBatches(checkpoint, ledgerSink(ledger), END, () => 3), END)
    return 'exact'
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error
    return error.message
  }
}

const changedFile = (path: string, change: (bytes: Uint8Array) => Uint8Array): Files =>
  new Map(golden.files).set(path, change(golden.files.get(path) ?? new Uint8Array()))

const without = (isGone: (path: string) => boolean): Files =>
  new Map([...golden.files].filter(([path]) => !isGone(path)))

describe('damage', () => {
  test('the golden checkpoint holds every kind of file', () => {
    const kinds = [...golden.files.keys()].map((path) => path.replace(/\d+/g, 'N'))
    assert.deepEqual([...new Set(kinds)].sort(), [
      'commits/N',
      'epochs/N',
      'epochs/N.released',
      'metadata',
      'offsets/N',
      'sources/N/initial',
      'state/sum/N.N.delta.parquet',
      'state/sum/N.N.snapshot.parquet',
    ])
  })

  test('every file cut off at any byte is refused with a code or was not needed', async () => {
    for (const [path, bytes] of golden.files) {
      for (let length = 0; length < bytes.length; length++) {
        await assertRefusedOrSame(
          changedFile(path, (whole) => whole.subarray(0, length)),
          `${path} cut at ${length}`,
        )
      }
    }
  })

  test('every file with a flipped bit is refused with a code or was not needed', async (t) => {
    const random = seededRandom(seed)
    t.diagnostic(`SLUICE_SEED=${seed}`)
    for (const [path, bytes] of golden.files) {
      const bits = bytes.length * 8
      for (let i = 0; i < Math.min(bits, BITS_A_FILE); i++) {
        const bit = bits <= BITS_A_FILE ? i : random.below(bits)
        const flip = (whole: Uint8Array) => whole.with(bit >> 3, (whole[bit >> 3] ?? 0) ^ (1 << (bit & 7)))
        await assertRefusedOrSame(changedFile(path, flip), `SLUICE_SEED=${seed}: ${path} bit ${bit}`)
      }
    }
  })

  test('every file zeroed, prolonged, emptied or of another encoding is refused or was not needed', async () => {
    const changes: Record<string, (bytes: Uint8Array) => Uint8Array> = {
      zeroed: (bytes) => new Uint8Array(bytes.length),
      prolonged: (bytes) => Buffer.concat([bytes, Buffer.from('\n')]),
      doubled: (bytes) => Buffer.concat([bytes, bytes]),
      'with a byte order mark': (bytes) => Buffer.concat([Buffer.from('\ufeff'), bytes]),
      'with CRLF': (bytes) =>
        Buffer.from(Buffer.from(bytes).toString('latin1').replaceAll('\n', '\r\n'), 'latin1'),
    }
    for (const path of golden.files.keys()) {
      for (const [name, change] of Object.entries(changes)) {
        await assertRefusedOrSame(changedFile(path, change), `${path} ${name}`)
      }
    }
  })

  test('every file put in the place of every other is refused or was not needed', async () => {
    for (const [from, bytes] of golden.files) {
      for (const to of golden.files.keys()) {
        if (from === to) continue
        await assertRefusedOrSame(
          changedFile(to, () => bytes),
          `${from} in the place of ${to}`,
        )
      }
    }
  })

  test('every file of another query is refused or was not needed', async () => {
    const other: Files = new Map()
    await runQuery(new MemoryStorage(other), ledgerSink(new Map()), 18, () => 3)
    for (const [path, bytes] of other) {
      if (!golden.files.has(path) || path.startsWith('state/')) continue
      await assertRefusedOrSame(
        changedFile(path, () => bytes),
        `${path} of another query`,
      )
    }
    const swapped = changedFile('offsets/5', () => other.get('offsets/5') ?? new Uint8Array())
    assert.match(await assertRefusedOrExact(swapped, 'offsets/5'), /offsets\/5 .* belongs to the query/)
  })

  test('without any one file the query is refused with a code or comes out exact', async () => {
    for (const path of golden.files.keys()) {
      await assertRefusedOrExact(
        without((name) => name === path),
        `without ${path}`,
      )
    }
  })

  test('missing files are told by what is still there', async () => {
    const expected: readonly (readonly [gone: RegExp, message: RegExp])[] = [
      [/^metadata$/, /^CHECKPOINT_CORRUPT: metadata .* is missing although there is commits\/\d/],
      [/^offsets\//, /^CHECKPOINT_CORRUPT: offsets\/4 .* is missing although commits\/4 exists/],
      [/^offsets\/4$/, /^CHECKPOINT_CORRUPT: offsets\/4 .* is missing although commits\/4 exists/],
      [/^commits\//, /^CHECKPOINT_CORRUPT: commits\/4 .* is missing although offsets\/5 exists/],
      [/^commits\/4$/, /^CHECKPOINT_CORRUPT: commits\/4 .* is missing although offsets\/5 exists/],
      [
        /^(commits\/4|offsets\/5|state\/sum\/5.*)$/,
        /^CHECKPOINT_CORRUPT: commits\/4 .* although epochs\/2 has seen it/,
      ],
      [
        /^offsets\/5$/,
        /^CHECKPOINT_CORRUPT: offsets\/5 .* is missing although state\/sum\/5\.2\.delta\.parquet exists/,
      ],
      [/^(offsets|commits)\//, /^CHECKPOINT_CORRUPT: offsets\/\d .* is missing although state\/sum/],
      [
        /^state\//,
        /^CHECKPOINT_CORRUPT: state\/sum\/2\.1\.snapshot\.parquet .* is missing although a commit names it/,
      ],
    ]
    for (const [gone, message] of expected) {
      assert.match(
        await assertRefusedOrExact(
          without((path) => gone.test(path)),
          String(gone),
        ),
        message,
      )
    }
  })

  test('a gap between batches of one writer is refused', async () => {
    const files: Files = new Map()
    const checkpoint = await Checkpoint.open(new MemoryStorage(files), options())
    for (let batchId = 0; batchId < 4; batchId++) {
      const sources = [{ range: { start: batchId, end: batchId + 1 }, rows: 1, digest: '' }]
      await checkpoint.logIntent({ batchId, epoch: 1, startedAtMs: 0, watermarkMs: null, sources })
      await checkpoint.logCommit({ batchId, epoch: 1, nextWatermarkMs: null, state: [] })
    }
    for (const path of ['offsets/1', 'commits/2']) {
      const holed = new Map([...files].filter(([name]) => name !== path))
      await assert.rejects(
        Checkpoint.open(new MemoryStorage(holed), options()),
        (error) =>
          hasCode(error, 'CHECKPOINT_CORRUPT') && error.message.includes(`${path} in the checkpoint`),
      )
    }
  })

  test('a stray file among the batches is named', async () => {
    for (const path of ['offsets/5~', 'commits/copy of 4', 'offsets/05', 'commits/4/x']) {
      const files = new Map(golden.files).set(path, new Uint8Array(1))
      const message = await assertRefusedOrExact(files, path)
      assert.match(message, /^CHECKPOINT_CORRUPT: .* is not a batch number\. To fix: move the file out/)
    }
  })

  test('files of a newer version are refused by version, and of an impossible one as damage', async () => {
    const version = (text: string) => (bytes: Uint8Array) => {
      const lines = Buffer.from(bytes).toString().split('\n')
      const content = Buffer.from(`${lines[0]?.replace(/v1$/, text)}\n${lines[1]}\n`)
      return Buffer.concat([content, Buffer.from(`end ${content.length} ${checksum(content)}\n`)])
    }
    for (const path of ['metadata', 'offsets/5', 'offsets/4', 'commits/4', 'epochs/2']) {
      const newer = await assertRefusedOrExact(changedFile(path, version('v2')), path)
      assert.match(
        newer,
        new RegExp(`^CHECKPOINT_VERSION: ${path} .* format version 2, this Sluice reads version 1`),
      )
      assert.match(await assertRefusedOrExact(changedFile(path, version('v0')), path), /^CHECKPOINT_CORRUPT/)
    }
  })

  test('a well-sealed file with fields of the wrong kind is named with the field', async () => {
    const edits: readonly (readonly [path: string, from: RegExp, to: string, field: string])[] = [
      ['offsets/5', /"batchId":5/, '"batchId":-5', 'batchId'],
      ['offsets/5', /"startedAtMs":5000/, '"startedAtMs":1e309', 'startedAtMs'],
      ['offsets/5', /"rows":3/, '"rows":"3"', 'sources[0].rows'],
      ['offsets/5', /"sources":\[.*\]/, '"sources":{}', 'sources'],
      ['offsets/5', /"epoch":2,/, '', 'epoch'],
      ['commits/4', /"nextWatermarkMs":4/, '"nextWatermarkMs":"4"', 'nextWatermarkMs'],
      ['commits/4', /state\/sum\/4[^"]*/, 'state/../../etc/passwd', 'state[2].path'],
      ['metadata', /"sources":\["numbers"\]/, '"sources":[1]', 'sources'],
      ['epochs/2', /"pid":4711/, '"pid":null', 'holder.pid'],
      ['epochs/2', /"heartbeatMs":\d+/, '"heartbeatMs":9e15', 'heartbeatMs'],
    ]
    for (const [path, from, to, field] of edits) {
      const files = changedFile(path, (bytes) => {
        const text = Buffer.from(bytes)
          .toString()
          .replace(/end .*\n$/, '')
        const edited = Buffer.from(text.replace(from, to))
        assert.notEqual(edited.toString(), text, `${path} has ${from}`)
        return Buffer.concat([edited, Buffer.from(`end ${edited.length} ${checksum(edited)}\n`)])
      })
      const message = await assertRefusedOrExact(files, path)
      assert.ok(message.startsWith(`CHECKPOINT_CORRUPT: ${path}`) && message.includes(`'${field}'`), message)
    }
  })
})
