/**
 * Modified Kneser-Ney of any size: n-grams whose loss changes the model least are pruned by relative entropy (Stolcke 1998), until
 * the rest fits a number of bytes; probabilities and back-off weights are quantised to 8 bits, 255 bins of equal population an order
 * (Federico & Bertoldi 2006), and what is scored is what was quantised.
 *
 * The probability of a history, which the criterion needs, is that of its raw counts: products of Kneser-Ney's lower orders, which
 * are continuation counts, would misjudge it (Chelba et al. 2010).
 *
 * ```ts
 * const model = pruneKneserNey(new NgramCounts(tokens, 5, 1024), { order: 5, bytes: 283_920 });
 * model.score(heldOut); // Float64Array of log2 p
 * ```
 */
import { SaffuError } from "../../../host/errors.ts";
import { checkedToken, checkOrder, type Level, type NgramCounts } from "./counts.ts";
import type { LanguageModel } from "./kneser-ney.ts";

export interface PrunedKneserNey extends LanguageModel {
  /** n-grams kept, order 1 (all of V) first. */
  readonly ngrams: readonly number[];
  /** What `encodedBytes` says of them. */
  readonly bytes: number;
}

/** One order of the back-off form. All arrays are by node; node 0 is none. */
interface Order {
  readonly level: Level;
  /** p(token | context), interpolated. */
  readonly p: Float64Array;
  /** The n-gram without its first token, one order below. */
  readonly suffix: Uint32Array;
  /** What pruning it would cost, or the dearest n-gram that begins with it, in nats of the training text's distribution. */
  readonly cost: Float64Array;
  readonly kept: Uint8Array;
  /** Back-off weight of the n-gram as a context, 1 where nothing that begins with it is kept. */
  readonly backOff: Float64Array;
}

/** The number of bins of a codebook; the code left over says "1", that of a context without n-grams. */
const BINS = 255;
/** A quantised context keeps at least this share of what it left to the orders below. */
const LEAST_LEFT = 0.5;

/** Prunes to at most `bytes`. @throws SaffuError INVALID_OPTION where `bytes` does not hold the unigrams */
export function pruneKneserNey(
  counts: NgramCounts,
  { order, bytes }: { order: number; bytes: number },
): PrunedKneserNey {
  checkOrder(order, counts.order);
  const unigrams = unigramsOf(counts.level(1, order === 1 ? "raw" : "continuation"), counts.vocabulary);
  const orders = interpolated(counts, order, unigrams);
  for (let n = order; n >= 2; --n) costs(orders, counts, n);
  const sizes = keepWithin(orders, counts.vocabulary, bytes);
  const model = new Pruned(orders, quantisedUnigrams(unigrams), counts.vocabulary, sizes);
  for (let n = 2; n <= order; ++n) model.quantise(n);
  return model;
}

/**
 * Bytes of a sorted trie that can be searched. Each order below the highest: token (⌈log2 V⌉ bits, none for unigrams, of which all
 * are there), probability (8), one bit for "has n-grams that begin with it" with a 32-bit rank every 512; for each that has, its
 * back-off weight (8) and first child (⌈log2(children + 1)⌉). The highest order: token and probability. A codebook has an f32
 * for each value, 256 at most.
 *
 * @param kept n-grams of each order
 * @param parents how many of them others begin with
 */
export function encodedBytes(vocabulary: number, kept: readonly number[], parents: readonly number[]): number {
  const width = (n: number) => Math.ceil(Math.log2(n));
  let bits = 0;
  let codes = 0;
  kept.forEach((n, i) => {
    bits += n * ((i === 0 ? 0 : width(vocabulary)) + 8);
    codes += Math.min(256, n);
    const more = parents[i] ?? 0;
    if (more === 0) return;
    bits += n + 32 * Math.ceil(n / 512) + more * (8 + width(kept[i + 1]! + 1));
    codes += Math.min(256, more);
  });
  return Math.ceil(bits / 8) + 4 * codes;
}

/** (V) p of each token without context. */
function unigramsOf({ table, counts, totals, left, discounts }: Level, vocabulary: number): Float64Array {
  const total = totals[0]!;
  const p = new Float64Array(vocabulary).fill(total > 0 ? left[0]! / total / vocabulary : 1 / vocabulary);
  for (let node = 1; node <= table.size; ++node) {
    p[table.tokenOf(node)]! += discounted(counts.get(node), discounts) / total;
  }
  return p;
}

/** Every order from 1 on, with interpolated probabilities. */
function interpolated(counts: NgramCounts, order: number, unigrams: Float64Array): Order[] {
  const orders: Order[] = [];
  for (let n = 1; n <= order; ++n) {
    const level = counts.level(n, n === order ? "raw" : "continuation");
    const { table, totals, left, discounts } = level;
    const below = orders[n - 2];
    const p = new Float64Array(table.size + 1);
    const suffix = new Uint32Array(table.size + 1);
    for (let node = 1; node <= table.size; ++node) {
      const token = table.tokenOf(node);
      if (below === undefined) {
        p[node] = unigrams[token]!;
        continue;
      }
      const context = table.contextOf(node);
      suffix[node] = below.level.table.find(below.suffix[context]!, token);
      const rest = left[context]! * below.p[suffix[node]!]!;
      p[node] = (discounted(level.counts.get(node), discounts) + rest) / totals[context]!;
    }
    const cost = new Float64Array(table.size + 1);
    const backOff = new Float64Array(table.size + 1).fill(1);
    orders.push({ level, p, suffix, cost, kept: new Uint8Array(table.size + 1), backOff });
  }
  return orders;
}

/** What each n-gram of order n costs to prune, and what that asks of its context. */
function costs(orders: readonly Order[], counts: NgramCounts, n: number): void {
  const { level, p, suffix, cost } = orders[n - 1]!;
  const below = orders[n - 2]!;
  const lower = (node: number) => below.p[suffix[node]!]!;
  const { explicit, backedOff } = sums(level, p, lower);
  const raw = counts.level(n - 1, "raw");
  const tokens = raw.totals.reduce((total, count) => total + count, 0);
  for (let node = 1; node <= level.table.size; ++node) {
    const context = level.table.contextOf(node);
    const [own, q] = [p[node]!, lower(node)];
    const left = Math.max(1e-12, 1 - explicit[context]!);
    const rest = Math.max(1e-12, 1 - backedOff[context]!);
    const before = Math.log(left / rest);
    const after = Math.log((left + own) / (rest + q));
    const divergence = own * (Math.log(own) - Math.log(q) - after) + left * (before - after);
    const change = (raw.counts.get(context) / tokens) * divergence;
    cost[node] = Math.max(cost[node]!, change); // not below what begins with it
    if (below.cost[context]! < cost[node]!) below.cost[context] = cost[node]!;
  }
}

/** By context: Σ p of the n-grams that begin with it (those kept, if `kept` is given), and Σ of what the order below says of them. */
function sums(level: Level, p: Float64Array, lower: (node: number) => number, kept?: Uint8Array) {
  const explicit = new Float64Array(level.totals.length);
  const backedOff = new Float64Array(level.totals.length);
  for (let node = 1; node <= level.table.size; ++node) {
    if (kept?.[node] === 0) continue;
    const context = level.table.contextOf(node);
    explicit[context]! += p[node]!;
    backedOff[context]! += lower(node);
  }
  return { explicit, backedOff };
}

/** n-grams kept of each order, and of each order but the highest how many of them others begin with. */
interface Sizes {
  readonly kept: readonly number[];
  readonly parents: readonly number[];
}

/** Keeps the dearest n-grams that fit. All unigrams stay. */
function keepWithin(orders: readonly Order[], vocabulary: number, bytes: number): Sizes {
  const costs = orders.slice(1).map(({ cost }) => cost.subarray(1));
  const thresholds = new Float64Array(costs.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const cost of costs) {
    thresholds.set(cost, at);
    at += cost.length;
  }
  thresholds.sort();
  const fits = (threshold: number) => {
    const { kept, parents } = keep(orders, vocabulary, threshold);
    return encodedBytes(vocabulary, kept, parents) <= bytes;
  };
  if (!fits(Number.POSITIVE_INFINITY)) {
    throw new SaffuError("INVALID_OPTION", `bytes must hold ${vocabulary} unigrams, got ${bytes}`);
  }
  let [from, to] = [0, thresholds.length]; // the first threshold that fits lies in between
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (fits(thresholds[middle]!)) to = middle;
    else from = middle + 1;
  }
  return keep(orders, vocabulary, thresholds[from] ?? Number.POSITIVE_INFINITY);
}

/** Keeps what costs at least `threshold`. */
function keep(orders: readonly Order[], vocabulary: number, threshold: number): Sizes {
  const kept = [vocabulary];
  const parents: number[] = [];
  orders.forEach((order, i) => {
    const begun = new Set<number>();
    let n = 0;
    for (let node = 1; node < order.kept.length; ++node) {
      order.kept[node] = Number(i === 0 || order.cost[node]! >= threshold);
      if (order.kept[node] === 0 || i === 0) continue;
      ++n;
      begun.add(order.level.table.contextOf(node));
    }
    if (i > 0) {
      kept.push(n);
      parents.push(begun.size);
    }
  });
  return { kept, parents };
}

/** 8-bit unigrams that sum to 1: the codebook is scaled. */
function quantisedUnigrams(unigrams: Float64Array): Float64Array {
  const values = codebook(unigrams, BINS + 1);
  const total = values.reduce((sum, p) => sum + p, 0);
  return values.map((p) => p / total);
}

/** Each value replaced by the geometric mean of its bin; bins hold equally many. */
function codebook(values: Float64Array, bins: number): Float64Array {
  const order = Uint32Array.from(values.keys()).sort((a, b) => values[a]! - values[b]!);
  const out = new Float64Array(values.length);
  for (let bin = 0; bin < bins; ++bin) {
    const members = order.subarray(
      Math.floor((bin * order.length) / bins),
      Math.floor(((bin + 1) * order.length) / bins),
    );
    const mean = members.reduce((sum, at) => sum + Math.log(values[at]!), 0) / members.length;
    for (const at of members) out[at] = Math.exp(mean);
  }
  return out;
}

class Pruned implements PrunedKneserNey {
  readonly ngrams: readonly number[];
  readonly bytes: number;

  constructor(
    private readonly orders: readonly Order[],
    private readonly unigrams: Float64Array,
    readonly vocabulary: number,
    { kept, parents }: Sizes,
  ) {
    this.ngrams = kept;
    this.bytes = encodedBytes(vocabulary, kept, parents);
  }

  /** Quantises order n and the back-off weights of its contexts, the orders below being done. */
  quantise(n: number): void {
    const { level, p, kept } = this.orders[n - 1]!;
    const { table } = level;
    const nodes = [...kept.keys()].filter((node) => kept[node] === 1);
    const context: number[] = [];
    const lower = new Float64Array(table.size + 1);
    for (const node of nodes) {
      context.length = 0;
      for (let at = node, order = n; order >= 1; --order) {
        const { table } = this.orders[order - 1]!.level;
        context.unshift(table.tokenOf(at));
        at = table.contextOf(at);
      }
      const token = context.pop()!;
      lower[node] = this.probability(context.slice(1), token);
    }
    const before = sums(level, p, (node) => lower[node]!, kept);
    const codes = codebook(
      Float64Array.from(nodes, (node) => p[node]!),
      BINS + 1,
    );
    nodes.forEach((node, i) => {
      p[node] = codes[i]!;
    });
    const after = sums(level, p, (node) => lower[node]!, kept);
    const parents = [...new Set(nodes.map((node) => table.contextOf(node)))];
    const weights = parents.map((parent) => {
      const left = Math.max(1 - after.explicit[parent]!, LEAST_LEFT * (1 - before.explicit[parent]!), 1e-9);
      return left / Math.max(1e-9, 1 - after.backedOff[parent]!);
    });
    const quantised = codebook(Float64Array.from(weights), BINS);
    const { backOff } = this.orders[n - 2]!;
    parents.forEach((parent, i) => {
      backOff[parent] = quantised[i]!;
    });
  }

  probability(context: ArrayLike<number>, token: number): number {
    const nodes = new Uint32Array(this.orders.length + 1);
    const first = Math.max(0, context.length - this.orders.length + 1);
    for (let at = first; at < context.length; ++at) this.step(nodes, context[at]!);
    return this.step(nodes, token);
  }

  score(sequence: ArrayLike<number>): Float64Array {
    const nodes = new Uint32Array(this.orders.length + 1);
    return Float64Array.from(sequence, (token) => Math.log2(this.step(nodes, token)));
  }

  /** p(token) after what `nodes` stands for, which then takes the token in. @param nodes [n] the last n tokens if kept, or 0 */
  private step(nodes: Uint32Array, token: number): number {
    let p = this.unigrams[checkedToken(token, this.vocabulary)]!;
    let context = 0; // the n − 1 tokens before
    this.orders.forEach(({ level, kept, p: own }, i) => {
      const n = i + 1;
      const found = n === 1 || context !== 0 ? level.table.find(context, token) : 0;
      const node = kept[found] === 1 ? found : 0;
      if (n > 1 && context !== 0) p = node === 0 ? p * this.orders[i - 1]!.backOff[context]! : own[node]!;
      context = nodes[n]!;
      nodes[n] = node;
    });
    return p;
  }
}

function discounted(count: number, discounts: readonly [number, number, number]): number {
  return count === 0 ? 0 : count - discounts[Math.min(count, 3) - 1]!;
}
