/** Iterative scaling on candidates: which they are, that estimates are right on average, and that all who fit find the same bits. */
import { afterEach, describe, expect, test } from "vitest";
import { compileSolver } from "../host/compile/compile.ts";
import { CANDIDATES, POOL_PLACES } from "../host/compile/sizes.ts";
import { fitGroups } from "../host/fit/groups.ts";
import { type Recipe, recipeOf } from "../host/fit/recipe.ts";
import { fitScaling } from "../host/fit/scaling.ts";
import { settingsOf } from "../host/fit/settings.ts";
import { type Settings, Solver } from "../host/fit/solver.ts";
import { hiddenWidth, type Shape, validateShape } from "../host/shape.ts";
import { compileQuickly } from "./compile-warm.ts";

compileQuickly();

const shape = validateShape({
  ...{ vocabulary: 256, bits: 256, window: 2, groups: 2, units: 8, history: 0, matchLength: 0, weightBits: 4 },
  ...{ windowAttention: true, documentGroups: 1, documentSpan: 5, secondGroups: 1, secondWindow: 2 },
});
const WIDTH = hiddenWidth(shape);

/** A stream whose tokens are as different in frequency as those of a text: each has a few followers, most often low numbers. */
function stream(length: number, vocabulary: number): number[] {
  const tokens = [0];
  let state = 17;
  while (tokens.length < length) {
    state = (Math.imul(state, 1103515245) + 12345) | 0;
    const u = (state >>> 16) / 65536;
    const last = tokens.at(-1)!;
    tokens.push(u < 0.4 ? (last * 5 + 1) % vocabulary : Math.floor(vocabulary * u ** 4));
  }
  return tokens;
}

let running: Solver[] = [];
afterEach(async () => {
  await Promise.all(running.map((solver) => solver.stop()));
  running = [];
});

async function start(tokens: readonly number[], of: Shape, build: "simd" | "scalar" = "simd", threads = 0) {
  const solver = await Solver.start(await compileSolver(of, build, threads > 0), of, tokens.length, threads);
  running.push(solver);
  solver.view(Uint16Array, "TOKENS", tokens.length).set(tokens);
  return solver;
}

/** The recipe of a text, on candidates however short it is. */
function sampled(tokens: number, of: Shape, passes: number): Recipe {
  const recipe = recipeOf({ passes }, tokens, of);
  return { ...recipe, scaling: { ...recipe.scaling, sampled: true } };
}

/** Groups, then all passes. */
async function fitted(solver: Solver, of: Shape, recipe: Recipe, places: number): Promise<void> {
  const settings = settingsOf(recipe, places);
  await solver.configure(settings);
  await fitGroups(solver, of, recipe, settings, {});
  await fitScaling(solver, of, recipe, settings, {});
}

test("any number of threads, scalar or SIMD, solves to the same bits", async () => {
  const tokens = stream(2500, 256);
  // 155 steps: runs of several steps, a second pool, and the decoder alone after rounding
  const recipe = sampled(tokens.length, shape, 30);
  let wanted: number[][] | undefined;
  for (const build of ["simd", "scalar"] as const) {
    for (const threads of build === "simd" ? [0, 1, 2, 3] : [0, 2]) {
      const solver = await start(tokens, shape, build, threads);
      await fitted(solver, shape, recipe, tokens.length);
      const bits = ["U", "O"].map((name) => [...solver.view(Uint32Array, name, 256 * WIDTH)]);
      wanted ??= bits;
      expect(bits, `${build}, ${threads} threads`).toEqual(wanted);
    }
  }
});

describe("a pool of candidates", () => {
  const tokens = stream(6000, 256);

  /** The tokens' sets after the first step, and c q of each token after each, in f64. */
  async function pool() {
    const solver = await start(tokens, shape);
    const recipe = sampled(tokens.length, shape, 1);
    await solver.configure({ ...settingsOf(recipe, tokens.length), end: 12, averageFrom: 12 });
    await solver.once("count");
    await solver.once("initialiseScaling");
    await solver.once("scalingSteps", 0, 1, 0, 1);
    const of = (token: number) => {
      const [first, sets] = solver.view(Uint32Array, solver.address("POOL") + 8 * token, 2);
      const at = { ids: solver.address("CANDIDATE_IDS"), biases: solver.address("CANDIDATE_BIASES") };
      return Array.from({ length: sets! }, (_, set) => ({
        ids: [...solver.view(Uint16Array, at.ids + 2 * CANDIDATES * (first! + set), CANDIDATES - 1)],
        biases: [...solver.view(Float32Array, at.biases + 4 * CANDIDATES * (first! + set), CANDIDATES - 1)],
      }));
    };
    const marginal = Array.from({ length: 256 }, (_, v) => (tokens.filter((token) => token === v).length + 1) / 6256);
    const flat = marginal.map((p) => p ** 0.75);
    const flatTotal = flat.reduce((sum, p) => sum + p, 0);
    const followers = tokens.filter((_, i) => i > 0).map((token, i) => [tokens[i]!, token] as const);
    followers.push([0, tokens[0]!]); // the text's first token counts as one that follows 0
    const inclusion = (latest: number) => {
      const after = new Array<number>(256).fill(0);
      for (const [token, follower] of followers) if (token === latest) ++after[follower]!;
      const total = after.reduce((sum, count) => sum + count, 0);
      const q = marginal.map((p, v) => {
        const paired = (after[v]! + 30 * p) / (total + 30);
        return (0.6 * paired + (0.4 * flat[v]!) / flatTotal) ** 0.8;
      });
      let [low, high] = [0, 1e9];
      for (let i = 0; i < 200; ++i) {
        const c = (low + high) / 2;
        if (q.reduce((sum, each) => sum + Math.min(1, c * each), 0) < CANDIDATES - 1) low = c;
        else high = c;
      }
      return q.map((each) => Math.min(1, low * each));
    };
    return { of, inclusion, logs: marginal.map(Math.log) };
  }

  test("has each token in so many of a latest token's sets as pairs say, once a set, and the rarer it is there, the more it counts", async () => {
    const { of, inclusion, logs } = await pool();
    let [several, certain, drawn] = [0, 0, 0];
    let [twice, biased, missing] = [0, 0, 0];
    for (let latest = 0; latest < 256; ++latest) {
      const sets = of(latest);
      if (sets.length === 0) continue;
      const wanted = inclusion(latest);
      const counts = new Array<number>(256).fill(0);
      for (const { ids, biases } of sets) {
        twice += CANDIDATES - 1 - new Set(ids).size;
        for (const [i, id] of ids.entries()) {
          ++counts[id]!;
          biased = Math.max(biased, Math.abs(biases[i]! - (logs[id]! - Math.log(wanted[id]!))));
        }
      }
      for (const [v, count] of counts.entries()) {
        missing = Math.max(missing, Math.abs(count - sets.length * wanted[v]!));
        if (wanted[v] === 1) ++certain;
        else ++drawn;
      }
      if (sets.length > 1) ++several;
    }
    expect(Math.min(several, certain, drawn)).toBeGreaterThan(20);
    expect(twice).toBe(0);
    expect(biased).toBeLessThan(1e-4);
    expect(missing).toBeLessThan(1.001); // systematic samples are off by less than one
  });

  test("has one set of a token for every four of the places that follow it, and room for no more", async () => {
    const { of } = await pool();
    const uses = new Array<number>(256).fill(0);
    for (const latest of tokens.slice(0, -1)) ++uses[latest]!;
    ++uses[0]!;
    let total = 0;
    for (const [latest, used] of uses.entries()) {
      // the first 128 steps read a text of 12 steps ten times, and part of it once more
      const sets = of(latest).length;
      expect(sets).toBeGreaterThanOrEqual(Math.ceil((10 * used) / 4));
      expect(sets).toBeLessThanOrEqual(Math.ceil((11 * used) / 4));
      total += sets;
    }
    expect(total).toBeLessThanOrEqual(POOL_PLACES / 4 + 256);
  });
});

describe("estimated sums", () => {
  const tokens = stream(2000, 256);
  const plain = validateShape({
    ...{ vocabulary: 256, bits: 256, window: 2, groups: 3, units: 8, history: 0, matchLength: 0 },
  });
  const width = hiddenWidth(plain);

  /** Observed and expected sums of the decoder after one step over the whole text, at weights that are not those of any seed. */
  async function sums(seed: number, estimated: boolean) {
    const solver = running[0] ?? (await start(tokens, plain));
    const settings: Settings = { places: 2000, batch: 2000, rate: 0.5, lead: 100, end: 100, averageFrom: 100, seed };
    await solver.configure({
      ...settings,
      ...{ decoderPseudoCounts: 10, hiddenPseudoCounts: 10, decoderStep: 1, hiddenStep: 1, sharpness: 1 },
      sampled: estimated ? 1 : 0,
    });
    await solver.once("count");
    await solver.once("initialiseScaling");
    const pseudo = (i: number) => ((Math.imul(i + 1, 0x9e3779b9) >>> 8) / 2 ** 24) * 2 - 1;
    solver.view(Float32Array, "U", 512 * width).forEach((_, i, u) => {
      u[i] = 2 * pseudo(i);
    });
    const o = solver.view(Float32Array, "O", 256 * width);
    for (let i = 0; i < o.length; ++i) o[i] = Math.round(1024 * pseudo(i + 77)) / 1024;
    solver.view(Int16Array, "O_FIXED", o.length).set(o.map((value) => 1024 * value));
    await solver.once("scalingSteps", 0, 1, 0, 1);
    const of = (name: string) => Float64Array.from(solver.view(Float32Array, name, o.length));
    return { observed: of("SECOND_O"), expected: of("THIRD_O") };
  }

  test("are on average those of all tokens", async () => {
    const { expected: exact } = await sums(1, false);
    const RUNS = 64;
    const mean = new Float64Array(exact.length);
    let variance = 0;
    for (let seed = 1; seed <= RUNS; ++seed) {
      const { expected } = await sums(seed, true);
      for (const [i, sum] of expected.entries()) {
        mean[i]! += sum / RUNS;
        variance += (sum - exact[i]!) ** 2 / RUNS;
      }
    }
    const left = mean.reduce((sum, value, i) => sum + (value - exact[i]!) ** 2, 0);
    // the mean of 64 runs is off by a 64th of what one run is off by, in squares; and a little, as probabilities are ratios of estimates
    expect(left).toBeLessThan(0.2 * variance);
    expect(variance).toBeGreaterThan(0);
    // and one run is off by little
    expect(variance).toBeLessThan(0.01 * exact.reduce((sum, value) => sum + value * value, 0));
  });

  test("add up to nearly what was observed, unit by unit", async () => {
    const { observed, expected } = await sums(9, true);
    for (let c = 0; c < width; ++c) {
      let [seen, foreseen] = [0, 0];
      for (let v = 0; v < 256; ++v) {
        seen += observed[v * width + c]!;
        foreseen += expected[v * width + c]!;
      }
      expect(Math.abs(foreseen / seen - 1)).toBeLessThan(1e-2); // each is right on average
    }
  });
});

test("a vocabulary of less than the candidates is all candidates", async () => {
  const small = validateShape({ ...shape, vocabulary: 32, bits: 32 });
  const tokens = stream(3000, 32);
  const bitsOf = async (recipe: Recipe) => {
    const solver = await start(tokens, small);
    await fitted(solver, small, recipe, 2500);
    let bits = 0;
    await solver.once("evaluate", 2500, 500);
    for (const p of solver.view(Float32Array, "LIKELIHOOD", 500)) bits -= Math.log2(p) / 500;
    return bits;
  };
  const estimated = sampled(2500, small, 12);
  const exact = { ...estimated, scaling: { ...estimated.scaling, sampled: false } };
  const [found, wanted] = [await bitsOf(estimated), await bitsOf(exact)];
  expect(wanted).toBeLessThan(4.5);
  expect(Math.abs(found - wanted)).toBeLessThan(0.05);
});
