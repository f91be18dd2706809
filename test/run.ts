/**
 * Runs every `*.test.ts` below `test/` (or the files named on the command line) with Node's own runner.
 *
 * They are bundled first, with what they import: every file is a process of its own, and to find and translate some
 * hundreds of modules took most of them longer than their tests.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
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

// Below node_modules, so that packages are found.
const cache = join(root, '..', 'node_modules', '.cache')
mkdirSync(cache, { recursive: true })
const out = mkdtempSync(join(cache, 'sluice-tests-'))
try {
  await build({
    entryPoints: files,
    outdir: out,
    outbase: root,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    packages: 'external',
    platform: 'node',
    target: 'node20',
    format: 'esm',
    sourcemap: 'linked',
    logLevel: 'error',
    plugins: [inPlace],
  })
  const bundled = files.map((file) =>
    join(out, dirname(relative(root, file)), `${basename(file, '.ts')}.mjs`),
  )
  const args = ['--enable-source-maps', '--test', '--test-concurrency=2', '--test-reporter=spec', ...bundled]
  process.exitCode = spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 1
} finally {
  rmSync(out, { recursive: true, force: true })
}
