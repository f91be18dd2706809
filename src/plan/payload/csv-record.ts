import type { DuckType } from '../../duck-type.ts'
import { literal, quoted } from '../../duckdb.ts'
import { type PayloadField, type RecordParser, TEXT, TOKENS } from './record.ts'
import { type ScalarType, scalarRule } from './scalar.ts'
import type { TimeFormats } from './time-format.ts'

/** The values as they stand, quotes and all. */
const PARTS = '"payload parts"'

export interface CsvStyle {
  /** One character. */
  readonly separator: string
  /** What stands for NULL where it has no quotes. */
  readonly nullValue: string
}

/** Whether a value between separators can be of this type. */
export function csvTakes(type: DuckType): boolean {
  const isScalar = type.kind === 'scalar' || type.kind === 'decimal'
  return isScalar && scalarRule(type, { date: undefined, timestamp: undefined }) !== undefined
}

/**
 * A record that is one line of values in the order of the fields, as RFC 4180 writes them: a value with a separator,
 * a quote or a line break stands between double quotes, and a quote within is written twice.
 */
export function csvRecord(
  fields: readonly PayloadField[],
  { separator, nullValue }: CsvStyle,
  formats: TimeFormats,
): RecordParser {
  const between = literal(separator)
  const escaped = /[!-/:-@[-`{-~]/.test(separator) ? `\\${separator}` : separator
  const part = `"(?:[^"]|"")*"|[^"\\r\\n${escaped}]*`
  // With a separator also before the first value, every value is found in the same way, the empty ones too.
  const line = `${between} || regexp_replace(${TEXT}, '\\r?\\n$', '')`
  const isLine = `regexp_full_match(${line}, ${literal(`(?:${escaped}(?:${part}))+`)})`
  const parts = `regexp_extract_all(${line}, ${literal(`${escaped}(${part})`)}, 1)`
  const textOf = (index: number) => {
    const raw = `${PARTS}[${index + 1}]`
    const inner = `replace(substring(${raw}, 2, length(${raw}) - 2), '""', '"')`
    return `CASE WHEN ${raw} ^@ '"' THEN ${inner} WHEN ${raw} <> ${literal(nullValue)} THEN ${raw} END`
  }
  const tokens = fields.map(({ name }, index) => `${quoted(name)} := ${textOf(index)}`).join(', ')
  const token = ({ name }: PayloadField) => `${TOKENS}.${quoted(name)}`
  return {
    steps: [
      { column: PARTS, sql: `CASE WHEN ${isLine} THEN ${parts} END` },
      { column: TOKENS, sql: `struct_pack(${tokens})` },
    ],
    checks: [
      { when: `${PARTS} IS NULL`, reason: 'it is not one line of separated values' },
      {
        when: `len(${PARTS}) <> ${fields.length}`,
        reason: 'it has another number of values than the schema',
      },
    ],
    values: fields.map((field) => ({
      field,
      value: scalarRule(field.type as ScalarType, formats)!.text(token(field)),
    })),
    misfit: (field, value) =>
      field.type.kind === 'scalar' && field.type.name === 'VARCHAR'
        ? undefined
        : `(${token(field)} IS NOT NULL AND ${value} IS NULL)`,
  }
}
