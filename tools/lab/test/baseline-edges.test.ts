import { describe, expect, it } from "vitest";
import { type Cache, probabilityWithCache } from "../baselines/cache.ts";
import { fitKneserNey } from "../baselines/kneser-ney.ts";

describe("Kneser-Ney over many sequences", () => {
  it("takes the start of a sequence for one left neighbour, however many sequences begin alike", () => {
    // 0 follows the start alone and 1 follows 0 alone: one left neighbour each, so without a context neither is likelier
    const model = fitKneserNey(
      [1, 2, 3].map(() => Uint16Array.of(0, 1)),
      { order: 2, vocabulary: 4 },
    );
    expect(model.probability([], 0)).toBe(model.probability([], 1));
    expect(model.probability([], 0)).toBeGreaterThan(model.probability([], 2));
  });
});

describe("the cache's gate", () => {
  it("tells matches that occur once, twice, and three times or more", () => {
    const model = fitKneserNey(new Uint16Array(0), { order: 1, vocabulary: 4 }); // uniform: 1/4 is the model's word
    const repeated = (times: number) => [...Array.from({ length: times }, () => [0, 1]).flat(), 0]; // 1 came after 0 so often
    for (const [trusted, occurrences] of [[1], [2], [3, 4, 5]].entries()) {
      // the bigram cache is trusted in one bucket, the model in all others; buckets: empty, three of unigrams, three of bigrams
      const weights = Float64Array.from({ length: 7 * 3 }, (_, i) => {
        const part = Math.floor(i / 3) === 4 + trusted ? 2 : 0;
        return i % 3 === part ? 1 : 0;
      });
      const cache: Cache = { length: 64, order: 2, weights };
      for (const times of [1, 2, 3, 4, 5]) {
        expect(probabilityWithCache(model, cache, repeated(times), 1)).toBe(occurrences.includes(times) ? 1 : 1 / 4);
      }
    }
  });
});
