import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { after } from 'node:test'
import type { Schema } from '../../src/batch.ts'
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
import { s3Output } from '../sinks/file/s3-output.ts'
import { temporaryDirectory } from '../sinks/temporary-directory.ts'
import { sinkConformance } from './sink.ts'

sinkConformance('memory', () => ({
  format: memoryFormat,
  contents: (connection) => connection.rows('FROM memory.main.out'),
}))

sinkConformance('console', () => ({ format: consoleFormat(new PassThrough().resume()) }))

sinkConformance('noop', () => ({ format: noopFormat, ignoresRows: true }))

sinkConformance('foreachBatch', () => {
  const rows: Row[] = []
  return {
    format: foreachBatchFormat(async (batch) => void rows.push(...(await batch.toObjects())), sinkFormats()),
    contents: async () => rows,
  }
})

sinkConformance('foreach', () => {
  const rows: Row[] = []
  return { format: foreachFormat({ process: (row) => void rows.push(row) }), contents: async () => rows }
})

sinkConformance('parquet', () => {
  const path = join(temporaryDirectory(), 'out')
  return {
    format: fileFormat('parquet'),
    options: { path },
    commitsItself: true,
    contents: (connection) => connection.rows(`FROM read_parquet('${path}/**/*.parquet')`),
  }
})

const s3 = await s3Output()

sinkConformance('parquet on S3', () => {
  const { options, download } = s3.next()
  return {
    format: fileFormat('parquet'),
    options,
    commitsItself: true,
    contents: (connection) => connection.rows(`FROM read_parquet('${download()}/**/*.parquet')`),
  }
})

sinkConformance('json', () => {
  const path = join(temporaryDirectory(), 'out')
  const { format, schema } = remembering(fileFormat('json'))
  return {
    format,
    options: { path },
    commitsItself: true,
    contents: (connection) => connection.rows(`FROM ${jsonFiles(`${path}/**/*.json`, schema())}`),
  }
})

sinkConformance('csv', () => {
  const path = join(temporaryDirectory(), 'out')
  const { format, schema } = remembering(fileFormat('csv'))
  return {
    format,
    options: { path },
    commitsItself: true,
    contents: (connection) => {
      const items = schema().map(({ name, type }) => `${quoted(name)}::${type} AS ${quoted(name)}`)
      const files = `read_csv('${path}/**/*.csv', header = true, all_varchar = true, delim = ',')`
      return connection.rows(`SELECT ${items.join(', ')} FROM ${files}`)
    },
  }
})

sinkConformance('duckdb', () => {
  const path = join(temporaryDirectory(), 'out.duckdb')
  return {
    format: duckdbFormat,
    options: { path, table: 'results' },
    commitsItself: true,
    contents: async (connection) => {
      await connection.run(`ATTACH '${path}' AS reader (READ_ONLY)`)
      const rows = await connection.rows('FROM reader.results')
      await connection.run('DETACH reader')
      return rows
    },
  }
})

const double = new KinesisDouble({ region: 'eu-west-1' })
const { endpointUrl } = await double.listen()
after(() => double.close())
let streams = 0

sinkConformance('kinesis', () => {
  const streamName = `out-${streams++}`
  double.createStream(streamName)
  const { format, schema } = remembering(asRecords(kinesisFormat))
  return {
    format,
    options: {
      streamName,
      endpointUrl,
      region: 'eu-west-1',
      awsAccessKeyId: 'AKIDEXAMPLE',
      awsSecretKey: 'secret',
    },
    commitsItself: true,
    contents: (connection) => {
      const records = double.shards(streamName).flatMap(({ id }) => double.records(streamName, id))
      const texts = records.map(({ Data }) => Buffer.from(Data ?? []).toString())
      return connection.rows(`FROM ${jsonFiles(fileOf(texts), schema())}`)
    },
  }
})

let hooks = 0
const bodies = new Map<string, string[]>()
const webhook = createServer(async (request, response) => {
  const received = bodies.get(request.url ?? '') ?? []
  bodies.set(request.url ?? '', received)
  received.push(await text(request))
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
    contents: (connection) => {
      const fields = schema().map(({ name, type }) => `${quoted(name)} ${type}`)
      const rows = [{ name: 'rows', type: `STRUCT(${fields.join(', ')})[]` }]
      const source = jsonFiles(fileOf(bodies.get(place) ?? []), rows)
      return connection.rows(`SELECT unnest(r) FROM (SELECT unnest(rows) AS r FROM ${source})`)
    },
  }
})

/** JSON does not say of what types its values were. */
function jsonFiles(files: string, schema: Schema): string {
  const columns = schema.map(({ name, type }) => `${literal(name)}: ${literal(type)}`)
  return `read_json(${literal(files)}, columns = {${columns.join(', ')}})`
}

function fileOf(lines: readonly string[]): string {
  const file = join(temporaryDirectory(), 'lines.json')
  writeFileSync(file, lines.join('\n'))
  return file
}

/** Files of text do not say of what types their columns were. */
function remembering(format: SinkFormat): { format: SinkFormat; schema: () => Schema } {
  let schema: Schema = []
  const open = (context: SinkContext) => {
    schema = context.schema
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
