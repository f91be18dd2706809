import type { Field } from '../../batch.ts'
import { parseDuckType } from '../../duck-type.ts'

/** How values of one of the query's columns are kept in PostgreSQL. */
export interface ColumnType {
  /** As PostgreSQL prints it, for a table that is made. */
  readonly type: string
  /** Types of a table's column that take the values unchanged, or refuse them. */
  readonly fits: RegExp
  /** DuckDB SQL for the text that PostgreSQL reads as this type. */
  text(column: string): string
}

const varchar = (column: string) => `CAST(${column} AS VARCHAR)`
/** DuckDB writes years before Christ as `(BC)`. */
const moment = (column: string) => `replace(CAST(${column} AS VARCHAR), '(BC)', 'BC')`
const of = (type: string, fits = new RegExp(`^${type}$`), text = varchar): ColumnType => ({
  type,
  fits,
  text,
})

const SMALLINT = of('smallint', /^(smallint|integer|bigint|numeric)$/)
const INTEGER = of('integer', /^(integer|bigint|numeric)$/)
const BIGINT = of('bigint', /^(bigint|numeric)$/)
const NUMERIC = of('numeric')
const TEXT = of('text', /^(text|character varying(\(\d+\))?)$/)
const TIMESTAMP = of('timestamp without time zone', undefined, moment)
const JSONB: ColumnType = {
  type: 'jsonb',
  fits: /^jsonb?$/,
  text: (column) => `CAST(to_json(${column}) AS VARCHAR)`,
}

const SCALARS: Readonly<Record<string, ColumnType>> = {
  BOOLEAN: of('boolean'),
  TINYINT: SMALLINT,
  UTINYINT: SMALLINT,
  SMALLINT,
  USMALLINT: INTEGER,
  INTEGER,
  UINTEGER: BIGINT,
  BIGINT,
  UBIGINT: NUMERIC,
  HUGEINT: NUMERIC,
  UHUGEINT: NUMERIC,
  BIGNUM: NUMERIC,
  FLOAT: of('real', /^(real|double precision)$/),
  DOUBLE: of('double precision'),
  VARCHAR: TEXT,
  BLOB: of('bytea', undefined, (column) => `'\\x' || hex(${column})`),
  DATE: of('date', undefined, moment),
  TIME: of('time without time zone'),
  'TIME WITH TIME ZONE': of('time with time zone'),
  TIMESTAMP,
  TIMESTAMP_S: TIMESTAMP,
  TIMESTAMP_MS: TIMESTAMP,
  // PostgreSQL keeps microseconds; what is finer is cut off.
  TIMESTAMP_NS: { ...TIMESTAMP, text: (column) => moment(`CAST(${column} AS TIMESTAMP)`) },
  'TIMESTAMP WITH TIME ZONE': of('timestamp with time zone', undefined, moment),
  INTERVAL: of('interval'),
  UUID: of('uuid'),
  JSON: { ...JSONB, text: varchar },
}

/** Lists, structs and maps become JSON; a type that is not listed, such as an ENUM, becomes text. */
export function columnType({ type }: Field): ColumnType {
  if (type.startsWith('ENUM(')) return TEXT
  const parsed = parseDuckType(type)
  if (parsed.kind === 'scalar') return SCALARS[parsed.name] ?? TEXT
  if (parsed.kind !== 'decimal') return JSONB
  const text = `numeric(${parsed.width},${parsed.scale})`
  return { type: text, fits: new RegExp(`^numeric(\\(${parsed.width},${parsed.scale}\\))?$`), text: varchar }
}
