import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

const ROOT = join(import.meta.dirname, '..', '..')
const TEST = join(ROOT, 'test')

/** A line of a contract: `K1` and what it promises. */
export interface Promised {
  readonly id: string
  readonly text: string
}

/** A test by its file below `test/` and its name. */
export interface Proof {
  readonly file: string
  readonly name: string
}

/** What a conformance suite is run over, and how its implementation is arranged. */
export interface Subject {
  readonly name: string
  readonly file: string
  readonly arrangement: string
}

/** The invariants in the doc comment of a contract below `src/`, in their order. */
export function promisesOf(file: string): readonly Promised[] {
  const text = readFileSync(join(ROOT, 'src', file), 'utf8')
  return [...text.matchAll(/^ \* - ([A-Z]\d+) ([\s\S]*?)(?=\n \* - |\n \*\/)/gm)].map(([, id, lines]) => ({
    id: id ?? '',
    text: (lines ?? '').replace(/\n \* +/g, ' '),
  }))
}

/** The invariants of docs/checkpoint.md with the tests that it names. */
export function checkpointPromises(): readonly (Promised & { readonly proofs: readonly Proof[] })[] {
  const page = readFileSync(join(ROOT, 'docs', 'checkpoint.md'), 'utf8')
  return [...page.matchAll(/^\* \*\*(C\d+)\*\* (.*)\n((?: {2}.*\n)*)/gm)].map(([, id, text, proofs]) => ({
    id: id ?? '',
    text: text ?? '',
    proofs: [...(proofs ?? '').matchAll(/`([\w./-]+\.ts)`: "([^"]+)"/g)].map(([, file, name]) => ({
      file: file ?? '',
      name: name ?? '',
    })),
  }))
}

/** What the tests call `suite('…', …)` over. */
export function subjectsOf(suite: string): readonly Subject[] {
  return testFiles().flatMap((file) => {
    const calls = readFileSync(join(TEST, file), 'utf8')
      .split(new RegExp(`\\b${suite}\\(`))
      .slice(1)
    return calls.flatMap((call) => {
      const name = /^'([^']+)'/.exec(call)?.[1]
      return name === undefined ? [] : [{ name, file, arrangement: call }]
    })
  })
}

/** Whether that file has a test of that name, or one whose name is completed when it runs and begins so. */
export function exists({ file, name }: Proof): boolean {
  const text = readFileSync(join(TEST, file), 'utf8')
  return ["'", '`'].some((quote) => new RegExp(`\\btest\\(\\s*${quote}${escaped(name)}`).test(text))
}

function testFiles(): readonly string[] {
  return readdirSync(TEST, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => relative(TEST, join(TEST, file)).replaceAll('\\', '/'))
    .sort()
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
