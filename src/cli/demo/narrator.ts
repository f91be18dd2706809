import { MultiBar, Presets, type SingleBar } from 'cli-progress'
import type { Clock } from '../../clock.ts'

const TOPIC_WIDTH = 9
const PROGRESS_EVERY_MS = 3000

const BAR = {
  format: '        {bar} {percentage}%  {text}',
  barsize: 20,
  hideCursor: true,
  clearOnComplete: true,
  // Every line that is said moves the bar down.
  forceRedraw: true,
  // Signals are the demo's own business.
  gracefulExit: false,
}

/** Tells what happens, a line for each event; on a terminal with a progress bar below, else with lines in between. */
export class Narrator {
  readonly #clock: Clock
  readonly #startMs: number
  readonly #out: NodeJS.WriteStream
  #bars: MultiBar | undefined
  #bar: SingleBar | undefined
  #lastProgressMs: number

  constructor(clock: Clock, out: NodeJS.WriteStream) {
    this.#clock = clock
    this.#startMs = clock.monotonic()
    this.#lastProgressMs = this.#startMs
    this.#out = out
  }

  get elapsedSeconds(): number {
    return (this.#clock.monotonic() - this.#startMs) / 1000
  }

  say(topic: string, text: string): void {
    const line = `${this.elapsedSeconds.toFixed(1).padStart(5)}s  ${topic.padEnd(TOPIC_WIDTH)}  ${text}\n`
    if (this.#bars) this.#bars.log(line)
    else this.#out.write(line)
  }

  progress(done: number, total: number, text: string): void {
    if (this.#out.isTTY) {
      this.#bars ??= new MultiBar({ ...BAR, stream: this.#out }, Presets.shades_classic)
      this.#bar ??= this.#bars.create(total, 0, { text })
      this.#bar.update(done, { text })
    } else if (this.#clock.monotonic() - this.#lastProgressMs >= PROGRESS_EVERY_MS) {
      this.#lastProgressMs = this.#clock.monotonic()
      this.say('progress', text)
    }
  }

  /** Takes the bar away; lines can still be said. */
  endProgress(): void {
    // Writes the lines that still wait.
    this.#bars?.update()
    this.#bars?.stop()
    this.#bars = undefined
    this.#bar = undefined
  }
}
