import { reasonOf, SluiceError } from '../errors.ts'

export interface ErrorTextOptions {
  /** Columns of the terminal. */
  readonly width: number
  readonly colour: boolean
  /** Adds the stack trace and everything that led to the error. */
  readonly verbose: boolean
  /** Texts that must not be seen, wherever an error quotes them. */
  readonly secrets: readonly string[]
}

const INDENT = '  '

/** An error as one block for people: its code, what failed, what to do. */
export function errorText(error: unknown, options: ErrorTextOptions): string {
  const { code, what, help } = partsOf(error)
  const bold = (text: string) => (options.colour ? `\u001b[1m${text}\u001b[22m` : text)
  const red = (text: string) => (options.colour ? `\u001b[31m${text}\u001b[39m` : text)
  const lines = [
    `${red('error')} ${bold(code)}`,
    ...wrap(what, options.width),
    '',
    ...wrap(`To fix: ${help}.`, options.width),
    ...(options.verbose ? ['', ...traceOf(error)] : []),
  ]
  return `${mask(lines.join('\n'), options.secrets)}\n`
}

/** Values of environment variables and `name=value` arguments whose names say that they are secret. */
export function secretsOf(environment: NodeJS.ProcessEnv, args: readonly string[]): string[] {
  const pairs = [
    ...Object.entries(environment),
    ...args.map(
      (arg) => [arg.slice(0, Math.max(0, arg.indexOf('='))), arg.slice(arg.indexOf('=') + 1)] as const,
    ),
  ]
  // Shorter values would blank out ordinary words.
  return pairs.flatMap(([name, value]) =>
    /secret|token|passw/i.test(name) && value && value.length >= 6 ? [value] : [],
  )
}

function partsOf(error: unknown): { code: string; what: string; help: string } {
  if (!(error instanceof SluiceError)) {
    const help =
      'this is a defect of Sluice; please report it with the output of the same command and --verbose'
    return { code: 'UNEXPECTED', what: reasonOf(error), help }
  }
  const { code, help, message } = error
  return { code, help, what: message.slice(`${code}: `.length, -`. To fix: ${help}.`.length) }
}

/** Lines of at most `width` columns. Line breaks of the text stay: DuckDB points at a column with a caret. */
function wrap(text: string, width: number): string[] {
  const room = Math.max(20, width - INDENT.length)
  return text.split('\n').flatMap((line) => {
    if (line.length <= room) return [INDENT + line]
    const lines: string[] = []
    let current = ''
    for (const word of line.split(' ')) {
      if (current !== '' && current.length + 1 + word.length > room) {
        lines.push(INDENT + current)
        current = word
      } else {
        current = current === '' ? word : `${current} ${word}`
      }
    }
    return [...lines, INDENT + current]
  })
}

function traceOf(error: unknown): string[] {
  const lines: string[] = []
  for (let cause = error; cause !== undefined; cause = cause instanceof Error ? cause.cause : undefined) {
    const text = cause instanceof Error ? (cause.stack ?? String(cause)) : String(cause)
    lines.push(
      ...text
        .split('\n')
        .map((line, index) => (index === 0 && lines.length > 0 ? `caused by ${line}` : line)),
    )
  }
  return lines
}

function mask(text: string, secrets: readonly string[]): string {
  return secrets.reduce((masked, secret) => masked.replaceAll(secret, '***'), text)
}
