import type { Schema } from '../batch.ts'
import { quoted } from '../duckdb.ts'
import { SluiceError } from '../errors.ts'
import { INPUT, OTHER } from '../plan/draft.ts'
import type { Column } from './column.ts'

/** The verbs of a DataFrame that have to know its columns, as SQL over `input`. */

const has = (columns: Schema, name: string): boolean =>
  columns.some((each) => each.name.toLowerCase() === name.toLowerCase())

export function withColumnsSql(columns: Schema, added: Readonly<Record<string, Column>>): string {
  const items = Object.entries(added).map(([name, { sql }]) => {
    const old = columns.find((field) => field.name.toLowerCase() === name.toLowerCase())
    return { isOld: old !== undefined, item: `${sql} AS ${quoted(old?.name ?? name)}` }
  })
  const replaced = items.filter(({ isOld }) => isOld).map(({ item }) => item)
  const star = replaced.length > 0 ? `* REPLACE (${replaced.join(', ')})` : '*'
  const others = items.filter(({ isOld }) => !isOld).map(({ item }) => item)
  return `SELECT ${[star, ...others].join(', ')} FROM ${INPUT}`
}

export function renamedSql(columns: Schema, renamed: Readonly<Record<string, string>>): string {
  const targets = new Map(Object.entries(renamed).map(([from, to]) => [from.toLowerCase(), to]))
  const items = columns.map(({ name }) => {
    const to = targets.get(name.toLowerCase())
    return to === undefined ? quoted(name) : `${quoted(name)} AS ${quoted(to)}`
  })
  return `SELECT ${items.join(', ')} FROM ${INPUT}`
}

/** @throws SQL_INVALID */
export function allRenamedSql(columns: Schema, names: readonly string[]): string {
  if (columns.length !== names.length) {
    const reason = `toDF has ${names.length} names for ${columns.length} columns`
    throw new SluiceError('SQL_INVALID', { reason })
  }
  const items = columns.map(({ name }, index) => `${quoted(name)} AS ${quoted(names[index] as string)}`)
  return `SELECT ${items.join(', ')} FROM ${INPUT}`
}

export function withoutSql(columns: Schema, names: readonly string[]): string {
  const gone = columns.filter(({ name }) => names.some((each) => each.toLowerCase() === name.toLowerCase()))
  const exclude = gone.length > 0 ? ` EXCLUDE (${gone.map(({ name }) => quoted(name)).join(', ')})` : ''
  return `SELECT *${exclude} FROM ${INPUT}`
}

/** @throws SQL_INVALID for a column that one side lacks, unless it may be NULL there */
export function unionByNameSql(left: Schema, right: Schema, allowMissingColumns: boolean): string {
  const added = right.filter(({ name }) => !has(left, name))
  const [unknown] = [...left.filter(({ name }) => !has(right, name)), ...added]
  if (unknown && !allowMissingColumns) {
    const reason = `unionByName: only one side has the column '${unknown.name}'`
    throw new SluiceError('SQL_INVALID', { reason })
  }
  const items = (side: Schema) =>
    [...left, ...added]
      .map(({ name }) => (has(side, name) ? quoted(name) : `NULL AS ${quoted(name)}`))
      .join(', ')
  return `SELECT ${items(left)} FROM ${INPUT} UNION ALL SELECT ${items(right)} FROM ${OTHER}`
}
