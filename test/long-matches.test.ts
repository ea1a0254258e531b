/** Long matches and the long-term memory: the bits of an oracle that looks at every place, on texts and memories of every kind. */
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { compileDevice } from "../host/compile/compile.ts";
import { deviceAddresses } from "../host/compile/layout.ts";
import type { ModuleOptions } from "../host/compile/options.ts";
import { type MemoryTokens, memoryImage, orderOf } from "../host/files/memory.ts";
import type { Tensor } from "../host/files/safetensors.ts";
import { type Shape, validateShape } from "../host/shape.ts";
import { compileQuickly } from "./compile-warm.ts";
import { Device, memoryTensor, randomWeights } from "./kernel-fixture.ts";
import { Oracle } from "./oracle.ts";
import { naiveOrder } from "./oracle-long.ts";

compileQuickly();

type Weights = ReadonlyMap<string, Tensor>;

const MEMORY = { longMatches: true, memory: 700 };
const TOKENS = { vocabulary: 304, bits: 304, indexed: true, adapts: true, memoryIndexed: true };
const SHAPES: Record<string, Shape> = {
  "a ring fuller than the list, no memory": shapeOf({ longMatches: true, history: 2048 }),
  "an indexed ring, no memory": shapeOf({ longMatches: true, history: 2048, indexed: true, adapts: true }),
  "the shortest ring, a memory looked through": shapeOf({ ...MEMORY, history: 32, adapts: true }),
  "a ring fuller than the list, a memory looked through": shapeOf({ ...MEMORY, history: 1024, adapts: true }),
  "a memory that is indexed": shapeOf({ ...MEMORY, history: 64, memoryIndexed: true }),
  "an indexed ring, an indexed memory of two bytes a token": shapeOf({ ...MEMORY, ...TOKENS, history: 1024 }),
};

function shapeOf(changes: Partial<Shape>): Shape {
  return validateShape({ vocabulary: 64, bits: 64, window: 1, groups: 1, units: 8, matchLength: 4, ...changes });
}

/** Uniform integers. */
function drawsOf(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return Math.floor(((state >>> 8) / 2 ** 24) * bound);
  };
}

/** A text of few tokens that repeats pieces of itself and of `other`: short ones, and such as are longer than any match. */
function textOf(length: number, alphabet: number, seed: number, other: readonly number[] = []): number[] {
  const below = drawsOf(seed);
  const tokens: number[] = [];
  while (tokens.length < length) {
    const source = other.length > 0 && below(2) === 0 ? other : tokens;
    if (source.length > 0 && below(3) === 0) {
      const from = below(source.length);
      tokens.push(...source.slice(from, from + [3, 8, 19, 20, 21, 40][below(6)]!));
    } else tokens.push(Math.min(below(alphabet), below(alphabet)));
  }
  return tokens.slice(0, length);
}

/** The weights of a shape with another memory. */
function withMemory(shape: Shape, seed: number, memory: readonly number[]): Weights {
  const weights = randomWeights(shape, seed);
  return shape.memory ? new Map([...weights, ["memory.tokens", memoryTensor(shape, memory)]]) : weights;
}

async function modulesOf(shape: Shape, options: ModuleOptions = { recall: 0 }): Promise<WebAssembly.Module[]> {
  const modules: WebAssembly.Module[] = [];
  for (const build of ["scalar", "simd"] as const) {
    modules.push(new WebAssembly.Module((await compileDevice(shape, build, options)) as BufferSource));
  }
  return modules;
}

/** Plays a text: all tokens of some stretches are fed, so that weights adapt, the others appended; each that is fed is compared. */
function compare(
  modules: readonly WebAssembly.Module[],
  shape: Shape,
  weights: Weights,
  text: readonly number[],
): void {
  const kernels = modules.map((module) => new Device(module, shape, weights));
  const oracle = new Oracle(shape, weights);
  for (const { run } of kernels) expect(run.reset!()).toBe(0);
  for (const [i, token] of text.entries()) {
    if (i % 300 < 40) {
      const wanted = Array.from(oracle.predict());
      const bits = oracle.feed(token);
      for (const { run, probabilities } of kernels) {
        expect(run.predict!()).toBe(0);
        expect(Array.from(probabilities), `place ${i}`).toEqual(wanted);
        expect(run.feed!(token), `place ${i}`).toBe(bits);
      }
    } else {
      oracle.append(token);
      for (const { run } of kernels) run.append!(token);
    }
  }
}

describe.each(Object.entries(SHAPES))("%s: scalar, simd and oracle agree to the bit", (_name, shape) => {
  const { history, memory = 0, vocabulary } = shape;
  let modules: WebAssembly.Module[];
  beforeAll(async () => {
    modules = await modulesOf(shape);
  }, 60_000);

  test.each([1, 2, 3, 6, 20, 300])("on a text of %i tokens, longer than the ring", (alphabet) => {
    const few = Math.min(alphabet, vocabulary);
    const remembered = textOf(memory, few, alphabet);
    const text = textOf(history + 400, few, alphabet + 100, remembered);
    compare(modules, shape, withMemory(shape, 3, remembered), text);
  });

  if (memory > 0) {
    test.each<[string, (text: readonly number[]) => number[]]>([
      ["of one token, all places of which are equal", () => new Array(memory).fill(0)],
      ["of none of the text's tokens", () => new Array(memory).fill(63)],
      ["that is the text itself, from its beginning on", (text) => text.slice(0, memory)],
      ["whose last token alone recurs", () => [...new Array(memory - 1).fill(63), 0]],
      ["whose first token alone recurs", () => [0, ...new Array(memory - 1).fill(63)]],
      [
        "that repeats a piece of as many tokens as are compared",
        () => Array.from({ length: memory }, (_, i) => i % 20),
      ],
      ["that repeats a piece of one more", () => Array.from({ length: memory }, (_, i) => i % 21)],
    ])("with a memory %s", (_what, remembered) => {
      const text = [...textOf(60, 3, 7), ...Array.from({ length: 70 }, (_, i) => i % 20), ...textOf(300, 2, 8)];
      const given = remembered([...text, ...textOf(memory, 3, 9)]);
      compare(modules, shape, withMemory(shape, 4, given), text);
    });
  }

  test("after a reset as before any text", () => {
    const weights = withMemory(shape, 5, textOf(memory, 4, 1));
    const text = textOf(150, 4, 2);
    for (const module of modules) {
      const { run } = new Device(module, shape, weights);
      run.reset!();
      const first = text.map((token) => run.feed!(token));
      run.reset!();
      expect(text.map((token) => run.feed!(token))).toEqual(first);
    }
  });
});

describe("a memory of few tokens", () => {
  test.each([
    [1, false],
    [2, false],
    [2, true],
    [3, true],
    [8, false],
    [8, true],
    [21, true],
    [22, false],
  ])("%i, indexed %s: scalar, simd and oracle agree to the bit", async (memory, memoryIndexed) => {
    const shape = shapeOf({ longMatches: true, history: 64, memory, memoryIndexed });
    const modules = await modulesOf(shape);
    for (const alphabet of [1, 2, 5]) {
      const remembered = textOf(memory, alphabet, alphabet);
      compare(modules, shape, withMemory(shape, 6, remembered), textOf(120, alphabet, alphabet, remembered));
    }
  });
});

describe("a memory's record of any address and length", () => {
  test.each([
    ["looked through", shapeOf({ ...MEMORY, history: 64, adapts: true })],
    ["indexed", shapeOf({ ...MEMORY, history: 64, memoryIndexed: true })],
    ["indexed, of two bytes a token", shapeOf({ ...MEMORY, ...TOKENS, history: 64 })],
    ["of tokens of two bytes, not there", shapeOf({ longMatches: true, history: 64, vocabulary: 304, bits: 304 })],
  ])("%s: no trap, a prediction of unit sum, and nothing written to weights and memory", async (_name, shape) => {
    const modules = await modulesOf(shape);
    const weights = withMemory(shape, 7, textOf(shape.memory ?? 0, 4, 3));
    const devices = modules.map((module) => new Device(module, shape, weights));
    const { at, end } = deviceAddresses(shape, { recall: 0 });
    const words = fc.oneof(
      fc.nat(2 ** 17),
      fc.nat(2 ** 32 - 1),
      fc.constantFrom(0, 1, 65536, 65537, 2 ** 31, 2 ** 32 - 1),
    );
    const junk = fc.uint8Array({ minLength: 4, maxLength: 64 });
    fc.assert(
      fc.property(
        words,
        words,
        junk,
        fc.array(fc.nat(7), { minLength: 1, maxLength: 12 }),
        (place, length, bytes, tokens) => {
          for (const { run, probabilities } of devices) {
            const { buffer } = run.memory;
            new Uint32Array(buffer, at.MEMORY_RECORD!, 2).set([place, length]);
            const behind = new Uint8Array(buffer, end);
            for (let i = 0; i < behind.length; ++i) behind[i] = bytes[i % bytes.length]!;
            const fixed = Buffer.from(buffer.slice(0, at.RESIDENT_LEVELS!));
            expect(run.reset!()).toBe(0);
            for (const token of tokens) {
              expect(run.predict!()).toBe(0);
              expect(Math.abs(probabilities.reduce((sum, p) => sum + p, 0) - 1)).toBeLessThan(1e-4);
              expect(run.feed!(token)).toBeGreaterThanOrEqual(0);
            }
            expect(Buffer.compare(fixed, Buffer.from(buffer, 0, at.RESIDENT_LEVELS!))).toBe(0);
            expect(behind.every((byte, i) => byte === bytes[i % bytes.length])).toBe(true);
          }
        },
      ),
      { numRuns: 150, seed: 3 },
    );
  });
});

describe("the order of a memory", () => {
  test("is that of what stands before each place, read backwards, the text's beginning first and the newest of equal ones", () => {
    const text = fc.integer({ min: 1, max: 4 }).chain((alphabet) =>
      fc.oneof(
        fc.array(fc.nat(alphabet - 1), { maxLength: 150 }),
        fc.tuple(fc.array(fc.nat(alphabet), { minLength: 1, maxLength: 25 }), fc.integer({ min: 1, max: 150 })).map(
          ([piece, length]) => Array.from({ length }, (_, i) => piece[i % piece.length]!), // repeats itself
        ),
      ),
    );
    fc.assert(
      fc.property(text, (tokens) => {
        expect(Array.from(orderOf(Uint8Array.from(tokens)))).toEqual(naiveOrder(tokens));
        const wide = tokens.map((token) => token * 251);
        expect(Array.from(orderOf(Uint16Array.from(wide)))).toEqual(naiveOrder(tokens));
      }),
      { numRuns: 500 },
    );
  });

  test("stands behind the tokens, on a boundary of 16 bytes, where the memory is indexed", () => {
    for (const memory of [1, 7, 8, 9, 16, 17, 700]) {
      for (const changes of [{}, { vocabulary: 304, bits: 304 }]) {
        const shape = shapeOf({ longMatches: true, history: 64, memory, memoryIndexed: true, ...changes });
        const tokens = memoryTensor(shape, textOf(memory, 5, memory)).data as MemoryTokens;
        const image = memoryImage({ tokens }, shape);
        const wide = shape.vocabulary > 256;
        const at = Math.ceil((memory * (wide ? 2 : 1)) / 16) * 16;
        expect(Array.from(new Uint16Array(image.buffer, at, memory))).toEqual(naiveOrder(Array.from(tokens)));
        expect(image.length).toBe(at + Math.ceil((2 * memory) / 16) * 16);
        expect(Buffer.compare(image.subarray(0, tokens.byteLength), Buffer.from(tokens.buffer))).toBe(0);
        if (wide) continue;
        const plain = memoryImage({ tokens }, shapeOf({ longMatches: true, history: 64, memory }));
        expect(plain.length).toBe(at);
      }
    }
  });
});

describe("long matches", () => {
  test("are worth what the definition says: what followed a long match is likelier where weights say so, and the rest share what is left", async () => {
    const shape = shapeOf({ longMatches: true, history: 64 });
    const [module] = await modulesOf(shape);
    const weights = randomWeights(shape, 1);
    const text = [...textOf(12, 60, 3), 61, 62, 63, ...textOf(12, 60, 4), 61, 62];
    /** What is given to 63 where w of all cells is so much. */
    const given = (w: number) => {
      const table = Float32Array.from({ length: 2 * 8 * 18 }, (_, i) => (i < 8 * 18 ? w : 0));
      const long: Tensor = { dtype: "F32", shape: [2, 8, 18], data: table };
      const device = new Device(module!, shape, new Map([...weights, ["attention.long", long]]));
      device.run.reset!();
      for (const token of text) device.run.append!(token);
      device.run.predict!();
      expect(Math.abs(device.probabilities.reduce((sum, p) => sum + p, 0) - 1)).toBeLessThan(1e-5);
      return device.probabilities[63]!;
    };
    expect(given(1)).toBeGreaterThan(given(0.2));
    expect(given(0.2)).toBeGreaterThan(given(0));
    expect(given(0)).toBeGreaterThan(given(-0.5));
    // with w of 0 nothing changes but by rounding
    const { longMatches, ...plain } = shape;
    const [other] = await modulesOf(plain);
    const device = new Device(other!, plain, weights);
    device.run.reset!();
    for (const token of text) device.run.append!(token);
    device.run.predict!();
    // 256 of them are listed where there are long matches, which is more than the ring has
    expect(Math.abs(device.probabilities[63]! / given(0) - 1)).toBeLessThan(1e-5);
  });
});
