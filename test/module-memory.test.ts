/** bytesNeeded is exact: a module stays below it, uses it to the end, and fails in less. */
import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { BASE, bytesNeeded, PAGE, predictorBytes } from "../host/compile/layout.ts";
import type { PackageOptions } from "../host/compile/package.ts";
import { parseConfig } from "../host/files/config.ts";
import { LADDER, type Profile, shapeOf as shapeOfProfile, wholeShapeOf } from "../host/fit/recipe.ts";
import { hiddenWidth, memoryBytes, parameters, type Shape, validateShape } from "../host/shape.ts";
import { firmwareForms } from "../tools/forms.ts";
import { readBlock } from "../tools/markdown.ts";
import { Draws } from "../tools/module/draws.ts";
import { withPages } from "../tools/module/inspect.ts";
import { type Built, build, exercise, Packaged } from "./module-fixture.ts";

function shapeOf(changes: Partial<Shape>): Shape {
  const shape = { vocabulary: 64, bits: 64, window: 3, groups: 2, units: 8, history: 64, matchLength: 4 };
  return validateShape({ ...shape, ...changes });
}

const FORMS: Record<string, { shape: Shape; options: PackageOptions }> = {
  "one-hot, recalling": { shape: shapeOf({}), options: { recall: 64 } },
  "ciphered, frozen": { shape: shapeOf({ bits: 7 }), options: { learning: false } },
  "no attention": { shape: shapeOf({ history: 0, matchLength: 0, window: 1, groups: 1 }), options: {} },
  "adapting and indexed": { shape: shapeOf({ adapts: true, indexed: true }), options: {} },
  "adapting, frozen": { shape: shapeOf({ adapts: true }), options: { learning: false } },
  "ciphered, flash, recalling": {
    shape: shapeOf({ bits: 9, vocabulary: 72 }),
    options: { target: "flash", recall: 24 },
  },
  "a memory looked through": { shape: shapeOf({ longMatches: true, memory: 200, adapts: true }), options: {} },
  "n-grams, and a memory": { shape: shapeOf({ longMatches: true, memory: 200, ngrams: 1001 }), options: {} },
  "an indexed memory, frozen": {
    shape: shapeOf({ longMatches: true, memory: 203, memoryIndexed: true, indexed: true }),
    options: { learning: false },
  },
  "an indexed memory of two bytes a token, recalling": {
    shape: shapeOf({ longMatches: true, memory: 203, memoryIndexed: true, vocabulary: 264, bits: 264 }),
    options: { recall: 24 },
  },
  "flash, a memory looked through": {
    shape: shapeOf({ longMatches: true, memory: 200, adapts: true }),
    options: { target: "flash" },
  },
  "flash, frozen": { shape: shapeOf({ vocabulary: 40, bits: 40 }), options: { target: "flash", learning: false } },
};

describe.each(Object.entries(FORMS))("%s", (_name, { shape, options }) => {
  test.each(["scalar", "simd"] as const)(
    "%s writes all of what it needs, and nothing before or beyond",
    async (chosen) => {
      const built = await build(shape, 1, { ...options, build: chosen });
      const device = new Packaged(built);
      const { memory } = device;
      const end = built.memoryBytes;
      // the long-term memory stands behind all that the module writes, or in flash
      const image = device.value("END");
      expect(image).toBe(end - (options.target === "flash" ? 0 : memoryBytes(shape)));
      const remembered = Buffer.from(memory.subarray(image, end));
      expect(memory.length).toBe(Math.ceil(end / PAGE) * PAGE);
      const canary = new Uint8Array(memory.length - end).map((_, i) => (i * 167 + 13) & 0xff);
      memory.set(canary, end);
      memory.fill(0x5a, 0, BASE);
      for (let round = 0; round < 20; ++round) {
        exercise(device, new Draws(round), 1000);
        expect(Buffer.compare(memory.subarray(end), canary)).toBe(0);
        expect(Buffer.compare(memory.subarray(image, end), remembered)).toBe(0);
        expect(memory.subarray(0, BASE).every((byte) => byte === 0x5a)).toBe(true);
      }
      // the last tensor ends where the memory does: scales of the correction, or probabilities, all of them above 0; or records of 16 bytes
      const isRecord = shape.longMatches && options.learning === false;
      expect(new Float32Array(memory.buffer, image - (isRecord ? 20 : 4), 1)[0]).toBeGreaterThan(0);
    },
  );
});

test.each<Profile>(["nano", "micro", "potato", "base"])(
  "docs/learning.md says what instances of %s take",
  (profile) => {
    const shape = wholeShapeOf({ profile });
    const figures = [predictorBytes(shape), bytesNeeded(shape)].map((bytes) => bytes.toLocaleString("en"));
    expect(readBlock("docs/learning.md", "instances")).toMatch(
      new RegExp(`\\| ${profile} \\|.*\\| ${figures.join(" \\| ")} \\|`),
    );
  },
);

test("examples/firmware says what its forms take of a runtime: npm run sizes", async () => {
  expect(readBlock("examples/firmware/README.md", "forms")).toBe(await firmwareForms());
});

test("pages say in words what potato's statistics take, and which vocabularies are built ahead", async () => {
  const potato = shapeOfProfile({ profile: "potato" });
  const cells = potato.vocabulary * hiddenWidth(potato);
  const learning = await readFile("docs/learning.md", "utf8");
  const rows = { F: 4 * cells, F̂: 4 * cells, correction: cells + 4 * potato.vocabulary };
  for (const [name, bytes] of Object.entries(rows)) {
    expect(learning).toMatch(new RegExp(`\\| ${name} \\| .* \\| ${bytes.toLocaleString("en")} \\|`));
  }
  const english = parseConfig(await readFile("models/potato-en/config.json")).shape;
  const [many, bytes] = [parameters(english), english.ngrams!].map((figure) => figure.toLocaleString("en"));
  const said = `\`potato-en\`, ${many} parameters and ${bytes} bytes of n-grams`;
  expect(await readFile("README.md", "utf8")).toContain(said);
  const rungs = LADDER.potato.slice(0, -1).reverse().map(String);
  expect(await readFile("docs/api.md", "utf8")).toContain(`${rungs.slice(0, -1).join(", ")} and ${rungs.at(-1)}`);
  expect(await readFile("docs/cli.md", "utf8")).toContain(`${rungs.slice(0, -1).join(", ")} or ${rungs.at(-1)}`);
});

test("statistics copied into a new instance give the correction and the predictions from before", async () => {
  const { shape, options } = FORMS["ciphered, flash, recalling"]!;
  const built = await build(shape, 4, options);
  const [before, after] = [new Packaged(built), new Packaged(built)];
  const { vocabulary: V } = shape;
  before.run.reset!();
  for (let i = 0; i < 300; ++i) expect(before.run.observe!((i * i) % 17)).toBeGreaterThanOrEqual(0);
  const from = before.value("OBSERVED");
  const kept = before.memory.slice(from, before.value("OBSERVED_TOKENS") + 4);
  expect(kept.length).toBe(8 * V * hiddenWidth(shape) + 4);
  after.memory.set(kept, from);
  for (const { run } of [before, after]) {
    run.reset!();
    expect([run.refit!(0, V, 300, 1), run.correct!(1), run.append!(4), run.predict!()]).toEqual([0, 0, 0, 0]);
  }
  expect(after.probabilities).toEqual(before.probabilities);
  expect(Buffer.compare(after.correction(), before.correction())).toBe(0);
});

describe("one byte less fails", () => {
  const kinds: Record<string, PackageOptions> = {
    learning: {},
    "learning, recalling": { recall: 64 },
    frozen: { learning: false },
    "learning, flash": { target: "flash" },
    "frozen, flash": { target: "flash", learning: false },
    "frozen, recalling": { learning: false, recall: 40 },
  };

  test.each(Object.entries(kinds))("%s", async (_name, options) => {
    const pages = options.target === "flash" && options.learning === false ? 1 : 2;
    const [below, beyond] = around(pages * PAGE, options);
    const fits = await build(below, 2, options);
    const above = await build(beyond, 2, options);
    // sizes are multiples of 16, and not every one is that of a shape
    expect(pages * PAGE - fits.memoryBytes).toBeLessThanOrEqual(32);
    expect(above.memoryBytes - pages * PAGE).toBeLessThanOrEqual(32);
    expect(await runsIn(fits, pages)).toBe(true);
    expect(await runsIn(above, pages)).toBe(false);
    expect(await runsIn(above, pages + 1)).toBe(true);
    expect(await runsIn(fits, pages - 1)).toBe(false);
  });

  /** Whether a module does all it can in so many pages. */
  async function runsIn(built: Built, pages: number): Promise<boolean> {
    const wasm = await withPages(built.wasm, pages);
    try {
      const device = new Packaged(built, new WebAssembly.Module(wasm as BufferSource));
      expect(device.memory.length).toBe(pages * PAGE);
      exercise(device, new Draws(3), 400);
      return true;
    } catch (error) {
      // memory access, or a data segment, out of bounds; a view that ends beyond the memory
      if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) return false;
      throw error;
    }
  }

  /** The shape that needs most of so many bytes, and the one that needs least above them, of some that are drawn. */
  function around(bytes: number, { learning, recall = 0, target }: PackageOptions): [Shape, Shape] {
    const draws = new Draws(bytes);
    let [least, most] = [0, Number.POSITIVE_INFINITY];
    let [below, above]: (Shape | undefined)[] = [];
    for (let tried = 0; tried < 1_000_000 && (least < bytes - 16 || most > bytes + 16); ++tried) {
      const vocabulary = 8 * (2 + draws.below(300));
      const bits = draws.of([vocabulary, Math.min(vocabulary, 12 + draws.below(60))]);
      const [window, groups, matchLength] = [1 + draws.below(4), 1 + draws.below(6), 1 + draws.below(4)];
      const [units, history] = [draws.of([8, 16, 24]), draws.of([16, 64, 256, 1024, 8192])];
      const [adapts, indexed] = [draws.below(2) > 0, draws.below(2) > 0];
      const sizes = { vocabulary, bits, window, groups, units, history, matchLength, adapts, indexed } as const;
      const needs = bytesNeeded(sizes, { learning, recall, flash: target === "flash" });
      if (needs <= bytes && needs > least) [least, below] = [needs, sizes];
      if (needs > bytes && needs < most) [most, above] = [needs, sizes];
    }
    return [validateShape(below), validateShape(above)];
  }
});
