/**
 * Byte-pair encoding of one piece (Sennrich, Haddow & Birch 2016): the adjacent pair of lowest rank is merged, the leftmost of
 * equals first, until no pair is left that has a rank.
 */
import { drained } from "../pace.ts";
import { Heap } from "./heap.ts";
import { PairTable } from "./pair-table.ts";

/** Two tokens and what they are merged into. */
export type Merge = readonly [left: number, right: number, token: number];

/** Longest piece, in bytes, for which looking at every pair again is faster than a heap. */
const SHORT = 48;
const NO_RANK = 0x7fffffff;
/** Places or merges of a long piece between two steps: about a millisecond. */
const STEP = 1 << 12;

export class Merges {
  private readonly table = new PairTable(); // pair → rank
  private readonly tokens: Uint16Array; // (merges) token that each rank makes
  private readonly ranks = new Int32Array(SHORT);

  /** @param merges in order of rank, no pair twice; at most 2^22, so that rank · length of a piece stays below 2^53 */
  constructor(merges: readonly Merge[]) {
    this.tokens = Uint16Array.from(merges, ([, , token]) => token);
    for (const [rank, [left, right]] of merges.entries()) this.table.add(left, right, rank);
  }

  /** Merges piece[0..length), the tokens of single bytes, in place. Returns how many tokens are left. */
  apply(piece: Uint16Array, length: number): number {
    if (length <= SHORT) return this.applyShort(piece, length);
    return drained(this.applyLong(piece, length));
  }

  private rankAt(left: number, right: number): number {
    const rank = this.table.get(left, right);
    return rank < 0 ? NO_RANK : rank;
  }

  private applyShort(piece: Uint16Array, length: number): number {
    const { ranks } = this; // ranks[i] is that of the pair (i, i + 1)
    for (let i = 0; i + 1 < length; ++i) ranks[i] = this.rankAt(piece[i]!, piece[i + 1]!);
    for (;;) {
      let best = NO_RANK;
      let at = 0;
      for (let i = 0; i + 1 < length; ++i) {
        if (ranks[i]! < best) {
          best = ranks[i]!;
          at = i;
        }
      }
      if (best === NO_RANK) return length;
      piece[at] = this.tokens[best]!;
      --length;
      for (let i = at + 1; i < length; ++i) {
        piece[i] = piece[i + 1]!;
        ranks[i] = ranks[i + 1]!;
      }
      if (at > 0) ranks[at - 1] = this.rankAt(piece[at - 1]!, piece[at]!);
      if (at + 1 < length) ranks[at] = this.rankAt(piece[at]!, piece[at + 1]!);
    }
  }

  /**
   * The same in steps, for pieces of any length: n log n, and about 30 bytes of memory a byte. A linked list of tokens and a heap of
   * candidates, some of them out of date.
   */
  *applyLong(piece: Uint16Array, length: number): Generator<void, number> {
    const next = new Int32Array(length); // `length` ends the list
    const previous = new Int32Array(length);
    // a candidate is rank · length + place: in order of rank, then leftmost
    // one a pair to begin with, and a merge takes one and adds two at most: memory that is not used is not touched
    const candidates = new Heap<number>((a, b) => a < b, new Float64Array(2 * length));
    const consider = (at: number) => {
      if (at < 0 || next[at]! >= length) return;
      const rank = this.table.get(piece[at]!, piece[next[at]!]!);
      if (rank >= 0) candidates.push(rank * length + at);
    };
    for (let i = 0; i < length; ++i) {
      next[i] = i + 1;
      previous[i] = i - 1;
      consider(i);
      if (i % STEP === STEP - 1) yield;
    }
    let done = 0;
    for (let key = candidates.pop(); key !== undefined; key = candidates.pop()) {
      if (++done % STEP === 0) yield;
      const at = key % length;
      const right = next[at]!;
      // the pair may have changed since, or its left token may be part of another
      if (right < 0 || right >= length) continue;
      const rank = (key - at) / length;
      if (this.table.get(piece[at]!, piece[right]!) !== rank) continue;
      piece[at] = this.tokens[rank]!;
      const after = next[right]!;
      next[at] = after;
      next[right] = -1;
      if (after < length) previous[after] = at;
      consider(at);
      consider(previous[at]!);
    }
    let left = 0;
    for (let at = 0; at < length; at = next[at]!) {
      piece[left++] = piece[at]!;
      if (left % (16 * STEP) === 0) yield;
    }
    return left;
  }
}
