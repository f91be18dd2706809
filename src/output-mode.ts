import { SluiceError } from './errors.ts'
import { didYouMean } from './options.ts'

export const OUTPUT_MODES = ['append', 'update', 'complete'] as const

/**
 * Which rows a batch writes: `append` only rows that will never change, `update` the groups that changed in this
 * batch, `complete` the whole result.
 */
export type OutputMode = (typeof OUTPUT_MODES)[number]

/** @throws OUTPUT_MODE_INVALID */
export function parseOutputMode(text: string): OutputMode {
  const mode = OUTPUT_MODES.find((each) => each === text.toLowerCase())
  if (!mode)
    throw new SluiceError('OUTPUT_MODE_INVALID', { mode: text, hint: didYouMean(text, OUTPUT_MODES) })
  return mode
}
