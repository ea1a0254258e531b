/** The n-grams of the last R tokens, kept as tokens come and go: a constant number of steps a token, whatever R is. */
import { Counts, NodeTable } from "./trie.ts";

/**
 * ```ts
 * const window = new RecencyWindow(1024, 3);
 * window.count(2, token); // how often `token` followed the latest token
 * window.push(token);
 * ```
 *
 * n-grams count only if they lie in the window whole. Memory grows with the distinct n-grams that have passed, not with R alone.
 */
export class RecencyWindow {
  private readonly tables: readonly NodeTable[];
  private readonly counts: readonly Counts[];
  /** By the context's node: occurrences in the window that another token of it follows. */
  private readonly followed: readonly Counts[];
  /** (R, order) node of each n-gram, at the place of its last token. */
  private readonly ring: Uint32Array;
  private seen = 0;

  /**
   * @param length R ≥ 1, tokens
   * @param order highest n
   */
  constructor(
    private readonly length: number,
    readonly order: number,
  ) {
    this.tables = Array.from({ length: order }, () => new NodeTable());
    this.counts = Array.from({ length: order }, () => new Counts());
    this.followed = Array.from({ length: order }, () => new Counts());
    this.ring = new Uint32Array(length * order);
  }

  /** How often the latest n − 1 tokens stand in the window with a token after them: Σ over tokens of `count`. */
  total(n: number): number {
    return n - 1 <= this.seen ? this.followed[n - 1]!.get(this.latest(n - 1)) : 0;
  }

  /** How often `token` comes after them. */
  count(n: number, token: number): number {
    return n - 1 <= this.seen ? this.counts[n - 1]!.get(this.tables[n - 1]!.find(this.latest(n - 1), token)) : 0;
  }

  /** Takes in `token`; the oldest leaves if there are R already. */
  push(token: number): void {
    const { length, order, seen } = this;
    // n-grams that begin with the token that leaves; the longer ones of them end nearer to now
    if (seen >= length) for (let n = 1; n <= Math.min(order, length); ++n) this.add(n, seen - length + n - 1, -1);
    // from the longest down: where R is 1, a shorter one overwrites what the longer one's context is read from
    for (let n = Math.min(order, seen + 1); n >= 1; --n) {
      this.ring[(seen % length) * order + n - 1] = this.tables[n - 1]!.findOrAdd(this.latest(n - 1), token);
    }
    this.seen = seen + 1;
    for (let n = 1; n <= Math.min(order, length, this.seen); ++n) this.add(n, seen, 1);
  }

  /** Adds to the n-gram that ends at place `at`. */
  private add(n: number, at: number, amount: 1 | -1): void {
    const node = this.ring[(at % this.length) * this.order + n - 1]!;
    this.counts[n - 1]!.add(node, amount);
    this.followed[n - 1]!.add(this.tables[n - 1]!.contextOf(node), amount);
  }

  /** The node of the latest n tokens. */
  private latest(n: number): number {
    return n === 0 ? 0 : this.ring[((this.seen - 1) % this.length) * this.order + n - 1]!;
  }
}
