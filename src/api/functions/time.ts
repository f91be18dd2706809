import { literal } from '../../duckdb.ts'
import { SluiceError } from '../../errors.ts'
import { strptimePatterns } from '../../plan/payload/time-format.ts'
import { Column, type Operand, sqlOf } from '../column.ts'
import { type ColumnOrName, callFunction, columnOf, sqlFor, unary } from './column-name.ts'

/**
 * Event-time windows: tumbling, or hopping when a slide is given. Each is a struct with fields `start` and `end`, the
 * end not included. In `groupBy` the column is called `window`.
 *
 * SQL: `"window"("at", '10 minutes', '5 minutes')`
 *
 * @param start shifts all windows by so much from the epoch
 */
export function window(column: ColumnOrName, size: string, slide?: string, start?: string): Column {
  const parts = [columnOf(column), size, slide ?? (start === undefined ? undefined : size), start]
  return callFunction('window', ...parts.filter((part) => part !== undefined))
}

/** Windows of one length, side by side; as `window` without a slide. SQL: `tumble("at", '10 minutes')` */
export function tumble(column: ColumnOrName, size: string, start?: string): Column {
  return callFunction('tumble', columnOf(column), size, ...(start === undefined ? [] : [start]))
}

/** Windows of which one begins every slide, in Flink's order of arguments. SQL: `hop("at", '5 minutes', '10 minutes')` */
export function hop(column: ColumnOrName, slide: string, size: string, start?: string): Column {
  return callFunction('hop', columnOf(column), slide, size, ...(start === undefined ? [] : [start]))
}

/**
 * Sessions: rows of the same other keys, each less than or just a gap after the one before. In `groupBy` the column is
 * called `session_window`. SQL: `session_window("at", '5 minutes')`
 */
export function sessionWindow(column: ColumnOrName, gap: string): Column {
  return callFunction('session_window', columnOf(column), gap)
}

/** The last moment of a window, for windows of windows. SQL: `window_time("w")` */
export const windowTime = unary('window_time')

/** The time of the running micro-batch, the same for all its rows and again when it is replayed. SQL: `now()` */
export function currentTimestamp(): Column {
  return new Column('now()')
}

/** The date, in UTC, of the running micro-batch. */
export function currentDate(): Column {
  return new Column('CAST(now() AS DATE)')
}

const asDate = (column: ColumnOrName): string => `CAST(${sqlFor(column)} AS DATE)`
const asTime = (column: ColumnOrName): string => `CAST(${sqlFor(column)} AS TIMESTAMP)`
const part = (name: string) => (column: ColumnOrName) => new Column(`${name}(${asTime(column)})`)

/** The year. */
export const year = part('year')
/** The quarter, 1 to 4. */
export const quarter = part('quarter')
/** The month, 1 to 12. */
export const month = part('month')
/** The day of the month. */
export const dayofmonth = part('day')
/** The same as `dayofmonth`. */
export const day = dayofmonth
/** The day of the year, from 1. */
export const dayofyear = part('dayofyear')
/** The week of the year by ISO 8601. */
export const weekofyear = part('weekofyear')
/** The hour. */
export const hour = part('hour')
/** The minute. */
export const minute = part('minute')
/** The whole second. */
export const second = part('second')
/** The last day of the month. */
export const lastDay = (column: ColumnOrName): Column => new Column(`last_day(${asDate(column)})`)
/** The day of the week, 1 for Sunday to 7 for Saturday. */
export const dayofweek = (column: ColumnOrName): Column => new Column(`(dayofweek(${asTime(column)}) + 1)`)
/** The day of the week, 0 for Monday to 6 for Sunday. */
export const weekday = (column: ColumnOrName): Column => new Column(`(isodow(${asTime(column)}) - 1)`)

/** So many days later, as a date. */
export function dateAdd(column: ColumnOrName, days: Operand): Column {
  return new Column(`(${asDate(column)} + CAST(${sqlOf(days)} AS INTEGER))`)
}

/** So many days earlier, as a date. */
export function dateSub(column: ColumnOrName, days: Operand): Column {
  return new Column(`(${asDate(column)} - CAST(${sqlOf(days)} AS INTEGER))`)
}

/** Days from `start` to `end`; negative where end is earlier. */
export function dateDiff(end: ColumnOrName, start: ColumnOrName): Column {
  return new Column(`date_diff('day', ${asDate(start)}, ${asDate(end)})`)
}

/** The same as `dateDiff`. */
export const datediff = dateDiff

/** So many months later, as a date; the last day of a shorter month. */
export function addMonths(column: ColumnOrName, months: Operand): Column {
  return new Column(`CAST(${asDate(column)} + to_months(CAST(${sqlOf(months)} AS INTEGER)) AS DATE)`)
}

/**
 * Months from the second time to the first, with days as 31sts of one, to eight digits unless told not to round; whole
 * where both are the same day of a month, or its last.
 */
export function monthsBetween(end: ColumnOrName, start: ColumnOrName, roundOff = true): Column {
  const [a, b] = [asTime(end), asTime(start)]
  const months = `(datepart('year', ${a}) - datepart('year', ${b})) * 12 + datepart('month', ${a}) - datepart('month', ${b})`
  const seconds = (time: string) => `epoch(${time} - date_trunc('month', ${time}))`
  const isLast = (time: string) => `CAST(${time} AS DATE) = last_day(CAST(${time} AS DATE))`
  const areEven = `datepart('day', ${a}) = datepart('day', ${b}) OR (${isLast(a)} AND ${isLast(b)})`
  const exact = `${months} + (${seconds(a)} - ${seconds(b)}) / 2678400.0::DOUBLE`
  return new Column(
    `CASE WHEN ${areEven} THEN CAST(${months} AS DOUBLE) ELSE ${roundOff ? `round(${exact}, 8)` : exact} END`,
  )
}

/** The date so many days after 1970-01-01. */
export const dateFromUnixDate = (days: ColumnOrName): Column =>
  new Column(`(DATE '1970-01-01' + CAST(${sqlFor(days)} AS INTEGER))`)
/** The day of the week in three letters: `Mon`. */
export const dayname = (column: ColumnOrName): Column => new Column(`strftime(${asTime(column)}, '%a')`)
/** The month in three letters: `Jan`. */
export const monthname = (column: ColumnOrName): Column => new Column(`strftime(${asTime(column)}, '%b')`)

/** A TIMESTAMP of its parts, seconds with a fraction; NULL where there is no such time. */
export function makeTimestamp(
  ...parts: readonly [
    year: ColumnOrName,
    month: ColumnOrName,
    day: ColumnOrName,
    hour: ColumnOrName,
    minute: ColumnOrName,
    second: ColumnOrName,
  ]
): Column {
  return new Column(`TRY(make_timestamp(${parts.map(sqlFor).join(', ')}))`)
}

const WEEKDAYS = ['mo', 'tu', 'we', 'th', 'fr', 'sa', 'su']

/** The next day of that name after the date: `Mon`, `Tuesday`, … */
export function nextDay(column: ColumnOrName, name: string): Column {
  const index = WEEKDAYS.indexOf(name.slice(0, 2).toLowerCase())
  if (index < 0) throw invalid('nextDay', 'name', name, 'a day of the week such as Mon')
  const date = asDate(column)
  return new Column(`(${date} + CAST((${index + 7} - isodow(${date})) % 7 + 1 AS INTEGER))`)
}

const UNITS: Readonly<Record<string, string>> = {
  ...{ yyyy: 'year', yy: 'year', mon: 'month', mm: 'month', dd: 'day' },
  ...Object.fromEntries(
    ['year', 'quarter', 'month', 'week', 'day', 'hour', 'minute', 'second', 'millisecond', 'microsecond'].map(
      (unit) => [unit, unit],
    ),
  ),
}

function unitOf(call: string, text: string): string {
  const unit = UNITS[text.toLowerCase()]
  if (unit === undefined) throw invalid(call, 'unit', text, `one of ${Object.keys(UNITS).join(', ')}`)
  return literal(unit)
}

/** The beginning of the unit that a time is in; the unit comes first, as in Spark and DuckDB. SQL: `date_trunc('hour', CAST("at" AS TIMESTAMP))` */
export function dateTrunc(unit: string, column: ColumnOrName): Column {
  return new Column(`date_trunc(${unitOf('dateTrunc', unit)}, ${asTime(column)})`)
}

/** The date on which the year, quarter, month or week of a date begins; the unit comes last. */
export function trunc(column: ColumnOrName, unit: string): Column {
  return new Column(`CAST(date_trunc(${unitOf('trunc', unit)}, ${asDate(column)}) AS DATE)`)
}

/** A time as text, by a pattern of Java's such as `yyyy-MM-dd HH:mm`, or of strftime. */
export function dateFormat(column: ColumnOrName, pattern: string): Column {
  return new Column(`strftime(${asTime(column)}, ${writing('dateFormat', pattern)})`)
}

/** A text as a date, by ISO 8601 or a pattern; NULL where it is none. */
export function toDate(column: ColumnOrName, pattern?: string): Column {
  if (pattern === undefined) return new Column(`TRY_CAST(${sqlFor(column)} AS DATE)`)
  return new Column(`CAST(${parsed('toDate', column, pattern)} AS DATE)`)
}

/** A text as a TIMESTAMP, by ISO 8601 or a pattern; NULL where it is none. */
export function toTimestamp(column: ColumnOrName, pattern?: string): Column {
  if (pattern === undefined) return new Column(`TRY_CAST(${sqlFor(column)} AS TIMESTAMP)`)
  return new Column(parsed('toTimestamp', column, pattern))
}

/** Whole seconds since 1970 of a TIMESTAMP, or of a text by a pattern. */
export function unixTimestamp(column: ColumnOrName, pattern?: string): Column {
  const time = pattern === undefined ? asTime(column) : parsed('unixTimestamp', column, pattern)
  return new Column(`CAST(floor(epoch_us(${time}) / 1000000) AS BIGINT)`)
}

/** Seconds since 1970 as text, by a pattern. */
export function fromUnixtime(column: ColumnOrName, pattern = 'yyyy-MM-dd HH:mm:ss'): Column {
  return new Column(
    `strftime(make_timestamp(${sqlFor(column)} * 1000000), ${writing('fromUnixtime', pattern)})`,
  )
}

const since1970 = (factor: string) => (column: ColumnOrName) =>
  new Column(`make_timestamp(CAST(${sqlFor(column)} * ${factor} AS BIGINT))`)

/** Seconds since 1970 as a TIMESTAMP. */
export const timestampSeconds = since1970('1000000')
/** Milliseconds since 1970 as a TIMESTAMP. */
export const timestampMillis = since1970('1000')
/** Microseconds since 1970 as a TIMESTAMP. */
export const timestampMicros = since1970('1')
/** Whole seconds since 1970. */
export const unixSeconds = (column: ColumnOrName): Column => unixTimestamp(column)
/** Milliseconds since 1970. */
export const unixMillis = (column: ColumnOrName): Column => new Column(`epoch_ms(${asTime(column)})`)
/** Microseconds since 1970. */
export const unixMicros = (column: ColumnOrName): Column => new Column(`epoch_us(${asTime(column)})`)
/** Days since 1970. */
export const unixDate = (column: ColumnOrName): Column =>
  new Column(`date_diff('day', DATE '1970-01-01', ${asDate(column)})`)

/** A date of its parts; NULL where there is no such day. */
export function makeDate(years: ColumnOrName, months: ColumnOrName, days: ColumnOrName): Column {
  return new Column(`TRY(make_date(${[years, months, days].map(sqlFor).join(', ')}))`)
}

/** A time in UTC as the clocks of a zone show it. */
export function fromUtcTimestamp(column: ColumnOrName, zone: string): Column {
  return new Column(`timezone(${literal(zone)}, timezone('UTC', ${asTime(column)}))`)
}

/** What the clocks of a zone show as a time in UTC. */
export function toUtcTimestamp(column: ColumnOrName, zone: string): Column {
  return new Column(`timezone('UTC', timezone(${literal(zone)}, ${asTime(column)}))`)
}

function parsed(call: string, column: ColumnOrName, pattern: string): string {
  const patterns = strptimePatterns(call, 'pattern', pattern).map(literal).join(', ')
  return `try_strptime(${sqlFor(column)}, [${patterns}])`
}

/** Patterns with an offset are for reading: a TIMESTAMP has none. */
function writing(call: string, pattern: string): string {
  const [first = '', ...others] = strptimePatterns(call, 'pattern', pattern)
  if (others.length === 0 && !/%[zZ]/.test(first)) return literal(first)
  throw invalid(call, 'pattern', pattern, 'a pattern without a time zone')
}

function invalid(owner: string, option: string, value: string, expected: string): SluiceError {
  return new SluiceError('OPTION_INVALID', { owner, option, value, expected })
}
