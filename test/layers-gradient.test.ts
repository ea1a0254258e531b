/** Back-propagation through all layers: every gradient against finite differences in f64, and the same bits however run. */
import { afterEach, describe, expect, test } from "vitest";
import { compileSolver } from "../host/compile/compile.ts";
import { Solver } from "../host/fit/solver.ts";
import { cipherWidth, hiddenLayers, type Shape, validateShape } from "../host/shape.ts";
import { compileQuickly } from "./compile-warm.ts";
import { hiddenOf, type LayerSizes, type Named, predictOf } from "./layers-reference.ts";

compileQuickly();

const PLAIN = { vocabulary: 24, window: 3, groups: 2, units: 4, history: 0, matchLength: 0 };
const DOCUMENT = { documentGroups: 2, documentSpan: 4 };
const SECOND = { secondGroups: 2, secondWindow: 3 };
const SHAPES: Record<string, Shape> = {
  "attention over the window": validateShape({ ...PLAIN, bits: 24, windowAttention: true, window: 5 }),
  document: validateShape({ ...PLAIN, bits: 24, ...DOCUMENT }),
  "second layer": validateShape({ ...PLAIN, bits: 24, ...SECOND }),
  "all, ciphered": validateShape({ ...PLAIN, bits: 7, windowAttention: true, ...DOCUMENT, ...SECOND }),
};
/** Mean gradients are below 1; f32 sums of some hundred terms. */
const ROUNDING = 3e-6;

let solver: Solver | undefined;
afterEach(() => solver?.stop());

function uniforms(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  };
}

/** Tokens that come again soon, so that comparisons find something. */
const TOKENS = (() => {
  const next = uniforms(7);
  const tokens = [0];
  while (tokens.length < 150) {
    const back = tokens.length - 1 - Math.floor(2 * (next() + 1));
    tokens.push(next() < 0.2 ? tokens[Math.max(0, back)]! : Math.floor(12 * (next() + 1)));
  }
  return tokens;
})();

/** A cipher as the reference has it: one bit each, then pairs. */
function cipherOf({ bits }: Shape): number[][] {
  return Array.from({ length: 24 }, (_, v) => {
    if (bits === 24) return [v];
    return v < bits ? [v] : [v % (bits - 1), bits - 1];
  });
}

/** Where the solver has each tensor, and how many weights: tables of U one behind the other, then W and w0; biases likewise. */
function layout(on: Solver, shape: Shape): [name: string, address: number, length: number][] {
  const { window, vocabulary } = shape;
  let table = on.address("U");
  let bias = on.address("U0");
  let hidden = 0;
  const found: [string, number, number][] = [];
  for (const { name, rows, width } of hiddenLayers(shape)) {
    found.push([`${name}.U`, table, rows * width], [`${name}.u0`, bias, width]);
    table += 4 * rows * width;
    bias += 4 * width;
    hidden += width;
  }
  if (shape.windowAttention) {
    found.push(["block.W", table, window * window], ["block.w0", table + 4 * window * window, window]);
  }
  return [...found, ["decoder.O", on.address("O"), vocabulary * hidden], ["decoder.o0", on.address("O0"), vocabulary]];
}

async function start(shape: Shape, build: "simd" | "scalar", threads: number, learningRate: number, batch: number) {
  solver = await Solver.start(await compileSolver(shape, build, threads > 0), shape, TOKENS.length, threads);
  solver.view(Uint16Array, "TOKENS", TOKENS.length).set(TOKENS);
  const random = uniforms(3);
  for (const [, address, length] of layout(solver, shape)) {
    const view = solver.view(Float32Array, address, length);
    for (let i = 0; i < length; ++i) view[i] = 1.5 * random();
  }
  if (shape.bits < 24) {
    const width = cipherWidth(shape);
    const cipher = solver.view(Uint16Array, "CIPHER", 24 * width).fill(0xffff);
    for (const [v, bits] of cipherOf(shape).entries()) cipher.set(bits, v * width);
  }
  await solver.configure({ places: TOKENS.length, seed: 9, batch, steps: 1000, learningRate });
  await solver.once("begin");
  return solver;
}

describe.each(Object.entries(SHAPES))("%s", (_name, shape) => {
  test.each(["simd", "scalar"] as const)("gradients are central differences of the loss, %s", async (build) => {
    const on = await start(shape, build, 0, 0, TOKENS.length);
    const weights: Named = Object.fromEntries(
      layout(on, shape).map(([name, address, length]) => [
        name,
        Float64Array.from(on.view(Float32Array, address, length)),
      ]),
    );
    const sizes = { documentSpan: 1, secondWindow: 1, ...shape } as LayerSizes;
    const cipher = cipherOf(shape);
    const loss = () => {
      const nats = TOKENS.map(
        (token, at) => -Math.log(predictOf(weights, hiddenOf(weights, TOKENS, at, sizes, cipher))[token]!),
      );
      return nats.reduce((sum, value) => sum + value, 0) / TOKENS.length;
    };
    await on.all("tuneSteps", "thread", "threads", 0, 1);
    expect(Math.abs(on.view(Float64Array, "LOSS", 1)[0]! / TOKENS.length - loss())).toBeLessThan(ROUNDING);
    const toGradient = on.address("SECOND") - on.address("U");
    const pick = uniforms(11);
    for (const [name, address, length] of layout(on, shape)) {
      const found = on.view(Float32Array, address + toGradient, length);
      const values = weights[name]!;
      let most = 0;
      // of large tensors some weights, of small ones all
      const chosen = Array.from({ length: Math.min(length, 60) }, (_, i) =>
        length <= 60 ? i : Math.floor((length * (pick() + 1)) / 2),
      );
      for (const i of chosen) {
        const value = values[i]!;
        values[i] = value + 1e-5;
        const above = loss();
        values[i] = value - 1e-5;
        const wanted = (above - loss()) / 2e-5;
        values[i] = value;
        most = Math.max(most, Math.abs(wanted));
        expect(Math.abs(found[i]! - wanted), `${name}[${i}]`).toBeLessThan(ROUNDING);
      }
      expect(most, name).toBeGreaterThan(30 * ROUNDING);
    }
  });

  test("the same weights from any build and number of threads, and a lower loss than before", async () => {
    const results: [string, number[]][] = [];
    for (const [build, threads] of [
      ["simd", 0],
      ["scalar", 0],
      ["simd", 2],
      ["simd", 3],
    ] as const) {
      const on = await start(shape, build, threads, 0.02, 40);
      await on.all("tuneSteps", "thread", "threads", 0, 24);
      const weights = layout(on, shape).map(([, address, length]) =>
        Array.from(on.view(Float32Array, address, length)),
      );
      const losses = [on.view(Float64Array, "LOSS", 1)[0]!];
      await on.once("evaluate", 0, TOKENS.length);
      losses.push(on.view(Float32Array, "LIKELIHOOD", TOKENS.length).reduce((sum, p) => sum - Math.log(p), 0));
      results.push([JSON.stringify(weights), losses]);
      await on.stop();
    }
    for (const [weights, losses] of results) {
      expect(weights === results[0]![0]).toBe(true);
      expect(losses).toEqual(results[0]![1]);
      expect(losses[1]!).toBeLessThan(losses[0]! / 6); // six epochs of four steps: a mean over them, and what they came to
    }
  });
});
