import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type Connection, Database } from '../../src/duckdb.ts'
import { JsonReader } from '../../src/json/json-reader.ts'
import { parsePayload } from '../../src/plan/payload.ts'
import { payloadStage } from '../../src/plan/payload-stage.ts'
import { recordsOf } from '../../src/rows.ts'
import type { SeededRandom } from '../../src/testing/seeded-random.ts'
import { forSeeds } from '../support/seeds.ts'

const SOURCE = [
  { name: 'data', type: 'BLOB' },
  { name: 'n', type: 'BIGINT' },
]

/** Spellings that are read, and others, right or wrong, that are left to DuckDB. */
interface Spellings {
  readonly plain: readonly string[]
  readonly other: readonly string[]
}

const INTEGERS: Spellings = {
  plain: ['0', '7', '-7', '99', '120'],
  other: ['-0', '1.0', '1e2', '007', '"7"', 'true', '-', '+1', '1 2', '999999999999999999999'],
}
const TEXTS: Spellings = {
  plain: [
    '""',
    '"x"',
    '"twelve bytes"',
    '"thirteen byte"',
    '"sixteen bytes ok"',
    '"ein Häuschen, 家 😀"',
    `"${'long '.repeat(50)}"`,
    '"\\"\\\\\\/\\b\\f\\n\\r\\t"',
    '"\\u0041\\u00e9\\u07ff\\u0800\\uD7FF\\uffff"',
    '"a text of many letters, \\u00fc, and of as many more \\n behind them"',
    `"${'\\u20AC'.repeat(40)}"`,
  ],
  other: [
    '"\\u0000"',
    '"\\ud83d\\ude00"',
    '"x\\udc00"',
    '"\\u12"',
    '"\\u12g4"',
    '"\\u004/"',
    '"\\x"',
    '"\\',
    '12',
    'true',
    '["x"]',
    '{"x":1}',
    '"open',
    '"tab\tin it"',
    '"\\ud800"',
  ],
}
const MOMENTS: Spellings = {
  plain: [
    '"2024-01-31T23:59:59Z"',
    '"2024-01-31 23:59:59"',
    '"2024-02-29T00:00:00.1Z"',
    '"2000-02-29T12:34:56.123456Z"',
    '"1969-12-31T23:59:59.999999Z"',
    '"0001-01-01T00:00:00Z"',
    '"9999-12-31T23:59:59.123Z"',
    '"2024-06-01T10:00:00.123000-05:30"',
    '"2024-06-01T10:00:00+14:00"',
    '"2024-03-01T00:00:00"',
  ],
  other: [
    '"2024-01-31"',
    '"2024-1-31T23:59:59Z"',
    '"2023-02-29T00:00:00Z"',
    '"1900-02-29T00:00:00Z"',
    '"2024-04-31T00:00:00Z"',
    '"2024-00-10T00:00:00Z"',
    '"2024-13-10T00:00:00Z"',
    '"2024-01-00T00:00:00Z"',
    '"2024-01-01T24:00:00Z"',
    '"2024-01-01T00:60:00Z"',
    '"2024-01-01T00:00:60Z"',
    '"2024-01-01T00:00:00.Z"',
    '"2024-01-01T00:00:00.1234567Z"',
    '"2024-01-01T00:00:00+0200"',
    '"2024-01-01T00:00:00+15:00"',
    '"2024-01-01T00:00:00+02:60"',
    '"2024-01-01T00:00:00 UTC"',
    '"2024-01-01T00:00Z"',
    '"0000-01-01T00:00:00Z"',
    '"infinity"',
    '1700000000',
  ],
}

/** What is no JSON, or not written as nearly all JSON is. */
const ODD = [
  '1e',
  '1e+',
  '[1,]',
  '[1 2]',
  '{"a"}',
  '{"a":01}',
  '["\\ud83d\\ude00"]',
  '{"a":"\\ud800"}',
  '["\\u0000"]',
  '["tab\tin it"]',
  '[nul]',
  '[',
  '{"a":[1}',
  'NaN',
  `${'['.repeat(40)}${']'.repeat(40)}`,
]
/** Whether these fit is for DuckDB to tell, of what has been found. */
const numbers: Spellings = {
  plain: [
    '0',
    '-0',
    '1.10',
    '-12.50',
    '123456789012345678901234567890',
    '170141183460469231731687303715884105728',
    '0.30000000000000004',
    '1e5',
    '-2.5E-10',
    '1e400',
    '1e-400',
    '-1E+400',
    `${'9'.repeat(400)}.5`,
    '16777217',
    '"1.5"',
    '"NaN"',
    '[1]',
    'true',
  ],
  other: ODD,
}
const parts: Spellings = {
  plain: [
    '[]',
    '{}',
    '[1,2,3]',
    '[ 1 ,\n null , 3 ]',
    '[1,"2",[3],{"a":4}]',
    '["x","\\u00e9 \\" \\\\","家 😀","\\/"]',
    '["2024-02-29"]',
    '[["2024-02-29",null],[],["x"]]',
    '{"a":1,"b":"x","c":[{"a":1.5},{"a":null}]}',
    '{"b":{ "deep" : [ 1.10 ] },"a":1,"a":2}',
    '{"a":1,"b":2}',
    '{"1":{"x" : 1},"-7":null}',
    '[{"at":"2024-01-31T23:59:59Z","l":{"k":["v",1]}}, {"l":{}}]',
    '123456789012345678901234567890',
    '1.10',
    '[1e5, -1.5E-7, 2e+99, 1e400]',
    '"text"',
    'true',
    `[${Array.from({ length: 300 }, (_, index) => index).join(', ')}]`,
    `${'['.repeat(30)}${']'.repeat(30)}`,
  ],
  other: ODD,
}

const SPELLINGS: Readonly<Record<string, Spellings>> = {
  VARCHAR: TEXTS,
  BOOLEAN: { plain: ['true', 'false'], other: ['"true"', '1', 'True', 'tru', 'falsy', 'truee'] },
  TINYINT: { plain: [...INTEGERS.plain, '127', '-128'], other: [...INTEGERS.other, '128', '-129'] },
  SMALLINT: { plain: [...INTEGERS.plain, '32767', '-32768'], other: [...INTEGERS.other, '32768', '-32769'] },
  INTEGER: {
    plain: [...INTEGERS.plain, '-2147483648', '2147483647'],
    other: [...INTEGERS.other, '2147483648'],
  },
  BIGINT: {
    plain: [...INTEGERS.plain, '999999999999999999', '-999999999999999999'],
    other: [...INTEGERS.other, '9223372036854775807', '9223372036854775808'],
  },
  UTINYINT: { plain: ['0', '255'], other: ['-1', '256', ...INTEGERS.other] },
  USMALLINT: { plain: ['0', '65535'], other: ['-1', '65536'] },
  UINTEGER: { plain: ['0', '4294967295'], other: ['-1', '4294967296'] },
  UBIGINT: { plain: ['0', '999999999999999999'], other: ['-1', '18446744073709551615'] },
  DOUBLE: {
    plain: [
      '0',
      '1',
      '-1.5',
      '0.1',
      '3.14159265358979',
      '9007199254740992',
      '-0.000001',
      '123456.789',
      '0.0',
      '1.10',
    ],
    other: [
      '-0',
      '-0.0',
      '1e5',
      '1E400',
      '.5',
      '5.',
      '01.5',
      '9007199254740993',
      '0.30000000000000004',
      '"NaN"',
      'NaN',
    ],
  },
  'DECIMAL(4,1)': { plain: ['0', '1.5', '-999.9', '7'], other: ['1000', '999.95', '1.55', '"1.5"', '-0.0'] },
  'DECIMAL(9,2)': { plain: ['0.01', '-1234567.89', '12.3', '7'], other: ['12345678', '0.005', '1e2'] },
  'DECIMAL(18,6)': {
    plain: ['0.000001', '123456789.123456', '-999999999999'],
    other: ['1000000000000', '1234567890.123456', '0.0000001'],
  },
  DATE: {
    plain: ['"2024-02-29"', '"0001-01-01"', '"9999-12-31"', '"1969-12-31"', '"2000-03-01"'],
    other: ['"2023-02-29"', '"2024-1-1"', '"2024-01-01T00:00:00Z"', '"infinity"', '19000', '"2024-01-011"'],
  },
  TIMESTAMP: MOMENTS,
  'TIMESTAMP WITH TIME ZONE': MOMENTS,
  UUID: { plain: ['"8c3c1d2e-0000-4000-8000-0123456789ab"', '"8C3C1D2E"', '"\\u0038"'], other: ['8', '[]'] },
  BLOB: { plain: ['"aGVsbG8="', '""', '"a\\/+="', '"\\/\\/\\/\\/"', '"not base64"'], other: ['12', 'null1'] },
  TIME: { plain: ['"12:34:56.5"', '"1:02"', '"25:00"', '"noon"'], other: ['12', 'true'] },
  FLOAT: numbers,
  HUGEINT: numbers,
  'DECIMAL(30,2)': numbers,
  JSON: parts,
  'INTEGER[]': parts,
  'VARCHAR[]': parts,
  'DATE[][]': parts,
  'STRUCT(a INTEGER, b VARCHAR, c STRUCT(a DOUBLE)[])': parts,
  'MAP(VARCHAR, INTEGER)': parts,
  'MAP(INTEGER, JSON)': parts,
  'STRUCT(at TIMESTAMP, l MAP(VARCHAR, VARCHAR[]))[]': parts,
}
const TYPES = Object.keys(SPELLINGS)
const NAMES = [
  'a',
  'ab',
  'kind',
  'userId',
  'eightchr',
  'nine char',
  'sixteen letters!',
  'a name of many letters',
  'é',
  '__proto__',
  'z',
]

/** Values that nobody asks for. */
const IGNORED: Spellings = {
  plain: [
    '1',
    '-0.25',
    '1e5',
    '-1.25E-07',
    '0e0',
    '9e+99',
    '1E400',
    '-1e-400',
    `${'9'.repeat(400)}e400`,
    'null',
    '"text \\" \\\\ \\n \\u00e9\\uFFff"',
    '[]',
    '{}',
    '[1,[2,{"a":[]}],"x"]',
    ' { "a" : [ true , null ] } ',
    `${'['.repeat(30)}${']'.repeat(30)}`,
  ],
  other: [
    `${'['.repeat(40)}${']'.repeat(40)}`,
    '"\\ud83d\\ude00"',
    '"\\ud800"',
    '"\\u12"',
    '1e',
    '1e+',
    '1.e5',
    '[1,]',
    '{"a"}',
    '[1 2]',
    '01',
    '1.',
    '"\\x"',
    'nul',
    '[',
  ],
}

interface Field {
  readonly name: string
  readonly type: string
}

const randomFields = (random: SeededRandom): Field[] => {
  const names = NAMES.filter(() => random.below(3) === 0)
  return (names.length > 0 ? names : ['a']).map((name) => ({ name, type: random.pick(TYPES) }))
}

/** @param odds of something that is not read, for each value */
function randomRecord(random: SeededRandom, fields: readonly Field[], odds: number): Buffer {
  const isOdd = () => random.next() < odds
  const blank = () => (random.below(6) === 0 ? random.pick([' ', '\n', '\t\r ', '    ']) : '')
  const members = fields
    .filter(() => random.below(12) > 0)
    .map(({ name, type }) => {
      const { plain, other } = SPELLINGS[type]!
      return [name, random.below(15) === 0 ? 'null' : random.pick(isOdd() ? other : plain)] as const
    })
  if (random.below(3) === 0)
    members.splice(random.below(members.length + 1), 0, [
      random.pick(['other', 'x', 'filling of a record', 'A', 'KIND', 'userid']),
      random.pick(isOdd() ? IGNORED.other : IGNORED.plain),
    ])
  if (isOdd()) members.push(random.pick(members) ?? ['a', '1'])
  const text = members.map(
    ([name, value]) => `${blank()}${JSON.stringify(name)}${blank()}:${blank()}${value}${blank()}`,
  )
  const bytes = Buffer.from(`${blank()}{${text.join(',') || blank()}}${blank()}`)
  if (isOdd()) return bytes.subarray(0, random.below(bytes.length))
  // What is no UTF-8 leaves thousands unread.
  const damage = random.below(40) === 0 ? [0xff, 0xc3] : [0, 0x0a, 0x22, 0x2c, 0x31, 0x5c, 0x7d, 0x20]
  if (isOdd()) bytes[random.below(bytes.length)] = random.pick(damage)
  return bytes
}

/** Records that one after the other would make another. */
function cutInTwo(records: Buffer[], random: SeededRandom): Buffer[] {
  return records.flatMap((record) => {
    if (random.below(20) > 0) return [record]
    const at = random.below(record.length + 1)
    return [record.subarray(0, at), record.subarray(at)]
  })
}

describe('records that are read while they are attached', () => {
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

  const stageOf = (
    fields: readonly Field[],
    options: Readonly<Record<string, string>> = {},
    wanted = fields,
  ) => {
    const schema = Object.defineProperties(
      {},
      Object.fromEntries(fields.map(({ name, type }) => [name, { value: type, enumerable: true }])),
    )
    const payload = parsePayload(schema, new Map(Object.entries(options)), SOURCE, 'test')!
    return payloadStage(payload, 'source', { columns: [SOURCE[1]!, ...wanted] })
  }

  /** Compares the ways of parsing row by row, in their order; gives how many records were not read. */
  async function unread(
    stage: ReturnType<typeof stageOf>,
    batches: readonly (readonly (Uint8Array | null)[])[],
    context: () => string,
  ): Promise<{ rows: number; unread: number }> {
    let n = 0
    const records = batches.map((batch) =>
      recordsOf(
        SOURCE,
        batch.map((data) => ({ data, n: BigInt(n++) })),
      ),
    )
    const { whole, rest } = stage
    const reader = JsonReader.of(rest!.columns)!
    await connection.attach(whole.raw, SOURCE, records, whole.rawColumns)
    await connection.run(whole.careful)
    await connection.run('CREATE OR REPLACE TEMP TABLE expected AS FROM source_parsed')
    await connection.attach(rest!.raw, SOURCE, records, rest!.rawColumns, reader)
    const columns = (await connection.describe('FROM expected')).map(
      ({ name }) => `"${name.replaceAll('"', '""')}"`,
    )
    const differs = columns.map((name) => `e.${name} IS DISTINCT FROM f.${name}`).join(' OR ')
    const first = `FROM (SELECT e, f FROM expected AS e POSITIONAL JOIN source_parsed AS f WHERE ${differs} LIMIT 1)`
    const isSame = async (way: string) => {
      reader.restart()
      await connection.run(way)
      assert.equal(reader.rows, n)
      assert.deepEqual(await connection.rows(first), [], context())
      assert.equal(await connection.value('SELECT count(*) FROM source_parsed'), BigInt(n))
    }
    await isSame(rest!.careful)
    const left = reader.unread
    await isSame(rest!.trusting)
    assert.equal(reader.unread, left)
    if (left === 0) await isSame(rest!.nothing)
    return { rows: n, unread: left }
  }

  test('are as DuckDB reads them, odd and cut short, few and many', async () => {
    setFlagsFromString('--expose-gc')
    const collectGarbage = runInNewContext('gc') as () => void
    let [rows, left] = [0, 0]
    await forSeeds(
      15,
      async (random) => {
        const fields = randomFields(random)
        const wanted = fields.filter(() => random.below(4) > 0)
        const odds = random.pick([0, 0.002, 0.02])
        const batches = Array.from({ length: 1 + random.below(4) }, () => {
          const length = random.pick([0, 1, 7, 63, 64, 65, 300, 300, 2049])
          const records = Array.from({ length }, () => randomRecord(random, fields, odds))
          const cut = odds > 0 ? cutInTwo(records, random) : records
          const odd: (Uint8Array | null)[] = [...cut]
          if (odds > 0 && random.below(10) === 0) odd.splice(random.below(length + 1), 0, null)
          if (odds > 0 && random.below(6) === 0)
            odd.splice(random.below(length + 1), 0, Buffer.alloc(1_100_000, 'x'))
          return odd
        })
        const corrupt = { name: 'the record', type: 'VARCHAR' }
        const stage =
          random.below(3) === 0
            ? stageOf([...fields, corrupt], { columnNameOfCorruptRecord: corrupt.name }, [...wanted, corrupt])
            : stageOf(fields, {}, wanted)
        const reading = unread(stage, batches, () => JSON.stringify(fields))
        collectGarbage()
        const found = await reading
        if (odds === 0) assert.equal(found.unread, 0, JSON.stringify(fields))
        rows += found.rows
        left += found.unread
      },
      2000,
    )
    assert.ok(left > rows / 100 && left < rows * 0.9, `${left} of ${rows} were not read`)
  })

  test('are read wherever their spelling is plain, and left wherever it is not', async () => {
    for (const [type, { plain, other }] of Object.entries(SPELLINGS)) {
      const stage = stageOf([{ name: 'a', type }])
      const leftOf = async (texts: readonly string[]) => {
        const records = texts.map((text) => Buffer.from(`{"a":${text}}`))
        return (await unread(stage, [records], () => type)).unread
      }
      assert.equal(await leftOf(plain), 0, type)
      assert.equal(await leftOf(other), other.length, type)
    }
  })

  test('may have any values that nobody asks for', async () => {
    const stage = stageOf([{ name: 'a', type: 'INTEGER' }])
    const leftOf = async (texts: readonly string[]) => {
      const records = texts.map((text) => Buffer.from(`{"x":${text},"a":1}`))
      return (await unread(stage, [records], () => texts.join())).unread
    }
    assert.equal(await leftOf(IGNORED.plain), 0)
    assert.equal(await leftOf(IGNORED.other), IGNORED.other.length)
  })

  test('are left when bytes are no UTF-8, in a value or in a name', async () => {
    const stage = stageOf([{ name: 'a', type: 'VARCHAR' }])
    for (const record of [
      '{"a":"\xff"}',
      '{"\xc3":1}',
      '{"x":"\xed\xa0\x80","a":"y"}',
      '{"x":["\xc3"],"a":"y"}',
    ]) {
      const data = Buffer.from(record, 'latin1')
      assert.equal((await unread(stage, [[data]], () => record)).unread, 1)
    }
  })

  test('fill the memory that they are read in to its end, and what is larger is left', async () => {
    const stage = stageOf([{ name: 'a', type: 'VARCHAR' }])
    const recordOf = (bytes: number) => Buffer.from(`{"a":"${'x'.repeat(bytes - 8)}"}`)
    const most = 1024 * 1024
    for (const [bytes, left] of [
      [most - 1, 0],
      [most, 0],
      [most + 1, 1],
      [3 * most, 1],
    ] as const) {
      const found = await unread(stage, [[recordOf(20), recordOf(bytes), recordOf(20)]], () => String(bytes))
      assert.deepEqual(found, { rows: 3, unread: left })
    }
    const many = Array.from({ length: 10_000 }, (_, index) => recordOf(300 + (index % 5)))
    assert.deepEqual(await unread(stage, [many, many.slice(0, 4097)], () => 'many'), {
      rows: 14_097,
      unread: 0,
    })
  })

  test('may count their time in seconds or milliseconds', async () => {
    for (const [format, values] of [
      ['epoch_seconds', ['0', '1700000000', '-62135596800', '253402300799', '253402300800']],
      ['epoch_millis', ['0', '1700000000123', '-1', '253402300799000', '253402300799001']],
    ] as const) {
      const stage = stageOf([{ name: 'a', type: 'TIMESTAMP' }], { timestampFormat: format })
      const records = values.map((value) => Buffer.from(`{"a":${value}}`))
      assert.equal((await unread(stage, [records], () => format)).unread, 1)
    }
  })

  test('may have moments in a pattern', async () => {
    const formats = { timestampFormat: "yyyy-MM-dd'T'HH:mm", dateFormat: '%d."%m".%Y' }
    const fields = [
      { name: 't', type: 'TIMESTAMP' },
      { name: 'd', type: 'DATE' },
    ]
    const records = ['{"t":"2024-01-31T23:59"}', '{"t":"2024"}', '{"d":"31.\\"01\\".2024"}', '{"d":20240131}']
    const found = await unread(stageOf(fields, formats), [records.map((each) => Buffer.from(each))], () => '')
    assert.equal(found.unread, 1)
  })

  test('may be malformed though they were read, and are then kept as they are', async () => {
    const fields = [
      { name: 'l', type: 'INTEGER[]' },
      { name: 'corrupt', type: 'VARCHAR' },
    ]
    for (const mode of ['PERMISSIVE', 'DROPMALFORMED', 'FAILFAST']) {
      const stage = stageOf(fields, { columnNameOfCorruptRecord: 'corrupt', mode })
      const records = ['{"l":[1]}', '{"l":["x"], "é":1}', '{"l":5}', '{}'].map((each) => Buffer.from(each))
      assert.equal((await unread(stage, [records], () => mode)).unread, 0)
      assert.equal(await connection.value(stage.countMalformed), 2n)
      await unread(stage, [[...records, Buffer.from('{"l":[')]], () => mode)
      assert.equal(await connection.value(stage.countMalformed), 3n)
    }
  })

  test('do not run into each other, however they are nested', async () => {
    const stage = stageOf([{ name: 'a', type: 'INTEGER[]' }])
    const open = Array.from({ length: 30 }, () => Buffer.from('{"a":['))
    const long = Buffer.from(`${'1,'.repeat(400_000)}1${']}'.repeat(30)}`)
    const found = await unread(stage, [[...open, long, Buffer.from('{"a":[1]}')]], () => '')
    assert.deepEqual(found, { rows: 32, unread: 31 })
  })

  test('are parsed by DuckDB alone where they are no JSON, or have more fields than are looked for', () => {
    assert.equal(stageOf([{ name: 'a', type: 'VARCHAR' }], { payloadFormat: 'text' }).rest, undefined)
    const many = Array.from({ length: 31 }, (_, index) => ({ name: `f${index}`, type: 'INTEGER' }))
    assert.equal(stageOf(many).rest, undefined)
    assert.notEqual(stageOf(many.slice(1)).rest, undefined)
  })
})
