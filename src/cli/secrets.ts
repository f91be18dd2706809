/** Texts that this process must not show, wherever an error quotes them. */
const hidden = new Set<string>()

const NAME = '\\w*(?:secret|token|passw)(?!\\w*file)\\w*'
const VARIABLE = new RegExp(`^${NAME}$`, 'i')
const SQL_OPTION = new RegExp(`(?<![\\w'])${NAME}"?\\s*=?\\s*'((?:[^']|'')+)'`, 'gi')
/** Hiding shorter ones would blank out ordinary words. */
const LENGTH_MIN = 6

/** Hides the values of variables whose names say that they are secret. */
export function hideVariables(variables: Iterable<readonly [string, string | undefined]>): void {
  for (const [name, value] of variables) if (VARIABLE.test(name)) hide(value)
}

/** Hides the values of arguments such as `password=…`, `--set=password=…` and `checkpoint.s3.awsSecretKey=…`. */
export function hideArguments(args: readonly string[]): void {
  const settings = args.map((arg) => /^(?:--\w+=)?(?:\w+\.)*(\w+)=([\s\S]*)$/.exec(arg) ?? [])
  hideVariables(settings.map(([, name = '', value]) => [name, value]))
}

/** Hides the values of options of a SQL script whose names say that they are secret. */
export function hideOptions(script: string): void {
  for (const [, value] of script.matchAll(SQL_OPTION)) hide(value)
}

/** The text with `***` in place of everything that is hidden. */
export function masked(text: string): string {
  let shown = text
  for (const secret of hidden) shown = shown.replaceAll(secret, '***')
  return shown
}

function hide(value: string | undefined): void {
  if (value !== undefined && value.length >= LENGTH_MIN) hidden.add(value)
}
