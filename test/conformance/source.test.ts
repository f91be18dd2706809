import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import type { Schema } from '../../src/batch.ts'
import { systemClock } from '../../src/clock.ts'
import { silentLogger } from '../../src/log.ts'
import type { OptionValue } from '../../src/options.ts'
import { fileFormat } from '../../src/sinks/file/format.ts'
import { filesFormat } from '../../src/sources/files/format.ts'
import { kinesisFormat } from '../../src/sources/kinesis/format.ts'
import { MemoryStream } from '../../src/sources/memory.ts'
import { nexmarkFormat } from '../../src/sources/nexmark/format.ts'
import { rateFormat } from '../../src/sources/rate.ts'
import type { Source, SourceFormat } from '../../src/sources/source.ts'
import { KinesisDouble } from '../../src/testing/kinesis/double.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { S3Double } from '../../src/testing/s3/double.ts'
import { Bench } from './sink.ts'
import { sourceConformance } from './source.ts'

function open(
  format: SourceFormat,
  options: Readonly<Record<string, OptionValue>>,
  clock = systemClock,
  columns?: Schema,
): Source {
  return format.open({ options: new Map(Object.entries(options)), columns, clock, log: silentLogger })
}

const nothing = async () => undefined

sourceConformance('memory', async () => {
  const batchRows = 10
  const columns = { i: 'BIGINT', text: 'VARCHAR' }
  const stream = new MemoryStream(columns, { batchRows: () => batchRows })
  let next = 0
  return {
    batchRows,
    open: () => stream.open(),
    grow: (rows) => {
      for (let i = 0; i < rows; i++) stream.add({ i: next, text: `row ${next++}` })
    },
    lost: { code: 'DATA_LOST', open: () => new MemoryStream(columns).open() },
    close: nothing,
  }
})

sourceConformance('rate', async () => {
  const clock = new ManualClock()
  const batchRows = 20
  return {
    batchRows,
    open: () => open(rateFormat, { rowsPerSecond: 1000, rampUpTime: '1s', batchRows }, clock),
    // The wall clock alone: the rows' own times follow it. Enough of it also while the speed still grows.
    grow: (rows) => clock.jump(rows * 4 + 400),
    close: nothing,
  }
})

/** Enough of every kind in a small batch. */
const MIXED = { personProportion: 10, auctionProportion: 10, bidProportion: 20 }

for (const table of ['all', 'bid', 'auction', 'person']) {
  sourceConformance(`nexmark, table ${table}`, async () => ({
    // Of an endless stream without a pace every row is there already.
    grow: () => undefined,
    open: () => open(nexmarkFormat, { table, ...MIXED, batchEvents: 60, outOfOrderGroupSize: 7 }),
    batchRows: 60,
    close: nothing,
  }))
}

sourceConformance('nexmark with a pace', async () => {
  const clock = new ManualClock()
  return {
    open: () => open(nexmarkFormat, { table: 'bid', batchEvents: 60, eventsPerSecond: 1000 }, clock),
    grow: (rows) => clock.advance(rows * 2 + 10),
    batchRows: 60,
    close: nothing,
  }
})

sourceConformance('kinesis, from a double over HTTP', async () => {
  const double = new KinesisDouble()
  double.createStream('clicks', { shards: 1 })
  const { endpointUrl } = await double.listen()
  const batchRows = 25
  const options = {
    streamName: 'clicks',
    endpointUrl,
    region: 'us-east-1',
    awsAccessKeyId: 'test',
    awsSecretKey: 'test',
    fetchInterval: '5ms',
    maxFetchRecordsPerShard: batchRows,
  }
  let next = 0
  return {
    batchRows,
    open: () => open(kinesisFormat, options),
    grow: (rows) => {
      for (let i = 0; i < rows; i++)
        double.put('clicks', { partitionKey: `key ${next % 3}`, data: `row ${next++}` })
    },
    stall: async () => {
      const fault = double.fault({ operation: 'GetRecords', action: { kind: 'hang' } })
      while (fault.fired === 0) await turn()
    },
    lost: {
      code: 'KINESIS_DATA_LOSS',
      open: () => {
        double.trim('clicks', 'shardId-000000000000')
        return open(kinesisFormat, options)
      },
    },
    close: () => double.close(),
  }
})

const FILE_COLUMNS = [
  { name: 'i', type: 'BIGINT' },
  { name: 'text', type: 'VARCHAR' },
]

sourceConformance('files of JSON in a directory', async () => {
  const path = mkdtempSync(join(tmpdir(), 'sluice-files-'))
  const options = { path, maxFilesPerTrigger: 3, pollInterval: 20 }
  let next = 0
  return {
    batchRows: 3,
    open: () => open(filesFormat('json'), options, systemClock, FILE_COLUMNS),
    grow: (rows) => {
      for (let i = 0; i < rows; i++) {
        const name = join(path, `${String(next).padStart(6, '0')}.json`)
        writeFileSync(`${name}.part`, `{"i":${next},"text":"row ${next++}"}\n`)
        renameSync(`${name}.part`, name)
      }
    },
    lost: {
      code: 'DATA_LOST',
      open: () => {
        for (const name of readdirSync(path)) rmSync(join(path, name))
        return open(filesFormat('json'), options, systemClock, FILE_COLUMNS)
      },
    },
    close: async () => rmSync(path, { recursive: true }),
  }
})

sourceConformance('files that a sink writes to S3', async () => {
  const double = new S3Double()
  double.createBucket('bucket')
  const { endpointUrl } = await double.listen()
  const where = {
    path: 's3://bucket/out',
    's3.endpointUrl': endpointUrl,
    's3.region': 'eu-west-1',
    's3.awsAccessKeyId': 'anybody',
    's3.awsSecretKey': 'anything',
  }
  const bench = await Bench.open()
  const rowsOf = (start: number, count: number) =>
    `SELECT i, 'row ' || i AS text FROM range(${start}, ${start + count}) r(i)`
  const sink = await bench.open(fileFormat('json'), rowsOf(0, 1), 'append', where)
  let [batches, next] = [0, 0]
  const source = () =>
    open(
      filesFormat('json'),
      { ...where, maxFilesPerTrigger: 1, pollInterval: 20 },
      systemClock,
      FILE_COLUMNS,
    )
  return {
    batchRows: 4,
    open: source,
    grow: async (rows) => {
      for (const end = next + rows; next < end; next += 4) {
        // Not named by any manifest, as what a crash leaves.
        double.put('bucket', `out/batch-00000000-orphan-${next}.json`, '{"i":-1}')
        await bench.write(sink, batches++, rowsOf(next, 4))
      }
    },
    lost: {
      code: 'DATA_LOST',
      open: () => {
        for (const key of double.keys('bucket', 'out/batch-')) double.remove('bucket', key)
        return source()
      },
    },
    close: async () => {
      await sink.close()
      bench.close()
      await double.close()
    },
  }
})
