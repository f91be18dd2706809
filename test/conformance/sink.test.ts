import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { after } from 'node:test'
import type { Field, Schema } from '../../src/batch.ts'
import { literal, quoted, Relation, type Row } from '../../src/duckdb.ts'
import { consoleFormat } from '../../src/sinks/console.ts'
import { duckdbFormat } from '../../src/sinks/duckdb/format.ts'
import { fileFormat } from '../../src/sinks/file/format.ts'
import { foreachFormat } from '../../src/sinks/foreach.ts'
import { foreachBatchFormat } from '../../src/sinks/foreach-batch.ts'
import { httpFormat } from '../../src/sinks/http/format.ts'
import { sinkFormats } from '../../src/sinks/index.ts'
import { kinesisFormat } from '../../src/sinks/kinesis/format.ts'
import { memoryFormat } from '../../src/sinks/memory.ts'
import { noopFormat } from '../../src/sinks/noop.ts'
import type { SinkContext, SinkFormat } from '../../src/sinks/sink.ts'
import { KinesisDouble } from '../../src/testing/kinesis/double.ts'
import type { SinkUnderTest } from '../../src/testing/sink-under-test.ts'
import { s3Output } from '../sinks/file/s3-output.ts'
import { temporaryDirectory } from '../sinks/temporary-directory.ts'
import { sinkConformance } from './sink.ts'

/** Of the sinks for which that is no more than some seconds. */
const MILLION = 1_000_000

sinkConformance(
  'memory',
  () => ({ format: memoryFormat, contents: async () => 'FROM memory.main.out' }),
  MILLION,
)

sinkConformance('console', () => ({ format: consoleFormat(new PassThrough().resume()) }), MILLION)

sinkConformance('noop', () => ({ format: noopFormat, ignoresRows: true }), MILLION)

sinkConformance('foreachBatch', () => {
  const rows: Row[] = []
  return {
    format: foreachBatchFormat(async (batch) => {
      for (const row of await batch.toObjects()) rows.push(row)
    }, sinkFormats()),
    contents: async () => rows,
    changedColumns: 'taken',
  }
})

sinkConformance('foreach', () => {
  const rows: Row[] = []
  return {
    format: foreachFormat({ process: (row) => void rows.push(row) }),
    contents: async () => rows,
    changedColumns: 'taken',
  }
})

const s3 = await s3Output()

/** Another place for each test, and where a reader finds the files. */
const directory = () => {
  const path = join(temporaryDirectory(), 'out')
  return { options: { path }, files: () => path }
}
const bucket = () => {
  const { options, download } = s3.next()
  return { options, files: download }
}

function parquetIn(place: typeof directory | typeof bucket): SinkUnderTest {
  const { options, files } = place()
  return {
    format: fileFormat('parquet'),
    options,
    commitsItself: true,
    changedColumns: 'taken',
    contents: async () => `FROM read_parquet('${files()}/**/*.parquet', union_by_name = true)`,
  }
}

function jsonIn(place: typeof directory | typeof bucket): SinkUnderTest {
  const { options, files } = place()
  const { format, schema } = remembering(fileFormat('json'))
  return {
    format,
    options,
    commitsItself: true,
    changedColumns: 'taken',
    contents: async () => selectJson(`${files()}/**/*.json`, schema()),
  }
}

function csvIn(place: typeof directory | typeof bucket): SinkUnderTest {
  const { options, files } = place()
  const { format, schema } = remembering(fileFormat('csv'))
  return {
    format,
    options,
    commitsItself: true,
    changedColumns: 'taken',
    contents: async () => {
      const items = schema().map(({ name, type }) => `${quoted(name)}::${type} AS ${quoted(name)}`)
      const settings = `header = true, all_varchar = true, delim = ',', quote = '"', escape = '"', comment = ''`
      const texts = `allow_quoted_nulls = false, union_by_name = true, max_line_size = 64000000`
      return `SELECT ${items.join(', ')} FROM read_csv('${files()}/**/*.csv', ${settings}, ${texts})`
    },
  }
}

sinkConformance('parquet', () => parquetIn(directory), MILLION)
sinkConformance('parquet on S3', () => parquetIn(bucket), MILLION)
sinkConformance('json', () => jsonIn(directory), MILLION)
sinkConformance('json on S3', () => jsonIn(bucket))
sinkConformance('csv', () => csvIn(directory), MILLION)
sinkConformance('csv on S3', () => csvIn(bucket))

sinkConformance(
  'duckdb',
  () => {
    const path = join(temporaryDirectory(), 'out.duckdb')
    return {
      format: duckdbFormat,
      options: { path, table: 'results' },
      commitsItself: true,
      contents: async (connection) => {
        await connection.run(`ATTACH '${path}' AS reader (READ_ONLY)`)
        await connection.run('CREATE OR REPLACE TEMP TABLE seen AS FROM reader.results')
        await connection.run('DETACH reader')
        return 'FROM temp.main.seen'
      },
    }
  },
  MILLION,
)

const double = new KinesisDouble({ region: 'eu-west-1' })
const { endpointUrl } = await double.listen()
after(() => double.close())
let streams = 0

sinkConformance('kinesis', () => {
  const streamName = `out-${streams++}`
  double.createStream(streamName, { maxRecordSizeInKiB: 10_240 })
  const { format, schema } = remembering(asRecords(kinesisFormat))
  return {
    format,
    options: {
      streamName,
      endpointUrl,
      region: 'eu-west-1',
      awsAccessKeyId: 'AKIDEXAMPLE',
      awsSecretKey: 'secret',
      maxRecordBytes: '10MiB',
    },
    commitsItself: true,
    changedColumns: 'taken',
    contents: async () => {
      const records = double.shards(streamName).flatMap(({ id }) => double.records(streamName, id))
      return selectJson(fileOf(records.map(({ Data }) => Data ?? new Uint8Array())), schema())
    },
  }
})

let hooks = 0
const bodies = new Map<string, Buffer[]>()
const webhook = createServer(async (request, response) => {
  const received = bodies.get(request.url ?? '') ?? []
  bodies.set(request.url ?? '', received)
  received.push(await buffer(request))
  response.end()
}).listen(0, '127.0.0.1')
await once(webhook, 'listening')
after(() => webhook.close().closeAllConnections())

sinkConformance('http', () => {
  const place = `/${hooks++}`
  const { format, schema } = remembering(httpFormat)
  return {
    format,
    options: { url: `http://127.0.0.1:${(webhook.address() as AddressInfo).port}${place}` },
    commitsItself: true,
    changedColumns: 'taken',
    contents: async () => {
      const fields = schema().map(({ name, type }) => `${quoted(name)} ${inJson(type)}`)
      const rows = [{ name: 'rows', type: `STRUCT(${fields.join(', ')})[]` }]
      const source = readJson(fileOf(bodies.get(place) ?? []), rows)
      const items = schema().map((field) => fromJson(field, `r.${quoted(field.name)}`))
      return `SELECT ${items.join(', ')} FROM (SELECT unnest(rows) AS r FROM ${source})`
    },
  }
})

/** JSON does not say of what types its values were. */
function selectJson(files: string, schema: Schema): string {
  const read = readJson(
    files,
    schema.map(({ name, type }) => ({ name, type: inJson(type) })),
  )
  return `SELECT ${schema.map((field) => fromJson(field, quoted(field.name))).join(', ')} FROM ${read}`
}

function readJson(files: string, schema: Schema): string {
  const columns = schema.map(({ name, type }) => `${literal(name)}: ${literal(type)}`)
  const settings = "format = 'newline_delimited', maximum_object_size = 64000000"
  return `read_json(${literal(files)}, columns = {${columns.join(', ')}}, ${settings})`
}

/** Bytes stand in JSON as DuckDB prints them. */
const inJson = (type: string): string => (type === 'BLOB' ? 'VARCHAR' : type)
const fromJson = ({ name, type }: Field, value: string): string => `${value}::${type} AS ${quoted(name)}`

function fileOf(lines: readonly Uint8Array[]): string {
  const file = join(temporaryDirectory(), 'lines.json')
  writeFileSync(file, lines.length === 0 ? '' : Buffer.concat(lines.flatMap((line) => [line, NEW_LINE])))
  return file
}

const NEW_LINE = Buffer.from('\n')

/** Files of text do not say of what types their columns were: all that there ever was. */
function remembering(format: SinkFormat): { format: SinkFormat; schema: () => Schema } {
  let schema: Schema = []
  const open = (context: SinkContext) => {
    const names = new Set(context.schema.map(({ name }) => name))
    schema = [...schema.filter(({ name }) => !names.has(name)), ...context.schema]
    return format.open(context)
  }
  return { format: { ...format, open }, schema: () => schema }
}

/** Gives the Kinesis sink, which takes certain columns, rows of any kind: each as JSON in `data`. */
function asRecords(format: SinkFormat): SinkFormat {
  const schema = ['data', 'partitionKey'].map((name) => ({ name, type: 'VARCHAR' }))
  const open = async (context: SinkContext) => {
    const sink = await format.open({ ...context, schema })
    const write = async (batchId: number, { connection, name, rows }: Relation) => {
      const select = `SELECT to_json(r)::VARCHAR AS data, 'k' AS partitionKey FROM ${name} r`
      await connection.run(`CREATE OR REPLACE TEMP TABLE records AS ${select}`)
      await sink.write(batchId, new Relation(connection, 'temp.main.records', schema, rows))
    }
    return { ...sink, write }
  }
  return { ...format, open }
}
