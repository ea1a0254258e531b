/** Many short pieces, alike or identical: what is expected of them is what the base expects, and learning them does not make it worse. */
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { compileDevice } from "../host/compile/compile.ts";
import { load } from "../host/index.ts";
import { hiddenWidth, validateShape } from "../host/shape.ts";
import { compileQuickly } from "./compile-warm.ts";
import { Device, randomWeights } from "./kernel-fixture.ts";
import { hashedOn, LearningOracle } from "./oracle-learning.ts";

compileQuickly();

const SHAPE = validateShape({
  vocabulary: 64,
  bits: 64,
  window: 2,
  groups: 2,
  units: 4,
  history: 16,
  matchLength: 2,
});
const WIDTH = hiddenWidth(SHAPE);

describe("expected sums", () => {
  let module: WebAssembly.Module;
  beforeAll(async () => {
    module = new WebAssembly.Module((await compileDevice(SHAPE, "simd")) as BufferSource);
  });

  test("stay within sampling error of the exact expectation: pieces of 5 to 5,000 tokens, distinct or identical", () => {
    const weights = randomWeights(SHAPE, 3);
    const piece = (length: number, seed: number): number[] => {
      let state = seed + 1;
      return Array.from({ length }, (_, i) => {
        state = (Math.imul(state, 1664525) + 1013904223) | 0;
        // most of a line is the same in all of them
        return i % 5 === 3 ? (state >>> 16) % SHAPE.vocabulary : (i * 7) % SHAPE.vocabulary;
      });
    };
    const lengths = fc.oneof(fc.integer({ min: 5, max: 60 }), fc.integer({ min: 5, max: 5000 }));
    fc.assert(
      fc.property(lengths, fc.boolean(), fc.nat(1000), (length, identical, seed) => {
        const device = new Device(module, SHAPE, weights);
        const oracle = new LearningOracle(SHAPE, weights);
        const pieces = Math.max(1, Math.floor(5000 / length));
        const copies = identical ? pieces : 1;
        const distinct = identical ? 1 : pieces;
        const exact = new Float64Array(SHAPE.vocabulary * WIDTH);
        // what begins alike is off alike: the weights of each beginning, of all pieces together
        const alike = new Map<number, { times: number; weights: Float64Array }>();
        for (let i = 0; i < distinct; ++i) {
          oracle.reset();
          let beginning = 0;
          for (const token of piece(length, seed + i)) {
            beginning = hashedOn(beginning, token);
            const all = alike.get(beginning) ?? { times: 0, weights: new Float64Array(WIDTH) };
            alike.set(beginning, all);
            all.times += copies;
            const probabilities = oracle.networkAlone();
            const { weights: added, p } = oracle.increment(token);
            for (let v = 0; v < SHAPE.vocabulary; ++v) {
              for (let c = 0; c < WIDTH; ++c) exact[v * WIDTH + c]! += copies * added[c]! * 64 * probabilities[v]!;
            }
            for (let c = 0; c < WIDTH; ++c) all.weights[c]! += copies * added[c]!;
            oracle.followed(token, p);
          }
        }
        for (let i = 0; i < pieces; ++i) {
          device.run.reset!();
          for (const token of piece(length, identical ? seed : seed + i)) device.run.observe!(token);
        }
        for (let c = 0; c < WIDTH; ++c) {
          // a row is off by a threshold, 64 / 256 of the weight, and a unit; half of that in the mean, and seven deviations of the sum
          let variance = 0;
          for (const { times, weights } of alike.values()) variance += (weights[c]! / 4) ** 2 + times ** 2;
          for (let v = 0; v < SHAPE.vocabulary; ++v) {
            const off = Math.abs(device.expected[v * WIDTH + c]! - exact[v * WIDTH + c]!);
            expect(off, `row ${v}, column ${c}`).toBeLessThan((7 / 2) * Math.sqrt(variance) + 2);
          }
        }
      }),
      {
        numRuns: 25,
        examples: [
          [5, true, 1],
          [5, false, 1],
          [5000, true, 1],
        ],
      },
    );
  });
});

describe("learning leaves no model worse than its base on more of the same stream", () => {
  const at = (i: number) => new Date(1.7961e12 + i * 1000).toISOString().slice(0, 19);
  const LINES: Record<string, (i: number) => string> = {
    sensor: (i) => `${at(i)}Z sensor=boiler temp=${(60 + 0.1 * ((i >> 4) % 3)).toFixed(2)} valve=open\n`,
    short: (i) => `ok ${i % 97}\n`,
    access: (i) =>
      `10.0.${i % 7}.${(i * 13) % 251} - - "GET /api/v1/item/${(i * 7919) % 5003}" 200 ${(i * 31) % 4096}\n`,
    words: (i) =>
      `${["the ferry", "a lamp", "the rope", "the river"][i % 4]} ${["leaves", "counts", "stands"][i % 3]} again.\n`,
  };
  const CASES = Object.keys(LINES).flatMap((kind) => [true, false].map((same) => [kind, same] as const));

  test.each(CASES)("%s lines, each a piece of its own, all the same: %s", async (kind, same) => {
    const line = (i: number) => LINES[kind]!(same ? 3 : i);
    for (const [name, counts] of [
      ["nano-en", [30, 300, 6000]],
      ["potato-en", [30, 300]],
    ] as const) {
      const model = await load(`models/${name}`);
      const more = Array.from({ length: 50 }, (_, i) => line(20_000 + i));
      // in one stream, and each line as the pieces that were learned are read
      const bits = () => [model.score(more.join("")).bits, more.reduce((sum, each) => sum + model.score(each).bits, 0)];
      const base = bits();
      let i = 0;
      for (const count of counts) {
        for (; i < count; ++i) await model.observe(line(i));
        await model.refit();
        await model.reset(); // without the memory, which would hide it
        for (const [way, after] of bits().entries()) {
          expect(after, `${name}, ${count} pieces, ${way ? "line by line" : "as a stream"}`).toBeLessThan(base[way]!);
        }
      }
    }
  });
});
