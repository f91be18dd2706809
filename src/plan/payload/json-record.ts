import { quoted } from '../../duckdb.ts'
import { MOST_FIELDS } from '../../json/plain-field.ts'
import { JsonValues } from './json-value.ts'
import { plainKind } from './plain-kind.ts'
import { type PayloadField, type RecordParser, TEXT, TOKENS } from './record.ts'
import type { TimeFormats } from './time-format.ts'

const BLANK = "E' \\t\\n\\r'"

/** A record that is one JSON object. Of a key that comes twice, the first counts. */
export function jsonRecord(fields: readonly PayloadField[], formats: TimeFormats): RecordParser {
  const values = new JsonValues(formats)
  const token = ({ name }: PayloadField) => `${TOKENS}.${quoted(name)}`
  // CASE, for OR would trim every record.
  const isObject = `CASE WHEN ${TEXT} ^@ '{' THEN true ELSE ltrim(${TEXT}, ${BLANK}) ^@ '{' END`
  const tokens = values.tokens(TEXT, fields)
  const plain = fields.flatMap(({ type }) => plainKind(type, formats) ?? [])
  return {
    ...(plain.length === fields.length && plain.length <= MOST_FIELDS ? { plain } : {}),
    // To look twice costs less than TRY does where records are malformed: one makes it run a whole vector again, row by row.
    steps: [
      {
        column: TOKENS,
        sql: `CASE WHEN json_valid(${TEXT}) THEN ${tokens} END`,
        trusting: `TRY(${tokens})`,
      },
    ],
    checks: [{ when: `${TOKENS} IS NULL OR NOT ${isObject}`, reason: 'it is not one JSON object' }],
    values: fields.map((field) => ({ field, value: values.value(field.type, token(field)) })),
    misfit: (field, value) => {
      const misfits = values.misfits(field.type, token(field), value)
      return misfits === 'false' ? undefined : misfits
    },
  }
}
