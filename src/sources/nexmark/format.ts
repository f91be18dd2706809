import { GeneratedSource } from '../generated-source.ts'
import type { SourceFormat } from '../source.ts'
import { describeNexmark, NexmarkRows, schemaOf } from './nexmark-rows.ts'
import { parseNexmarkOptions } from './options.ts'

/**
 * `.format('nexmark')`: the events of the Nexmark benchmark, the same ones for the same seed.
 *
 * `table` chooses the columns. `person`, `auction` and `bid` give the events of one kind as flat columns, which is what
 * the queries under `sql/nexmark` are written for; three streams with the same options belong together, since a
 * position counts events of every kind. `all` (default) gives one stream with the columns of the usual SQL ports:
 * `event_type` (0 person, 1 auction, 2 bid), the structs `person`, `auction`, `bid`, of which one is not NULL, and
 * `dateTime`.
 */
export const nexmarkFormat: SourceFormat = Object.freeze({
  name: 'nexmark',
  schema: ({ options }) => schemaOf(parseNexmarkOptions(options)),
  describe: ({ options }) => describeNexmark(parseNexmarkOptions(options)),
  open: ({ options, clock }) => new GeneratedSource(new NexmarkRows(parseNexmarkOptions(options), clock)),
} satisfies SourceFormat)
