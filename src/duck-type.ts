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

/** Spellings that DuckDB accepts, against the one it prints. */
const CANONICAL: Readonly<Record<string, string>> = {
  INT: 'INTEGER',
  INT4: 'INTEGER',
  INT8: 'BIGINT',
  LONG: 'BIGINT',
  INT2: 'SMALLINT',
  SHORT: 'SMALLINT',
  INT1: 'TINYINT',
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
  DATETIME: 'TIMESTAMP',
  NUMERIC: 'DECIMAL',
}

/**
 * @param text for example `STRUCT(a INTEGER, "b c" VARCHAR[])`
 * @throws TYPE_UNKNOWN when the text is no type
 */
export function parseDuckType(text: string): DuckType {
  const reader = new TypeReader(text)
  const type = reader.type()
  reader.end()
  return type
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
      this.#take('(')
      const key = this.type()
      this.#take(',')
      const value = this.type()
      this.#take(')')
      return { kind: 'map', key, value }
    }
    const name = CANONICAL[word] ?? word
    if (name === 'DECIMAL') return this.#decimal()
    if (this.#peek() === '(') this.#skipParentheses()
    return { kind: 'scalar', name: this.#withTimeZone(name) }
  }

  #fields(): { name: string; type: DuckType }[] {
    const fields: { name: string; type: DuckType }[] = []
    this.#take('(')
    do {
      const name = this.#next()
      fields.push({
        name: name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name,
        type: this.type(),
      })
    } while (this.#next() === ',')
    return fields
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

  #take(token: string): void {
    if (this.#next() !== token) this.#refuse()
  }

  #refuse(): never {
    throw new SluiceError('TYPE_UNKNOWN', { type: this.#text })
  }
}
