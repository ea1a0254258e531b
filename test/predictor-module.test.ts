/** The module of an instance that only predicts: the same code with fewer pages, and no input that is not a module or a typed error. */
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { compileDevice } from "../host/compile/compile.ts";
import { bytesNeeded, PAGE, predictorBytes } from "../host/compile/layout.ts";
import { predictorModule } from "../host/model/predictor-module.ts";
import { validateShape } from "../host/shape.ts";
import { inspect, withPages } from "../tools/module/inspect.ts";
import { refusal } from "./model-fixture.ts";

const FILE = "k.wasm";
/** Sums of more than a page, so that there is something to leave out. */
const SHAPE = validateShape({
  vocabulary: 512,
  bits: 512,
  window: 2,
  groups: 4,
  units: 8,
  history: 512,
  matchLength: 3,
});
const [MEMORY, GLOBALS, EXPORTS] = [5, 6, 7];
const HEADER = [0, 97, 115, 109, 1, 0, 0, 0];

let scalar: Uint8Array;
let simd: Uint8Array;
beforeAll(async () => {
  scalar = await compileDevice(SHAPE, "scalar");
  simd = await compileDevice(SHAPE, "simd");
});

/** A module of these sections, each with its size before it. */
const moduleOf = (...sections: [number, number[]][]) =>
  Uint8Array.from([...HEADER, ...sections.flatMap(([id, contents]) => [id, contents.length, ...contents])]);
const named = (name: string) => [name.length, ...new TextEncoder().encode(name)];
/** An export of PREDICTOR_END, the global `index`. */
const exporting = (index = 0): [number, number[]] => [EXPORTS, [1, ...named("PREDICTOR_END"), 3, index]];
const memory = (...limits: number[]): [number, number[]] => [MEMORY, [1, ...limits]];
/** i32 constants, each as LEB128. */
const globals = (...values: number[][]): [number, number[]] => [
  GLOBALS,
  [values.length, ...values.flatMap((value) => [0x7f, 0, 0x41, ...value, 0x0b])],
];
const TWO_PAGES = [1, 2, 2];
const HUNDRED = [0xe4, 0];

describe("a predictor's module", () => {
  test("has the pages up to PREDICTOR_END, at least and at most, and is the same otherwise", async () => {
    for (const wasm of [scalar, simd]) {
      const { wasm: predictor } = predictorModule(wasm, FILE);
      const pages = Math.ceil(predictorBytes(SHAPE) / PAGE);
      const { memory, ...rest } = await inspect(predictor);
      expect(memory).toEqual({ least: pages, most: pages });
      expect(pages * PAGE).toBeLessThan(bytesNeeded(SHAPE));
      const { memory: _, ...before } = await inspect(wasm);
      expect(rest).toEqual(before);
      // the tool's own way of giving a module other pages, by its text
      expect(await withPages(predictor, pages)).toEqual(await withPages(wasm, pages));
      expect(WebAssembly.validate(predictor as BufferSource)).toBe(true);
    }
  });

  test("is as before where it is made again, and leaves the bytes given alone", () => {
    const before = scalar.slice();
    const { wasm: once } = predictorModule(scalar, FILE);
    expect(scalar).toEqual(before);
    expect(predictorModule(once, FILE).wasm).toEqual(once);
  });

  test("has pages behind them for a longer memory, and says where that begins", async () => {
    const recalling = await compileDevice(SHAPE, "scalar", { recall: 512 });
    const end = Math.ceil(predictorBytes(SHAPE, { recall: 512 }) / PAGE);
    expect(predictorModule(recalling, FILE)).toMatchObject({ recall: 512, place: 0 });
    expect(predictorModule(recalling, FILE, 100)).toMatchObject({ recall: 100, place: 0 });
    for (const [recall, more] of [
      [513, 1],
      [PAGE / 2, 1],
      [PAGE / 2 + 1, 2],
      [2 ** 20, 32],
    ] as const) {
      const { wasm, ...rest } = predictorModule(recalling, FILE, recall);
      expect(rest).toMatchObject({ recall, place: end * PAGE });
      expect((await inspect(wasm)).memory).toEqual({ least: end + more, most: end + more });
    }
    const none = await compileDevice(SHAPE, "scalar", { recall: 0 });
    expect(predictorModule(none, FILE, 0)).toMatchObject({ recall: 0, place: 0 });
    expect(() => predictorModule(none, FILE, 1)).toThrow(refusal("UNSUPPORTED", FILE, "memory of 1 tokens") as Error);
    expect(() => predictorModule(moduleOf(), FILE, 9)).toThrow(refusal("UNSUPPORTED", FILE) as Error);
  });

  test("of a module that names no PREDICTOR_END is that module, whole", () => {
    const older: [number, number[]] = [EXPORTS, [1, ...named("END"), 3, 0]];
    for (const wasm of [
      moduleOf(),
      moduleOf(memory(...TWO_PAGES)),
      moduleOf(memory(...TWO_PAGES), globals(HUNDRED), older),
      // a function of that name is not an address
      moduleOf(memory(...TWO_PAGES), [EXPORTS, [1, ...named("PREDICTOR_END"), 0, 0]]),
    ]) {
      expect(predictorModule(wasm, FILE)).toEqual({ wasm, recall: 0, place: 0 });
    }
  });

  test("reads globals of other types before the one that it looks for, and memories without a most", async () => {
    const i64 = [0x7e, 0, 0x42, ...Array(9).fill(0xff), 0, 0x0b];
    const f32 = [0x7d, 1, 0x43, 1, 2, 3, 4, 0x0b];
    const f64 = [0x7c, 1, 0x44, 1, 2, 3, 4, 5, 6, 7, 8, 0x0b];
    const all = [GLOBALS, [4, ...i64, ...f32, ...f64, 0x7f, 0, 0x41, 0x81, 0x80, 4, 0x0b]] as [number, number[]]; // 65537
    const wasm = moduleOf(memory(0, 7), all, exporting(3));
    expect((await inspect(predictorModule(wasm, FILE).wasm)).memory).toEqual({ least: 2, most: 2 });
    expect(predictorModule(moduleOf(memory(1, 2, 9), globals(HUNDRED), exporting()), FILE).wasm).toEqual(
      moduleOf(memory(1, 1, 1), globals(HUNDRED), exporting()),
    );
  });
});

describe("what is no such module is refused by name", () => {
  const end = (...leb: number[]) => moduleOf(memory(...TWO_PAGES), globals(leb), exporting());
  test.each<[string, () => Uint8Array, string]>([
    ["nothing", () => new Uint8Array(0), "not a WebAssembly module"],
    ["another version", () => Uint8Array.of(0, 97, 115, 109, 2, 0, 0, 0), "not a WebAssembly module"],
    ["a section beyond the end", () => Uint8Array.of(...HEADER, 5, 3, 1, 0), "too early"],
    ["a size of many bytes", () => Uint8Array.of(...HEADER, 5, ...Array(40).fill(0x80), 0), "too long"],
    ["a size beyond 32 bits", () => Uint8Array.of(...HEADER, 5, 0xff, 0xff, 0xff, 0xff, 0x7f), "out of range"],
    ["exports that never end", () => moduleOf([EXPORTS, [0xff, 0xff, 0xff, 0xff, 0x0f]]), "too early"],
    ["a name beyond its section", () => moduleOf([EXPORTS, [1, 200, 1, 65]], [0, Array(100).fill(65)]), "too early"],
    ["no memory", () => moduleOf(globals(HUNDRED), exporting()), "no memory"],
    ["two memories", () => moduleOf([MEMORY, [2, 0, 1, 0, 1]], globals(HUNDRED), exporting()), "another memory"],
    ["a shared memory", () => moduleOf(memory(3, 2, 2), globals(HUNDRED), exporting()), "another memory"],
    ["a memory of 64 bits", () => moduleOf(memory(4, 2), globals(HUNDRED), exporting()), "another memory"],
    ["no globals", () => moduleOf(memory(...TWO_PAGES), exporting()), "no global 0"],
    ["too few globals", () => moduleOf(memory(...TWO_PAGES), globals(HUNDRED), exporting(1)), "no global 1"],
    ["more globals than bytes", () => moduleOf(memory(...TWO_PAGES), [GLOBALS, [9]], exporting(8)), "too early"],
    [
      "a global that is computed",
      () => moduleOf(memory(...TWO_PAGES), [GLOBALS, [1, 0x7f, 0, 0x23, 0, 0x0b]], exporting()),
      "not a constant",
    ],
    [
      "an expression of two constants",
      () => moduleOf(memory(...TWO_PAGES), [GLOBALS, [1, 0x7f, 0, 0x41, 1, 0x41, 2, 0x6a, 0x0b]], exporting()),
      "not a constant",
    ],
    [
      "an address that is an f32",
      () => moduleOf(memory(...TWO_PAGES), [GLOBALS, [1, 0x7d, 0, 0x43, 0, 0, 0, 0, 0x0b]], exporting()),
      "not an i32",
    ],
    ["imports", () => moduleOf([2, [0]], memory(...TWO_PAGES), globals(HUNDRED), exporting()), "imports something"],
    ["an end of 0", () => end(0), "PREDICTOR_END is 0"],
    ["an end below 0", () => end(0x7f), "PREDICTOR_END is -1"],
    ["an end beyond the memory", () => end(0x81, 0x80, 8), "PREDICTOR_END is 131073"],
  ])("%s", (_what, wasm, named) => {
    expect(() => predictorModule(wasm(), FILE)).toThrow(refusal("MODEL_CORRUPT", FILE, named) as Error);
  });

  test("and so is any module cut anywhere, or with bytes exchanged, unless it can be read", () => {
    const outcome = (wasm: Uint8Array) => {
      try {
        return predictorModule(wasm, FILE).wasm instanceof Uint8Array;
      } catch (error) {
        return (error as { code?: string }).code === "MODEL_CORRUPT";
      }
    };
    for (let length = 0; length < scalar.length; length += 7) expect(outcome(scalar.subarray(0, length))).toBe(true);
    const changes = fc.array(fc.tuple(fc.nat(scalar.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(changes, fc.boolean(), (edits, early) => {
        const wasm = scalar.slice();
        // sections that are read come first, and code is most of a module
        for (const [at, byte] of edits) wasm[early ? at % 1200 : at] = byte;
        expect(outcome(wasm)).toBe(true);
      }),
      { numRuns: 3000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(outcome(Uint8Array.from([...HEADER, ...bytes]))).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });
});
