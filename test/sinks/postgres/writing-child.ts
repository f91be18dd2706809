import { postgresFormat } from '../../../src/sinks/postgres/format.ts'
import { Bench } from '../../conformance/sink.ts'

/** Writes batch after batch into a table and says so, until it is killed. */
const [url = ''] = process.argv.slice(2)
const bench = await Bench.open()
const rows = (batch: number) => `SELECT ${batch} AS batch, i FROM range(1000) r(i)`
const options = { url, table: 'killed', rowsPerStatement: 100 }
const sink = await bench.open(postgresFormat, rows(0), 'append', options)
for (let batch = 0; ; batch++) {
  await bench.write(sink, batch, rows(batch))
  process.stdout.write(`${batch}\n`)
}
