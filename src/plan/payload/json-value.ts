import { type DuckType, typeText } from '../../duck-type.ts'
import { literal, quoted } from '../../duckdb.ts'
import { type ScalarType, scalarRule } from './scalar.ts'
import type { TimeFormats } from './time-format.ts'

/**
 * Values of any type out of JSON, as SQL.
 *
 * A document is cut into tokens, one a field, by a single `json_transform`; a token is the JSON text of a value, NULL
 * for null and for what is not there. Whether a value came of its token is then plain SQL: `value IS NULL` while the
 * token is not. Lists, structs and maps are cut further from their tokens. VARCHAR takes any value, as in Spark: the
 * text of a string, the JSON text of everything else. So does JSON.
 */
export class JsonValues {
  readonly #formats: TimeFormats
  #names = 0

  constructor(formats: TimeFormats) {
    this.#formats = formats
  }

  /** Whether a JSON value can be of this type; dates and the like are texts. DuckDB has no CASE for a `T[3]`. */
  static takes(type: DuckType): boolean {
    switch (type.kind) {
      case 'list':
        return JsonValues.takes(type.child)
      case 'array':
        return false
      case 'struct':
        return type.fields.length > 0 && type.fields.every((field) => JsonValues.takes(field.type))
      case 'map':
        return isScalar(type.key) && canBeText(type.key) && JsonValues.takes(type.value)
      default:
        return isText(type) || canBeText(type)
    }
  }

  /** The tokens of an object's fields, as a struct with fields of the same names. */
  tokens(object: string, fields: Fields): string {
    const spec = fields.map(({ name, type }) => `${JSON.stringify(name)}:"${this.#specOf(type)}"`).join(',')
    const texts = fields.map(({ name }) => `${quoted(name)} VARCHAR`).join(', ')
    // Cast, for a token is a text to everything that follows: DuckDB's casts from JSON are too kind.
    return `CAST(json_transform(${object}, ${literal(`{${spec}}`)}) AS STRUCT(${texts}))`
  }

  /** NULL where the token does not fit; in a list, struct or map, only the part that does not. */
  value(type: DuckType, token: string): string {
    switch (type.kind) {
      case 'list':
        return this.#list(type.child, token)
      case 'struct':
        return within(
          token,
          '{',
          this.#bound(this.tokens(token, type.fields), (tokens) => this.struct(type.fields, tokens)),
        )
      case 'map':
        return this.#map(type.key, type.value, token)
      default:
        return isText(type) ? token : this.#scalar(type, token)
    }
  }

  /** A struct of the values of a struct of tokens. */
  struct(fields: Fields, tokens: string): string {
    const values = fields.map(
      ({ name, type }) => `${quoted(name)} := ${this.value(type, `${tokens}.${quoted(name)}`)}`,
    )
    return `struct_pack(${values.join(', ')})`
  }

  /** Whether the token, or a part of it, did not become part of the value. Never NULL. */
  misfits(type: DuckType, token: string, value: string): string {
    if (isText(type)) return 'false'
    const lost = `${token} IS NOT NULL AND ${value} IS NULL`
    const inner = this.#innerMisfits(type, token, value)
    return inner === undefined ? `(${lost})` : `(${lost} OR coalesce(${inner}, false))`
  }

  #innerMisfits(type: DuckType, token: string, value: string): string | undefined {
    switch (type.kind) {
      case 'list':
        return this.#anyMisfits(type.child, this.#items(type.child, token), value)
      case 'map':
        return this.#anyMisfits(
          type.value,
          `map_values(${this.#entries(type.value, token)})`,
          `map_values(${value})`,
        )
      case 'struct':
        return this.#bound(this.tokens(token, type.fields), (tokens) =>
          type.fields
            .map(({ name, type: child }) =>
              this.misfits(child, `${tokens}.${quoted(name)}`, `${value}.${quoted(name)}`),
            )
            .join(' OR '),
        )
      default:
        return undefined
    }
  }

  #anyMisfits(type: DuckType, tokens: string, values: string): string | undefined {
    if (isText(type)) return undefined
    if (isScalar(type)) return `list_count(${tokens}) <> list_count(${values})`
    const pair = this.#name()
    const misfits = this.misfits(type, `${pair}[1]`, `${pair}[2]`)
    return `len(list_filter(list_zip(${tokens}, ${values}), lambda ${pair}: ${misfits})) > 0`
  }

  #list(child: DuckType, token: string): string {
    if (isText(child)) return within(token, '[', this.#items(child, token))
    const item = this.#name()
    return within(
      token,
      '[',
      `list_transform(${this.#items(child, token)}, lambda ${item}: ${this.value(child, item)})`,
    )
  }

  /** A map with a key twice, or with a key that does not fit, is none. */
  #map(key: DuckType, value: DuckType, token: string): string {
    const [k, v] = [this.#name(), this.#name()]
    const keys = (map: string) =>
      isText(key)
        ? `map_keys(${map})`
        : `list_transform(map_keys(${map}), lambda ${k}: ${this.#text(key, k)})`
    const values = (map: string) =>
      isText(value)
        ? `map_values(${map})`
        : `list_transform(map_values(${map}), lambda ${v}: ${this.value(value, v)})`
    const lists = this.#bound(
      this.#entries(value, token),
      (map) => `struct_pack(k := ${keys(map)}, v := ${values(map)})`,
    )
    const isUnique = (pair: string) =>
      `list_count(${pair}.k) = len(${pair}.k) AND len(list_distinct(${pair}.k)) = len(${pair}.k)`
    return within(
      token,
      '{',
      this.#bound(lists, (pair) => `CASE WHEN ${isUnique(pair)} THEN map(${pair}.k, ${pair}.v) END`),
    )
  }

  #scalar(type: DuckType, token: string): string {
    const { bare, quoted: inQuotes, unquoted } = this.#rule(type)
    if (unquoted) return unquoted(token)
    const inner = `substring(${token}, 2, length(${token}) - 2)`
    if (!inQuotes) return bare!(token)
    const otherwise = bare ? ` ELSE ${bare(token)}` : ''
    return `CASE WHEN ${token} ^@ '"' THEN ${inQuotes(inner)}${otherwise} END`
  }

  #items(child: DuckType, token: string): string {
    return `CAST(json_transform(${token}, '["${this.#specOf(child)}"]') AS VARCHAR[])`
  }

  #entries(value: DuckType, token: string): string {
    return `CAST(json_transform(${token}, '"MAP(VARCHAR, ${this.#specOf(value)})"') AS MAP(VARCHAR, VARCHAR))`
  }

  /** What a token is asked for as: the text of a string without its quotes, everything else as it stands. */
  #specOf(type: DuckType): string {
    if (!isScalar(type) || isText(type)) return typeText(type) === 'VARCHAR' ? 'VARCHAR' : 'JSON'
    return this.#rule(type).unquoted ? 'VARCHAR' : 'JSON'
  }

  #text(type: DuckType, text: string): string {
    return this.#rule(type).text(text)
  }

  #rule(type: DuckType) {
    return scalarRule(type as ScalarType, this.#formats)!
  }

  /** `expression` computed once, for a piece of SQL that names it more than once. */
  #bound(expression: string, use: (name: string) => string): string {
    const name = this.#name()
    return `list_transform([${expression}], lambda ${name}: ${use(name)})[1]`
  }

  /** Lambdas stand in each other; their parameters must not hide one another. */
  #name(): string {
    return `p${this.#names++}`
  }
}

type Fields = readonly { readonly name: string; readonly type: DuckType }[]

const isText = (type: DuckType) => type.kind === 'scalar' && (type.name === 'VARCHAR' || type.name === 'JSON')
const isScalar = (type: DuckType) => type.kind === 'scalar' || type.kind === 'decimal'

function canBeText(type: DuckType): boolean {
  return (
    isScalar(type) && scalarRule(type as ScalarType, { date: undefined, timestamp: undefined }) !== undefined
  )
}

function within(token: string, open: '[' | '{', value: string): string {
  return `CASE WHEN ${token} ^@ '${open}' THEN ${value} END`
}
