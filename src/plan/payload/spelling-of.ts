import type { DuckType } from '../../duck-type.ts'
import type { PlainKind } from '../../json/plain-field.ts'
import { EPOCH_S, scalarRule } from './scalar.ts'
import type { TimeFormats } from './time-format.ts'

const INTEGERS: Readonly<Record<string, { readonly bytes: 1 | 2 | 4 | 8; readonly isSigned: boolean }>> = {
  TINYINT: { bytes: 1, isSigned: true },
  SMALLINT: { bytes: 2, isSigned: true },
  INTEGER: { bytes: 4, isSigned: true },
  BIGINT: { bytes: 8, isSigned: true },
  UTINYINT: { bytes: 1, isSigned: false },
  USMALLINT: { bytes: 2, isSigned: false },
  UINTEGER: { bytes: 4, isSigned: false },
  UBIGINT: { bytes: 8, isSigned: false },
}

/** How most values of a field are spelled. */
export interface Spelling {
  readonly as: PlainKind
  /** The token of a value, as SQL over what was read of it; absent where that is the value itself. */
  readonly token?: (read: string) => string
}

/**
 * How most JSON values that fit a type are spelled. Others may fit as well.
 *
 * Values with parts, and those of types that few payloads have, are only found: what they are is said by the SQL that makes
 * them of their tokens.
 */
export function spellingOf(type: DuckType, formats: TimeFormats): Spelling {
  const as = plainKind(type, formats)
  if (as) return { as }
  if (type.kind !== 'scalar' && type.kind !== 'decimal')
    return { as: { kind: 'json' }, token: (read) => read }
  const rule = scalarRule(type, formats)
  // DuckDB writes numbers in its own way.
  if (!rule || rule.bare) return { as: { kind: 'json' }, token: (read) => text(`json(${read})`) }
  return { as: { kind: 'text' }, token: (read) => (rule.unquoted ? read : text(`to_json(${read})`)) }
}

const text = (json: string) => `CAST(${json} AS VARCHAR)`

function plainKind(type: DuckType, formats: TimeFormats): PlainKind | undefined {
  if (type.kind === 'decimal') return decimalKind(type)
  if (type.kind !== 'scalar') return undefined
  const integer = INTEGERS[type.name]
  if (integer) return { kind: 'integer', ...integer }
  switch (type.name) {
    case 'VARCHAR':
      return { kind: 'text' }
    case 'BOOLEAN':
      return { kind: 'boolean' }
    case 'DOUBLE':
      return { kind: 'double' }
    case 'DATE':
      return formats.date ? undefined : { kind: 'date' }
    case 'TIMESTAMP':
    case 'TIMESTAMP WITH TIME ZONE':
      return timestampKind(formats.timestamp)
    default:
      return undefined
  }
}

/** As DuckDB keeps them: in the least whole number of bytes that their digits fit. */
function decimalKind({ width, scale }: Extract<DuckType, { kind: 'decimal' }>): PlainKind | undefined {
  if (width > 18) return undefined
  return { kind: 'decimal', bytes: width <= 4 ? 2 : width <= 9 ? 4 : 8, width, scale }
}

function timestampKind(format: TimeFormats['timestamp']): PlainKind | undefined {
  if (format === undefined) return { kind: 'timestamp' }
  if (format !== 'epoch_seconds' && format !== 'epoch_millis') return undefined
  const perSecond = format === 'epoch_seconds' ? 1 : 1000
  return {
    kind: 'epoch',
    microsPerUnit: 1_000_000 / perSecond,
    least: EPOCH_S.least * perSecond,
    greatest: EPOCH_S.greatest * perSecond,
  }
}
