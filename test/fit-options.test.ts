/** What `fit` refuses before any work, and the recipe that follows from the amount of data. */
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { compileSolver } from "../host/compile/compile.ts";
import { solverBytesNeeded } from "../host/compile/layout.ts";
import { BATCH, MIXTURE_PLACES } from "../host/compile/sizes.ts";
import { type FitOptions, fit, LEAST_TOKENS } from "../host/fit/fit.ts";
import { type RecipeOptions, recipeOf, shapeOf } from "../host/fit/recipe.ts";
import { Solver } from "../host/fit/solver.ts";
import type { ErrorCode, SaffuError } from "../host/index.ts";
import { type Shape, validateShape } from "../host/shape.ts";
import { byteTokenizer, symbolTokenizer, type Tokenizer } from "../host/tokenizer/index.ts";
import { compileQuickly } from "./compile-warm.ts";
import { bytesOf } from "./fit-fixture.ts";
import { refusal } from "./model-fixture.ts";

compileQuickly();

/** Fits, and expects a refusal that comes before the text is asked for. */
async function refused(options: unknown, code: ErrorCode, ...named: string[]): Promise<void> {
  const text = vi.fn(() => [bytesOf("some text, never read. ".repeat(50))]);
  const onProgress = vi.fn();
  await expect(fit(text, { ...(options as FitOptions), onProgress })).rejects.toEqual(refusal(code, ...named));
  expect(text).not.toHaveBeenCalled();
  expect(onProgress).not.toHaveBeenCalled();
}

describe("an option is refused by its name and bound, before the text is asked for", () => {
  const profiles = "nano, micro, potato, base";
  const REFUSED: [object, ErrorCode, string][] = [
    [{ profile: "huge" }, "INVALID_OPTION", `profile must be one of ${profiles}, got "huge"`],
    [{ profile: "toString" }, "INVALID_OPTION", `profile must be one of ${profiles}, got "toString"`],
    [{ profile: ["nano"] }, "INVALID_OPTION", `profile must be one of ${profiles}, got of type object`],
    [{ vocabulary: 248 }, "INVALID_SHAPE", "vocabulary must be in 256..65528, got 248"],
    [{ vocabulary: -8 }, "INVALID_SHAPE", "vocabulary must be in 256..65528, got -8"],
    [{ vocabulary: 65536 }, "INVALID_SHAPE", "vocabulary must be in 256..65528, got 65536"],
    [{ vocabulary: 1020 }, "INVALID_SHAPE", "vocabulary must be a multiple of 8, got 1020"],
    [{ vocabulary: Number.NaN }, "INVALID_SHAPE", "vocabulary must be an integer, got NaN"],
    [{ vocabulary: "512" }, "INVALID_SHAPE", `vocabulary must be an integer, got "512"`],
    [{ vocabulary: null }, "INVALID_SHAPE", "vocabulary must be an integer, got null"],
    [{ bits: 0 }, "INVALID_SHAPE", "bits must be in 1..256, got 0"],
    [{ bits: 257 }, "INVALID_SHAPE", "bits must be in 1..256, got 257"],
    [{ bits: 8 }, "INVALID_SHAPE", "vocabulary 256 is larger than 8 bits can name (255 tokens)"],
    [{ bits: 9, vocabulary: 512 }, "INVALID_SHAPE", "vocabulary 512 is larger than 9 bits can name (511 tokens)"],
    [{ boundary: "lines" }, "INVALID_OPTION", `boundary must be "newline" or "none", got "lines"`],
    [{ window: 0 }, "INVALID_SHAPE", "window must be in 1..16, got 0"],
    [{ window: 17 }, "INVALID_SHAPE", "window must be in 1..16, got 17"],
    [{ groups: 0 }, "INVALID_SHAPE", "groups must be in 1..4096, got 0"],
    [{ groups: 1, units: 4 }, "INVALID_SHAPE", "groups × units must be a multiple of 8, got 1 × 4 = 4"],
    [{ groups: 4096 }, "INVALID_SHAPE", "groups × units must be at most 4096, got 32768"],
    [{ units: 6 }, "INVALID_SHAPE", "units must be a multiple of 4, got 6"],
    [{ history: 100 }, "INVALID_SHAPE", "history must be 0 or a power of two in 16..65536, got 100"],
    [{ history: Number.POSITIVE_INFINITY }, "INVALID_SHAPE", "history must be an integer, got Infinity"],
    [{ matchLength: 5 }, "INVALID_SHAPE", "matchLength must be in 1..4, got 5"],
    [{ history: 0, matchLength: 2 }, "INVALID_SHAPE", "matchLength must be 0 where history is 0, got 2"],
    [{ matchLength: 0 }, "INVALID_SHAPE", "matchLength must be in 1..4, got 0"],
    [{ history: 0, adapts: true }, "INVALID_SHAPE", "adapts must be false where history is 0, got true"],
    [{ indexed: 1 }, "INVALID_SHAPE", "indexed must be a boolean, got 1"],
    [{ weightBits: 2 }, "INVALID_SHAPE", "weightBits must be 4 or 8, got 2"],
    [{ windowAttention: "yes" }, "INVALID_SHAPE", `windowAttention must be a boolean, got "yes"`],
    [{ documentGroups: -1 }, "INVALID_SHAPE", "documentGroups must be in 0..4096, got -1"],
    [{ documentSpan: 5 }, "INVALID_SHAPE", "documentSpan must be left out where documentGroups is 0, got 5"],
    [{ secondGroups: 1, secondWindow: 17 }, "INVALID_SHAPE", "secondWindow must be in 1..16, got 17"],
    [{ passes: -1 }, "INVALID_OPTION", "passes must be an integer in 0..100, got -1"],
    [{ passes: 101 }, "INVALID_OPTION", "passes must be an integer in 0..100, got 101"],
    [{ passes: 1.5 }, "INVALID_OPTION", "passes must be an integer in 0..100, got 1.5"],
    [{ targets: "words" }, "INVALID_OPTION", `targets must be "responsibility" or "cipher", got "words"`],
    [{ seed: -1 }, "INVALID_OPTION", "seed must be an integer in 0..4294967295, got -1"],
    [{ seed: 2 ** 32 }, "INVALID_OPTION", "seed must be an integer in 0..4294967295, got 4294967296"],
    [{ threads: 17 }, "INVALID_OPTION", "threads must be an integer in 0..16, got 17"],
    [{ threads: Number.NaN }, "INVALID_OPTION", "threads must be an integer in 0..16, got NaN"],
    [{ build: "avx" }, "INVALID_OPTION", `build must be "simd" or "scalar", got "avx"`],
    [
      { targets: "cipher", groups: 2, units: 8 },
      "INVALID_SHAPE",
      "vocabulary 256 is larger than a label cipher of 8 units can name (255 tokens)",
    ],
  ];
  test.each(REFUSED.map(([options, code, message]) => [message, code, options] as const))(
    "%s",
    async (message, code, options) => {
      await refused({ profile: "nano", ...options }, code, message);
    },
  );

  test.each([
    ["decoder", "mixture", "is no longer an option of fit: the decoder is softmax"],
    ["decoder", "softmax", "is no longer an option of fit"],
    ["positions", "newton", "is no longer an option of fit: positions of the window have decaying weights"],
    ["block", 2, "is window now"],
    ["heads", 2, "is groups now"],
    ["classes", 8, "is units now"],
    ["radial", 256, "is history now"],
    ["orders", 4, "is matchLength now"],
    ["blockAttention", false, "is windowAttention now"],
    ["documentHeads", 0, "is documentGroups now"],
    ["stackedHeads", 0, "is secondGroups now"],
    ["stackedBlock", 2, "is secondWindow now"],
    ["flavour", "simd", "is build now"],
  ])("that was one before: %s %j %s", async (name, value, became) => {
    await refused({ [name]: value }, "INVALID_OPTION", `${name} ${became}`);
  });

  /** What each option of the nano profile may be, written down once more. */
  const within = (least: number, most: number) => (value: unknown) =>
    Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
  const oneOf =
    (...values: unknown[]) =>
    (value: unknown) =>
      values.includes(value);
  const flag = oneOf(true, false, null); // null, as JSON may have it, is as left out
  const VALID: Record<string, (value: unknown) => boolean> = {
    profile: oneOf("nano", "potato", "base"),
    vocabulary: (value) => within(256, 65528)(value) && (value as number) % 8 === 0,
    bits: within(9, 256), // 8 bits name 255 tokens
    window: within(1, 16),
    groups: within(1, 512), // of 8 units, 4096 together
    units: (value) => within(4, 2048)(value) && (value as number) % 4 === 0, // of 2 groups
    history: oneOf(...Array.from({ length: 13 }, (_, i) => 2 ** (4 + i))), // 0 takes the matches away, too
    matchLength: within(1, 4),
    adapts: flag,
    indexed: flag,
    weightBits: oneOf(4, 8),
    windowAttention: flag,
    documentGroups: within(0, 511), // beside 2 groups of 8 units
    secondGroups: within(0, 511),
    passes: within(0, 100),
    targets: oneOf("responsibility", "cipher"),
    seed: within(0, 2 ** 32 - 1),
    threads: within(0, 16),
    build: oneOf("simd", "scalar"),
  };

  test("whatever stands in its place", async () => {
    const near = [0, 1, 4, 8, 9, 16, 17, 100, 256, 512, 2048, 4096, 65528, 65536, 2 ** 32];
    const value = fc.oneof(
      fc.anything({ withNullPrototype: true, withBigInt: true, withDate: true, withMap: true }),
      fc.integer({ min: -2, max: 70_000 }),
      fc.constantFrom(...near.flatMap((n) => [n, n - 1, n + 1, -n, n + 0.5, String(n), [n], BigInt(n)])),
      fc.constantFrom<unknown>(null, Number.NaN, Symbol("saffu"), "nano", "cipher", true, "scalar", () => 1),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...Object.keys(VALID)), value, async (name, value) => {
        const options = { profile: "nano", ...(name === "units" && { groups: 2 }), matchLength: 4, [name]: value };
        if (value === undefined) return; // the default
        if (VALID[name]!(value)) {
          expect(() => recipeOf(options as RecipeOptions, 1000)).not.toThrow();
          expect(() => shapeOf(options as RecipeOptions)).not.toThrow();
        } else {
          const code = /profile|passes|targets|seed|threads|build/.test(name);
          // of a further layer the bound may be that of the groups of all layers
          const named = /Groups/.test(name) ? "roups" : name;
          await refused(options, code ? "INVALID_OPTION" : "INVALID_SHAPE", named);
        }
      }),
      { numRuns: 3000 },
    );
  });

  test("undefined is the default", () => {
    const undefinedOptions = Object.fromEntries(Object.keys(VALID).map((name) => [name, undefined]));
    expect(shapeOf(undefinedOptions)).toEqual(shapeOf({ profile: "potato" }));
    expect(recipeOf(undefinedOptions, 1000)).toEqual(recipeOf({ passes: 24, seed: 1 }, 1000));
  });

  test("attention over the window and the document are potato's where inputs are one-hot and targets no ciphers", () => {
    const contexts = ({ windowAttention, documentGroups, documentSpan }: Shape) => [
      windowAttention,
      documentGroups,
      documentSpan,
    ];
    const none = contexts(shapeOf({ profile: "nano" }));
    for (const profile of ["potato", "base"] as const) {
      expect(contexts(shapeOf({ profile }))).toEqual([true, 3, 5]);
      expect(contexts(shapeOf({ profile, vocabulary: 512 }))).toEqual([true, 3, 5]);
      expect(contexts(shapeOf({ profile, documentGroups: 1 }))).toEqual([true, 1, 5]);
      expect(contexts(shapeOf({ profile, windowAttention: false, documentGroups: 0 }))).toEqual(none);
      expect(contexts(shapeOf({ profile, bits: 128 }))).toEqual(none);
      expect(contexts(shapeOf({ profile, bits: 128, documentGroups: 1 }))).toEqual([undefined, 1, 64]);
      expect(contexts(shapeOf({ profile, targets: "cipher", passes: 0 }))).toEqual(none);
    }
  });

  test("a tokenizer whose size no shape can have is refused, too; another's size is what bits may be", async () => {
    const of = (vocabularySize: number): Tokenizer =>
      Object.assign(Object.create(byteTokenizer()), {
        vocabularySize,
        encode: () => new Uint16Array(15),
        toJSON: () => ({ version: "1.0", model: { type: "Symbols", size: vocabularySize } }),
      });
    await refused({ tokenizer: of(50257) }, "INVALID_SHAPE", "vocabulary must be a multiple of 8, got 50257");
    await refused({ tokenizer: of(256), bits: 300 }, "INVALID_SHAPE", "bits must be in 1..256, got 300");
    // 1,500 bits are more than the profile's vocabulary, but not than this tokenizer's
    const wide = fit(() => [bytesOf("a")], { profile: "potato", tokenizer: of(2048), bits: 1500 });
    await expect(wide).rejects.toEqual(refusal("INVALID_TEXT", "15 tokens"));
  });
});

describe("a shape that does not fit the memory", () => {
  // weights of at most 2^30 bytes in int8, so the shape itself stands; its sums in f32 are beyond 32-bit addresses
  const WIDE = {
    ...{ vocabulary: 11264, groups: 512, units: 8, window: 16, history: 0, matchLength: 0 },
    ...{ windowAttention: false, documentGroups: 0 },
  } as const;
  const manyTokens: Tokenizer = Object.assign(Object.create(byteTokenizer()), {
    vocabularySize: WIDE.vocabulary,
    toJSON: () => symbolTokenizer(WIDE.vocabulary).toJSON(),
  });

  test("is refused by the bytes it needs and the bytes there can be, before the text is asked for", async () => {
    const bytes = solverBytesNeeded(shapeOf(WIDE)) + 4 * LEAST_TOKENS;
    // a sum that, cut to 32 bits, is a small and harmless number
    expect(bytes).toBeGreaterThan(2 ** 32);
    expect(bytes % 2 ** 32).toBeLessThan(2 ** 31);
    for (const options of [WIDE, { ...WIDE, tokenizer: manyTokens }]) {
      await refused(options, "OUT_OF_MEMORY", `${bytes} bytes`, "4294967296");
    }
    await refused({ ...WIDE, vocabulary: 65528 }, "INVALID_SHAPE", "at most 1073741824");
  });

  const SHAPES: [string, Partial<Shape>][] = [
    ["one-hot with a history", { history: 64, matchLength: 3 }],
    [
      "an index, adapted, weights of four bits",
      { history: 4096, matchLength: 2, indexed: true, adapts: true, weightBits: 4 },
    ],
    [
      "attention, document, second layer",
      { windowAttention: true, documentGroups: 2, documentSpan: 4, secondGroups: 2, secondWindow: 3 },
    ],
    [
      "all of it of four bits",
      {
        bits: 20,
        windowAttention: true,
        documentGroups: 2,
        documentSpan: 4,
        secondGroups: 2,
        secondWindow: 3,
        weightBits: 4,
      },
    ],
    ["ciphered inputs", { bits: 20, window: 3, groups: 3, units: 8 }],
    ["odd sizes", { vocabulary: 264, bits: 264, groups: 5, units: 8, history: 16, matchLength: 1 }],
  ];
  test.each(SHAPES)("the bytes are those of the module: %s", async (_what, changes) => {
    const shape = validateShape({
      ...{ vocabulary: 256, bits: 256, window: 2, groups: 2, units: 4, history: 0, matchLength: 0 },
      ...changes,
    });
    const module = await WebAssembly.compile((await compileSolver(shape, "scalar", false)) as BufferSource);
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 });
    const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
    expect((exports.TOKENS as WebAssembly.Global).value).toBe(solverBytesNeeded(shape));
  });

  /** A module that has nothing: where tensors stand is the layout's to say. */
  const EMPTY = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
  /** A shape whose tokens begin above 2^31, an address that reads as a negative number. */
  const HIGH = shapeOf({ ...WIDE, vocabulary: 2048 });
  const BEGIN = solverBytesNeeded(HIGH);

  test("addresses above 2^31 are addresses", async () => {
    expect(BEGIN).toBeGreaterThan(2 ** 31);
    const solver = await Solver.start(EMPTY, HIGH, 10, 0);
    expect(solver.address("TOKENS")).toBe(BEGIN);
    solver.view(Uint16Array, "TOKENS", 10).set([1, 2, 3]);
    expect(solver.view(Uint16Array, "TOKENS", 2)).toEqual(Uint16Array.of(1, 2));
  });

  test("tokens that do not fit behind the tensors are refused", async () => {
    const most = (2 ** 32 - BEGIN) / 4;
    await expect(Solver.start(EMPTY, HIGH, most + 1, 0)).rejects.toEqual(
      refusal("OUT_OF_MEMORY", `${2 ** 32 + 4} bytes`, "4294967296"),
    );
  });

  test("memory that the runtime refuses is a typed error with the runtime's as its cause", async () => {
    const refuses = new RangeError("could not allocate memory");
    const { Memory } = WebAssembly;
    class Refusing extends Memory {
      constructor(descriptor: WebAssembly.MemoryDescriptor) {
        if (descriptor.initial > 1) throw refuses;
        super(descriptor);
      }
    }
    const spy = vi.spyOn(WebAssembly, "Memory").mockImplementation(Refusing as never);
    const error = await Solver.start(EMPTY, HIGH, 10, 0).catch((cause: unknown) => cause);
    spy.mockRestore();
    expect(error).toEqual(refusal("OUT_OF_MEMORY", `${BEGIN + 40} bytes`));
    expect((error as SaffuError).cause).toBe(refuses);
  });
});

describe("the recipe's rule", () => {
  const settings = (tokens: number) => {
    const { decoderPseudoCounts, hiddenPseudoCounts, decoderStep, hiddenStep, ...others } = recipeOf(
      { exact: true },
      tokens,
    ).scaling;
    const { decoderPrior, hiddenPrior, sharpness } = others;
    return {
      pseudoCounts: [decoderPseudoCounts, hiddenPseudoCounts],
      step: decoderStep,
      hiddenStep,
      decoderPrior,
      hiddenPrior,
      sharpness,
    };
  };

  test("pseudo-counts fall and steps grow with the tokens, all the way from 20,000 to 2 million", () => {
    const tokens = fc.oneof(fc.integer({ min: LEAST_TOKENS, max: 4_000_000 }), fc.integer({ min: 1000, max: 300_000 }));
    fc.assert(
      fc.property(tokens, fc.double({ min: 1, max: 8, noNaN: true }), (fewer, times) => {
        const more = Math.ceil(fewer * times);
        const [small, large] = [settings(fewer), settings(more)];
        // three digits are kept: over a tenth more tokens, something shows
        const shows = fewer >= 20_000 && more <= 2_000_000 && times >= 1.1;
        for (const i of [0, 1]) {
          expect(large.pseudoCounts[i]!).toBeLessThanOrEqual(small.pseudoCounts[i]!);
          if (shows) expect(large.pseudoCounts[i]!).toBeLessThan(small.pseudoCounts[i]!);
        }
        expect(large.step).toBeGreaterThanOrEqual(small.step);
        if (shows) expect(large.step).toBeGreaterThan(small.step);
        expect(large.hiddenStep).toBeGreaterThanOrEqual(small.hiddenStep);
        expect(large.sharpness).toBeLessThanOrEqual(small.sharpness);
        expect(large.decoderPrior).toBeGreaterThanOrEqual(small.decoderPrior);
        expect(large.hiddenPrior).toBeGreaterThanOrEqual(small.hiddenPrior);
      }),
      { numRuns: 1000 },
    );
  });

  test("is even on a logarithmic scale, and flat outside", () => {
    const few = { pseudoCounts: [100, 20], step: 1, hiddenStep: 8, sharpness: 0.25 };
    const many = { pseudoCounts: [20, 5], step: 2, hiddenStep: 15, decoderPrior: 250, hiddenPrior: 7, sharpness: 0.1 };
    for (const tokens of [LEAST_TOKENS, 1000, 20_000]) expect(settings(tokens)).toMatchObject(few);
    for (const tokens of [2_000_000, 2_000_001, 1e9]) expect(settings(tokens)).toEqual(many);
    // half-way: the geometric means
    expect(settings(200_000)).toMatchObject({ pseudoCounts: [44.7, 10], step: 1.41 });
    expect(settings(316_228)).toMatchObject({ hiddenStep: 11, sharpness: 0.158 });
  });

  test("has steps of the decoder that are 15 % shorter where predictions are estimated, and is else the same", () => {
    for (const tokens of [50_000, 200_000, 1_000_000, 1e9]) {
      const [estimated, exact] = [recipeOf({}, tokens).scaling, recipeOf({ exact: true }, tokens).scaling];
      const { passes } = estimated;
      const decoderStep = Number((0.85 * exact.decoderStep).toPrecision(3));
      expect(estimated).toEqual({ ...exact, passes, decoderStep, sampled: true });
    }
  });

  test("holds hidden layers by the cube root of the tokens, the decoder by the tokens up to 10,000", () => {
    expect(settings(1000)).toMatchObject({ decoderPrior: 25, hiddenPrior: 0.612 });
    expect(settings(10_000)).toMatchObject({ decoderPrior: 250, hiddenPrior: 1.32 });
    expect(settings(187_500)).toMatchObject({ decoderPrior: 250, hiddenPrior: 3.5 });
    for (const tokens of [1_500_000, 1e9]) expect(settings(tokens)).toMatchObject({ hiddenPrior: 7 });
  });

  test("holds hidden layers of more than 21 groups the less, of whatever kind they are", () => {
    const held = (options: RecipeOptions) => recipeOf(options, 1e9).scaling.hiddenPrior;
    const plain = { windowAttention: false, documentGroups: 0 };
    for (const groups of [1, 13, 21]) expect(held({ ...plain, groups })).toBe(7);
    for (const groups of [22, 42, 63]) expect(held({ ...plain, groups })).toBeCloseTo((7 * 21) / groups, 2);
    expect(held({ ...plain, groups: 30, documentGroups: 12 })).toBe(3.5);
    expect(held({ ...plain, groups: 30, secondGroups: 12 })).toBe(3.5);
  });

  test("batches, passes and the mixture's tokens stay within what the solver holds", () => {
    fc.assert(
      fc.property(fc.integer({ min: LEAST_TOKENS, max: 20_000_000 }), (tokens) => {
        const { scaling, mixture, groups } = recipeOf({}, tokens);
        expect(scaling.batch).toBeLessThanOrEqual(BATCH);
        expect(mixture.tokens).toBeLessThanOrEqual(Math.min(MIXTURE_PLACES, tokens / 20));
        expect(mixture.tokens).toBeGreaterThan(Math.min(65536, tokens / 20) - 1);
        expect(groups.passes).toBe(tokens < 200_000 ? 3 : 1);
        const few = Math.max(8, 8 * Math.cbrt(30_000 / tokens));
        const passes = (most: number, from: number) => (tokens > 180_000 ? most * Math.cbrt(from / tokens) : few);
        const near = (found: number, wanted: number, most: number) =>
          expect(Math.abs(found - Math.min(most, Math.max(2, wanted)))).toBeLessThanOrEqual(0.5 + 1e-9);
        near(scaling.passes, passes(9, 300_000), tokens > 180_000 ? 9 : 24);
        near(recipeOf({ exact: true }, tokens).scaling.passes, passes(8, 180_000), 24);
        // cipher targets are fixed: one full pass solves them
        const cipher = recipeOf({ targets: "cipher", passes: 0 }, tokens);
        expect([cipher.groups.passes, cipher.groups.batch, cipher.scaling.passes]).toEqual([1, tokens, 0]);
      }),
    );
  });
});
