import assert from 'node:assert/strict'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Line } from './batch-files.ts'
import type { CheckpointPlace, CheckpointStore } from './checkpoint-store.ts'
import { type Ending, Life, type Order } from './life.ts'
import { CRASH_QUERIES, type CrashQuery, type QueryName } from './queries.ts'
import { CRASH_SINKS, type CrashSink, type Services, type SinkName, type Target } from './sinks.ts'
import type { Successors } from './successors.ts'

/** Where a process is to die: when it passes `name` for the hit-th time. */
export interface Point {
  readonly name: string
  readonly hit: number
}

/** What was put into a stream, and so what a query must give. */
export interface Ledger {
  /** What plain DuckDB makes of all that was put, in any order. */
  expected(query: CrashQuery): Promise<readonly Line[]>
}

/** What all trials of one query have in common. */
export interface Setting {
  readonly query: QueryName
  readonly stream: Ledger
  /** The compiled `query-child`. */
  readonly child: string
  readonly source: Order['source']
  /** Options of the query beside its checkpointLocation. */
  readonly writer: Order['writer']
  readonly store: CheckpointStore
  readonly sink: SinkName
  readonly services: Services
  readonly successors: Successors
}

const PATIENCE_MS = 180_000

/** One checkpoint and one sink, and the processes that follow each other on them. */
export class Trial {
  readonly setting: Setting
  readonly checkpoint: CheckpointPlace
  readonly #directory: string

  /** @param from begins with a copy of what that trial has come to */
  constructor(setting: Setting, from?: Trial) {
    this.setting = setting
    this.#directory = mkdtempSync(join(tmpdir(), 'sluice-crash-'))
    this.checkpoint = setting.store(this.#directory)
    if (from) {
      cpSync(from.output, this.output, { recursive: true })
      from.checkpoint.copyTo(this.checkpoint)
    } else {
      mkdirSync(this.output)
    }
  }

  /** The directory that its sink writes to. */
  get output(): string {
    return join(this.#directory, 'output')
  }

  get order(): Order {
    const { query, source, writer } = this.setting
    const { location: checkpointLocation, options } = this.checkpoint
    const { format } = this.#sink
    return {
      query,
      source,
      writer: {
        ...writer,
        ...options,
        ...this.#sink.options(this.#target, CRASH_QUERIES[query]),
        checkpointLocation,
      },
      output: this.output,
      ...(format === undefined ? {} : { format }),
    }
  }

  /** A process that goes on at the end of the stream until it is told to stop. */
  start(env: Readonly<Record<string, string>> = {}): Life {
    return new Life(this.setting.child, { ...this.order, endless: true }, env)
  }

  /** A process that dies at `point`. False when it came to its end without passing it. */
  async die({ name, hit }: Point): Promise<boolean> {
    const ending = await this.#live({ SLUICE_FAILPOINT: `${name}:${hit}:kill` })
    if (ending.by === 'SIGKILL') return true
    assertWell(ending)
    return false
  }

  /** Comes to the end of the stream. */
  finish(): Promise<void> {
    return patiently(this.setting.successors.finish(this.order))
  }

  /** A process that comes to the end of the stream: the failpoints that it passes, in their order. */
  async trace(): Promise<readonly string[]> {
    const file = join(this.#directory, 'trace')
    assertWell(await this.#live({ SLUICE_FAILPOINT_TRACE: file }))
    return JSON.parse(readFileSync(file, 'utf8')) as string[]
  }

  /** Compares what the sink holds with what plain DuckDB makes of the ledger, as multisets. */
  async assertExact(): Promise<void> {
    const { found, expected } = await this.outcome()
    assert.ok(expected.length > 0)
    assert.deepEqual(found, expected)
  }

  /** What the sink holds and what it should hold, each in the same order. */
  async outcome(): Promise<{ readonly found: readonly Line[]; readonly expected: readonly Line[] }> {
    const query: CrashQuery = CRASH_QUERIES[this.setting.query]
    const found = await this.#sink.lines(this.#target, query)
    const expected = await this.setting.stream.expected(query)
    return { found: [...found].sort(), expected: [...expected].sort() }
  }

  remove(): void {
    this.checkpoint.remove()
    this.#sink.remove?.(this.#target)
    rmSync(this.#directory, { recursive: true, force: true })
  }

  get #sink(): CrashSink {
    return CRASH_SINKS[this.setting.sink]
  }

  get #target(): Target {
    return { directory: this.output, services: this.setting.services }
  }

  #live(env: Readonly<Record<string, string>>): Promise<Ending> {
    const life = new Life(this.setting.child, this.order, env)
    return patiently(life.ended).finally(() => life.signal('SIGKILL'))
  }
}

function assertWell({ by, stderr }: Ending): void {
  assert.equal(by, 0, `the query ended with ${by}: ${stderr}`)
}

/** What hangs is not waited for till the end of days. */
async function patiently<T>(life: Promise<T>): Promise<T> {
  const over = new AbortController()
  const hangs = delay(PATIENCE_MS, undefined, { signal: over.signal }).then(
    () => Promise.reject(new Error(`the query did not come to its end in ${PATIENCE_MS / 1000} seconds`)),
    () => life,
  )
  try {
    return await Promise.race([life, hangs])
  } finally {
    over.abort()
  }
}
