/** Tuning in the solver: every gradient against finite differences in f64, Adam against its algorithm, and the same bits however run. */
import { afterEach, describe, expect, test } from "vitest";
import { compileSolver } from "../host/compile/compile.ts";
import { sizesOf } from "../host/compile/sizes.ts";
import { type Settings, Solver } from "../host/fit/solver.ts";
import { cipherWidth, type Shape, validateShape } from "../host/shape.ts";
import { compileQuickly } from "./compile-warm.ts";
import { adam, differences, lossOf, type Network, PARTS, rowsOf } from "./tune-reference.ts";

compileQuickly();

type Part = (typeof PARTS)[number];

const SIZES = { vocabulary: 24, window: 3, groups: 2, units: 4 };
const WIDTH = SIZES.groups * SIZES.units;
/** Mean gradients are below 1; f32 sums of some hundred terms. */
const ROUNDING = 3e-6;

let solver: Solver | undefined;
afterEach(() => solver?.stop());

function shapeOf(bits: number): Shape {
  return validateShape({ ...SIZES, bits, history: 0, matchLength: 0 });
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

/** Address, rows and columns of each part. */
function layout(bits: number): Record<Part, [address: string, rows: number, columns: number]> {
  return { u: ["U", 3 * bits, WIDTH], u0: ["U0", 1, WIDTH], o: ["O", 24, WIDTH], o0: ["O0", 1, 24] };
}

interface Run extends Settings {
  readonly bits: number;
  readonly build?: "simd" | "scalar";
  readonly threads?: number;
}

const TOKENS = tokensOf(150);

/** A solver with random weights of fair size, ready to tune. Ciphers: one bit each, then pairs. */
async function start({ bits, build = "simd", threads = 0, ...settings }: Run): Promise<Solver> {
  const shape = shapeOf(bits);
  solver = await Solver.start(await compileSolver(shape, build, threads > 0), shape, TOKENS.length, threads);
  solver.view(Uint16Array, "TOKENS", TOKENS.length).set(TOKENS);
  const random = uniforms(3);
  for (const part of PARTS) {
    const [address, rows, columns] = layout(bits)[part];
    const view = solver.view(Float32Array, address, rows * columns);
    for (let i = 0; i < view.length; ++i) view[i] = 1.5 * random();
  }
  if (bits < 24) {
    const width = cipherWidth(shape);
    const cipher = solver.view(Uint16Array, "CIPHER", 24 * width).fill(0xffff);
    for (const [v, set] of cipherOf(bits).entries()) cipher.set(set, v * width);
  }
  await solver.configure({ places: TOKENS.length, seed: 9, steps: 1000, ...settings });
  await solver.once("begin");
  return solver;
}

/** Bits of each token. */
function cipherOf(bits: number): number[][] {
  if (bits === 24) return Array.from({ length: 24 }, (_, v) => [v]);
  return Array.from({ length: 24 }, (_, v) => (v < bits ? [v % (bits - 1)] : [v % (bits - 1), bits - 1]));
}

/** A part's weights, or what stands beside them: "SECOND" the gradient, "THIRD" and "FOURTH" the moments. */
function rowsAt(on: Solver, bits: number, part: Part, beside = "U"): number[][] {
  const [address, rows, columns] = layout(bits)[part];
  const at = on.address(address) - on.address("U") + on.address(beside);
  const all = on.view(Float32Array, at, rows * columns);
  return Array.from({ length: rows }, (_, row) => Array.from(all.subarray(row * columns, (row + 1) * columns)));
}

/** The kernel's weights as the reference has them. */
function networkOf(on: Solver, bits: number): Network {
  return {
    u: rowsAt(on, bits, "u"),
    u0: rowsAt(on, bits, "u0")[0]!,
    o: rowsAt(on, bits, "o"),
    o0: rowsAt(on, bits, "o0")[0]!,
    cipher: cipherOf(bits).map((set) => Array.from({ length: bits }, (_, i) => (set.includes(i) ? 1 / set.length : 0))),
  };
}

function worst(found: number[][], wanted: number[][]): number {
  return Math.max(...wanted.flatMap((row, i) => row.map((value, c) => Math.abs(found[i]![c]! - value))));
}

describe("gradients are central differences of the loss", () => {
  test.each([24, 6, 8].flatMap((bits) => (["simd", "scalar"] as const).map((build) => [bits, build] as const)))(
    "inputs of %i bits of 24, %s",
    async (bits, build) => {
      // all places in one batch: three tiles, the last in part
      const on = await start({ bits, build, batch: TOKENS.length, learningRate: 0 });
      const network = networkOf(on, bits);
      const loss = () => lossOf(network, TOKENS, Array.from(TOKENS.keys()), SIZES);
      await on.all("tuneSteps", "thread", "threads", 0, 1);
      const nats = on.view(Float64Array, "LOSS", 1)[0]! / TOKENS.length;
      expect(Math.abs(nats - loss())).toBeLessThan(ROUNDING);
      for (const part of PARTS) {
        const wanted = differences(network, part, loss);
        expect(Math.max(...wanted.flat().map(Math.abs)), part).toBeGreaterThan(100 * ROUNDING);
        expect(worst(rowsAt(on, bits, part, "SECOND"), wanted), part).toBeLessThan(ROUNDING);
      }
      // at a rate of 0 nothing moves
      for (const part of PARTS) expect(rowsAt(on, bits, part)).toEqual(rowsOf(network, part));
    },
  );

  test("of one batch are over its places alone, each place once an epoch", async () => {
    const on = await start({ bits: 24, batch: 64, learningRate: 0 });
    const network = networkOf(on, 24);
    const nats = on.view(Float64Array, "LOSS", 1);
    await on.all("tuneSteps", "thread", "threads", 0, 3); // 64, 64 and 22 places
    const all = lossOf(network, TOKENS, Array.from(TOKENS.keys()), SIZES);
    expect(Math.abs(nats[0]! / TOKENS.length - all)).toBeLessThan(ROUNDING);
    await on.all("tuneSteps", "thread", "threads", 3, 4);
    expect(Math.abs(nats[0]! / TOKENS.length - all)).toBeGreaterThan(0.1); // a fourth batch came on top
  });
});

describe("Adam", () => {
  test.each(["simd", "scalar"] as const)(
    "%s: follows algorithm 1, bias correction and schedule included",
    async (build) => {
      const [warmUp, steps, learningRate] = [3, 12, 0.05];
      const on = await start({ bits: 6, build, batch: 60, learningRate, warmUp, steps });
      const begin = Object.fromEntries(PARTS.map((part) => [part, rowsAt(on, 6, part).flat()]));
      const gradients: Record<string, number[][]> = Object.fromEntries(PARTS.map((part) => [part, []]));
      const rates = [];
      for (let step = 0; step < steps; ++step) {
        await on.all("tuneSteps", "thread", "threads", step, step + 1);
        const gone = (step - warmUp) / (steps - warmUp);
        rates.push(learningRate * (step < warmUp ? (step + 1) / warmUp : 1 - 0.9 * gone));
        for (const part of PARTS) gradients[part]!.push(rowsAt(on, 6, part, "SECOND").flat());
      }
      for (const part of PARTS) {
        const found = rowsAt(on, 6, part).flat();
        for (const [i, weight] of begin[part]!.entries()) {
          const own = gradients[part]!.map((gradient) => gradient[i]!);
          expect(Math.abs(found[i]! - adam(weight, own, rates).at(-1)!), part).toBeLessThan(1e-5);
        }
        expect(found, part).not.toEqual(begin[part]);
      }
    },
  );
});

describe("the same bits", () => {
  test.each([24, 6])("from scalar and simd, one, two and three threads (inputs of %i bits)", async (bits) => {
    const results = [];
    const { HIDDEN_WEIGHTS, M, V } = sizesOf(shapeOf(bits));
    for (const [build, threads] of [
      ["simd", 0],
      ["scalar", 0],
      ["simd", 1],
      ["simd", 2],
      ["scalar", 3],
    ] as const) {
      const on = await start({ bits, build, threads, batch: 140, learningRate: 0.05, warmUp: 2, steps: 10 });
      await on.all("tuneSteps", "thread", "threads", 0, 10);
      const tables = ["U", "THIRD", "FOURTH"].map((name) =>
        on.view(Uint32Array, name, HIDDEN_WEIGHTS + M + V * M + V).slice(),
      );
      results.push([...tables, on.view(Float64Array, "LOSS", 1).slice()]);
      await on.stop();
    }
    for (const result of results) expect(result).toEqual(results[0]);
    expect(Array.from(results[0]![0]!).includes(0x7fc00000)).toBe(false); // not a number
  });
});

describe("a cold start", () => {
  test.each([
    ["normal", 0, 0.1, 0.1],
    ["Glorot's uniform", 1, Math.sqrt(6 / (72 + 8)), Math.sqrt(6 / (72 + 8)) / Math.sqrt(3)],
  ])("%s: of its deviation, by the seed, biases 0", async (_what, xavier, least, deviation) => {
    const on = await start({ bits: 24, batch: 64, learningRate: 0.1 });
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
