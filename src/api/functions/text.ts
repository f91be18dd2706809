import { literal } from '../../duckdb.ts'
import { SluiceError } from '../../errors.ts'
import { Column, type Operand, sqlOf } from '../column.ts'
import { type ColumnOrName, callFunction, columnOf, sqlFor, unary } from './column-name.ts'

/** In small letters. SQL: `lower("page")` */
export const lower = unary('lower')
/** In capital letters. SQL: `upper("page")` */
export const upper = unary('upper')
/** Without spaces at both ends. SQL: `trim("page")` */
export const trim = unary('trim')
/** Without spaces at the beginning. */
export const ltrim = unary('ltrim')
/** Without spaces at the end. */
export const rtrim = unary('rtrim')
/** Characters of a text. SQL: `length("page")` */
export const length = unary('length')
/** The same as `length`. */
export const charLength = length
/** Bytes of a text in UTF-8. */
export const octetLength = unary('strlen')
/** Bits of a text in UTF-8. */
export const bitLength = unary('bit_length')
/** A text from its end to its beginning. */
export const reverse = unary('reverse')
/** The code of the first character; 0 of an empty text. */
export const ascii = unary('ascii')
/** Bytes of a BLOB as base 64. */
export const base64 = unary('base64')
/** Base 64 as a BLOB. */
export const unbase64 = unary('from_base64')
/** A number, or the bytes of a text or BLOB, in hexadecimal capitals. */
export const hex = unary('hex')
/** MD5 of a text or BLOB, in hexadecimal. */
export const md5 = unary('md5')
/** SHA-1 of a text or BLOB, in hexadecimal. */
export const sha1 = unary('sha1')

/** A BLOB of hexadecimal digits; NULL where they are none. */
export const unhex = (column: ColumnOrName): Column => new Column(`TRY(unhex(${sqlFor(column)}))`)

/** SHA-2 of a text or BLOB, in hexadecimal; of 256 bits, which 0 stands for as well. */
export function sha2(column: ColumnOrName, bits: 0 | 256): Column {
  if (bits === 0 || bits === 256) return new Column(`sha256(${sqlFor(column)})`)
  const expected = '0 or 256, the ones that DuckDB has'
  throw new SluiceError('OPTION_INVALID', { owner: 'sha2', option: 'bits', value: String(bits), expected })
}

/** Every word, between spaces, with one capital and small letters after it. */
export function initcap(column: ColumnOrName): Column {
  const word = 'upper(left(word, 1)) || substring(word, 2)'
  const words = `list_transform(string_split(lower(${sqlFor(column)}), ' '), lambda word: ${word})`
  return new Column(`array_to_string(${words}, ' ')`)
}

/** Texts one after the other; NULL where any is NULL. SQL: `("a" || "b")` */
export function concat(...columns: readonly ColumnOrName[]): Column {
  return new Column(`(${columns.map(sqlFor).join(' || ')})`)
}

/** Texts with a separator between them; NULLs are passed over. */
export function concatWs(separator: string, ...columns: readonly ColumnOrName[]): Column {
  return new Column(`concat_ws(${[literal(separator), ...columns.map(sqlFor)].join(', ')})`)
}

/** `size` characters from `start` on, which counts from 1, or from the end where it is negative. */
export function substring(column: ColumnOrName, start: number, size: number): Column {
  return columnOf(column).substr(start, size)
}

/** The part before the delimiter comes for the `count`th time; counted from the end where it is negative, the part after it. */
export function substringIndex(column: ColumnOrName, delimiter: string, count: number): Column {
  const parts = `string_split(${sqlFor(column)}, ${literal(delimiter)})`
  const taken = count > 0 ? `list_slice(${parts}, 1, ${count})` : `list_slice(${parts}, ${count}, -1)`
  return new Column(
    count === 0 ? `left(${sqlFor(column)}, 0)` : `array_to_string(${taken}, ${literal(delimiter)})`,
  )
}

/** The first characters of a text. */
export function left(column: ColumnOrName, size: Operand): Column {
  return new Column(`left(${sqlFor(column)}, greatest(${sqlOf(size)}, 0))`)
}

/** The last characters of a text. */
export function right(column: ColumnOrName, size: Operand): Column {
  return new Column(`right(${sqlFor(column)}, greatest(${sqlOf(size)}, 0))`)
}

/** Filled up at the beginning to `size` characters, or cut at the end. */
export function lpad(column: ColumnOrName, size: number, pad = ' '): Column {
  return padded('lpad', column, size, pad)
}

/** Filled up at the end to `size` characters, or cut there. */
export function rpad(column: ColumnOrName, size: number, pad = ' '): Column {
  return padded('rpad', column, size, pad)
}

function padded(name: string, column: ColumnOrName, size: number, pad: string): Column {
  if (pad === '') return left(column, size)
  return new Column(`${name}(${sqlFor(column)}, ${Math.max(size, 0)}, ${literal(pad)})`)
}

/** A text so many times. */
export function repeat(column: ColumnOrName, times: Operand): Column {
  return new Column(`repeat(${sqlFor(column)}, ${sqlOf(times)})`)
}

/** Where a part begins, from 1; 0 where it is not. */
export function instr(column: ColumnOrName, part: Operand): Column {
  return new Column(`instr(${sqlFor(column)}, ${sqlOf(part)})`)
}

/** Where a part begins at or after `start`, from 1; 0 where it is not. */
export function locate(part: Operand, column: ColumnOrName, start = 1): Column {
  if (start === 1) return instr(column, part)
  const found = `instr(substring(${sqlFor(column)}, ${Math.max(start, 1)}), ${sqlOf(part)})`
  if (start < 1) return new Column(`(${found} * 0)`)
  return new Column(`CASE WHEN ${found} > 0 THEN ${found} + ${start - 1} ELSE ${found} END`)
}

/** Every character of `matching` as the one at its place in `replacement`; those without one are left out. */
export function translate(column: ColumnOrName, matching: string, replacement: string): Column {
  return callFunction('translate', columnOf(column), matching, replacement)
}

/** Every `search` as `replacement`. */
export function replace(column: ColumnOrName, search: Operand, replacement: Operand = ''): Column {
  return callFunction('replace', columnOf(column), search, replacement)
}

/** Whether a text begins with another. */
export function startswith(column: ColumnOrName, prefix: Operand): Column {
  return columnOf(column).startsWith(prefix)
}

/** Whether a text ends with another. */
export function endswith(column: ColumnOrName, suffix: Operand): Column {
  return columnOf(column).endsWith(suffix)
}

/** Whether a text has another in it. */
export function contains(column: ColumnOrName, part: Operand): Column {
  return columnOf(column).contains(part)
}

/** Cuts a text at every match of a regular expression. SQL: `regexp_split_to_array("line", '\s+')` */
export function split(column: ColumnOrName, pattern: string): Column {
  return callFunction('regexp_split_to_array', columnOf(column), pattern)
}

/** A part of a text, cut at a delimiter, from 1 or from the end where it is negative; empty where it is not. */
export function splitPart(column: ColumnOrName, delimiter: string, part: number): Column {
  return callFunction('split_part', columnOf(column), delimiter, part)
}

/** Whether a regular expression matches anywhere in a text. */
export function regexpLike(column: ColumnOrName, pattern: string): Column {
  return columnOf(column).rlike(pattern)
}

/** Every match of a regular expression as `replacement`, in which `$1` is a group. SQL: `regexp_replace("line", '[^a-z]', '', 'g')` */
export function regexpReplace(column: ColumnOrName, pattern: string, replacement: string): Column {
  return callFunction('regexp_replace', columnOf(column), pattern, rewritten(replacement), 'g')
}

/** Java's `$1` and `\x` in the words of RE2, where a group is `\1`. */
function rewritten(replacement: string): string {
  return replacement.replace(
    /\\(.)|\$(\d)|\\/g,
    (whole, escaped: string | undefined, group: string | undefined) => {
      if (group !== undefined) return `\\${group}`
      return (escaped ?? whole) === '\\' ? '\\\\' : (escaped as string)
    },
  )
}

/** A group of the first match of a regular expression, the first group unless told; empty without a match. */
export function regexpExtract(column: ColumnOrName, pattern: string, group = 1): Column {
  return callFunction('regexp_extract', columnOf(column), pattern, group)
}

/** A group of every match of a regular expression, the first group unless told. */
export function regexpExtractAll(column: ColumnOrName, pattern: string, group = 1): Column {
  return callFunction('regexp_extract_all', columnOf(column), pattern, group)
}

/** The first match of a regular expression; NULL without one. */
export function regexpSubstr(column: ColumnOrName, pattern: string): Column {
  const text = sqlFor(column)
  const matches = `regexp_matches(${text}, ${literal(pattern)})`
  return new Column(`CASE WHEN ${matches} THEN regexp_extract(${text}, ${literal(pattern)}) END`)
}

/** How often a regular expression matches. */
export function regexpCount(column: ColumnOrName, pattern: string): Column {
  return new Column(`len(regexp_extract_all(${sqlFor(column)}, ${literal(pattern)}))`)
}
