/** Fits with attention over the window, a document, a second layer: each solve against its formula, and models that load and run. */
import { afterEach, describe, expect, test } from "vitest";
import { compileSolver } from "../host/compile/compile.ts";
import { sizesOf } from "../host/compile/sizes.ts";
import { readTensors } from "../host/files/safetensors.ts";
import { type Settings, Solver } from "../host/fit/solver.ts";
import { fit, load, type Shape } from "../host/index.ts";
import { cipherWidth, hiddenLayers, hiddenWidth, validateShape } from "../host/shape.ts";
import { compileQuickly } from "./compile-warm.ts";
import { bagOf, comparisonsOf, type LayerSizes, type Sums, scalingStep } from "./layers-reference.ts";
import { marginal } from "./reference.ts";

compileQuickly();

const PLAIN = { vocabulary: 24, bits: 24, window: 3, groups: 2, units: 4, history: 0, matchLength: 0 };
const ALL = { windowAttention: true, documentGroups: 2, documentSpan: 4, secondGroups: 2, secondWindow: 3 };
const CIPHER = Array.from({ length: 24 }, (_, v) => [v]);

let solver: Solver | undefined;
afterEach(() => solver?.stop());

/** A stream in which what follows a token that has just come twice is what stood two places before. */
function streamOf(length: number): number[] {
  let state = 5;
  const below = (n: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return Math.floor(((state >>> 8) / 2 ** 24) * n);
  };
  const tokens = [0, 1, 2];
  while (tokens.length < length) {
    const [third, second, first] = tokens.slice(-3) as [number, number, number];
    if (first === second) tokens.push(third);
    else if (below(3) === 0) tokens.push(first);
    else tokens.push(below(5) === 0 ? below(24) : (first * 5 + 1) % 24);
  }
  return tokens;
}

/** A solver that has counted its tokens; full passes over them, unless `settings` say otherwise. */
async function start(
  shape: Shape,
  tokens: readonly number[],
  settings: Settings = {},
  threads = 0,
  build: "simd" | "scalar" = "simd",
): Promise<Solver> {
  solver = await Solver.start(await compileSolver(shape, build, threads > 0), shape, tokens.length, threads);
  solver.view(Uint16Array, "TOKENS", tokens.length).set(tokens);
  const n = tokens.length;
  await solver.configure({ places: n, seed: 5, groupBatch: n, groupRate: 0, groupPseudoCounts: 3, ...settings });
  await solver.once("count");
  return solver;
}

describe("attention over the window", () => {
  const shape = validateShape({ ...PLAIN, windowAttention: true });
  const sizes = { documentSpan: 1, secondWindow: 1, ...shape } as LayerSizes;

  test("W and w0 are the explicit solution of counted responsibilities of positions", async () => {
    const tokens = streamOf(1500);
    const on = await start(shape, tokens);
    for (const pass of [0, 1]) {
      await on.once("attentionSteps", pass, 0, 700);
      await on.once("attentionSteps", pass, 700, tokens.length);
    }
    const { window, vocabulary } = shape;
    const pseudoCounts = 3;
    const counts = tokens.reduce((all, token) => all.with(token, all[token]! + 1), new Array<number>(24).fill(1));
    const marginal = counts.map((count) => count / (tokens.length + vocabulary));
    const pairs = new Map<string, number>();
    const total = new Map<string, number>();
    const each = (visit: (at: number, j: number, pair: string, row: string) => void) => {
      for (const at of tokens.keys()) {
        for (let j = 0; j < window && at - 1 - j >= 0; ++j) {
          const row = `${j} ${tokens[at - 1 - j]}`;
          visit(at, j, `${row} ${tokens[at]}`, row);
        }
      }
    };
    each((_at, _j, pair, row) => {
      pairs.set(pair, (pairs.get(pair) ?? 0) + 1);
      total.set(row, (total.get(row) ?? 0) + 1);
    });
    const likelihoods = tokens.map(() => [] as number[]);
    each((at, j, pair, row) => {
      // the place itself left out
      likelihoods[at]![j] =
        (pairs.get(pair)! - 1 + pseudoCounts * marginal[tokens[at]!]!) / (total.get(row)! - 1 + pseudoCounts);
    });
    const f = Array.from({ length: window }, () => new Array<number>(window).fill(0));
    const means = new Array<number>(window).fill(0);
    for (const [at, p] of likelihoods.entries()) {
      if (p.length < window) continue;
      const sum = p.reduce((all, value) => all + value);
      const c = comparisonsOf(tokens, at, sizes, CIPHER);
      for (let j = 0; j < window; ++j) {
        means[j]! += p[j]! / sum;
        for (let i = 0; i < window; ++i) f[i]![j]! += (c[i]! * p[j]!) / sum;
      }
    }
    const all = means.reduce((sum, value) => sum + value);
    // W stands behind U, then w0
    const weights = on.view(Float32Array, "U", 72 * 8 + window * window + window).subarray(72 * 8);
    const [w, w0] = [weights.subarray(0, window * window), weights.subarray(window * window)];
    for (let j = 0; j < window; ++j) {
      const share = means[j]! / all;
      expect(w0[j]).toBeCloseTo(Math.log(share), 4);
      for (let i = 0; i < window; ++i) {
        const row = f[i]!.reduce((sum, value) => sum + value);
        expect(w[i * window + j]).toBeCloseTo(
          Math.log((f[i]![j]! + pseudoCounts * share) / ((row + pseudoCounts) * share)),
          4,
        );
      }
    }
    // a pivot that equals the token before it: what came before both says what follows
    expect(w[window + 2]).toBeGreaterThan(0.5);
    const positions = on.view(Float32Array, "POSITIONS", shape.groups * window);
    for (const weight of positions) expect(weight).toBeCloseTo(1 / (window * Math.exp(w0[0]!)), 4);
  });

  test("predicts a stream that needs it better than the same model without it", async () => {
    const text = Uint8Array.from(streamOf(20_000));
    const options = { vocabulary: 256, window: 3, groups: 2, units: 8, history: 0, weightBits: 8, threads: 0 } as const;
    const held = [Uint8Array.from(streamOf(22_000).slice(20_000))];
    const bits = async (windowAttention: boolean) =>
      (await fit(() => [text], { ...options, windowAttention, heldOut: held })).report.heldOutBits;
    expect(await bits(true)).toBeLessThan(0.98 * (await bits(false)));
  });
});

describe("document", () => {
  test("a full pass solves its rows from bags and first targets", async () => {
    const shape = validateShape({ ...PLAIN, documentGroups: 2, documentSpan: 4 });
    const tokens = streamOf(400);
    const on = await start(shape, tokens);
    const width = hiddenWidth(shape);
    on.view(Float32Array, "POSITIONS", 4 * shape.window).fill(1);
    await on.once("initialiseGroups");
    const sizes = { secondWindow: 1, ...shape } as LayerSizes;
    await on.all("groupSteps", "thread", "threads", 2, 4, 0, 1);
    const p = on.view(Float32Array, "O", 24 * width);
    // the document's rows and biases stand behind the window's
    const u = on.view(Float32Array, "U", (72 + 24) * 8).subarray(72 * 8);
    const u0 = on.view(Float32Array, "U0", 16).subarray(8);
    // P is (Σ targets of the token + 3 π) / (Σ + 3): targets of a token are all alike, so they can be read back
    const counts = tokens.reduce((all, token) => all.with(token, all[token]! + 1), new Array<number>(24).fill(0));
    const marginal = counts.map((count) => (count + 1) / (tokens.length + 24));
    for (const group of [0, 1]) {
      const columns = Array.from({ length: 4 }, (_, c) => 8 + group * 4 + c);
      // Σ_v P = 1, so that totals T_c follow from one token that never came, or from the prior: exp(u0) = T / Σ T
      const prior = columns.map((_, c) => Math.exp(u0[group * 4 + c]!));
      const totals = prior.map((share) => share * tokens.length);
      const target = (v: number) =>
        columns.map(
          (column, c) => (p[v * width + column]! * (totals[c]! + 3) - 3 * marginal[v]!) / Math.max(1, counts[v]!),
        );
      const sums = Array.from({ length: 24 }, () => new Array<number>(4).fill(0));
      for (const [at, token] of tokens.entries()) {
        for (const [bit, share] of bagOf(tokens, at, sizes, CIPHER).entries()) {
          for (const [c, value] of target(token).entries()) sums[bit]![c]! += share * value;
        }
      }
      for (const [bit, row] of sums.entries()) {
        const total = row.reduce((sum, value) => sum + value) + 3;
        for (const [c, value] of row.entries()) {
          const wanted = Math.log((value + 3 * prior[c]!) / (total * prior[c]!));
          expect(Math.abs(u[bit * 8 + group * 4 + c]! - wanted), `${bit} ${c}`).toBeLessThan(0.01);
        }
      }
    }
  });
});

describe("all layers", () => {
  test("passes of iterative scaling raise the likelihood, from one thread or several and either build alike", async () => {
    const shape = validateShape({ ...PLAIN, ...ALL });
    const tokens = streamOf(2000);
    const digests: string[] = [];
    for (const [build, threads] of [
      ["simd", 0],
      ["scalar", 0],
      ["simd", 2],
      ["simd", 3],
    ] as const) {
      const on = await start(shape, tokens, { groupBatch: 500, groupRate: 0.7 }, threads, build);
      on.view(Float32Array, "POSITIONS", 6 * 3).fill(0.5);
      for (const pass of [0, 1]) await on.once("attentionSteps", pass, 0, tokens.length);
      await on.once("initialiseGroups");
      await on.all("groupSteps", "thread", "threads", 0, 4, 0, 6);
      await on.all("weighInputs", "thread", "threads", 2, 4, 1500, 2000);
      await on.all("groupSteps", "thread", "threads", 4, 6, 0, 6);
      await on.all("weighInputs", "thread", "threads", 4, 6, 1500, 2000);
      await on.once("initialiseScaling");
      await on.configure({
        ...{ places: tokens.length, seed: 1, batch: tokens.length, lead: 2, rate: 0, sharpness: 1 },
        ...{ decoderPseudoCounts: 1, hiddenPseudoCounts: 1, decoderStep: 0.5, hiddenStep: 0.3 },
      });
      let before = Number.POSITIVE_INFINITY;
      for (let pass = 0; pass < 12; ++pass) {
        await on.all("scalingSteps", "thread", "threads", pass, pass + 1);
        await on.once("evaluate", 0, tokens.length);
        const p = on.view(Float32Array, "LIKELIHOOD", tokens.length);
        const nats = p.reduce((sum, value) => sum - Math.log(value), 0);
        expect(nats, `pass ${pass}`).toBeLessThan(before);
        before = nats;
      }
      expect(before / tokens.length).toBeLessThan(0.8 * Math.log(24));
      const weights = on.view(Float32Array, "U", sizesOf(shape).HIDDEN_WEIGHTS);
      digests.push([...weights, ...on.view(Float32Array, "O", 24 * hiddenWidth(shape))].join());
      await on.stop();
    }
    expect(new Set(digests).size).toBe(1);
  });

  test.each([
    ["one-hot", 24, "simd"],
    ["ciphered", 7, "scalar"],
  ] as const)(
    "steps of iterative scaling over all places equal the reference, priors included: %s",
    async (_what, bits, build) => {
      const shape = validateShape({ ...PLAIN, ...ALL, bits });
      const tokens = streamOf(200);
      const solve = {
        ...{ decoderPseudoCounts: 20, hiddenPseudoCounts: 5, decoderStep: 2, hiddenStep: 1 },
        ...{ decoderPrior: 50, hiddenPrior: 7, sharpness: 0.25 },
      };
      const on = await start(shape, tokens, { groupBatch: 100, groupRate: 0.7 }, 0, build);
      // of six groups the window's two have positions that decay by a half
      on.view(Float32Array, "POSITIONS", 6 * 3).set([1, 0.5, 0.25, 1, 0.5, 0.25, ...new Array<number>(12).fill(0.5)]);
      await on.once("initialiseGroups");
      for (const [first, end] of [
        [0, 4],
        [4, 6],
      ] as const)
        await on.all("groupSteps", "thread", "threads", first, end, 0, 4);
      await on.once("initialiseScaling");
      const layers = hiddenLayers(shape);
      const width = hiddenWidth(shape);
      const found = () => {
        const named: Record<string, Float64Array> = {};
        let [table, bias] = [on.address("U"), on.address("U0")];
        const take = (address: number, length: number) => Float64Array.from(on.view(Float32Array, address, length));
        for (const { name, rows, width } of layers) {
          named[`${name}.U`] = take(table, rows * width);
          named[`${name}.u0`] = take(bias, width);
          table += 4 * rows * width;
          bias += 4 * width;
        }
        named["block.W"] = take(table, 9);
        named["block.w0"] = take(table + 36, 3);
        named["decoder.O"] = take(on.address("O"), 24 * width);
        named["decoder.o0"] = take(on.address("O0"), 24);
        return named;
      };
      const cipher = Array.from({ length: 24 }, () => [] as number[]);
      const stored = on.view(Uint16Array, "CIPHER", 24 * cipherWidth(shape));
      for (let v = 0; v < 24; ++v) {
        if (bits === 24) cipher[v] = [v];
        else
          cipher[v] = Array.from(stored.subarray(v * cipherWidth(shape), (v + 1) * cipherWidth(shape))).filter(
            (bit) => bit < bits,
          );
      }
      const weights = found();
      // attention that is not alike for all positions
      const attention = on.view(Float32Array, on.address("U") + 4 * sizesOf(shape).HIDDEN_CELLS, 12);
      for (let i = 0; i < 12; ++i) attention[i] = Math.sin(i);
      Object.assign(weights, { "block.W": found()["block.W"], "block.w0": found()["block.w0"] });
      const sums: Sums = Object.fromEntries(
        [...layers.map(({ name }) => `${name}.U`), "decoder.O"].map((name) => {
          const { length } = weights[name]!;
          return [name, { observed: new Float64Array(length), expected: new Float64Array(length) }];
        }),
      );
      await on.configure({ places: 200, seed: 1, batch: 200, lead: 0, rate: 0.5, ...solve });
      for (let step = 0; step < 5; ++step) {
        await on.all("scalingSteps", "thread", "threads", step, step + 1);
        const eta = (step + 2) ** -0.5;
        const text = { tokens, sizes: shape as LayerSizes, cipher };
        scalingStep(weights, sums, text, { ...solve, eta, held: [1, 4, 16], pi: marginal(tokens, 24) });
        for (const [name, values] of Object.entries(found())) {
          for (const [i, value] of values.entries()) {
            expect(Math.abs(value - weights[name]![i]!), `${name}[${i}] after step ${step}`).toBeLessThan(1e-3);
          }
        }
      }
    },
  );

  test("a fitted model loads, scores as the f32 network does, observes and forgets exactly, refits", async () => {
    const text = Uint8Array.from(streamOf(12_000));
    const held = Uint8Array.from(streamOf(13_000).slice(12_000));
    const options = { vocabulary: 256, groups: 2, units: 8, history: 0, threads: 0, ...ALL } as const;
    const { files, report } = await fit(() => [text], { ...options, weightBits: 4, heldOut: [held] });
    expect(report.shape).toMatchObject(ALL);
    const { tensors } = readTensors(files.get("model.safetensors")!, "model.safetensors");
    expect([...tensors.keys()]).toContain("stacked.U.levels");
    const model = await load(files);
    const { bits } = model.score(held);
    // what four bits of U and eight of O lose after the decoder was solved for them
    expect(Math.abs(bits / report.heldOutBits - 1)).toBeLessThan(0.02);
    const digest = async () => (await model.statistics()).statisticsDigest;
    const empty = await digest();
    await model.observe(held);
    expect(await digest()).not.toBe(empty);
    await model.forget(held);
    expect(await digest()).toBe(empty);
    await model.observe(held);
    await model.refit();
    expect(model.score(held).bits).toBeLessThan(bits);
  });
});
