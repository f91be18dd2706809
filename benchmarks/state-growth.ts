import type { Json } from '../src/batch.ts'
import { seededRandom } from '../src/testing/seeded-random.ts'
import type { Arm } from './harness/arm.ts'
import { arrowFormat } from './harness/arrow-source.ts'
import { batchTimes } from './harness/batch-times.ts'
import { agree, type Benchmark, type Figures } from './harness/benchmark.ts'
import { figure } from './harness/page.ts'
import { rounded, spreadOf } from './harness/summary.ts'

const KEYS = [10_000, 100_000, 1_000_000, 10_000_000]
const ROWS_A_BATCH = 100_000
/** The state is filled in batches of this many new keys before anything is timed. */
const FILL = 1_000_000

/** Counts by key over a state of `keys` keys, of which every batch touches up to 100,000. */
async function counting({ keys, batches }: { keys: number; batches: number }): Promise<Arm> {
  return {
    run: async () => ({ records: 0, check: 0 }),
    observe: async (): Promise<Json> => {
      const random = seededRandom(`state of ${keys}`)
      const fills = Math.ceil(keys / FILL)
      const format = arrowFormat({
        keysOf: (index) => {
          if (index < fills) return range(index * FILL, Math.min(keys, (index + 1) * FILL))
          if (index >= fills + batches) return undefined
          return touched(keys, random.below)
        },
      })
      const times = await batchTimes((session) => {
        session.readStream.format(format).load().createOrReplaceTempView('keys')
        const counts = session.sql('SELECT key, count(*) AS n FROM keys GROUP BY key')
        return counts.writeStream.outputMode('update')
      })
      const timed = times.slice(fills)
      return {
        ms: timed.map(({ ms }) => ms),
        total: timed.at(-1)?.progress.stateOperators[0]?.numRowsTotal ?? 0,
        updated: timed.at(-1)?.progress.stateOperators[0]?.numRowsUpdated ?? 0,
        peakRssMb: process.resourceUsage().maxRSS / 1024,
      }
    },
    close: async () => undefined,
  }
}

function* range(from: number, to: number): Generator<bigint> {
  for (let key = from; key < to; key++) yield BigInt(key)
}

/** As many distinct keys as a batch has rows, spread over all there are; all of them when there are fewer. */
function* touched(keys: number, below: (n: number) => number): Generator<bigint> {
  const stride = Math.max(1, Math.floor(keys / ROWS_A_BATCH))
  for (let row = 0; row < ROWS_A_BATCH; row++) yield BigInt((row * stride + below(stride)) % keys)
}

export const stateGrowth: Benchmark = {
  name: 'state-growth',
  question:
    'Time of a batch of 100,000 rows that touches up to 100,000 keys, as the state grows; durable checkpoint.',
  arms: { counting },

  async run(lab): Promise<Figures> {
    const cases: Figures[] = []
    for (const keys of KEYS.filter((each) => each <= KEYS.at(-1)! * lab.scale)) {
      // Enough that a snapshot, one in ten batches, is among them.
      const arm = await lab.arm('counting', { keys, batches: 4 * lab.runs + 2 })
      const seen = (await arm.observe(null)) as {
        ms: number[]
        total: number
        updated: number
        peakRssMb: number
      }
      await arm.stop()
      agree('the keys in the state', [keys, seen.total])
      agree('the keys that a batch touched', [Math.min(keys, ROWS_A_BATCH), seen.updated])
      const { median, min, max } = spreadOf(seen.ms.slice(2))
      cases.push({
        keys,
        medianMs: rounded(median, 1),
        minMs: rounded(min, 1),
        maxMs: rounded(max, 1),
        peakRssMb: rounded(seen.peakRssMb),
      })
      lab.say(JSON.stringify(cases.at(-1)))
    }
    return { cases }
  },

  exhibit(figures) {
    const cases = figures['cases'] as unknown as readonly Readonly<Record<string, number>>[]
    return {
      columns: ['keys in the state', 'ms a batch', 'min – max', 'peak memory, MB'],
      rows: cases.map((each) => [
        figure(each['keys']),
        figure(each['medianMs'], 1),
        `${figure(each['minMs'], 1)} – ${figure(each['maxMs'], 1)}`,
        figure(each['peakRssMb']),
      ]),
      plot: {
        title: 'Time of a batch as the state grows',
        unit: 'milliseconds a batch, median; 100,000 rows each',
        groups: cases.map((each) => `${figure(each['keys'])} keys`),
        series: [{ name: 'Sluice', values: cases.map((each) => each['medianMs'] ?? 0) }],
      },
    }
  },
}
