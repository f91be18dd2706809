import { createRequire } from 'node:module'

/** As package.json says; the same file from `src` and from `dist`. */
export const sluiceVersion: string = (
  createRequire(import.meta.url)('../package.json') as { version: string }
).version
