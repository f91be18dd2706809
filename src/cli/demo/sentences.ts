const VOCABULARY = (
  'the a water gate and of river is mill stone flows to wheel canal rises falls slow deep lock boat keeper opens ' +
  'closes stream bank rain spring over under level quiet grain lever channel weir dawn'
).split(' ')
const WORDS_MIN = 4
const WORDS_MAX = 9

/** An endless row of sentences, the same for the same seed. Early words of the vocabulary are the common ones. */
export function* sentences(seed: number): Generator<string, never> {
  const random = randomFrom(seed)
  for (;;) {
    const length = WORDS_MIN + Math.floor(random() * (WORDS_MAX - WORDS_MIN + 1))
    yield Array.from({ length }, () => VOCABULARY[Math.floor(random() ** 2 * VOCABULARY.length)]).join(' ')
  }
}

export function wordsOf(sentence: string): string[] {
  return sentence.split(' ')
}

/** A 32-bit xorshift; uniform enough for sentences. */
function randomFrom(seed: number): () => number {
  let state = seed | 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
