/** How the history is searched, by an index or place by place, at any length: the same bits as an oracle that looks at all of what was seen. */
import { beforeAll, describe, expect, test } from "vitest";
import { compileDevice } from "../host/compile/compile.ts";
import { type Shape, validateShape } from "../host/shape.ts";
import { compileQuickly } from "./compile-warm.ts";
import { Device, randomWeights } from "./kernel-fixture.ts";
import { Oracle } from "./oracle.ts";

compileQuickly();

const HISTORIES: Record<string, Shape> = {
  "2048 tokens, indexed and adapting": shapeOf({ history: 2048, indexed: true, adapts: true }),
  "2048 tokens, indexed": shapeOf({ history: 2048, indexed: true }),
  "64 tokens, indexed": shapeOf({ history: 64, indexed: true }),
  "16 tokens, indexed and adapting": shapeOf({ history: 16, indexed: true, adapts: true }),
  "32 tokens, place by place, adapting": shapeOf({ history: 32, adapts: true }),
  "1024 tokens, place by place": shapeOf({ history: 1024 }),
  // more places match than are listed: the newest 1024 are
  "4096 tokens, place by place": shapeOf({ history: 4096 }),
  "4096 tokens, place by place, adapting": shapeOf({ history: 4096, adapts: true }),
};

function shapeOf(changes: Partial<Shape>): Shape {
  return validateShape({ vocabulary: 64, bits: 64, window: 1, groups: 1, units: 8, matchLength: 4, ...changes });
}

/** A stream of tokens of which a few are frequent, and that repeats pieces of itself, near and far. */
function streamOf(length: number, alphabet: number, seed: number): number[] {
  const tokens: number[] = [];
  let state = seed;
  const below = (bound: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return Math.floor(((state >>> 8) / 2 ** 24) * bound);
  };
  while (tokens.length < length) {
    if (tokens.length > 20 && below(4) === 0) {
      const from = below(tokens.length - 8);
      for (let i = 0; i < 8; ++i) tokens.push(tokens[from + i]!);
    } else tokens.push(Math.min(below(alphabet), below(alphabet)));
  }
  return tokens.slice(0, length);
}

/** Compares all devices with the oracle at every `every`-th place. */
function compare(kernels: readonly Device[], oracle: Oracle, tokens: readonly number[], every: number): void {
  for (const { run } of kernels) expect(run.reset!()).toBe(0);
  for (const [i, token] of tokens.entries()) {
    if (i % every === 0) {
      const wanted = Array.from(oracle.predict());
      for (const { run, probabilities } of kernels) {
        expect(run.predict!()).toBe(0);
        expect(Array.from(probabilities), `place ${i}`).toEqual(wanted);
      }
    }
    for (const { run } of kernels) run.append!(token);
    oracle.append(token);
  }
}

describe.each(Object.entries(HISTORIES))("a history of %s", (_name, shape) => {
  const modules: WebAssembly.Module[] = [];
  const devices = (weights: ReturnType<typeof randomWeights>) =>
    modules.map((module) => new Device(module, shape, weights));
  beforeAll(async () => {
    for (const build of ["scalar", "simd"] as const) {
      modules.push(new WebAssembly.Module((await compileDevice(shape, build, { recall: 0 })) as BufferSource));
    }
  }, 60_000);

  test.each([
    // 2 to 6 tokens: more links than are followed; 64: links to places that were overwritten
    ["of 2 tokens", 2],
    ["of 3 tokens", 3],
    ["of 6 tokens", 6],
    ["of 20 tokens", 20],
    ["of 64 tokens", 64],
  ])(
    "scalar, simd and oracle agree to the bit on a text %s, thrice as long as it is",
    (_name, alphabet) => {
      const weights = randomWeights(shape, 3);
      const kernels = devices(weights);
      compare(kernels, new Oracle(shape, weights), streamOf(3 * shape.history + 100, alphabet, alphabet), 37);
    },
    60_000,
  );

  test("a reset leaves nothing of the text before it", () => {
    const weights = randomWeights(shape, 4);
    const kernels = devices(weights);
    for (const { run } of kernels) {
      run.reset!();
      for (const token of streamOf(2 * shape.history + 5, 3, 1)) run.append!(token);
    }
    compare(kernels, new Oracle(shape, weights), streamOf(700, 3, 2), 7);
  });

  test("a token or a pair that was last seen a whole history ago has no match", () => {
    const weights = randomWeights(shape, 5);
    const kernels = devices(weights);
    for (const gap of [shape.history - 2, shape.history - 1, shape.history, shape.history + 1]) {
      const filler = Array.from({ length: gap }, (_, i) => 4 + (i % 50));
      compare(kernels, new Oracle(shape, weights), [1, 2, 3, ...filler, 1, 2, 3, 1, 2], 1 + Math.floor(gap / 3));
      for (const { run } of kernels) run.reset!();
      const oracle = new Oracle(shape, weights);
      for (const token of [1, 2, ...filler, 1, 2]) {
        for (const { run } of kernels) run.append!(token);
        oracle.append(token);
      }
      for (const { run, probabilities } of kernels) {
        run.predict!();
        expect(Array.from(probabilities)).toEqual(Array.from(oracle.predict()));
      }
    }
  });
});
