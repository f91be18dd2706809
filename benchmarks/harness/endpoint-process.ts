import type { Json } from '../../src/batch.ts'
import { KinesisDouble } from '../../src/testing/kinesis/double.ts'
import { serveParent } from './child.ts'
import { recordsOf, type Stock } from './records.ts'

/** The double in a process of its own: seeds streams, and puts records at a pace when a benchmark wants them fresh. */
const double = new KinesisDouble({ keptCalls: 100 })
const endpoint = await double.listen()
const TICK_MS = 10

serveParent({
  url: () => Promise.resolve(endpoint.endpointUrl),
  seed: (argument: Json) => Promise.resolve(seed(argument as unknown as Stock)),
  create: async (argument: Json) => {
    const { stream, shards } = argument as { stream: string; shards: number }
    double.createStream(stream, { shards })
  },
  pace: (argument: Json) => pace(argument as unknown as Pace),
  close: () => double.close(),
})

/** Neighbouring records go to neighbouring shards, so that all shards end at the same time. */
function seed({ stream, kind, shards, records, recordBytes }: Stock): number {
  double.createStream(stream, { shards })
  const ids = double.shards(stream).map(({ id }) => id)
  let next = 0
  for (const record of recordsOf(kind, records, recordBytes)) {
    double.seed(stream, [record], { shardId: ids[next++ % shards] as string })
  }
  return next
}

interface Pace {
  readonly stream: string
  readonly perSecond: number
  readonly records: number
}

/** Puts records that carry the time of their putting, as evenly as a timer allows. */
async function pace({ stream, perSecond, records }: Pace): Promise<void> {
  const filling = '-'.repeat(150)
  const start = performance.now()
  for (let put = 0; put < records; ) {
    const due = Math.min(records, 1 + Math.floor(((performance.now() - start) * perSecond) / 1000))
    for (; put < due; put++) {
      const sentMs = performance.timeOrigin + performance.now()
      double.put(stream, {
        partitionKey: `k${put}`,
        data: `{"n":${put},"sentMs":${sentMs},"filling":"${filling}"}`,
      })
    }
    const waitMs = perSecond < 1000 / TICK_MS ? start + (put * 1000) / perSecond - performance.now() : TICK_MS
    await new Promise((resolve) => setTimeout(resolve, Math.max(1, waitMs)))
  }
}
