/** What every device module promises to a runtime, read off its binary: what it imports, needs and takes. Growth is a reviewed diff. */
import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import wabt from "wabt";
import { compileDevice } from "../host/compile/compile.ts";
import { BASE, bytesNeeded, deviceAddresses, PAGE } from "../host/compile/layout.ts";
import type { ModuleOptions } from "../host/compile/options.ts";
import { packageModel } from "../host/compile/package.ts";
import { parseConfig } from "../host/files/config.ts";
import { wholeShapeOf } from "../host/fit/recipe.ts";
import { load } from "../host/index.ts";
import type { Build } from "../host/model/kernel.ts";
import { memoryBytes, type Shape, tensorSpecs, validateShape, withoutMemory } from "../host/shape.ts";
import { readBlock } from "../tools/markdown.ts";
import { inspect, MVP, needed, problem } from "../tools/module/inspect.ts";
import { contractOf } from "./kernel-fixture.ts";

/** Slots that wasm3 has for a frame where it is built for Arduino boards: d_m3MaxFunctionSlots. */
const ARDUINO_FRAME = 128;
/** Of parameters and locals together, so that a frame has room for operands. */
const MOST_LOCALS = 100;
/**
 * Of a module of the shapes that are shipped for microcontrollers: nano, and potato, which has more than the window. No interpreter of
 * theirs has SIMD, whose constants are of 16 bytes.
 */
const MOST_CODE = {
  scalar: { nano: 13 * 1024, potato: 15 * 1024 },
  simd: { nano: 15 * 1024, potato: 17.5 * 1024 },
};

interface Form {
  readonly shape: Shape;
  readonly build: Build;
  readonly options: ModuleOptions;
  /** Its row in docs/device.md, which `npm run sizes` writes. */
  readonly row?: string;
  /** The model in models/ whose kernel it is. */
  readonly model?: string;
}

const nano = wholeShapeOf({ profile: "nano" });
const micro = wholeShapeOf({ profile: "micro" });
const potato = wholeShapeOf({ profile: "potato" });
/** With the history that a microcontroller has room for. */
const small = wholeShapeOf({ profile: "potato", history: 1024, indexed: false });
const base = wholeShapeOf({ profile: "base" });
const odd = validateShape({
  vocabulary: 72,
  bits: 7,
  window: 5,
  groups: 3,
  units: 8,
  history: 16,
  matchLength: 1,
});
const plain = validateShape({ ...odd, bits: 72, window: 1, groups: 1, history: 0, matchLength: 0 });
const frozen = { learning: false };

const FORMS: Record<string, Form> = {
  nano: { shape: nano, build: "scalar", options: {}, row: "nano | in memory", model: "nano-en" },
  "nano, frozen": { shape: nano, build: "scalar", options: frozen, row: "nano | in memory, frozen" },
  "nano, flash": {
    shape: wholeShapeOf({ profile: "nano", history: 1024 }),
    build: "scalar",
    options: { flash: true },
    row: "nano | in flash, R 1024",
  },
  "nano, simd": { shape: nano, build: "simd", options: {}, model: "nano-en" },
  micro: { shape: micro, build: "scalar", options: {}, row: "micro | in memory", model: "micro-en" },
  "micro, simd": { shape: micro, build: "simd", options: {}, model: "micro-en" },
  potato: { shape: potato, build: "scalar", options: {} },
  "potato, not recalling": { shape: potato, build: "scalar", options: { recall: 0 }, row: "potato | in memory" },
  "potato, frozen": { shape: potato, build: "scalar", options: frozen, row: "potato | in memory, frozen" },
  "potato, flash": { shape: small, build: "scalar", options: { flash: true } },
  "potato, flash, frozen": {
    shape: small,
    build: "scalar",
    options: { ...frozen, flash: true },
    row: "potato | in flash, R 1024, frozen",
  },
  "potato, simd": { shape: potato, build: "simd", options: {} },
  "potato, flash, simd": { shape: small, build: "simd", options: { flash: true } },
  "base, flash": { shape: base, build: "scalar", options: { flash: true } },
  "odd sizes, ciphered": { shape: odd, build: "scalar", options: { recall: 24 } },
  "odd sizes, ciphered, flash, simd": { shape: odd, build: "simd", options: { flash: true } },
  "no attention": { shape: plain, build: "scalar", options: {} },
  "no attention, flash, frozen": {
    shape: plain,
    build: "scalar",
    options: { ...frozen, flash: true },
  },
};

/** All that a module must be; its figures, for the snapshot. */
async function contract(wasm: Uint8Array, { shape, build, options }: Form, data = 0): Promise<object> {
  const found = await inspect(wasm);
  expect(found.imports).toEqual(options.flash ? ["saffu.read: (i32 i32 i32) → i32"] : []);
  expect(found.exports.map((text) => text.replace(/ = .*/, "")).sort()).toEqual(contractOf(shape));
  expect(found.startFunction).toBe(false);
  // it lays out its own memory, to the byte, and says so to runtimes that give back what is beyond it
  const bytes = bytesNeeded(shape, options);
  const { end } = deviceAddresses(shape, options); // the long-term memory stands behind it
  expect(end).toBe(bytes - (options.flash ? 0 : memoryBytes(shape)));
  const pages = Math.ceil(bytes / PAGE);
  expect(found.memory).toEqual({ least: pages, most: pages });
  for (const name of ["END", "__heap_base", "__data_end"]) expect(found.exports).toContain(`${name}: i32 = ${end}`);
  // nothing that its build does not have
  const needs = await needed(wasm);
  if (build === "scalar") expect(await problem(wasm, MVP)).toBeUndefined();
  else expect(needs).toContain("simd");
  for (const { results } of found.functions) expect(results).toBeLessThanOrEqual(1); // which wabt does not look at
  for (const opcode of found.opcodes) expect(opcode).not.toMatch(/^memory\.grow$|^call_indirect$|^unreachable$/);
  for (const section of ["table", "element", "start", "custom"])
    expect([...found.sections.keys()]).not.toContain(section);
  expect(found.sections.get("data") ?? 0).toBe(data);
  for (const { params, locals } of found.functions) expect(params + locals).toBeLessThanOrEqual(MOST_LOCALS);
  const frame = Math.max(...found.functions.map(({ arduinoSlots }) => arduinoSlots));
  if (build === "scalar") expect(frame).toBeLessThanOrEqual(ARDUINO_FRAME);
  // no function calls itself, so this is the most: inspect looks at every chain of calls
  const { values, slots, bytes: stackBytes, path } = found.stack;
  return {
    bytes: wasm.length - data,
    memory: bytes,
    ...(needs.length > 0 && { needs }),
    locals: Math.max(...found.functions.map(({ params, locals }) => params + locals)),
    stack: `${values} values; in wasm3 ${slots} slots, ${stackBytes} bytes (${path[0]})`,
    frame: `${frame} slots in wasm3 for Arduino`,
  };
}

describe.each(Object.entries(FORMS))("%s", (name, form) => {
  const { shape, build, options, row, model } = form;

  test("keeps its promises, and has the figures that it had", async () => {
    const wasm = await compileDevice(shape, build, options);
    expect(await contract(wasm, form)).toMatchSnapshot("figures");
    if (name.startsWith("nano")) expect(wasm.length).toBeLessThanOrEqual(MOST_CODE[build].nano);
    if (name.startsWith("potato")) expect(wasm.length).toBeLessThanOrEqual(MOST_CODE[build].potato);
    const sizes = readBlock("docs/device.md", "sizes");
    if (row) expect(sizes).toContain(`| ${row} | ${wasm.length.toLocaleString("en")} |`);
  });

  if (model) {
    test(`is models/${model}/kernel.${build}.wasm, which keeps them, too`, async () => {
      const wasm = await readFile(`models/${model}/kernel.${build}.wasm`);
      const own = parseConfig(await readFile(`models/${model}/config.json`)).shape;
      // what is remembered is no part of the code
      expect(withoutMemory(own)).toEqual(withoutMemory(shape));
      // byte for byte, so its figures are those above
      expect(Buffer.compare(wasm, await compileDevice(own, build, options))).toBe(0);
      await contract(wasm, { ...form, shape: own });
    });
  }
});

test.each(["potato-en", "potato-en-tuned", "base-en"])(
  "the kernels of models/%s are those of its shape",
  async (model) => {
    const { shape } = parseConfig(await readFile(`models/${model}/config.json`));
    for (const build of ["scalar", "simd"] as const) {
      const wasm = await readFile(`models/${model}/kernel.${build}.wasm`);
      expect(Buffer.compare(wasm, await compileDevice(shape, build))).toBe(0);
      await contract(wasm, { shape, build, options: {} });
    }
  },
);

describe("packaged", () => {
  test("nano with its weights inside is its module, and segments of them and of its memory where it reads them", async () => {
    const { module, shape, weights } = await packageModel(await load("models/nano-en"), { target: "wasm" });
    expect(weights).toBeUndefined();
    const { sections, exports } = await inspect(module);
    const data = sections.get("data")!;
    // its bytes, those of the memory, 8 that say where it stands, and of each of the three at most 16 that say where they go
    const over = data - weightBytes(shape) - memoryBytes(shape) - 8;
    expect(over).toBeGreaterThan(0);
    expect(over).toBeLessThanOrEqual(48);
    expect(exports).toContain(`BLOCK_U: i32 = ${BASE}`);
    expect(await contract(module, { shape, build: "scalar", options: {} }, data)).toMatchSnapshot("figures");
  });

  test("potato in flash is its module, and at most 300,000 bytes of weights beside it", async () => {
    const options = { learning: false };
    const { module, shape, weights } = await packageModel(await load("models/potato-en"), {
      target: "flash",
      ...{ history: 1024, indexed: false, ...options },
    });
    expect(weights!.length).toBe(weightBytes(shape) + memoryBytes(shape));
    expect(weights!.length).toBeLessThanOrEqual(300_000);
    const form = { shape, build: "scalar", options: { ...options, flash: true } } as const;
    // what says where the n-grams stand
    const data = (await inspect(module)).sections.get("data")!;
    expect(data).toBeGreaterThan(16);
    expect(data).toBeLessThanOrEqual(32);
    expect(await contract(module, form, data)).toMatchSnapshot("figures");
  });
});

test("nano needs one page with statistics and all, potato in flash needs less without them", () => {
  expect(bytesNeeded(nano)).toBeLessThanOrEqual(PAGE);
  expect(bytesNeeded(small, { flash: true, learning: false })).toBeLessThanOrEqual(65_536);
});

/** Of all tensors, each on a 16-byte boundary. */
function weightBytes(shape: Shape): number {
  const elements = { I8: 1, U8: 1, U16: 2, F32: 4 } as Record<string, number>;
  return tensorSpecs(shape).reduce((sum, { dtype, shape: sizes }) => {
    const bytes = sizes.reduce((product, size) => product * size, elements[dtype]!);
    return sum + Math.ceil(bytes / 16) * 16;
  }, 0);
}

describe("the inspection sees", () => {
  const assemble = async (text: string) => (await wabt()).parseWat("given.wat", text).toBinary({}).buffer;

  test("what a chain of calls takes at the most", async () => {
    const { functions, stack } = await inspect(
      await assemble(`(module
        (func $leaf (param f32 f32) (result f32) (local i64) local.get 0 local.get 1 f32.add)
        (func $middle (result f32) (local i32 i32)
          f32.const 1 f32.const 2 f32.const 3 f32.const 4 call $leaf call $leaf call $leaf)
        (func (export "short") (local i32 i32 i32))
        (func (export "long") (param i32) local.get 0 if call $middle drop end))`),
    );
    expect(functions.map(({ operands }) => operands)).toEqual([2, 4, 0, 1]);
    // long: a parameter and an operand; middle: two locals and four operands; leaf: two parameters, a local, two operands
    expect(stack.values).toBe(2 + 6 + 5);
    expect(stack.path).toEqual(["long", "#1", "#0"]);
  });

  test("functions that call themselves, by whatever way, or through a table", async () => {
    const loop = `(module (func $a call $b) (func $b call $c) (func $c call $a) (func (export "f") call $a))`;
    await expect(assemble(loop).then(inspect)).rejects.toThrow("calls itself");
    const table = `(module (table 1 funcref) (func (export "f") i32.const 0 call_indirect (type 0)))`;
    await expect(assemble(table).then(inspect)).rejects.toThrow("through a table");
  });

  test("imports, a start function, growth, and what the MVP does not have", async () => {
    const { imports, exports, startFunction, memory, opcodes } = await inspect(
      await assemble(`(module
        (import "env" "abort" (func $abort (param i32 i64) (result f32))) (import "env" "x" (global i32)) (memory 2)
        (global (export "g") (mut i32) (i32.const 3)) (func $begin i32.const 1 memory.grow drop) (start $begin))`),
    );
    expect(imports).toEqual(["env.abort: (i32 i64) → f32", "env.x: global"]);
    expect(exports).toEqual(["g: (mut i32) = 3"]); // after the MVP, too, but wabt takes it
    expect([startFunction, memory]).toEqual([true, { least: 2, most: undefined }]);
    expect(opcodes).toEqual(["drop", "i32.const", "memory.grow"]);
    const beyond = {
      sign_extension: "(module (func i32.const 1 i32.extend8_s drop))",
      sat_float_to_int: "(module (func f32.const 1 i32.trunc_sat_f32_s drop))",
      bulk_memory: "(module (memory 1) (func i32.const 1 i32.const 1 i32.const 1 memory.fill))",
      multi_value: "(module (func i32.const 1 block (param i32) drop end))",
      simd: "(module (func i32.const 1 i32x4.splat drop))",
    };
    for (const [feature, text] of Object.entries(beyond)) {
      const wasm = await assemble(text);
      expect(await needed(wasm)).toEqual([feature]);
      expect(await problem(wasm, MVP), feature).toEqual(expect.any(String));
    }
  });
});
