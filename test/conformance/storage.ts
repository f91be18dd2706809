import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import type { Storage } from '../../src/checkpoint/storage.ts'
import { SluiceError } from '../../src/errors.ts'
import { CheckpointChild } from '../checkpoint/checkpoint-child.ts'

export interface StorageUnderTest {
  /** A fresh, empty location each time. */
  readonly location: () => Promise<string>
  readonly open: (location: string) => Promise<Storage>
}

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (content: Uint8Array | undefined) => content && new TextDecoder().decode(content)

/** Proves invariants T1 to T4 of the contract for one implementation. */
export function storageConformance(name: string, { location, open }: StorageUnderTest): void {
  const fresh = async () => open(await location())

  describe(`storage ${name}`, () => {
    test('T1 gives the name to the first writer and keeps its content', async () => {
      const storage = await fresh()
      assert.equal(await storage.create('offsets/0', bytes('first')), 'created')
      assert.equal(await storage.create('offsets/0', bytes('second')), 'exists')
      assert.equal(text(await storage.read('offsets/0')), 'first')
    })

    test('T1 lets exactly one of many concurrent writers win, and shows its whole content', async () => {
      const where = await location()
      const writers = await Promise.all(Array.from({ length: 24 }, () => open(where)))
      const outcomes = await Promise.all(
        writers.map((storage, i) => storage.create('offsets/7', bytes(`${i}`.repeat(50_000)))),
      )
      const winner = outcomes.indexOf('created')
      assert.equal(outcomes.filter((outcome) => outcome === 'created').length, 1)
      assert.equal(text(await writers[0]?.read('offsets/7')), `${winner}`.repeat(50_000))
    })

    test('T1 lets exactly one of several processes win each of many names', async () => {
      const where = await location()
      const names = 40
      const children = [0, 1, 2, 3].map((i) => new CheckpointChild('race', where, String(names), String(i)))
      for (const child of children) assert.equal(await child.line(), 'ready')
      for (const child of children) child.go()
      const won = await Promise.all(children.map(async (child) => JSON.parse(await child.line()) as number[]))
      for (const child of children) await child.ended()
      const storage = await open(where)
      for (let n = 0; n < names; n++) {
        const winners = won.flatMap((names, i) => (names.includes(n) ? [i] : []))
        assert.equal(winners.length, 1, `offsets/${n} was created by ${winners.length} processes`)
        assert.equal(text(await storage.read(`offsets/${n}`)), `written by ${winners[0]}`)
      }
    })

    test('T1 stores a local file whole, takes it away, and leaves it when the name is taken', async () => {
      const storage = await fresh()
      const big = Buffer.alloc(300_000, 'state')
      const file = await storage.scratchFile()
      await writeFile(file, big)
      assert.equal(await storage.createFrom('state/agg/0.1.delta.parquet', file), 'created')
      await assert.rejects(stat(file), { code: 'ENOENT' })
      const local = await storage.localFile('state/agg/0.1.delta.parquet')
      assert.deepEqual(await readFile(local ?? ''), big)

      const other = await storage.scratchFile()
      await writeFile(other, 'other')
      assert.equal(await storage.createFrom('state/agg/0.1.delta.parquet', other), 'exists')
      assert.equal(await readFile(other, 'utf8'), 'other')
      assert.deepEqual(Buffer.from((await storage.read('state/agg/0.1.delta.parquet')) ?? []), big)
    })

    test('T2 gives a name again only after it was removed', async () => {
      const storage = await fresh()
      await storage.create('commits/1', bytes('one'))
      await storage.remove('commits/1')
      assert.equal(await storage.read('commits/1'), undefined)
      assert.equal(await storage.create('commits/1', bytes('another')), 'created')
    })

    test('reads nothing where nothing is, and removes it without complaint', async () => {
      const storage = await fresh()
      assert.equal(await storage.read('offsets/0'), undefined)
      assert.equal(await storage.localFile('offsets/0'), undefined)
      assert.deepEqual(await storage.list(''), [])
      assert.deepEqual(await storage.list('offsets/'), [])
      await storage.remove('offsets/0')
    })

    test('keeps empty content apart from no content', async () => {
      const storage = await fresh()
      await storage.create('offsets/0', new Uint8Array())
      assert.equal((await storage.read('offsets/0'))?.length, 0)
    })

    test('T3 lists what is there, below the folder only, sorted, and no leftovers', async () => {
      const storage = await fresh()
      const paths = ['metadata', 'offsets/10', 'offsets/9', 'offsets-x/1', 'state/a/b/1', 'state/a-b']
      for (const path of paths) await storage.create(path, bytes(path))
      await writeFile(await storage.scratchFile(), 'half written')
      await storage.remove('offsets/9')
      const left = paths.filter((path) => path !== 'offsets/9').sort()
      assert.deepEqual(await storage.list(''), left)
      assert.deepEqual(await storage.list('offsets/'), ['offsets/10'])
      assert.deepEqual(await storage.list('state/'), ['state/a-b', 'state/a/b/1'])
      assert.equal((await storage.list('', 2)).length, 2)
    })

    test('T3 shows to one opening what another has created', async () => {
      const where = await location()
      const [one, two] = [await open(where), await open(where)]
      await one.create('offsets/0', bytes('zero'))
      assert.deepEqual(await two.list('offsets/'), ['offsets/0'])
      assert.equal(text(await two.read('offsets/0')), 'zero')
    })

    test('T4 refuses names that lead out of the location', async () => {
      const storage = await fresh()
      for (const path of ['', '/etc/x', '../x', 'a/../../x', 'a//b', '.hidden', 'a/.hidden', 'a/', 'a\0b']) {
        const refused = (error: unknown) =>
          error instanceof SluiceError && error.message.includes(storage.location)
        await assert.rejects(storage.create(path, bytes('x')), refused, JSON.stringify(path))
        await assert.rejects(storage.read(path), refused)
        await assert.rejects(storage.remove(path), refused)
      }
    })

    test('recovery keeps every file, and a writer whose leftovers it swept goes on', async () => {
      const where = await location()
      const [busy, holder] = [await open(where), await open(where)]
      await busy.create('offsets/0', bytes('zero'))
      await writeFile(await busy.scratchFile(), 'left behind')
      await holder.recover()
      assert.deepEqual(await holder.list(''), ['offsets/0'])
      assert.equal(await busy.create('offsets/1', bytes('one')), 'created')
      assert.equal(text(await holder.read('offsets/1')), 'one')
    })

    test('closing keeps the checkpoint, and may be repeated', async () => {
      const where = await location()
      const [first, second] = [await open(where), await open(where)]
      await first.create('offsets/0', bytes('zero'))
      await first.localFile('offsets/0')
      await writeFile(await first.scratchFile(), 'left behind')
      await first.close()
      await first.close()
      assert.deepEqual(await second.list(''), ['offsets/0'])
      assert.equal(text(await second.read('offsets/0')), 'zero')
    })
  })
}
