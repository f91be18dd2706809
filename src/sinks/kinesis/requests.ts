import { type Entry, sizeOf } from './entries.ts'
import type { RequestLimits } from './options.ts'

/** Fills requests as far as their limits allow; a record beyond the limit of bytes goes alone. */
export async function* requestsOf(
  entries: AsyncIterable<Entry> | Iterable<Entry>,
  limits: Pick<RequestLimits, 'records' | 'bytes'>,
): AsyncGenerator<readonly Entry[]> {
  let request: Entry[] = []
  let bytes = 0
  for await (const entry of entries) {
    const size = sizeOf(entry)
    if (request.length > 0 && (request.length === limits.records || bytes + size > limits.bytes)) {
      yield request
      request = []
      bytes = 0
    }
    request.push(entry)
    bytes += size
  }
  if (request.length > 0) yield request
}
