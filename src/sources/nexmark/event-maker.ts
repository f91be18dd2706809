import { Channels } from './channels.ts'
import { Draws } from './draws.ts'
import type { GeneratorSettings } from './options.ts'
import { Population } from './population.ts'
import { RandomText } from './random-text.ts'
import { Timeline } from './timeline.ts'

/** What the columns of every kind make their values with. Draws are those of the event that was started last. */
export class EventMaker {
  readonly settings: GeneratorSettings
  readonly draws: Draws
  readonly text: RandomText
  readonly population: Population
  readonly channels: Channels
  readonly timeline: Timeline

  constructor(settings: GeneratorSettings) {
    this.settings = settings
    this.draws = new Draws(settings.seed, 'event')
    this.text = new RandomText(this.draws)
    this.population = new Population(settings, this.draws)
    this.channels = new Channels(settings.seed)
    this.timeline = new Timeline(settings)
  }
}
