import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'

/** A directory of its own, removed when the test file ends. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-test-checkpoint-'))
  made.push(directory)
  return directory
}

const made: string[] = []

after(async () => {
  for (const directory of made) await rm(directory, { recursive: true, force: true })
})
