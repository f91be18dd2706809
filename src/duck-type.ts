import { SluiceError } from './errors.ts'

/** A DuckDB type as a tree, read from the text that `DESCRIBE` prints. */
export type DuckType =
  | { readonly kind: 'scalar'; readonly name: string }
  | { readonly kind: 'decimal'; readonly width: number; readonly scale: number }
  | { readonly kind: 'list'; readonly child: DuckType }
  | { readonly kind: 'array'; readonly child: DuckType; readonly length: number }
  | {
      readonly kind: 'struct'
      readonly fields: readonly { readonly name: string; readonly type: DuckType }[]
    }
  | { readonly kind: 'map'; readonly key: DuckType; readonly value: DuckType }

/** Spellings that DuckDB or Spark accepts, against the one DuckDB prints. */
const CANONICAL: Readonly<Record<string, string>> = {
  INT: 'INTEGER',
  INT4: 'INTEGER',
  INT8: 'BIGINT',
  LONG: 'BIGINT',
  INT2: 'SMALLINT',
  SHORT: 'SMALLINT',
  INT1: 'TINYINT',
  BYTE: 'TINYINT',
  BOOL: 'BOOLEAN',
  STRING: 'VARCHAR',
  TEXT: 'VARCHAR',
  CHAR: 'VARCHAR',
  BYTEA: 'BLOB',
  BINARY: 'BLOB',
  VARBINARY: 'BLOB',
  REAL: 'FLOAT',
  FLOAT4: 'FLOAT',
  FLOAT8: 'DOUBLE',
  TIMESTAMPTZ: 'TIMESTAMP WITH TIME ZONE',
  TIMESTAMP_LTZ: 'TIMESTAMP WITH TIME ZONE',
  TIMESTAMP_NTZ: 'TIMESTAMP',
  DATETIME: 'TIMESTAMP',
  NUMERIC: 'DECIMAL',
}

/**
 * @param text for example `STRUCT(a INTEGER, "b c" VARCHAR[])`, or as Spark writes it `STRUCT<a: INT, b: ARRAY<STRING>>`
 * @throws TYPE_UNKNOWN when the text is no type
 */
export function parseDuckType(text: string): DuckType {
  const reader = new TypeReader(text)
  const type = reader.type()
  reader.end()
  return type
}

/** The type as DuckDB prints it. */
export function typeText(type: DuckType): string {
  switch (type.kind) {
    case 'scalar':
      return type.name
    case 'decimal':
      return `DECIMAL(${type.width},${type.scale})`
    case 'list':
      return `${typeText(type.child)}[]`
    case 'array':
      return `${typeText(type.child)}[${type.length}]`
    case 'struct':
      return `STRUCT(${type.fields.map(({ name, type: each }) => `"${name.replaceAll('"', '""')}" ${typeText(each)}`).join(', ')})`
    case 'map':
      return `MAP(${typeText(type.key)}, ${typeText(type.value)})`
  }
}

class TypeReader {
  readonly #tokens: readonly string[]
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
    this.#tokens = text.match(/"(?:[^"]|"")*"|'(?:[^']|'')*'|\w+|[^\s\w]/g) ?? []
  }

  type(): DuckType {
    let type = this.#base()
    while (this.#peek() === '[') {
      this.#take('[')
      const length = this.#peek() === ']' ? undefined : Number(this.#next())
      this.#take(']')
      type = length === undefined ? { kind: 'list', child: type } : { kind: 'array', child: type, length }
    }
    return type
  }

  end(): void {
    if (this.#at < this.#tokens.length) this.#refuse()
  }

  #base(): DuckType {
    const word = this.#next().toUpperCase()
    if (!/^[A-Z]/.test(word)) this.#refuse()
    if (word === 'STRUCT') return { kind: 'struct', fields: this.#fields() }
    if (word === 'MAP') {
      const close = this.#open()
      const key = this.type()
      this.#take(',')
      const value = this.type()
      this.#take(close)
      return { kind: 'map', key, value }
    }
    if (word === 'ARRAY' && this.#peek() === '<') {
      const close = this.#open()
      const child = this.type()
      this.#take(close)
      return { kind: 'list', child }
    }
    const name = CANONICAL[word] ?? word
    if (name === 'DECIMAL') return this.#decimal()
    if (this.#peek() === '(') this.#skipParentheses()
    return { kind: 'scalar', name: this.#withTimeZone(name) }
  }

  #fields(): { name: string; type: DuckType }[] {
    const fields: { name: string; type: DuckType }[] = []
    const close = this.#open()
    do {
      const name = this.#next()
      if (this.#peek() === ':') this.#take(':')
      fields.push({
        name: name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name,
        type: this.type(),
      })
    } while (this.#accept(','))
    this.#take(close)
    return fields
  }

  /** DuckDB puts the parts of a type between parentheses, Spark between angle brackets. */
  #open(): ')' | '>' {
    if (this.#accept('<')) return '>'
    this.#take('(')
    return ')'
  }

  #decimal(): DuckType {
    if (this.#peek() !== '(') return { kind: 'decimal', width: 18, scale: 3 }
    this.#take('(')
    const width = Number(this.#next())
    const scale = this.#next() === ',' ? Number(this.#next()) : 0
    if (this.#peek() === ')') this.#next()
    return { kind: 'decimal', width, scale }
  }

  /** `VARCHAR(10)` and `ENUM('a', 'b')` carry what the engine does not need. */
  #skipParentheses(): void {
    this.#take('(')
    while (this.#peek() !== undefined && this.#peek() !== ')') this.#next()
    this.#take(')')
  }

  #withTimeZone(name: string): string {
    if ((name === 'TIMESTAMP' || name === 'TIME') && this.#peek()?.toUpperCase() === 'WITH') {
      this.#at += 3
      return `${name} WITH TIME ZONE`
    }
    return name
  }

  #peek(): string | undefined {
    return this.#tokens[this.#at]
  }

  #next(): string {
    const token = this.#tokens[this.#at++]
    return token ?? this.#refuse()
  }

  #accept(token: string): boolean {
    const is = this.#peek() === token
    if (is) this.#at++
    return is
  }

  #take(token: string): void {
    if (this.#next() !== token) this.#refuse()
  }

  #refuse(): never {
    throw new SluiceError('TYPE_UNKNOWN', { type: this.#text })
  }
}
