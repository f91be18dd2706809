import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const ROOT = join(import.meta.dirname, '..', '..')
const OUT = join(ROOT, 'node_modules', '.cache', 'sluice-benchmarks')

/**
 * Compiles `src` and `benchmarks` as they are now, so that what is measured is what a user runs: JavaScript without
 * a loader in between.
 *
 * @returns where a file of `benchmarks` lies when compiled, by its path without extension
 */
export async function compile(): Promise<(file: string) => string> {
  await mkdir(OUT, { recursive: true })
  for (const read of ['package.json', 'sql']) await cp(join(ROOT, read), join(OUT, read), { recursive: true })
  const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc')
  const compiler = spawn(process.execPath, [tsc, '-p', join(ROOT, 'benchmarks')], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const [code] = (await once(compiler, 'exit')) as [number | null]
  if (code !== 0) throw new Error(`the TypeScript compiler ended with exit code ${code}`)
  return (file) => join(OUT, 'benchmarks', `${file}.js`)
}
