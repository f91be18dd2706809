import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Checkpoint } from '../../src/checkpoint/checkpoint.ts'
import { fork } from '../../src/checkpoint/fork.ts'
import { dropUncommitted } from '../../src/checkpoint/repair.ts'
import { rewind } from '../../src/checkpoint/rewind.ts'
import { storedBatches } from '../../src/checkpoint/stored-batches.ts'
import { storedQuery } from '../../src/checkpoint/stored-query.ts'
import { verify } from '../../src/checkpoint/verify.ts'
import { hasCode, SluiceError } from '../../src/errors.ts'
import { Crash } from './faulty-disk.ts'
import { MemoryStorage } from './memory-storage.ts'
import {
  assertExact,
  type Ledger,
  ledgerSink,
  loadSum,
  options,
  processesThatAre,
  runBatches,
  runQuery,
} from './query.ts'

type Files = Map<string, Uint8Array>

const END = 18
const KEEP = 10

const tools = () => {
  const { clock, log, processes = processesThatAre('dead') } = options()
  return { clock, log, processes }
}

/** Batches 0 to 4 are committed, 5 is logged; the sink has all of them. */
async function killedQuery(): Promise<{ files: Files; ledger: Ledger }> {
  const [files, ledger]: [Files, Ledger] = [new Map(), new Map()]
  const storage = new MemoryStorage(files)
  await runQuery(storage, ledgerSink(ledger), 15, () => 3, options(), KEEP)
  const checkpoint = await Checkpoint.open(storage, options())
  const sources = [{ range: { start: 15, end: 18 }, rows: 3, digest: '18' }]
  await checkpoint.logIntent({
    batchId: 5,
    epoch: checkpoint.epoch,
    startedAtMs: 5000,
    watermarkMs: 4,
    sources,
  })
  await ledgerSink(ledger).write(5, [16, 17, 18])
  return { files, ledger }
}

/** Lets the query go on in batches of another size, and holds what its sink has against each number once. */
async function assertGoesOn(files: Files, ledger: Ledger, end = END + 6): Promise<void> {
  const storage = new MemoryStorage(files)
  assertExact(ledger, await runQuery(storage, ledgerSink(ledger), end, () => 4, options(), KEEP), end)
}

/** A process that is gone before its n-th change; what it leaves is what the n-1st has left. */
class DyingStorage extends MemoryStorage {
  changes = 0
  readonly #at: number

  constructor(files: Files, at: number) {
    super(files)
    this.#at = at
  }

  override create(path: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    return this.#change(() => super.create(path, bytes))
  }

  override remove(path: string): Promise<void> {
    return this.#change(() => super.remove(path))
  }

  async #change<T>(change: () => Promise<T>): Promise<T> {
    this.changes += 1
    if (this.changes < this.#at) return change()
    throw new Crash()
  }
}

/** Calls `work` as often as it makes changes, dying before each of them, and once to its end. */
async function dyingAtEachChange(
  start: () => Promise<Files>,
  work: (storage: MemoryStorage) => Promise<unknown>,
  check: (files: Files, where: string) => Promise<void>,
): Promise<number> {
  for (let at = 1; ; at++) {
    const files = await start()
    const storage = new DyingStorage(files, at)
    await work(storage).catch((error: unknown) => {
      if (!(error instanceof Crash)) throw error
    })
    await check(files, `before change ${at}`)
    if (storage.changes < at) return at - 1
  }
}

const coded = (code: SluiceError['code'], words: string) => (error: unknown) => {
  assert.ok(error instanceof SluiceError && error.code === code, String(error))
  assert.ok(error.message.includes(words), error.message)
  return true
}

describe('a rewind', () => {
  test('lets the batches that were taken back come again as they were logged, with their numbers', async () => {
    for (const to of [0, 1, 2, 3, 4]) {
      const { files, ledger } = await killedQuery()
      const done = await rewind(new MemoryStorage(files), to, tools())
      if (to < 4) assert.deepEqual(done, { last: to, takenBack: [1, 2, 3, 4, 5].slice(to) })
      else assert.equal(done, undefined)
      const checkpoint = await Checkpoint.open(new MemoryStorage(files), options())
      assert.equal(checkpoint.last, to)
      assert.equal(await loadSum(checkpoint), ((to * 3 + 3) * (to * 3 + 4)) / 2, 'the state after that batch')
      await checkpoint.close()
      // The sink compares what comes again with what it has; it may also have lost it.
      if (to % 2 === 0) for (const batchId of done?.takenBack ?? []) ledger.delete(batchId)
      await assertGoesOn(files, ledger)
      assert.deepEqual([...(ledger.get(5) ?? [])], [16, 17, 18])
    }
  })

  test('is sound wherever it is interrupted, and can be finished or left at that', async () => {
    let ledger: Ledger = new Map()
    const start = async () => {
      const killed = await killedQuery()
      ledger = killed.ledger
      return killed.files
    }
    const changes = await dyingAtEachChange(
      start,
      (storage) => rewind(storage, 3, tools()),
      async (files, where) => {
        const { problems } = await verify(new MemoryStorage(files))
        assert.deepEqual(problems, [], where)
        const finished = new Map(files)
        await assertGoesOn(files, new Map(ledger))
        await rewind(new MemoryStorage(finished), 3, tools())
        const checkpoint = await Checkpoint.open(new MemoryStorage(finished), options())
        assert.equal(checkpoint.last, 3, where)
        await checkpoint.close()
        await assertGoesOn(finished, new Map(ledger))
      },
    )
    assert.ok(changes >= 10, String(changes))
  })

  test('goes behind a damaged commit, and can be done again before all batches are back', async () => {
    const { files, ledger } = await killedQuery()
    files.set('commits/4', new Uint8Array(3))
    await assert.rejects(Checkpoint.open(new MemoryStorage(files), options()), /CHECKPOINT_CORRUPT/)
    await rewind(new MemoryStorage(files), 3, tools())
    const checkpoint = await Checkpoint.open(new MemoryStorage(files), options())
    await runBatches(checkpoint, ledgerSink(ledger), 15, () => 3, KEEP)
    await checkpoint.close()
    assert.deepEqual((await rewind(new MemoryStorage(files), 1, tools()))?.takenBack, [2, 3, 4, 5])
    await assertGoesOn(files, ledger)
  })

  test('is refused, and touches nothing, where it could not be exact', async () => {
    const { files } = await killedQuery()
    const refused: readonly (readonly [
      to: number,
      gone: string,
      code: SluiceError['code'],
      words: string,
    ])[] = [
      [7, '', 'CHECKPOINT_BATCH_UNKNOWN', 'has not kept batch 7: it has batches 0 to 4'],
      [5, '', 'CHECKPOINT_BATCH_UNKNOWN', 'batch 5'],
      [1, 'state/sum/1.1.delta.parquet', 'CHECKPOINT_CORRUPT', 'state/sum/1.1.delta.parquet'],
      [1, 'offsets/1', 'CHECKPOINT_CORRUPT', 'offsets/1'],
      [1, 'offsets/3', 'CHECKPOINT_CORRUPT', 'offsets/3 in the checkpoint memory is missing, and without it'],
      [
        1,
        'commits/4',
        'CHECKPOINT_CORRUPT',
        'commits/4 in the checkpoint memory is missing although epochs/2',
      ],
      [1, 'metadata', 'CHECKPOINT_CORRUPT', 'metadata'],
    ]
    for (const [to, gone, code, words] of refused) {
      const damaged = new Map([...files].filter(([path]) => path !== gone))
      const before = new Map(damaged)
      await assert.rejects(rewind(new MemoryStorage(damaged), to, tools()), coded(code, words), gone)
      assert.deepEqual(damaged, before, gone)
    }
    await assert.rejects(rewind(new MemoryStorage(), 0, tools()), coded('CHECKPOINT_ABSENT', 'memory'))
  })
})

describe('work by hand', () => {
  test('is refused while a query lives, and fences one that slept', async () => {
    const { files } = await killedQuery()
    const before = new Map(files)
    const alive = { ...tools(), processes: processesThatAre('alive') }
    const storage = new MemoryStorage(files)
    await assert.rejects(rewind(storage, 1, alive), coded('CHECKPOINT_IN_USE', 'process 4711'))
    await assert.rejects(dropUncommitted(storage, alive), coded('CHECKPOINT_IN_USE', 'process 4711'))
    assert.deepEqual(files, before)

    const slept = await Checkpoint.open(storage, options())
    await rewind(storage, 1, tools())
    await assert.rejects(
      slept.logCommit({ batchId: 5, epoch: slept.epoch, nextWatermarkMs: 5, state: [] }),
      (error) => hasCode(error, 'CHECKPOINT_FENCED') || hasCode(error, 'CHECKPOINT_MISUSE'),
    )
    await assert.rejects(slept.assertHeld(), coded('CHECKPOINT_FENCED', 'replaced by epoch 4'))
    assert.equal(files.has('commits/5'), false)
  })
})

describe('a repair', () => {
  test('drops what was logged after the last commit, damaged or not, wherever it is interrupted', async () => {
    const start = async () => {
      const { files } = await killedQuery()
      files.set('offsets/5', new Uint8Array(3))
      files.set('state/sum/5.2.delta.parquet', new Uint8Array(3))
      return files
    }
    await assert.rejects(Checkpoint.open(new MemoryStorage(await start()), options()), /offsets\/5/)
    const changes = await dyingAtEachChange(
      start,
      (storage) => dropUncommitted(storage, tools()),
      async (files, where) => {
        // Interrupted before it came to anything, it is to be done again.
        const done = await dropUncommitted(new MemoryStorage(files), tools())
        if (done) assert.deepEqual(done, { last: 4, dropped: [5] }, where)
        const checkpoint = await Checkpoint.open(new MemoryStorage(files), options())
        assert.deepEqual([checkpoint.last, checkpoint.pending], [4, undefined], where)
        await checkpoint.close()
      },
    )
    assert.ok(changes >= 4, String(changes))
  })

  test('drops what a rewind has taken back, too, and does nothing where there is nothing', async () => {
    const { files } = await killedQuery()
    await rewind(new MemoryStorage(files), 2, tools())
    const storage = new MemoryStorage(files)
    assert.deepEqual(await dropUncommitted(storage, tools()), { last: 2, dropped: [3, 4, 5] })
    const before = new Map(files)
    assert.equal(await dropUncommitted(storage, tools()), undefined)
    assert.deepEqual(files, before)
    // The numbers are given to other rows: the sink of a test that starts anew sees each row once.
    const ledger: Ledger = new Map([[0, [1, 2, 3, 4, 5, 6, 7, 8, 9]]])
    const sum = await runQuery(storage, ledgerSink(ledger), END, () => 4, options(), KEEP)
    assertExact(ledger, sum, END)
  })
})

describe('a fork', () => {
  test('gives another query that goes on from where the original stands, and leaves that as it was', async () => {
    const { files, ledger } = await killedQuery()
    const before = new Map(files)
    const original = new MemoryStorage(files)
    for (const [at, last] of [
      [undefined, 4],
      [1, 1],
    ] as const) {
      const copy = new MemoryStorage()
      const done = await fork(original, copy, options().clock, at)
      assert.equal(done.last, last)
      assert.notEqual(done.queryId, (await storedQuery(original)).queryId)
      assert.equal((await storedQuery(copy)).queryId, done.queryId)
      assert.deepEqual((await verify(copy)).problems, [])
      const own = new Map([...ledger].filter(([batchId]) => batchId <= last))
      await assertGoesOn(copy.files, own)
    }
    assert.deepEqual(files, before)
  })

  test('leaves nothing that a query could start on when it is interrupted', async () => {
    const { files } = await killedQuery()
    const original = new MemoryStorage(files)
    const changes = await dyingAtEachChange(
      async () => new Map(),
      (copy) => fork(original, copy, options().clock),
      async (copy, where) => {
        if (copy.size === 0 || copy.has('metadata')) return
        const start = Checkpoint.open(new MemoryStorage(copy), options())
        await assert.rejects(start, coded('CHECKPOINT_CORRUPT', 'metadata'), where)
      },
    )
    assert.equal(changes, 3 + 3 + 1, 'state, the log and the beginning, metadata')
  })

  test('goes only to an empty place', async () => {
    const { files } = await killedQuery()
    const original = new MemoryStorage(files)
    const { clock } = options()
    await assert.rejects(fork(original, original, clock), coded('CHECKPOINT_TAKEN', 'memory'))
    const strange = new MemoryStorage(new Map([['notes', new Uint8Array(1)]]))
    await assert.rejects(fork(original, strange, clock), coded('CHECKPOINT_FOREIGN', 'notes'))
    await assert.rejects(
      fork(original, new MemoryStorage(), clock, 9),
      coded('CHECKPOINT_BATCH_UNKNOWN', 'batch 9'),
    )
    await assert.rejects(
      fork(new MemoryStorage(), new MemoryStorage(), clock),
      coded('CHECKPOINT_ABSENT', 'memory'),
    )
  })
})

describe('a look at a checkpoint', () => {
  test('verify finds what would stop a start or a rewind, and nothing else', async () => {
    const { files } = await killedQuery()
    await rewind(new MemoryStorage(files), 3, tools())
    assert.deepEqual((await verify(new MemoryStorage(files))).problems, [])
    let [stopped, hindered] = [0, 0]
    for (const path of files.keys()) {
      const whole = files.get(path) as Uint8Array
      for (const change of ['missing', 'halved'] as const) {
        const damaged = new Map(files)
        if (change === 'missing') damaged.delete(path)
        else damaged.set(path, whole.subarray(0, whole.length >> 1))
        const verdict = await verify(new MemoryStorage(damaged)).catch((error: unknown) => {
          assert.ok(hasCode(error, 'CHECKPOINT_ABSENT'), String(error))
          return undefined
        })
        const start = await startOf(new Map(damaged))
        const told = verdict?.problems.filter(({ stops }) => stops === 'start') ?? []
        assert.equal(told.length > 0, start !== undefined, `${path} ${change}: ${start}, ${told[0]?.error}`)
        if (start) {
          stopped += 1
          assert.ok(
            told.some(({ error }) => error.message === start),
            `${path} ${change}: ${start}`,
          )
        } else hindered += verdict?.problems.length ?? 0
      }
    }
    assert.ok(stopped > 10 && hindered > 5, `${stopped} ${hindered}`)
  })

  test('is not confused by a query that runs meanwhile', async () => {
    const files: Files = new Map()
    const storage = new MemoryStorage(files)
    await runQuery(storage, ledgerSink(new Map()), 30, () => 1, options(), 3)
    const checkpoint = await Checkpoint.open(storage, options())
    let [end, steps] = [30, 0]
    // Before each read of the one who looks, the query makes a batch and purges.
    class Busy extends MemoryStorage {
      override async read(path: string) {
        await this.#goOn()
        return super.read(path)
      }
      override async list(folder: string, limit?: number) {
        await this.#goOn()
        return super.list(folder, limit)
      }
      async #goOn() {
        steps += 1
        end += 1
        await runBatches(checkpoint, ledgerSink(new Map()), end, () => 1, 3)
      }
    }
    const busy = new Busy(files)
    assert.deepEqual((await verify(busy)).problems, [])
    assert.ok(steps > 10, String(steps))
    const { queryId } = await storedQuery(busy)
    for (const { damage } of await storedBatches(busy, queryId)) assert.deepEqual(damage, [])
    await checkpoint.close()
  })

  test('tells what each batch is, and who held the checkpoint', async () => {
    const { files } = await killedQuery()
    await rewind(new MemoryStorage(files), 3, tools())
    files.set('commits/2', new Uint8Array(3))
    const storage = new MemoryStorage(files)
    const query = await storedQuery(storage)
    assert.deepEqual(
      [query.sources, query.holder?.epoch, query.holder?.standing],
      [['numbers'], 3, 'released'],
    )
    const batches = await storedBatches(storage, query.queryId)
    assert.deepEqual(
      batches.map(({ batchId, standing, intent, commit, damage }) => [
        batchId,
        standing,
        intent?.sources[0]?.rows,
        commit?.stateFiles.length,
        damage.length,
      ]),
      [
        [0, 'committed', 3, 1, 0],
        [1, 'committed', 3, 2, 0],
        [2, 'committed', 3, undefined, 1],
        [3, 'committed', 3, 2, 0],
        [4, 'rewound', 3, undefined, 0],
        [5, 'rewound', 3, undefined, 0],
      ],
    )
  })
})

/** Why a start is refused, reading all that it needs. */
async function startOf(files: Files): Promise<string | undefined> {
  try {
    if (!(await Checkpoint.exists(new MemoryStorage(files)))) return undefined
    const checkpoint = await Checkpoint.open(new MemoryStorage(files), options())
    await loadSum(checkpoint)
    await checkpoint.initialPosition(0)
    await runBatches(checkpoint, ledgerSink(new Map()), END, () => 3, KEEP)
    return undefined
  } catch (error) {
    assert.ok(error instanceof SluiceError, String(error))
    return error.message
  }
}
