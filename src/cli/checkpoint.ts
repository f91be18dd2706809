import type { Argv, CommandModule, Options } from 'yargs'
import type { Commands } from './usage-error.ts'

/** What every action on a checkpoint is given. */
export interface CheckpointArguments {
  readonly location: string
  readonly option: readonly string[]
  readonly json: boolean
}

const SHARED = {
  option: {
    type: 'string',
    array: true,
    nargs: 1,
    default: [] as string[],
    defaultDescription: 'none',
    describe: 'name=value: an option of the query that says how to reach the checkpoint',
  },
  json: { type: 'boolean', default: false, describe: 'print JSON, for programs' },
} as const satisfies Readonly<Record<string, Options>>

const TO = {
  to: {
    demandOption: true,
    requiresArg: true,
    type: 'string',
    describe: 'the batch that is to be the last one',
  },
} as const satisfies Readonly<Record<string, Options>>

const AT = {
  at: {
    requiresArg: true,
    type: 'string',
    describe: 'the committed batch to go on from; the last one by default',
  },
} as const satisfies Readonly<Record<string, Options>>

const DROP = {
  'drop-last-uncommitted': {
    type: 'boolean',
    demandOption: true,
    describe: 'give up what was logged after the last commit',
  },
} as const satisfies Readonly<Record<string, Options>>

/** Loaded on demand, so that the other commands start fast. */
const actions = () => import('./checkpoint/actions.ts')

function withLocation(args: Argv<object>): Argv<CheckpointArguments> {
  return args
    .positional('location', {
      type: 'string',
      demandOption: true,
      describe: 'as in the option checkpointLocation: a directory or s3://bucket/prefix',
    })
    .options(SHARED)
}

const ls: CommandModule<object, CheckpointArguments> = {
  command: 'ls <location>',
  describe: 'Whose checkpoint it is, and its batches',
  builder: (args) =>
    withLocation(args).usage('$0 checkpoint ls LOCATION\n\nMay be used while the query runs.'),
  handler: async (args) => (await actions()).ls(args),
}

const show: CommandModule<object, CheckpointArguments & { readonly batch: string }> = {
  command: 'show <location> <batch>',
  describe: 'What one batch read, and the state after it',
  builder: (args) =>
    withLocation(args)
      .positional('batch', { type: 'string', demandOption: true, describe: 'its number' })
      .usage('$0 checkpoint show LOCATION BATCH\n\nMay be used while the query runs.'),
  handler: async (args) => (await actions()).show(args),
}

const verify: CommandModule<object, CheckpointArguments> = {
  command: 'verify <location>',
  describe: 'Read every file and check lengths and checksums',
  builder: (args) =>
    withLocation(args).usage(
      '$0 checkpoint verify LOCATION\n\n' +
        'Says for each damaged file whether it keeps the query from starting, or only from being rewound. Exits with ' +
        '1 when there is one. May be used while the query runs.',
    ),
  handler: async (args) => (await actions()).verify(args),
}

const rewind: CommandModule<object, CheckpointArguments & { readonly to: string }> = {
  command: 'rewind <location>',
  describe: 'Make an earlier batch the last one',
  builder: (args) =>
    withLocation(args)
      .options(TO)
      .usage(
        '$0 checkpoint rewind LOCATION --to BATCH\n\n' +
          'The later batches are run again by the next starts, under their numbers and with their rows. A sink that ' +
          'knows a batch by its number takes it once; any other gets their rows again. Refused while the query lives.',
      ),
  handler: async (args) => (await actions()).rewind(args),
}

const fork: CommandModule<
  object,
  CheckpointArguments & { readonly 'new-location': string; readonly at: string | undefined }
> = {
  command: 'fork <location> <new-location>',
  describe: 'Start another query from where this one stands',
  builder: (args) =>
    withLocation(args)
      .positional('new-location', {
        type: 'string',
        demandOption: true,
        describe: 'an empty directory or prefix, likewise',
      })
      .options(AT)
      .usage(
        '$0 checkpoint fork LOCATION NEW_LOCATION [--at BATCH]\n\n' +
          'Copies a committed batch and the state after it. The copy is another query: give it a sink of its own. ' +
          'Changes nothing at LOCATION, and may be used while the query runs.',
      ),
  handler: async (args) => (await actions()).fork(args),
}

const repair: CommandModule<object, CheckpointArguments & { readonly 'drop-last-uncommitted': boolean }> = {
  command: 'repair <location>',
  describe: 'Give up a batch that cannot be run again',
  builder: (args) =>
    withLocation(args)
      .options(DROP)
      .usage(
        '$0 checkpoint repair LOCATION --drop-last-uncommitted\n\n' +
          'For a batch without a commit whose file is damaged, or whose records the stream has let go. Its number is ' +
          'given to other rows, so a sink that holds a part of it may lack rows or have them twice. Refused while the ' +
          'query lives.',
      ),
  handler: async (args) => (await actions()).repair(args),
}

export const checkpointCommand: CommandModule = {
  command: 'checkpoint',
  describe: 'Look at a checkpoint without its query, and mend it',
  builder: (args) =>
    args
      .command(ls)
      .command(show)
      .command(verify)
      .command(rewind)
      .command(fork)
      .command(repair)
      .usage('$0 checkpoint ACTION LOCATION')
      .example('$0 checkpoint ls /var/lib/app/clicks', 'the batches of a query')
      .example('$0 checkpoint rewind s3://bucket/clicks --to 41', 'run batch 42 and later again')
      .demandCommand(1, 'an action is missing: ls, show, verify, rewind, fork or repair'),
  handler: () => undefined,
}

const options = (...more: readonly object[]) => [SHARED, ...more].flatMap((each) => Object.keys(each))

/** What the actions take, for messages. */
export const CHECKPOINT_USAGE: Commands = {
  'checkpoint ls': { takes: ['LOCATION'], options: options() },
  'checkpoint show': { takes: ['LOCATION', 'BATCH'], options: options() },
  'checkpoint verify': { takes: ['LOCATION'], options: options() },
  'checkpoint rewind': { takes: ['LOCATION'], options: options(TO) },
  'checkpoint fork': { takes: ['LOCATION', 'NEW_LOCATION'], options: options(AT) },
  'checkpoint repair': { takes: ['LOCATION'], options: options(DROP) },
}
