/** Drawing: both builds draw what the oracle draws by sorting, to the bit, whatever the weights and the options. */
import { describe, expect, test } from "vitest";
import { validateShape } from "../host/shape.ts";
import { compileEntry } from "../tools/conformance/assembly.ts";
import { Draws } from "../tools/module/draws.ts";
import { drawFrom } from "./oracle.ts";
import { exp, log } from "./oracle-math.ts";

/** Draws of each size and build; the oracle takes a time in V². */
const SIZES: readonly (readonly [vocabulary: number, draws: number])[] = [
  [8, 2000],
  [24, 1500],
  [256, 1000],
  [1024, 250],
  [4096, 40],
];
const LEAST_NORMAL = 2 ** -126;
const FORBIDDEN = -1;

type Options = readonly [temperature: number, topK: number, topP: number];

interface Sampler {
  /** What is drawn, and the uniform number that it is drawn by. */
  draw(p: Float32Array, seed: number, options: Options): { drawn: number; uniform: number };
}

async function sampler(vocabulary: number, build: "scalar" | "simd"): Promise<Sampler> {
  const shape = validateShape({
    ...{ vocabulary, bits: vocabulary, window: 1, groups: 1, units: 8, history: 0, matchLength: 0 },
  });
  const [generator, twin, p] = [16, 32, 64];
  const list = p + 4 * vocabulary;
  const module = await compileEntry({
    ...{ model: { shape, options: { learning: false, recall: 0 } }, build },
    sources: {
      "entry.ts": `export { draw } from "./device/sampling"; export { nextUniform, seedGenerator } from "./common/random";`,
    },
    memoryBytes: list + 4 * vocabulary,
  });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module as BufferSource));
  const { draw, nextUniform, seedGenerator } = exports as Record<string, (...values: number[]) => number>;
  const memory = exports.memory as WebAssembly.Memory;
  const given = new Float32Array(memory.buffer, p, vocabulary);
  const behind = new Uint8Array(memory.buffer, list + 4 * vocabulary);
  return {
    draw(weights, seed, options) {
      given.set(weights);
      behind.fill(0xa5);
      seedGenerator!(generator, seed);
      seedGenerator!(twin, seed);
      const drawn = draw!(p, generator, ...options, list);
      expect(given).toEqual(weights);
      expect(behind.every((byte) => byte === 0xa5)).toBe(true);
      return { drawn, uniform: nextUniform!(twin) };
    },
  };
}

/** Weights of every kind that a model or a host writes. */
const KINDS: Record<string, (n: number, draws: Draws) => Float32Array> = {
  "as a model predicts": (n, draws) => normalised(n, () => 2 ** (-draws.below(24000) / 1000)),
  "nearly alike": (n, draws) => normalised(n, () => 1 + draws.below(1000) / 1e4),
  equal: (n) => new Float32Array(n).fill(1 / n),
  "of a few levels": (n, draws) => normalised(n, () => 4 ** -draws.below(6)),
  "falling by id": (n) => normalised(n, (i) => 0.97 ** i),
  "rising by id": (n) => normalised(n, (i) => 0.97 ** (n - i)),
  "one that has nearly all": (n, draws) => {
    const only = draws.below(n);
    return normalised(n, (i) => (i === only ? 1 : 1e-9 * (1 + draws.below(100))));
  },
  "zeros and subnormals among them": (n, draws) =>
    Float32Array.from({ length: n }, () =>
      draws.of([0, 2 ** -140, LEAST_NORMAL, 2 ** -130, 1e-30, draws.below(1e6) / 1e7]),
    ),
  "most of them forbidden": (n, draws) =>
    Float32Array.from({ length: n }, () => (draws.below(8) > 0 ? FORBIDDEN : (1 + draws.below(1e6)) / 1e7)),
  "all but one forbidden": (n, draws) => {
    const p = new Float32Array(n).fill(FORBIDDEN);
    p[draws.below(n)] = draws.of([0, 2 ** -149, 0.5, 1]);
    return p;
  },
};

/** A share of the mass that the weights from some level on reach within a rounding, at temperature 1: there the order of a sum decides. */
function shareOfALevel(p: Float32Array, draws: Draws): number {
  const f = Math.fround;
  const peak = log(Math.max(...p));
  const weights = p.map((each) => (each < LEAST_NORMAL ? 0 : exp(f(log(each) - peak))));
  const sumFrom = (level: number) => weights.reduce((sum, weight) => (weight >= level ? f(sum + weight) : sum), 0);
  const share = f(sumFrom(weights[draws.below(p.length)]!) / sumFrom(0));
  return share > 0 && share <= 1 ? share : 1;
}

function normalised(n: number, weight: (i: number) => number): Float32Array {
  const weights = Array.from({ length: n }, (_, i) => weight(i));
  const sum = weights.reduce((all, each) => all + each, 0);
  return Float32Array.from(weights, (each) => each / sum);
}

function someOptions(p: Float32Array, draws: Draws): Options {
  const n = p.length;
  if (draws.below(3) === 0) return [1, 0, shareOfALevel(p, draws)];
  return [
    draws.of([0.8, 1, 0.3, 2, 50, 0.001, 2 ** -20]),
    draws.of([0, 0, 1, 2, 5, 40, Math.max(1, n - 1), n, 65535]),
    draws.of([1, 1, 0.95, 0.5, 0.1, 0.999, 0.000001, Math.fround(1 - 2 ** -24)]),
  ];
}

describe.each(SIZES)("of %i tokens", (vocabulary, count) => {
  test.each(["scalar", "simd"] as const)("%s draws what the oracle draws", { timeout: 60_000 }, async (build) => {
    const { draw } = await sampler(vocabulary, build);
    const draws = new Draws(vocabulary);
    const kinds = Object.entries(KINDS);
    for (let i = 0; i < count; ++i) {
      const [kind, weights] = kinds[i % kinds.length]!;
      const p = weights(vocabulary, draws);
      const options = someOptions(p, draws);
      const { drawn, uniform } = draw(p, i, options);
      expect(drawn, `draw ${i}, weights ${kind}, options ${options}`).toBe(drawFrom(p, () => uniform, options));
    }
  });
});
