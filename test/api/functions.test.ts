import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Column } from '../../src/api/column.ts'
import * as F from '../../src/api/functions.ts'
import { Session } from '../../src/api/session.ts'
import { silentLogger } from '../../src/log.ts'
import { MemoryStream } from '../../src/sources/memory.ts'

const { col, lit } = F

/** One row: every kind of value, and a NULL of it under the name with `0`. */
const ROW = `SELECT 'Hello World' AS s, NULL::VARCHAR AS s0, 'a,b,,' AS csv, 'a1b22' AS mixed, 'é€' AS wide, '' AS nothing,
  -2.5::DOUBLE AS d, 2.5::DOUBLE AS h, NULL::DOUBLE AS d0, 'nan'::DOUBLE AS nan, 13::BIGINT AS n, NULL::BIGINT AS n0, 0::BIGINT AS zero,
  TIMESTAMP '2024-02-29 13:04:05.678' AS t, NULL::TIMESTAMP AS t0, TIMESTAMP '1969-12-31 23:59:59.5' AS before_1970, DATE '2026-01-31' AS day_1, '2024-02-30' AS no_day,
  [2, 1, NULL, 2]::INTEGER[] AS xs, [3, 1, 2]::INTEGER[] AS ys, NULL::INTEGER[] AS xs0, []::INTEGER[] AS none, [[1], [2, 3]] AS deep, [[1], NULL] AS holed, [1, 2] AS ab,
  MAP {'k': 1, 'l': NULL} AS m, '{"a": {"b": [1, "x"]}, "n": null}' AS j, '[1, 2]' AS ja, '{broken' AS bad, 'ab'::BLOB AS bytes, true AS yes, NULL::BOOLEAN AS b0`

/** Values by Spark's own documentation and source. A Date is its ISO text, NaN the text `NaN`. */
const VALUES: Readonly<Record<string, readonly (readonly [Column, unknown])[]>> = {
  col: [
    [col('n'), 13],
    [col('`n`'), 13],
  ],
  lit: [
    [lit('x'), 'x'],
    [lit(null), null],
    [lit(1.5), 1.5],
  ],
  expr: [[F.expr('n + 1'), 14]],
  callFunction: [[F.callFunction('lower', col('s')), 'hello world']],
  callUdf: [[F.callUdf('upper', 's'), 'HELLO WORLD']],
  when: [
    [F.when(col('n').gt(9), 'many').otherwise('few'), 'many'],
    [F.when(col('n0').gt(9), 'many').otherwise('few'), 'few'],
    [F.when(col('n').gt(99), 1), null],
  ],
  CaseColumn: [[F.when(col('n').gt(99), 1).when(col('n').gt(9), 2).otherwise(3), 2]],
  coalesce: [
    [F.coalesce('n0', 'n'), 13],
    [F.coalesce('n0', 'n0'), null],
  ],
  ifnull: [[F.ifnull('n0', 'n'), 13]],
  nvl: [[F.nvl('n', 'zero'), 13]],
  nvl2: [
    [F.nvl2('n0', 'n', 'zero'), 0],
    [F.nvl2('s', 'n', 'zero'), 13],
  ],
  nullif: [
    [F.nullif('n', lit(13)), null],
    [F.nullif('n', 'n0'), 13],
  ],
  nanvl: [
    [F.nanvl('nan', 'd'), -2.5],
    [F.nanvl('h', 'd'), 2.5],
    [F.nanvl('d0', 'd'), null],
  ],
  isnull: [
    [F.isnull('n0'), true],
    [F.isnull('n'), false],
  ],
  isnotnull: [[F.isnotnull('n0'), false]],
  isnan: [
    [F.isnan('nan'), true],
    [F.isnan('d'), false],
    [F.isnan('d0'), false],
  ],
  greatest: [
    [F.greatest('n0', 'n', 'zero'), 13],
    [F.greatest('n0', 'n0'), null],
  ],
  least: [[F.least('n0', 'n', 'zero'), 0]],

  lower: [
    [F.lower('s'), 'hello world'],
    [F.lower('s0'), null],
  ],
  upper: [[F.upper('wide'), 'É€']],
  trim: [[F.trim(lit('  a ')), 'a']],
  ltrim: [[F.ltrim(lit('  a ')), 'a ']],
  rtrim: [[F.rtrim(lit('  a ')), '  a']],
  length: [
    [F.length('wide'), 2],
    [F.length(lit('a  ')), 3],
    [F.length('s0'), null],
  ],
  charLength: [[F.charLength('s'), 11]],
  octetLength: [[F.octetLength('wide'), 5]],
  bitLength: [[F.bitLength('wide'), 40]],
  reverse: [[F.reverse('wide'), '€é']],
  ascii: [
    [F.ascii('s'), 72],
    [F.ascii('nothing'), 0],
  ],
  base64: [[F.base64('bytes'), 'YWI=']],
  unbase64: [[F.hex(F.unbase64(lit('YWI='))), '6162']],
  hex: [
    [F.hex(lit(17)), '11'],
    [F.hex('wide'), 'C3A9E282AC'],
    [F.hex('n0'), null],
  ],
  unhex: [
    [F.hex(F.unhex(lit('6162'))), '6162'],
    [F.unhex(lit('zz')), null],
  ],
  md5: [[F.md5(lit('Spark')), '8cde774d6f7333752ed72cacddb05126']],
  sha1: [[F.sha1(lit('Spark')), '85f5955f4b27a9a4c2aab6ffe5d7189fc298b92c']],
  sha2: [
    [F.sha2(lit('Spark'), 256), '529bc3b07127ecb7e53a4dcf1991d9152c24537d919178022b2c42657f79a26b'],
    [F.sha2('s0', 0), null],
  ],
  initcap: [
    [F.initcap(lit('sPark sql  x')), 'Spark Sql  X'],
    [F.initcap('s0'), null],
  ],
  concat: [
    [F.concat('s', lit('!')), 'Hello World!'],
    [F.concat('s', 's0'), null],
  ],
  concatWs: [
    [F.concatWs('-', 's0', lit('a'), lit('b')), 'a-b'],
    [F.concatWs('-', 's0'), ''],
  ],
  substring: [
    [F.substring('s', 1, 5), 'Hello'],
    [F.substring('s', 0, 5), 'Hello'],
    [F.substring('s', -5, 3), 'Wor'],
    [F.substring('s', -13, 4), 'He'],
    [F.substring('s', -13, 2), ''],
    [F.substring('s', 20, 2), ''],
    [F.substring('s0', 1, 2), null],
    [F.substring('s', 3, -1), ''],
  ],
  substringIndex: [
    [F.substringIndex(lit('www.apache.org'), '.', 2), 'www.apache'],
    [F.substringIndex(lit('www.apache.org'), '.', -2), 'apache.org'],
    [F.substringIndex(lit('a.b'), '.', 0), ''],
    [F.substringIndex(lit('a.b'), '.', 5), 'a.b'],
    [F.substringIndex(lit('a.b'), '.', -5), 'a.b'],
    [F.substringIndex('s0', '.', 1), null],
  ],
  left: [
    [F.left('s', 4), 'Hell'],
    [F.left('s', -1), ''],
  ],
  right: [
    [F.right('s', 3), 'rld'],
    [F.right('s', 0), ''],
  ],
  lpad: [
    [F.lpad(lit('hi'), 5, '??'), '???hi'],
    [F.lpad(lit('hi'), 1, '?'), 'h'],
    [F.lpad(lit('hi'), 5, ''), 'hi'],
    [F.lpad(lit('hi'), 3), ' hi'],
    [F.lpad('s0', 3), null],
  ],
  rpad: [[F.rpad(lit('hi'), 5, '?!'), 'hi?!?']],
  repeat: [
    [F.repeat(lit('ab'), 2), 'abab'],
    [F.repeat(lit('ab'), -1), ''],
  ],
  instr: [
    [F.instr('s', 'World'), 7],
    [F.instr('s', 'x'), 0],
    [F.instr('s0', 'x'), null],
  ],
  locate: [
    [F.locate('o', 's'), 5],
    [F.locate('o', 's', 6), 8],
    [F.locate('o', 's', 9), 0],
    [F.locate('o', 's', 0), 0],
    [F.locate('o', 's0', 2), null],
  ],
  translate: [[F.translate(lit('AaBbCc'), 'abc', '12'), 'A1B2C']],
  replace: [
    [F.replace(lit('ABCabc'), 'abc', 'DEF'), 'ABCDEF'],
    [F.replace(lit('abc'), 'b'), 'ac'],
    [F.replace(lit('abc'), ''), 'abc'],
  ],
  startswith: [
    [F.startswith('s', 'Hell'), true],
    [F.startswith('s0', 'a'), null],
  ],
  endswith: [[F.endswith('s', 'ld'), true]],
  contains: [
    [F.contains('s', 'o W'), true],
    [F.contains('s', lit(null)), null],
  ],
  split: [
    [F.split('csv', ','), ['a', 'b', '', '']],
    [F.split('mixed', '[0-9]+'), ['a', 'b', '']],
    [F.split('s0', ','), null],
  ],
  splitPart: [
    [F.splitPart(lit('11.12.13'), '.', 3), '13'],
    [F.splitPart(lit('11.12.13'), '.', -3), '11'],
    [F.splitPart(lit('11.12.13'), '.', 5), ''],
  ],
  regexpLike: [
    [F.regexpLike('mixed', '\\d{2}'), true],
    [F.regexpLike('s0', 'a'), null],
  ],
  regexpReplace: [
    [F.regexpReplace('mixed', '\\d+', '#'), 'a#b#'],
    [F.regexpReplace('mixed', '([a-z])(\\d)', '$2$1'), '1a2b2'],
    [F.regexpReplace(lit('ab'), 'b', '\\$1'), 'a$1'],
    [F.regexpReplace(lit('ab'), 'b', '\\\\'), 'a\\'],
  ],
  regexpExtract: [
    [F.regexpExtract(lit('100-200'), '(\\d+)-(\\d+)'), '100'],
    [F.regexpExtract(lit('100-200'), '(\\d+)-(\\d+)', 2), '200'],
    [F.regexpExtract(lit('foo'), '(\\d+)'), ''],
    [F.regexpExtract(lit('foo'), 'o+', 0), 'oo'],
    [F.regexpExtract('s0', '(a)'), null],
  ],
  regexpExtractAll: [
    [F.regexpExtractAll(lit('100-200, 300-400'), '(\\d+)-(\\d+)'), ['100', '300']],
    [F.regexpExtractAll(lit('x'), '(\\d)'), []],
  ],
  regexpSubstr: [
    [F.regexpSubstr('mixed', '\\d{2}'), '22'],
    [F.regexpSubstr('mixed', '\\d{3}'), null],
  ],
  regexpCount: [
    [F.regexpCount('mixed', '\\d'), 3],
    [F.regexpCount('s0', '\\d'), null],
  ],

  currentTimestamp: [[F.currentTimestamp().isNotNull(), true]],
  currentDate: [[F.currentDate().isNotNull(), true]],
  year: [
    [F.year('t'), 2024],
    [F.year('t0'), null],
    [F.year('day_1'), 2026],
  ],
  quarter: [[F.quarter('t'), 1]],
  month: [[F.month('t'), 2]],
  dayofmonth: [[F.dayofmonth('t'), 29]],
  day: [[F.day('t'), 29]],
  dayofyear: [[F.dayofyear('t'), 60]],
  weekofyear: [
    [F.weekofyear('t'), 9],
    [F.weekofyear(lit('2021-01-03').cast('DATE')), 53],
  ],
  hour: [[F.hour('t'), 13]],
  minute: [[F.minute('t'), 4]],
  second: [[F.second('t'), 5]],
  lastDay: [[F.lastDay('t'), '2024-02-29T00:00:00.000Z']],
  dayofweek: [
    [F.dayofweek('t'), 5],
    [F.dayofweek(lit('2009-08-02').cast('DATE')), 1],
  ],
  weekday: [[F.weekday('t'), 3]],
  dateAdd: [
    [F.dateAdd('t', 1), '2024-03-01T00:00:00.000Z'],
    [F.dateAdd('t', col('n')), '2024-03-13T00:00:00.000Z'],
    [F.dateAdd('t0', 1), null],
  ],
  dateSub: [[F.dateSub('t', 29), '2024-01-31T00:00:00.000Z']],
  dateDiff: [
    [F.dateDiff('day_1', 't'), 702],
    [F.dateDiff('t', 'day_1'), -702],
    [F.dateDiff('t0', 't'), null],
  ],
  datediff: [[F.datediff('t', lit('2024-02-28').cast('DATE')), 1]],
  addMonths: [
    [F.addMonths('day_1', 1), '2026-02-28T00:00:00.000Z'],
    [F.addMonths('t', -12), '2023-02-28T00:00:00.000Z'],
  ],
  nextDay: [
    [F.nextDay('t', 'Thu'), '2024-03-07T00:00:00.000Z'],
    [F.nextDay('t', 'FRIDAY'), '2024-03-01T00:00:00.000Z'],
    [F.nextDay('t', 'we'), '2024-03-06T00:00:00.000Z'],
  ],
  dateTrunc: [
    [F.dateTrunc('HOUR', 't'), '2024-02-29T13:00:00.000Z'],
    [F.dateTrunc('week', 't'), '2024-02-26T00:00:00.000Z'],
    [F.dateTrunc('mon', 'day_1'), '2026-01-01T00:00:00.000Z'],
    [F.dateTrunc('day', 't0'), null],
  ],
  trunc: [
    [F.trunc('t', 'year'), '2024-01-01T00:00:00.000Z'],
    [F.trunc('t', 'MM'), '2024-02-01T00:00:00.000Z'],
  ],
  dateFormat: [
    [F.dateFormat('t', "yyyy/MM/dd'T'HH:mm:ss.SSS"), '2024/02/29T13:04:05.678'],
    [F.dateFormat('t', 'd MMM yy, E'), '29 Feb 24, Thu'],
    [F.dateFormat('t0', 'yyyy'), null],
  ],
  toDate: [
    [F.toDate(lit('2024-02-29')), '2024-02-29T00:00:00.000Z'],
    [F.toDate('no_day'), null],
    [F.toDate(lit('29.02.2024'), 'dd.MM.yyyy'), '2024-02-29T00:00:00.000Z'],
    [F.toDate(lit('x'), 'dd.MM.yyyy'), null],
  ],
  toTimestamp: [
    [F.toTimestamp(lit('2024-02-29 13:04:05')), '2024-02-29T13:04:05.000Z'],
    [F.toTimestamp('bad'), null],
    [F.toTimestamp(lit('29/02/2024 01'), 'dd/MM/yyyy HH'), '2024-02-29T01:00:00.000Z'],
  ],
  unixTimestamp: [
    [F.unixTimestamp('t'), 1709211845],
    [F.unixTimestamp('before_1970'), -1],
    [F.unixTimestamp(lit('1970-01-02'), 'yyyy-MM-dd'), 86400],
  ],
  fromUnixtime: [
    [F.fromUnixtime(lit(0)), '1970-01-01 00:00:00'],
    [F.fromUnixtime('n', 'ss'), '13'],
    [F.fromUnixtime('n0'), null],
  ],
  timestampSeconds: [[F.timestampSeconds(lit(1.5)), '1970-01-01T00:00:01.500Z']],
  timestampMillis: [[F.timestampMillis('n'), '1970-01-01T00:00:00.013Z']],
  timestampMicros: [[F.timestampMicros(lit(2000)), '1970-01-01T00:00:00.002Z']],
  unixSeconds: [[F.unixSeconds('t'), 1709211845]],
  unixMillis: [
    [F.unixMillis('t'), 1709211845678],
    [F.unixMillis('before_1970'), -500],
  ],
  unixMicros: [[F.unixMicros('before_1970'), -500000]],
  unixDate: [[F.unixDate('day_1'), 20484]],
  makeDate: [
    [F.makeDate(lit(2024), lit(2), lit(29)), '2024-02-29T00:00:00.000Z'],
    [F.makeDate(lit(2023), lit(2), lit(29)), null],
  ],
  fromUtcTimestamp: [
    [F.fromUtcTimestamp(lit('2016-08-31').cast('TIMESTAMP'), 'Asia/Seoul'), '2016-08-31T09:00:00.000Z'],
  ],
  toUtcTimestamp: [
    [F.toUtcTimestamp(lit('2016-08-31').cast('TIMESTAMP'), 'Asia/Seoul'), '2016-08-30T15:00:00.000Z'],
  ],

  abs: [
    [F.abs('d'), 2.5],
    [F.abs('d0'), null],
  ],
  cbrt: [[F.cbrt(lit(-8)), -2]],
  exp: [[F.exp('zero'), 1]],
  sin: [[F.sin('zero'), 0]],
  cos: [[F.cos('zero'), 1]],
  tan: [[F.tan('zero'), 0]],
  atan: [[F.atan('zero'), 0]],
  sinh: [[F.sinh('zero'), 0]],
  cosh: [[F.cosh('zero'), 1]],
  tanh: [[F.tanh('zero'), 0]],
  degrees: [[F.degrees(F.pi()), 180]],
  radians: [[F.radians(lit(180)), Math.PI]],
  bin: [[F.bin('n'), '1101']],
  sqrt: [
    [F.sqrt(lit(9)), 3],
    [F.sqrt('d'), 'NaN'],
    [F.sqrt('d0'), null],
  ],
  asin: [
    [F.asin('zero'), 0],
    [F.asin(lit(2)), 'NaN'],
    [F.asin('n0'), null],
  ],
  acos: [
    [F.acos(lit(1)), 0],
    [F.acos(lit(-2)), 'NaN'],
  ],
  ln: [
    [F.ln(F.e()), 1],
    [F.ln('zero'), null],
    [F.ln('d'), null],
  ],
  log: [
    [F.log(F.e()), 1],
    [F.log(2, lit(8)), 3],
    [F.log(10, 'zero'), null],
  ],
  log2: [
    [F.log2(lit(8)), 3],
    [F.log2('zero'), null],
  ],
  log10: [[F.log10(lit(1000)), 3]],
  atan2: [[F.atan2('zero', lit(1)), 0]],
  hypot: [[F.hypot(lit(3), lit(4)), 5]],
  pow: [
    [F.pow(lit(2), 3), 8],
    [F.pow('d0', 2), null],
  ],
  power: [[F.power(lit(2), 10), 1024]],
  ceil: [
    [F.ceil('d'), -2],
    [F.ceil('n'), 13],
    [F.ceil('nan'), null],
  ],
  ceiling: [[F.ceiling('h'), 3]],
  floor: [
    [F.floor('d'), -3],
    [F.floor('d0'), null],
  ],
  round: [
    [F.round('h'), 3],
    [F.round('d'), -3],
    [F.round(lit(2.345).cast('DECIMAL(9,3)'), 2), 2.35],
    [F.round(lit(1250), -2), 1300],
  ],
  bround: [
    [F.bround('h'), 2],
    [F.bround(lit(3.5).cast('DOUBLE')), 4],
  ],
  rint: [
    [F.rint('h'), 2],
    [F.rint('d'), -2],
  ],
  signum: [
    [F.signum('d'), -1],
    [F.signum('zero'), 0],
  ],
  sign: [[F.sign('h'), 1]],
  negate: [[F.negate('d'), 2.5]],
  factorial: [
    [F.factorial(lit(5)), 120],
    [F.factorial(lit(21)), null],
    [F.factorial(lit(-1)), null],
  ],
  pmod: [
    [F.pmod(lit(-7), 3), 2],
    [F.pmod('n', 0), null],
  ],
  bitwiseNot: [[F.bitwiseNot('zero'), -1]],
  e: [[F.e(), Math.E]],
  pi: [[F.pi(), Math.PI]],

  explode: [],
  array: [[F.array('n', 'zero'), [13, 0]]],
  size: [
    [F.size('xs'), 4],
    [F.size('xs0'), null],
    [F.size('none'), 0],
  ],
  arraySize: [[F.arraySize('ys'), 3]],
  arrayMin: [
    [F.arrayMin('xs'), 1],
    [F.arrayMin('none'), null],
  ],
  arrayMax: [[F.arrayMax('xs'), 2]],
  mapKeys: [[F.mapKeys('m'), ['k', 'l']]],
  mapValues: [[F.mapValues('m'), [1, null]]],
  mapEntries: [
    [
      F.mapEntries('m'),
      [
        { key: 'k', value: 1 },
        { key: 'l', value: null },
      ],
    ],
  ],
  struct: [[F.struct('n', col('s').as('text')), { n: 13, text: 'Hello World' }]],
  createMap: [
    [
      F.createMap(lit('a'), 'n', lit('b'), 'zero'),
      [
        { key: 'a', value: 13 },
        { key: 'b', value: 0 },
      ],
    ],
  ],
  mapFromArrays: [
    [
      F.mapFromArrays('ab', 'ab'),
      [
        { key: 1, value: 1 },
        { key: 2, value: 2 },
      ],
    ],
  ],
  mapContainsKey: [
    [F.mapContainsKey('m', 'l'), true],
    [F.mapContainsKey('m', 'x'), false],
  ],
  arrayContains: [
    [F.arrayContains('xs', 1), true],
    [F.arrayContains('xs', 9), null],
    [F.arrayContains('ys', 9), false],
    [F.arrayContains('ys', lit(null)), null],
    [F.arrayContains('xs0', 1), null],
    [F.arrayContains('none', 1), false],
  ],
  arrayPosition: [
    [F.arrayPosition('xs', 1), 2],
    [F.arrayPosition('xs', 9), 0],
    [F.arrayPosition('xs0', 1), null],
    [F.arrayPosition('xs', lit(null)), null],
  ],
  elementAt: [
    [F.elementAt('ys', 1), 3],
    [F.elementAt('ys', -1), 2],
    [F.elementAt('ys', 9), null],
    [F.elementAt('m', 'k'), 1],
    [F.elementAt('m', 'x'), null],
  ],
  get: [
    [F.get('ys', 0), 3],
    [F.get('ys', -1), null],
    [F.get('ys', 3), null],
  ],
  slice: [
    [F.slice('ys', 2, 2), [1, 2]],
    [F.slice('ys', -2, 2), [1, 2]],
    [F.slice('ys', -3, 2), [3, 1]],
    [F.slice('ys', 2, 0), []],
    [F.slice('ys', 9, 1), []],
    [F.slice('xs0', 1, 1), null],
  ],
  arrayDistinct: [
    [F.arrayDistinct('xs'), [2, 1, null]],
    [F.arrayDistinct('xs0'), null],
  ],
  arrayRemove: [
    [F.arrayRemove('xs', 2), [1, null]],
    [F.arrayRemove('xs', lit(null)), null],
    [F.arrayRemove('xs0', 1), null],
  ],
  arrayAppend: [
    [F.arrayAppend('ab', 9), [1, 2, 9]],
    [F.arrayAppend('ab', lit(null)), [1, 2, null]],
    [F.arrayAppend('xs0', 1), null],
  ],
  arrayPrepend: [[F.arrayPrepend('ab', 9), [9, 1, 2]]],
  arrayJoin: [
    [F.arrayJoin('xs', '-'), '2-1-2'],
    [F.arrayJoin(F.split('csv', ','), '-', '?'), 'a-b--'],
    [F.arrayJoin(F.array(lit('a'), 's0'), '-', '?'), 'a-?'],
    [F.arrayJoin('xs0', '-'), null],
  ],
  arraySort: [[F.arraySort('xs'), [1, 2, 2, null]]],
  sortArray: [
    [F.sortArray('xs'), [null, 1, 2, 2]],
    [F.sortArray('xs', false), [2, 2, 1, null]],
  ],
  arrayRepeat: [
    [F.arrayRepeat('n', 2), [13, 13]],
    [F.arrayRepeat('n0', 2), [null, null]],
    [F.arrayRepeat('n', -1), []],
  ],
  sequence: [
    [F.sequence(lit(1), lit(3)), [1, 2, 3]],
    [F.sequence(lit(3), lit(1)), [3, 2, 1]],
    [F.sequence(lit(1), lit(5), lit(2)), [1, 3, 5]],
    [F.sequence('n0', lit(1)), null],
  ],
  flatten: [
    [F.flatten('deep'), [1, 2, 3]],
    [F.flatten('holed'), null],
  ],
  transform: [
    [F.transform('ys', (x) => x.plus(col('n'))), [16, 14, 15]],
    [F.transform('deep', (x) => F.transform(x, (y) => y.plus(F.size(x)))), [[2], [4, 5]]],
    [F.transform('xs0', (x) => x), null],
  ],
  filter: [[F.filter('xs', (x) => x.gt(1)), [2, 2]]],
  exists: [
    [F.exists('xs', (x) => x.gt(1)), true],
    [F.exists('xs', (x) => x.gt(9)), null],
    [F.exists('ys', (x) => x.gt(9)), false],
    [F.exists('xs0', (x) => x.gt(9)), null],
  ],
  zipWith: [
    [F.zipWith('ys', 'ab', (a, b) => a.plus(F.coalesce(b, lit(10)))), [4, 3, 12]],
    [F.zipWith('ys', 'xs0', (a) => a), null],
    [F.zipWith('none', 'none', (a) => a), []],
  ],
  aggregate: [
    [F.aggregate('ys', 0, (sofar, y) => sofar.plus(y)), 6],
    [F.aggregate('xs', 0, (sofar, x) => sofar.plus(F.coalesce(x, lit(100)))), 105],
    [
      F.aggregate(
        'ys',
        lit(0.5).cast('DOUBLE'),
        (sofar, y) => sofar.plus(y),
        (sofar) => sofar.multiply(2),
      ),
      13,
    ],
    [F.aggregate('deep', 0, (n, ys) => n.plus(F.aggregate(ys, 0, (m, y) => m.plus(y)))), 6],
    [F.aggregate(F.split('csv', ','), '', (sofar, part) => F.concat(part, sofar)), 'ba'],
    [F.aggregate('none', 7, (sofar, y) => sofar.plus(y)), 7],
    [F.aggregate('xs0', 7, (sofar, y) => sofar.plus(y)), null],
  ],
  mapFilter: [[F.mapFilter('m', (_, value) => value.isNull()), [{ key: 'l', value: null }]]],
  transformKeys: [
    [
      F.transformKeys('m', (key) => F.upper(key)),
      [
        { key: 'K', value: 1 },
        { key: 'L', value: null },
      ],
    ],
  ],
  transformValues: [
    [
      F.transformValues('m', (key, value) => F.concat(key, F.coalesce(value, lit(0)).cast('VARCHAR'))),
      [
        { key: 'k', value: 'k1' },
        { key: 'l', value: 'l0' },
      ],
    ],
  ],
  forall: [
    [F.forall('ys', (x) => x.gt(0)), true],
    [F.forall('xs', (x) => x.gt(0)), null],
    [F.forall('xs', (x) => x.gt(1)), false],
    [F.forall('none', (x) => x.gt(1)), true],
  ],

  arrayUnion: [
    [F.arrayUnion('xs', 'ys'), [2, 1, null, 3]],
    [F.arrayUnion('xs', 'xs0'), null],
  ],
  arrayIntersect: [
    [F.arrayIntersect('xs', 'ys'), [2, 1]],
    [F.arrayIntersect('xs', F.array(lit(null), lit(5))), [null]],
    [F.arrayIntersect('xs0', 'ys'), null],
  ],
  arrayExcept: [
    [F.arrayExcept('ys', 'xs'), [3]],
    [F.arrayExcept('xs', 'ys'), [null]],
    [F.arrayExcept('xs', 'none'), [2, 1, null]],
    [F.arrayExcept('ys', 'xs0'), null],
  ],
  arraysOverlap: [
    [F.arraysOverlap('xs', 'ys'), true],
    [F.arraysOverlap('xs', F.array(lit(7))), null],
    [F.arraysOverlap('ys', F.array(lit(7))), false],
    [F.arraysOverlap('xs', 'none'), false],
    [F.arraysOverlap('xs', 'xs0'), null],
  ],
  arrayCompact: [
    [F.arrayCompact('xs'), [2, 1, 2]],
    [F.arrayCompact('xs0'), null],
  ],
  arraysZip: [
    [
      F.arraysZip('ys', 'ab'),
      [
        { ys: 3, ab: 1 },
        { ys: 1, ab: 2 },
        { ys: 2, ab: null },
      ],
    ],
    [F.arraysZip('ys', 'xs0'), null],
  ],
  mapFromEntries: [
    [
      F.mapFromEntries(F.mapEntries('m')),
      [
        { key: 'k', value: 1 },
        { key: 'l', value: null },
      ],
    ],
  ],
  monthsBetween: [
    // From Spark's documentation.
    [
      F.monthsBetween(lit('1997-02-28 10:30:00').cast('TIMESTAMP'), lit('1996-10-30').cast('TIMESTAMP')),
      3.94959677,
    ],
    [
      F.monthsBetween(
        lit('1997-02-28 10:30:00').cast('TIMESTAMP'),
        lit('1996-10-30').cast('TIMESTAMP'),
        false,
      ),
      3.9495967741935485,
    ],
    [F.monthsBetween('day_1', lit('2025-11-30').cast('DATE')), 2],
    [F.monthsBetween('t', lit('2024-01-29').cast('DATE')), 1],
    [F.monthsBetween('t0', 't'), null],
  ],
  dateFromUnixDate: [[F.dateFromUnixDate(lit(1)), '1970-01-02T00:00:00.000Z']],
  dayname: [[F.dayname('t'), 'Thu']],
  monthname: [[F.monthname('t'), 'Feb']],
  makeTimestamp: [
    [F.makeTimestamp(lit(2014), lit(12), lit(28), lit(6), lit(30), lit(45.887)), '2014-12-28T06:30:45.887Z'],
    [F.makeTimestamp(lit(2014), lit(13), lit(28), lit(6), lit(30), lit(0)), null],
  ],
  toJson: [
    [F.toJson(F.struct('n', 'n0', 's')), '{"n":13,"s":"Hello World"}'],
    [F.toJson(F.struct(F.struct('n0', 'yes').as('in'))), '{"in":{"yes":true}}'],
    [F.toJson('xs'), '[2,1,null,2]'],
    [F.toJson('xs0'), null],
  ],

  getJsonObject: [
    [F.getJsonObject('j', '$.a.b[1]'), 'x'],
    [F.getJsonObject('j', '$.a'), '{"b":[1,"x"]}'],
    [F.getJsonObject('j', '$.n'), null],
    [F.getJsonObject('bad', '$.a'), null],
    [F.getJsonObject('s0', '$.a'), null],
  ],
  fromJson: [[F.fromJson('j', 'a STRUCT<b: ARRAY<STRING>>, n INT'), { a: { b: ['1', 'x'] }, n: null }]],
  schemaOfJson: [[F.schemaOfJson(lit('{"a": 1}')), '{"a":"UBIGINT"}']],
  jsonArrayLength: [
    [F.jsonArrayLength('ja'), 2],
    [F.jsonArrayLength('j'), null],
    [F.jsonArrayLength('bad'), null],
  ],
  jsonObjectKeys: [
    [F.jsonObjectKeys('j'), ['a', 'n']],
    [F.jsonObjectKeys('ja'), null],
    [F.jsonObjectKeys('bad'), null],
  ],
}

const ROWS = `SELECT * FROM (VALUES (1, 1.0::DOUBLE, 'b', true), (2, 2.0, 'a', NULL), (2, 4.0, NULL, false), (NULL, 9.0, 'b', true)) AS t(n, x, s, b)`

/** Over four rows, and over none. */
const AGGREGATES: Readonly<Record<string, readonly (readonly [Column, unknown, unknown])[]>> = {
  count: [
    [F.count(), 4, 0],
    [F.count('n'), 3, 0],
  ],
  sum: [[F.sum('n'), 5, null]],
  avg: [[F.avg('x'), 4, null]],
  mean: [[F.mean('x'), 4, null]],
  min: [[F.min('s'), 'a', null]],
  max: [[F.max('n'), 2, null]],
  countDistinct: [
    [F.countDistinct('n'), 2, 0],
    [F.countDistinct('n', 's'), 2, 0],
  ],
  sumDistinct: [[F.sumDistinct('n'), 3, null]],
  approxCountDistinct: [[F.approxCountDistinct('n'), 2, 0]],
  anyValue: [[F.anyValue('n').isNotNull(), true, false]],
  first: [
    [F.first('n'), 1, null],
    [F.first('s', true).isNotNull(), true, false],
  ],
  last: [
    [F.last('n'), null, null],
    [F.last('n', true), 2, null],
  ],
  collectList: [[F.sortArray(F.collectList('s')), ['a', 'b', 'b'], []]],
  collectSet: [[F.sortArray(F.collectSet('s')), ['a', 'b'], []]],
  stddevSamp: [[F.round(F.stddevSamp('x'), 4), 3.559, null]],
  stddev: [[F.round(F.stddev('x'), 4), 3.559, null]],
  stddevPop: [[F.round(F.stddevPop('x'), 4), 3.0822, null]],
  varSamp: [[F.round(F.varSamp('x'), 4), 12.6667, null]],
  variance: [[F.round(F.variance('x'), 4), 12.6667, null]],
  varPop: [[F.round(F.varPop('x'), 4), 9.5, null]],
  kurtosis: [[F.round(F.kurtosis('x'), 4), -1, null]],
  corr: [[F.round(F.corr('n', 'x'), 4), 0.7559, null]],
  covarPop: [[F.round(F.covarPop('n', 'x'), 4), 0.4444, null]],
  covarSamp: [[F.round(F.covarSamp('n', 'x'), 4), 0.6667, null]],
  median: [[F.median('x'), 3, null]],
  product: [[F.product('n'), 4, null]],
  bitAnd: [[F.bitAnd('n'), 0, null]],
  bitOr: [[F.bitOr('n'), 3, null]],
  bitXor: [[F.bitXor('n'), 1, null]],
  boolAnd: [[F.boolAnd('b'), false, null]],
  every: [[F.every(col('x').gt(0)), true, null]],
  boolOr: [[F.boolOr('b'), true, null]],
  some: [[F.some(col('x').gt(9)), false, null]],
  countIf: [[F.countIf('b'), 2, 0]],
  maxBy: [[F.maxBy('n', 's'), 1, null]],
  minBy: [[F.minBy('x', 's'), 2, null]],
  percentile: [[F.percentile('x', 0.5), 3, null]],
  percentileApprox: [[F.percentileApprox('x', 0.5), 2, null]],
  stringAgg: [[F.length(F.stringAgg('s', ', ')), 7, null]],
  mode: [[F.mode('s'), 'b', null]],
  regrCount: [[F.regrCount('x', 'n'), 3, 0]],
  regrAvgx: [[F.round(F.regrAvgx('x', 'n'), 4), 1.6667, null]],
  regrAvgy: [[F.round(F.regrAvgy('x', 'n'), 4), 2.3333, null]],
  regrSlope: [[F.regrSlope('x', 'n'), 2, null]],
  regrIntercept: [[F.round(F.regrIntercept('x', 'n'), 4), -1, null]],
  regrR2: [[F.round(F.regrR2('x', 'n'), 4), 0.5714, null]],
  grouping: [],
}

/** Those that stand for what other tests show: windows, `unnest`, types. */
const ELSEWHERE = ['window', 'sessionWindow', 'windowTime', 'tumble', 'hop', 'posexplode', 'explodeOuter']
const NOT_OF_SPARK = ['tumble', 'hop']

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (value instanceof Date) return value.toISOString()
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value === 'number') return Number.isNaN(value) ? 'NaN' : value
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]))
}

describe('the catalogue of functions', () => {
  let session: Session
  before(async () => {
    session = await Session.create({ log: silentLogger })
  })
  after(() => session.close())

  test('gives what Spark gives, NULL included, for every one of them', async () => {
    const cases = Object.entries(VALUES).flatMap(([name, each]) =>
      each.map(([column, expected]) => ({ name, column, expected })),
    )
    const [row] = await session
      .sql(ROW)
      .select(...cases.map(({ column }, index) => column.as(`c${index}`)))
      .collect()
    const wrong = cases.flatMap(({ name, column, expected }, index) => {
      const got = plain(row?.[`c${index}`])
      return JSON.stringify(got) === JSON.stringify(expected)
        ? []
        : [{ name, sql: column.sql, got, expected }]
    })
    assert.deepEqual(wrong, [])
  })

  test('aggregates as Spark does, over rows and over none', async () => {
    const cases = Object.entries(AGGREGATES).flatMap(([name, each]) =>
      each.map((one) => ({ name, column: one[0], expected: one.slice(1) })),
    )
    const columns = cases.map(({ column }, index) => column.as(`c${index}`))
    const [some] = await session
      .sql(ROWS)
      .agg(...columns)
      .collect()
    const [none] = await session
      .sql(`${ROWS} WHERE false`)
      .agg(...columns)
      .collect()
    const wrong = cases.flatMap(({ name, expected }, index) => {
      const got = [some, none].map((row) => plain(row?.[`c${index}`]))
      return JSON.stringify(got) === JSON.stringify(expected) ? [] : [{ name, got, expected }]
    })
    assert.deepEqual(wrong, [])
  })

  test('runs over a stream', async () => {
    const stream = new MemoryStream({ s: 'VARCHAR', xs: 'INTEGER[]' })
    stream.add({ s: 'b a', xs: [3, null] }, { s: null, xs: null })
    const query = await session.readStream
      .format(stream)
      .load()
      .select(
        F.initcap('s').as('i'),
        F.transform('xs', (x) => F.coalesce(x, lit(0))).as('t'),
        F.explode(F.split(F.coalesce('s', lit('x y')), ' ')).as('w'),
        F.posexplode(F.array(lit(1))),
      )
      .groupBy('w')
      .agg(F.collectSet('i').as('i'), F.max(F.size('t')).as('n'))
      .writeStream.outputMode('complete')
      .format('memory')
      .queryName('catalogue')
      .trigger({ availableNow: true })
      .start()
    await query.awaitTermination()
    assert.deepEqual(plain(await session.sql('SELECT * FROM catalogue ORDER BY w').collect()), [
      { w: 'a', i: ['B A'], n: 2 },
      { w: 'b', i: ['B A'], n: 2 },
      { w: 'x', i: [], n: null },
      { w: 'y', i: [], n: null },
    ])
  })

  test('keeps the names of its lambdas apart from those of columns', async () => {
    const named = session.sql('SELECT [3, 1, 3] AS x, 1 AS item, [1] AS i, 3 AS sofar')
    const [row] = await named
      .select(
        F.arrayDistinct('x').as('a'),
        F.arrayRemove('x', col('item')).as('b'),
        F.arrayExcept('x', 'i').as('c'),
        F.transform('x', (x) => x.plus(col('item'))).as('d'),
        F.aggregate('x', 0, (sofar, x) => sofar.plus(x).plus(col('sofar'))).as('e'),
        F.zipWith('x', 'i', (x, i) => F.coalesce(x, i).plus(col('item'))).as('f'),
      )
      .collect()
    assert.deepEqual(plain(row), { a: [3, 1], b: [3, 3], c: [3], d: [4, 2, 4], e: 16, f: [4, 2, 4] })
  })

  test('makes rows of lists, with their places, or one where there are none', async () => {
    const lists = session.sql("SELECT * FROM (VALUES (1, ['a', 'b']), (2, []), (3, NULL)) t(k, xs)")
    assert.deepEqual(plain(await lists.select('k', F.posexplode('xs')).orderBy('k', 'pos').collect()), [
      { k: 1, pos: 0, col: 'a' },
      { k: 1, pos: 1, col: 'b' },
    ])
    assert.deepEqual(
      plain(await lists.select('k', F.explodeOuter('xs').as('x')).orderBy('k', 'x').collect()),
      [
        { k: 1, x: 'a' },
        { k: 1, x: 'b' },
        { k: 2, x: null },
        { k: 3, x: null },
      ],
    )
  })

  test('changes a field of a struct, or adds one', async () => {
    const [row] = await session
      .sql('SELECT {a: 1, b: 2} AS s, NULL::STRUCT(a INTEGER) AS s0')
      .select(
        col('s').withField('b', lit('x')).withField('c d', col('s').getField('a')).as('s'),
        col('s0').withField('a', 5).as('s0'),
      )
      .collect()
    assert.deepEqual(plain(row), { s: { a: 1, b: 'x', 'c d': 1 }, s0: null })
  })

  test('refuses what DuckDB has no equal for', () => {
    for (const call of [
      () => F.sha2('s', 512 as never),
      () => F.dateTrunc('era', 't'),
      () => F.nextDay('t', 'xx'),
      () => F.dateFormat('t', 'yyyy-MM-dd XXX'),
      () => F.dateFormat('t', 'yyyy-QQ'),
    ])
      assert.throws(call, { code: 'OPTION_INVALID' })
  })

  test('is all of it tested, and all of it in docs/functions.md', () => {
    const names = Object.keys(F)
    assert.deepEqual([...Object.keys(VALUES), ...Object.keys(AGGREGATES), ...ELSEWHERE].sort(), names.sort())
    const folder = join(import.meta.dirname, '..', '..')
    const families = [
      'column-name',
      'conditional',
      'text',
      'time',
      'math',
      'collection',
      'higher-order',
      'json',
      'aggregate',
    ]
    const tables = families.map((family) => {
      const source = readFileSync(join(folder, 'src/api/functions', `${family}.ts`), 'utf8')
      const found = [...source.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\nexport (?:const|function) (\w+)/g)]
      const rows = found.flatMap(([, doc = '', name = '']) => {
        if (!names.includes(name)) return []
        const text = doc
          .replace(/\n\s*\*/g, '\n')
          .split(/\n\s*\n|\n\s*@/)[0]!
          .replace(/\s+/g, ' ')
          .replace(/ SQL: `.*$/, '')
          .trim()
        const spark = NOT_OF_SPARK.includes(name)
          ? ''
          : `\`${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}\``
        return [`| \`${name}\` | ${spark} | ${text.replaceAll('|', '\\|')} |`]
      })
      return `## ${family === 'column-name' ? 'columns' : family}\n\n| function | Spark | what |\n| --- | --- | --- |\n${rows.join('\n')}\n`
    })
    const listed = tables.join('\n').match(/^\| `\w+` \| /gm) ?? []
    assert.equal(listed.length, names.length - 1, 'all but the class of CASE')
    const path = join(folder, 'docs', 'functions.md')
    const text = readFileSync(path, 'utf8')
    const expected = text.replace(
      /<!-- functions -->[\s\S]*<!-- end -->/,
      () => `<!-- functions -->\n${tables.join('\n')}<!-- end -->`,
    )
    if (process.env['SLUICE_UPDATE']) writeFileSync(path, expected)
    assert.equal(readFileSync(path, 'utf8'), expected)
  })
})
