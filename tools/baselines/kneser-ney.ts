/**
 * Interpolated modified Kneser-Ney (Chen & Goodman 1999), orders 1 to 5: raw counts at the highest order, continuation counts
 * below, three discounts an order, and a uniform distribution at the bottom. Every token of a sequence is scored; near its start
 * the context is as long as it can be, with the continuation counts of the lower orders.
 *
 * ```ts
 * const model = fitKneserNey([tokens], { order: 3, vocabulary: 1024 });
 * model.score(heldOut); // Float64Array of log2 p
 * ```
 */
import { Counts, NodeTable } from "./trie.ts";

export interface KneserNey {
  readonly order: number;
  readonly vocabulary: number;
  /** n-grams with a count, by order, 1 first. */
  readonly ngrams: readonly number[];
  /** Bytes of the plainest table that can score: for each n-gram a 16-bit token, a 32-bit context, a 16-bit probability, a 16-bit back-off. */
  readonly bytes: number;
  /** p(token | context), the context's last tokens being the nearest. */
  probability(context: ArrayLike<number>, token: number): number;
  /** log2 p of each token given those before it. */
  score(sequence: ArrayLike<number>): Float64Array;
}

/** One order: its n-grams, their counts, and for each context what discounting leaves for the order below. */
interface Level {
  readonly table: NodeTable;
  readonly counts: Counts;
  readonly totals: Counts;
  readonly left: Counts;
  readonly discounts: readonly number[];
}

/**
 * Fits a model.
 *
 * @param sequences token ids; contexts do not reach from one into the next
 * @param options.order 1 to 5
 */
export function fitKneserNey(
  sequences: readonly ArrayLike<number>[],
  { order, vocabulary }: { order: number; vocabulary: number },
): KneserNey {
  if (!Number.isInteger(order) || order < 1 || order > 5) throw new RangeError(`order must be in 1..5, got ${order}`);
  const tables = Array.from({ length: order }, () => new NodeTable());
  const counts = Array.from({ length: order }, () => new Counts());
  // n-grams in their own order, and continuation counts: an n-gram of order k + 1 seen first adds one to its last k tokens
  for (const sequence of sequences) {
    for (let at = 0; at < sequence.length; ++at) {
      let isNew = true; // whether the n-gram one longer is new
      for (let n = Math.min(order, at + 1); n >= 1; --n) {
        const highest = n === order;
        if (!highest && !isNew && n < Math.min(order, at + 1)) break;
        let node = 0;
        for (let i = at - n + 1; i < at; ++i) node = tables[i - (at - n + 1)]!.findOrAdd(node, sequence[i]!);
        node = tables[n - 1]!.findOrAdd(node, sequence[at]!);
        const before = counts[n - 1]!.add(node, 1);
        isNew = before === 0;
      }
    }
  }
  const levels = tables.map((table, i) => level(table, counts[i]!));
  return new Model(levels, vocabulary, counts);
}

function level(table: NodeTable, counts: Counts): Level {
  const ofCount = [0, 0, 0, 0, 0];
  for (let node = 1; node <= table.size; ++node) {
    const count = counts.get(node);
    if (count >= 1 && count <= 4) ++ofCount[count]!;
  }
  return { table, counts, totals: new Counts(), left: new Counts(), discounts: discountsOf(ofCount) };
}

/** D1, D2, D3+ at 0, 1, 2 from counts of counts; where one of those is zero, absolute discounting by 0.5. */
function discountsOf(n: readonly number[]): number[] {
  const y = n[1]! / (n[1]! + 2 * n[2]!);
  return [1, 2, 3].map((k) => {
    const discount = k - ((k + 1) * y * n[k + 1]!) / n[k]!;
    return Number.isFinite(discount) && discount > 0 && discount < k ? discount : 0.5;
  });
}

class Model implements KneserNey {
  readonly order: number;
  readonly ngrams: number[];
  readonly bytes: number;

  constructor(
    private readonly levels: readonly Level[],
    readonly vocabulary: number,
    counts: readonly Counts[],
  ) {
    this.order = levels.length;
    this.ngrams = levels.map(({ table }, i) => {
      let n = 0;
      for (let node = 1; node <= table.size; ++node) if (counts[i]!.get(node) > 0) ++n;
      return n;
    });
    this.bytes = this.ngrams.reduce((sum, n) => sum + 10 * n, 0);
    for (let i = 0; i < levels.length; ++i) this.sumContexts(i);
  }

  /** Totals and discounted mass of each context of one order: the tables are keyed by context, so one walk sums them. */
  private sumContexts(i: number): void {
    const { table, counts, totals, left, discounts } = this.levels[i]!;
    table.forEach((context, node) => {
      const count = counts.get(node);
      if (count === 0) return;
      totals.add(context, count);
      left.add(context, discounts[Math.min(count, 3) - 1]!);
    });
  }

  probability(context: ArrayLike<number>, token: number): number {
    let p = 1 / this.vocabulary;
    for (let n = 1; n <= Math.min(this.order, context.length + 1); ++n) {
      let node = 0;
      let known = true;
      for (let i = 0; i < n - 1 && known; ++i) {
        node = this.levels[i]!.table.find(node, context[context.length - n + 1 + i]!);
        known = node !== 0;
      }
      if (!known) break;
      const { table, counts, totals, left, discounts } = this.levels[n - 1]!;
      const total = totals.get(node);
      if (total === 0) break; // nothing followed this context, and nothing longer can have been followed either
      const count = counts.get(table.find(node, token));
      const kept = count === 0 ? 0 : count - discounts[Math.min(count, 3) - 1]!;
      p = (kept + left.get(node) * p) / total;
    }
    return p;
  }

  score(sequence: ArrayLike<number>): Float64Array {
    const out = new Float64Array(sequence.length);
    const context: number[] = [];
    for (let at = 0; at < sequence.length; ++at) {
      out[at] = Math.log2(this.probability(context, sequence[at]!));
      context.push(sequence[at]!);
      if (context.length >= this.order) context.shift();
    }
    return out;
  }
}
