/**
 * Counts of adjacent token pairs over the distinct words of a text, kept up to date while pairs are merged.
 *
 * Every token knows its neighbours (a linked list over all words), every pair the places where it stands. A merge so costs what
 * it changes, whatever the number and the length of the words; places and heap entries that it leaves behind are recognised as
 * out of date when they come up.
 */
import { Heap } from "./heap.ts";
import { PairTable } from "./pair-table.ts";

/** A place that belongs to the token at its left. */
const MERGED = 0xffff;
/** Beyond the first or last token of a word. */
const NONE = -1;

interface Candidate {
  readonly pair: number;
  readonly count: number;
  readonly key: number; // left · 65536 + right
}

export class PairCounts {
  private readonly tokens: Uint16Array; // (places)
  private readonly next: Int32Array;
  private readonly previous: Int32Array;
  private readonly weights: Float64Array; // count of the word that each place belongs to
  private used = 0;

  private readonly table = new PairTable(); // pair → index
  private readonly keys: number[] = [];
  private readonly counts: number[] = [];
  private readonly places: number[][] = []; // of the left token, in order; some out of date
  private announced = 0; // pairs that have been given to the heap
  private readonly candidates = new Heap<Candidate>(
    (a, b) => a.count > b.count || (a.count === b.count && a.key < b.key),
  );

  /**
   * @param places sum of the lengths of all words, in bytes
   * @param least times that a pair occurs at least to be merged
   */
  constructor(
    places: number,
    private readonly least = 2,
  ) {
    this.tokens = new Uint16Array(places);
    this.next = new Int32Array(places);
    this.previous = new Int32Array(places);
    this.weights = new Float64Array(places);
  }

  /** Adds a word that occurs `count` times. All words come before the first merge. */
  addWord(bytes: Uint8Array, count: number): void {
    const start = this.used;
    this.used += bytes.length;
    for (let i = 0; i < bytes.length; ++i) {
      const at = start + i;
      this.tokens[at] = bytes[i]!;
      this.weights[at] = count;
      this.previous[at] = i === 0 ? NONE : at - 1;
      this.next[at] = i + 1 === bytes.length ? NONE : at + 1;
      if (i > 0) this.add(bytes[i - 1]!, bytes[i]!, at - 1);
    }
  }

  /** The most frequent pair of those that occur often enough; of equals, that of the lower left id, then right id. */
  mostFrequent(): readonly [left: number, right: number] | undefined {
    for (; this.announced < this.keys.length; ++this.announced) this.announce(this.announced);
    for (let best = this.candidates.pop(); best !== undefined; best = this.candidates.pop()) {
      // counts only fall once a pair has been announced, so the true maximum cannot be further down
      if (best.count === this.counts[best.pair]) return [Math.floor(best.key / 65536), best.key % 65536];
      this.announce(best.pair);
    }
    return undefined;
  }

  private announce(pair: number): void {
    const count = this.counts[pair]!;
    if (count >= this.least) this.candidates.push({ pair, count, key: this.keys[pair]! });
  }

  /** Merges the pair into `token`, a new id, wherever it stands: from the left, without overlap. */
  merge(left: number, right: number, token: number): void {
    const { tokens, next, previous } = this;
    const pair = this.table.get(left, right);
    const places = this.places[pair]!;
    this.places[pair] = [];
    for (const at of places) {
      const second = next[at]!;
      if (tokens[at] !== left || second === NONE || tokens[second] !== right) continue;
      const before = previous[at]!;
      const after = next[second]!;
      this.remove(left, right, at);
      if (before !== NONE) {
        this.remove(tokens[before]!, left, before);
        this.add(tokens[before]!, token, before);
      }
      if (after !== NONE) {
        this.remove(right, tokens[after]!, second);
        this.add(token, tokens[after]!, at);
        previous[after] = at;
      }
      tokens[at] = token;
      tokens[second] = MERGED;
      next[at] = after;
    }
  }

  private add(left: number, right: number, at: number): void {
    let pair = this.table.get(left, right);
    if (pair < 0) {
      pair = this.keys.length;
      this.table.add(left, right, pair);
      this.keys.push(left * 65536 + right);
      this.counts.push(0);
      this.places.push([]);
    }
    this.counts[pair]! += this.weights[at]!;
    this.places[pair]!.push(at);
  }

  private remove(left: number, right: number, at: number): void {
    this.counts[this.table.get(left, right)]! -= this.weights[at]!;
  }
}
