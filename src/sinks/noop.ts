import { parseOptions } from '../options.ts'
import type { SinkFormat } from './sink.ts'

/** Takes all rows and keeps none: what a query costs without a sink. */
export const noopFormat: SinkFormat = Object.freeze({
  name: 'noop',
  modes: ['append', 'update', 'complete'],
  guarantee: 'none',
  options: {},
  open: async ({ options }) => {
    parseOptions('sink noop', {}, options)
    return {
      description: 'noop',
      guarantee: 'none',
      write: async () => undefined,
      close: async () => undefined,
    }
  },
} satisfies SinkFormat)
