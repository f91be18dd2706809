import { duckdbFormat } from '../../../src/sinks/duckdb/format.ts'
import { Bench } from '../../conformance/sink.ts'

/** Writes batch after batch into the file it is given, from a number on, and says so, until it is killed. */
const [path = '', from = '0'] = process.argv.slice(2)
const bench = await Bench.open()
const rows = (batch: number) => `SELECT ${batch} AS batch, i FROM range(1000) r(i)`
const sink = await bench.open(duckdbFormat, rows(0), 'append', { path, table: 't' })
for (let batch = Number(from); ; batch++) {
  await bench.write(sink, batch, rows(batch))
  process.stdout.write(`${batch}\n`)
}
