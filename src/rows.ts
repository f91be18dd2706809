import type { RecordBatch } from 'apache-arrow'
import { arrowData } from './arrow.ts'
import { recordBatch, type Schema } from './batch.ts'
import { type DuckType, parseDuckType } from './duck-type.ts'
import type { Row } from './duckdb.ts'

/**
 * Plain objects as one Arrow record batch. Values are those of `Row`; a missing field is NULL, and an integer may
 * be a number or a bigint.
 */
export function recordsOf(schema: Schema, rows: readonly Row[]): RecordBatch {
  const columns = schema.map(({ name, type }) => {
    const kind = parseDuckType(type)
    return arrowData(
      kind,
      rows.map((row) => duckValue(kind, row[name] ?? null)),
    )
  })
  return recordBatch(schema, columns)
}

/** A JavaScript value in the form in which DuckDB's client gives values of that type. */
function duckValue(type: DuckType, value: unknown): unknown {
  if (value === null || value === undefined) return null
  switch (type.kind) {
    case 'decimal':
      return { value: BigInt(Math.round(Number(value) * 10 ** type.scale)) }
    case 'list':
    case 'array':
      return { items: (value as readonly unknown[]).map((item) => duckValue(type.child, item)) }
    case 'struct': {
      const fields = type.fields.map(({ name, type: field }) => [
        name,
        duckValue(field, (value as Row)[name]),
      ])
      return { entries: Object.fromEntries(fields) }
    }
    case 'map':
      return {
        entries: (value as readonly { key: unknown; value: unknown }[]).map((entry) => ({
          key: duckValue(type.key, entry.key),
          value: duckValue(type.value, entry.value),
        })),
      }
    case 'scalar':
      return scalarValue(type.name, value)
  }
}

function scalarValue(name: string, value: unknown): unknown {
  switch (name) {
    case 'BIGINT':
    case 'UBIGINT':
    case 'HUGEINT':
      return BigInt(value as number | bigint)
    case 'TIMESTAMP':
    case 'TIMESTAMP WITH TIME ZONE':
      return { micros: BigInt((value as Date).getTime()) * 1000n }
    case 'DATE':
      return { days: Math.floor((value as Date).getTime() / 86_400_000) }
    case 'TIME':
      return { micros: value as bigint }
    case 'BLOB':
      return { bytes: value as Uint8Array }
    default:
      return value
  }
}
