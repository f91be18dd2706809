import { getBorderCharacters, table } from 'table'
import { SluiceError } from '../../errors.ts'
import { sumOf } from './totals.ts'

/** One word as the producer and the query counted it. */
export interface WordCounts {
  readonly word: string
  readonly produced: number
  readonly counted: number
}

/** Every word that either side knows, the most common first. */
export function compare(
  produced: ReadonlyMap<string, number>,
  counted: ReadonlyMap<string, number>,
): readonly WordCounts[] {
  return [...new Set([...produced.keys(), ...counted.keys()])]
    .map((word) => ({ word, produced: produced.get(word) ?? 0, counted: counted.get(word) ?? 0 }))
    .sort((a, b) => b.produced - a.produced || (a.word < b.word ? -1 : 1))
}

/** The most common words and the total of all, the two counts side by side; words that differ come first. */
export function comparisonTable(words: readonly WordCounts[], shown: number): string {
  const ranked = [...words.filter(differs), ...words.filter((each) => !differs(each))]
  const rest = ranked.slice(shown)
  const total = { word: 'total', ...sums(words) }
  const rows = [
    ['word', 'producer', 'query', ''],
    ...ranked.slice(0, shown).map(row),
    ...(rest.length > 0 ? [row({ word: `${rest.length} more words`, ...sums(rest) })] : []),
    row(total),
  ]
  return table(rows, {
    border: getBorderCharacters('norc'),
    columns: [{}, { alignment: 'right' }, { alignment: 'right' }, {}],
    drawHorizontalLine: (line, lines) => line <= 1 || line >= lines - 1,
  })
}

/** @throws DEMO_DIFFERS when the two sides counted any word differently */
export function assertEqual(words: readonly WordCounts[]): void {
  const different = words.filter(differs).length
  if (different > 0) throw new SluiceError('DEMO_DIFFERS', { ...sums(words), words: different })
}

function differs({ produced, counted }: WordCounts): boolean {
  return produced !== counted
}

function row(counts: WordCounts): string[] {
  const { word, produced, counted } = counts
  return [
    word,
    grouped(produced),
    grouped(counted),
    differs(counts) ? grouped(counted - produced, 'always') : '=',
  ]
}

function sums(words: readonly WordCounts[]): { produced: number; counted: number } {
  return {
    produced: sumOf(words.map((each) => each.produced)),
    counted: sumOf(words.map((each) => each.counted)),
  }
}

/** `31,512`; with `always`, `+3`. */
export function grouped(value: number, signDisplay: 'auto' | 'always' = 'auto'): string {
  return value.toLocaleString('en-US', { signDisplay })
}
