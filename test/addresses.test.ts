/** One table says where every tensor stands: the modules, the files that are written from it, and the host agree on it. */
import { readFile } from "node:fs/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import { compileDevice } from "../host/compile/compile.ts";
import { bytesNeeded, DEVICE, deviceAddresses, predictorBytes } from "../host/compile/layout.ts";
import type { ModuleOptions } from "../host/compile/options.ts";
import { hiddenLayers, type Shape, tensorSpecs, validateShape } from "../host/shape.ts";
import { LAYOUTS } from "../tools/layout.ts";
import { compileQuickly } from "./compile-warm.ts";

compileQuickly();

test.each(Object.entries(LAYOUTS))("%s is what the table says: nobody has edited it", async (path, text) => {
  expect(await readFile(path, "utf8")).toBe(text);
});

/** Any small shape: every kind of layer, with and without ciphers, four bits, a history that adapts or is indexed. */
const SHAPES = fc
  .record({
    vocabulary: fc.integer({ min: 2, max: 40 }).map((n) => n * 8),
    bits: fc.integer({ min: 9, max: 40 }),
    window: fc.integer({ min: 1, max: 6 }),
    groups: fc.integer({ min: 1, max: 5 }).map((n) => n * 2),
    units: fc.constantFrom(4, 8, 12),
    history: fc.constantFrom(0, 16, 128, 2048),
    matchLength: fc.integer({ min: 1, max: 4 }),
    adapts: fc.boolean(),
    indexed: fc.boolean(),
    weightBits: fc.constantFrom(4, 8),
    windowAttention: fc.boolean(),
    documentGroups: fc.constantFrom(0, 2),
    secondGroups: fc.constantFrom(0, 4),
    size: fc.integer({ min: 1, max: 4 }),
  })
  .map(({ size, ...given }): Shape => {
    const plain = given.history === 0 && { matchLength: 0, adapts: false, indexed: false };
    const document = given.documentGroups > 0 && { documentSpan: size };
    const second = given.secondGroups > 0 && { secondWindow: size };
    return validateShape({ ...given, bits: Math.min(given.bits, given.vocabulary), ...plain, ...document, ...second });
  });
const OPTIONS: fc.Arbitrary<ModuleOptions> = fc.record({
  learning: fc.boolean(),
  recall: fc.constantFrom(0, 24),
  flash: fc.boolean(),
});

/** Where the table has what a module exports by another name: that of the file's tensor. */
function regionOf(exported: string, shape: Shape): { region: string; offset: number } | undefined {
  const layers = hiddenLayers(shape);
  const [, layer, part] = /^(BLOCK|DOCUMENT|STACKED)_(U\w*|W0?)$/.exec(exported) ?? [];
  if (layer === undefined) {
    const renamed: Record<string, string> = {
      ...{ GATE: "MIXTURE", DECODER_O: "O", DECODER_O_SCALE: "O_SCALE", DECODER_O0: "O0" },
      PREDICTOR_END: "SAMPLE_RECORD",
    };
    return { region: renamed[exported] ?? exported, offset: 0 };
  }
  const number = layers.findIndex(({ name }) => name.toUpperCase() === layer);
  if (number < 0) return undefined; // the shape has no such layer
  if (part === "W" || part === "W0") return { region: part, offset: 0 };
  // biases stand in one region, layer after layer
  if (part === "U0")
    return { region: part, offset: layers.slice(0, number).reduce((sum, { width }) => sum + width, 0) * 4 };
  return { region: part!.replace("U", `U_${number}`), offset: 0 };
}

test("every address that a module exports is the table's, for any shape and form", async () => {
  const regions = new Set(DEVICE.parts.flatMap(({ regions }) => regions.map(({ name }) => name)));
  await fc.assert(
    fc.asyncProperty(SHAPES, OPTIONS, async (shape, options) => {
      const wasm = await compileDevice(shape, "scalar", options);
      const { instance } = await WebAssembly.instantiate(wasm as BufferSource, { saffu: { read: () => 0 } });
      const found = Object.entries(instance.exports).flatMap(([name, value]): [string, number][] =>
        value instanceof WebAssembly.Global ? [[name, value.value]] : [],
      );
      const { at, end } = deviceAddresses(shape, options);
      expect(end).toBe(bytesNeeded(shape, options));
      expect(at.SAMPLE_RECORD).toBe(predictorBytes(shape, options));
      const wanted = found.map(([name]): [string, number] => {
        if (["END", "__heap_base", "__data_end"].includes(name)) return [name, end];
        if (name === "RECALL") return [name, shape.history > 0 ? options.recall! : 0];
        const place = regionOf(name, shape);
        if (place === undefined) return [name, end];
        expect(regions, name).toContain(place.region);
        return [name, at[place.region]! + place.offset];
      });
      expect(Object.fromEntries(found)).toEqual(Object.fromEntries(wanted));
      // and a host finds every tensor of the file by an export
      const names = found.map(([name]) => name);
      for (const { address } of tensorSpecs(shape)) expect(names).toContain(address);
    }),
    { numRuns: 25, seed: 11 },
  );
}, 240_000);
