import { SluiceError } from './errors.ts'
import { didYouMean } from './options.ts'

/** What can be chosen by `.format(name)` and `USING name`. */
interface Named {
  readonly name: string
}

const NAME = /^[a-z][a-z0-9_.-]{0,63}$/i

/** The sources or the sinks of a session by name, in any case: those that are built in, and those that were added. */
export class Formats<F extends Named> {
  readonly #kind: 'source' | 'sink'
  /** By lower-case name. */
  readonly #formats: Map<string, F>

  constructor(kind: 'source' | 'sink', builtIn: Readonly<Record<string, F>>) {
    this.#kind = kind
    this.#formats = new Map(Object.entries(builtIn).map(([name, format]) => [name.toLowerCase(), format]))
  }

  /** @throws FORMAT_UNKNOWN with the nearest known name */
  get(name: string): F {
    const format = this.#formats.get(name.toLowerCase())
    if (format) return format
    const hint = didYouMean(name, [...this.#formats.keys()])
    throw new SluiceError('FORMAT_UNKNOWN', { kind: this.#kind, format: name, hint })
  }

  /** @throws FORMAT_NAME for a name that is taken or is none */
  add(format: F): void {
    const { name } = format
    const refuse = (reason: string) =>
      new SluiceError('FORMAT_NAME', { kind: this.#kind, format: String(name).slice(0, 80), reason })
    if (!NAME.test(name)) throw refuse('it is not a letter followed by up to 63 letters, digits, _, . or -')
    if (this.#formats.has(name.toLowerCase())) throw refuse(`there is a ${this.#kind} of that name already`)
    this.#formats.set(name.toLowerCase(), format)
  }
}
