/**
 * The coder of messages by its definition, in whole numbers of any length: an interval is its two ends, what is taken is a set of strings of
 * bytes, and the next is looked for one by one.
 */

const TOTAL = 2 ** 24;
const f32 = new Float32Array(1);

/** Frequencies by the definition: 1, and the whole part of p times what is left of 2^24, rounded to f32 once; of the token for the end a sixteenth of that. */
export function frequencies(probabilities: ArrayLike<number>, rare: number | undefined): bigint[] {
  return Array.from(probabilities, (p, token) => {
    f32[0] = Math.max(0, Math.min(1, p)) * (TOTAL - probabilities.length);
    return 1n + BigInt(Math.floor(f32[0])) / (token === rare ? 16n : 1n);
  });
}

/** What a message's tokens give: `end` before the first and behind each. */
export class CoderOracle {
  /** low and range in units of 256^-(shifted + 6). */
  private low = 0n;
  private range = 255n << 40n;
  private shifted = 0;
  private readonly taken = new Set<string>();

  constructor(private readonly rare?: number | undefined) {}

  put(probabilities: ArrayLike<number>, token: number): void {
    const all = frequencies(probabilities, this.rare);
    const sum = (of: bigint[]) => of.reduce((a, b) => a + b, 0n);
    const part = this.range / sum(all);
    this.low += part * sum(all.slice(0, token));
    this.range = part * all[token]!;
    for (; this.range <= 1n << 40n; this.range *= 256n, this.low *= 256n) ++this.shifted;
  }

  /** The message may end here: the first string in the interval, of at least `shifted` bytes, that is not taken yet. */
  end(): Uint8Array {
    for (let length = this.shifted; ; ++length) {
      const unit = 256n ** BigInt(this.shifted + 6 - length);
      for (let value = (this.low + unit - 1n) / unit; value * unit < this.low + this.range; ++value) {
        const bytes = Array.from({ length }, (_, i) => Number((value >> BigInt(8 * (length - 1 - i))) & 255n));
        const name = bytes.join();
        if (this.taken.has(`${length}:${name}`)) continue;
        this.taken.add(`${length}:${name}`);
        return Uint8Array.from(bytes);
      }
    }
  }
}
