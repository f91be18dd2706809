import { type Data, Int64, TimestampMicrosecond, Utf8 } from 'apache-arrow'
import { BytesColumn, Int64Column, type Schema } from '../../batch.ts'
import type { EventMaker } from './event-maker.ts'
import { BLANK, type KindColumns } from './table-columns.ts'

export const PERSON_SCHEMA: Schema = Object.freeze([
  { name: 'id', type: 'BIGINT' },
  { name: 'name', type: 'VARCHAR' },
  { name: 'emailAddress', type: 'VARCHAR' },
  { name: 'creditCard', type: 'VARCHAR' },
  { name: 'city', type: 'VARCHAR' },
  { name: 'state', type: 'VARCHAR' },
  { name: 'dateTime', type: 'TIMESTAMP' },
  { name: 'extra', type: 'VARCHAR' },
])

const FIRST_NAMES = words('Peter Paul Luke John Saul Vicky Kate Julie Sarah Deiter Walter')
const LAST_NAMES = words('Shultz Abrams Spencer White Bartels Walton Smith Jones Noris')
const CITIES = 'Phoenix,Los Angeles,San Francisco,Boise,Portland,Bend,Redmond,Seattle,Kent,Cheyenne'.split(
  ',',
)
const STATES = words('AZ CA ID OR WA WY')

/** Bytes of the id, as the suite counts them. */
const NUMBERS_BYTES = 8

export class PersonColumns implements KindColumns {
  readonly #maker: EventMaker
  readonly #id: Int64Column
  readonly #texts: readonly BytesColumn[]
  readonly #dateTime: Int64Column
  readonly #extra: BytesColumn

  constructor(maker: EventMaker, expectedRows: number) {
    this.#maker = maker
    this.#id = new Int64Column(expectedRows)
    this.#texts = Array.from({ length: 5 }, () => new BytesColumn(expectedRows))
    this.#dateTime = new Int64Column(expectedRows)
    this.#extra = new BytesColumn(expectedRows)
  }

  push(event: number): void {
    const { draws, text, population, settings, timeline } = this.#maker
    draws.start(event)
    this.#id.push(BigInt(population.newestPerson(event)))
    const texts = [
      this.#name(),
      `${text.words(7)}@${text.words(5)}.com`,
      this.#creditCard(),
      this.#one(CITIES),
      this.#one(STATES),
    ]
    let size = NUMBERS_BYTES
    for (const [index, each] of texts.entries()) {
      this.#texts[index]!.pushText(each)
      size += each.length
    }
    this.#dateTime.push(BigInt(timeline.microsOf(event)))
    this.#extra.push(text.filler(size, settings.personAverageBytes))
  }

  pushBlank(): void {
    this.#id.push(0n)
    for (const column of this.#texts) column.push(BLANK)
    this.#dateTime.push(0n)
    this.#extra.push(BLANK)
  }

  finish(): readonly Data[] {
    return [
      this.#id.finish(new Int64()),
      ...this.#texts.map((column) => column.finish(new Utf8())),
      this.#dateTime.finish(new TimestampMicrosecond()),
      this.#extra.finish(new Utf8()),
    ]
  }

  #name(): string {
    return `${this.#one(FIRST_NAMES)} ${this.#one(LAST_NAMES)}`
  }

  #creditCard(): string {
    const group = () => String(this.#maker.draws.below(10_000)).padStart(4, '0')
    return `${group()} ${group()} ${group()} ${group()}`
  }

  #one(texts: readonly string[]): string {
    return texts[this.#maker.draws.below(texts.length)] as string
  }
}

function words(text: string): readonly string[] {
  return text.split(' ')
}
