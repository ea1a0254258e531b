/** N-grams over the network: the bits of an oracle, the format and what is refused of it, and how a fit finds them. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compileDevice } from "../host/compile/compile.ts";
import { deviceAddresses } from "../host/compile/layout.ts";
import { faultOfNgrams, hashOn, type NgramContext, ngramBytes, tokenBits, writeNgrams } from "../host/files/ngrams.ts";
import type { Tensor } from "../host/files/safetensors.ts";
import { Discounts } from "../host/fit/discounts.ts";
import { exp, exponentOf, log } from "../host/fit/pinned-math.ts";
import { contextsOf, sortedPlaces } from "../host/fit/places.ts";
import { type Shape, validateShape } from "../host/shape.ts";
import { compileQuickly } from "./compile-warm.ts";
import { Device, randomWeights } from "./kernel-fixture.ts";
import { Oracle } from "./oracle.ts";
import { hashOf } from "./oracle-ngrams.ts";

compileQuickly();

function shapeOf(changes: Partial<Shape>): Shape {
  const base = { vocabulary: 64, bits: 64, window: 1, groups: 1, units: 8, history: 64, matchLength: 4 };
  return validateShape({ ...base, longMatches: true, ...changes });
}

async function modulesOf(shape: Shape): Promise<WebAssembly.Module[]> {
  const modules: WebAssembly.Module[] = [];
  for (const build of ["scalar", "simd"] as const) {
    modules.push(new WebAssembly.Module((await compileDevice(shape, build, { recall: 0 })) as BufferSource));
  }
  return modules;
}

/** Contexts of up to 6 tokens below a bound, each once, with entries of tokens and factors. */
const contexts = (vocabulary: number, factors: number) =>
  fc.uniqueArray(
    fc.record({
      tokens: fc.array(fc.nat(vocabulary - 1), { minLength: 1, maxLength: 6 }),
      entries: fc.array(fc.tuple(fc.nat(vocabulary - 1), fc.nat(factors - 1)), { maxLength: 40 }),
    }),
    { selector: ({ tokens }) => tokens.join(), maxLength: 120 },
  );
const factorLists = fc.array(fc.double({ min: -16, max: 16, noNaN: true }), { minLength: 64, maxLength: 64 });

describe("predictions with n-grams", () => {
  test.each([
    ["of bytes", shapeOf({ ngrams: 5000, vocabulary: 256, bits: 256 })],
    ["of 9 bits a token, adapting", shapeOf({ ngrams: 5000, vocabulary: 304, bits: 304, adapts: true, indexed: true })],
  ])(
    "%s: scalar, simd and oracle agree to the bit, whatever the contexts",
    async (_name, shape) => {
      const modules = await modulesOf(shape);
      const { vocabulary } = shape;
      const few = 5; // tokens, so that contexts of all lengths recur
      fc.assert(
        fc.property(
          contexts(few, 64),
          factorLists,
          fc.array(fc.nat(few - 1), { maxLength: 30 }),
          (all, powers, text) => {
            const data = writeNgrams(
              all,
              powers.map((power) => 2 ** power),
              vocabulary,
            );
            expect(faultOfNgrams(data, vocabulary)).toBeUndefined();
            const own = { ...shape, ngrams: data.length };
            const tensor = { dtype: "U8", shape: [data.length], data } as Tensor;
            const weights = new Map([...randomWeights(shape, 3), ["memory.ngrams", tensor] as const]);
            const oracle = new Oracle(own, weights);
            const devices = modules.map((module) => new Device(module, own, weights));
            for (const { run } of devices) run.reset!();
            for (const token of text) {
              const wanted = Array.from(oracle.predict());
              const bits = oracle.feed(token);
              for (const { run, probabilities } of devices) {
                expect(run.predict!()).toBe(0);
                expect(Array.from(probabilities)).toEqual(wanted);
                expect(run.feed!(token)).toBe(bits);
              }
            }
          },
        ),
        { numRuns: 60, seed: 2 },
      );
    },
    60_000,
  );

  test("a record of any address and length, and any bytes: no trap, a prediction of unit sum, nothing written there", async () => {
    const shape = shapeOf({ ngrams: 3000, adapts: true });
    const weights = randomWeights(shape, 4);
    const devices = (await modulesOf(shape)).map((module) => new Device(module, shape, weights));
    const { at, end } = deviceAddresses(shape, { recall: 0 });
    const words = fc.oneof(fc.nat(4000), fc.nat(2 ** 32 - 1), fc.constantFrom(0, 271, 272, 273, 2 ** 31, 2 ** 32 - 1));
    const small = fc.oneof(fc.nat(3000), fc.constant(0), fc.nat(2 ** 32 - 1));
    fc.assert(
      fc.property(
        fc.tuple(fc.boolean(), words, fc.boolean(), words),
        fc.uint8Array({ minLength: 4, maxLength: 64 }),
        fc.option(fc.array(small, { minLength: 2, maxLength: 40 })),
        fc.array(fc.nat(7), { minLength: 1, maxLength: 12 }),
        ([placed, place, sized, length], junk, heads, tokens) => {
          for (const { run, probabilities } of devices) {
            const { buffer } = run.memory;
            new Uint32Array(buffer, at.NGRAMS_RECORD!, 2).set([placed ? end : place, sized ? 3000 : length]);
            const behind = new Uint8Array(buffer, end, 3000);
            for (let i = 0; i < behind.length; ++i) behind[i] = junk[i % junk.length]!;
            const view = new DataView(buffer, end, 3000);
            for (const [i, head] of heads?.entries() ?? []) view.setUint32(i < 2 ? 4 * i : 256 + 4 * i, head, true);
            const before = Buffer.from(behind);
            expect(run.reset!()).toBe(0);
            for (const token of tokens) {
              expect(run.predict!()).toBe(0);
              expect(Math.abs(probabilities.reduce((sum, p) => sum + p, 0) - 1)).toBeLessThan(1e-4);
              expect(run.feed!(token)).toBeGreaterThanOrEqual(0);
            }
            expect(Buffer.compare(before, Buffer.from(behind))).toBe(0);
          }
        },
      ),
      { numRuns: 200, seed: 5 },
    );
  }, 60_000);
});

describe("the bytes of n-grams", () => {
  test("are as many as was said, or fewer where the hash takes contexts for one another", () => {
    fc.assert(
      fc.property(contexts(400, 64), factorLists, (all, powers) => {
        const bytes = writeNgrams(
          all,
          powers.map((power) => 2 ** power),
          400,
        );
        const entries = all.reduce((sum, context) => sum + context.entries.length, 0);
        expect(bytes.length).toBeLessThanOrEqual(ngramBytes(all.length, entries));
        const kinds = new Set(all.map(({ tokens }) => hashOf(tokens)));
        if (kinds.size === all.length) expect(bytes.length).toBe(ngramBytes(all.length, entries));
        expect(faultOfNgrams(bytes, 400)).toBeUndefined();
      }),
    );
  });

  test("of contexts that share a bucket the first 21 are kept, and of those with one hash the first", () => {
    const many = Array.from(
      { length: 60_000 },
      (_, i): NgramContext => ({ tokens: [i % 400, Math.floor(i / 400)], entries: [] }),
    );
    // all in one bucket: what a bucket is chosen by are the upper bits
    const high = many.filter(({ tokens }) => hashOf(tokens) < 2 ** 32 / 25).slice(0, 150);
    expect(high.length).toBe(150);
    const bytes = writeNgrams(high, [], 400);
    const view = new DataView(bytes.buffer);
    expect([view.getUint32(0, true), bytes[view.getUint32(264, true)]]).toEqual([25, 21]);
    const twice = [high[0]!, { ...high[0]!, entries: [[1, 1]] as const }];
    expect(writeNgrams(twice, [], 400).length).toBe(ngramBytes(1, 0));
  });

  test("the hash is that of the oracle", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(65527), { minLength: 1, maxLength: 6 }), (tokens) => {
        const hash = tokens.reduce(hashOn, 0);
        const mixed = Math.imul(hash, 0x85ebca6b) >>> 0;
        expect((mixed ^ (mixed >>> 16)) >>> 0).toBe(hashOf(tokens));
      }),
    );
  });

  test("any bytes are n-grams or have a fault that is named, and so is each cut of those that are", () => {
    fc.assert(
      fc.property(contexts(300, 64), fc.nat(), fc.integer({ min: 1, max: 255 }), (all, at, flip) => {
        const bytes = writeNgrams(all, [], 300);
        const cut = bytes.subarray(0, at % bytes.length);
        expect(faultOfNgrams(cut, 300)).toMatch(/^(has|holds|does) /);
        expect(faultOfNgrams(Uint8Array.of(...bytes, 0), 300)).toMatch(/^(has|does) /);
        const other = bytes.slice();
        other[at % bytes.length]! ^= flip;
        expect(["string", "undefined"]).toContain(typeof faultOfNgrams(other, 300));
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        expect(["string", "undefined"]).toContain(typeof faultOfNgrams(bytes, 300));
      }),
    );
    const one = writeNgrams([{ tokens: [1], entries: [[299, 0]] }], [], 304);
    expect(faultOfNgrams(one, 304)).toBeUndefined();
    expect(faultOfNgrams(one, 296)).toBe("holds token 299, the vocabulary has 296");
  });

  test("an entry has as many bits for a token as the vocabulary needs", () => {
    expect([8, 9, 256, 257, 1024, 4096].map(tokenBits)).toEqual([3, 4, 8, 9, 10, 12]);
  });
});

describe("pinned functions", () => {
  test("log, exp and binary exponents are those of Math, up to rounding", () => {
    fc.assert(
      fc.property(fc.double({ min: -600, max: 600, noNaN: true }), (x) => {
        expect(Math.abs(exp(x) / Math.exp(x) - 1)).toBeLessThan(1e-13);
        expect(Math.abs(log(Math.exp(x)) - x)).toBeLessThan(1e-12 * Math.max(1, Math.abs(x)));
        const y = Math.exp(x);
        expect(2 ** exponentOf(y) <= y && y < 2 ** (exponentOf(y) + 1)).toBe(true);
      }),
    );
    expect([log(1), exp(0), exponentOf(8), exponentOf(0.5)]).toEqual([0, 1, 3, -1]);
  });
});

describe("places by what stands before them", () => {
  test("are in order, and contexts are those that come so often", () => {
    const texts = fc.array(fc.nat(3), { maxLength: 80 });
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 4 }), (text, order, least) => {
        const tokens = Uint16Array.from(text);
        const sorted = sortedPlaces(tokens, order, 4);
        const before = (place: number) => text.slice(place - order, place).reverse();
        const byContext = new Map<string, number[]>();
        for (let place = order; place < text.length; ++place) {
          const key = before(place).join();
          byContext.set(key, [...(byContext.get(key) ?? []), place]);
        }
        const keys = [...byContext.keys()].sort();
        expect(Array.from(sorted)).toEqual(keys.flatMap((key) => byContext.get(key)!));
        const found = [...contextsOf(tokens, sorted, order, least)].map(({ from, to }) => [
          ...sorted.subarray(from, to),
        ]);
        const often = keys.filter((key) => byContext.get(key)!.length >= least);
        expect(found).toEqual(often.map((key) => byContext.get(key)!));
        // none that reaches over the end of a piece, which may be the first of its tokens
        const inPieces = [...contextsOf(tokens, sorted, order, least, 2)].map(({ from, to }) => [
          ...sorted.subarray(from, to),
        ]);
        const ends = (key: string) => key.split(",").slice(0, -1).includes("2");
        expect(inPieces).toEqual(often.filter((key) => !ends(key)).map((key) => byContext.get(key)!));
      }),
    );
  });
});

describe("discounts", () => {
  test("say of a count what comes of it when one place is left out", () => {
    // 400 contexts that came 10 times; of each one token came once, which was expected 0.3 times, and in a fifth of them it came twice
    const discounts = new Discounts();
    for (let i = 0; i < 400; ++i) {
      discounts.addContext(10);
      discounts.addCell(i % 5 === 0 ? 2 : 1, 0.3, 10);
      discounts.addCell(0, 0.3, 10);
    }
    discounts.solve();
    // left out, a count of two is one of one: 80 cells give 2 · 80 such places, over 320 cells of one
    expect(discounts.expectedCount(1, 0.3)).toBeCloseTo((2 * 80) / 320, 12);
    // and 320 cells of one are 320 places of none, which were expected 0.3 · 400 times
    expect(discounts.expectedCount(0, 0.3)).toBeCloseTo(0.3 * Math.min(1, 320 / (0.3 * 400)), 12);
    expect(discounts.shareOf(10)).toBeCloseTo(1 - 0.7 / 10, 12);
  });

  test("an expected count is above 0, what never came is not expected more often, and any other count once more at the most", () => {
    const cell = fc.tuple(fc.nat(15), fc.double({ min: 1e-6, max: 50, noNaN: true }), fc.integer({ min: 4, max: 100 }));
    fc.assert(
      fc.property(
        fc.array(cell, { maxLength: 300 }),
        fc.double({ min: 1e-6, max: 50, noNaN: true }),
        (cells, expected) => {
          const discounts = new Discounts();
          for (const [count, expectation, times] of cells) discounts.addCell(count, expectation, times);
          discounts.solve();
          for (let count = 0; count < 20; ++count) {
            const again = discounts.expectedCount(count, expected);
            expect(again).toBeGreaterThan(0);
            expect(again).toBeLessThanOrEqual(count === 0 ? expected : count + 1);
          }
        },
      ),
    );
  });
});
