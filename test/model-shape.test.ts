/** Shapes: what is refused, and the tensors that follow. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cipherWidth, parameters, tensorSpecs, validateShape } from "../host/shape.ts";
import { refusal } from "./model-fixture.ts";

const POTATO = {
  vocabulary: 1024,
  bits: 1024,
  window: 3,
  groups: 8,
  units: 8,
  history: 1024,
  matchLength: 4,
};

describe("a shape is refused by the name of the field and its bound", () => {
  test.each([
    [{ vocabulary: 1020 }, "vocabulary must be a multiple of 8"],
    [{ vocabulary: 0 }, "vocabulary must be in 8..65528"],
    [{ vocabulary: 65536 }, "vocabulary must be in 8..65528"],
    [{ vocabulary: Number.NaN }, "vocabulary must be an integer, got NaN"],
    [{ bits: 1025 }, "bits must be in 1..1024"],
    [{ bits: 0 }, "bits must be in 1..1024"],
    [{ bits: 9 }, "vocabulary 1024 is larger than 9 bits can name (511 tokens)"],
    [{ bits: 10 }, "vocabulary 1024 is larger than 10 bits can name (1023 tokens)"],
    [{ window: 0 }, "window must be in 1..16"],
    [{ window: 17 }, "window must be in 1..16"],
    [{ window: 2.5 }, "window must be an integer, got 2.5"],
    [{ groups: 0 }, "groups must be in 1..4096"],
    [{ units: 6 }, "units must be a multiple of 4"],
    [{ groups: 1, units: 4 }, "groups × units must be a multiple of 8"],
    [{ groups: 64, units: 128 }, "groups × units must be at most 4096"],
    [{ history: 8 }, "history must be 0 or a power of two in 16..65536"],
    [{ history: 1000 }, "history must be 0 or a power of two in 16..65536"],
    [{ history: 131072 }, "history must be 0 or a power of two in 16..65536"],
    [{ history: -16 }, "history must be 0 or a power of two in 16..65536"],
    [{ matchLength: 0 }, "matchLength must be in 1..4"],
    [{ matchLength: 5 }, "matchLength must be in 1..4"],
    [{ history: 0 }, "matchLength must be 0 where history is 0"],
    [{ adapts: "yes" }, `adapts must be a boolean, got "yes"`],
    [{ indexed: 1 }, "indexed must be a boolean, got 1"],
    [{ history: 0, matchLength: 0, adapts: true }, "adapts must be false where history is 0"],
    [{ history: 0, matchLength: 0, indexed: true }, "indexed must be false where history is 0"],
    [{ longMatches: 1 }, "longMatches must be a boolean, got 1"],
    [{ history: 0, matchLength: 0, longMatches: true }, "longMatches must be false where history is 0"],
    [{ history: 16, longMatches: true }, "history must be at least 32 where there are longMatches, got 16"],
    [{ memory: 100 }, "memory must be 0 where there are no longMatches, got 100"],
    [{ longMatches: true, memory: 65537, memoryIndexed: true }, "memory must be in 0..65536, got 65537"],
    [{ longMatches: true, memory: -1 }, "memory must be in 0..65536, got -1"],
    [{ longMatches: true, memory: 1.5 }, "memory must be an integer, got 1.5"],
    [{ longMatches: true, memory: "9" }, `memory must be an integer, got "9"`],
    [{ longMatches: true, memory: 9 }, "memoryIndexed must be true where there is a memory and vocabulary is over 256"],
    [{ ngrams: 300 }, "ngrams must be 0 where there are no longMatches, got 300"],
    [{ longMatches: true, ngrams: 2 ** 24 + 1 }, "ngrams must be in 0..16777216, got 16777217"],
    [{ longMatches: true, ngrams: "300" }, `ngrams must be an integer, got "300"`],
    [
      { vocabulary: 4104, bits: 4104, longMatches: true, ngrams: 300 },
      "ngrams must be 0 where vocabulary is over 4096",
    ],
    [{ memoryIndexed: true }, "memoryIndexed must be false where there are no longMatches, got true"],
    [{ longMatches: true, memoryIndexed: "no" }, `memoryIndexed must be a boolean, got "no"`],
    [{ vocabulary: 65528, bits: 65528, window: 4, groups: 512 }, "must be at most 1073741824"],
    [{ groups: "8" }, `groups must be an integer, got "8"`],
  ])("%o", (change, message) => {
    expect(() => validateShape({ ...POTATO, ...change })).toThrow(refusal("INVALID_SHAPE", message));
  });

  test.each([undefined, null, 7, "potato", []])("what is no shape at all: %o", (value) => {
    expect(() => validateShape(value)).toThrow(refusal("INVALID_SHAPE"));
  });
});

test("any value is either a shape or refused with a typed error", () => {
  const field = fc.oneof(fc.integer({ min: -1, max: 70000 }), fc.double(), fc.anything());
  const keys = Object.fromEntries(
    [...Object.keys(POTATO), "longMatches", "memory", "ngrams", "memoryIndexed"].map((key) => [key, field]),
  );
  const near = fc.record(keys, { requiredKeys: [] }).map((changes) => ({ ...POTATO, ...changes }));
  fc.assert(
    fc.property(fc.oneof(fc.anything(), near), (value) => {
      try {
        expect(tensorSpecs(validateShape(value)).length).toBeGreaterThanOrEqual(6);
      } catch (error) {
        expect(error).toEqual(refusal("INVALID_SHAPE"));
      }
    }),
    { numRuns: 2000 },
  );
});

test("a checked shape has nothing but its fields, and what is off is not there", () => {
  expect(validateShape({ ...POTATO, note: "dropped" })).toEqual(POTATO);
  const off = {
    adapts: false,
    indexed: false,
    longMatches: false,
    memory: 0,
    ngrams: 0,
    memoryIndexed: false,
    weightBits: 8,
    windowAttention: false,
    documentGroups: 0,
    secondGroups: 0,
  };
  expect(validateShape({ ...POTATO, ...off })).toEqual(POTATO);
});

test("k is the size of the largest set of bits that any token needs", () => {
  expect(cipherWidth({ vocabulary: 1024, bits: 1024 })).toBe(1);
  expect(cipherWidth({ vocabulary: 256, bits: 22 })).toBe(3); // 22 + 231 = 253 of one and two bits
  expect(cipherWidth({ vocabulary: 248, bits: 22 })).toBe(2);
  expect(cipherWidth({ vocabulary: 1016, bits: 10 })).toBe(9); // all but the set of ten, and there are seven to spare
  expect(() => cipherWidth({ vocabulary: 256, bits: 8 })).toThrow(refusal("INVALID_SHAPE", "8 bits"));
});

test("parameters are counted by hand: U, u0, O, o0 and mixture weights", () => {
  const shape = validateShape(POTATO);
  expect(parameters(shape)).toBe(3 * 1024 * 64 + 64 + 1024 * 64 + 1024 + 4 * 32);
  expect(parameters({ ...shape, history: 0, matchLength: 0 })).toBe(3 * 1024 * 64 + 64 + 1024 * 64 + 1024);
});

test("tensors: the cipher where inputs are not one-hot, mixture weights where there is a history", () => {
  const names = (change: object) => tensorSpecs(validateShape({ ...POTATO, ...change })).map(({ name }) => name);
  expect(names({})).not.toContain("cipher");
  expect(names({ bits: 64 })).toContain("cipher");
  expect(names({})).toContain("attention.gate");
  expect(names({ history: 0, matchLength: 0 })).not.toContain("attention.gate");
  expect(names({})).not.toContain("attention.long");
  // the mixture's weights stay the last of all: hosts tell by them where the weights end
  expect(names({ longMatches: true }).slice(-2)).toEqual(["attention.long", "attention.gate"]);
  expect(names({ longMatches: true, memory: 100, memoryIndexed: true })).toEqual(names({ longMatches: true }));
});
