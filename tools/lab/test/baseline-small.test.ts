/** Baselines of a chosen size, and naive Bayes: they are distributions, and say what an independent count says. */
import { describe, expect, test } from "vitest";
import { NgramCounts } from "../baselines/counts.ts";
import { fitKneserNey } from "../baselines/kneser-ney.ts";
import { fitNaiveBayes } from "../baselines/naive-bayes.ts";
import { encodedBytes, pruneKneserNey } from "../baselines/pruned.ts";
import { benchCorpus, firstWords } from "../corpora/gutenberg.ts";

const V = 256;
const encoder = new TextEncoder();
const { train, dev } = benchCorpus();
const tokens = Uint16Array.from(encoder.encode(firstWords(train, 6000)));
const heldOut = Uint16Array.from(encoder.encode(firstWords(dev[0]!.text, 1000)));
const bits = (scores: Float64Array) => -scores.reduce((sum, score) => sum + score, 0);
const total = (model: { probability(context: number[], token: number): number }, context: number[]) =>
  Array.from({ length: V }, (_, token) => model.probability(context, token)).reduce((sum, p) => sum + p, 0);
const contexts = [[], [101], [32, 116], [32, 116, 104], [122, 122, 122, 122], [1, 104, 101, 32]];

describe("Kneser-Ney pruned to a number of bytes", () => {
  const counts = new NgramCounts(tokens, 5, V);
  const sized = (bytes: number, order = 5) => pruneKneserNey(counts, { order, bytes });

  test("keeps to them, and uses nearly all", () => {
    for (const bytes of [8000, 20_000, 50_000]) {
      const { bytes: found } = sized(bytes);
      expect(found).toBeLessThanOrEqual(bytes);
      expect(found).toBeGreaterThan(0.98 * bytes);
    }
  });

  test("with room for all, scores as the unpruned model does but for 8 bits", () => {
    for (const order of [2, 3, 5]) {
      const whole = bits(fitKneserNey(tokens, { order, vocabulary: V }).score(heldOut));
      expect(bits(sized(1e7, order).score(heldOut)) / whole).toBeCloseTo(1, 2);
    }
  });

  test("is better the more bytes it has", () => {
    const found = [8000, 20_000, 50_000].map((bytes) => bits(sized(bytes).score(heldOut)));
    expect(found).toEqual([...found].sort((a, b) => b - a));
  });

  test("sums to 1 over the vocabulary but for 8 bits", () => {
    const model = sized(30_000);
    for (const context of contexts) expect(Math.abs(total(model, context) - 1)).toBeLessThan(0.03);
  });

  test("scores a sequence as it does its tokens one by one", () => {
    const model = sized(20_000);
    const some = heldOut.subarray(0, 50);
    const single = Array.from(some, (token, at) => Math.log2(model.probability(some.subarray(0, at), token)));
    expect(Array.from(model.score(some))).toEqual(single);
  });

  test("refuses fewer bytes than its unigrams take", () => {
    expect(() => sized(100)).toThrow("bytes must hold 256 unigrams, got 100");
  });

  test("counts bytes by its formula", () => {
    // 8 unigrams of 8 + 1 bits and a rank, 2 of them with 8 + 3 bits; 4 bigrams of 3 + 8 bits; codebooks of 8, 2 and 4
    expect(encodedBytes(8, [8, 4], [2])).toBe(Math.ceil((8 * 9 + 32 + 2 * 11 + 4 * 11) / 8) + 4 * (8 + 2 + 4));
  });
});

describe("naive Bayes", () => {
  const model = fitNaiveBayes(tokens, { window: 3, vocabulary: V, pseudoCounts: 50 });

  test("sums to 1 over the vocabulary", () => {
    for (const context of contexts) expect(total(model, context)).toBeCloseTo(1, 10);
  });

  test("with one position is the conditional distribution smoothed by the prior", () => {
    const one = fitNaiveBayes(tokens, { window: 1, vocabulary: V, pseudoCounts: 50 });
    const prior = (token: number) => (tokens.filter((id) => id === token).length + 1) / (tokens.length + V);
    const after = tokens.filter((_, at) => at > 0 && tokens[at - 1] === 116);
    const count = after.filter((token) => token === 104).length;
    expect(one.probability([116], 104)).toBeCloseTo((count + 50 * prior(104)) / (after.length + 50), 10);
  });

  test("is better than the unigram", () => {
    const unigram = fitKneserNey(tokens, { order: 1, vocabulary: V });
    expect(bits(model.score(heldOut))).toBeLessThan(bits(unigram.score(heldOut)));
  });

  test("refuses options out of range", () => {
    expect(() => fitNaiveBayes(tokens, { window: 0, vocabulary: V, pseudoCounts: 1 })).toThrow("window must be");
    expect(() => fitNaiveBayes(tokens, { window: 1, vocabulary: V, pseudoCounts: 0 })).toThrow("pseudoCounts must be");
  });
});
