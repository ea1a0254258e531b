import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { discountsOf, NgramCounts } from "../baselines/counts.ts";
import { fitKneserNey, kneserNeyOf } from "../baselines/kneser-ney.ts";
import { benchCorpus, firstWords } from "../corpora/gutenberg.ts";

const ORDERS = [1, 2, 3, 4, 5];
const sequencesOf = (vocabulary: number) =>
  fc
    .array(fc.array(fc.nat(vocabulary - 1), { maxLength: 40 }), { maxLength: 4 })
    .map((all) => all.map((s) => Uint16Array.from(s)));
const words = (() => {
  const tokens = firstWords(benchCorpus().train, 12_000)
    .match(/\S+/g)!
    .map((word) => [...word].reduce((hash, letter) => (hash * 31 + letter.charCodeAt(0)) >>> 0, 7) % 64);
  return Uint16Array.from(tokens);
})();
const fitted = words.subarray(0, 10_000);
const heldOut = words.subarray(10_000);

describe("Kneser-Ney", () => {
  it("sums to one after any context, seen or not, at all orders", () => {
    const vocabulary = 6;
    fc.assert(
      fc.property(
        sequencesOf(vocabulary),
        fc.constantFrom(...ORDERS),
        fc.array(fc.nat(vocabulary - 1), { maxLength: 6 }),
        (sequences, order, context) => {
          const model = fitKneserNey(sequences, { order, vocabulary });
          let total = 0;
          for (let token = 0; token < vocabulary; ++token) {
            const p = model.probability(context, token);
            expect(p).toBeGreaterThan(0);
            total += p;
          }
          expect(total).toBeCloseTo(1, 12);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("sums to one on text", () => {
    for (const order of ORDERS) {
      const model = fitKneserNey(fitted, { order, vocabulary: 64 });
      for (let at = 0; at < heldOut.length; at += 97) {
        const context = heldOut.slice(0, at);
        const total = Array.from({ length: 64 }, (_, token) => model.probability(context, token)).reduce(
          (a, b) => a + b,
        );
        expect(total).toBeCloseTo(1, 12);
      }
    }
  });

  it("is what the definition gives, by recursion over maps", () => {
    const sequences = [fitted.subarray(0, 4000), fitted.subarray(4000, 4003), fitted.subarray(4003, 8000)];
    const held = [heldOut.subarray(0, 500), heldOut.subarray(500, 503)];
    for (const order of ORDERS) {
      const model = fitKneserNey(sequences, { order, vocabulary: 64 });
      const oracle = naiveKneserNey(
        sequences.map((s) => [...s]),
        order,
        64,
      );
      for (const sequence of held) {
        const scores = model.score(sequence);
        for (let at = 0; at < sequence.length; ++at) {
          const p = oracle([...sequence.subarray(0, at)], sequence[at]!);
          expect(Math.abs(2 ** scores[at]! - p)).toBeLessThan(1e-9);
          expect(model.probability(sequence.subarray(0, at), sequence[at]!)).toBeCloseTo(p, 9);
        }
      }
    }
  });

  it("is the same of shared counts of a higher order", () => {
    const counts = new NgramCounts(fitted, 5, 64);
    for (const order of ORDERS) {
      expect(kneserNeyOf(counts, order).score(heldOut)).toEqual(
        fitKneserNey(fitted, { order, vocabulary: 64 }).score(heldOut),
      );
    }
  });

  it("predicts held-out text better from two tokens than from one, and from one than from none", () => {
    const bytes = Uint16Array.from(Buffer.from(benchCorpus().train.slice(0, 120_000), "latin1"));
    const [seen, unseen] = [bytes.subarray(0, 100_000), bytes.subarray(100_000)];
    const bits = [1, 2, 3].map((order) => -sum(fitKneserNey(seen, { order, vocabulary: 256 }).score(unseen)));
    expect(bits[1]).toBeLessThan(bits[0]!);
    expect(bits[2]).toBeLessThan(bits[1]!);
  });

  it("counts the distinct n-grams of each order, none of them over a border of sequences", () => {
    const model = fitKneserNey([Uint16Array.of(0, 1, 0, 1), Uint16Array.of(2, 2)], { order: 3, vocabulary: 3 });
    expect(model.ngrams).toEqual([3, 3, 2]); // 0 1 2; 01 10 22; 010 101
    expect(model.bytes).toBe(10 * (3 + 3) + 4 * 2);
  });

  it("is uniform where it was fitted on nothing", () => {
    for (const sequences of [[], [new Uint16Array(0)]]) {
      expect(fitKneserNey(sequences, { order: 3, vocabulary: 8 }).probability([1, 2], 3)).toBe(1 / 8);
    }
  });

  it("keeps discounts inside their counts whatever the counts of counts", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(9), { minLength: 4, maxLength: 4 }), (counts) => {
        discountsOf([0, ...counts]).forEach((discount, i) => {
          expect(discount).toBeGreaterThan(0);
          expect(discount).toBeLessThan(i + 1);
        });
      }),
    );
    // Y = 1/2: 1 − 2·½·2/4, 2 − 3·½·1/2, 3 − 4·½·1/1
    expect(discountsOf([0, 4, 2, 1, 1])).toEqual([0.5, 1.25, 1]);
  });

  it("refuses orders, vocabularies and tokens out of range", () => {
    const fit = (order: number, vocabulary: number) => () => fitKneserNey(Uint16Array.of(7), { order, vocabulary });
    expect(fit(0, 8)).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
    expect(fit(6, 8)).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
    expect(fit(2, 0)).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
    expect(fit(2, 7)).toThrow(expect.objectContaining({ code: "TOKEN_OUT_OF_RANGE" }));
    const model = fit(2, 8)();
    for (const token of [8, -1, 0.5, Number.NaN]) {
      expect(() => model.score([token])).toThrow(expect.objectContaining({ code: "TOKEN_OUT_OF_RANGE" }));
    }
  });

  describe("over a million tokens", () => {
    // 1 M tokens of bytes: the tables have grown and rehashed many times
    let tokens: Uint16Array;
    beforeAll(() => {
      tokens = Uint16Array.from(Buffer.from(benchCorpus().train.slice(0, 1_000_000), "latin1"));
    });
    it("has as many n-grams as a set of them", () => {
      const model = fitKneserNey(tokens, { order: 4, vocabulary: 256 });
      const distinct = new Set<number>();
      for (let at = 3; at < tokens.length; ++at) {
        distinct.add(tokens[at - 3]! * 2 ** 24 + tokens[at - 2]! * 2 ** 16 + tokens[at - 1]! * 2 ** 8 + tokens[at]!);
      }
      expect(model.ngrams[3]).toBe(distinct.size);
    });
  });
});

const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);

/**
 * Chen & Goodman 1999, eq. 24–26, straight from n-grams as strings in maps: counts below the highest order are of distinct left
 * neighbours, "^" standing for the start of a sequence.
 */
function naiveKneserNey(sequences: number[][], order: number, vocabulary: number) {
  const counts: Map<string, number>[] = [];
  for (let n = 1; n <= order; ++n) {
    const neighbours = new Map<string, Set<string>>();
    const raw = new Map<string, number>();
    for (const sequence of sequences) {
      for (let at = 0; at + n <= sequence.length; ++at) {
        const ngram = sequence.slice(at, at + n).join(" ");
        raw.set(ngram, (raw.get(ngram) ?? 0) + 1);
        if (!neighbours.has(ngram)) neighbours.set(ngram, new Set());
        neighbours.get(ngram)!.add(at === 0 ? "^" : `${sequence[at - 1]}`);
      }
    }
    counts.push(n === order ? raw : new Map([...neighbours].map(([ngram, left]) => [ngram, left.size])));
  }
  const discounts = counts.map((of) => {
    const n = (k: number) => [...of.values()].filter((count) => count === k).length;
    const y = n(1) / (n(1) + 2 * n(2));
    const safe = (value: number, k: number, otherwise: number) => (value > 0 && value < k ? value : otherwise);
    const d1 = safe(1 - (2 * y * n(2)) / n(1), 1, 0.5);
    const d2 = safe(2 - (3 * y * n(3)) / n(2), 2, d1);
    return [0, d1, d2, safe(3 - (4 * y * n(4)) / n(3), 3, d2)];
  });
  const followers = counts.map((of) => {
    const byContext = new Map<string, number[]>();
    for (const [ngram, count] of of) {
      const context = ngram.split(" ").slice(0, -1).join(" ");
      if (!byContext.has(context)) byContext.set(context, []);
      byContext.get(context)!.push(count);
    }
    return byContext;
  });
  const probability = (context: number[], token: number): number => {
    const n = context.length + 1;
    const lower = n === 1 ? 1 / vocabulary : probability(context.slice(1), token);
    const after = followers[n - 1]!.get(context.join(" "));
    if (after === undefined) return lower;
    const discount = (count: number) => discounts[n - 1]![Math.min(3, count)]!;
    const count = counts[n - 1]!.get([...context, token].join(" ")) ?? 0;
    const total = after.reduce((all, value) => all + value, 0);
    const left = after.reduce((all, value) => all + discount(value), 0);
    return (count - discount(count) + left * lower) / total;
  };
  return (context: number[], token: number) =>
    probability(context.slice(Math.max(0, context.length - order + 1)), token);
}
