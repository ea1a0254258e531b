/** Kneser-Ney of some orders, without and with a cache, over the same tokens as a model: the rows of every comparison. */
import { fitCache, scoreWithCache } from "./cache.ts";
import { fitKneserNey } from "./kneser-ney.ts";

export interface BaselineRow {
  readonly order: number;
  readonly ngrams: number;
  readonly bytes: number;
  /** Σ −log2 p of each group of sequences. */
  readonly bits: readonly number[];
  readonly bitsWithCache: readonly number[];
}

/** Share of the training tokens on which cache weights are found, and the most of them. */
const TAIL_SHARE = 0.05;
const TAIL_MOST = 65536;

/**
 * @param groups held-out texts: bits are summed over each group's sequences, each scored from an empty context
 */
export function kneserNeyTable(
  train: Uint16Array,
  groups: readonly (readonly Uint16Array[])[],
  { orders, cacheLength, vocabulary }: { orders: readonly number[]; cacheLength: number; vocabulary: number },
): BaselineRow[] {
  const tail = train.length - Math.min(TAIL_MOST, Math.floor(train.length * TAIL_SHARE));
  return orders.map((order) => {
    // weights found on text that the model was fitted on would trust it too much
    const withoutTail = fitKneserNey([train.subarray(0, tail)], { order, vocabulary });
    const cache = fitCache(withoutTail, [train.subarray(tail)], cacheLength);
    const model = fitKneserNey([train], { order, vocabulary });
    const total = (scores: Float64Array) => -scores.reduce((sum, score) => sum + score, 0);
    const sum = (values: number[]) => values.reduce((all, value) => all + value, 0);
    return {
      order,
      ngrams: sum([...model.ngrams]),
      bytes: model.bytes,
      bits: groups.map((group) => sum(group.map((sequence) => total(model.score(sequence))))),
      bitsWithCache: groups.map((group) => sum(group.map((sequence) => total(scoreWithCache(model, cache, sequence))))),
    };
  });
}
