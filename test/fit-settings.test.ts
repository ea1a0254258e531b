/**
 * What a fit asks of the solver, held by two tests: the recipe's numbers for some amounts of text, written down; and a whole fit made
 * again from those numbers, call by call. Whatever a fit leaves out, adds or changes shows in the bytes of its weights.
 */
import { describe, expect, test, vi } from "vitest";
import { compileSolver } from "../host/compile/compile.ts";
import { sizesOf } from "../host/compile/sizes.ts";
import { readTensors, writeTensors } from "../host/files/safetensors.ts";
import { type FitOptions, fit } from "../host/fit/fit.ts";
import { type RecipeOptions, recipeOf, shapeOf } from "../host/fit/recipe.ts";
import { Solver } from "../host/fit/solver.ts";
import { weightsOf } from "../host/fit/weights.ts";
import { hiddenWidth } from "../host/shape.ts";
import { compileQuickly } from "./compile-warm.ts";
import { BYTES, TEXT } from "./fit-fixture.ts";

compileQuickly();

/*
 * The rule, for n tokens (docs/fitting.md says where the numbers come from), each to three digits:
 *
 * - groups: 3 passes in batches of 4,096 below 200,000 tokens, else 1 in batches of 16,384; 5 pseudo-counts, positions decay by 0.6
 * - scaling: 8·(30,000/n)^⅓ passes below 30,000 tokens, at most 24; 8·(180,000/n)^⅓ above 180,000, at least 2; 8 between
 * - with q = log10(n / 20,000) / 2 held to 0..1: pseudo-counts 100 → 20 of O, 20 → 5 of U; step 1 → 2 of O, geometrically in q
 * - with log10(n / 100,000) held to 0..1 in place of q: step 8 → 15 of U, sharpness 0.25 → 0.1
 * - priors: 250·min(1, n / 10,000) of O; 7·min(1, n / 1,500,000)^⅓ of U, up to 21 groups
 * - mixture: the last n / 20 tokens, at most 65,536
 */

/** tokens | groups: passes, batch | scaling: passes | pseudo-counts of O, of U | steps of O, of U | priors of O, of U | sharpness | mixture */
const TABLE = `
        16 | 3  4096 | 24 | 100   20   | 1     8    |   0.4  0.154 | 0.25  |     0
      1000 | 3  4096 | 24 | 100   20   | 1     8    |  25    0.612 | 0.25  |    50
      5000 | 3  4096 | 15 | 100   20   | 1     8    | 125    1.05  | 0.25  |   250
     10000 | 3  4096 | 12 | 100   20   | 1     8    | 250    1.32  | 0.25  |   500
     20000 | 3  4096 |  9 | 100   20   | 1     8    | 250    1.66  | 0.25  |  1000
     30000 | 3  4096 |  8 |  86.8 17.7 | 1.06  8    | 250    1.9   | 0.25  |  1500
     60000 | 3  4096 |  8 |  68.1 14.4 | 1     8    | 250    2.39  | 0.25  |  3000
    100000 | 3  4096 |  8 |  57   12.3 | 1.08  8    | 250    2.84  | 0.25  |  5000
    199999 | 3  4096 |  9 |  44.7 10   | 1.2   9.67 | 250    3.58  | 0.19  |  9999
    200000 | 1 16384 |  9 |  44.7 10   | 1.2   9.67 | 250    3.58  | 0.19  | 10000
    316228 | 1 16384 |  9 |  38.1 8.71 | 1.29 11    | 250    4.17  | 0.158 | 15811
   1000000 | 1 16384 |  6 |  25.5 6.16 | 1.53 15    | 250    6.12  | 0.1   | 50000
   1500000 | 1 16384 |  5 |  22.1 5.45 | 1.63 15    | 250    7     | 0.1   | 65536
   2000000 | 1 16384 |  5 |  20   5    | 1.7  15    | 250    7     | 0.1   | 65536
  10000000 | 1 16384 |  3 |  20   5    | 1.7  15    | 250    7     | 0.1   | 65536
`;
const ROWS = TABLE.trim()
  .split("\n")
  .map((row) =>
    row
      .split(/[\s|]+/)
      .filter(Boolean)
      .map(Number),
  );

/** Lines of a log, the same ones every time. */
function logLines(count: number): string[] {
  let state = 7;
  const any = (n: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const of = (words: string) => words.split("|")[any(words.split("|").length)]!;
  return Array.from({ length: count }, (_, i) => {
    const time = `${String(any(24)).padStart(2, "0")}:${String(any(60)).padStart(2, "0")}`;
    const unit = of("boiler|pump|door|gateway");
    return `${time} ${unit}: ${of("temp is|level at|pressure")} ${any(90)}.${any(10)}, valve ${of("open|shut|stuck")} #${i % 50}\n`;
  });
}

describe("the recipe", () => {
  test.each(ROWS.map((row) => [row[0]!, row] as const))("for %i tokens", (tokens, row) => {
    const { targets, seed, groups, scaling, mixture } = recipeOf({}, tokens);
    expect([
      ...[tokens, groups.passes, groups.batch, scaling.passes],
      ...[scaling.decoderPseudoCounts, scaling.hiddenPseudoCounts, scaling.decoderStep, scaling.hiddenStep],
      ...[scaling.decoderPrior, scaling.hiddenPrior, scaling.sharpness, mixture.tokens],
    ]).toEqual(row);
    expect({ targets, seed }).toEqual({ targets: "responsibility", seed: 1 });
    expect(groups).toMatchObject({ rate: 0.7, pseudoCounts: 5, decay: 0.6 });
    expect(scaling).toMatchObject({ batch: 512, rate: 0.5, lead: 20, averaged: 0.5 });
    expect(mixture.sweeps).toBe(60);
  });

  test("estimates predictions from 50,000 tokens on, of vocabularies and groups that are worth it, unless all are asked for", () => {
    const scaling = (options: RecipeOptions, tokens: number) => recipeOf(options, tokens).scaling;
    expect(scaling({}, 49_999).sampled).toBe(false);
    expect(scaling({}, 50_000).sampled).toBe(true);
    expect(scaling({ exact: true }, 1_000_000)).toMatchObject({ sampled: false, passes: 5, decoderStep: 1.8 });
    const shape = shapeOf({});
    expect(recipeOf({}, 50_000, { ...shape, vocabulary: 128, bits: 128 }).scaling.sampled).toBe(true);
    expect(recipeOf({}, 50_000, { ...shape, vocabulary: 120, bits: 120 }).scaling.sampled).toBe(false);
    for (const [groups, documentGroups, secondGroups, enough] of [
      [8, 0, 0, true],
      [7, 0, 0, false],
      [4, 2, 2, true],
      [4, 2, 1, false],
    ] as const) {
      const { sampled } = recipeOf({}, 50_000, { ...shape, groups, documentGroups, secondGroups }).scaling;
      expect(sampled).toBe(enough);
    }
    expect(scaling({ profile: "nano" }, 1_000_000).sampled).toBe(false);
  });

  test.each([2, 8])("estimates, where it does, at no loss on a log: %i groups", async (groups) => {
    const lines = logLines(1500).map((line) => new TextEncoder().encode(line));
    const [text, heldOut] = [lines.slice(0, 1300), lines.slice(1300)].map((part) => Buffer.concat(part)) as [
      Buffer,
      Buffer,
    ];
    const bits = async (exact: boolean) => {
      const options = { profile: "nano", groups, units: 4, history: 0, heldOut: [heldOut], exact } as const;
      const { report } = await fit(() => [text], options);
      expect(report.trainTokens).toBeGreaterThanOrEqual(50_000);
      expect(report.recipe.scaling.sampled).toBe(!exact && groups === 8);
      return report.heldOutBits / heldOut.length;
    };
    expect((await bits(false)) / (await bits(true))).toBeLessThan(1.02);
  });

  test("what a caller asks for, and nothing else, is another", () => {
    const { scaling, ...others } = recipeOf({}, 5000);
    expect(recipeOf({ passes: 3, seed: 9 }, 5000)).toEqual({ ...others, seed: 9, scaling: { ...scaling, passes: 3 } });
    const cipher = { ...others.groups, passes: 1, batch: 5000 };
    expect(recipeOf({ targets: "cipher" }, 5000)).toEqual({ ...others, targets: "cipher", groups: cipher, scaling });
  });
});

describe("a fit is these calls of the solver, with these numbers", () => {
  const ROUNDED = { ...BYTES, windowAttention: false, documentGroups: 1, secondGroups: 1, weightBits: 4 } as const;

  test.each<[string, FitOptions]>([
    ["positions that decay, a document, a second layer, four bits", ROUNDED],
    ["attention over the window", { ...ROUNDED, windowAttention: true }],
    ["eight bits", { ...ROUNDED, weightBits: 8 }],
    ["eight groups more than 21, each held the less", { ...ROUNDED, groups: 27, documentGroups: 1, secondGroups: 1 }],
  ])("%s", async (_what, options) => {
    const calls = vi.spyOn(Solver.prototype, "once");
    const { files, report } = await fit(() => [TEXT], options);
    // this text's mixture has converged long before its last sweep, so that its bytes do not tell how many there were
    expect(calls).toHaveBeenCalledWith("mixtureSolve", 167, 60);
    calls.mockRestore();
    const { shape } = report;
    const { groups, documentGroups: documents = 0, secondGroups: seconds = 0 } = shape;
    // a byte is a token; the last twentieth is the mixture's
    const all = TEXT.length;
    const places = all - Math.floor(all / 20);
    expect([all, places]).toEqual([3355, 3188]);
    const solver = await Solver.start(await compileSolver(shape, "simd", false), shape, all, 0);
    solver.view(Uint16Array, "TOKENS", all).set(TEXT);
    const settings = {
      ...{ places, seed: 1, groupBatch: 3188, groupRate: 0.7, groupPseudoCounts: 5 },
      ...{ batch: 512, lead: 20, rate: 0.5, sharpness: 0.25 },
      ...{ decoderPseudoCounts: 100, hiddenPseudoCounts: 20, decoderStep: 1, hiddenStep: 8 },
      ...{ decoderPrior: 83.9, hiddenPrior: groups > 21 ? 0.663 : 0.915 },
    };
    await solver.configure(settings);
    await solver.once("count");
    const weights = (first: number) => [first, first * 0.6];
    solver
      .view(Float32Array, "POSITIONS", 2 * (groups + documents + seconds))
      .set([
        ...Array.from({ length: groups }, () => weights(1)).flat(),
        ...Array.from({ length: documents }, () => weights(8)).flat(),
        ...Array.from({ length: seconds }, () => weights(1 / groups)).flat(),
      ]);
    await solver.once("initialiseGroups");
    if (shape.windowAttention) for (const pass of [0, 1]) await solver.once("attentionSteps", pass, 0, places);
    // three passes of one step each, layer by layer; the weight of inputs on the last tenth
    const [lower, top] = [groups + documents, groups + documents + seconds];
    await solver.once("groupSteps", 0, 1, 0, lower, 0, 3);
    await solver.once("weighInputs", 0, 1, groups, lower, places - 319, places);
    await solver.once("groupSteps", 0, 1, lower, top, 0, 3);
    await solver.once("weighInputs", 0, 1, lower, top, places - 319, places);
    // eight passes of seven steps; U and O are the means of every fourth step's over the second half
    await solver.once("initialiseScaling");
    const tables = {
      U: solver.view(Float32Array, "U", sizesOf(shape).HIDDEN_CELLS),
      O: solver.view(Float32Array, "O", 256 * hiddenWidth(shape)),
    };
    const averaged = async (names: readonly (keyof typeof tables)[], ends: readonly number[], from: number) => {
      const samples: Float32Array[][] = [];
      for (const [i, end] of ends.entries()) {
        await solver.once("scalingSteps", 0, 1, ends[i - 1] ?? from, end);
        samples.push(names.map((name) => tables[name].slice()));
      }
      for (const [t, name] of names.entries()) {
        tables[name].set(
          tables[name].map((_, i) => samples.reduce((sum, each) => sum + each[t]![i]!, 0) / samples.length),
        );
      }
    };
    await solver.once("scalingSteps", 0, 1, 0, 28);
    await averaged(["U", "O"], [32, 36, 40, 44, 48, 52, 56], 28);
    if (shape.weightBits === 4) {
      // one pass more of O alone, for U as its codes say it
      await solver.once("roundHidden");
      await solver.configure({ ...settings, lead: 63 });
      await averaged(["O"], [60, 63], 56);
    }
    await solver.once("evaluate", places, all - places);
    await solver.once("mixturePlaces", places, all - places, 0);
    await solver.once("mixtureSolve", all - places, 60);
    if (shape.weightBits !== 4) await solver.once("storeHidden");
    await solver.once("storeDecoder");
    const found = new Map(readTensors(files.get("model.safetensors")!, "").tensors);
    for (const name of ["attention.long", "memory.tokens"]) found.delete(name); // remember.test.ts
    expect(Buffer.compare(writeTensors(found), writeTensors(weightsOf(solver, shape)))).toBe(0);
  });
});
