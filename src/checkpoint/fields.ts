import type { Json } from '../batch.ts'
import type { SluiceError } from '../errors.ts'
import { corrupt } from './corrupt.ts'

/** Reads an object out of a checkpoint file; whatever has the wrong shape is CHECKPOINT_CORRUPT with its name. */
export class Fields {
  readonly #location: string
  readonly #path: string
  readonly #where: string
  readonly #values: Readonly<Record<string, Json>>

  constructor(location: string, path: string, json: Json, where = '') {
    this.#location = location
    this.#path = path
    this.#where = where
    if (json === null || typeof json !== 'object' || Array.isArray(json)) {
      throw corrupt(location, path, `holds no object${where === '' ? '' : ` at ${where}`}`)
    }
    this.#values = json as Readonly<Record<string, Json>>
  }

  /** A whole number, 0 or more. */
  count(name: string): number {
    const value = this.json(name)
    if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number
    throw this.wrong(name, 'a whole number')
  }

  text(name: string): string {
    const value = this.json(name)
    if (typeof value === 'string') return value
    throw this.wrong(name, 'a text')
  }

  textOrNull(name: string): string | null {
    return this.json(name) === null ? null : this.text(name)
  }

  numberOrNull(name: string): number | null {
    const value = this.json(name)
    if (value === null || (typeof value === 'number' && Number.isFinite(value))) return value
    throw this.wrong(name, 'a number or null')
  }

  numbersOrNulls(name: string): readonly (number | null)[] {
    const value = this.json(name)
    const fits = (item: Json) => item === null || (typeof item === 'number' && Number.isFinite(item))
    if (Array.isArray(value) && value.every(fits)) return value as (number | null)[]
    throw this.wrong(name, 'a list of numbers and nulls')
  }

  json(name: string): Json {
    if (Object.hasOwn(this.#values, name)) return this.#values[name] as Json
    throw this.wrong(name, 'there')
  }

  object(name: string): Fields {
    return new Fields(this.#location, this.#path, this.json(name), this.#inside(name))
  }

  objects(name: string): readonly Fields[] {
    const value = this.json(name)
    if (!Array.isArray(value)) throw this.wrong(name, 'a list')
    return value.map(
      (item: Json, i) => new Fields(this.#location, this.#path, item, `${this.#inside(name)}[${i}]`),
    )
  }

  texts(name: string): readonly string[] {
    const value = this.json(name)
    if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value as string[]
    throw this.wrong(name, 'a list of texts')
  }

  wrong(name: string, expected: string): SluiceError {
    return corrupt(
      this.#location,
      this.#path,
      `has a right checksum but its '${this.#inside(name)}' is not ${expected}`,
    )
  }

  #inside(name: string): string {
    return this.#where === '' ? name : `${this.#where}.${name}`
  }
}
