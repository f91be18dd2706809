import { SluiceError } from '../errors.ts'
import { didYouMean } from '../options.ts'

/** Comments first: what stands in them is no place for a value. */
const PIECE = /--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|\$\{[^}]*\}/g
const PLACE = /\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}/g

/**
 * Puts values into the places `${name}` and `${name:-default}` of a script: those of `settings`, else of the
 * environment, else the default. Within '…' quotes in a value are doubled, so that a value stays one text.
 *
 * @param file for messages
 * @throws SCRIPT_VALUE_MISSING with all names that have no value, SCRIPT_VALUE_UNUSED
 */
export function fillValues(
  file: string,
  script: string,
  settings: ReadonlyMap<string, string>,
  environment: NodeJS.ProcessEnv,
): string {
  const named = new Set<string>()
  const missing = new Set<string>()
  const filled = script.replace(PIECE, (piece) => {
    if (piece.startsWith('--') || piece.startsWith('/*')) return piece
    return piece.replace(PLACE, (place, name: string, fallback: string | undefined) => {
      named.add(name)
      const value = settings.get(name) ?? environment[name]
      if (value !== undefined) return piece.startsWith("'") ? value.replaceAll("'", "''") : value
      if (fallback === undefined) missing.add(name)
      return fallback ?? place
    })
  })
  for (const name of settings.keys()) {
    if (!named.has(name))
      throw new SluiceError('SCRIPT_VALUE_UNUSED', { file, name, hint: didYouMean(name, [...named]) })
  }
  if (missing.size > 0)
    throw new SluiceError('SCRIPT_VALUE_MISSING', { file, names: [...missing].join(', ') })
  return filled
}
