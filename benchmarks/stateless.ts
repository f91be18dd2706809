import type { Benchmark } from './harness/benchmark.ts'
import { duckdbAlone, type TableParameters } from './harness/duckdb-alone.ts'
import { unpaced } from './harness/kinesis-options.ts'
import { queryArm } from './harness/query.ts'
import { sdkLoop } from './harness/sdk-loop.ts'
import { threeWay, threeWayExhibit } from './harness/three-way.ts'

const FIELDS = { userId: 'BIGINT', page: 'VARCHAR', kind: 'VARCHAR', at: 'TIMESTAMP' }
const ITEMS = `"userId", upper(page) AS page, "at"`
const WANTED = `kind = 'buy'`

export const stateless: Benchmark = {
  name: 'stateless',
  question:
    'Kinesis, JSON parse, filter, projection, noop sink with a durable checkpoint, at 200 bytes a record.',
  arms: {
    ours: ({ url, stream }: TableParameters) =>
      queryArm({
        describe: (session) => {
          session.readStream
            .format('kinesis')
            .options(unpaced(url, stream))
            .schema(FIELDS)
            .load()
            .createOrReplaceTempView('clicks')
          return session.sql(`SELECT ${ITEMS} FROM clicks WHERE ${WANTED}`).writeStream
        },
      }),
    sdk: sdkLoop,
    duckdb: (parameters: TableParameters) =>
      duckdbAlone(
        parameters,
        [],
        `SELECT ${ITEMS} FROM (SELECT unnest(from_json(decode(data), '${JSON.stringify(FIELDS)}')) FROM input) ` +
          `WHERE ${WANTED}`,
      ),
  },
  run: (lab) =>
    threeWay(lab, {
      stream: 'clicks',
      kind: 'clicks',
      shards: 4,
      records: lab.scaled(3_200_000),
      recordBytes: 200,
    }),
  exhibit: (figures) => threeWayExhibit(figures, 'Stateless query, end to end'),
}
