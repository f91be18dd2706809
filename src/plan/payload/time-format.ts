import { SluiceError } from '../../errors.ts'

/** How dates and timestamps are written in a payload. */
export interface TimeFormats {
  /** Patterns of DuckDB's `strptime`, one of which has to match; absent: ISO 8601. */
  readonly date: readonly string[] | undefined
  readonly timestamp: readonly string[] | 'epoch_seconds' | 'epoch_millis' | undefined
}

/**
 * Reads the options `dateFormat` and `timestampFormat`: a pattern with `%` is one of `strptime`, any other is one of
 * Java's, as Spark writes them.
 *
 * @throws OPTION_INVALID
 */
export function timeFormats(options: {
  readonly dateFormat?: string | undefined
  readonly timestampFormat?: string | undefined
}): TimeFormats {
  const { dateFormat, timestampFormat } = options
  const isEpoch = timestampFormat === 'epoch_seconds' || timestampFormat === 'epoch_millis'
  return {
    date: dateFormat === undefined ? undefined : strptimePatterns('the payload', 'dateFormat', dateFormat),
    timestamp:
      timestampFormat === undefined || isEpoch
        ? timestampFormat
        : strptimePatterns('the payload', 'timestampFormat', timestampFormat),
  }
}

/** Letters of a Java pattern that mean the same as a conversion of `strptime`. */
const CONVERSIONS: Readonly<Record<string, readonly string[]>> = {
  yyyy: ['%Y'],
  uuuu: ['%Y'],
  yy: ['%y'],
  MMMM: ['%B'],
  MMM: ['%b'],
  MM: ['%m'],
  M: ['%-m'],
  dd: ['%d'],
  d: ['%-d'],
  EEEE: ['%A'],
  EEE: ['%a'],
  E: ['%a'],
  HH: ['%H'],
  H: ['%-H'],
  hh: ['%I'],
  h: ['%-I'],
  mm: ['%M'],
  m: ['%-M'],
  ss: ['%S'],
  s: ['%-S'],
  SSS: ['%g'],
  SSSSSS: ['%f'],
  a: ['%p'],
  VV: ['%Z'],
  Z: ['%z'],
  // `Z` stands for an offset of nothing, which %z does not read.
  XXX: ['%z', 'Z'],
  XX: ['%z', 'Z'],
  X: ['%z', 'Z'],
  xxx: ['%z'],
  xx: ['%z'],
  x: ['%z'],
}

const STRPTIME = /^(?:[^%]|%-?[%aAbBdmyYHIpMSfgnzZjw])*$/
const JAVA_PIECE = /(?<quoted>'(?:[^']|'')*')|(?<letters>([A-Za-z])\3*)|(?<other>[^A-Za-z'])/gy

/**
 * Patterns of `strptime` that together read what one of Java's does; one with `%` is of `strptime` already.
 *
 * @throws OPTION_INVALID
 */
export function strptimePatterns(owner: string, option: string, format: string): readonly string[] {
  const refuse = (expected: string): never => {
    throw new SluiceError('OPTION_INVALID', { owner, option, value: format, expected })
  }
  if (format === '') return refuse('a pattern')
  if (format.includes('%')) {
    return STRPTIME.test(format) ? [format] : refuse('a strptime pattern such as %Y-%m-%d %H:%M:%S')
  }
  let built = ['']
  let end = 0
  for (const { 0: piece, index, groups } of format.matchAll(JAVA_PIECE)) {
    const quoted = groups?.['quoted']
    const texts = quoted ? [quotedText(quoted)] : groups?.['letters'] ? CONVERSIONS[piece] : [piece]
    if (!texts) return refuse(`a pattern without '${piece}', for example yyyy-MM-dd'T'HH:mm:ss.SSSXXX`)
    built = texts.flatMap((text) => built.map((before) => before + text))
    end = index + piece.length
  }
  return end === format.length ? built : refuse('a pattern whose quotes are closed')
}

/** `'T'` is a T, `''` a quote. */
function quotedText(piece: string): string {
  const text = piece.slice(1, -1).replaceAll("''", "'")
  return (text === '' ? "'" : text).replaceAll('%', '%%')
}
