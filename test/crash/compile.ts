import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'esbuild'
import { sluiceVersion } from '../../src/version.ts'

const CACHE = join(import.meta.dirname, '..', '..', 'node_modules', '.cache')

/** In pieces, for whoever bundles this file puts the URL of its own place wherever the words stand. */
const MODULE_URL = ['import', 'meta', 'url'].join('.')

/** A program as it was when it was compiled, whatever happens to its sources meanwhile. */
export interface Compiled {
  /** The path of the child that runs a query. */
  readonly child: string
  remove(): Promise<void>
}

/**
 * Compiles `src` and the child of these tests as they are now, and what they import, into one file: thousands of
 * processes are started, and finding a thousand modules takes each longer than all it does for the test.
 */
export async function compile(): Promise<Compiled> {
  // Below node_modules, so that packages are found.
  await mkdir(CACHE, { recursive: true })
  const directory = await mkdtemp(join(CACHE, 'sluice-crash-'))
  const remove = () => rm(directory, { recursive: true, force: true })
  try {
    await writeFile(join(directory, 'package.json'), JSON.stringify({ version: sluiceVersion }))
    await build({
      entryPoints: ['start-quickly.ts', 'query-child.ts'].map((file) => join(import.meta.dirname, file)),
      outdir: join(directory, 'test'),
      outExtension: { '.js': '.cjs' },
      bundle: true,
      platform: 'node',
      target: 'node20',
      // What V8 makes of a module of ESM cannot be kept.
      format: 'cjs',
      // Native, so not to be moved.
      external: ['@duckdb/node-bindings*'],
      banner: { js: "const moduleUrl = require('node:url').pathToFileURL(__filename).href;" },
      define: { [MODULE_URL]: 'moduleUrl' },
      logLevel: 'error',
    })
    return { child: join(directory, 'test', 'start-quickly.cjs'), remove }
  } catch (error) {
    await remove()
    throw error
  }
}
