/** Back-propagation through all contexts: every gradient against finite differences in f64, and the same bits however run. */
import { afterEach, describe, expect, test } from "vitest";
import { compileTuner } from "../host/compile/compile.ts";
import { hiddenWeights } from "../host/compile/layout.ts";
import { Trainer } from "../host/fit/trainer.ts";
import { cipherWidth, hiddenLayers, type Shape, validateShape } from "../host/shape.ts";
import { tunerBytesNeeded } from "../host/tune/memory.ts";
import { type ContextSizes, hiddenOf, type Named, predictOf } from "./contexts-reference.ts";

const PLAIN = { vocabulary: 24, window: 3, groups: 2, units: 4, history: 0, matchLength: 0 };
const DOCUMENT = { documentGroups: 2, documentSpan: 4 };
const STACKED = { secondGroups: 2, secondWindow: 3 };
const SHAPES: Record<string, Shape> = {
  "attention over the block": validateShape({ ...PLAIN, bits: 24, windowAttention: true, window: 5 }),
  document: validateShape({ ...PLAIN, bits: 24, ...DOCUMENT }),
  "second layer": validateShape({ ...PLAIN, bits: 24, ...STACKED }),
  "all, ciphered": validateShape({ ...PLAIN, bits: 7, windowAttention: true, ...DOCUMENT, ...STACKED }),
};
/** Mean gradients are below 1; f32 sums of some hundred terms. */
const ROUNDING = 3e-6;
const NEVER = 0x7fffffff;

let tuner: Trainer | undefined;
afterEach(() => tuner?.stop());

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

/** Where the tuner has each tensor, and how many weights. */
function layout(shape: Shape): [name: string, address: string, length: number][] {
  const { window, vocabulary } = shape;
  const width = hiddenLayers(shape).reduce((sum, layer) => sum + layer.width, 0);
  const tables: Record<string, [string, string]> = {
    block: ["U", "U0"],
    document: ["DOCUMENT_U", "DOCUMENT_U0"],
    stacked: ["STACKED_U", "STACKED_U0"],
  };
  return [
    ...hiddenLayers(shape).flatMap(({ name, rows, width }): [string, string, number][] => [
      [`${name}.U`, tables[name]![0], rows * width],
      [`${name}.u0`, tables[name]![1], width],
    ]),
    ...(shape.windowAttention
      ? ([
          ["block.W", "BLOCK_W", window * window],
          ["block.w0", "BLOCK_W0", window],
        ] as [string, string, number][])
      : []),
    ["decoder.O", "O", vocabulary * width],
    ["decoder.o0", "O0", vocabulary],
  ];
}

async function start(shape: Shape, build: "simd" | "scalar", threads: number, rate: number, batch: number) {
  tuner = await Trainer.start(await compileTuner(shape, build, threads > 0), TOKENS.length, threads);
  tuner.view(Uint16Array, "TOKENS", TOKENS.length).set(TOKENS);
  const random = uniforms(3);
  for (const [, address, length] of layout(shape)) {
    const view = tuner.view(Float32Array, address, length);
    for (let i = 0; i < length; ++i) view[i] = 1.5 * random();
  }
  if (shape.bits < 24) {
    const width = cipherWidth(shape);
    const cipher = tuner.view(Uint16Array, "CIPHER", 24 * width).fill(0xffff);
    for (const [v, bits] of cipherOf(shape).entries()) cipher.set(bits, v * width);
  }
  await tuner.once("begin");
  await tuner.all("configure", 9, TOKENS.length, batch, 1000, rate, 0, NEVER, 0);
  return tuner;
}

describe.each(Object.entries(SHAPES))("%s", (_name, shape) => {
  test.each(["simd", "scalar"] as const)("gradients are central differences of the loss, %s", async (build) => {
    const on = await start(shape, build, 0, 0, TOKENS.length);
    const weights: Named = Object.fromEntries(
      layout(shape).map(([name, address, length]) => [name, Float64Array.from(on.view(Float32Array, address, length))]),
    );
    const sizes = { documentSpan: 1, secondWindow: 1, ...shape } as ContextSizes;
    const cipher = cipherOf(shape);
    const loss = () => {
      const nats = TOKENS.map(
        (token, at) => -Math.log(predictOf(weights, hiddenOf(weights, TOKENS, at, sizes, cipher))[token]!),
      );
      return nats.reduce((sum, value) => sum + value, 0) / TOKENS.length;
    };
    await on.all("tuneSteps", "thread", "threads", 0, 1);
    expect(Math.abs(on.view(Float64Array, "LOSS", 1)[0]! / TOKENS.length - loss())).toBeLessThan(ROUNDING);
    const toGradient = on.constant("GRADIENT") - on.constant("U");
    const pick = uniforms(11);
    for (const [name, address, length] of layout(shape)) {
      const found = new Float32Array(
        on.view(Float32Array, address, length).buffer,
        on.constant(address) + toGradient,
        length,
      );
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
      const weights = layout(shape).map(([, address, length]) => Array.from(on.view(Float32Array, address, length)));
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

  test("memory is as computed", async () => {
    const on = await start(shape, "simd", 0, 0, 40);
    expect(on.constant("TOKENS")).toBe(tunerBytesNeeded(shape));
    expect(on.constant("HIDDEN_WEIGHTS")).toBe(hiddenWeights(shape));
  });
});
