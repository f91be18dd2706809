import { STORES } from './checkpoint-store.ts'

/** Where the first query falls asleep: in its second batch, or after its third and last. */
const PLACES = [
  { name: 'batch.read', hit: 2, when: 'before it logs the batch' },
  { name: 'batch.logged', hit: 2, when: 'with a batch that is logged' },
  { name: 'batch.held', hit: 2, when: 'between its last look at the epochs and the sink' },
  { name: 'sink.drafted', hit: 2, when: 'inside the sink' },
  { name: 'state.exported', hit: 2, when: 'before it saves its state' },
  { name: 'batch.saved', hit: 2, when: 'before it commits' },
  { name: 'batch.committed', hit: 2, when: 'after its commit' },
  { name: 'batch.done', hit: 3, when: 'with nothing more to do' },
] as const

/** What a place does to a sleeper is the same for every store, but for where files and requests are under way. */
const ON_S3 = ['batch.logged', 'state.exported', 'batch.saved']
/** Tried in every run; the others are skipped without `SLUICE_SEEDS`. */
const EVERY_RUN = [
  'disk batch.held',
  'disk state.exported',
  'disk batch.saved',
  'disk batch.done',
  's3 batch.saved',
]
export const SLEEPS = STORES.flatMap((store) =>
  PLACES.filter(({ name }) => store === 'disk' || ON_S3.includes(name)).map((place) => ({
    ...place,
    store,
    isInEveryRun: EVERY_RUN.includes(`${store} ${place.name}`),
  })),
)
