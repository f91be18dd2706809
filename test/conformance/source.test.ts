import { setImmediate as turn } from 'node:timers/promises'
import { systemClock } from '../../src/clock.ts'
import { silentLogger } from '../../src/log.ts'
import type { OptionValue } from '../../src/options.ts'
import { kinesisFormat } from '../../src/sources/kinesis/format.ts'
import { MemoryStream } from '../../src/sources/memory.ts'
import { nexmarkFormat } from '../../src/sources/nexmark/format.ts'
import { rateFormat } from '../../src/sources/rate.ts'
import type { Source, SourceFormat } from '../../src/sources/source.ts'
import { KinesisDouble } from '../../src/testing/kinesis/double.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { sourceConformance } from './source.ts'

function open(
  format: SourceFormat,
  options: Readonly<Record<string, OptionValue>>,
  clock = systemClock,
): Source {
  return format.open({ options: new Map(Object.entries(options)), clock, log: silentLogger })
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
