/** Drawing among some tokens only: what a host writes to PROBABILITIES between `predict` and `sample`. */
import { beforeAll, describe, expect, test } from "vitest";
import type { ModelFiles } from "../host/files/config.ts";
import type { Predictor } from "../host/model/kernel.ts";
import { Kernels } from "../host/model/kernels.ts";
import { randomModel, SHAPE } from "./model-fixture.ts";

let files: ModelFiles;
beforeAll(async () => {
  files = await randomModel();
});

describe.each(["scalar", "simd"] as const)("%s", (build) => {
  let kernel: Predictor;
  beforeAll(async () => {
    kernel = (await Kernels.start(files, SHAPE, `kernel.${build}.wasm`)).take();
  });
  /** After a few tokens, a prediction in which only `allowed` may be drawn. */
  const restricted = (allowed: readonly number[], seed: number) => {
    kernel.reset();
    kernel.seed(seed);
    for (const token of [65, 66, 67]) kernel.feed(token);
    kernel.predict();
    for (const token of kernel.probabilities.keys()) if (!allowed.includes(token)) kernel.probabilities[token] = -1;
  };
  const SAMPLING: readonly (readonly [temperature: number, topK: number, topP: number])[] = [
    [0, 0, 1],
    [0.8, 0, 1],
    [1, 3, 1],
    [1, 0, 0.5],
    [5, 40, 0.001],
    [0.001, 1, 1],
  ];

  test("only tokens that are not forbidden are drawn, each of them in time, in proportion to its probability", () => {
    const allowed = [0, 3, 77, 200, 255];
    for (const sampling of SAMPLING) {
      for (let seed = 0; seed < 50; ++seed) {
        restricted(allowed, seed);
        expect(allowed).toContain(kernel.sample(...sampling));
      }
    }
    restricted(allowed, 0);
    const p = allowed.map((token) => kernel.probabilities[token]!);
    const total = p.reduce((sum, each) => sum + each, 0);
    const draws = 3000;
    const counts = new Map<number, number>();
    for (let i = 0; i < draws; ++i) {
      const token = kernel.sample(1, 0, 1); // the context stays, and the restriction with it
      counts.set(token, (counts.get(token) ?? 0) + 1);
    }
    for (const [i, token] of allowed.entries()) {
      const share = p[i]! / total;
      const spread = 4 * Math.sqrt(draws * share * (1 - share)) + 1;
      expect(Math.abs((counts.get(token) ?? 0) - draws * share)).toBeLessThan(spread);
    }
  });

  test("what is forbidden is not drawn, until the context grows", () => {
    const allowed = [3, 200];
    const others = Uint16Array.from(Array(256).keys()).filter((token) => !allowed.includes(token));
    kernel.reset();
    kernel.seed(1);
    for (let i = 0; i < 20; ++i) {
      kernel.forbid(others);
      const token = kernel.sample(5, 0, 1);
      expect(allowed).toContain(token);
      kernel.append(token);
    }
    kernel.predict();
    expect(kernel.probabilities.every((p) => p >= 0)).toBe(true);
    const drawn = new Set(Array.from({ length: 50 }, () => kernel.sample(5, 0, 1)));
    expect(drawn.size).toBeGreaterThan(2);
  });

  test("topK and topP cut what is left", () => {
    const allowed = [10, 20, 30, 40];
    restricted(allowed, 0);
    const byLikelihood = allowed.toSorted((a, b) => kernel.probabilities[b]! - kernel.probabilities[a]!);
    for (let seed = 0; seed < 100; ++seed) {
      restricted(allowed, seed);
      expect(byLikelihood.slice(0, 2)).toContain(kernel.sample(1, 2, 1));
      expect(kernel.sample(1, 0, 0.000001)).toBe(byLikelihood[0]);
    }
  });

  test("one that is too unlikely to be drawn is, where all others are forbidden", () => {
    for (const p of [0, 1e-45, 1e-39, 0.5]) {
      for (const only of [0, 1, 255]) {
        for (const sampling of SAMPLING) {
          restricted([only], 1);
          kernel.probabilities[only] = p;
          expect(kernel.sample(...sampling)).toBe(only);
        }
      }
    }
  });

  test("the context, once it is appended to, predicts as if nothing had been written", () => {
    restricted([7], 1);
    expect(kernel.append(kernel.sample(1, 0, 1))).toBe(0);
    kernel.predict();
    const after = kernel.probabilities.slice();
    kernel.reset();
    for (const token of [65, 66, 67]) kernel.feed(token);
    kernel.append(7);
    kernel.predict();
    expect(kernel.probabilities).toEqual(after);
    expect(after.every((p) => p >= 0)).toBe(true);
  });

  test("what was saved comes back whole: context, mixture, generator and prediction", () => {
    const run = () => {
      const bits = [1, 2, 66, 67, 65, 66].map((token) => kernel.feed(token));
      const drawn = Array.from({ length: 20 }, () => {
        const token = kernel.sample(1, 0, 0.9);
        kernel.append(token);
        return token;
      });
      return { bits, drawn };
    };
    kernel.reset();
    kernel.seed(9);
    for (const token of [65, 66, 67, 65, 66, 67]) kernel.feed(token);
    const saved = kernel.save();
    const first = run();
    const other = kernel.save();
    kernel.restore(saved);
    expect(run()).toEqual(first);
    kernel.restore(saved);
    kernel.feed(200);
    kernel.restore(saved);
    expect(run()).toEqual(first);
    expect(kernel.save()).toEqual(other);
  });
});
