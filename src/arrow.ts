import * as arrow from 'apache-arrow'
import { type DuckType, parseDuckType } from './duck-type.ts'

/**
 * The Arrow type that holds a DuckDB type without loss; types Arrow has no name for travel as their text.
 *
 * @param text a DuckDB type, as `DESCRIBE` prints it
 * @throws TYPE_UNKNOWN
 */
export function arrowType(text: string): arrow.DataType {
  return arrowTypeOf(parseDuckType(text))
}

const SCALARS: Readonly<Record<string, () => arrow.DataType>> = {
  BOOLEAN: () => new arrow.Bool(),
  TINYINT: () => new arrow.Int8(),
  SMALLINT: () => new arrow.Int16(),
  INTEGER: () => new arrow.Int32(),
  BIGINT: () => new arrow.Int64(),
  UTINYINT: () => new arrow.Uint8(),
  USMALLINT: () => new arrow.Uint16(),
  UINTEGER: () => new arrow.Uint32(),
  UBIGINT: () => new arrow.Uint64(),
  HUGEINT: () => new arrow.Decimal(0, 38, 128),
  FLOAT: () => new arrow.Float32(),
  DOUBLE: () => new arrow.Float64(),
  VARCHAR: () => new arrow.Utf8(),
  BLOB: () => new arrow.Binary(),
  DATE: () => new arrow.DateDay(),
  TIME: () => new arrow.TimeMicrosecond(),
  TIMESTAMP: () => new arrow.TimestampMicrosecond(),
  'TIMESTAMP WITH TIME ZONE': () => new arrow.TimestampMicrosecond('UTC'),
}

/** How a DuckDB value of a scalar type becomes a number Arrow stores; absent for those kept as bytes or text. */
const STORED: Readonly<Record<string, (value: never) => number | bigint>> = {
  DATE: (value: { days: number }) => value.days,
  TIME: (value: { micros: bigint }) => value.micros,
  TIMESTAMP: (value: { micros: bigint }) => value.micros,
  'TIMESTAMP WITH TIME ZONE': (value: { micros: bigint }) => value.micros,
}

export function arrowTypeOf(type: DuckType): arrow.DataType {
  switch (type.kind) {
    case 'scalar':
      return SCALARS[type.name]?.() ?? new arrow.Utf8()
    case 'decimal':
      return new arrow.Decimal(type.scale, type.width, 128)
    case 'list':
    case 'array':
      return new arrow.List(new arrow.Field('item', arrowTypeOf(type.child), true))
    case 'struct':
      return new arrow.Struct(type.fields.map((f) => new arrow.Field(f.name, arrowTypeOf(f.type), true)))
    case 'map':
      return new arrow.Map_(new arrow.Field('entries', entryType(type), false) as never)
  }
}

/**
 * A column of values, as DuckDB's client gives them, in Arrow buffers.
 *
 * @param values numbers, bigints, strings, and DuckDB's own value objects; null for NULL
 */
export function arrowData(type: DuckType, values: readonly unknown[]): arrow.Data {
  const nullBitmap = validity(values)
  const common = { length: values.length, nullCount: countNulls(values), nullBitmap }
  const arrowType = arrowTypeOf(type)
  switch (type.kind) {
    case 'scalar':
      return arrow.makeData({
        ...common,
        type: arrowType,
        ...scalarBuffers(type.name, arrowType, values),
      } as never)
    case 'decimal':
      return arrow.makeData({ ...common, type: arrowType, data: int128(values, (v) => v.value) } as never)
    case 'list':
    case 'array': {
      const lists = values.map((value) => (value as { items: readonly unknown[] } | null)?.items ?? [])
      const child = arrowData(type.child, lists.flat())
      return arrow.makeData({ ...common, type: arrowType, valueOffsets: offsetsOf(lists), child } as never)
    }
    case 'struct':
      return arrow.makeData({ ...common, type: arrowType, children: structChildren(type, values) } as never)
    case 'map': {
      const lists = values.map((value) => (value as { entries: readonly unknown[] } | null)?.entries ?? [])
      const entries = lists.flat() as { key: unknown; value: unknown }[]
      const child = arrow.makeData({
        type: entryType(type) as never,
        length: entries.length,
        nullCount: 0,
        children: [
          arrowData(
            type.key,
            entries.map((entry) => entry.key),
          ),
          arrowData(
            type.value,
            entries.map((entry) => entry.value),
          ),
        ],
      } as never)
      return arrow.makeData({ ...common, type: arrowType, valueOffsets: offsetsOf(lists), child } as never)
    }
  }
}

function entryType(type: Extract<DuckType, { kind: 'map' }>): arrow.Struct {
  return new arrow.Struct([
    new arrow.Field('key', arrowTypeOf(type.key), false),
    new arrow.Field('value', arrowTypeOf(type.value), true),
  ])
}

function structChildren(
  type: Extract<DuckType, { kind: 'struct' }>,
  values: readonly unknown[],
): arrow.Data[] {
  return type.fields.map((field) =>
    arrowData(
      field.type,
      values.map(
        (value) => (value as { entries: Record<string, unknown> } | null)?.entries[field.name] ?? null,
      ),
    ),
  )
}

function scalarBuffers(name: string, type: arrow.DataType, values: readonly unknown[]): object {
  if (name === 'BOOLEAN') return { data: bits(values, (value) => value === true) }
  if (name === 'HUGEINT') return { data: int128(values, (value) => value as unknown as bigint) }
  if (arrow.DataType.isUtf8(type) || arrow.DataType.isBinary(type)) return byteBuffers(values)
  const stored = STORED[name] ?? ((value: never) => value as number | bigint)
  const data = new (type.ArrayType as new (length: number) => Float64Array)(values.length)
  values.forEach((value, row) => {
    if (value !== null) data[row] = stored(value as never) as number
  })
  return { data }
}

function byteBuffers(values: readonly unknown[]): { valueOffsets: Int32Array; data: Uint8Array } {
  const parts = values.map((value) =>
    value === null
      ? NOTHING
      : typeof value === 'object' && 'bytes' in value
        ? (value.bytes as Uint8Array)
        : Buffer.from(String(value)),
  )
  return { valueOffsets: offsetsOf(parts), data: Buffer.concat(parts) }
}

const NOTHING = new Uint8Array(0)

function offsetsOf(parts: readonly { readonly length: number }[]): Int32Array {
  const offsets = new Int32Array(parts.length + 1)
  parts.forEach((part, row) => {
    offsets[row + 1] = offsets[row]! + part.length
  })
  return offsets
}

function int128(values: readonly unknown[], read: (value: { value: bigint }) => bigint): Uint32Array {
  const words = new BigUint64Array(values.length * 2)
  values.forEach((value, row) => {
    if (value === null) return
    const number = read(value as { value: bigint })
    words[row * 2] = BigInt.asUintN(64, number)
    words[row * 2 + 1] = BigInt.asUintN(64, number >> 64n)
  })
  return new Uint32Array(words.buffer)
}

function validity(values: readonly unknown[]): Uint8Array | undefined {
  return values.includes(null) ? bits(values, (value) => value !== null) : undefined
}

function countNulls(values: readonly unknown[]): number {
  return values.reduce<number>((count, value) => (value === null ? count + 1 : count), 0)
}

function bits(values: readonly unknown[], isSet: (value: unknown) => boolean): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(values.length / 8))
  values.forEach((value, row) => {
    if (isSet(value)) bytes[row >> 3]! |= 1 << (row & 7)
  })
  return bytes
}
