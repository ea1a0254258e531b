/** Directories of version 1 of config.json: they load to the model that they always were, and what was learned over them stays valid. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CONFIG, formatJson, type ModelFiles, parseConfig } from "../host/files/config.ts";
import { baseOf } from "../host/files/statistics.ts";
import { shapeAsVersion1, shapeOfVersion1 } from "../host/files/version1.ts";
import { load } from "../host/index.ts";
import { type Shape, validateShape } from "../host/shape.ts";
import { afterObserving, learnedBytes, learningModel, lines } from "./learning-fixture.ts";
import { refusal } from "./model-fixture.ts";

const SMALL = { vocabulary: 256, bits: 32, window: 2, groups: 2, units: 4, history: 16, matchLength: 2 };
/** What version 1 could say: predictions are adapted beyond 256 tokens of history, and the history is indexed beyond 1024. */
const SHAPES: Record<string, object> = {
  "a short history": {},
  "no history": { history: 0, matchLength: 0 },
  adapting: { history: 512, adapts: true },
  "adapting and indexed, all contexts": {
    ...{ history: 2048, adapts: true, indexed: true, bits: 256, weightBits: 4, windowAttention: true },
    ...{ documentGroups: 2, documentSpan: 5, secondGroups: 2, secondWindow: 2 },
  },
};

/** The names of version 1, written by hand: what those directories have on disk. */
const OLD: Record<string, string> = {
  window: "block",
  groups: "heads",
  units: "classes",
  history: "radial",
  matchLength: "orders",
  windowAttention: "blockAttention",
  documentGroups: "documentHeads",
  secondGroups: "stackedHeads",
  secondWindow: "stackedBlock",
};

/** The same directory as version 1 wrote it. */
function asVersion1(files: ModelFiles): ModelFiles {
  const config = JSON.parse(new TextDecoder().decode(files.get(CONFIG)));
  const { adapts: _, indexed: __, ...said } = config.shape;
  const shape = Object.fromEntries(Object.entries(said).map(([name, value]) => [OLD[name] ?? name, value]));
  return new Map(files).set(CONFIG, formatJson({ ...config, version: 1, shape: { ...shape, decoder: "softmax" } }));
}

describe.each(Object.entries(SHAPES))("a directory of version 1 with %s", (_name, changes) => {
  test("gives the scores of the same model in version 2, and takes what was learned over it", async () => {
    const now = await learningModel(validateShape({ ...SMALL, ...changes }));
    const then = asVersion1(now);
    expect(then.get(CONFIG)).not.toEqual(now.get(CONFIG));
    const [one, two] = [await load(then), await load(now)];
    expect(one.config.shape).toEqual(two.config.shape);
    expect(one.config.version).toBe(2);
    const text = lines(40);
    expect(one.score(text)).toEqual(two.score(text));
    expect((await baseOf(one.config)).digest).toBe((await baseOf(two.config)).digest);
    const learned = await learnedBytes(await afterObserving(now, [text]));
    expect(learned.length).toBeGreaterThan(0);
    expect(await learnedBytes(await load(new Map(then).set("statistics.safetensors", learned)))).toEqual(learned);
  });
});

test("the shapes of shipped models of version 1 are those of their profiles, by hand", () => {
  const potato = {
    ...{ vocabulary: 1024, bits: 1024, block: 2, heads: 14, classes: 8, radial: 65536, orders: 4, weightBits: 4 },
    ...{ blockAttention: true, documentHeads: 3, documentSpan: 5, decoder: "softmax" },
  };
  expect(shapeOfVersion1(potato)).toEqual({
    ...{ vocabulary: 1024, bits: 1024, window: 2, groups: 14, units: 8, history: 65536, matchLength: 4 },
    ...{ adapts: true, indexed: true, weightBits: 4, windowAttention: true, documentGroups: 3, documentSpan: 5 },
  });
  const edge = (radial: number) => {
    const { adapts, indexed } = shapeOfVersion1({ ...potato, radial });
    return [adapts, indexed];
  };
  expect([256, 512, 1024, 2048].map(edge)).toEqual([
    [undefined, undefined],
    [true, undefined],
    [true, undefined],
    [true, true],
  ]);
});

/** Any shape. */
const ANY: fc.Arbitrary<Shape> = fc
  .record({
    vocabulary: fc.integer({ min: 32, max: 128 }).map((n) => n * 8),
    bits: fc.integer({ min: 20, max: 256 }),
    window: fc.integer({ min: 1, max: 16 }),
    groups: fc.integer({ min: 1, max: 20 }).map((n) => n * 2),
    units: fc.constantFrom(4, 8, 12),
    history: fc.constantFrom(0, 16, 256, 512, 1024, 2048, 65536),
    matchLength: fc.integer({ min: 1, max: 4 }),
    adapts: fc.boolean(),
    indexed: fc.boolean(),
    weightBits: fc.constantFrom(4, 8),
    windowAttention: fc.boolean(),
    documentGroups: fc.constantFrom(0, 2),
    secondGroups: fc.constantFrom(0, 2),
    size: fc.integer({ min: 1, max: 16 }),
  })
  .map(({ size, ...given }) =>
    validateShape({
      ...given,
      ...(given.history === 0 && { matchLength: 0, adapts: false, indexed: false }),
      ...(given.documentGroups > 0 && { documentSpan: size }),
      ...(given.secondGroups > 0 && { secondWindow: size }),
    }),
  );

describe("the names of version 1", () => {
  test("and back: any shape that version 1 could say comes out as it went in", () => {
    fc.assert(
      fc.property(ANY, (any) => {
        const { history } = any;
        const shape = validateShape({ ...any, adapts: history > 256, indexed: history > 1024 });
        const old = shapeAsVersion1(shape);
        for (const name of Object.keys(OLD)) expect(old).not.toHaveProperty(name);
        expect(old).not.toHaveProperty("adapts");
        expect(old).not.toHaveProperty("indexed");
        expect(shapeOfVersion1(old)).toEqual(shape);
        expect(shapeAsVersion1(shapeOfVersion1(old))).toEqual(old);
      }),
    );
  });

  test("tell any two shapes apart: their digests of a base differ where the shapes do", () => {
    const text = (shape: Shape) => new TextDecoder().decode(formatJson(shapeAsVersion1(shape)));
    fc.assert(
      fc.property(ANY, fc.boolean(), fc.boolean(), (shape, adapts, indexed) => {
        fc.pre(shape.history > 0);
        const other = validateShape({ ...shape, adapts, indexed });
        const equal = (shape.adapts ?? false) === adapts && (shape.indexed ?? false) === indexed;
        expect(text(other) === text(shape)).toBe(equal);
      }),
    );
  });
});

describe("what version 1 had and is gone, or what never was, is refused by name", () => {
  const potato = { vocabulary: 1024, bits: 1024, block: 2, heads: 14, classes: 8, radial: 1024, orders: 4 };
  test.each<[string, unknown, string, string[]]>([
    [
      "the mixture decoder",
      { ...potato, decoder: "mixture" },
      "UNSUPPORTED",
      ["mixture decoder is gone", "fit the model again"],
    ],
    ["no decoder", { ...potato, decoder: "relu" }, "INVALID_SHAPE", ["decoder", `"relu"`]],
    ["no shape", null, "INVALID_SHAPE", []],
    ["a bound", { ...potato, block: 17 }, "INVALID_SHAPE", ["block", "1..16"]],
    ["a type", { ...potato, heads: "14" }, "INVALID_SHAPE", ["heads", `"14"`]],
  ])("%s", (_what, shape, code, named) => {
    expect(() => shapeOfVersion1(shape)).toThrow(refusal(code, ...named));
  });

  test("the mixture decoder of a directory, before anything else of it is read", async () => {
    const then = asVersion1(await learningModel());
    const config = JSON.parse(new TextDecoder().decode(then.get(CONFIG)));
    const mixture = formatJson({ ...config, shape: { ...config.shape, decoder: "mixture" } });
    expect(() => parseConfig(mixture)).toThrow(refusal("UNSUPPORTED", "fit the model again"));
    await expect(load(new Map([[CONFIG, mixture]]))).rejects.toThrow(refusal("UNSUPPORTED", "mixture decoder"));
  });
});
