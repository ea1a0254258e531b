/** A text each letter of which follows the three before it, nearly as ever: they are more than a small network tells apart, and their n-grams say it. */

/** Letters that there are. A letter in five is any of them: 1.2 bits a byte are the least. */
const ALPHABET = 10;

export function chainedText(length: number, seed: number): Uint8Array<ArrayBuffer> {
  let state = seed;
  const below = (bound: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return Math.floor(((state >>> 8) / 2 ** 24) * bound);
  };
  const out = new Uint8Array(length);
  for (let i = 0; i < length; ++i) {
    const context = [1, 2, 3].reduce((sum, back) => sum * 31 + (out[i - back] ?? 97), 7);
    const usual = (Math.imul(context, 0x9e3779b1) >>> 16) % ALPHABET;
    out[i] = 97 + (below(5) < 4 ? usual : below(ALPHABET));
  }
  return out;
}
