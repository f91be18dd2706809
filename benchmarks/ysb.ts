import type { Benchmark } from './harness/benchmark.ts'
import { duckdbAlone, type TableParameters } from './harness/duckdb-alone.ts'
import { unpaced } from './harness/kinesis-options.ts'
import { queryArm } from './harness/query.ts'
import { sdkLoop } from './harness/sdk-loop.ts'
import { threeWay, threeWayExhibit } from './harness/three-way.ts'

/** Ten ads to a campaign, a hundred campaigns, as in the original. */
const CAMPAIGNS = `CREATE TABLE campaigns AS
  SELECT 'ad-' || i AS ad_id, 'campaign-' || (i // 10) AS campaign_id FROM range(1000) AS ads(i)`
const FIELDS = { ad_id: 'VARCHAR', event_type: 'VARCHAR', event_time: 'TIMESTAMP' }
const counted = (events: string): string => `
  SELECT campaign_id, time_bucket(INTERVAL '10 seconds', event_time) AS window_start, count(*) AS views
  FROM ${events} AS e JOIN campaigns AS c ON e.ad_id = c.ad_id
  WHERE event_type = 'view' GROUP BY campaign_id, time_bucket(INTERVAL '10 seconds', event_time)`

/** The last row of every key is what an update stream comes to. */
const KEYS = ['campaign_id', 'window_start']

export const ysb: Benchmark = {
  name: 'ysb',
  question:
    'The Yahoo streaming benchmark: JSON ad events, views only, joined to a static table, counted by campaign in 10 s windows; durable state, update mode.',
  arms: {
    ours: ({ url, stream }: TableParameters) =>
      queryArm({
        keys: KEYS,
        describe: async (session) => {
          await session.run(CAMPAIGNS)
          session.readStream
            .format('kinesis')
            .options(unpaced(url, stream))
            .schema(FIELDS)
            .load()
            .createOrReplaceTempView('events')
          return session.sql(counted('events')).writeStream.outputMode('update')
        },
      }),
    sdk: sdkLoop,
    duckdb: (parameters: TableParameters) =>
      duckdbAlone(
        parameters,
        [CAMPAIGNS],
        counted(`(SELECT unnest(from_json(decode(data), '${JSON.stringify(FIELDS)}')) FROM input)`),
      ),
  },
  run: (lab) =>
    threeWay(lab, {
      stream: 'ads',
      kind: 'ads',
      shards: 4,
      records: lab.scaled(3_200_000),
      recordBytes: 200,
    }),
  exhibit: (figures) => threeWayExhibit(figures, 'Yahoo streaming benchmark, end to end'),
}
