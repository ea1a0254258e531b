/**
 * A text of pieces in the solver: whatever it adds up, predicts or differentiates is what it is of each piece alone, behind the end of the one before.
 * What it is of one text others show, against formulas in f64 (solver, layers-fit, layers-gradient).
 */
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { compileSolver } from "../host/compile/compile.ts";
import { sizesOf } from "../host/compile/sizes.ts";
import { fitNgrams } from "../host/fit/ngrams.ts";
import { type Settings, Solver } from "../host/fit/solver.ts";
import { cipherWidth, hiddenWidth, type Shape, validateShape } from "../host/shape.ts";
import { compileQuickly } from "./compile-warm.ts";

compileQuickly();

const V = 24;
/** The token that ends a piece. */
const END = 10;
const PLAIN = { vocabulary: V, window: 3, groups: 2, units: 4, history: 16, matchLength: 3 };
const DOCUMENT = { documentGroups: 2, documentSpan: 4 };
const SECOND = { secondGroups: 2, secondWindow: 3 };
const SHAPES: Record<string, Shape> = {
  "a window": validateShape({ ...PLAIN, bits: V }),
  "attention over the window": validateShape({ ...PLAIN, bits: V, windowAttention: true, window: 5 }),
  "a document": validateShape({ ...PLAIN, bits: V, ...DOCUMENT, indexed: true }),
  "a second layer": validateShape({ ...PLAIN, bits: V, ...SECOND }),
  "all, ciphered": validateShape({ ...PLAIN, bits: 7, windowAttention: true, ...DOCUMENT, ...SECOND, indexed: true }),
};
/** Sums of at most some hundred terms of f32, each below 8. */
const ROUNDING = 1e-3;

const solvers: Solver[] = [];
afterEach(async () => {
  for (const each of solvers.splice(0)) await each.stop();
});

function uniforms(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 8) / 2 ** 24;
  };
}

/** Pieces of up to 12 tokens, empty ones among them, each with its end but the last; few tokens, so that matches and pairs recur. */
function piecesOf(many: number, seed: number): number[][] {
  const next = uniforms(seed);
  return Array.from({ length: many }, (_, i) => {
    const words = Array.from({ length: Math.floor(13 * next()) }, () => Math.floor(9 * next()));
    return i === many - 1 ? [...words, 3] : [...words, END];
  });
}

/** Each piece behind what stands before it: the end of another, but before the first. */
const behindEnds = (pieces: number[][]) => pieces.map((piece, i) => ({ piece, before: i === 0 ? [] : [END] }));

/** Texts whose sums together are those of the pieces: each behind an end, less that end's own. */
const termsOf = (pieces: number[][]) =>
  behindEnds(pieces).flatMap(({ piece, before }) => [
    { text: [...before, ...piece], sign: 1 },
    ...(before.length > 0 ? [{ text: before, sign: -1 }] : []),
  ]);

interface Run {
  readonly shape: Shape;
  readonly boundary: number;
  readonly build?: "simd" | "scalar";
  readonly threads?: number;
}

/** A solver with some text, counted, and weights that depend on nothing but the shape. */
async function start(tokens: readonly number[], run: Run, settings: Settings = {}): Promise<Solver> {
  const { shape, boundary, build = "simd", threads = 0 } = run;
  const on = await Solver.start(await compileSolver(shape, build, threads > 0), shape, tokens.length, threads);
  solvers.push(on);
  on.view(Uint16Array, "TOKENS", tokens.length).set(tokens);
  const n = tokens.length;
  await on.configure({ places: n, batch: n, groupBatch: n, seed: 5, groupPseudoCounts: 3, boundary, ...settings });
  await on.once("count");
  const { HIDDEN_WEIGHTS, M } = sizesOf(shape);
  const next = uniforms(3);
  for (const [name, length, least] of [
    ["U", HIDDEN_WEIGHTS, -1.5],
    ["U0", M, -1.5],
    ["O", V * M, 0.1], // as P of a group's own mixture: not negative
    ["O0", V, -1.5],
  ] as const) {
    const view = on.view(Float32Array, name, length);
    for (let i = 0; i < length; ++i) view[i] = least + 3 * next();
  }
  if (shape.bits < V) {
    const width = cipherWidth(shape);
    const view = on.view(Uint16Array, "CIPHER", V * width).fill(0xffff);
    for (let v = 0; v < V; ++v) view.set(v < 7 ? [v] : [v % 6, 6], v * width);
  }
  on.view(Float32Array, "POSITIONS", (M / 4) * sizesOf(shape).POSITIONS_A_GROUP).fill(0.8);
  return on;
}

type Read = (on: Solver, shape: Shape) => Float32Array | Float64Array;
const weightsAt =
  (...names: string[]): Read =>
  (on, shape) => {
    const { HIDDEN_WEIGHTS, M } = sizesOf(shape);
    const many = HIDDEN_WEIGHTS + M + V * M;
    return Float32Array.from(names.flatMap((name) => [...on.view(Float32Array, name, many)]));
  };

/** What a step leaves of the whole text against the sum of what it leaves of the pieces, each weighed. */
async function expectSums(
  shape: Shape,
  work: (on: Solver, places: number, boundary: number) => Promise<void>,
  read: Read,
  weight: (places: number, all: number) => number = () => 1,
): Promise<void> {
  const pieces = piecesOf(14, 2);
  const tokens = pieces.flat();
  const whole = await start(tokens, { shape, boundary: END + 1 });
  await work(whole, tokens.length, END + 1);
  const found = read(whole, shape);
  const wanted = new Float64Array(found.length);
  for (const { text, sign } of termsOf(pieces)) {
    const alone = await start(text, { shape, boundary: 0 });
    await work(alone, text.length, 0);
    const share = sign * weight(text.length, tokens.length);
    for (const [i, value] of read(alone, shape).entries()) wanted[i]! += share * value;
  }
  expect(Math.max(...wanted.map(Math.abs))).toBeGreaterThan(20 * ROUNDING);
  for (const [i, value] of found.entries()) expect(Math.abs(value - wanted[i]!), `${i}`).toBeLessThan(ROUNDING);
  // and a text that is one piece says something else, or nothing of this has been tested
  const joined = await start(tokens, { shape, boundary: 0 });
  await work(joined, tokens.length, 0);
  expect(read(joined, shape)).not.toEqual(found);
}

describe.each(Object.entries(SHAPES))("%s", (_name, shape) => {
  const groups = hiddenWidth(shape) / shape.units;

  test("every place is predicted as in its piece alone, to the bit", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 1e6 }), fc.boolean(), async (seed, scalar) => {
        const build = scalar ? "scalar" : "simd";
        const pieces = piecesOf(8, seed);
        const tokens = pieces.flat();
        const whole = await start(tokens, { shape, boundary: END + 1, build });
        await whole.once("evaluate", 0, tokens.length);
        const found = whole.view(Uint32Array, "LIKELIHOOD", tokens.length).slice();
        let at = 0;
        for (const { piece, before } of behindEnds(pieces)) {
          const alone = await start([...before, ...piece], { shape, boundary: 0, build });
          await alone.once("evaluate", before.length, piece.length);
          expect(found.subarray(at, at + piece.length)).toEqual(
            alone.view(Uint32Array, "LIKELIHOOD", piece.length).slice(),
          );
          at += piece.length;
        }
      }),
      { numRuns: 12 },
    );
  });

  test("groups: sums of fixed targets, and of responsibilities", async () => {
    for (const step of [0, 1]) {
      await expectSums(
        shape,
        async (on) => {
          await on.once("initialiseGroups");
          await on.all("groupSteps", "thread", "threads", 0, groups, step, step + 1);
        },
        weightsAt("SECOND"),
      );
    }
  });

  test("iterative scaling: observed and expected sums", async () => {
    await expectSums(shape, (on, n, boundary) => scaled(on, n, { boundary }), weightsAt("SECOND", "THIRD"));
  });

  test("iterative scaling on candidates: observed sums", async () => {
    const read: Read = (on) => on.view(Float32Array, "SECOND_O", V * hiddenWidth(shape)).slice();
    await expectSums(shape, (on, n, boundary) => scaled(on, n, { boundary, sampled: 1 }), read);
  });

  test("the explicit decoder's sums", async () => {
    const read: Read = (on) => on.view(Float32Array, "SECOND_O", V * hiddenWidth(shape)).slice();
    await expectSums(shape, (on, n) => on.once("explicitSteps", 0, n), read);
  });

  test("back-propagation: gradients", async () => {
    await expectSums(
      shape,
      async (on, places, boundary) => {
        await on.configure({ places, batch: places, seed: 5, steps: 1, learningRate: 0.01, boundary });
        await on.once("begin");
        await on.all("tuneSteps", "thread", "threads", 0, 1);
      },
      weightsAt("SECOND"),
      (places, all) => places / all,
    );
  });

  test("the weight of a group's inputs does not depend on the order of pieces", async () => {
    const weighed = async (pieces: number[][], boundary: number) => {
      const tokens = [END, ...pieces.flat()];
      const on = await start(tokens, { shape, boundary });
      await on.once("initialiseGroups");
      await on.all("weighInputs", "thread", "threads", 0, groups, 0, tokens.length);
      return on.view(Float32Array, "POSITIONS", groups * sizesOf(shape).POSITIONS_A_GROUP).slice();
    };
    const pieces = piecesOf(30, 4).map((piece) => (piece.at(-1) === END ? piece : [...piece, END]));
    const found = await weighed(pieces, END + 1);
    const turned = await weighed(pieces.toReversed(), END + 1);
    for (const [i, value] of found.entries()) expect(Math.abs(value - turned[i]!)).toBeLessThan(ROUNDING);
    const joined = await weighed(pieces, 0);
    const other = await weighed(pieces.toReversed(), 0);
    expect(joined.some((value, i) => Math.abs(value - other[i]!) > ROUNDING)).toBe(true);
  });

  test("the mixture sees the history of a place's piece alone, to the bit, wherever its calls are cut", async () => {
    const pieces = piecesOf(40, 6);
    const tokens = pieces.flat();
    const whole = await start(tokens, { shape, boundary: END + 1 });
    const first = pieces[0]!.length + pieces[1]!.length + 1; // inside a piece, whose beginning is read for the history
    await mixtureOf(whole, first, [first, first + 1, first + 97, tokens.length]);
    const found = inputsOf(whole, shape, tokens.length - first);
    let at = pieces[0]!.length + pieces[1]!.length;
    let index = 0;
    for (const piece of pieces.slice(2)) {
      const skipped = Math.max(0, first - at);
      at += piece.length;
      if (skipped >= piece.length) continue;
      const alone = await start([END, ...piece], { shape, boundary: 0 });
      await mixtureOf(alone, skipped + 1, [skipped + 1, piece.length + 1]);
      const own = inputsOf(alone, shape, piece.length - skipped);
      for (const [i, values] of own.entries()) expect(found[index + i]).toEqual(values);
      index += own.length;
    }
    expect(index).toBe(tokens.length - first);
    expect(found.some(({ buckets }) => buckets[0] !== 0xff)).toBe(true);
    const joined = await start(tokens, { shape, boundary: 0 });
    await mixtureOf(joined, first, [first, tokens.length]);
    expect(inputsOf(joined, shape, tokens.length - first)).not.toEqual(found);
  });
});

test("attention: counts of pairs, and sums of targets", async () => {
  const shape = SHAPES["attention over the window"]!;
  const { window } = shape;
  const pairs = window * V * V + window * V;
  const counts: Read = (on) =>
    Float32Array.from([
      ...on.view(Float32Array, "PAIR_COUNTS", window * V * V),
      ...on.view(Float32Array, "PAIR_TOTALS", window * V),
    ]);
  await expectSums(shape, (on, n) => on.once("attentionSteps", 0, 0, n), counts);
  const pieces = piecesOf(30, 8);
  const tokens = pieces.flat();
  const whole = await start(tokens, { shape, boundary: END + 1 });
  await whole.once("attentionSteps", 0, 0, tokens.length);
  const all = counts(whole, shape) as Float32Array;
  const marginal = whole.view(Float32Array, "MARGINAL", V).slice();
  await whole.once("attentionSteps", 1, 0, tokens.length);
  const sums = (on: Solver) => on.view(Float64Array, "ATTENTION_SUMS", window * window).slice();
  const wanted = new Float64Array(window * window);
  for (const { text, sign } of termsOf(pieces)) {
    const alone = await start(text, { shape, boundary: 0 });
    expect(all.length).toBe(pairs);
    alone.view(Float32Array, "PAIR_COUNTS", window * V * V).set(all.subarray(0, window * V * V));
    alone.view(Float32Array, "PAIR_TOTALS", window * V).set(all.subarray(window * V * V));
    alone.view(Float32Array, "MARGINAL", V).set(marginal);
    await alone.once("attentionSteps", 1, 0, text.length);
    for (const [i, value] of sums(alone).entries()) wanted[i]! += sign * value;
  }
  expect(Math.max(...wanted)).toBeGreaterThan(1);
  for (const [i, value] of sums(whole).entries()) expect(Math.abs(value - wanted[i]!)).toBeLessThan(1e-9);
});

test("any number of threads, scalar or SIMD, solves a text of pieces to the same bits", async () => {
  const shape = SHAPES["all, ciphered"]!;
  const tokens = piecesOf(150, 9).flat();
  const groups = hiddenWidth(shape) / shape.units;
  let wanted: Uint32Array | undefined;
  for (const build of ["simd", "scalar"] as const) {
    for (const threads of [0, 1, 2, 3]) {
      const on = await start(tokens, { shape, boundary: END + 1, build, threads });
      await on.once("initialiseGroups");
      await on.all("groupSteps", "thread", "threads", 0, groups, 0, 3);
      // the document's groups, then those of the second layer, which read what the first says
      await on.all("weighInputs", "thread", "threads", 2, 4, 0, 200);
      await on.all("weighInputs", "thread", "threads", 4, groups, 0, 200);
      await on.configure({ ...SCALING, places: tokens.length, batch: 128, boundary: END + 1 });
      await on.once("initialiseScaling");
      await on.all("scalingSteps", "thread", "threads", 0, 12);
      await on.configure({
        places: tokens.length,
        batch: 128,
        seed: 5,
        steps: 4,
        learningRate: 0.01,
        boundary: END + 1,
      });
      await on.once("begin");
      await on.all("tuneSteps", "thread", "threads", 0, 4);
      const { HIDDEN_WEIGHTS, M } = sizesOf(shape);
      const bits = on.view(Uint32Array, "U", HIDDEN_WEIGHTS + M + V * M + V).slice();
      wanted ??= bits;
      expect(bits, `${build}, ${threads} threads`).toEqual(wanted);
    }
  }
});

test("n-grams: no context reaches over the end of a piece", async () => {
  const shape = validateShape({ ...PLAIN, bits: V, history: 32, longMatches: true });
  // one token out of eight, whatever came before it, but for the first of a piece and what the last of a piece says of the next
  const next = uniforms(11);
  const tokens = Array.from({ length: 900 }, () => [
    11,
    ...Array.from({ length: 4 }, () => Math.floor(8 * next())),
    END,
  ]).flat();
  const grams = async (newline: number | undefined) => {
    const on = await start(tokens, { shape, boundary: newline === undefined ? 0 : newline + 1 });
    on.view(Float32Array, "U", sizesOf(shape).HIDDEN_WEIGHTS).fill(0);
    return fitNgrams({ solver: on, shape, tokens: Uint16Array.from(tokens), bytes: 4000, newline }, {});
  };
  const [joined, inPieces] = [await grams(undefined), await grams(END)];
  expect(joined!.length).toBeGreaterThan(inPieces!.length);
});

const SCALING = {
  ...{ seed: 5, rate: 0, decoderPseudoCounts: 1, hiddenPseudoCounts: 1, decoderStep: 1, hiddenStep: 1 },
  ...{ sharpness: 0.5, end: 12, averageFrom: 12, groupPseudoCounts: 3 },
} satisfies Settings;

/** One step of iterative scaling over all places, from the weights that are there. */
async function scaled(on: Solver, places: number, settings: Settings): Promise<void> {
  await on.configure({ ...SCALING, places, batch: places, end: 1, averageFrom: 1, ...settings });
  await on.all("scalingSteps", "thread", "threads", 0, 1);
}

/** The mixture's inputs of places from `first` on, in calls that end at each of `cuts`. */
async function mixtureOf(on: Solver, first: number, cuts: readonly number[]): Promise<void> {
  for (const [i, from] of cuts.slice(0, -1).entries()) {
    const places = cuts[i + 1]! - from;
    await on.once("evaluate", from, places);
    await on.once("mixturePlaces", from, places, from - first);
  }
}

function inputsOf(on: Solver, { matchLength }: Shape, places: number) {
  const likelihoods = on.view(Uint32Array, "MIXTURE_LIKELIHOODS", places * (matchLength + 1));
  const buckets = on.view(Uint8Array, "MIXTURE_BUCKETS", places * matchLength);
  return Array.from({ length: places }, (_, i) => {
    const own = buckets.slice(i * matchLength, (i + 1) * matchLength);
    const found = own.indexOf(0xff);
    const all = likelihoods.slice(i * (matchLength + 1), (i + 1) * (matchLength + 1));
    // of lengths without a match nothing is written
    return { buckets: own, likelihoods: found < 0 ? all : all.subarray(0, found + 1) };
  });
}
