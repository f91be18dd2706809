import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Connection, Database, type Row } from '../../src/duckdb.ts'
import { hasCode } from '../../src/errors.ts'
import { PAYLOAD_OPTIONS, parsePayload, splitPayloadOptions } from '../../src/plan/payload.ts'
import { payloadSchema, payloadStage } from '../../src/plan/payload-stage.ts'
import { parseSchemaText } from '../../src/plan/schema-text.ts'
import { recordsOf } from '../../src/rows.ts'
import { forSeeds } from '../support/seeds.ts'

const SOURCE = [
  { name: 'data', type: 'BLOB' },
  { name: 'shardId', type: 'VARCHAR' },
]

type Options = Readonly<Record<string, string>>

const payloadOf = (fields: string | undefined, options: Options = {}) =>
  parsePayload(
    fields === undefined ? undefined : parseSchemaText(fields),
    new Map(Object.entries(options)),
    SOURCE,
    'stream',
  )

const refusedAs = (code: Parameters<typeof hasCode>[1], text: RegExp) => (error: unknown) =>
  hasCode(error, code) && text.test((error as Error).message)

describe('a payload', () => {
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

  /** Rows without the columns of the source, and why each record is malformed. */
  async function read(
    fields: string | undefined,
    records: readonly (string | Uint8Array | null)[],
    options: Options = {},
  ): Promise<Row[]> {
    const payload = payloadOf(fields, options)!
    const stage = payloadStage(payload, 'source')
    const data = records.map((record) => ({
      data: typeof record === 'string' ? Buffer.from(record) : record,
    }))
    await connection.attach(stage.whole.raw, SOURCE, [recordsOf(SOURCE, data)])
    await connection.run(stage.whole.careful)
    await connection.run(stage.view)
    return connection.rows('SELECT * EXCLUDE (data, "shardId") FROM source')
  }

  async function reasons(
    fields: string | undefined,
    records: readonly (string | Uint8Array)[],
    options: Options = {},
  ): Promise<unknown[]> {
    await read(fields, records, options)
    const rows = await connection.rows('SELECT "malformed because" AS reason FROM source_parsed')
    return rows.map(({ reason }) => reason)
  }

  const HOSTILE: readonly (readonly [name: string, record: string | Uint8Array, reason: string | null])[] = [
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'it is no UTF-8 text'],
    ['UTF-8 of half a character', Buffer.from('{"s":"\xed\xa0\x80"}', 'latin1'), 'it is no UTF-8 text'],
    ['nothing', '', 'it is not one JSON object'],
    ['a NUL', '\0', 'it is not one JSON object'],
    ['a NUL before the object', '\0{"n":1}', 'it is not one JSON object'],
    ['a byte order mark', '\ufeff{"n":1}', 'it is not one JSON object'],
    ['half an object', '{"n":1', 'it is not one JSON object'],
    ['two objects', '{"n":1}{"n":2}', 'it is not one JSON object'],
    ['an array of objects', '[{"n":1}]', 'it is not one JSON object'],
    ['null', 'null', 'it is not one JSON object'],
    ['an escaped half of a character', '{"n":1,"s":"\\ud800"}', 'it is not one JSON object'],
    ['an integer beyond BIGINT', '{"n":9223372036854775808}', 'n does not fit BIGINT'],
    ['a number beyond DOUBLE', '{"d":1e400}', 'd does not fit DOUBLE'],
    ['a number beyond DOUBLE for a BIGINT', '{"n":1e400}', 'n does not fit BIGINT'],
    ['a fraction for a BIGINT', '{"n":1.5}', 'n does not fit BIGINT'],
    ['a whole number with a fraction of nothing for a BIGINT', '{"n":1.0}', 'n does not fit BIGINT'],
    ['a text for a BIGINT', '{"n":"1"}', 'n does not fit BIGINT'],
    ['true for a BIGINT', '{"n":true}', 'n does not fit BIGINT'],
    ['an object for a BIGINT', '{"n":{}}', 'n does not fit BIGINT'],
    ['a list for a BIGINT', '{"n":[1]}', 'n does not fit BIGINT'],
    ['a text for a DOUBLE', '{"d":"1.5"}', 'd does not fit DOUBLE'],
    ['a number for a BOOLEAN', '{"b":1}', 'b does not fit BOOLEAN'],
    ['a number for a TIMESTAMP', '{"t":1700000000}', 't does not fit TIMESTAMP'],
    ['no date for a TIMESTAMP', '{"t":"2024-02-30"}', 't does not fit TIMESTAMP'],
    ['the end of time', '{"t":"infinity"}', 't does not fit TIMESTAMP'],
    ['too much for a DECIMAL', '{"m":100000000}', 'm does not fit DECIMAL(10,2)'],
    ['digits of a DECIMAL that a JSON number does not keep', '{"m":12345678.000000000001}', null],
    ['a field that is not there', '{}', null],
    ['null for every field', '{"n":null,"d":null,"b":null,"t":null,"s":null,"m":null}', null],
    ['a comma too many', '{"n":1,}', null],
    ['blanks around', ' \r\n\t{"n":1} ', null],
    ['an escaped NUL in a text', '{"s":"a\\u0000b"}', null],
    ['a deep value in a text', `{"s":${'['.repeat(20_000)}${']'.repeat(20_000)}}`, null],
    [
      'a deep value for a BIGINT',
      `{"n":${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
      'n does not fit BIGINT',
    ],
    ['a deep value that does not end', `{"n":${'['.repeat(200_000)}`, 'it is not one JSON object'],
    ['names of the language', '{"__proto__":{"n":1},"constructor":2,"n":3}', null],
  ]

  test('holds no record that fails a batch or passes for what it is not', async () => {
    const fields = 'n BIGINT, d DOUBLE, b BOOLEAN, t TIMESTAMP, s STRING, m DECIMAL(10,2)'
    const found = await reasons(
      fields,
      HOSTILE.map(([, record]) => record),
    )
    for (const [index, [name, , reason]] of HOSTILE.entries()) assert.equal(found[index], reason, name)
  })

  test('keeps the fields that fit beside those that do not, and the text of the record', async () => {
    const record = '{"a":1,"b":"x","c":{"p":"q","r":true},"l":[1,"2",3],"m":{"k":1,"j":[]}}'
    const fields =
      'a INT, b INT, c STRUCT<p: INT, r: BOOLEAN>, l ARRAY<INT>, m MAP<STRING, INT>, _corrupt_record STRING'
    assert.deepEqual(await read(fields, [record]), [
      {
        a: 1,
        b: null,
        c: { p: null, r: true },
        l: [1, null, 3],
        m: [
          { key: 'k', value: 1 },
          { key: 'j', value: null },
        ],
        _corrupt_record: record,
      },
    ])
  })

  test('says nothing of a record that is NULL, or that fits', async () => {
    assert.deepEqual(await read('a INT, _corrupt_record STRING', [null, '{"a":1}']), [
      { a: null, _corrupt_record: null },
      { a: 1, _corrupt_record: null },
    ])
  })

  test('shows bytes that are no text escaped in the corrupt column', async () => {
    const [row] = await read('a INT, bad STRING', [Buffer.from([0x41, 0xff])], {
      columnNameOfCorruptRecord: 'bad',
    })
    assert.equal(row?.['bad'], 'A\\xFF')
  })

  test('gives of a key that comes twice the first, and refuses it in a map', async () => {
    assert.deepEqual(
      await read('a INT, m MAP<STRING, INT>, _corrupt_record STRING', [
        '{"a":1,"a":2}',
        '{"m":{"k":1,"k":1}}',
      ]),
      [
        { a: 1, m: null, _corrupt_record: null },
        { a: null, m: null, _corrupt_record: '{"m":{"k":1,"k":1}}' },
      ],
    )
  })

  test('leaves malformed records out in mode DROPMALFORMED', async () => {
    const fields = 'a INT, _corrupt_record STRING'
    assert.deepEqual(await read(fields, ['{"a":1}', 'x', '{"a":2}'], { mode: 'dropMalformed' }), [
      { a: 1, _corrupt_record: null },
      { a: 2, _corrupt_record: null },
    ])
  })

  test('counts the offset of a timestamp, and takes one without as UTC', async () => {
    const times = ['2024-06-01T12:00:00Z', '2024-06-01T12:00:00+02:00', '2024-06-01 12:00:00', '2024-06-01']
    const rows = await read(
      't TIMESTAMP, z TIMESTAMP_LTZ',
      times.map((time) => JSON.stringify({ t: time, z: time })),
    )
    const expected = [
      '2024-06-01T12:00:00Z',
      '2024-06-01T10:00:00Z',
      '2024-06-01T12:00:00Z',
      '2024-06-01T00:00:00Z',
    ].map((time) => new Date(time))
    assert.deepEqual(
      rows,
      expected.map((time) => ({ t: time, z: time })),
    )
  })

  test('takes no number, and nothing else without quotes, for a moment', async () => {
    await forSeeds(10, async (random) => {
      const digits = (most: number) => String(random.below(10 ** (1 + random.below(most))))
      const number = () =>
        digits(12) +
        random.pick(['', `.${digits(6)}`]) +
        random.pick(['', `e-${digits(2)}`, `E+${digits(2)}`])
      const value = () => random.pick([number, number, number, () => `["${number()}"]`, () => 'true'])()
      const records = Array.from(
        { length: 300 },
        () => `{"t":${value()},"z":${value()},"d":${value()},"m":${value()}}`,
      )
      const rows = await read('t TIMESTAMP, z TIMESTAMP_LTZ, d DATE, m TIME, _corrupt_record STRING', records)
      for (const [index, row] of rows.entries()) {
        const { _corrupt_record, ...values } = row
        assert.deepEqual(values, { t: null, z: null, d: null, m: null }, records[index])
        assert.equal(_corrupt_record, records[index])
      }
    })
  })

  for (const [format, text, expected] of [
    ['%d/%m/%Y %H:%M', '"31/01/2024 23:59"', '2024-01-31T23:59:00Z'],
    ["yyyy-MM-dd'T'HH:mm:ss.SSSXXX", '"2024-01-31T23:59:00.500Z"', '2024-01-31T23:59:00.500Z'],
    ["yyyy-MM-dd'T'HH:mm:ss.SSSXXX", '"2024-01-31T23:59:00.500+01:00"', '2024-01-31T22:59:00.500Z'],
    ["d MMM yyyy, h:mm a '('''E''')'", `"1 Feb 2024, 1:05 PM ('Thu')"`, '2024-02-01T13:05:00Z'],
    ['epoch_seconds', '1700000000', '2023-11-14T22:13:20Z'],
    ['epoch_millis', '1700000000123', '2023-11-14T22:13:20.123Z'],
    // Taken for seconds, it would be the year 55,840.
    ['epoch_seconds', '1700000000123', null],
    ['epoch_millis', '"1700000000123"', null],
    ['%Y-%m-%d', '"2024-01-31T00:00:00Z"', null],
  ] as const) {
    test(`reads ${text} by the timestampFormat ${format} as ${expected ?? 'malformed'}`, async () => {
      const [row] = await read('t TIMESTAMP, _corrupt_record STRING', [`{"t":${text}}`], {
        timestampFormat: format,
      })
      assert.deepEqual(row?.['t'], expected === null ? null : new Date(expected))
      assert.equal(row?.['_corrupt_record'] === null, expected !== null)
    })
  }

  test('reads dates by the dateFormat', async () => {
    const rows = await read('d DATE', ['{"d":"31.12.2024"}', '{"d":"2024-12-31"}'], {
      dateFormat: 'dd.MM.yyyy',
    })
    assert.deepEqual(rows, [{ d: new Date('2024-12-31') }, { d: null }])
  })

  test('of the format csv is one line of values in the order of the fields', async () => {
    const fields = 'a INT, s STRING, t TIMESTAMP, _corrupt_record STRING'
    const t = new Date('2024-01-31')
    assert.deepEqual(
      await read(fields, ['1,x,2024-01-31', '2,"a,""b""\n",2024-01-31\r\n', ',,', '3,"",2024-01-31'], {
        payloadFormat: 'csv',
      }),
      [
        { a: 1, s: 'x', t, _corrupt_record: null },
        { a: 2, s: 'a,"b"\n', t, _corrupt_record: null },
        { a: null, s: null, t: null, _corrupt_record: null },
        { a: 3, s: '', t, _corrupt_record: null },
      ],
    )
    assert.deepEqual(
      await reasons(
        fields,
        [
          'x,y,2024-01-31',
          '1,x',
          '1,x,2024-01-31,4',
          '1,"x,2024-01-31',
          '1,x"y,2024-01-31',
          '1,x\n2,y,2024-01-31',
          ' 1,x,2024-01-31',
        ],
        { payloadFormat: 'csv' },
      ),
      [
        'a does not fit INTEGER',
        'it has another number of values than the schema',
        'it has another number of values than the schema',
        'it is not one line of separated values',
        'it is not one line of separated values',
        'it is not one line of separated values',
        'a does not fit INTEGER',
      ],
    )
  })

  for (const sep of ['tab', '\t', '|', ';', '.', ' ', '^', ']', '-', '\\', 'é']) {
    test(`of the format csv may be separated by ${JSON.stringify(sep)}`, async () => {
      const between = sep === 'tab' ? '\t' : sep
      assert.deepEqual(
        await read('a STRING, b STRING', [`x${between}"y${between}z"`], { payloadFormat: 'csv', sep }),
        [{ a: 'x', b: `y${between}z` }],
      )
    })
  }

  test('of the format csv knows its word for NULL from the same word in quotes', async () => {
    const rows = await read('a STRING', ['NA', '"NA"', ''], { payloadFormat: 'csv', nullValue: 'NA' })
    assert.deepEqual(rows, [{ a: null }, { a: 'NA' }, { a: '' }])
  })

  test('of the format text is one column, called value unless a schema names it', async () => {
    assert.deepEqual(await read(undefined, ['é\0', Buffer.from([0xff])], { payloadFormat: 'text' }), [
      { value: 'é\0' },
      { value: null },
    ])
    assert.deepEqual(
      await read('line STRING, _corrupt_record STRING', ['x', Buffer.from([0xff])], {
        payloadFormat: 'text',
      }),
      [
        { line: 'x', _corrupt_record: null },
        { line: null, _corrupt_record: '\\xFF' },
      ],
    )
  })

  test('has exactly the types that its schema declares', async () => {
    const fields =
      'a INT, b STRUCT<x: DECIMAL(5,1), y: ARRAY<MAP<STRING, DATE>>>, c JSON, d UUID, e BINARY, f TIME, g FLOAT, h HUGEINT, _corrupt_record STRING'
    await read(fields, ['{}'])
    const types = (await connection.describe('SELECT * FROM source')).map(({ type }) => type)
    const declared = await Promise.all(
      payloadSchema(payloadOf(fields)!).map(({ type }) => connection.value(`SELECT typeof(NULL::${type})`)),
    )
    assert.deepEqual(types, declared)
  })

  test('takes values of the less common types', async () => {
    const record =
      '{"c":{"k":[1,null]},"d":"6f9619ff-8b86-d011-b42d-00cf4fc964ff","f":"23:59:59.5","h":170141183460469231731687303715884105727}'
    assert.deepEqual(await read('c JSON, d UUID, f TIME, h HUGEINT, _corrupt_record STRING', [record]), [
      {
        c: '{"k":[1,null]}',
        d: '6f9619ff-8b86-d011-b42d-00cf4fc964ff',
        f: 86399500000n,
        h: 170141183460469231731687303715884105727n,
        _corrupt_record: null,
      },
    ])
  })
})

describe('the schema and options of a payload', () => {
  test('are told from those of the source, whatever the case', () => {
    const given = new Map(
      Object.entries({ streamName: 'x', MODE: 'FAILFAST', Delimiter: ';', payloadformat: 'csv' }),
    )
    const { payload, source } = splitPayloadOptions(given)
    assert.deepEqual([...source.keys()], ['streamName'])
    assert.deepEqual([...payload.keys()], ['MODE', 'Delimiter', 'payloadformat'])
    assert.ok(Object.values(PAYLOAD_OPTIONS).every(({ doc }) => doc.length > 0))
  })

  test('leave a stream as it is when there are none', () => {
    assert.equal(payloadOf(undefined), undefined)
  })

  for (const [name, fields, options, code, text] of [
    [
      'an option without a schema',
      undefined,
      { mode: 'FAILFAST' },
      'PAYLOAD_SCHEMA',
      /the options mode need one/,
    ],
    [
      'an unknown mode',
      'a INT',
      { mode: 'LENIENT' },
      'OPTION_INVALID',
      /PERMISSIVE \| DROPMALFORMED \| FAILFAST/,
    ],
    ['an unknown format', 'a INT', { payloadFormat: 'xml' }, 'OPTION_INVALID', /json \| csv \| text/],
    [
      'an option of another format',
      'a INT',
      { sep: ';' },
      'OPTION_UNKNOWN',
      /'sep' for the payload \(json\)/,
    ],
    [
      'a header',
      'a INT',
      { payloadFormat: 'csv', header: 'true' },
      'OPTION_INVALID',
      /'header'.*'true'.*give false/,
    ],
    [
      'a separator of two characters',
      'a INT',
      { payloadFormat: 'csv', sep: '||' },
      'OPTION_INVALID',
      /one character/,
    ],
    ['a pattern that no format knows', 'a DATE', { dateFormat: 'yyyy-QQ' }, 'OPTION_INVALID', /without 'QQ'/],
    [
      'a pattern that strptime does not know',
      'a DATE',
      { dateFormat: '%Y-%Q' },
      'OPTION_INVALID',
      /strptime/,
    ],
    [
      'a pattern with an open quote',
      'a DATE',
      { dateFormat: "yyyy'T" },
      'OPTION_INVALID',
      /quotes are closed/,
    ],
    ['no field', '_corrupt_record STRING', {}, 'PAYLOAD_SCHEMA', /no field/],
    [
      'a corrupt column of another type',
      'a INT, _corrupt_record INT',
      {},
      'PAYLOAD_SCHEMA',
      /_corrupt_record has to be a VARCHAR/,
    ],
    ['a column of the source', 'SHARDID STRING', {}, 'COLUMN_CLASH', /'SHARDID'/],
    ['a field twice', 'a INT, A STRING', {}, 'COLUMN_CLASH', /another field/],
    ['a type that is none', 'a NUMBER<', {}, 'TYPE_UNKNOWN', /NUMBER/],
    [
      'a type that JSON cannot hold',
      'a INTERVAL',
      {},
      'PAYLOAD_SCHEMA',
      /json payload cannot hold a INTERVAL/,
    ],
    ['a map by lists', 'a MAP<ARRAY<INT>, INT>', {}, 'PAYLOAD_SCHEMA', /cannot hold/],
    [
      'a list in a line of values',
      'a ARRAY<INT>',
      { payloadFormat: 'csv' },
      'PAYLOAD_SCHEMA',
      /csv payload cannot hold/,
    ],
    ['two texts of one', 'a STRING, b STRING', { payloadFormat: 'text' }, 'PAYLOAD_SCHEMA', /one VARCHAR/],
    [
      'bad records of batches that are never written',
      'a INT',
      { mode: 'FAILFAST', badRecordsPath: '/x' },
      'PAYLOAD_SCHEMA',
      /FAILFAST/,
    ],
  ] as const) {
    test(`refuse ${name}`, () => {
      assert.throws(() => payloadOf(fields, options), refusedAs(code, text))
    })
  }

  test('refuse a source without bytes', () => {
    assert.throws(
      () => parsePayload({ a: 'INTEGER' }, new Map(), [{ name: 'data', type: 'VARCHAR' }], 'rate'),
      refusedAs('PAYLOAD_SCHEMA', /no column data of type BLOB/),
    )
  })

  test('read a schema as Spark writes it', () => {
    assert.deepEqual(
      parseSchemaText(
        'a BIGINT NOT NULL COMMENT \'the, key\', `b c`: STRUCT<x: INT, y: DECIMAL(10, 2)>, "d""e" MAP(VARCHAR, INTEGER[])',
      ),
      { a: 'BIGINT', 'b c': 'STRUCT<x: INT, y: DECIMAL(10, 2)>', 'd"e': 'MAP(VARCHAR, INTEGER[])' },
    )
    for (const text of ['', 'a', 'a INT,', ', a INT', 'a INT, a INT', '1 INT'])
      assert.throws(() => payloadOf(text), refusedAs('TYPE_UNKNOWN', /./), text)
  })
})
