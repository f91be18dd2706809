import type { CommandModule, Options } from 'yargs'
import { LOG_LEVELS, type LogLevel } from './console-log.ts'
import { SCRIPT_OPTIONS, type ScriptArguments, withFile } from './script-file.ts'

export interface RunArguments extends ScriptArguments {
  readonly 'log-level': LogLevel
}

export const RUN_OPTIONS = {
  ...SCRIPT_OPTIONS,
  'log-level': {
    choices: LOG_LEVELS,
    default: 'info',
    requiresArg: true,
    describe: 'what to log on stderr; debug says one line for every batch',
  },
} as const satisfies Readonly<Record<string, Options>>

export const runCommand: CommandModule<object, RunArguments> = {
  command: 'run <file>',
  describe: 'Start the queries of a SQL script and keep them running',
  builder: (args) =>
    withFile(args)
      .options(RUN_OPTIONS)
      .usage(
        '$0 run FILE.sql [--set name=value …]\n\n' +
          'Carries out a script: CREATE STREAM says what to read; CREATE SINK … AS SELECT … starts a query and says ' +
          'where its rows go. Runs until all queries have ended or a signal comes.\n\n' +
          'Ctrl-C and SIGTERM let the running batch finish and exit with 0. A sink with the option ' +
          'checkpointLocation goes on after its last batch at the next start.',
      )
      .example('$0 run sql/examples/word-count.sql', 'count the words in the stream sentences')
      .example(
        '$0 run clicks.sql --set streamName=clicks --set region=eu-west-1',
        `fill \${streamName} and \${region}`,
      )
      .example('$0 run clicks.sql --log-level debug', 'one line for every batch'),
  handler: async (args) => (await import('./run-script.ts')).runScript(args),
}
