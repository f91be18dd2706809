#!/usr/bin/env node
import yargs, { type Argv } from 'yargs'
import { hideBin } from 'yargs/helpers'
import { hasCode, SluiceError } from '../errors.ts'
import { sluiceVersion } from '../version.ts'
import { CHECKPOINT_USAGE, checkpointCommand } from './checkpoint.ts'
import { DEMO_OPTIONS, demoCommand } from './demo.ts'
import { errorText } from './error-text.ts'
import { EXPLAIN_OPTIONS, explainCommand } from './explain.ts'
import { REPLAY_OPTIONS, replayCommand } from './replay-dead-letters.ts'
import { RUN_OPTIONS, runCommand } from './run.ts'
import { hideArguments, hideVariables } from './secrets.ts'
import { type Commands, usageError } from './usage-error.ts'

const COMMANDS: Commands = {
  demo: { takes: [], options: Object.keys(DEMO_OPTIONS) },
  run: { takes: ['the script FILE.sql'], options: Object.keys(RUN_OPTIONS) },
  explain: { takes: ['the script FILE.sql'], options: Object.keys(EXPLAIN_OPTIONS) },
  'replay-dead-letters': { takes: ['the PATH of the letters'], options: Object.keys(REPLAY_OPTIONS) },
  ...CHECKPOINT_USAGE,
}
const WIDTH_MAX = 100

const args = hideBin(process.argv)

hideVariables(Object.entries(process.env))
hideArguments(args)

process.on('uncaughtException', (error) => {
  fail(error)
  process.exit()
})
// As any filter in a pipe: whoever reads our rows has had enough of them.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit()
  throw error
})

try {
  if (args.length === 0) commandLine().showHelp('log')
  else await commandLine().parseAsync()
} catch (error) {
  fail(error)
}

function commandLine(): Argv {
  return yargs(args)
    .scriptName('sluice')
    .locale('en')
    .parserConfiguration({ 'camel-case-expansion': false })
    .wrap(Math.min(process.stdout.columns ?? WIDTH_MAX, WIDTH_MAX))
    .usage(
      '$0 COMMAND\n\n' +
        'Structured streaming over Amazon Kinesis: SQL over streams, executed by an embedded DuckDB, with positions ' +
        'and state in a checkpoint.',
    )
    .command(demoCommand)
    .command(runCommand)
    .command(explainCommand)
    .command(checkpointCommand)
    .command(replayCommand)
    .example('$0 demo', 'a word count that survives a reshard and a kill; no AWS account needed')
    .example('$0 run pipeline.sql', 'run the queries of a script')
    .example('$0 run pipeline.sql --help', 'what a command does and takes')
    .option('verbose', { type: 'boolean', describe: 'show what led to an error; also SLUICE_DEBUG=1' })
    .help()
    .version(sluiceVersion)
    .epilogue('README.md and docs/ tell more.')
    .demandCommand(1, 'a command is missing: demo, run, explain, checkpoint or replay-dead-letters')
    .strict()
    .exitProcess(false)
    .fail((refusal, error) => {
      throw error instanceof SluiceError || !refusal ? error : usageError(refusal, args, COMMANDS)
    })
}

function fail(error: unknown): void {
  process.exitCode = hasCode(error, 'CLI_USAGE') ? 2 : 1
  process.stderr.write(
    errorText(error, {
      width: Math.min(process.stderr.columns ?? WIDTH_MAX, WIDTH_MAX),
      colour: process.stderr.isTTY === true && process.env['NO_COLOR'] === undefined,
      verbose: args.includes('--verbose') || process.env['SLUICE_DEBUG'] === '1',
    }),
  )
}
