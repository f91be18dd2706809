import { STORES } from './checkpoint-store.ts'

/** Where the first query falls asleep: in its second batch, or after its third and last. */
const PLACES = [
  { name: 'batch.held', hit: 2, when: 'between its last look at the epochs and the sink' },
  { name: 'state.exported', hit: 2, when: 'before it saves its state' },
  { name: 'batch.saved', hit: 2, when: 'before it commits' },
  { name: 'batch.done', hit: 3, when: 'with nothing more to do' },
] as const

/** What a place does to a sleeper is the same for every store, but for where files and requests are under way. */
const ON_S3 = ['batch.saved']
export const SLEEPS = STORES.flatMap((store) =>
  PLACES.filter(({ name }) => store === 'disk' || ON_S3.includes(name)).map((place) => ({ ...place, store })),
)
