import { STORES, type StoreName } from './checkpoint-store.ts'
import type { QueryName } from './queries.ts'
import { CRASH_SINKS, type CrashSink, type SinkName } from './sinks.ts'

/** What is to be killed. */
export interface Scene {
  readonly query: QueryName
  readonly store: StoreName
  readonly sink: SinkName
}

const SINKS = Object.keys(CRASH_SINKS) as SinkName[]

/** Every query on every store; the sinks that are not a function of ours on disk alone, for no sink knows the store. */
export const WHOLE_MATRIX: readonly Scene[] = SINKS.flatMap((sink) =>
  STORES.filter((store) => sink === 'foreachBatch' || store === 'disk').flatMap((store) =>
    (CRASH_SINKS[sink] as CrashSink).queries.map((query) => ({ query, store, sink })),
  ),
)

/** What every run of the tests kills somewhere; `npm run crash` kills the whole matrix everywhere. */
export const SAMPLE: readonly Scene[] = [
  { query: 'aggregate', store: 's3', sink: 'foreachBatch' },
  { query: 'windowed', store: 'disk', sink: 'foreachBatch' },
  { query: 'stateless', store: 'disk', sink: 'parquet' },
  { query: 'aggregate', store: 'disk', sink: 'duckdb' },
]
