import type { CommandModule, Options } from 'yargs'

export interface ReplayArguments {
  readonly path: string
  readonly into: string
  readonly checkpoint: string | undefined
  readonly kind: readonly ('bad' | 'late' | 'refused')[]
  readonly from: 'parquet' | 'json'
  readonly option: readonly string[]
  readonly 'from-option': readonly string[]
  readonly count: boolean
}

const SETTINGS = {
  type: 'string',
  array: true,
  nargs: 1,
  default: [] as string[],
  defaultDescription: 'none',
} as const

export const REPLAY_OPTIONS = {
  into: { type: 'string', default: 'kinesis', requiresArg: true, describe: 'the sink that they go to' },
  option: { ...SETTINGS, describe: 'name=value: an option of that sink' },
  checkpoint: {
    type: 'string',
    requiresArg: true,
    describe: 'directory or s3:// prefix that remembers what has been replayed; needed but with --count',
  },
  kind: {
    type: 'string',
    array: true,
    nargs: 1,
    choices: ['bad', 'late', 'refused'] as const,
    default: ['bad', 'late', 'refused'] as ('bad' | 'late' | 'refused')[],
    describe: 'which letters',
  },
  from: {
    choices: ['parquet', 'json'] as const,
    default: 'parquet' as const,
    requiresArg: true,
    describe: 'what the files are',
  },
  'from-option': { ...SETTINGS, describe: 'name=value: how to read the files, such as s3.region' },
  count: {
    type: 'boolean',
    default: false,
    describe: 'print how many there are of each kind, origin and reason, as lines of JSON, and replay none',
  },
} as const satisfies Readonly<Record<string, Options>>

export const replayCommand: CommandModule<object, ReplayArguments> = {
  command: 'replay-dead-letters <path>',
  describe: 'Put back what queries could do nothing with',
  builder: (args) =>
    args
      .positional('path', {
        type: 'string',
        demandOption: true,
        describe: 'directory or s3:// prefix of the dead letters, as in deadLetter.path',
      })
      .options(REPLAY_OPTIONS)
      .usage(
        '$0 replay-dead-letters PATH --checkpoint DIR [--into SINK] [--option name=value …]\n\n' +
          'Reads the dead letters of a query and writes them to a sink: into a stream the bytes of each record as they ' +
          'were, under their key. Ends when all are replayed. Run again with the same --checkpoint, it goes on after ' +
          'the last batch, and replays only what has come since.',
      )
      .example('$0 replay-dead-letters /data/dead --count', 'what is there')
      .example(
        '$0 replay-dead-letters /data/dead --kind bad --checkpoint /data/replayed --option streamName=clicks',
        'malformed records go back into the stream clicks',
      ),
  handler: async (args) => (await import('./replay.ts')).replay(args),
}
