import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Session } from '../../src/api/session.ts'
import type { Row } from '../../src/duckdb.ts'
import { silentLogger } from '../../src/log.ts'
import { SINKS, sinkFormats } from '../../src/sinks/index.ts'
import type { SinkContext } from '../../src/sinks/sink.ts'
import { MemoryStream } from '../../src/sources/memory.ts'

test('every sink is found under its own name, in any case', () => {
  const formats = sinkFormats()
  for (const [name, format] of Object.entries(SINKS)) {
    assert.equal(format.name, name)
    assert.equal(formats.get(name.toUpperCase()), format)
    assert.ok(Object.isFrozen(format))
  }
  assert.ok(Object.isFrozen(SINKS))
})

test('an unknown format is refused with the nearest name', () => {
  const formats = sinkFormats()
  assert.throws(() => formats.get('consol'), { code: 'FORMAT_UNKNOWN', message: /did you mean 'console'\?/ })
  for (const name of ['', 'constructor', '__proto__', 'postcard']) {
    assert.throws(() => formats.get(name), { code: 'FORMAT_UNKNOWN' }, name)
  }
})

/** A sink of a user's own: no built-in class or function of ours. */
class Shelf {
  readonly modes = ['append'] as const
  readonly guarantee = 'at-least-once'
  readonly options = { height: { kind: 'count', doc: 'in rows', default: '9' } } as const
  readonly rows: Row[] = []
  readonly contexts: SinkContext[] = []

  async open(context: SinkContext) {
    this.contexts.push(context)
    return {
      description: 'shelf',
      guarantee: this.guarantee,
      write: async (_: number, rows: { toObjects(): Promise<Row[]> }) =>
        void this.rows.push(...(await rows.toObjects())),
      close: async () => undefined,
    } as const
  }
}

test("a source and a sink of one's own are known by their names to the fluent API and to scripts", async () => {
  const session = await Session.create({ log: silentLogger })
  const [shelf, letters] = [new Shelf(), new MemoryStream({ letter: 'VARCHAR' })]
  session.registerSink('shelf', shelf)
  session.registerSource('letters', letters)
  letters.add({ letter: 'a' }, { letter: 'b' })
  const [query] = await session.run(`
    CREATE STREAM letters USING LETTERS;
    CREATE SINK out USING Shelf OPTIONS (height 3) AS SELECT letter, ascii(letter) AS code FROM letters;`)
  await query?.processAllAvailable()
  assert.deepEqual(shelf.rows, [
    { letter: 'a', code: 97 },
    { letter: 'b', code: 98 },
  ])
  assert.match(query?.explain() ?? '', /\n== Sink ==\nshelf, append mode, at-least-once: /)
  const fluent = session.readStream.format('letters').load().writeStream.format('SHELF')
  await (await fluent.trigger({ availableNow: true }).start()).awaitTermination()
  assert.equal(shelf.rows.length, 4)
  assert.equal(shelf.contexts[1]?.stop.aborted, true)
  await assert.rejects(fluent.option('widht', 1).start(), { code: 'OPTION_UNKNOWN' })
  await assert.rejects(fluent.outputMode('update').start(), { code: 'SINK_MODE' })
  session.registerSource('shaped', {
    takesColumns: true,
    schema: ({ columns }) => columns ?? [],
    describe: () => 'shaped',
    open: () => letters.open(),
  })
  const shaped = session.readStream.format('shaped').schema({ letter: 'VARCHAR' }).load()
  assert.deepEqual(await shaped.schema(), [{ name: 'letter', type: 'VARCHAR' }])
  await session.close()
})

test('a name is given once, and is one', async () => {
  const session = await Session.create({ log: silentLogger })
  session.registerSink('shelf', new Shelf())
  const names = { Console: 'that name already', SHELF: 'that name already', '': 'letter', 'a b': 'letter' }
  for (const [name, reason] of Object.entries(names)) {
    const expected = { code: 'FORMAT_NAME', message: new RegExp(reason) }
    assert.throws(() => session.registerSink(name, new Shelf()), expected, name)
  }
  assert.throws(() => session.registerSource('Kinesis', new MemoryStream({})), { code: 'FORMAT_NAME' })
  const other = await Session.create({ log: silentLogger })
  assert.throws(() => other.readStream.format('letters').load(), { code: 'FORMAT_UNKNOWN' })
  await Promise.all([session.close(), other.close()])
})
