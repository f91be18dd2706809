import { setTimeout as delay } from 'node:timers/promises'
import type { SeededRandom } from '../../../src/testing/seeded-random.ts'
import type { StoreName } from '../checkpoint-store.ts'
import type { Ending, Life } from '../life.ts'
import type { SinkName } from '../sinks.ts'
import type { Trial } from '../trial.ts'

/** How the processes of a query came to their ends. */
export interface Fates {
  killed: number
  /** Of them: at a failpoint, in the middle of a step. */
  killedAtPoint: number
  stopped: number
  /** Successors that met what their predecessor had appended in its sleep; the next process goes on from there. */
  conflicts: number
  fenced: number
  processes: number
}

const LIFE_MIN_MS = 3000
const LIFE_MAX_MS = 25_000
/** A process that does not start or end within it hangs. */
const PATIENCE_MS = 60_000

const POINTS = [
  ...['checkpoint.taken', 'checkpoint.recovered', 'state.loaded'],
  ...['batch.reread', 'batch.read', 'batch.logged', 'batch.computed', 'batch.held'],
  ...['batch.written', 'state.exported', 'batch.saved', 'batch.committed'],
]
const POINTS_OF: Readonly<Partial<Record<StoreName | SinkName, readonly string[]>>> = {
  disk: ['file.opened', 'file.part-written', 'file.synced', 'file.linked', 'file.created', 'file.removed'],
  s3: ['object.sending', 'object.created', 'object.removed'],
  duckdb: ['sink.metadata-kept', 'sink.begun', 'sink.added', 'sink.committed'],
  postgres: ['sink.begun', 'sink.added', 'sink.committed'],
  foreachBatch: ['sink.drafted', 'sink.placed'],
  parquet: ['sink.staged', 'sink.moved', 'sink.recorded'],
}

/** A query whose processes are killed one after the other, each by chance in one of several ways. */
export class Victim {
  readonly trial: Trial
  readonly fates: Fates = { killed: 0, killedAtPoint: 0, stopped: 0, conflicts: 0, fenced: 0, processes: 0 }
  readonly #random: SeededRandom

  constructor(trial: Trial, random: SeededRandom) {
    this.trial = trial
    this.#random = random
  }

  /** @throws when a process ends in a way that nobody meant */
  async suffer(until: AbortSignal): Promise<void> {
    while (!until.aborted) {
      const chance = this.#random.next()
      if (chance < 0.5) await this.#kill(this.#start(this.#point()), until)
      else if (chance < 0.75) await this.#kill(this.#start(), until)
      else if (chance < 0.9) await this.#stop(this.#start(), until)
      else await this.#replace(this.#start(), until)
    }
  }

  /** @param expected how it may end of itself, if it may */
  async #kill(life: Life, until: AbortSignal, expected?: RegExp): Promise<void> {
    const died = await this.#during(life, until)
    if (!died) life.signal('SIGKILL')
    const ending = await this.#end(life)
    if (ending.by === 1 && expected?.test(ending.stderr)) {
      this.fates.conflicts++
      return
    }
    if (ending.by !== 'SIGKILL') throw strange(ending)
    this.fates.killed++
    if (died) this.fates.killedAtPoint++
  }

  async #stop(life: Life, until: AbortSignal): Promise<void> {
    if (await this.#during(life, until)) throw strange(await life.ended)
    await life.started
    life.signal('SIGTERM')
    const ending = await this.#end(life)
    if (ending.by !== 0) throw strange(ending)
    this.fates.stopped++
  }

  /** Suspends a process, lets another take its place, and wakes it again. */
  async #replace(first: Life, until: AbortSignal): Promise<void> {
    if (await this.#during(first, until)) throw strange(await first.ended)
    await first.started
    first.signal('SIGSTOP')
    const second = this.#start()
    await Promise.race([second.started, delay(PATIENCE_MS)])
    first.signal('SIGCONT')
    const ending = await this.#end(first)
    if (ending.by !== 1 || !/^CHECKPOINT_FENCED/.test(ending.stderr)) throw strange(ending)
    this.fates.fenced++
    await this.#kill(second, until, /^CHECKPOINT_CONFLICT\n/)
  }

  /** Lets a process live for a while; true when it died of itself. */
  async #during(life: Life, until: AbortSignal): Promise<boolean> {
    const lifeMs = LIFE_MIN_MS + this.#random.below(LIFE_MAX_MS - LIFE_MIN_MS)
    const over = new AbortController()
    const signal = AbortSignal.any([until, over.signal])
    const slept = delay(lifeMs, false, { signal }).catch(() => false)
    const died = await Promise.race([slept, life.ended.then(() => true)])
    over.abort()
    return died
  }

  async #end(life: Life): Promise<Ending> {
    const over = new AbortController()
    const hangs = delay(PATIENCE_MS, undefined, { signal: over.signal }).then(
      () => {
        throw new Error(`process ${life.pid} of ${this.trial.setting.query} does not end`)
      },
      () => undefined,
    )
    const ending = await Promise.race([life.ended, hangs])
    over.abort()
    return ending ?? life.ended
  }

  #start(env: Readonly<Record<string, string>> = {}): Life {
    this.fates.processes++
    return this.trial.start(env)
  }

  #point(): Readonly<Record<string, string>> {
    const { checkpoint, setting } = this.trial
    const store = checkpoint.location.startsWith('s3:') ? 's3' : 'disk'
    const point = this.#random.pick([
      ...POINTS,
      ...(POINTS_OF[store] ?? []),
      ...(POINTS_OF[setting.sink] ?? []),
    ])
    return { SLUICE_FAILPOINT: `${point}:${1 + this.#random.below(12)}:kill` }
  }
}

function strange({ by, stderr }: Ending): Error {
  return new Error(`a process ended with ${by}: ${stderr}`)
}
