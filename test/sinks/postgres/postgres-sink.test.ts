import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type Socket, type Server as TcpServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'
import { Session } from '../../../src/api/session.ts'
import type { Schema } from '../../../src/batch.ts'
import { literal, quoted } from '../../../src/duckdb.ts'
import { silentLogger } from '../../../src/log.ts'
import { postgresFormat as format } from '../../../src/sinks/postgres/format.ts'
import type { SinkContext, SinkFormat } from '../../../src/sinks/sink.ts'
import { MemoryStream } from '../../../src/sources/memory.ts'
import { Bench, sinkConformance } from '../../conformance/sink.ts'
import { PASSWORD, PostgresServer, postgresPrograms, USER } from '../../support/postgres-server.ts'
import { temporaryDirectory } from '../temporary-directory.ts'

const programs = postgresPrograms()
if (programs === undefined) {
  test(
    'the PostgreSQL sink',
    { skip: 'no PostgreSQL server on this machine: apt-get install postgresql' },
    () => undefined,
  )
} else {
  await suite(programs)
}

async function suite(place: string): Promise<void> {
  const server = await PostgresServer.start(place)
  const bench = await Bench.open()
  after(async () => {
    bench.close()
    await server.stop()
  })
  const address = {
    host: '127.0.0.1',
    port: server.port,
    database: 'postgres',
    user: USER,
    password: PASSWORD,
  }
  const quick = { retryInterval: 1, maxRetryInterval: 2, maxRetryTime: '1m' }
  const options = { ...address, ...quick }
  const { url } = server
  let tables = 0
  const newTable = () => `t${tables++}`

  sinkConformance('postgres', () => {
    let schema: Schema = []
    const open = (context: SinkContext) => {
      const names = new Set(context.schema.map(({ name }) => name))
      schema = [...schema.filter(({ name }) => !names.has(name)), ...context.schema]
      return format.open(context)
    }
    const remembering: SinkFormat = { ...format, open }
    const table = newTable()
    return {
      format: remembering,
      options: { ...options, table },
      commitsItself: true,
      contents: async () => {
        const file = join(temporaryDirectory(), 'lines.json')
        server.psql(`SELECT to_jsonb(r) FROM ${table} r`, 'postgres', file)
        // A query that was refused has other columns than the table.
        const columns = new Set(
          server.psql(
            `SELECT attname FROM pg_attribute WHERE attrelid = '${table}'::regclass AND attnum > 0`,
          ),
        )
        const fields = schema.filter(({ name }) => columns.has(name))
        const types = fields.map(
          ({ name, type }) => `${literal(name)}: ${literal(type === 'BLOB' ? 'VARCHAR' : type)}`,
        )
        const items = fields.map(({ name, type }) =>
          type === 'BLOB' ? `unhex(substr(${quoted(name)}, 3)) AS ${quoted(name)}` : quoted(name),
        )
        const settings = "format = 'newline_delimited', maximum_object_size = 64000000"
        const read = `read_json(${literal(file)}, columns = {${types.join(', ')}}, ${settings})`
        return `SELECT ${items.join(', ')} FROM ${read}`
      },
    }
  })

  const write = async (
    table: string,
    mode: 'append' | 'update' | 'complete',
    batches: readonly string[],
    more = {},
    queryId = 'query 1',
    from = 0,
  ) => {
    const sink = await bench.open(format, batches[0]!, mode, { ...options, table, ...more }, queryId)
    try {
      for (const [i, sql] of batches.entries()) await bench.write(sink, from + i, sql)
    } finally {
      await sink.close()
    }
  }

  test('the table is made with a type for every column, and psql reads the values', async () => {
    const table = newTable()
    const sql = `SELECT true AS b, 1::TINYINT AS i1, 2::USMALLINT AS i2, 3::UINTEGER AS i4, 18446744073709551615::UBIGINT AS i8,
      170141183460469231731687303715884105727::HUGEINT AS i16, 0.1::FLOAT AS f, 'inf'::DOUBLE AS d, 1.5::DECIMAL(9,3) AS n,
      E'é\\t"\\\\N,{}' AS s, '\\x00\\xFF'::BLOB AS y, DATE '2026-01-02' AS day, TIME '03:04:05.000006' AS t,
      TIMESTAMP '0044-03-15 (BC) 12:00:00' AS ts, TIMESTAMPTZ '2026-01-02 03:04:05.000006+00' AS tz,
      INTERVAL '1 month -3 days 4.5 seconds' AS iv, '00000000-0000-0000-0000-000000000001'::UUID AS u,
      [1, NULL] AS l, {'a': 'x', 'b': MAP {'k': 1}} AS st, '{"j": 1}'::JSON AS j, 'x'::ENUM('x') AS e, NULL::VARCHAR AS nothing`
    await write(table, 'append', [sql])
    const types = server.psql(
      `SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = '${table}'::regclass AND attnum > 0 ORDER BY attnum`,
    )
    assert.deepEqual(types, [
      'boolean',
      'smallint',
      'integer',
      'bigint',
      'numeric',
      'numeric',
      'real',
      'double precision',
      'numeric(9,3)',
      'text',
      'bytea',
      'date',
      'time without time zone',
      'timestamp without time zone',
      'timestamp with time zone',
      'interval',
      'uuid',
      'jsonb',
      'jsonb',
      'jsonb',
      'text',
      'text',
    ])
    const [line] = server.psql(`SET TimeZone = 'UTC'; SELECT * FROM ${table}`)
    assert.deepEqual(line?.split('|'), [
      't',
      '1',
      '2',
      '3',
      '18446744073709551615',
      '170141183460469231731687303715884105727',
      '0.1',
      'Infinity',
      '1.500',
      'é\t"\\N,{}',
      '\\x00ff',
      '2026-01-02',
      '03:04:05.000006',
      '0044-03-15 12:00:00 BC',
      '2026-01-02 03:04:05.000006+00',
      '1 mon -3 days +00:00:04.5',
      '00000000-0000-0000-0000-000000000001',
      '[1, null]',
      '{"a": "x", "b": {"k": 1}}',
      '{"j": 1}',
      'x',
      '',
    ])
  })

  test('update mode replaces the rows of a key, also of a null one, and leaves other columns alone', async () => {
    const table = newTable()
    server.psql(`CREATE TABLE ${table} (v bigint, note text DEFAULT 'new', a integer, b text, UNIQUE NULLS NOT DISTINCT (b, a));
      INSERT INTO ${table} VALUES (0, 'kept', 1, 'x')`)
    const batches = [
      "FROM (VALUES (1, 'x', 7::BIGINT), (NULL, NULL, 8), (2, 'x', 9)) t(a, b, v)",
      // Of two rows of one key in a batch, the last counts.
      "FROM (VALUES (NULL, NULL, 1::BIGINT), (2, 'x', 2), (2, 'x', 3)) t(a, b, v)",
    ]
    await write(table, 'update', batches, { key: 'A, b' })
    await write(table, 'update', ["SELECT 1 AS a, 'x' AS b, 0::BIGINT AS v"], { key: 'a,b' }, 'query 1', 1)
    assert.deepEqual(server.psql(`SELECT a, b, v, note FROM ${table} ORDER BY a`), [
      '1|x|7|kept',
      '2|x|3|new',
      '||1|new',
    ])
    const own = newTable()
    await write(own, 'update', batches, { key: 'a,b' })
    assert.deepEqual(server.psql(`SELECT a, b, v FROM ${own} ORDER BY a`), ['1|x|7', '2|x|3', '||1'])
    await write(
      own,
      'update',
      ['SELECT 5 AS a, NULL::VARCHAR AS b, 1::BIGINT AS v'],
      { key: 'a,b' },
      'query 1',
      2,
    )
    assert.equal(server.psql(`SELECT count(*) FROM ${own}`)[0], '4')
  })

  test('a null key is refused where the index of the table would let it in twice', async () => {
    const table = newTable()
    server.psql(`CREATE TABLE ${table} (k integer UNIQUE, v integer)`)
    const rows = 'FROM (VALUES (1, 1), (NULL, 2)) t(k, v)'
    const refused = write(table, 'update', [rows], { key: 'k' })
    await assert.rejects(refused, { code: 'SINK_ROW', message: /row 1 of batch 0.*coalesce it/ })
    assert.deepEqual(server.psql(`SELECT * FROM ${table}`), [])
  })

  test('complete mode replaces all rows of its own table, and refuses that of another', async () => {
    const table = newTable()
    await write(table, 'complete', ['SELECT 1 AS i UNION ALL SELECT 2', 'SELECT 3 AS i'])
    assert.deepEqual(server.psql(`SELECT * FROM ${table}`), ['3'])
    const other = write(table, 'complete', ['SELECT 4 AS i'], {}, 'query 2')
    await assert.rejects(other, { code: 'SINK_TABLE', message: /not made by this query/ })
    assert.deepEqual(server.psql(`SELECT * FROM ${table}`), ['3'])
  })

  test('two queries append to one table in a schema that is not there, at the same time', async () => {
    const table = `fresh.${newTable()}`
    const rows = (i: number) => `SELECT ${i} AS i FROM range(500)`
    const benches = await Promise.all([Bench.open(), Bench.open()])
    await Promise.all(
      benches.map(async (each, i) => {
        const sink = await each.open(format, rows(0), 'append', { ...options, table }, `query ${i}`)
        for (let batch = 0; batch < 3; batch++) await each.write(sink, batch, rows(i))
        await each.write(sink, 2, rows(9))
        await sink.close()
        each.close()
      }),
    )
    assert.deepEqual(server.psql(`SELECT i, count(*) FROM ${table} GROUP BY i ORDER BY i`), [
      '0|1500',
      '1|1500',
    ])
  })

  test('wherever a process is killed, the batches before and after are in the table once', async () => {
    const child = join(import.meta.dirname, 'writing-child.ts')
    const args = ['--import', 'tsx', child, url]
    const writer = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    let told = 0
    for await (const line of createInterface(writer.stdout)) {
      told = Number(line)
      if (told >= 3) break
    }
    // It is in the middle of one of the next batches.
    writer.kill('SIGKILL')
    await once(writer, 'exit')
    const found = () => server.psql('SELECT batch, count(*) FROM killed GROUP BY batch ORDER BY batch')
    const noted = () => Number(server.psql(`SELECT batch FROM sluice_batches WHERE "table" = 'killed'`)[0])
    const whole = () => Array.from({ length: noted() + 1 }, (_, batch) => `${batch}|1000`)
    assert.ok(noted() >= told)
    assert.deepEqual(found(), whole())
    // The next start writes the last batch again, as after a crash before its commit.
    const batches = [told, told + 1, told + 2].map(
      (batch) => `SELECT ${batch} AS batch, i FROM range(1000) r(i)`,
    )
    await write('killed', 'append', batches, {}, 'query 1', told)
    assert.ok(noted() >= told + 2)
    assert.deepEqual(found(), whole())
  })

  test('a connection that is cut anywhere, also while the commit is answered, leaves one effect', async () => {
    const table = newTable()
    const line = await Line.open(server.port)
    const through = { ...options, port: line.port, table, rowsPerStatement: 40 }
    const rows = (batch: number) => `SELECT ${batch} AS batch, i FROM range(100) r(i)`
    const sink = await bench.open(format, rows(0), 'append', through)
    // 12 messages or so make a batch: every place of it is cut once, in one direction or the other.
    for (let batch = 0; batch < 24; batch++) {
      line.cutAfter(batch >> 1, batch % 2 === 0 ? 'asked' : 'answered')
      await bench.write(sink, batch, rows(batch))
    }
    await sink.close()
    await line.close()
    assert.ok(line.cuts >= 16, `${line.cuts} cuts`)
    const found = server.psql(`SELECT batch, count(*) FROM ${table} GROUP BY batch ORDER BY batch`)
    assert.deepEqual(
      found,
      Array.from({ length: 24 }, (_, batch) => `${batch}|100`),
    )
  })

  test('a query counts on after a restart; the session and its rows go on from the checkpoint', async () => {
    const table = newTable()
    const checkpointLocation = temporaryDirectory()
    const words = new MemoryStream({ word: 'VARCHAR' })
    for (const more of [
      ['a', 'b', 'a'],
      ['b', 'a'],
    ]) {
      const session = await Session.create({ log: silentLogger })
      session.readStream.format(words).load().createOrReplaceTempView('words')
      words.add(...more.map((word) => ({ word })))
      const counts = session.sql('SELECT word, count(*) AS n FROM words GROUP BY word')
      const query = await counts.writeStream
        .outputMode('update')
        .trigger({ availableNow: true })
        .format('postgres')
        .options({ url, table, key: 'word', checkpointLocation })
        .start()
      await query.awaitTermination()
      assert.match(query.lastProgress?.sink.description ?? '', /^postgres\[postgres, public\.t\d+\]$/)
      await session.close()
    }
    assert.deepEqual(server.psql(`SELECT word, n FROM ${table} ORDER BY word`), ['a|3', 'b|2'])
  })

  test('a table that does not fit is left as it is, and the error says how to alter it', async () => {
    const table = newTable()
    server.psql(`CREATE TABLE ${table} (i integer, s varchar(3)); INSERT INTO ${table} VALUES (1, 'a')`)
    const attempt = (sql: string, mode: 'append' | 'update' = 'append', more = {}) =>
      write(table, mode, [sql], more, `query ${tables++}`)
    const cases: [() => Promise<void>, string, RegExp][] = [
      [
        () => attempt('SELECT 1::BIGINT AS i'),
        'SINK_TABLE',
        /"i" of type integer.*ALTER COLUMN "i" TYPE bigint/,
      ],
      [
        () => attempt('SELECT 1 AS i, 2 AS more'),
        'SINK_TABLE',
        /no column "more".*ADD COLUMN "more" integer/,
      ],
      [() => attempt('SELECT 1 AS I'), 'SINK_TABLE', /no column "I"/],
      [() => attempt('SELECT 1 AS i', 'update', { key: 'i' }), 'SINK_TABLE', /ADD UNIQUE \("i"\)/],
      [() => attempt(`SELECT 1 AS ${'x'.repeat(64)}`), 'SINK_TABLE', /63 bytes/],
      [
        () => attempt("SELECT 1 AS i, 'long one' AS s"),
        'SINK_DATABASE',
        /too long for type character varying\(3\).*22001/,
      ],
      [() => attempt("SELECT 1 AS i, 'a' || chr(0) AS s"), 'SINK_DATABASE', /invalid byte sequence|0x00/],
    ]
    for (const [attempted, code, message] of cases) await assert.rejects(attempted(), { code, message })
    assert.deepEqual(server.psql(`SELECT * FROM ${table}`), ['1|a'])
    await attempt("SELECT 2 AS i, 'b' AS s")
    assert.deepEqual(server.psql(`SELECT * FROM ${table} ORDER BY i`), ['1|a', '2|b'])
  })

  test('a lock that stays fails the batch in time, and what a row holds is not shown', async () => {
    const table = newTable()
    await write(table, 'append', ['SELECT 1 AS i'])
    const holder = server.psql(`ALTER TABLE ${table} ADD CHECK (i <> 13)`)
    assert.deepEqual(holder, [])
    const broken = write(table, 'append', ['SELECT 13 AS i'], {}, 'query 1', 1)
    await assert.rejects(
      broken,
      (error: Error) =>
        /violates check constraint.*\(23514\)/.test(error.message) &&
        !/13\b(?!\))/.test(error.message.replace('23514', '')),
    )
    const locked = { statementTimeout: '40ms', maxRetryTime: 0 }
    const sink = await bench.open(format, 'SELECT 2 AS i', 'append', { ...options, table, ...locked })
    server.psql(`CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(20); RETURN NEW; END';
      CREATE TRIGGER slow BEFORE INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION slow()`)
    await assert.rejects(bench.write(sink, 1, 'SELECT 2 AS i'), {
      code: 'SINK_DATABASE_UNAVAILABLE',
      message: /statement timeout \(57014\).*holds a lock/,
    })
    await sink.close()
    assert.deepEqual(server.psql(`SELECT * FROM ${table}`), ['1'])
  })

  test('a server that cannot be used is named with what to do, and no secret is shown', async () => {
    const table = newTable()
    const wrong: [object, string, RegExp][] = [
      [
        { password: 'wrong secret' },
        'SINK_DATABASE',
        /127\.0\.0\.1:\d+: password authentication failed.*pg_hba/,
      ],
      [{ database: 'nowhere' }, 'SINK_DATABASE', /"nowhere" does not exist \(3D000\).*create the database/],
      [
        { port: 1 },
        'SINK_DATABASE_UNAVAILABLE',
        /127\.0\.0\.1:1: .*ECONNREFUSED.*check that the server runs/,
      ],
      [{ sslMode: 'verify-full' }, 'SINK_DATABASE', /sslRootCert|sslMode/],
      [{ url: 'postgres://u:wrong%20secret@/x' }, 'OPTION_INVALID', /\*\*\*/],
      [{ host: undefined }, 'OPTION_MISSING', /host/],
      [{ table: 'a.b.c' }, 'OPTION_INVALID', /a\.b\.c/],
      [{ table: 'sluice_batches' }, 'OPTION_INVALID', /other than/],
      [{ key: 'i' }, 'OPTION_INVALID', /append mode/],
      [{ sslRootCert: '/nowhere.pem', sslMode: 'verify-full' }, 'SINK_PATH', /nowhere\.pem/],
    ]
    for (const [change, code, message] of wrong) {
      const merged: Record<string, string | number> = { ...options, table, ...change }
      for (const [name, value] of Object.entries(merged)) if (value === undefined) delete merged[name]
      if ('url' in change) for (const name of Object.keys(address)) delete merged[name]
      await assert.rejects(
        bench.open(format, 'SELECT 1 AS i', 'append', merged),
        (error: Error & { code: string }) => {
          assert.equal(error.code, code)
          assert.match(error.message, message)
          assert.doesNotMatch(error.message, /wrong secret|quod erat/)
          return true
        },
      )
    }
  })

  test('TLS: encrypted, with or without a look at the certificate', {
    skip: server.certificate ? false : 'no openssl',
  }, async () => {
    const table = newTable()
    const open = (more: object) =>
      bench.open(format, 'SELECT 1 AS i', 'append', { ...options, table, ...more })
    const sslRootCert = server.certificate as string
    for (const more of [
      { sslMode: 'require' },
      { sslMode: 'verify-ca', sslRootCert },
      { sslMode: 'verify-full', sslRootCert, host: 'localhost' },
    ]) {
      const sink = await open(more)
      const [used] = server.psql(
        "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'sluice' ORDER BY backend_start DESC",
      )
      assert.equal(used, 't')
      await sink.close()
    }
    await assert.rejects(open({ sslMode: 'verify-full', sslRootCert }), {
      code: 'SINK_DATABASE',
      message: /altnames|does not match/,
    })
  })

  test('a query that is stopped while the server is away ends at once', async () => {
    const line = await Line.open(server.port)
    const words = new MemoryStream({ word: 'VARCHAR' })
    const session = await Session.create({ log: silentLogger })
    const query = await session.readStream
      .format(words)
      .load()
      .writeStream.format('postgres')
      .options({
        ...options,
        port: line.port,
        table: newTable(),
        retryInterval: '1h',
        maxRetryInterval: '1h',
        maxRetryTime: '9h',
      })
      .start()
    line.refuse()
    words.add({ word: 'a' })
    await line.refused
    await query.stop()
    assert.equal(query.exception, undefined)
    await session.close()
    await line.close()
  })
}

/** A line to the server that can be cut. */
class Line {
  readonly #server: TcpServer
  readonly #sockets = new Set<Socket>()
  readonly refused: Promise<void>
  cuts = 0
  #told: () => void = () => undefined
  #refuses = false
  #left = Number.POSITIVE_INFINITY
  #direction: 'asked' | 'answered' = 'asked'

  private constructor(target: number) {
    this.refused = new Promise((resolve) => {
      this.#told = resolve
    })
    this.#server = createServer((near) => {
      if (this.#refuses) {
        near.destroy()
        this.#told()
        return
      }
      const far = connect(target, '127.0.0.1')
      for (const [from, to, direction] of [
        [near, far, 'asked'],
        [far, near, 'answered'],
      ] as const) {
        this.#sockets.add(from)
        from.on('error', () => undefined).on('close', () => to.destroy())
        from.on('data', (bytes) => {
          if (direction === this.#direction && this.#left-- <= 0) {
            this.#left = Number.POSITIVE_INFINITY
            this.cuts++
            near.destroy()
            far.destroy()
          } else to.write(bytes)
        })
      }
    })
  }

  static async open(target: number): Promise<Line> {
    const line = new Line(target)
    line.#server.listen(0, '127.0.0.1')
    await once(line.#server, 'listening')
    return line
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Cuts the line instead of passing on what follows after so many messages. */
  cutAfter(messages: number, direction: 'asked' | 'answered'): void {
    this.#left = messages
    this.#direction = direction
  }

  refuse(): void {
    this.#refuses = true
    for (const socket of this.#sockets) socket.destroy()
  }

  async close(): Promise<void> {
    this.refuse()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
