/** The trainer's solvers against the f64 reference, and what each solve promises. */
import { afterEach, describe, expect, test } from "vitest";
import { compileTrainer } from "../host/compile/compile.ts";
import { averagedSteps } from "../host/fit/average.ts";
import { Trainer } from "../host/fit/trainer.ts";
import { residualTables } from "../host/fit/weights.ts";
import { type Shape, validateShape } from "../host/shape.ts";
import * as reference from "./reference.ts";

const SIZES = { vocabulary: 32, window: 2, groups: 2, units: 4 };
const WIDTH = SIZES.heads * SIZES.classes;
const shape = shapeOf({});
/** f32 sums of a few hundred terms, then logarithms of ratios: a part in ten thousand of the largest weight. */
const TOLERANCE = 1e-3;

let trainer: Trainer | undefined;
afterEach(() => trainer?.stop());

function shapeOf(changes: Partial<Shape>): Shape {
  return validateShape({ ...SIZES, bits: 32, history: 64, matchLength: 3, ...changes });
}

/** A stream with structure: mostly one of two followers of each token. */
function stream(length: number, vocabulary = 32): number[] {
  const tokens = [0];
  let state = 17;
  while (tokens.length < length) {
    state = (Math.imul(state, 1103515245) + 12345) | 0;
    const draw = (state >>> 16) % 10;
    const last = tokens.at(-1)!;
    const next = draw < 5 ? last * 5 + 1 : draw < 8 ? last * 3 + 7 : state >>> 20;
    tokens.push(next % vocabulary);
  }
  return tokens;
}

async function start(tokens: readonly number[], of = shape, build: "simd" | "scalar" = "simd"): Promise<Trainer> {
  trainer = await Trainer.start(await compileTrainer(of, build, false), tokens.length, 0);
  trainer.view(Uint16Array, "TOKENS", tokens.length).set(tokens);
  await trainer.all("count", "thread", tokens.length);
  return trainer;
}

async function heads(
  on: Trainer,
  settings: { batch: number; rate: number; mass: number; steps: number; cipher?: boolean },
) {
  const positions = on.view(Float32Array, "POSITIONS", SIZES.heads * SIZES.block);
  for (let i = 0; i < positions.length; ++i) positions[i] = 0.6 ** (i % SIZES.block);
  await on.all("configureHeads", 5, settings.batch, settings.rate, settings.mass, settings.cipher ? 1 : 0);
  await on.once("initialiseHeads");
  await on.all("headSteps", "thread", "threads", 0, SIZES.heads, 0, settings.steps);
}

function matrix(on: Trainer, address: string, rows: number, columns = WIDTH): reference.Matrix {
  const flat = on.view(Float32Array, address, rows * columns);
  return Array.from({ length: rows }, (_, row) => Array.from(flat.subarray(row * columns, (row + 1) * columns)));
}

function weightsOf(on: Trainer): reference.Weights {
  const u0 = matrix(on, "U0", 1)[0]!;
  const o0 = matrix(on, "O0", 1, 32)[0]!;
  return { u: matrix(on, "U", 64), u0, o: matrix(on, "O", 32), o0 };
}

async function bits(on: Trainer, from: number, places: number): Promise<number> {
  let sum = 0;
  for (let at = from; at < from + places; at += 2048) {
    const n = Math.min(2048, from + places - at);
    await on.once("evaluate", at, n);
    for (const p of on.view(Float32Array, "LIKELIHOOD", n)) sum -= Math.log2(p);
  }
  return sum;
}

function expectClose(found: reference.Matrix, wanted: reference.Matrix): void {
  for (const [i, row] of wanted.entries()) {
    for (const [c, value] of row.entries()) expect(Math.abs(found[i]![c]! - value)).toBeLessThan(TOLERANCE);
  }
}

describe("heads", () => {
  test("a full pass from the label cipher is the explicit solution of counted sums", async () => {
    const tokens = stream(500);
    const ciphered = shapeOf({ units: 8, groups: 1 });
    const on = await start(tokens, ciphered);
    const positions = on.view(Float32Array, "POSITIONS", 2);
    positions.set([1, 0.6]);
    await on.all("configureHeads", 5, tokens.length, 0, 3, 1);
    await on.once("initialiseHeads");
    await on.all("headSteps", "thread", "threads", 0, ciphered.groups, 0, 1);
    const targets = labelCipher(tokens, 8);
    const f = reference.zeros(64, 8);
    const so = reference.zeros(32, 8);
    for (const at of tokens.keys()) {
      const target = targets[tokens[at]!]!;
      for (let c = 0; c < 8; ++c) {
        so[tokens[at]!]![c]! += target[c]!;
        for (const row of reference.features(tokens, at, SIZES)) f[row]![c]! += target[c]!;
      }
    }
    const solved = reference.solveHead(f, so, 3, [1, 0.6], reference.marginal(tokens, 32));
    expectClose(matrix(on, "U", 64, 8), solved.u);
    expectClose(matrix(on, "U0", 1, 8), [solved.u0]);
    expectClose(matrix(on, "O", 32, 8), solved.p);
  });

  test("EM in full passes never lowers the likelihood of the mixture", async () => {
    const tokens = stream(3000);
    // one position: a softmax over several is no exact M-step; without smoothing: the likelihood itself rises
    const mixture = validateShape({ ...shape, groups: 1, units: 8, window: 1, decoder: "mixture" });
    const on = await start(tokens, mixture);
    on.view(Float32Array, "POSITIONS", 1).set([1]);
    await on.all("configureHeads", 5, tokens.length, 0, 1e-4, 0);
    await on.once("initialiseHeads");
    let before = Number.POSITIVE_INFINITY;
    for (let step = 0; step < 12; ++step) {
      await on.all("headSteps", "thread", "threads", 0, mixture.groups, step, step + 1);
      const now = await bits(on, 1, tokens.length - 1);
      expect(now).toBeLessThan(before + 0.05); // f32 sums of 3,000 logarithms
      before = now;
    }
    expect(before).toBeLessThan(0.85 * 3000 * Math.log2(32));
  });

  test("solved position weights predict better than the decay they start from", async () => {
    const tokens = stream(4000);
    const mixture = validateShape({ ...shape, groups: 2, units: 8, decoder: "mixture" });
    const on = await start(tokens, mixture);
    const positions = on.view(Float32Array, "POSITIONS", 4);
    positions.set([0.6, 0.6, 0.6, 0.6]);
    await on.all("configureHeads", 5, 512, 0.7, 2, 0);
    await on.once("initialiseHeads");
    await on.all("headSteps", "thread", "threads", 0, SIZES.heads, 0, 24);
    const before = await bits(on, 2, 3998);
    await on.all("solvePositions", "thread", "threads", 0, SIZES.heads, 2, 4000, 6);
    expect(await bits(on, 2, 3998)).toBeLessThan(before);
    // the stream depends on its last token alone
    expect(positions[0]).toBeGreaterThan(positions[1]!);
  });
});

/** The m-bit label cipher of the tokens, by frequency, ties by id. */
function labelCipher(tokens: readonly number[], classes: number): reference.Matrix {
  const counts = new Array<number>(32).fill(0);
  for (const token of tokens) counts[token]! += 1;
  const ranked = Array.from(counts.keys()).sort((a, b) => counts[b]! - counts[a]! || a - b);
  const subsets = Array.from({ length: 2 ** classes - 1 }, (_, mask) => {
    return Array.from({ length: classes }, (_, bit) => bit).filter((bit) => ((mask + 1) >> bit) & 1);
  }).sort((a, b) => a.length - b.length || compare(a, b));
  const rows = reference.zeros(32, classes);
  for (const [rank, token] of ranked.entries()) {
    const subset = subsets[rank]!;
    for (const bit of subset) rows[token]![bit] = 1 / subset.length;
  }
  return rows;
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length; ++i) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return 0;
}

describe("residual solve", () => {
  test.each([
    ["simd", { decoderPrior: 0, hiddenPrior: 0, sharpness: 1 }],
    ["scalar", { decoderPrior: 0, hiddenPrior: 0, sharpness: 1 }],
    ["simd", { decoderPrior: 50, hiddenPrior: 7, sharpness: 0.25 }],
    ["scalar", { decoderPrior: 50, hiddenPrior: 7, sharpness: 0.25 }],
  ] as const)("%s: steps over all places equal the reference, %o", async (build, solve) => {
    const { decoderPrior, hiddenPrior, sharpness } = solve;
    const tokens = stream(400);
    const on = await start(tokens, shape, build);
    await heads(on, { batch: 200, rate: 0.7, mass: 5, steps: 4 });
    await on.once("initialiseResidual", 0);
    const weights = weightsOf(on);
    const sums = {
      f: reference.zeros(32, WIDTH),
      fHat: reference.zeros(32, WIDTH),
      g: reference.zeros(64, WIDTH),
      gHat: reference.zeros(64, WIDTH),
    };
    await on.all("configureResidual", 3, 400, 2, 0.5, 20, 5, 2, 1, decoderPrior, hiddenPrior, sharpness);
    const pi = reference.marginal(tokens, 32);
    const places = Array.from(tokens.keys()); // a batch of all: the order of places does not matter
    for (let step = 0; step < 6; ++step) {
      await on.all("residualSteps", "thread", "threads", step, step + 1);
      reference.residualStep(weights, sums, tokens, places, SIZES, {
        eta: (step + 2) ** -0.5,
        scale: 1,
        decoderMass: 20,
        hiddenMass: 5,
        decoderStep: 2,
        hiddenStep: 1,
        ...solve,
        positions: [1, 0.6],
        moveHidden: step >= 2,
        pi,
      });
      const found = weightsOf(on);
      expectClose(found.o, weights.o);
      expectClose(found.u, weights.u);
    }
    // and the same predictions
    await on.once("evaluate", 0, 400);
    for (const [at, p] of on.view(Float32Array, "LIKELIHOOD", 400).entries()) {
      const wanted = reference.predict(weights, reference.hidden(weights, tokens, at, SIZES))[tokens[at]!]!;
      expect(Math.abs(p / wanted - 1)).toBeLessThan(0.01);
    }
  });

  test("averages what is solved over the last share of the steps, a sample every four and at the end", async () => {
    const tokens = stream(600);
    const begin = async () => {
      const on = await start(tokens);
      await heads(on, { batch: 200, rate: 0.7, mass: 5, steps: 4 });
      await on.once("initialiseResidual", 0);
      await on.all("configureResidual", 3, 100, 2, 0.5, 20, 5, 2, 1, 0, 0, 1);
      return on;
    };
    const by = (on: Trainer) => (steps: readonly [number, number]) =>
      on.all("residualSteps", "thread", "threads", ...steps);
    const alone = await begin();
    const after = [];
    for (let step = 0; step < 15; ++step) {
      await by(alone)([step, step + 1]);
      after.push(weightsOf(alone));
    }
    await alone.stop();
    // half of 15 steps, rounded down: from step 8 on, so after steps 12 and 15
    const [first, last] = [after[11]!, after[14]!];
    const mean = (a: reference.Matrix, b: reference.Matrix) =>
      a.map((row, i) => row.map((value, j) => Math.fround((value + b[i]![j]!) / 2)));
    for (const [share, u, o] of [
      [0.5, mean(first.u, last.u), mean(first.o, last.o)],
      [0, last.u, last.o],
    ] as const) {
      const on = await begin();
      await averagedSteps(on, residualTables(shape), share, [0, 15], by(on));
      expect(weightsOf(on)).toEqual({ ...last, u, o });
      await on.stop();
    }
    expect(last.u).not.toEqual(first.u); // the steps move them
    expect(last.o).not.toEqual(first.o);
  });

  test("full passes at step 1 raise the likelihood", async () => {
    const tokens = stream(2000);
    const on = await start(tokens);
    await heads(on, { batch: 500, rate: 0.7, mass: 5, steps: 8 });
    await on.once("initialiseResidual", 0);
    // one batch of all tokens, no averaging, hardly any smoothing: generalized iterative scaling itself
    await on.all("configureResidual", 3, 2000, 1000, 0, 1e-3, 1e-3, 1, 1, 0, 0, 1);
    let before = await bits(on, 0, 2000);
    for (let step = 0; step < 10; ++step) {
      await on.all("residualSteps", "thread", "threads", step, step + 1);
      const now = await bits(on, 0, 2000);
      expect(now).toBeLessThan(before + 0.05);
      before = now;
    }
  });
});

describe("explicit decoder", () => {
  test("with one head of one-hot classes it is naive Bayes with class prior, to the formula", async () => {
    const tokens = stream(600);
    const on = await start(tokens);
    await heads(on, { batch: 600, rate: 0, mass: 5, steps: 3 });
    const before = weightsOf(on);
    await on.once("explicitSteps", 0, 600, 4, 1);
    const pi = reference.marginal(tokens, 32);
    const f = reference.zeros(32, WIDTH);
    for (const at of tokens.keys()) {
      const h = reference.hidden(before, tokens, at, SIZES);
      for (let c = 0; c < WIDTH; ++c) f[tokens[at]!]![c]! += h[c]!;
    }
    const totals = Array.from({ length: WIDTH }, (_, c) => f.reduce((sum, row) => sum + row[c]!, 4));
    const wanted = f.map((row, v) => row.map((value, c) => Math.log((value + 4 * pi[v]!) / (totals[c]! * pi[v]!))));
    expectClose(matrix(on, "O", 32), wanted);
  });
});

describe("gate", () => {
  test("solving never lowers the likelihood of its slice, and prefers what predicts", async () => {
    const piece = stream(60);
    const tokens = Array.from({ length: 20 }, () => piece).flat(); // repeats: long matches predict
    const on = await start(tokens);
    await heads(on, { batch: 300, rate: 0.7, mass: 5, steps: 8 });
    await on.once("initialiseResidual", 0);
    await on.once("evaluate", 200, 1000);
    await on.once("gatePlaces", 200, 1000, 0);
    await on.once("gateSolve", 1000, 60);
    const gate = on.view(Float32Array, "GATE", 3 * 32);
    expect(gate.every((lambda) => lambda >= 0 && lambda <= 1)).toBe(true);
    expect(gate[2 * 32]).toBeGreaterThan(0.8); // one match of the highest order: the text repeats
    expect(gate[7 * 4 + 3]).toBeCloseTo(0.3, 5); // dozens of matches, all different: no place was so
    // a sweep more changes little, and no likelihood falls on the way
    const likelihoods = on.view(Float32Array, "GATE_LIKELIHOODS", 1000 * 4);
    const buckets = on.view(Uint8Array, "GATE_BUCKETS", 1000 * 3);
    let least = Number.NEGATIVE_INFINITY;
    for (const sweeps of [1, 2, 4, 8, 60]) {
      await on.once("gateSolve", 1000, sweeps);
      const logs = chainLogs(likelihoods, buckets, gate);
      expect(logs).toBeGreaterThan(least - 1e-3);
      least = logs;
    }
  });
});

/** Σ ln p of the mixture, order by order, plus that of the pseudo-counts (2 places a bucket, 0.6 of them for the order). */
function chainLogs(likelihoods: Float32Array, buckets: Uint8Array, gate: Float32Array): number {
  let logs = 0;
  for (const lambda of gate) logs += 0.6 * Math.log(lambda) + 1.4 * Math.log(1 - lambda);
  for (let t = 0; t < buckets.length / 3; ++t) {
    let p = likelihoods[t * 4]!;
    for (let o = 0; o < 3 && buckets[t * 3 + o] !== 0xff; ++o) {
      const lambda = gate[o * 32 + buckets[t * 3 + o]!]!;
      p = (1 - lambda) * p + lambda * likelihoods[t * 4 + 1 + o]!;
    }
    logs += Math.log(p);
  }
  return logs;
}
