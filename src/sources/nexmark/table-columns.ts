import type { Data } from 'apache-arrow'

/** The columns of one table while they grow. */
export interface TableColumns {
  /** Adds event number `event`, which must be of the table's kind. */
  push(event: number): void
  finish(): readonly Data[]
}

/** The columns of one kind of event, alone or as a struct beside those of the other kinds. */
export interface KindColumns extends TableColumns {
  /** Adds a row that nobody reads, to keep in step with the other kinds. */
  pushBlank(): void
}

/** The text of a blank row. */
export const BLANK: Uint8Array = new Uint8Array(0)
