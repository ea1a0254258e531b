/**
 * Interpolated modified Kneser-Ney (Chen & Goodman 1999), orders 1 to 5: raw counts at the highest order, continuation counts
 * below, three discounts an order, and the uniform distribution at the bottom. Every token of a sequence is scored: near its start
 * the context is as long as there are tokens, and the order that fits it predicts by its continuation counts.
 *
 * ```ts
 * const model = fitKneserNey(tokens, { order: 3, vocabulary: 1024 });
 * model.score(heldOut); // Float64Array of log2 p
 * ```
 */
import { checkedToken, checkOrder, type Level, NgramCounts, type Sequences } from "./counts.ts";

/** Anything that predicts the next token of a sequence. */
export interface LanguageModel {
  /** V. */
  readonly vocabulary: number;
  /** p(token | context), the context's last token being the nearest. @throws SaffuError TOKEN_OUT_OF_RANGE */
  probability(context: ArrayLike<number>, token: number): number;
  /** log2 p of each token given those before it in the sequence. @throws SaffuError TOKEN_OUT_OF_RANGE */
  score(sequence: ArrayLike<number>): Float64Array;
}

export interface KneserNey extends LanguageModel {
  readonly order: number;
  /** Distinct n-grams, order 1 first. */
  readonly ngrams: readonly number[];
  /**
   * Bytes of a compact table that can score, which is less than what this process holds: a sorted trie with 16-bit probabilities
   * and back-offs. 4 an n-gram of the highest order (token, probability), 10 below it (and back-off, and 32-bit first child).
   */
  readonly bytes: number;
}

/** Fits one order. @param sequences contexts do not reach from one into the next. @throws SaffuError INVALID_OPTION, TOKEN_OUT_OF_RANGE */
export function fitKneserNey(sequences: Sequences, options: { order: number; vocabulary: number }): KneserNey {
  return kneserNeyOf(new NgramCounts(sequences, options.order, options.vocabulary), options.order);
}

/** The model of an order from counts up to that order or a higher one. @throws SaffuError INVALID_OPTION */
export function kneserNeyOf(counts: NgramCounts, order: number): KneserNey {
  checkOrder(order, counts.order);
  const levels = Array.from({ length: order }, (_, i) => counts.level(i + 1, i + 1 === order ? "raw" : "continuation"));
  return new Model(levels, counts.vocabulary);
}

class Model implements KneserNey {
  readonly order: number;
  readonly ngrams: readonly number[];
  readonly bytes: number;

  constructor(
    private readonly levels: readonly Level[],
    readonly vocabulary: number,
  ) {
    this.order = levels.length;
    this.ngrams = levels.map(({ table }) => table.size);
    this.bytes = this.ngrams.reduce((sum, n, i) => sum + n * (i + 1 === this.order ? 4 : 10), 0);
  }

  probability(context: ArrayLike<number>, token: number): number {
    const nodes = new Uint32Array(this.order + 1);
    const first = Math.max(0, context.length - this.order + 1);
    for (let at = first; at < context.length; ++at) this.step(nodes, context[at]!, at - first);
    return this.step(nodes, token, context.length - first);
  }

  score(sequence: ArrayLike<number>): Float64Array {
    const out = new Float64Array(sequence.length);
    const nodes = new Uint32Array(this.order + 1);
    for (let at = 0; at < sequence.length; ++at) out[at] = Math.log2(this.step(nodes, sequence[at]!, at));
    return out;
  }

  /**
   * p(token) after what `nodes` stands for, which then takes the token in.
   *
   * @param nodes (order + 1) [n] the node of the last n tokens, 0 if there is none; [0] the empty context
   * @param seen tokens so far
   */
  private step(nodes: Uint32Array, token: number, seen: number): number {
    checkedToken(token, this.vocabulary);
    let p = 1 / this.vocabulary;
    let context = 0; // the n − 1 tokens before
    for (let n = 1; n <= Math.min(this.order, seen + 1); ++n) {
      const { table, counts, totals, left, discounts } = this.levels[n - 1]!;
      let node = 0;
      if (n === 1 || context !== 0) {
        node = table.find(context, token);
        const total = totals[context]!;
        // a context that nothing followed leaves all to the order below
        if (total > 0) {
          const count = counts.get(node);
          const kept = count === 0 ? 0 : count - discounts[Math.min(count, 3) - 1]!;
          p = (kept + left[context]! * p) / total;
        }
      }
      context = nodes[n]!;
      nodes[n] = node;
    }
    return p;
  }
}
