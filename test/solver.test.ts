/** The solver of a fit against the f64 reference, and what each of its solves promises. */
import { afterEach, describe, expect, test } from "vitest";
import { compileSolver } from "../host/compile/compile.ts";
import { type Settings, Solver } from "../host/fit/solver.ts";
import { type Shape, validateShape } from "../host/shape.ts";
import { compileQuickly } from "./compile-warm.ts";
import { bagOf } from "./layers-reference.ts";
import * as reference from "./reference.ts";

compileQuickly();

const SIZES = { vocabulary: 32, window: 2, groups: 2, units: 4 };
const WIDTH = SIZES.groups * SIZES.units;
const shape = shapeOf({});
/** f32 sums of a few hundred terms, then logarithms of ratios: a part in ten thousand of the largest weight. */
const TOLERANCE = 1e-3;

let solver: Solver | undefined;
afterEach(() => solver?.stop());

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

/** A solver that has counted its tokens. */
async function start(tokens: readonly number[], of = shape, build: "simd" | "scalar" = "simd"): Promise<Solver> {
  solver = await Solver.start(await compileSolver(of, build, false), of, tokens.length, 0);
  solver.view(Uint16Array, "TOKENS", tokens.length).set(tokens);
  await solver.configure({ places: tokens.length });
  await solver.once("count");
  return solver;
}

/** Solves the groups: `steps` of them, with weights of positions that decay by 0.6. */
async function groups(on: Solver, steps: number, settings: Settings): Promise<void> {
  const positions = on.view(Float32Array, "POSITIONS", SIZES.groups * SIZES.window);
  for (let i = 0; i < positions.length; ++i) positions[i] = 0.6 ** (i % SIZES.window);
  await on.configure({ seed: 5, ...settings });
  await on.once("initialiseGroups");
  await on.all("groupSteps", "thread", "threads", 0, SIZES.groups, 0, steps);
}

const scale = (on: Solver, steps: readonly [number, number]) => on.all("scalingSteps", "thread", "threads", ...steps);

function matrix(on: Solver, address: string, rows: number, columns = WIDTH): reference.Matrix {
  const flat = on.view(Float32Array, address, rows * columns);
  return Array.from({ length: rows }, (_, row) => Array.from(flat.subarray(row * columns, (row + 1) * columns)));
}

function weightsOf(on: Solver): reference.Weights {
  const u0 = matrix(on, "U0", 1)[0]!;
  const o0 = matrix(on, "O0", 1, 32)[0]!;
  return { u: matrix(on, "U", 64), u0, o: matrix(on, "O", 32), o0 };
}

async function bits(on: Solver, from: number, places: number): Promise<number> {
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

describe("groups", () => {
  test("a full pass from the label cipher is the explicit solution of counted sums", async () => {
    const tokens = stream(500);
    const ciphered = shapeOf({ units: 8, groups: 1 });
    const on = await start(tokens, ciphered);
    on.view(Float32Array, "POSITIONS", 2).set([1, 0.6]);
    await on.configure({
      ...{ places: 500, seed: 5, groupBatch: 500, groupRate: 0, groupPseudoCounts: 3, labelCiphers: 1 },
    });
    await on.once("initialiseGroups");
    await on.all("groupSteps", "thread", "threads", 0, 1, 0, 1);
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
    const solved = reference.solveGroup(f, so, 3, [1, 0.6], reference.marginal(tokens, 32));
    expectClose(matrix(on, "U", 64, 8), solved.u);
    expectClose(matrix(on, "U0", 1, 8), [solved.u0]);
    expectClose(matrix(on, "O", 32, 8), solved.p);
  });

  test("EM in full passes never lowers the likelihood of a group's own mixture", async () => {
    const tokens = stream(3000);
    // one position: a softmax over several is no exact M-step; hardly any smoothing: the likelihood itself rises
    const alone = shapeOf({ groups: 1, units: 8, window: 1 });
    const sizes = { ...SIZES, groups: 1, units: 8, window: 1 };
    const on = await start(tokens, alone);
    on.view(Float32Array, "POSITIONS", 1).set([1]);
    await on.configure({ places: 3000, seed: 5, groupBatch: 3000, groupPseudoCounts: 1e-4 });
    await on.once("initialiseGroups");
    let before = Number.POSITIVE_INFINITY;
    for (let step = 0; step < 12; ++step) {
      await on.all("groupSteps", "thread", "threads", 0, 1, step, step + 1);
      const weights = { u: matrix(on, "U", 32, 8), u0: matrix(on, "U0", 1, 8)[0]!, o: [], o0: [] };
      const p = matrix(on, "O", 32, 8);
      let now = 0;
      for (let at = 1; at < tokens.length; ++at)
        now -= Math.log2(mixed(reference.hidden(weights, tokens, at, sizes), p[tokens[at]!]!));
      expect(now).toBeLessThan(before + 0.05); // weights are f32
      before = now;
    }
    expect(before).toBeLessThan(0.85 * 3000 * Math.log2(32));
  });

  test.each(["simd", "scalar"] as const)(
    "%s: the weight of a document's inputs is that of four Newton steps in f64, and predicts better than the one it starts from",
    async (build) => {
      const tokens = stream(4000);
      const read = shapeOf({ documentGroups: 2, documentSpan: 4 });
      const on = await start(tokens, read, build);
      const started = 8;
      const positions = on.view(Float32Array, "POSITIONS", 8);
      positions.set([1, 0.6, 1, 0.6, started, 0, started, 0]);
      await on.configure({ places: 4000, seed: 5, groupBatch: 512, groupRate: 0.7, groupPseudoCounts: 2 });
      await on.once("initialiseGroups");
      await on.all("groupSteps", "thread", "threads", 2, 4, 0, 24);
      const sizes = { secondWindow: 1, ...read, documentSpan: 4 };
      const cipher = Array.from({ length: 32 }, (_, v) => [v]);
      const slice = Array.from({ length: 1000 }, (_, i) => 3000 + i);
      const bags = slice.map((at) => bagOf(tokens, at, sizes, cipher));
      // rows of the document's groups stand behind the window's
      const table = () => matrix(on, "U", 64 + 32, 8).slice(64);
      const of = (row: readonly number[], group: number) => row.slice(group * 4, group * 4 + 4);
      const biases = matrix(on, "U0", 1, 16)[0]!.slice(8);
      const p = matrix(on, "O", 32, 16);
      const before = table();
      const votes = [0, 1].map((group) =>
        bags.map((bag) => {
          const sum = new Array<number>(4).fill(0);
          for (const [i, share] of bag.entries())
            for (let c = 0; c < 4; ++c) sum[c]! += share * of(before[i]!, group)[c]!;
          return sum;
        }),
      );
      const hiddenAt = (group: number, i: number, ratio: number) =>
        reference.softmax(of(biases, group).map((bias, c) => bias + ratio * votes[group]![i]![c]!));
      const wanted = (group: number, i: number) => of(p[tokens[slice[i]!]!]!, 2 + group);
      const logs = (group: number, ratio: number) =>
        slice.reduce((sum, _, i) => sum + Math.log(mixed(hiddenAt(group, i, ratio), wanted(group, i))), 0);
      await on.all("weighInputs", "thread", "threads", 2, 4, 3000, 4000);
      for (const group of [0, 1]) {
        let ratio = 1;
        for (let step = 0; step < 4; ++step) {
          let [gradient, curvature] = [0, 1]; // one pseudo-place
          for (const i of slice.keys()) {
            const h = hiddenAt(group, i, ratio);
            const joint = h.map((share, c) => share * wanted(group, i)[c]!);
            const total = joint.reduce((sum, value) => sum + value);
            const vote = votes[group]![i]!;
            const mean = h.reduce((sum, share, c) => sum + share * vote[c]!, 0);
            gradient += joint.reduce((sum, value, c) => sum + (value / total - h[c]!) * vote[c]!, 0);
            curvature += h.reduce((sum, share, c) => sum + share * (vote[c]! - mean) ** 2, 0);
          }
          ratio = Math.min(64, Math.max(0.01, (ratio + gradient / curvature) * started)) / started;
        }
        const found = positions[4 + 2 * group]! / started;
        expect(Math.abs(found / ratio - 1)).toBeLessThan(0.002);
        expect(Math.abs(found - 1)).toBeGreaterThan(0.05); // it was not there from the start
        expect(logs(group, found)).toBeGreaterThan(logs(group, 1));
        // U is taken at the new weight
        expectClose(
          table().map((row) => of(row, group)),
          before.map((row) => of(row, group).map((value) => value * found)),
        );
      }
      // the window's have the weights that they were given
      expect(Array.from(positions.subarray(0, 4))).toEqual([1, 0.6, 1, 0.6].map(Math.fround));
    },
  );
});

/** Σ_c h_c P(y | c): what a group by itself says of the token that came. */
function mixed(hidden: readonly number[], likelihoods: readonly number[]): number {
  return hidden.reduce((sum, share, c) => sum + share * likelihoods[c]!, 0);
}

/** The m-bit label cipher of the tokens, by frequency, ties by id. */
function labelCipher(tokens: readonly number[], units: number): reference.Matrix {
  const counts = new Array<number>(32).fill(0);
  for (const token of tokens) counts[token]! += 1;
  const ranked = Array.from(counts.keys()).sort((a, b) => counts[b]! - counts[a]! || a - b);
  const subsets = Array.from({ length: 2 ** units - 1 }, (_, mask) => {
    return Array.from({ length: units }, (_, bit) => bit).filter((bit) => ((mask + 1) >> bit) & 1);
  }).sort((a, b) => a.length - b.length || compare(a, b));
  const rows = reference.zeros(32, units);
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

describe("iterative scaling", () => {
  const GROUPS = { groupBatch: 200, groupRate: 0.7, groupPseudoCounts: 5 };
  const SCALING = {
    ...{ seed: 3, lead: 2, rate: 0.5, sharpness: 1 },
    ...{ decoderPseudoCounts: 20, hiddenPseudoCounts: 5, decoderStep: 2, hiddenStep: 1 },
  };

  test.each([
    ["simd", { decoderPrior: 0, hiddenPrior: 0, sharpness: 1 }],
    ["scalar", { decoderPrior: 0, hiddenPrior: 0, sharpness: 1 }],
    ["simd", { decoderPrior: 50, hiddenPrior: 7, sharpness: 0.25 }],
    ["scalar", { decoderPrior: 50, hiddenPrior: 7, sharpness: 0.25 }],
  ] as const)("%s: steps over all places equal the reference, %o", async (build, solve) => {
    const tokens = stream(400);
    const on = await start(tokens, shape, build);
    await groups(on, 4, { places: 400, ...GROUPS });
    await on.once("initialiseScaling");
    const weights = weightsOf(on);
    const sums = {
      f: reference.zeros(32, WIDTH),
      fHat: reference.zeros(32, WIDTH),
      g: reference.zeros(64, WIDTH),
      gHat: reference.zeros(64, WIDTH),
    };
    await on.configure({ places: 400, batch: 400, ...SCALING, ...solve });
    const pi = reference.marginal(tokens, 32);
    const places = Array.from(tokens.keys()); // a batch of all: the order of places does not matter
    for (let step = 0; step < 6; ++step) {
      await scale(on, [step, step + 1]);
      reference.scalingStep(weights, sums, tokens, places, SIZES, {
        eta: (step + 2) ** -0.5,
        scale: 1,
        decoderPseudoCounts: 20,
        hiddenPseudoCounts: 5,
        decoderStep: 2,
        hiddenStep: 1,
        ...solve,
        positions: [1, 0.6],
        moveHidden: step >= 2, // the lead
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
    const begin = async (averageFrom: number) => {
      const on = await start(tokens);
      await groups(on, 4, { places: 600, ...GROUPS });
      await on.configure({ places: 600, batch: 100, ...SCALING, end: 15, averageFrom });
      await on.once("initialiseScaling");
      return on;
    };
    const alone = await begin(15);
    const after = [];
    for (let step = 0; step < 15; ++step) {
      await scale(alone, [step, step + 1]);
      after.push(weightsOf(alone));
    }
    await alone.stop();
    // from step 8 on: after steps 12 and 15
    const [first, last] = [after[11]!, after[14]!];
    const mean = (a: reference.Matrix, b: reference.Matrix) =>
      a.map((row, i) => row.map((value, j) => Math.fround((value + b[i]![j]!) / 2)));
    for (const [averageFrom, u, o] of [
      [8, mean(first.u, last.u), mean(first.o, last.o)],
      [15, last.u, last.o],
    ] as const) {
      const on = await begin(averageFrom);
      await scale(on, [0, 7]); // in any calls
      await scale(on, [7, 15]);
      await on.once("takeAverages");
      expect(weightsOf(on)).toEqual({ ...last, u, o });
      await on.stop();
    }
    expect(last.u).not.toEqual(first.u); // the steps move them
    expect(last.o).not.toEqual(first.o);
  });

  test("full passes at step 1 raise the likelihood", async () => {
    const tokens = stream(2000);
    const on = await start(tokens);
    await groups(on, 8, { places: 2000, ...GROUPS, groupBatch: 500 });
    await on.once("initialiseScaling");
    // one batch of all tokens, no averaging, hardly any smoothing, the decoder alone: generalized iterative scaling itself
    await on.configure({
      ...{ places: 2000, seed: 3, batch: 2000, lead: 1000, rate: 0, sharpness: 1 },
      ...{ decoderPseudoCounts: 1e-3, hiddenPseudoCounts: 1e-3, decoderStep: 1, hiddenStep: 1 },
    });
    let before = await bits(on, 0, 2000);
    for (let step = 0; step < 10; ++step) {
      await scale(on, [step, step + 1]);
      const now = await bits(on, 0, 2000);
      expect(now).toBeLessThan(before + 0.05);
      before = now;
    }
  });
});

describe("explicit decoder", () => {
  test("of hidden states is naive Bayes with a prior, to the formula", async () => {
    const tokens = stream(600);
    const on = await start(tokens);
    await groups(on, 3, { places: 600, groupBatch: 600, groupPseudoCounts: 5 });
    const before = weightsOf(on);
    await on.configure({ places: 600, groupPseudoCounts: 4 });
    await on.once("explicitSteps", 0, 250);
    await on.once("explicitSteps", 250, 600);
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

describe("mixture", () => {
  /** Repeats: long matches predict. */
  const TOKENS = Array.from({ length: 20 }, () => stream(60)).flat();

  async function begin(of = shape): Promise<Solver> {
    const on = await start(TOKENS, of);
    await groups(on, 8, { places: TOKENS.length, groupBatch: 300, groupRate: 0.7, groupPseudoCounts: 5 });
    await on.once("initialiseScaling");
    return on;
  }

  test.each([
    [64, 200],
    [64, 30], // less than a history comes before it
    [128, 500],
    [16, 200],
  ])("reads a history of %i tokens that is full from the first place on: slice from %i", async (history, from) => {
    const on = await begin(shapeOf({ history }));
    const places = 300;
    await on.once("evaluate", from, places);
    // in two calls, as a longer slice comes
    await on.once("mixturePlaces", from, 100, 0);
    const network = on.view(Float32Array, "LIKELIHOOD", places).slice();
    on.view(Float32Array, "LIKELIHOOD", places).copyWithin(0, 100);
    await on.once("mixturePlaces", from + 100, places - 100, 100);
    const likelihoods = on.view(Float32Array, "MIXTURE_LIKELIHOODS", places * 4);
    const buckets = on.view(Uint8Array, "MIXTURE_BUCKETS", places * 3);
    let matched = 0;
    for (let i = 0; i < places; ++i) {
      const wanted = matchesOf(TOKENS, from + i, history);
      expect(Array.from(buckets.subarray(3 * i, 3 * i + 3)), `place ${i}`).toEqual(wanted.map(({ bucket }) => bucket));
      expect(likelihoods[4 * i]).toBe(network[i]);
      for (const [l, { bucket, q }] of wanted.entries()) {
        if (bucket !== NONE) expect(likelihoods[4 * i + 1 + l]!).toBeCloseTo(q, 5);
      }
      if (i === 0 && from >= history) matched = wanted.filter(({ bucket }) => bucket !== NONE).length;
    }
    // the text repeats after 60 tokens, so the first place has matches in all but the short history
    if (history >= 64 && from >= history) expect(matched).toBe(3);
  });

  test("solving never lowers the likelihood of its slice, and prefers what predicts", async () => {
    const on = await begin();
    await on.once("evaluate", 200, 1000);
    await on.once("mixturePlaces", 200, 1000, 0);
    await on.once("mixtureSolve", 1000, 60);
    const table = on.view(Float32Array, "MIXTURE", 3 * 32);
    expect(table.every((lambda) => lambda >= 0 && lambda <= 1)).toBe(true);
    expect(table[2 * 32]).toBeGreaterThan(0.8); // one match of the greatest length: the text repeats
    expect(table[7 * 4 + 3]).toBeCloseTo(0.3, 5); // dozens of matches, all different: no place was so
    // a sweep more changes little, and no likelihood falls on the way
    const likelihoods = on.view(Float32Array, "MIXTURE_LIKELIHOODS", 1000 * 4);
    const buckets = on.view(Uint8Array, "MIXTURE_BUCKETS", 1000 * 3);
    let least = Number.NEGATIVE_INFINITY;
    for (const sweeps of [1, 2, 4, 8, 60]) {
      await on.once("mixtureSolve", 1000, sweeps);
      const logs = chainLogs(likelihoods, buckets, table);
      expect(logs).toBeGreaterThan(least - 1e-3);
      least = logs;
    }
  });
});

const NONE = 0xff;

/**
 * For each match length: the bucket, and what the matches of at least that length say of the token at `at`. By looking at every place of
 * the last `history` tokens, each with the weight 1 / √age, of which six leading bits are kept.
 */
function matchesOf(tokens: readonly number[], at: number, history: number): { bucket: number; q: number }[] {
  const found: { length: number; follower: number; weight: number }[] = [];
  const oldest = Math.max(0, at - history);
  for (let place = at - 2; place >= oldest; --place) {
    let length = 0;
    while (length < 3 && place - length >= oldest && tokens[place - length] === tokens[at - 1 - length]) ++length;
    if (length === 0) continue;
    const weight = 1 / Math.sqrt(at - 1 - place);
    const unit = 2 ** (Math.floor(Math.log2(weight)) - 5);
    found.push({ length, follower: tokens[place + 1]!, weight: Math.floor(weight / unit) * unit });
  }
  return [1, 2, 3].map((length) => {
    const own = found.filter((match) => match.length >= length);
    if (own.length === 0) return { bucket: NONE, q: 0 };
    const distinct = new Set(own.map(({ follower }) => follower)).size;
    const many = [1, 2, 3, 4, 8, 16, 64].filter((most) => own.length > most).length;
    const agreement = distinct === 1 ? 0 : distinct === own.length ? 3 : distinct <= own.length / 2 ? 1 : 2;
    const total = own.reduce((sum, { weight }) => sum + weight, 0);
    const said = own.reduce((sum, { follower, weight }) => sum + (follower === tokens[at] ? weight : 0), 0);
    return { bucket: 4 * many + agreement, q: said / total };
  });
}

/** Σ ln p of the mixture, length by length, plus that of the pseudo-counts (2 places a bucket, 0.6 of them for the length). */
function chainLogs(likelihoods: Float32Array, buckets: Uint8Array, table: Float32Array): number {
  let logs = 0;
  for (const lambda of table) logs += 0.6 * Math.log(lambda) + 1.4 * Math.log(1 - lambda);
  for (let t = 0; t < buckets.length / 3; ++t) {
    let p = likelihoods[t * 4]!;
    for (let l = 0; l < 3 && buckets[t * 3 + l] !== NONE; ++l) {
      const lambda = table[l * 32 + buckets[t * 3 + l]!]!;
      p = (1 - lambda) * p + lambda * likelihoods[t * 4 + 1 + l]!;
    }
    logs += Math.log(p);
  }
  return logs;
}
