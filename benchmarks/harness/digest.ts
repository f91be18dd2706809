import { createHash, type Hash } from 'node:crypto'

/** Over many values in whatever order they come: the sum of the first 48 bits of each one's hash. */
export class Digest {
  #sum = 0n
  #count = 0

  get count(): number {
    return this.#count
  }

  get value(): string {
    return this.#sum.toString(16)
  }

  add(hash: Hash): void {
    this.#sum += BigInt(hash.digest().readUIntBE(0, 6))
    this.#count++
  }
}

export function rowsDigest(rows: Iterable<Readonly<Record<string, unknown>>>): string {
  const digest = new Digest()
  for (const row of rows) {
    const text = JSON.stringify(Object.values(row), (_, value: unknown) =>
      typeof value === 'bigint' ? `${value}n` : value,
    )
    digest.add(createHash('sha256').update(text))
  }
  return digest.value
}
