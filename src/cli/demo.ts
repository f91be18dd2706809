import type { CommandModule, Options } from 'yargs'
import { ENDPOINTS, type EndpointChoice } from './demo/endpoint-choice.ts'
import { wholeNumber } from './whole-number.ts'

export interface DemoArguments {
  readonly seconds: number
  readonly rate: number
  readonly endpoint: EndpointChoice
  readonly keep: boolean
}

export const DEMO_OPTIONS = {
  seconds: {
    requiresArg: true,
    default: 15,
    coerce: wholeNumber('sluice demo', 'the option --seconds', 3, 600),
    describe: 'how long sentences are put into the stream',
  },
  rate: {
    requiresArg: true,
    default: 300,
    coerce: wholeNumber('sluice demo', 'the option --rate', 10, 1000),
    describe: 'sentences put in a second; kinesis-local takes about 1000',
  },
  endpoint: {
    choices: ENDPOINTS,
    default: 'auto',
    requiresArg: true,
    describe: 'local: the npm package kinesis-local; double: our own; auto: local where it is installed',
  },
  keep: {
    type: 'boolean',
    default: false,
    describe: 'keep the checkpoint and the totals, and say where they are',
  },
} as const satisfies Readonly<Record<string, Options>>

export const demoCommand: CommandModule<object, DemoArguments> = {
  command: 'demo',
  describe: 'Count words of a local Kinesis stream through a reshard and a kill',
  builder: (args) =>
    args
      .options(DEMO_OPTIONS)
      .usage(
        '$0 demo [--seconds N] [--rate N]\n\n' +
          'Starts a Kinesis endpoint on this machine and puts sentences into a stream, while a query in a process of ' +
          'its own counts their words. On the way one shard is split, and the query process is killed with SIGKILL ' +
          'and started again. At the end the totals of both sides stand side by side; they have to be equal.\n\n' +
          'Needs no AWS account, takes about half a minute, and leaves nothing behind.',
      )
      .example('$0 demo', 'the whole show')
      .example('$0 demo --seconds 5 --rate 100', 'a short one')
      .example('$0 demo --keep', 'then look into the checkpoint'),
  handler: async (args) => (await import('./demo/run-demo.ts')).runDemo(args),
}
