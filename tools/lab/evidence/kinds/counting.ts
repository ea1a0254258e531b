/** Baselines that count: Kneser-Ney, whole or pruned, and naive Bayes; each without and with a cache as long as self-attention's ring. */
import { fitCache, scoreWithCache } from "../../baselines/cache.ts";
import { NgramCounts } from "../../baselines/counts.ts";
import { fitKneserNey, type LanguageModel } from "../../baselines/kneser-ney.ts";
import { fitNaiveBayes } from "../../baselines/naive-bayes.ts";
import { pruneKneserNey } from "../../baselines/pruned.ts";
import { withoutTail } from "../../baselines/table.ts";
import { type LoadedData, VOCABULARY } from "../data.ts";
import type { Job, Options, Result } from "../job.ts";
import { SHAPE } from "./explicit.ts";
import { clock, held, peakMemory } from "./measure.ts";

const COMMON = [
  ...["cache", "counts", "kneser-ney", "table", "trie", "window"].map((name) => `tools/lab/baselines/${name}.ts`),
  "tools/lab/evidence/kinds/counting.ts",
];
/** The sources that decide how a baseline comes out. */
export const KNESER_NEY_SOURCES = [...COMMON, "tools/lab/baselines/pruned.ts"];
export const NAIVE_BAYES_SOURCES = [...COMMON, "tools/lab/baselines/naive-bayes.ts"];

interface Sized {
  readonly model: LanguageModel;
  readonly bytes: number;
  /** n-grams, or pairs. */
  readonly parameters: number;
}

/** `order`, `cache` and, if pruned, `bytes`. */
export function kneserNey({ options }: Job, data: LoadedData): Result {
  const order = Number(options.order);
  const bytes = options.bytes === undefined ? undefined : Number(options.bytes);
  return measured(data, Number(options.cache), (tokens) => {
    const model =
      bytes === undefined
        ? fitKneserNey(tokens, { order, vocabulary: VOCABULARY })
        : pruneKneserNey(new NgramCounts(tokens, order, VOCABULARY), { order, bytes });
    const parameters = model.ngrams.reduce((sum, n) => sum + n, 0);
    return { model, bytes: model.bytes, parameters };
  });
}

/** `window`, `pseudoCounts` and `cache`. */
export function naiveBayes({ options }: Job, data: LoadedData): Result {
  const { window, pseudoCounts } = options as Options & { window: number; pseudoCounts: number };
  return measured(data, Number(options.cache), (tokens) => {
    const model = fitNaiveBayes(tokens, { window, pseudoCounts, vocabulary: VOCABULARY });
    return { model, bytes: model.bytes, parameters: model.pairs };
  });
}

/** @param length of the cache, in tokens */
function measured(data: LoadedData, length: number, fit: (tokens: Uint16Array) => Sized): Result {
  const time = clock();
  const { model, bytes, parameters } = fit(data.tokens);
  const seconds = time();
  const peakMemoryBytes = peakMemory();
  const { head, tail } = withoutTail(data.tokens);
  // history attention matches up to `orders` tokens before the one that it predicts: the cache does, too
  const cache = fitCache(fit(head).model, tail, { length, order: SHAPE.matchLength + 1 });
  return {
    alone: held(data, (sequence) => model.score(sequence)),
    recency: held(data, (sequence) => scoreWithCache(model, cache, sequence, true)),
    trainTokens: data.trainTokens,
    parameters,
    bytes,
    seconds,
    compileSeconds: 0,
    peakMemoryBytes,
  };
}
