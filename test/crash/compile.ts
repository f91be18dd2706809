import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const ROOT = join(import.meta.dirname, '..', '..')
const CACHE = join(ROOT, 'node_modules', '.cache')

/** A program as it was when it was compiled, whatever happens to its sources meanwhile. */
export interface Compiled {
  /** The path of the child that runs a query. */
  readonly child: string
  remove(): Promise<void>
}

/**
 * Compiles `src` and the child of these tests as they are now: hundreds of processes are started, and without a
 * loader each is ready in half the time.
 */
export async function compile(): Promise<Compiled> {
  // Below node_modules, so that packages are found.
  await mkdir(CACHE, { recursive: true })
  const out = await mkdtemp(join(CACHE, 'sluice-crash-'))
  const remove = () => rm(out, { recursive: true, force: true })
  try {
    await cp(join(ROOT, 'package.json'), join(out, 'package.json'))
    await tsc('-p', import.meta.dirname, '--outDir', out)
    return { child: join(out, 'test', 'crash', 'query-child.js'), remove }
  } catch (error) {
    await remove()
    throw error
  }
}

async function tsc(...args: readonly string[]): Promise<void> {
  const script = join(
    dirname(createRequire(import.meta.url).resolve('typescript/package.json')),
    'bin',
    'tsc',
  )
  const compiler = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'inherit', 'inherit'] })
  const [code] = (await once(compiler, 'exit')) as [number | null]
  if (code !== 0) throw new Error(`the TypeScript compiler ended with exit code ${code}`)
}
