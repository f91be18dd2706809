import {
  type Code,
  copyMemory,
  f64,
  forEver,
  giveBack,
  globalAt,
  i32,
  i64,
  jump,
  jumpIf,
  type Label,
  steps,
  type Variable,
  v128,
  wasmFunction,
  wasmModule,
  when,
} from '../../wasm/assembler.ts'

/** What the program of `walkProgram` offers. Addresses and lengths are bytes of its memory. */
export interface WalkExports {
  /** After a walk that understood everything: behind the list. */
  readonly at: { readonly value: number }
  /** After such a walk: bytes of all partition keys and sequence numbers. */
  readonly movedBytes: { readonly value: number }
  /**
   * Walks the list of records at `at` of a body that ends at `end`, and notes every record as a place.
   *
   * @param places where the first goes
   * @param limit no place goes beyond
   * @returns how many records there are; `NOT_PLAIN` when somebody else has to look, for whatever reason
   */
  walk(at: number, end: number, places: number, limit: number): number
  /**
   * Moves the values of one member together.
   *
   * @param places of the member in the first record's place
   * @param to nothing that is still needed lies there and behind, but for the values themselves; up to 15 bytes beyond the
   * last one are overwritten as well
   * @param offsets gets `count + 1` numbers: where each value begins, and the last one ends
   * @returns behind the last value
   */
  gather(places: number, count: number, to: number, offsets: number): number
  /** Spreads the arrival times into a column of milliseconds and one of microseconds. */
  arrivals(places: number, count: number, millis: number, micros: number): number
}

export const NOT_PLAIN = -1

/** Of a record: where each member begins and ends, and when it arrived in milliseconds. */
export const PLACE = { data: 0, partitionKey: 8, sequenceNumber: 16, arrivedMs: 24, bytes: 32 } as const

/** Major types, and other first bytes, of CBOR. */
const TEXT = 3
const BYTES = 2
const LIST = 4
const MAP = 5
const INDEFINITE = 31
const BREAK = 0xff
const EPOCH_TAG = 0xc1
/** Before a number of eight bytes. */
const LONG_NUMBER = 27
/** Of a list or map that a break ends. */
const OPEN = -1

/** First four bytes of an aggregate. */
const AGGREGATE = word('\xf3\x89\x9a\xc2')
/** Beyond this a call into the engine is faster than a loop. */
const LONG_COPY_BYTES = 1024

const atGlobal = globalAt(0)
const movedBytesGlobal = globalAt(1)

/** The text's four characters as the memory's byte order has them. */
function word(text: string): number {
  return Buffer.from(text, 'latin1').readInt32LE()
}

const majorOf = (initial: Variable): Code => i32.shiftRight(initial.get, i32.of(5))
const infoOf = (initial: Variable): Code => i32.and(initial.get, i32.of(31))
const refuse: Code = giveBack(i32.of(NOT_PLAIN))
const refuseIf = (condition: Code): Code => when(condition, refuse)

/** The next byte. */
const next = (at: Variable, into: Variable): Code => steps(into.set(i32.load8(at.get)), at.add(i32.of(1)))

/** The other byte order. */
const swapped = (value: Code): Code =>
  i32.or(
    i32.and(i32.rotateLeft(value, i32.of(8)), i32.of(0x00ff00ff)),
    i32.and(i32.rotateLeft(value, i32.of(24)), i32.of(0xff00ff00)),
  )

/** What follows a first byte, as CBOR tells lengths; 64 bits are refused. */
const argument = (at: Variable, info: Variable, into: Variable): Code =>
  when(
    i32.below(info.get, i32.of(24)),
    into.set(info.get),
    when(
      i32.equal(info.get, i32.of(24)),
      next(at, into),
      when(
        i32.equal(info.get, i32.of(25)),
        steps(
          into.set(i32.or(i32.shiftLeft(i32.load8(at.get), i32.of(8)), i32.load8(at.get, 1))),
          at.add(i32.of(2)),
        ),
        when(
          i32.equal(info.get, i32.of(26)),
          steps(into.set(swapped(i32.load(at.get))), at.add(i32.of(4))),
          refuse,
        ),
      ),
    ),
  )

/** What to do under the first condition that holds; refused when none does. */
const oneOf = (...cases: readonly (readonly [Code, Code])[]): Code =>
  cases.reduceRight((otherwise, [condition, then]) => when(condition, then, otherwise), refuse)

/**
 * The same as the walk in `cbor-records.ts`, for answers of which nothing is unusual: every record has its members and
 * no others, none is an aggregate, and their sequence numbers rise.
 *
 * Whatever is read is compared with the body's end before it is believed; up to 16 bytes may be read beyond it.
 */
const walk = wasmFunction('walk', ['i32', 'i32', 'i32', 'i32'], ([at, end, place, limit], declare) => {
  const initial = declare('i32')
  const info = declare('i32')
  const length = declare('i32')
  const count = declare('i32')
  const total = declare('i32')
  const left = declare('i32')
  const first = declare('i32')
  const last = declare('i32')
  const movedBytes = declare('i32')
  const millis = declare('i64')
  const order = { before: declare('i32'), beforeLength: declare('i32'), index: declare('i32') }
  const difference = declare('i64')

  const isEnd = i32.atLeast(at.get, end.get)
  const isBreak = i32.equal(i32.load8(at.get), i32.of(BREAK))
  const breaks = (out: Label): Code =>
    steps(refuseIf(isEnd), when(isBreak, steps(at.add(i32.of(1)), jump(out))))
  const isOpen = (items: Variable): Code => i32.equal(items.get, i32.of(OPEN))
  /** Refuses what does not fit between here and the end. */
  const fits = refuseIf(i32.or(i32.above(at.get, end.get), i32.above(length.get, i32.minus(end.get, at.get))))
  /** Sets the number of items of a list or map. */
  const enter = (major: number, items: Variable): Code =>
    steps(
      next(at, initial),
      refuseIf(i32.differ(majorOf(initial), i32.of(major))),
      info.set(infoOf(initial)),
      when(
        i32.equal(info.get, i32.of(INDEFINITE)),
        items.set(i32.of(OPEN)),
        steps(argument(at, info, items), refuseIf(isOpen(items))),
      ),
    )
  const stringHead = (major: number): Code =>
    steps(
      next(at, initial),
      refuseIf(i32.differ(majorOf(initial), i32.of(major))),
      info.set(infoOf(initial)),
      argument(at, info, length),
      fits,
    )
  const string = (major: number, member: number): Code =>
    steps(
      stringHead(major),
      i32.store(place.get, at.get, member),
      at.add(length.get),
      i32.store(place.get, at.get, member + 4),
    )
  const longWord = (offset: number): Code => i64.ofWord(swapped(i32.load(at.get, offset)))
  /** Whole milliseconds since the epoch, with or without the tag that says so. */
  const arrival = steps(
    next(at, initial),
    when(i32.equal(initial.get, i32.of(EPOCH_TAG)), next(at, initial)),
    refuseIf(i32.differ(initial.get, i32.of(LONG_NUMBER))),
    millis.set(i64.or(i64.shiftLeft(longWord(0), i64.of(32n)), longWord(4))),
    at.add(i32.of(8)),
    i64.store(place.get, millis.get, PLACE.arrivedMs),
  )
  // Told apart by length, first and last four bytes: no two members of the API agree in these.
  const isMember = (name: string): Code =>
    i32.and(
      i32.equal(length.get, i32.of(name.length)),
      i32.and(
        i32.equal(first.get, i32.of(word(name.slice(0, 4)))),
        i32.equal(last.get, i32.of(word(name.slice(-4)))),
      ),
    )
  const moved = movedBytes.add(length.get)
  const value = oneOf(
    [isMember('Data'), string(BYTES, PLACE.data)],
    [isMember('SequenceNumber'), steps(string(TEXT, PLACE.sequenceNumber), moved)],
    [isMember('PartitionKey'), steps(string(TEXT, PLACE.partitionKey), moved)],
    [isMember('ApproximateArrivalTimestamp'), arrival],
    // Nobody asked how it was encrypted.
    [isMember('EncryptionType'), steps(stringHead(TEXT), at.add(length.get))],
  )
  const member = steps(
    stringHead(TEXT),
    refuseIf(i32.below(length.get, i32.of(4))),
    first.set(i32.load(at.get)),
    at.add(length.get),
    last.set(i32.load(i32.minus(at.get, i32.of(4)))),
    value,
  )
  const members = forEver((out) =>
    steps(
      when(isOpen(left), breaks(out), steps(jumpIf(out, i32.isZero(left.get)), left.add(i32.of(-1)))),
      member,
    ),
  )
  const hasAll = steps(
    refuseIf(i32.isZero(i32.load(place.get, PLACE.data))),
    refuseIf(i32.isZero(i32.load(place.get, PLACE.partitionKey))),
    refuseIf(i32.isZero(i32.load(place.get, PLACE.sequenceNumber))),
    refuseIf(i64.above(i64.load(place.get, PLACE.arrivedMs), i64.of(BigInt(Number.MAX_SAFE_INTEGER)))),
  )
  const isAggregate = i32.equal(i32.load(i32.load(place.get, PLACE.data)), i32.of(AGGREGATE))
  const dataLength = i32.minus(i32.load(place.get, PLACE.data + 4), i32.load(place.get, PLACE.data))

  return steps(
    enter(LIST, total),
    forEver((out) =>
      steps(
        when(isOpen(total), breaks(out), jumpIf(out, i32.equal(count.get, total.get))),
        refuseIf(i32.above(i32.plus(place.get, i32.of(PLACE.bytes)), limit.get)),
        i32.store(place.get, i32.of(0), PLACE.data),
        i32.store(place.get, i32.of(0), PLACE.partitionKey),
        i32.store(place.get, i32.of(0), PLACE.sequenceNumber),
        i64.store(place.get, i64.of(-1n), PLACE.arrivedMs),
        enter(MAP, left),
        members,
        hasAll,
        when(i32.atLeast(dataLength, i32.of(4)), refuseIf(isAggregate)),
        first.set(i32.load(place.get, PLACE.sequenceNumber)),
        length.set(i32.minus(i32.load(place.get, PLACE.sequenceNumber + 4), first.get)),
        when(count.get, rises(first, length, order, difference)),
        order.before.set(first.get),
        order.beforeLength.set(length.get),
        place.add(i32.of(PLACE.bytes)),
        count.add(i32.of(1)),
      ),
    ),
    refuseIf(i32.above(at.get, end.get)),
    atGlobal.set(at.get),
    movedBytesGlobal.set(movedBytes.get),
    count.get,
  )
})

/** Refuses a sequence number that is not above the one before it; they are decimal numbers without leading zeros. */
function rises(
  here: Variable,
  length: Variable,
  { before, beforeLength, index }: Readonly<Record<'before' | 'beforeLength' | 'index', Variable>>,
  difference: Variable,
): Code {
  const placeOf = (text: Variable): Code => i32.plus(text.get, index.get)
  const firstDifferent = i32.shiftRight(i32.ofLong(i64.trailingZeros(difference.get)), i32.of(3))
  const digits = forEver((out, again) =>
    steps(
      // Equal to the last digit.
      refuseIf(i32.atLeast(index.get, length.get)),
      when(
        i32.atMost(i32.plus(index.get, i32.of(8)), length.get),
        steps(
          difference.set(i64.xor(i64.load(placeOf(here)), i64.load(placeOf(before)))),
          when(i64.isZero(difference.get), steps(index.add(i32.of(8)), jump(again))),
          index.add(firstDifferent),
        ),
      ),
      when(
        i32.equal(i32.load8(placeOf(here)), i32.load8(placeOf(before))),
        steps(index.add(i32.of(1)), jump(again)),
      ),
      refuseIf(i32.below(i32.load8(placeOf(here)), i32.load8(placeOf(before)))),
      jump(out),
    ),
  )
  return steps(
    index.set(i32.of(0)),
    when(i32.equal(length.get, beforeLength.get), digits, refuseIf(i32.below(length.get, beforeLength.get))),
  )
}

const gather = wasmFunction('gather', ['i32', 'i32', 'i32', 'i32'], ([place, count, to, offset], declare) => {
  const start = declare('i32')
  const from = declare('i32')
  const length = declare('i32')
  const last = declare('i32')
  const isNear = i32.below(i32.minus(from.get, to.get), i32.of(16))
  const inSixteens = steps(
    last.set(i32.plus(to.get, length.get)),
    forEver((out) =>
      steps(
        jumpIf(out, i32.atLeast(to.get, last.get)),
        v128.store(to.get, v128.load(from.get)),
        to.add(i32.of(16)),
        from.add(i32.of(16)),
      ),
    ),
    to.set(last.get),
  )
  return steps(
    start.set(to.get),
    i32.store(offset.get, i32.of(0)),
    forEver((out) =>
      steps(
        jumpIf(out, i32.isZero(count.get)),
        from.set(i32.load(place.get)),
        length.set(i32.minus(i32.load(place.get, 4), from.get)),
        when(
          // Sixteen at a time, a value that moves down by less would overwrite what of it is still to be read.
          i32.or(isNear, i32.above(length.get, i32.of(LONG_COPY_BYTES))),
          steps(copyMemory(to.get, from.get, length.get), to.add(length.get)),
          inSixteens,
        ),
        offset.add(i32.of(4)),
        i32.store(offset.get, i32.minus(to.get, start.get)),
        place.add(i32.of(PLACE.bytes)),
        count.add(i32.of(-1)),
      ),
    ),
    to.get,
  )
})

const arrivals = wasmFunction(
  'arrivals',
  ['i32', 'i32', 'i32', 'i32'],
  ([place, count, millis, micros], declare) => {
    const value = declare('i64')
    return steps(
      forEver((out) =>
        steps(
          jumpIf(out, i32.isZero(count.get)),
          value.set(i64.load(place.get, PLACE.arrivedMs)),
          f64.store(millis.get, f64.ofLong(value.get)),
          i64.store(micros.get, i64.times(value.get, i64.of(1000n))),
          place.add(i32.of(PLACE.bytes)),
          millis.add(i32.of(8)),
          micros.add(i32.of(8)),
          count.add(i32.of(-1)),
        ),
      ),
      micros.get,
    )
  },
)

/** The program as a module of WebAssembly. */
export function walkProgram(): Uint8Array<ArrayBuffer> {
  return wasmModule([walk, gather, arrivals], ['at', 'movedBytes'])
}
