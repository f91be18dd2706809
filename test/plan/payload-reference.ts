import type { DuckType } from '../../src/duck-type.ts'

/**
 * A second reader of JSON payloads, record by record and in plain TypeScript, against which the SQL is tested. It
 * knows nothing of DuckDB but what its JSON parser lets pass beyond the standard: a comma before a closing bracket,
 * and NaN and Infinity as numbers.
 */
export interface Reading {
  readonly values: readonly unknown[]
  readonly isMalformed: boolean
}

export interface ReferenceField {
  readonly name: string
  readonly type: DuckType
}

/** Thrown where this reader does not know better than to skip the record; rare, and the test counts them. */
export class Unsure extends Error {}

/** A number keeps its text; an object keeps keys that come twice. */
type Json =
  | { readonly kind: 'null' }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'string'; readonly text: string }
  | { readonly kind: 'array'; readonly items: readonly Json[] }
  | { readonly kind: 'object'; readonly entries: readonly (readonly [string, Json])[] }

export function readRecord(bytes: Uint8Array, fields: readonly ReferenceField[]): Reading {
  const nothing = { values: fields.map(() => null), isMalformed: true }
  let json: Json
  try {
    json = new JsonReader(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)).document()
  } catch (error) {
    if (error instanceof Unsure) throw error
    return nothing
  }
  if (json.kind !== 'object') return nothing
  let isMalformed = false
  const values = fields.map(({ name, type }) => {
    const value = fit(type, memberOf(json, name), () => {
      isMalformed = true
    })
    return value
  })
  return { values, isMalformed }
}

function memberOf(json: Extract<Json, { kind: 'object' }>, name: string): Json {
  return json.entries.find(([key]) => key === name)?.[1] ?? { kind: 'null' }
}

function fit(type: DuckType, json: Json, misfit: () => void): unknown {
  if (json.kind === 'null') return null
  const value = partsOf(type, json, misfit)
  if (value !== undefined) return value
  misfit()
  return null
}

/** undefined where the value as a whole does not fit. */
function partsOf(type: DuckType, json: Json, misfit: () => void): unknown {
  switch (type.kind) {
    case 'list':
      return json.kind === 'array' ? json.items.map((item) => fit(type.child, item, misfit)) : undefined
    case 'struct':
      if (json.kind !== 'object') return undefined
      return Object.fromEntries(
        type.fields.map((field) => [field.name, fit(field.type, memberOf(json, field.name), misfit)]),
      )
    case 'map': {
      if (json.kind !== 'object') return undefined
      const keys = json.entries.map(([key]) => (isVarchar(type.key) ? key : integer(key, type.key)))
      if (keys.includes(undefined) || new Set(keys).size < keys.length) return undefined
      return json.entries.map(([, item], index) => ({
        key: keys[index],
        value: fit(type.value, item, misfit),
      }))
    }
    case 'decimal':
      return decimal(type, json)
    case 'scalar':
      return scalar(type.name, json)
    case 'array':
      throw new Unsure('no payload has it')
  }
}

const isVarchar = (type: DuckType) => type.kind === 'scalar' && type.name === 'VARCHAR'

const BITS: Readonly<Record<string, readonly [bigint, bigint]>> = {
  TINYINT: [-(2n ** 7n), 2n ** 7n],
  SMALLINT: [-(2n ** 15n), 2n ** 15n],
  INTEGER: [-(2n ** 31n), 2n ** 31n],
  BIGINT: [-(2n ** 63n), 2n ** 63n],
  UBIGINT: [0n, 2n ** 64n],
}

function integer(text: string, type: DuckType): unknown {
  if (type.kind !== 'scalar' || !/^[+-]?\d+$/.test(text)) return undefined
  const [least, beyond] = BITS[type.name]!
  const value = BigInt(text.replace('+', ''))
  if (value < least || value >= beyond) return undefined
  return type.name.endsWith('BIGINT') ? value : Number(value)
}

function scalar(name: string, json: Json): unknown {
  if (name === 'VARCHAR') return json.kind === 'string' ? json.text : print(json)
  if (BITS[name]) return json.kind === 'number' ? integer(json.text, { kind: 'scalar', name }) : undefined
  switch (name) {
    case 'BOOLEAN':
      return json.kind === 'boolean' ? json.value : undefined
    case 'DOUBLE': {
      const isName = json.kind === 'string' && /^(NaN|[+-]?INF|[+-]?Infinity)$/.test(json.text)
      if (isName) return Number(json.text.replace('INF', 'Infinity'))
      if (json.kind !== 'number') return undefined
      const value = Number(json.text)
      return Number.isFinite(value) || /^(NaN|-?Infinity)$/.test(json.text) ? value : undefined
    }
    case 'TIMESTAMP':
      return json.kind === 'string' ? moment(json.text) : undefined
    case 'DATE':
      return json.kind === 'string' && /^\d{4}-\d\d-\d\d$/.test(json.text)
        ? moment(json.text)
        : /^\d[\d-]*$/.test(textOf(json))
          ? unsure('a date in another form')
          : undefined
    case 'BLOB': {
      if (json.kind !== 'string' || !/^[A-Za-z0-9+/]*={0,2}$/.test(json.text)) return undefined
      const bytes = Buffer.from(json.text, 'base64')
      return bytes.toString('base64').length === json.text.length ? bytes : undefined
    }
    default:
      throw new Unsure(name)
  }
}

function decimal({ width, scale }: Extract<DuckType, { kind: 'decimal' }>, json: Json): unknown {
  if (json.kind !== 'number' && json.kind !== 'string') return undefined
  const match = /^([+-]?)(\d+)(?:\.(\d*))?$/.exec(json.text)
  if (!match) return /^[\d.eE+-]*$/.test(json.text) ? unsure('a decimal with an exponent') : undefined
  const [, sign = '', whole = '', fraction = ''] = match
  if (json.kind === 'number' && fraction !== '' && (whole + fraction).length > 15)
    return unsure('a decimal that is longer than a DOUBLE')
  const padded = `${fraction}${'0'.repeat(scale + 1)}`
  const kept = BigInt(whole + padded.slice(0, scale)) + (padded[scale]! >= '5' ? 1n : 0n)
  if (kept >= 10n ** BigInt(width)) return undefined
  return Number(`${sign === '-' && kept > 0n ? '-' : ''}${kept}e-${scale}`)
}

const MOMENT = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d:\d\d)?)?$/

function moment(text: string): unknown {
  if (!/^\d/.test(text)) return undefined
  const match = MOMENT.exec(text)
  if (!match) return unsure('a timestamp in another form')
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map((part) => Number(part ?? 0))
  if (year === 0) return unsure('year 0')
  if (/[1-9]/.test((match[7] ?? '').slice(3))) return unsure('more than a Date can say')
  const offset = match[8] ?? 'Z'
  if (hour! >= 24 || /[+-](1[4-9]|[2-9]\d):|:[6-9]\d$/.test(offset)) return unsure('an odd time of day')
  if (month! < 1 || month! > 12 || day! < 1 || day! > new Date(Date.UTC(year!, month!, 0)).getUTCDate())
    return undefined
  if (minute! > 59 || second! > 59) return undefined
  const time =
    match[4] === undefined
      ? '00:00:00'
      : `${match[4]}:${match[5]}:${match[6]}.${(match[7] ?? '0').slice(0, 3)}`
  return new Date(`${match[1]}-${match[2]}-${match[3]}T${time}${offset}`)
}

function unsure(what: string): never {
  throw new Unsure(what)
}

const textOf = (json: Json) => ('text' in json ? json.text : '')

/** JSON text as DuckDB writes it. */
function print(json: Json): string {
  switch (json.kind) {
    case 'null':
      return 'null'
    case 'boolean':
      return String(json.value)
    case 'string':
      return JSON.stringify(json.text)
    case 'number':
      return printNumber(json.text)
    case 'array':
      return `[${json.items.map(print).join(',')}]`
    case 'object':
      return `{${json.entries.map(([key, value]) => `${JSON.stringify(key)}:${print(value)}`).join(',')}}`
  }
}

function printNumber(text: string): string {
  if (/^-?\d+$/.test(text)) return text === '-0' ? '0' : text
  const value = Number(text)
  if (!/^-?\d+\.\d+$/.test(text) || Math.abs(value) >= 1e15 || Math.abs(value) < 1e-4)
    throw new Unsure('a number in another form')
  return Number.isInteger(value) ? `${Object.is(value, -0) ? '-0' : value}.0` : String(value)
}

class JsonReader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  document(): Json {
    const value = this.#value()
    this.#blank()
    if (this.#at < this.#text.length) throw new SyntaxError('more than one value')
    return value
  }

  #value(): Json {
    this.#blank()
    const next = this.#text[this.#at]
    if (next === '{') return { kind: 'object', entries: this.#list('}', () => this.#entry()) }
    if (next === '[') return { kind: 'array', items: this.#list(']', () => this.#value()) }
    if (next === '"') return { kind: 'string', text: this.#string() }
    const number = this.#take(/-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y)
    if (number !== undefined) return { kind: 'number', text: number }
    const name = this.#take(/-?(?:nan|inf(?:inity)?)/iy)
    if (name !== undefined) {
      const sign = name.startsWith('-') ? '-' : ''
      if (sign && /nan/i.test(name)) throw new Unsure('the sign of NaN')
      return { kind: 'number', text: /nan/i.test(name) ? 'NaN' : `${sign}Infinity` }
    }
    const word = this.#take(/true|false|null/y)
    if (word === undefined) throw new SyntaxError('no value')
    return word === 'null' ? { kind: 'null' } : { kind: 'boolean', value: word === 'true' }
  }

  #entry(): readonly [string, Json] {
    this.#blank()
    const key = this.#string()
    this.#blank()
    this.#expect(':')
    return [key, this.#value()]
  }

  #list<T>(close: string, item: () => T): T[] {
    this.#at++
    const items: T[] = []
    for (;;) {
      this.#blank()
      if (this.#text[this.#at] === close) break
      items.push(item())
      this.#blank()
      if (this.#text[this.#at] !== ',') break
      this.#at++
    }
    this.#expect(close)
    return items
  }

  #string(): string {
    const raw = this.#take(/"(?:[^"\\]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y)
    if (raw === undefined) throw new SyntaxError('no string')
    // JSON.parse refuses control characters by itself.
    const text = JSON.parse(raw) as string
    if (/[\ud800-\udfff]/u.test(text)) throw new SyntaxError('half a character')
    return text
  }

  #expect(symbol: string): void {
    if (this.#text[this.#at++] !== symbol) throw new SyntaxError(`no ${symbol}`)
  }

  #blank(): void {
    this.#take(/[ \t\n\r]*/y)
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.#text)?.[0]
    this.#at += match?.length ?? 0
    return match
  }
}
