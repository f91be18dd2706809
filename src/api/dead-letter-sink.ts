import { SluiceError } from '../errors.ts'
import type { Formats } from '../formats.ts'
import { type GivenOptions, parseOptions } from '../options.ts'
import type { SinkFormat } from '../sinks/sink.ts'

const PREFIX = /^deadLetter\./i

/**
 * The sink that `deadLetter.format` names, with the other options that begin with `deadLetter.`; undefined without any.
 *
 * @throws OPTION_MISSING, FORMAT_UNKNOWN, SINK_MODE, OPTION_UNKNOWN, OPTION_INVALID
 */
export function deadLetterSink(
  given: GivenOptions,
  sinks: Formats<SinkFormat>,
): { readonly format: SinkFormat; readonly options: GivenOptions } | undefined {
  if (given.size === 0) return undefined
  const named = [...given].map(([name, value]) => [name.replace(PREFIX, ''), value] as const)
  const format = named.find(([name]) => /^format$/i.test(name))?.[1]
  if (format === undefined) {
    const doc = 'the sink of bad records, late rows and refused rows'
    throw new SluiceError('OPTION_MISSING', { owner: 'the query', option: 'deadLetter.format', doc })
  }
  const sink = sinks.get(String(format))
  if (!sink.modes.includes('append')) {
    throw new SluiceError('SINK_MODE', { sink: sink.name, mode: 'append', modes: sink.modes.join(' or ') })
  }
  const options = new Map(named.filter(([name]) => !/^format$/i.test(name)))
  parseOptions(`sink ${sink.name} of dead letters`, sink.options, options)
  return { format: sink, options }
}
