import type { Clock } from '../clock.ts'
import type { Connection, Database } from '../duckdb.ts'
import type { Formats } from '../formats.ts'
import type { Logger } from '../log.ts'
import type { Analysis } from '../plan/analysis.ts'
import type { Draft, SqlDraft } from '../plan/draft.ts'
import { lex } from '../plan/lex.ts'
import type { StreamInput } from '../plan/plan.ts'
import type { SinkFormat } from '../sinks/sink.ts'
import type { Source, SourceFormat } from '../sources/source.ts'
import type { StreamingQueries } from './streaming-queries.ts'

/** What the objects of one session share. */
export interface SessionContext {
  readonly database: Database
  /** For analysis and for static queries; running queries have connections of their own. */
  readonly connection: Connection
  readonly analysis: Analysis
  readonly clock: Clock
  readonly log: Logger
  readonly streams: StreamingQueries
  readonly sources: Formats<SourceFormat>
  readonly sinks: Formats<SinkFormat>
  /** Temporary views by lower-case name. */
  readonly views: Map<string, Draft>
  /** How to open what `load()` described. */
  readonly openers: WeakMap<StreamInput, () => Source>
}

/** SQL over the views of a session as they are now; replacing a view later does not change what was written before. */
export function draftOf(text: string, views: ReadonlyMap<string, Draft>): SqlDraft {
  const words = lex(text).flatMap(({ kind, text: word }) =>
    kind === 'word' ? [word.toLowerCase()] : kind === 'quoted' ? [word.slice(1, -1).toLowerCase()] : [],
  )
  const named = [...new Set(words)].flatMap((word) => {
    const view = views.get(word)
    return view ? [[word, view] as const] : []
  })
  return Object.freeze({ text, inputs: new Map(named) })
}
