import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'esbuild'
import { sluiceVersion } from '../../src/version.ts'

const CACHE = join(import.meta.dirname, '..', '..', 'node_modules', '.cache')

/** A program as it was when it was compiled, whatever happens to its sources meanwhile. */
export interface Compiled {
  /** The path of the child that runs a query. */
  readonly child: string
  remove(): Promise<void>
}

/**
 * Compiles `src` and the child of these tests as they are now, and what they import, into one file: hundreds of
 * processes are started, and finding a thousand modules takes each longer than all it does for the test.
 */
export async function compile(): Promise<Compiled> {
  // Below node_modules, so that packages are found.
  await mkdir(CACHE, { recursive: true })
  const directory = await mkdtemp(join(CACHE, 'sluice-crash-'))
  const child = join(directory, 'test', 'query-child.mjs')
  const remove = () => rm(directory, { recursive: true, force: true })
  try {
    await writeFile(join(directory, 'package.json'), JSON.stringify({ version: sluiceVersion }))
    await build({
      entryPoints: [join(import.meta.dirname, 'query-child.ts')],
      outfile: child,
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'esm',
      // Native, so not to be moved.
      external: ['@duckdb/*'],
      banner: {
        js: "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.filename);",
      },
      logLevel: 'error',
    })
    return { child, remove }
  } catch (error) {
    await remove()
    throw error
  }
}
