/** The device module: the same bits from scalar, simd and the oracle; its contract with any host; memory as computed. */
import { instantiate, instantiateSync } from "@assemblyscript/loader";
import { beforeAll, describe, expect, test } from "vitest";
import { compileDevice, compileRequestHere, deviceRequest } from "../host/compile/compile.ts";
import { bytesNeeded, PAGE, predictorBytes } from "../host/compile/layout.ts";
import type { Tensor } from "../host/files/safetensors.ts";
import { memoryBytes, type Shape, validateShape } from "../host/shape.ts";
import { compileQuickly } from "./compile-warm.ts";
import { contractOf, type Exports, randomWeights, repetitive, writeModel } from "./kernel-fixture.ts";
import { Oracle, surprisal } from "./oracle.ts";
import { exp, log } from "./oracle-math.ts";

compileQuickly();

const CONTEXTS = {
  windowAttention: true,
  ...{ documentGroups: 2, documentSpan: 5, secondGroups: 3, secondWindow: 2 },
};
const MEMORY = { longMatches: true, memory: 333 };
const SHAPES: Record<string, Shape> = {
  "one-hot with attention": shapeOf({}),
  ciphered: shapeOf({ bits: 16, window: 2 }),
  "ciphered, four bits wide": shapeOf({ bits: 7, window: 3, units: 4, groups: 4 }),
  "no attention": shapeOf({ history: 0, matchLength: 0 }),
  "weights of four bits": shapeOf({ weightBits: 4 }),
  "weights of four bits, ciphered": shapeOf({ weightBits: 4, bits: 7, units: 4, groups: 6 }),
  "attention over the window": shapeOf({ windowAttention: true, window: 5 }),
  "attention over the window, ciphered": shapeOf({ windowAttention: true, bits: 16, window: 2, weightBits: 4 }),
  document: shapeOf({ documentGroups: 1, documentSpan: 8 }),
  "second layer": shapeOf({ secondGroups: 1, secondWindow: 3 }),
  "all contexts, ciphered": shapeOf({ ...CONTEXTS, bits: 16, weightBits: 4 }),
  "all contexts, one-hot": shapeOf({ ...CONTEXTS, window: 4 }),
  adapting: shapeOf({ history: 512, adapts: true }),
  "adapting, short history": shapeOf({ history: 32, adapts: true }),
  "not adapting, long history": shapeOf({ history: 1024 }),
  "adapting and indexed, all contexts": shapeOf({ history: 2048, adapts: true, indexed: true, ...CONTEXTS }),
  "indexed, short history": shapeOf({ indexed: true }),
  "indexed, the shortest history": shapeOf({ history: 16, matchLength: 4, indexed: true, adapts: true }),
  "long matches": shapeOf({ longMatches: true }),
  "long matches, the shortest history, adapting": shapeOf({ longMatches: true, history: 32, adapts: true }),
  "long matches in a ring fuller than the list": shapeOf({ longMatches: true, history: 2048, adapts: true }),
  "long matches, indexed history": shapeOf({ longMatches: true, history: 512, indexed: true, adapts: true }),
  "n-grams": shapeOf({ longMatches: true, ngrams: 2000 }),
  "n-grams, adapting": shapeOf({ longMatches: true, ngrams: 2001, indexed: true, adapts: true }),
  "n-grams, and a memory": shapeOf({ ...MEMORY, ngrams: 1200, adapts: true }),
  "memory, looked through": shapeOf({ ...MEMORY, adapts: true }),
  "memory, looked through, not adapting": shapeOf({ ...MEMORY, history: 32, matchLength: 2 }),
  "memory, indexed": shapeOf({ ...MEMORY, memoryIndexed: true, adapts: true }),
  "memory, indexed, indexed history, all contexts": shapeOf({
    ...{ ...MEMORY, memoryIndexed: true, adapts: true, history: 1024, indexed: true, matchLength: 3, ...CONTEXTS },
  }),
  "memory of two bytes a token": shapeOf({ ...MEMORY, memoryIndexed: true, adapts: true, vocabulary: 264, bits: 264 }),
  "memory of one token": shapeOf({ ...MEMORY, memory: 1 }),
  "memory of two tokens": shapeOf({ ...MEMORY, memory: 2, memoryIndexed: true }),
  "memory of eight tokens": shapeOf({ ...MEMORY, memory: 8 }),
  "one group, short history": shapeOf({ groups: 1, units: 16, history: 16, matchLength: 2, window: 1 }),
};

function shapeOf(changes: Partial<Shape>): Shape {
  const base = { vocabulary: 64, bits: 64, window: 3, groups: 2, units: 8, history: 64, matchLength: 4 };
  return validateShape({ ...base, ...changes });
}

async function start(wasm: Uint8Array, shape: Shape, tensors: ReadonlyMap<string, Tensor>): Promise<Exports> {
  const { exports } = await instantiate<Exports>(wasm as BufferSource);
  writeModel(exports, shape, tensors);
  exports.reset!();
  return exports;
}

describe.each(Object.entries(SHAPES))("%s", (_name, shape) => {
  let scalar: Uint8Array;
  let simd: Uint8Array;
  beforeAll(async () => {
    scalar = await compileDevice(shape, "scalar");
    simd = await compileDevice(shape, "simd");
  }, 60_000);

  test("scalar, simd and oracle agree to the bit on a stream of 300 tokens, longer than the short histories", async () => {
    const tensors = randomWeights(shape, 1);
    const kernels = [await start(scalar, shape, tensors), await start(simd, shape, tensors)];
    const oracle = new Oracle(shape, tensors);
    for (const [i, token] of repetitive(shape, 300, 5).entries()) {
      const wanted = oracle.predict();
      for (const kernel of kernels) {
        kernel.predict!();
        const at = (kernel.PROBABILITIES as unknown as WebAssembly.Global).value as number;
        const found = new Float32Array(kernel.memory.buffer, at, shape.vocabulary);
        expect(Array.from(found), `place ${i}`).toEqual(Array.from(wanted));
        expect(kernel.feed!(token)).toBe(surprisal(wanted[token]!));
      }
      oracle.follow(token, wanted[token]!);
    }
  });

  test("probabilities sum to one", async () => {
    const kernel = await start(simd, shape, randomWeights(shape, 2));
    for (const token of repetitive(shape, 100, 6)) {
      kernel.predict!();
      const at = (kernel.PROBABILITIES as unknown as WebAssembly.Global).value as number;
      const sum = new Float32Array(kernel.memory.buffer, at, shape.vocabulary).reduce((all, p) => all + p, 0);
      // f32 rounding of 64 terms
      expect(Math.abs(sum - 1)).toBeLessThan(1e-5);
      kernel.feed!(token);
    }
  });

  test("sampling draws what the oracle draws", async () => {
    const tensors = randomWeights(shape, 3);
    const kernels = [await start(scalar, shape, tensors), await start(simd, shape, tensors)];
    const settings: [number, number, number][] = [
      [1, 0, 1],
      [0.7, 5, 1],
      [1.3, 0, 0.9],
      [0.5, 12, 0.5],
      [0, 0, 1],
      [2, 1, 1],
    ];
    for (const [temperature, topK, topP] of settings) {
      const oracle = new Oracle(shape, tensors);
      oracle.seed(9);
      for (const kernel of kernels) {
        kernel.reset!();
        kernel.seed!(9);
      }
      for (let i = 0; i < 60; ++i) {
        const wanted = oracle.sample(temperature, topK, topP);
        for (const kernel of kernels) {
          expect(kernel.sample!(temperature, topK, topP), `${temperature} ${topK} ${topP}, draw ${i}`).toBe(wanted);
          kernel.append!(wanted);
        }
        oracle.append(wanted);
      }
    }
  });

  test("reset forgets the context and nothing else", async () => {
    const kernel = await start(simd, shape, randomWeights(shape, 4));
    const tokens = repetitive(shape, 90, 7);
    const first = tokens.map((token) => kernel.feed!(token));
    kernel.reset!();
    expect(tokens.map((token) => kernel.feed!(token))).toEqual(first);
  });

  test("tokens and options out of range are refused, and change nothing", async () => {
    const kernel = await start(simd, shape, randomWeights(shape, 4));
    const twin = await start(simd, shape, randomWeights(shape, 4));
    for (const token of repetitive(shape, 40, 8)) {
      expect(kernel.feed!(shape.vocabulary)).toBe(-1);
      expect(kernel.append!(-1)).toBe(-1);
      expect(kernel.append!(0xffff)).toBe(-1);
      for (const [t, p] of [
        [Number.NaN, 1],
        [-1, 1],
        [Number.POSITIVE_INFINITY, 1],
        [1, 0],
        [1, 1.5],
        [1, Number.NaN],
      ]) {
        expect(kernel.sample!(t!, 0, p!)).toBe(-1);
      }
      expect(kernel.feed!(token)).toBe(twin.feed!(token));
    }
  });

  test("the module has no imports, no start, exactly the memory computed, and the exports of its contract", async () => {
    for (const wasm of [scalar, simd]) {
      const module = new WebAssembly.Module(wasm as BufferSource);
      expect(WebAssembly.Module.imports(module)).toEqual([]);
      expect(sections(wasm)).not.toContain(8); // start
      expect(sections(wasm)).not.toContain(11); // data
      const names = WebAssembly.Module.exports(module).map(({ name }) => name);
      expect(names.sort()).toEqual(
        contractOf(shape)
          .map((text) => text.replace(/:.*/, ""))
          .sort(),
      );
      const { exports } = instantiateSync<Exports>(module);
      expect((exports.END as unknown as WebAssembly.Global).value).toBe(bytesNeeded(shape) - memoryBytes(shape));
      expect((exports.PREDICTOR_END as unknown as WebAssembly.Global).value).toBe(
        predictorBytes(shape) - memoryBytes(shape),
      );
      expect(exports.memory.buffer.byteLength).toBe(Math.ceil(bytesNeeded(shape) / PAGE) * PAGE);
      expect(() => exports.memory.grow(1)).toThrow();
    }
    const shipped = await compileRequestHere(deviceRequest(shape, "scalar"), shape);
    expect(shipped.length).toBeLessThanOrEqual((shape.longMatches ? 16 : 12) * 1024);
  });
});

test("exp and log are within 2 units in the last place of the true value", () => {
  const unit = 2 ** -23;
  for (let x = -86; x <= 20; x += 0.0137) {
    const at = Math.fround(x);
    expect(Math.abs(exp(at) / Math.exp(at) - 1)).toBeLessThan(2 * unit);
  }
  for (let x = 1e-30; x < 1e30; x *= 1.37) {
    const at = Math.fround(x);
    const error = Math.abs(log(at) - Math.log(at));
    expect(error).toBeLessThan(2 * unit * Math.max(1, Math.abs(Math.log(at))));
  }
});

/** Ids of the sections of a module. */
function sections(wasm: Uint8Array): number[] {
  const ids: number[] = [];
  let at = 8;
  while (at < wasm.length) {
    ids.push(wasm[at++]!);
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = wasm[at++]!;
      size |= (byte & 0x7f) << shift;
      if (byte < 128) break;
    }
    at += size;
  }
  return ids;
}
