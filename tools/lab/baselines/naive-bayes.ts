/**
 * Multinomial naive Bayes over the positions of the window: the plain explicit formula of one layer without hidden state, with one-hot
 * inputs (docs/method.md, step 3):
 *
 *   log p(y | x) ∝ log π_y + Σ_j log[(F_jxy + α π_y) / ((Σ_y F_jxy + α) π_y)]
 *
 * F_jxy counts y after x at position j, π_y = (count_y + 1) / (n + V). Before a text's start there is no token, and no factor.
 *
 * ```ts
 * const model = fitNaiveBayes(tokens, { window: 3, vocabulary: 1024, pseudoCounts: 100 });
 * model.score(heldOut); // Float64Array of log2 p
 * ```
 */
import { SaffuError } from "../../../host/errors.ts";
import { checkedToken } from "./counts.ts";
import type { LanguageModel } from "./kneser-ney.ts";
import { Counts, NodeTable } from "./trie.ts";

export interface NaiveBayesOptions {
  /** r ≥ 1 positions. */
  readonly window: number;
  /** V. */
  readonly vocabulary: number;
  /** α > 0. */
  readonly pseudoCounts: number;
}

export interface NaiveBayes extends LanguageModel {
  /** Bytes of sparse int8 rows: 3 a pair that was seen (token, factor), 8 a row (scale, first pair), 4 a token of V. */
  readonly bytes: number;
  /** Pairs of a token and one after it that were seen, over all positions. */
  readonly pairs: number;
}

/** @throws SaffuError INVALID_OPTION, TOKEN_OUT_OF_RANGE */
export function fitNaiveBayes(tokens: ArrayLike<number>, options: NaiveBayesOptions): NaiveBayes {
  const { window, pseudoCounts } = options;
  if (!Number.isInteger(window) || window < 1) {
    throw new SaffuError("INVALID_OPTION", `window must be an integer ≥ 1, got ${window}`);
  }
  if (!(pseudoCounts > 0)) throw new SaffuError("INVALID_OPTION", `pseudoCounts must be > 0, got ${pseudoCounts}`);
  return new Model(tokens, options);
}

/** A position's row of one token: the tokens that came after it there, and log[(F + α π) / (α π)] of each. */
interface Row {
  readonly tokens: readonly number[];
  readonly gains: readonly number[];
}

class Model implements NaiveBayes {
  readonly vocabulary: number;
  readonly bytes: number;
  readonly pairs: number;
  private readonly prior: Float64Array; // (V) π
  private readonly rows: readonly (Row | undefined)[]; // (r · V)
  private readonly gains: Float64Array; // (V) scratch, zeros between calls

  constructor(tokens: ArrayLike<number>, { window, vocabulary, pseudoCounts }: NaiveBayesOptions) {
    this.vocabulary = vocabulary;
    this.prior = new Float64Array(vocabulary).fill(1);
    const pairs = Array.from({ length: window }, () => ({ table: new NodeTable(), counts: new Counts() }));
    for (let at = 0; at < tokens.length; ++at) {
      const token = checkedToken(tokens[at]!, vocabulary);
      ++this.prior[token]!;
      for (let j = 0; j < Math.min(window, at); ++j) {
        const { table, counts } = pairs[j]!;
        counts.add(table.findOrAdd(tokens[at - 1 - j]!, token), 1);
      }
    }
    const prior = this.prior.map((count) => count / (tokens.length + vocabulary));
    this.prior = prior;
    const rows: ({ tokens: number[]; gains: number[] } | undefined)[] = new Array(window * vocabulary);
    pairs.forEach(({ table, counts }, j) => {
      for (let node = 1; node <= table.size; ++node) {
        rows[j * vocabulary + table.contextOf(node)] ??= { tokens: [], gains: [] };
        const row = rows[j * vocabulary + table.contextOf(node)]!;
        const token = table.tokenOf(node);
        row.tokens.push(token);
        row.gains.push(Math.log1p(counts.get(node) / (pseudoCounts * prior[token]!)));
      }
    });
    this.rows = rows;
    this.gains = new Float64Array(vocabulary);
    this.pairs = pairs.reduce((sum, { table }) => sum + table.size, 0);
    this.bytes = 3 * this.pairs + 8 * window * vocabulary + 4 * vocabulary;
  }

  probability(context: ArrayLike<number>, token: number): number {
    const { vocabulary, prior, rows, gains } = this;
    checkedToken(token, vocabulary);
    const named: number[] = [];
    for (let j = 0; j < Math.min(rows.length / vocabulary, context.length); ++j) {
      const row = rows[j * vocabulary + checkedToken(context[context.length - 1 - j]!, vocabulary)];
      if (row === undefined) continue;
      for (let i = 0; i < row.tokens.length; ++i) {
        const id = row.tokens[i]!;
        if (gains[id] === 0) named.push(id);
        gains[id]! += row.gains[i]!;
      }
    }
    const own = prior[token]! * Math.exp(gains[token]!);
    let total = 1; // Σ π over tokens that no row names, and what the others add
    for (const id of named) {
      total += prior[id]! * Math.expm1(gains[id]!);
      gains[id] = 0;
    }
    return own / total;
  }

  score(sequence: ArrayLike<number>): Float64Array {
    const window = this.rows.length / this.vocabulary;
    const tokens = Uint16Array.from(sequence);
    return Float64Array.from(tokens, (token, at) =>
      Math.log2(this.probability(tokens.subarray(Math.max(0, at - window), at), token)),
    );
  }
}
