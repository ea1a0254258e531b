/** The tuner's kernels: every gradient against finite differences in f64, Adam against its algorithm, and the same bits however run. */
import { afterEach, describe, expect, test } from "vitest";
import { compileTuner } from "../host/compile/compile.ts";
import { Trainer } from "../host/fit/trainer.ts";
import { cipherWidth, type Shape, validateShape } from "../host/shape.ts";
import { tunerBytesNeeded } from "../host/tune/memory.ts";
import { adam, differences, lossOf, PARTS, rowsOf, type Stack } from "./tune-reference.ts";

type Part = (typeof PARTS)[number];

const SIZES = { vocabulary: 24, window: 3, groups: 2, units: 4 };
const WIDTH = SIZES.heads * SIZES.classes;
/** Mean gradients are below 1; f32 sums of some hundred terms. */
const ROUNDING = 3e-6;
const NEVER = 0x7fffffff;

let tuner: Trainer | undefined;
afterEach(() => tuner?.stop());

function shapeOf(bits: number): Shape {
  return validateShape({ ...SIZES, bits, history: 0, matchLength: 0 });
}

const modules = new Map<string, Promise<Uint8Array>>();
function compiled(bits: number, build: "simd" | "scalar", shared: boolean): Promise<Uint8Array> {
  const key = `${bits} ${build} ${shared}`;
  if (!modules.has(key)) modules.set(key, compileTuner(shapeOf(bits), build, shared));
  return modules.get(key)!;
}

/** Numbers in [−1, 1) from a fixed seed. */
function uniforms(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  };
}

function tokensOf(length: number): number[] {
  const next = uniforms(7);
  const tokens = [0];
  while (tokens.length < length) {
    const last = tokens.at(-1)!;
    tokens.push(next() < 0.4 ? (last * 5 + 1) % 24 : Math.floor(12 * (next() + 1)));
  }
  return tokens;
}

/** Address and columns of each part; E has columns up to a multiple of four. */
function layout(bits: number): Record<Part, [address: string, rows: number, columns: number, stride: number]> {
  return {
    u: ["U", 3 * bits, WIDTH, WIDTH],
    u0: ["U0", 1, WIDTH, WIDTH],
    o: ["O", 24, WIDTH, WIDTH],
    o0: ["O0", 1, 24, 24],
    e: ["EMBEDDING", 24, bits, Math.ceil(bits / 4) * 4],
  };
}

interface Run {
  readonly bits: number;
  readonly build?: "simd" | "scalar";
  readonly threads?: number;
  readonly batch: number;
  readonly rate: number;
  readonly thaw?: number;
  readonly warm?: number;
  readonly total?: number;
}

const TOKENS = tokensOf(150);

/** A tuner with random weights of fair size, configured. Ciphers: one bit each, then pairs. */
async function start(run: Run): Promise<Trainer> {
  const { bits, build = "simd", threads = 0, batch, rate, thaw = NEVER, warm = 0, total = 1000 } = run;
  tuner = await Trainer.start(await compiled(bits, build, threads > 0), TOKENS.length, threads);
  tuner.view(Uint16Array, "TOKENS", TOKENS.length).set(TOKENS);
  const random = uniforms(3);
  for (const part of ["u", "u0", "o", "o0"] as const) {
    const [address, rows, columns] = layout(bits)[part];
    const view = tuner.view(Float32Array, address, rows * columns);
    for (let i = 0; i < view.length; ++i) view[i] = 1.5 * random();
  }
  if (bits < 24) {
    const width = cipherWidth(shapeOf(bits));
    const cipher = tuner.view(Uint16Array, "CIPHER", 24 * width).fill(0xffff);
    for (let v = 0; v < 24; ++v) {
      cipher[v * width] = v % (bits - 1);
      if (v >= bits) cipher[v * width + 1] = bits - 1;
    }
  }
  await tuner.once("begin");
  await tuner.all("configure", 9, TOKENS.length, batch, total, rate, warm, thaw, 0);
  return tuner;
}

/** A part's weights, or what stands beside them: "GRADIENT", "FIRST_MOMENT", "SECOND_MOMENT". */
function rowsAt(on: Trainer, bits: number, part: Part, block = "U"): number[][] {
  const [address, rows, columns, stride] = layout(bits)[part];
  const parameters = on.constant("PARAMETERS");
  const all = on.view(Float32Array, block, parameters);
  const offset = (on.constant(address) - on.constant("U")) / 4;
  return Array.from({ length: rows }, (_, row) => {
    const at = offset + row * stride;
    return Array.from(all.subarray(at, at + columns));
  });
}

/** The kernel's weights as the reference has them; one-hot inputs are the identity. */
function stackOf(on: Trainer, bits: number): Stack {
  const identity = Array.from({ length: 24 }, (_, v) => Array.from({ length: 24 }, (_, i) => (i === v ? 1 : 0)));
  return {
    u: rowsAt(on, bits, "u"),
    u0: rowsAt(on, bits, "u0")[0]!,
    o: rowsAt(on, bits, "o"),
    o0: rowsAt(on, bits, "o0")[0]!,
    e: bits === 24 ? identity : rowsAt(on, bits, "e"),
  };
}

function worst(found: number[][], wanted: number[][]): number {
  return Math.max(...wanted.flatMap((row, i) => row.map((value, c) => Math.abs(found[i]![c]! - value))));
}

const CASES: [string, number, number, readonly Part[]][] = [
  ["one-hot inputs", 24, NEVER, ["u", "u0", "o", "o0"]],
  ["ciphered inputs", 6, NEVER, ["u", "u0", "o", "o0"]],
  ["thawed inputs", 6, 0, PARTS],
  ["thawed inputs in whole vectors", 8, 0, PARTS],
];

describe("gradients are central differences of the loss", () => {
  test.each(CASES.flatMap((each) => (["simd", "scalar"] as const).map((build) => [...each, build] as const)))(
    "%s (%i bits, thawed at %i: %j), %s",
    async (_what, bits, thaw, parts, build) => {
      // all places in one batch: three tiles, the last in part
      const on = await start({ bits, build, batch: TOKENS.length, rate: 0, thaw });
      const stack = stackOf(on, bits);
      const loss = () => lossOf(stack, TOKENS, Array.from(TOKENS.keys()), SIZES);
      await on.all("tuneSteps", "thread", "threads", 0, 1);
      const nats = on.view(Float64Array, "LOSS", 1)[0]! / TOKENS.length;
      expect(Math.abs(nats - loss())).toBeLessThan(ROUNDING);
      for (const part of parts) {
        const wanted = differences(stack, part, loss);
        expect(Math.max(...wanted.flat().map(Math.abs)), part).toBeGreaterThan(100 * ROUNDING);
        expect(worst(rowsAt(on, bits, part, "GRADIENT"), wanted), part).toBeLessThan(ROUNDING);
      }
      // at a rate of 0 nothing moves
      for (const part of PARTS.slice(0, 4)) expect(rowsAt(on, bits, part)).toEqual(rowsOf(stack, part));
    },
  );

  test("of one batch are over its places alone, each place once an epoch", async () => {
    const on = await start({ bits: 24, batch: 64, rate: 0 });
    const stack = stackOf(on, 24);
    const nats = on.view(Float64Array, "LOSS", 1);
    await on.all("tuneSteps", "thread", "threads", 0, 3); // 64, 64 and 22 places
    const all = lossOf(stack, TOKENS, Array.from(TOKENS.keys()), SIZES);
    expect(Math.abs(nats[0]! / TOKENS.length - all)).toBeLessThan(ROUNDING);
    await on.all("tuneSteps", "thread", "threads", 3, 4);
    expect(Math.abs(nats[0]! / TOKENS.length - all)).toBeGreaterThan(0.1); // a fourth batch came on top
  });

  test("the cipher, thawed, predicts as the frozen one does", async () => {
    const losses = [];
    for (const thaw of [0, NEVER]) {
      const on = await start({ bits: 6, batch: TOKENS.length, rate: 0, thaw });
      await on.all("tuneSteps", "thread", "threads", 0, 1);
      losses.push(on.view(Float64Array, "LOSS", 1)[0]! / TOKENS.length);
    }
    expect(Math.abs(losses[0]! - losses[1]!)).toBeLessThan(ROUNDING);
  });

  test("folded, it is a one-hot model of the same loss", async () => {
    const on = await start({ bits: 6, batch: 50, rate: 0.05, thaw: 2 });
    await on.all("tuneSteps", "thread", "threads", 0, 6);
    await on.once("fold");
    const trained = stackOf(on, 6);
    const folded = on.view(Float32Array, "FOLDED", 3 * 24 * WIDTH).slice();
    const places = Array.from(TOKENS.keys());
    const wanted = lossOf(trained, TOKENS, places, SIZES);
    const oneHot = await start({ bits: 24, batch: TOKENS.length, rate: 0 });
    oneHot.view(Float32Array, "U", folded.length).set(folded);
    oneHot.view(Float32Array, "U0", WIDTH).set(trained.u0);
    oneHot.view(Float32Array, "O", 24 * WIDTH).set(trained.o.flat());
    oneHot.view(Float32Array, "O0", 24).set(trained.o0);
    await oneHot.all("tuneSteps", "thread", "threads", 0, 1);
    expect(Math.abs(oneHot.view(Float64Array, "LOSS", 1)[0]! / TOKENS.length - wanted)).toBeLessThan(ROUNDING);
  });
});

describe("Adam", () => {
  test.each(["simd", "scalar"] as const)(
    "%s: follows algorithm 1, bias correction and schedule included",
    async (build) => {
      const [warm, total, peak, thaw] = [3, 12, 0.05, 4];
      const on = await start({ bits: 6, build, batch: 60, rate: peak, warm, total, thaw });
      const begin = Object.fromEntries(PARTS.map((part) => [part, rowsAt(on, 6, part).flat()]));
      const gradients: Record<string, number[][]> = Object.fromEntries(PARTS.map((part) => [part, []]));
      const rates = [];
      for (let step = 0; step < total; ++step) {
        await on.all("tuneSteps", "thread", "threads", step, step + 1);
        const left = (step - warm) / (total - warm);
        rates.push(step < warm ? (peak * (step + 1)) / warm : peak * (1 - 0.9 * left));
        for (const part of PARTS) {
          // E's own first step is the one at which it thaws
          if (part !== "e" || step >= thaw) gradients[part]!.push(rowsAt(on, 6, part, "GRADIENT").flat());
        }
      }
      for (const part of PARTS) {
        const found = rowsAt(on, 6, part).flat();
        const used = part === "e" ? rates.slice(thaw) : rates;
        for (const [i, weight] of begin[part]!.entries()) {
          const own = gradients[part]!.map((gradient) => gradient[i]!);
          expect(Math.abs(found[i]! - adam(weight, own, used).at(-1)!), part).toBeLessThan(1e-5);
        }
        expect(found, part).not.toEqual(begin[part]);
      }
    },
  );
});

describe("the same bits", () => {
  test.each([
    [24, NEVER],
    [6, NEVER],
    [6, 3],
  ])("from scalar and simd, one, two and three threads (%i bits, thawed at step %i)", async (bits, thaw) => {
    const results = [];
    for (const [build, threads] of [
      ["simd", 0],
      ["scalar", 0],
      ["simd", 1],
      ["simd", 2],
      ["scalar", 3],
    ] as const) {
      const on = await start({ bits, build, threads, batch: 140, rate: 0.05, warm: 2, total: 10, thaw });
      await on.all("tuneSteps", "thread", "threads", 0, 10);
      await on.once("fold");
      const blocks = ["U", "FIRST_MOMENT", "SECOND_MOMENT"].map((name) =>
        on.view(Uint32Array, name, on.constant("PARAMETERS")).slice(),
      );
      const folded = bits < 24 ? [on.view(Uint32Array, "FOLDED", 3 * 24 * WIDTH).slice()] : [];
      results.push([...blocks, ...folded, on.view(Float64Array, "LOSS", 1).slice()]);
      await on.stop();
    }
    for (const result of results) expect(result).toEqual(results[0]);
    expect(results[0]![0]!.some((word) => word === 0x7fc00000)).toBe(false); // not a number
  });
});

describe("a cold start", () => {
  test.each([
    ["normal", 0, 0.1, 0.1],
    ["Glorot's uniform", 1, Math.sqrt(6 / (72 + 8)), Math.sqrt(6 / (72 + 8)) / Math.sqrt(3)],
  ])("%s: of its deviation, by the seed, biases 0", async (_what, xavier, least, deviation) => {
    const on = await start({ bits: 24, batch: 64, rate: 0.1 });
    const draws: number[][] = [];
    for (const seed of [1, 1, 2]) {
      await on.once("initialise", seed, xavier);
      draws.push(rowsAt(on, 24, "u").flat());
    }
    expect(draws[1]).toEqual(draws[0]);
    expect(draws[2]).not.toEqual(draws[0]);
    const [u] = draws as [number[]];
    const squares = u.reduce((sum, value) => sum + value ** 2, 0) / u.length;
    expect(Math.abs(Math.sqrt(squares) / deviation - 1)).toBeLessThan(0.1); // 576 draws
    expect(Math.max(...u)).toBeGreaterThan(0.9 * least);
    if (xavier) expect(Math.max(...u.map(Math.abs))).toBeLessThanOrEqual(least);
    const o = rowsAt(on, 24, "o").flat();
    expect(Math.max(...o)).toBeGreaterThan(2 * 0.05);
    if (xavier) expect(Math.max(...o.map(Math.abs))).toBeLessThanOrEqual(Math.sqrt(6 / (24 + 8)));
    expect([...rowsAt(on, 24, "u0").flat(), ...rowsAt(on, 24, "o0").flat()].every((bias) => bias === 0)).toBe(true);
  });
});

test.each([24, 6, 8])("the tuner's memory is what the host says it is (%i bits)", async (bits) => {
  const on = await start({ bits, batch: 64, rate: 0 });
  expect(tunerBytesNeeded(shapeOf(bits))).toBe(on.constant("TOKENS"));
});
