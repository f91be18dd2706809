import { SluiceError } from '../errors.ts'
import type { Formats } from '../formats.ts'
import { type OptionValue, parseOptions } from '../options.ts'
import type { OutputMode } from '../output-mode.ts'
import type { Sink, SinkContext, SinkFormat } from './sink.ts'

/** The sinks that the batches of one query are written to by hand, each opened once and kept until the query ends. */
export class Targets {
  readonly #context: SinkContext
  readonly #sinks: Formats<SinkFormat>
  /** By format, options and mode. */
  readonly #open = new Map<string, Sink>()

  constructor(context: SinkContext, sinks: Formats<SinkFormat>) {
    this.#context = context
    this.#sinks = sinks
  }

  /** @throws FORMAT_UNKNOWN, SINK_MODE, OPTION_…, and what the sink has against it */
  async open(
    named: string | SinkFormat,
    options: Readonly<Record<string, OptionValue>>,
    outputMode: OutputMode = this.#context.outputMode,
  ): Promise<Sink> {
    const format = typeof named === 'string' ? this.#sinks.get(named) : named
    const key = JSON.stringify([format.name, outputMode, Object.entries(options).sort()])
    const known = this.#open.get(key)
    if (known) return known
    if (!format.modes.includes(outputMode)) {
      throw new SluiceError('SINK_MODE', {
        sink: format.name,
        mode: outputMode,
        modes: format.modes.join(' or '),
      })
    }
    const given = new Map(Object.entries(options))
    parseOptions(`sink ${format.name}`, format.options, given)
    const sink = await format.open({ ...this.#context, options: given, outputMode })
    this.#open.set(key, sink)
    return sink
  }

  /** Closes all, also when one of them fails to. */
  async close(): Promise<void> {
    const closing = [...this.#open.values()].map((sink) => sink.close())
    const failed = (await Promise.allSettled(closing)).find((result) => result.status === 'rejected')
    if (failed) throw failed.reason
  }
}
