import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'

/** A directory of its own, removed when the test file ends. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-sink-'))
  made.push(directory)
  return directory
}

const made: string[] = []

after(() => {
  for (const directory of made) rmSync(directory, { recursive: true, force: true })
})
