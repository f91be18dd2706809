import { SINKS } from '../../src/sinks/index.ts'
import { Bench } from '../conformance/sink.ts'

/** Writes two batches to a sink; the environment says at which failpoint it dies. */
const [name = '', options = '{}', first = '', second = ''] = process.argv.slice(2)
const bench = await Bench.open()
const sink = await bench.open(SINKS[name]!, first, 'append', JSON.parse(options))
await bench.write(sink, 0, first)
await bench.write(sink, 1, second)
