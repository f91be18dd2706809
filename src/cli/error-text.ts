import { reasonOf, SluiceError } from '../errors.ts'
import { masked } from './secrets.ts'

export interface ErrorTextOptions {
  /** Columns of the terminal. */
  readonly width: number
  readonly colour: boolean
  /** Adds the stack trace and everything that led to the error. */
  readonly verbose: boolean
}

const INDENT = '  '

/** An error as one block for people: its code, what failed, what to do. What is secret is masked. */
export function errorText(error: unknown, options: ErrorTextOptions): string {
  const { code, what, help } = partsOf(error)
  const bold = (text: string) => (options.colour ? `\u001b[1m${text}\u001b[22m` : text)
  const red = (text: string) => (options.colour ? `\u001b[31m${text}\u001b[39m` : text)
  const lines = [
    `${red('error')} ${bold(code)}`,
    ...wrap(masked(what), options.width),
    '',
    ...wrap(masked(`To fix: ${help}.`), options.width),
    ...(options.verbose ? ['', masked(traceOf(error))] : []),
  ]
  return `${lines.join('\n')}\n`
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

/** The stack traces of an error and of everything that led to it. */
function traceOf(error: unknown): string {
  const traces: string[] = []
  for (let cause = error; cause !== undefined; cause = cause instanceof Error ? cause.cause : undefined) {
    traces.push(cause instanceof Error ? (cause.stack ?? String(cause)) : String(cause))
  }
  return traces.join('\ncaused by ')
}
