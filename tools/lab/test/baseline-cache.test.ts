import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Cache, fitCache, probabilityWithCache, scoreWithCache } from "../baselines/cache.ts";
import { fitKneserNey } from "../baselines/kneser-ney.ts";
import { kneserNeyTable } from "../baselines/table.ts";
import { RecencyWindow } from "../baselines/window.ts";
import { benchCorpus } from "../corpora/gutenberg.ts";

const { train, dev } = benchCorpus();
const bytes = (text: string) => Uint16Array.from(Buffer.from(text, "latin1"));
const tokens = bytes(train.slice(0, 200_000));
const model = fitKneserNey(tokens, { order: 3, vocabulary: 256 });
const tail = bytes(train.slice(200_000, 220_000));
const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);

describe("window", () => {
  it("counts what stands in the last R tokens and nothing else", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(2), { maxLength: 60 }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 5 }),
        (sequence, length, order) => {
          const window = new RecencyWindow(length, order);
          sequence.forEach((token, at) => {
            const held = sequence.slice(Math.max(0, at - length), at);
            for (let n = 1; n <= order; ++n) {
              const after = held.filter(
                (_, i) =>
                  i >= n - 1 && `${held.slice(i - n + 1, i)}` === `${sequence.slice(Math.max(0, at - n + 1), at)}`,
              );
              expect(window.total(n)).toBe(after.length);
              for (let next = 0; next < 3; ++next) {
                expect(window.count(n, next)).toBe(after.filter((follower) => follower === next).length);
              }
            }
            window.push(token);
          });
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe("Kneser-Ney with a cache", () => {
  it("sums to one wherever in a text, at all orders of model and cache", () => {
    const vocabulary = 5;
    const text = fc.array(fc.nat(vocabulary - 1), { maxLength: 50 }).map((all) => Uint16Array.from(all));
    fc.assert(
      fc.property(
        text,
        text,
        text,
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 30 }),
        (seen, tuning, context, order, cacheOrder, length) => {
          const small = fitKneserNey(seen, { order, vocabulary });
          const cache = fitCache(small, tuning, { length, order: cacheOrder });
          let total = 0;
          for (let token = 0; token < vocabulary; ++token) {
            const p = probabilityWithCache(small, cache, context, token);
            expect(p).toBeGreaterThan(0);
            total += p;
          }
          expect(total).toBeCloseTo(1, 12);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("scores a text as it gives the probability of each of its tokens", () => {
    const cache = fitCache(model, tail, { length: 300 });
    const scores = scoreWithCache(model, cache, tail);
    for (const at of [0, 1, 2, 299, 300, 301, 1000]) {
      expect(2 ** scores[at]!).toBeCloseTo(probabilityWithCache(model, cache, tail.slice(0, at), tail[at]!), 12);
    }
  });

  it("is the mixture that it says it is", () => {
    // by hand: "a b c a b", window of 4 = "b c a b"; before the next token, "b" was followed by c once and "a b" by nothing
    const abc = Uint16Array.of(0, 1, 2, 0, 1);
    const small = fitKneserNey(abc, { order: 2, vocabulary: 4 });
    const cache = fitCache(small, abc, { length: 4 });
    const bucket = 1 + 1 * 3 + 0; // longest match a bigram, once
    const [l0, l1, l2, l3] = cache.weights.subarray(bucket * 4, bucket * 4 + 4);
    expect(l3).toBe(0);
    expect(probabilityWithCache(small, cache, abc, 2)).toBeCloseTo(l0! * small.probability(abc, 2) + l1! / 4 + l2!, 12);
    expect(probabilityWithCache(small, cache, abc, 1)).toBeCloseTo(l0! * small.probability(abc, 1) + l1! / 2, 12);
  });

  it("has weights that no other near them beats on the text they were found on", () => {
    const cache = fitCache(model, tail, { length: 512 });
    // EM's prior is one place a part
    const prior = (weights: Float64Array) => sum(weights.map((weight) => (weight > 0 ? Math.log2(weight) : 0)));
    const bits = (weights: Float64Array) =>
      -sum(scoreWithCache(model, { ...cache, weights } satisfies Cache, tail)) - prior(weights);
    const best = bits(cache.weights);
    const parts = 1 + cache.order;
    for (let bucket = 1; bucket < cache.weights.length / parts; ++bucket) {
      for (const moved of [0.05, -0.05]) {
        const weights = cache.weights.slice();
        const row = weights.subarray(bucket * parts, (bucket + 1) * parts);
        const from = row[0]!;
        row[0] = Math.min(0.99, Math.max(0.01, from + moved));
        for (let part = 1; part < parts; ++part) row[part]! *= (1 - row[0]!) / (1 - from);
        expect(best).toBeLessThan(bits(weights) + 0.05); // of 57,000 bits: where EM stops
      }
    }
  });

  it("gains on text that repeats itself, and on a book", () => {
    const cache = fitCache(model, tail, { length: 1024 });
    const passage = dev[0]!.text.slice(0, 500);
    for (const text of [bytes(passage + passage), bytes(dev[0]!.text)]) {
      expect(-sum(scoreWithCache(model, cache, text))).toBeLessThan(-sum(model.score(text)));
    }
  });

  it("begins each sequence with an empty cache, like the model", () => {
    const cache = fitCache(model, tail, { length: 1024 });
    const first = scoreWithCache(model, cache, tail.subarray(0, 100));
    scoreWithCache(model, cache, tail);
    expect(scoreWithCache(model, cache, tail.subarray(0, 100))).toEqual(first);
    expect(first[0]).toBeCloseTo(model.score(tail)[0]!, 12);
  });

  it("follows a text where it is to, by the responsibilities of each bucket's places", () => {
    const cache = fitCache(model, tail, { length: 512 });
    const text = bytes(dev[0]!.text.slice(0, 600));
    const parts = 1 + cache.order;
    const weights = cache.weights.slice();
    const counts = new Map<number, number>();
    const found = scoreWithCache(model, cache, text, true);
    for (let at = 0; at < text.length; ++at) {
      // what each part alone says here: rows of weights with a single one
      const alone = Array.from({ length: parts }, (_, part) => {
        const single = Float64Array.from(weights, (_, i) => (i % parts === part ? 1 : 0));
        return probabilityWithCache(model, { ...cache, weights: single }, text.subarray(0, at), text[at]!);
      });
      const held = new RecencyWindow(cache.length, cache.order);
      for (const token of text.subarray(0, at)) held.push(token);
      let longest = 0;
      for (let n = 1; n <= cache.order && held.total(n) > 0; ++n) longest = n;
      const bucket = longest === 0 ? 0 : 1 + (longest - 1) * 3 + Math.min(3, held.total(longest)) - 1;
      const row = weights.subarray(bucket * parts, (bucket + 1) * parts);
      const p = alone.reduce((total, likelihood, part) => total + row[part]! * likelihood, 0);
      expect(2 ** found[at]!).toBeCloseTo(p, 10);
      const n = Math.min(128, (counts.get(bucket) ?? 8) + 1);
      counts.set(bucket, n);
      alone.forEach((likelihood, part) => {
        row[part] = row[part]! * (1 - 1 / n) + (row[part]! * likelihood) / p / n;
      });
    }
  });

  it("refuses lengths and orders out of range", () => {
    for (const options of [{ length: 0 }, { length: 1.5 }, { length: 4, order: 0 }, { length: 4, order: 6 }]) {
      expect(() => fitCache(model, tail, options)).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
    }
  });
});

describe("baseline table", () => {
  const groups = [dev.slice(0, 2).map(({ text }) => bytes(text.slice(0, 5000))), [bytes(dev[2]!.text.slice(0, 5000))]];
  const rows = kneserNeyTable(tokens, groups, { orders: [2, 3], cacheLength: 256, vocabulary: 256 });

  it("has the bits of each order fitted alone, by group of texts", () => {
    expect(rows.map(({ order }) => order)).toEqual([2, 3]);
    expect(rows[1]!.bits).toEqual(
      groups.map((group) => group.reduce((bits, text) => bits - sum(model.score(text)), 0)),
    );
    expect(rows[1]!.ngrams).toBe(model.ngrams.reduce((total, n) => total + n));
    expect(rows[1]!.bytes).toBe(model.bytes);
  });

  it("finds the cache's weights on a tail that their model has not seen", () => {
    const cut = tokens.length - Math.floor(0.05 * tokens.length);
    const before = fitKneserNey(tokens.subarray(0, cut), { order: 3, vocabulary: 256 });
    const cache = fitCache(before, tokens.subarray(cut), { length: 256 });
    expect(rows[1]!.bitsWithCache).toEqual(
      groups.map((group) => group.reduce((bits, text) => bits - sum(scoreWithCache(model, cache, text, true)), 0)),
    );
  });

  it("gains from the cache on every group", () => {
    for (const { bits, bitsWithCache } of rows) {
      expect(bitsWithCache.map((withCache, i) => withCache < bits[i]!)).toEqual([true, true]);
    }
  });
});
