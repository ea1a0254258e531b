/** Kneser-Ney of some orders, without and with a cache, over the same tokens as a model: the rows of every comparison. */
import { type Cache, fitCache, scoreWithCache } from "./cache.ts";
import { NgramCounts } from "./counts.ts";
import { kneserNeyOf } from "./kneser-ney.ts";

export interface BaselineRow {
  readonly order: number;
  /** Distinct n-grams of all orders. */
  readonly ngrams: number;
  /** As `KneserNey.bytes`. The cache adds 2 a token of its window. */
  readonly bytes: number;
  /** Σ −log2 p of each group of sequences. */
  readonly bits: readonly number[];
  readonly bitsWithCache: readonly number[];
}

export interface TableOptions {
  readonly orders: readonly number[];
  readonly vocabulary: number;
  /** R, tokens. */
  readonly cacheLength: number;
  /** As `CacheOptions.order`. */
  readonly cacheOrder?: number;
}

/** Share of the training tokens on which cache weights are found, and the most of them: as for a model's gate. */
const TAIL_SHARE = 0.05;
const TAIL_MOST = 65536;

/**
 * @param groups held-out texts: bits are summed over each group's sequences, each scored from an empty context and an empty cache
 * @throws SaffuError INVALID_OPTION, TOKEN_OUT_OF_RANGE
 */
export function kneserNeyTable(
  train: Uint16Array,
  groups: readonly (readonly Uint16Array[])[],
  options: TableOptions,
): BaselineRow[] {
  const { orders, vocabulary } = options;
  const caches = cachesOf(train, options);
  const counts = new NgramCounts(train, Math.max(...orders), vocabulary);
  return orders.map((order, i) => {
    const model = kneserNeyOf(counts, order);
    const bits = (score: (sequence: Uint16Array) => Float64Array) =>
      groups.map((group) => sum(group.map((sequence) => -sum(score(sequence)))));
    return {
      order,
      ngrams: sum(model.ngrams),
      bytes: model.bytes,
      bits: bits((sequence) => model.score(sequence)),
      bitsWithCache: bits((sequence) => scoreWithCache(model, caches[i]!, sequence, true)),
    };
  });
}

/** Weights found on the tail of `train`, by models of what is before: one that has seen the tail would be trusted too much. */
function cachesOf(train: Uint16Array, { orders, vocabulary, cacheLength, cacheOrder = 3 }: TableOptions): Cache[] {
  const { head, tail } = withoutTail(train);
  const counts = new NgramCounts(head, Math.max(...orders), vocabulary);
  const options = { length: cacheLength, order: cacheOrder };
  return orders.map((order) => fitCache(kneserNeyOf(counts, order), tail, options));
}

/** Training tokens, and those at their end on which cache weights are found. */
export function withoutTail(train: Uint16Array): { head: Uint16Array; tail: Uint16Array } {
  const cut = train.length - Math.min(TAIL_MOST, Math.floor(train.length * TAIL_SHARE));
  return { head: train.subarray(0, cut), tail: train.subarray(cut) };
}

function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < values.length; ++i) total += values[i]!;
  return total;
}
