import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { parseDuckType, typeText } from '../../src/duck-type.ts'
import { type Connection, Database, quoted, type Row } from '../../src/duckdb.ts'
import { JsonReader } from '../../src/json/json-reader.ts'
import { parsePayload } from '../../src/plan/payload.ts'
import { payloadStage } from '../../src/plan/payload-stage.ts'
import { recordsOf } from '../../src/rows.ts'
import type { SeededRandom } from '../../src/testing/seeded-random.ts'
import { forSeeds } from '../support/seeds.ts'
import { type Reading, type ReferenceField, readRecord, Unsure } from './payload-reference.ts'

const RECORDS = 300

const SCALARS = [
  'BIGINT',
  'INTEGER',
  'TINYINT',
  'UBIGINT',
  'DOUBLE',
  'BOOLEAN',
  'VARCHAR',
  'TIMESTAMP',
  'DATE',
  'BLOB',
  'DECIMAL(9,2)',
]
const NAMES = ['a', 'B', 'c d', 'é"', '__proto__', 'length']

function randomType(random: SeededRandom, depth = 0): string {
  const kind = depth > 2 ? 1 : random.next()
  if (kind < 0.12) return `${randomType(random, depth + 1)}[]`
  if (kind < 0.22) return `MAP(${random.pick(['VARCHAR', 'INTEGER'])}, ${randomType(random, depth + 1)})`
  if (kind < 0.34) return `STRUCT(x ${randomType(random, depth + 1)}, "y z" ${randomType(random, depth + 1)})`
  return random.pick(SCALARS)
}

/** JSON text that fits the type, more often than not. */
function randomJson(random: SeededRandom, type: ReferenceField['type']): string {
  const some = (make: () => string, most: number) => Array.from({ length: random.below(most + 1) }, make)
  const odds = random.next()
  if (odds < 0.08) return 'null'
  if (odds < 0.13) return random.pick(ODD)
  switch (type.kind) {
    case 'list':
      return `[${some(() => randomJson(random, type.child), 4).join(random.pick([',', ' , ']))}]`
    case 'struct': {
      const fields = type.fields.filter(() => random.next() < 0.9)
      return `{${fields.map(({ name, type: child }) => `${JSON.stringify(name)}:${randomJson(random, child)}`).join(',')}}`
    }
    case 'map': {
      const key = () => random.pick(['1', '2', '-7', '03', '2147483648', 'x', 'é', '1', ''])
      return `{${some(() => `${JSON.stringify(key())}: ${randomJson(random, type.value)}`, 3).join(',')}}`
    }
    case 'decimal':
      return random.pick([
        '1.5',
        '-12.34',
        '0.005',
        '12.345',
        '9999999.99',
        '9999999.999',
        '12345678',
        '"3.14"',
        '"12345678.00"',
        '-0',
        '7',
      ])
    case 'scalar':
      return random.pick(FITTING[type.name]!)
    case 'array':
      return '[]'
  }
}

const FITTING: Readonly<Record<string, readonly string[]>> = {
  BIGINT: [
    '0',
    '-0',
    '1e2',
    '10E1',
    '1.0',
    '1',
    '-1',
    '9007199254740993',
    '9223372036854775807',
    '-9223372036854775808',
    '9223372036854775808',
    '-9223372036854775809',
  ],
  INTEGER: ['0', '-0', '12', '12.0', '-2147483648', '2147483647', '2147483648'],
  TINYINT: ['0', '127', '-128', '128', '-129'],
  UBIGINT: ['0', '18446744073709551615', '18446744073709551616', '-1'],
  DOUBLE: [
    '0',
    '1',
    '-1.5',
    '1e308',
    '1.7e308',
    '1e309',
    '-1e400',
    '0.1',
    '1e-400',
    '9007199254740993',
    '"NaN"',
    '"-Infinity"',
    'NaN',
    'Infinity',
  ],
  BOOLEAN: ['true', 'false', 'true', 'false', '1', '"true"'],
  VARCHAR: [
    '""',
    '"x"',
    '"é😀"',
    '"a\\u0000b"',
    '"\\ud83d\\ude00"',
    '"\\ud800"',
    '"\\"\\\\\\/"',
    '12',
    '-3.25',
    'true',
    '[1, null ,"x"]',
    '{"k" : {"l":[ ]}}',
  ],
  TIMESTAMP: [
    '"2024-01-31T23:59:59Z"',
    '"2024-01-31T23:59:59\\u005a"',
    '"2024-02-29 12:00:00.123+02:00"',
    '"2023-02-29T00:00:00"',
    '"1969-12-31"',
    '"2024-06-01T10:00:00.123000-05:30"',
    '"infinity"',
    '"epoch"',
    '1700000000',
  ],
  DATE: [
    '"2024-02-29"',
    '"2024\\u002d02-29"',
    '"2023-02-29"',
    '"0001-01-01"',
    '"9999-12-31"',
    '"2024-01-01T00:00:00Z"',
    '"infinity"',
    '19000',
  ],
  BLOB: ['""', '"aGk="', '"AAECAw=="', '"aGk"', '"!"', '"/+8="'],
}

/** Values that fit few types. */
const ODD = [
  'true',
  '-7',
  '1.5',
  '1e400',
  '"x"',
  '"12"',
  '""',
  '[]',
  '{}',
  '[[1]]',
  '{"x":1}',
  '99999999999999999999',
  '"2024-01-01"',
]

const NO_OBJECTS = [
  '',
  ' ',
  'null',
  ' [1]',
  '[{"a":1}]',
  '"{"',
  ' 5',
  '{"a":1}{"a":2}',
  '{"a":1} x',
  '\ufeff{"a":1}',
]

function randomRecord(random: SeededRandom, fields: readonly ReferenceField[]): Uint8Array {
  const present = fields.filter(() => random.next() < 0.9)
  const extra = random.next() < 0.2 ? [{ name: 'other', type: parseDuckType('VARCHAR') }] : []
  const again = random.next() < 0.05 ? present.slice(0, 1) : []
  const entries = [...present, ...extra, ...again].map(
    ({ name, type }) => `${JSON.stringify(name)}:${randomJson(random, type)}`,
  )
  if (random.next() < 0.03) return Buffer.from(random.pick(NO_OBJECTS))
  const bytes = Buffer.from(`${random.pick(['', '', ' '])}{${entries.join(',')}}${random.pick(['', '\n'])}`)
  const damage = random.next()
  if (damage < 0.05) return bytes.subarray(0, random.below(bytes.length))
  if (damage < 0.15)
    bytes[random.below(bytes.length)] = random.pick([0, 0x22, 0x2c, 0x31, 0x5b, 0x7d, 0xff, 0xc3, 0x65, 0x20])
  return bytes
}

describe('JSON payloads against a reader in plain TypeScript', () => {
  let database: Database
  let connection: Connection

  before(async () => {
    database = await Database.open()
    connection = await database.connect()
  })

  after(() => {
    connection.close()
    database.close()
  })

  test('give the same values, and the same records are malformed', async () => {
    let [records, skipped, malformed] = [0, 0, 0]
    await forSeeds(30, async (random) => {
      const names = NAMES.filter(() => random.next() < 0.6)
      const fields = (names.length > 0 ? names : ['a']).map((name) => ({
        name,
        type: parseDuckType(randomType(random)),
      }))
      const data = Array.from({ length: RECORDS }, () => randomRecord(random, fields))
      const rows = await parsed(fields, data)
      for (const [index, bytes] of data.entries()) {
        const expected = attempt(() => readRecord(bytes, fields))
        records++
        if (!expected) {
          skipped++
          continue
        }
        if (expected.isMalformed) malformed++
        const { corrupt, ...values } = rows[index]!
        const found = { values: Object.values(values), isMalformed: corrupt !== null }
        const types = fields.map(({ type }) => typeText(type)).join(' | ')
        assert.deepEqual(found, expected, `${Buffer.from(bytes).toString()} as ${types}`)
      }
    })
    // An oracle that skips, or that meets one kind of record alone, proves nothing.
    assert.ok(skipped < records / 10, `${skipped} of ${records} skipped`)
    assert.ok(malformed > records / 10 && malformed < records * 0.9, `${malformed} of ${records} malformed`)
  })

  async function parsed(fields: readonly ReferenceField[], data: readonly Uint8Array[]): Promise<Row[]> {
    const columns = [{ name: 'data', type: 'BLOB' }]
    const schema = Object.fromEntries([
      ...fields.map(({ name, type }) => [name, typeText(type)]),
      ['corrupt', 'VARCHAR'],
    ])
    const options = new Map([['columnNameOfCorruptRecord', 'corrupt']])
    const payload = parsePayload(schema as Record<string, string>, options, columns, 'test')!
    const stage = payloadStage(payload, 'source')
    const records = [
      recordsOf(
        columns,
        data.map((bytes) => ({ data: bytes })),
      ),
    ]
    const { whole, rest } = stage
    await connection.attach(whole.raw, columns, records, whole.rawColumns)
    const ways = [whole.trusting]
    if (rest) {
      const reader = JsonReader.of(rest.columns)!
      await connection.attach(rest.raw, columns, records, rest.rawColumns, reader)
      ways.push(rest.careful, rest.trusting)
    }
    // The same in all ways of parsing, whatever is malformed.
    await connection.run(whole.careful)
    await connection.run('CREATE OR REPLACE TEMP TABLE careful AS FROM source_parsed')
    for (const way of ways) {
      await connection.run(way)
      const differing = `(FROM source_parsed EXCEPT ALL FROM careful) UNION ALL (FROM careful EXCEPT ALL FROM source_parsed)`
      assert.deepEqual(await connection.rows(differing), [], way)
    }
    await connection.run(stage.view)
    // By number, for an object cannot have every name.
    const items = fields.map(({ name }, index) => `${quoted(name)} AS "${index}"`)
    return connection.rows(`SELECT ${items.join(', ')}, corrupt FROM source`)
  }
})

function attempt(read: () => Reading): Reading | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof Unsure) return undefined
    throw error
  }
}
