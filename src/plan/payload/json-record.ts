import { quoted } from '../../duckdb.ts'
import { MOST_FIELDS } from '../../json/plain-field.ts'
import { JsonValues } from './json-value.ts'
import {
  type FieldValues,
  type PayloadField,
  type Reading,
  type RecordParser,
  readColumn,
  TEXT,
  TOKENS,
} from './record.ts'
import { spellingOf } from './spelling-of.ts'
import type { TimeFormats } from './time-format.ts'

const BLANK = "E' \\t\\n\\r'"

/** A record that is one JSON object. Of a key that comes twice, the first counts. */
export function jsonRecord(fields: readonly PayloadField[], formats: TimeFormats): RecordParser {
  const json = new JsonValues(formats)
  // CASE, for OR would trim every record.
  const isObject = `CASE WHEN ${TEXT} ^@ '{' THEN true ELSE ltrim(${TEXT}, ${BLANK}) ^@ '{' END`
  const tokens = json.tokens(TEXT, fields)
  const reading = readingOf(fields, formats, json)
  return {
    // To look twice costs less than TRY does where records are malformed: one makes it run a whole vector again, row by row.
    steps: [
      {
        column: TOKENS,
        sql: `CASE WHEN json_valid(${TEXT}) THEN ${tokens} END`,
        trusting: `TRY(${tokens})`,
      },
    ],
    checks: [{ when: `${TOKENS} IS NULL OR NOT ${isObject}`, reason: 'it is not one JSON object' }],
    ...fieldValues(fields, json, tokenOf),
    ...(reading ? { reading } : {}),
  }
}

const tokenOf = ({ name }: PayloadField): string => `${TOKENS}.${quoted(name)}`

function fieldValues(
  fields: readonly PayloadField[],
  json: JsonValues,
  token: (field: PayloadField) => string,
): FieldValues {
  return {
    values: fields.map((field) => ({ field, value: json.value(field.type, token(field)) })),
    misfit: (field, value) => {
      const misfits = json.misfits(field.type, token(field), value)
      return misfits === 'false' ? undefined : misfits
    },
  }
}

function readingOf(
  fields: readonly PayloadField[],
  formats: TimeFormats,
  json: JsonValues,
): Reading | undefined {
  if (fields.length > MOST_FIELDS) return undefined
  const spelled = fields.map((field) => ({ field, ...spellingOf(field.type, formats) }))
  const tokens = new Map(
    spelled.flatMap(({ field, token }) => (token ? [[field, token(readColumn(field.name))]] : [])),
  )
  return {
    fields: spelled.map(({ field, as, token }) => ({ name: field.name, as, isToken: token !== undefined })),
    read: fieldValues([...tokens.keys()], json, (field) => tokens.get(field)!),
    rest: fieldValues(fields, json, (field) =>
      tokens.has(field) ? `coalesce(${tokens.get(field)}, ${tokenOf(field)})` : tokenOf(field),
    ),
  }
}
