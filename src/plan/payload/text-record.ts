import { type PayloadField, type RecordParser, TEXT } from './record.ts'

/** A record that is one text. */
export function textRecord(field: PayloadField): RecordParser {
  return { steps: [], checks: [], values: [{ field, value: TEXT }], misfit: () => undefined }
}
