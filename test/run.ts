/**
 * Runs every `*.test.ts` below `test/` (or the files named on the command line) with Node's own runner.
 *
 * They are bundled first, with what they import, and the short ones of a folder share a process: to find and translate
 * some hundreds of modules took most files longer than their tests.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build, type Plugin } from 'esbuild'

const root = import.meta.dirname
const named = process.argv.slice(2)
const files =
  named.length > 0
    ? named.map((file) => resolve(file))
    : readdirSync(root, { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.test.ts'))
        .sort()
        .map((file) => join(root, file))

/** A bundled module still believes that it lies where its source does: it looks for files beside it. */
const inPlace: Plugin = {
  name: 'in place',
  setup: ({ onLoad }) => {
    onLoad({ filter: /\/(?:src|test|benchmarks)\/.*\.ts$/ }, ({ path }) => ({
      loader: 'ts',
      contents: readFileSync(path, 'utf8')
        .replaceAll('import.meta.dirname', JSON.stringify(dirname(path)))
        .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href)),
    }))
  },
}

/** Long ones keep a process each and come first, so that the cores have something to do until the end; so does what reads AWS_REGION. */
const LONG = /^(?:engine|crash|conformance)\b/

/** Files that run in one process, by a name for it. */
function processes(all: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>()
  for (const file of all) {
    const path = relative(root, file)
    const name = (LONG.test(path) ? path : dirname(path)).replaceAll(/\W+/g, '-')
    groups.set(name, [...(groups.get(name) ?? []), file])
  }
  return new Map([...groups].sort(([a], [b]) => Number(LONG.test(b)) - Number(LONG.test(a))))
}

// Below node_modules, so that packages are found.
const cache = join(root, '..', 'node_modules', '.cache')
mkdirSync(cache, { recursive: true })
const out = mkdtempSync(join(cache, 'sluice-tests-'))
try {
  const entries = [...processes(files)].map(([name, members]) => {
    const entry = join(out, `${name}.entry.ts`)
    writeFileSync(entry, members.map((file) => `import ${JSON.stringify(file)}\n`).join(''))
    return entry
  })
  await build({
    entryPoints: entries,
    outdir: out,
    outbase: out,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    packages: 'external',
    platform: 'node',
    target: 'node20',
    format: 'esm',
    sourcemap: 'linked',
    // A test file is imported for its effects alone, whatever package.json says of those of the package.
    ignoreAnnotations: true,
    logLevel: 'error',
    plugins: [inPlace],
  })
  const bundled = entries.map((entry) => entry.replace(/ts$/, 'mjs'))
  const args = ['--enable-source-maps', '--test', '--test-concurrency=3', '--test-reporter=spec', ...bundled]
  process.exitCode = spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 1
} finally {
  rmSync(out, { recursive: true, force: true })
}
