/**
 * Runs every `*.test.ts` below `test/` (or the files named on the command line) with Node's own runner.
 * Node 20 takes no glob on its command line, so the files are found here.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'

const root = import.meta.dirname
const named = process.argv.slice(2)
const files =
  named.length > 0
    ? named
    : readdirSync(root, { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.test.ts'))
        .sort()
        .map((file) => join(root, file))

const args = ['--import', 'tsx', '--test', '--test-concurrency=2', '--test-reporter=spec', ...files]
process.exitCode = spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 1
