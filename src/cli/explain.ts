import type { CommandModule } from 'yargs'
import { SCRIPT_OPTIONS, type ScriptArguments, withFile } from './script-file.ts'

export const EXPLAIN_OPTIONS = SCRIPT_OPTIONS

export const explainCommand: CommandModule<object, ScriptArguments> = {
  command: 'explain <file>',
  describe: 'Show what the queries of a SQL script do for every micro-batch',
  builder: (args) =>
    withFile(args)
      .options(EXPLAIN_OPTIONS)
      .usage(
        '$0 explain FILE.sql [--set name=value …]\n\n' +
          'Checks a script and prints, for each of its sinks, the plan and the SQL that runs for every micro-batch. ' +
          'Opens no stream and no sink and needs no network: a check for scripts before they are deployed.',
      )
      .example('$0 explain sql/examples/word-count.sql', 'the plan of the word count')
      .example('$0 explain clicks.sql --set streamName=clicks', `fill \${streamName} in the script`),
  handler: async (args) => (await import('./explain-script.ts')).explainScript(args),
}
