import { type Code, forEver, i32, i64, jumpIf, steps, type Variable, v128, when } from '../wasm/assembler.ts'
import type { Frame } from './frame.ts'
import type { ColumnPlace } from './layout.ts'
import { STRUCT_BYTES } from './plain-field.ts'

/** What fits into a struct of DuckDB. */
export const INLINED = 12
/** Where a struct has the first bytes of its text, and the place of a longer one. */
const TEXT_AT = 4
export const POINTER_AT = 8

const COUNTING = v128.of(Array.from({ length: 16 }, (_, index) => index))

/**
 * Makes the text at `start` a struct of DuckDB: a short one as it will stand in a vector, of a longer one where it lies in
 * the column's heap.
 *
 * @param used bytes of the heap
 * @param copied a variable of no other use
 */
export function storeText(
  { row, start, length }: Frame,
  { values, heap }: ColumnPlace,
  used: Variable,
  copied: Variable,
): Code {
  const struct = i32.plus(i32.times(row.get, i32.of(STRUCT_BYTES)), i32.of(values))
  const isOfText = v128.below(COUNTING, v128.all(length.get))
  // What this writes behind the struct is the next one's length, which comes later.
  const inPlace = v128.store(struct, v128.and(v128.load(start.get), isOfText), TEXT_AT)
  const toHeap = steps(
    copied.set(i32.of(0)),
    // What is written too much is overwritten by the next.
    forEver((out) =>
      steps(
        v128.store(
          i32.plus(i32.plus(used.get, copied.get), i32.of(heap ?? 0)),
          v128.load(i32.plus(start.get, copied.get)),
        ),
        copied.add(i32.of(16)),
        jumpIf(out, i32.atLeast(copied.get, length.get)),
      ),
    ),
  )
  return steps(
    i32.store(struct, length.get),
    when(
      i32.atMost(length.get, i32.of(INLINED)),
      inPlace,
      steps(
        i32.store(struct, i32.load(start.get), TEXT_AT),
        i64.store(struct, i64.ofWord(used.get), POINTER_AT),
        toHeap,
        used.add(length.get),
      ),
    ),
  )
}
