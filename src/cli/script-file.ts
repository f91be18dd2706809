import { readFile } from 'node:fs/promises'
import type { Argv, Options } from 'yargs'
import { reasonOf, SluiceError } from '../errors.ts'
import { fillValues } from './script-values.ts'
import { hideOptions } from './secrets.ts'

/** What every command that reads a script is given. */
export interface ScriptArguments {
  readonly file: string
  readonly set: readonly string[]
}

export const SCRIPT_OPTIONS = {
  set: {
    type: 'string',
    array: true,
    nargs: 1,
    default: [] as string[],
    defaultDescription: 'none',
    describe: `name=value, for \${name} in the script; environment variables of that name serve as well`,
  },
} as const satisfies Readonly<Record<string, Options>>

export function withFile<T>(args: Argv<T>): Argv<T & { readonly file: string }> {
  return args.positional('file', { type: 'string', demandOption: true, describe: 'script of SQL statements' })
}

/**
 * The text of a script with its values put in.
 *
 * @throws CLI_USAGE, SCRIPT_UNREADABLE, SCRIPT_EMPTY, SCRIPT_VALUE_MISSING, SCRIPT_VALUE_UNUSED
 */
export async function readScript({ file, set }: ScriptArguments): Promise<string> {
  const settings = new Map(set.map(settingOf))
  const script = await readText(file)
  if (/^[\s;]*$/.test(script.replace(/--[^\n]*|\/\*[\s\S]*?\*\//g, '')))
    throw new SluiceError('SCRIPT_EMPTY', { file })
  const filled = fillValues(file, script, settings, process.env)
  hideOptions(filled)
  return filled
}

function settingOf(text: string): [string, string] {
  const match = /^([A-Za-z_]\w*)=([\s\S]*)$/.exec(text)
  if (match) return [match[1] as string, match[2] as string]
  // The text itself may be a password without its name.
  const reason = '--set takes name=value, where name is made of letters, digits and underscores'
  throw new SluiceError('CLI_USAGE', { reason, command: 'sluice run' })
}

async function readText(file: string): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file))
  } catch (cause) {
    throw new SluiceError('SCRIPT_UNREADABLE', { file, reason: whyUnreadable(cause) }, { cause })
  }
}

const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a directory',
  EACCES: 'this user may not read it',
  ERR_ENCODING_INVALID_ENCODED_DATA: 'it is not UTF-8 text',
}

function whyUnreadable(error: unknown): string {
  return WHY[(error as NodeJS.ErrnoException).code ?? ''] ?? reasonOf(error)
}
