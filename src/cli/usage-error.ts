import { SluiceError } from '../errors.ts'
import { didYouMean } from '../options.ts'

/** What a command takes. */
export interface CommandUsage {
  /** What has to follow it, in this order. */
  readonly takes: readonly string[]
  /** Names of its options. */
  readonly options: readonly string[]
}

/** Commands by name, `run` and `checkpoint ls` alike, for messages and suggestions. */
export type Commands = Readonly<Record<string, CommandUsage>>

/** What yargs refused, in words that say what to type instead. */
export function usageError(
  refusal: string,
  args: readonly string[],
  commands: Commands,
): SluiceError<'CLI_USAGE'> {
  const { name, isKnown, siblings } = commandIn(args, commands)
  const known = commands[name]
  const usage = (reason: string) =>
    new SluiceError('CLI_USAGE', { reason, command: known ? `sluice ${name}` : 'sluice' })
  if (!isKnown) return usage(`there is no command '${name}': ${didYouMean(name, siblings)}`)
  const unknown = /^Unknown arguments?: (.+)$/.exec(refusal)?.[1]?.split(', ') ?? []
  if (unknown.length > 0)
    return usage(unknown.map((word) => unknownReason(word, args, known?.options ?? [])).join('; '))
  const given = /^Not enough non-option arguments: got (\d+)/.exec(refusal)?.[1]
  if (given !== undefined) return usage(missingReason(known?.takes.slice(Number(given)) ?? []))
  const [, required] = /^Missing required arguments?: (.+)$/.exec(refusal) ?? []
  if (required !== undefined) return usage(`the option --${required} is missing`)
  const [, option] = /^Not enough arguments following: (.+)$/.exec(refusal) ?? []
  if (option !== undefined) return usage(`the option --${option} needs a value`)
  const [, invalid, value, choices] = /Argument: (.+), Given: "(.*)", Choices: (.+)$/.exec(refusal) ?? []
  if (invalid === undefined) return usage(refusal)
  return usage(`the option --${invalid} is '${value}'; it takes ${choices?.replaceAll('"', '')}`)
}

/** The command that was meant, and those that could have been. */
function commandIn(args: readonly string[], commands: Commands) {
  const [first = '', second = ''] = args.filter((arg) => !arg.startsWith('-'))
  const all = Object.keys(commands)
  const firsts = [...new Set(all.map((command) => command.split(' ')[0] as string))]
  if (first === '' || commands[first] || !firsts.includes(first)) {
    return { name: first, isKnown: first === '' || commands[first] !== undefined, siblings: firsts }
  }
  const name = `${first} ${second}`.trim()
  const siblings = all.filter((command) => command.startsWith(`${first} `))
  return { name, isKnown: second === '' || commands[name] !== undefined, siblings }
}

function missingReason(missing: readonly string[]): string {
  return `${missing.join(' and ')} ${missing.length > 1 ? 'are' : 'is'} missing`
}

function unknownReason(word: string, args: readonly string[], options: readonly string[]): string {
  if (args.includes(word)) return `'${word}' is one argument too many`
  const dashes = word.length === 1 ? '-' : '--'
  const known = [...options, 'help', 'version', 'verbose'].map((name) => `--${name}`)
  return `there is no option ${dashes}${word}: ${didYouMean(dashes + word, known)}`
}
