import type { Schema } from '../batch.ts'
import { SluiceError } from '../errors.ts'

/**
 * The columns that an option names, separated by commas, as the query spells them.
 *
 * @throws OPTION_INVALID when one is not of the query or stands there twice
 */
export function columnList(owner: string, option: string, text: string, schema: Schema): readonly string[] {
  const names = text.split(',').map((name) => name.trim().toLowerCase())
  const columns = names.map((name) => schema.find((field) => field.name.toLowerCase() === name)?.name)
  const known = columns.filter((name) => name !== undefined)
  if (known.length === names.length && new Set(known).size === names.length) return known
  const expected = `columns of the query, each once, separated by commas: ${schema.map(({ name }) => name).join(', ')}`
  throw new SluiceError('OPTION_INVALID', { owner, option, value: text.slice(0, 80), expected })
}
