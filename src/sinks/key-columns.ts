import type { Schema } from '../batch.ts'
import { SluiceError } from '../errors.ts'
import type { OutputMode } from '../output-mode.ts'
import { columnList } from './column-list.ts'

/**
 * The columns by which a table's rows are told apart: those that the option `key` names, in update mode alone.
 *
 * @throws OPTION_MISSING, OPTION_INVALID
 */
export function keyColumns(
  owner: string,
  text: string | undefined,
  mode: OutputMode,
  schema: Schema,
): readonly string[] {
  if (mode === 'update') {
    if (text !== undefined) return columnList(owner, 'key', text, schema)
    const doc = 'update mode replaces rows, and has to know which'
    throw new SluiceError('OPTION_MISSING', { owner, option: 'key', doc })
  }
  if (text === undefined) return []
  const expected = `no key in ${mode} mode, where no row is replaced by another`
  throw new SluiceError('OPTION_INVALID', { owner, option: 'key', value: text, expected })
}
