/**
 * Starts `query-child` with what V8 made of it in an earlier process: compiling it takes longer than a short life does.
 * The first process that comes to its end by itself leaves that to those after it.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Script } from 'node:vm'

const program = join(__dirname, 'query-child.cjs')
const kept = `${program}.v8`
const cachedData = ifThere(kept)
const source = readFileSync(program, 'latin1')
const script = new Script(`(function (exports, require, module, __filename, __dirname) {${source}})`, {
  filename: program,
  ...(cachedData && { cachedData }),
})
if (cachedData === undefined || script.cachedDataRejected) process.once('exit', keep)
const main = { exports: {} }
script.runInThisContext()(main.exports, createRequire(program), main, program, __dirname)

/** Whole or not at all: others start meanwhile. */
function keep(): void {
  const draft = `${kept}-${process.pid}`
  writeFileSync(draft, script.createCachedData())
  renameSync(draft, kept)
}

function ifThere(file: string): Buffer | undefined {
  try {
    return readFileSync(file)
  } catch {
    return undefined
  }
}
