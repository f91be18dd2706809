import { SluiceError } from '../errors.ts'
import { didYouMean } from '../options.ts'

/** Names of the options of each command, for suggestions. */
export type CommandOptions = Readonly<Record<string, readonly string[]>>

/** What yargs refused, in words that say what to type instead. */
export function usageError(
  refusal: string,
  args: readonly string[],
  commands: CommandOptions,
): SluiceError<'CLI_USAGE'> {
  const name = args.find((arg) => !arg.startsWith('-'))
  const known = name === undefined ? undefined : commands[name]
  const command = known ? `sluice ${name}` : 'sluice'
  const usage = (reason: string) => new SluiceError('CLI_USAGE', { reason, command })
  if (name !== undefined && !known) {
    return usage(`there is no command '${name}': ${didYouMean(name, Object.keys(commands))}`)
  }
  const unknown = /^Unknown arguments?: (.+)$/.exec(refusal)?.[1]?.split(', ') ?? []
  if (unknown.length > 0)
    return usage(unknown.map((word) => unknownReason(word, args, known ?? [])).join('; '))
  if (/^Not enough non-option arguments/.test(refusal)) return usage('the script FILE.sql is missing')
  const [, option] = /^Not enough arguments following: (.+)$/.exec(refusal) ?? []
  if (option !== undefined) return usage(`the option --${option} needs a value`)
  const [, invalid, given, choices] = /Argument: (.+), Given: "(.*)", Choices: (.+)$/.exec(refusal) ?? []
  if (invalid === undefined) return usage(refusal)
  return usage(`the option --${invalid} is '${given}'; it takes ${choices?.replaceAll('"', '')}`)
}

function unknownReason(word: string, args: readonly string[], options: readonly string[]): string {
  if (args.includes(word)) return `'${word}' is one argument too many`
  const dashes = word.length === 1 ? '-' : '--'
  const known = [...options, 'help', 'version', 'verbose'].map((name) => `--${name}`)
  return `there is no option ${dashes}${word}: ${didYouMean(dashes + word, known)}`
}
