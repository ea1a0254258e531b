/** Where nobody asks for a vocabulary it follows from the text: a token stands for a pair that the text shows 20 times. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { fit } from "../host/fit/fit.ts";
import { LADDER, LEAST_PAIRS, vocabularyRule } from "../host/fit/recipe.ts";
import { trainTokenizer } from "../host/tokenizer/train.ts";
import { refusal } from "./model-fixture.ts";
import { LICENCE, messages } from "./texts.ts";
import { trainNaively } from "./tokenizer-oracle.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const german = messages("de");
const log = readFileSync("examples/gateway/gateway.log", "utf8");

/** V of a text by the rule. */
const ruled = async (text: string) =>
  (await trainTokenizer([text], { vocabulary: 1024, ...vocabularyRule({}) })).vocabularySize;

test.each([
  ["3 kB of a licence", LICENCE.slice(0, 3000)],
  ["10 kB of a licence", LICENCE.slice(0, 10_000)],
  ["5 kB of a log", log.slice(0, 5000)],
  ["8 kB of messages, in Japanese", messages("ja").slice(0, 4000)],
])("%s: the largest size whose last pair occurs 20 times, as counting everything anew says", async (_what, text) => {
  const often = 256 + trainNaively(bytesOf(text), 1024, LEAST_PAIRS).length;
  const most = LADDER.potato.findLast((size) => size <= often)!;
  expect(await ruled(text)).toBe(most);
  // it is a rule about the text: a vocabulary of all pairs that occur twice would be another
  expect(256 + trainNaively(bytesOf(text), 1024).length).toBeGreaterThan(most);
});

test("the more there is of a text, the more tokens it has, up to the profile's own", async () => {
  const sizes: number[] = [];
  for (const length of [1000, 4000, 16_000, 64_000, 250_000]) sizes.push(await ruled(german.slice(0, length)));
  expect(sizes).toEqual(sizes.toSorted((a, b) => a - b));
  expect(new Set(sizes).size).toBeGreaterThan(3);
  expect([sizes[0], sizes.at(-1)]).toEqual([256, 1024]);
});

test("is potato's: base, which is for megabytes, takes all pairs that occur twice", () => {
  expect(vocabularyRule({})).toEqual({ sizes: LADDER.potato, minFrequency: LEAST_PAIRS });
  expect(vocabularyRule({ groups: 3 })).toEqual(vocabularyRule({}));
  expect(vocabularyRule({ profile: "base" })).toEqual({ sizes: undefined, minFrequency: 2 });
});

describe("a fit", () => {
  const options = { threads: 0, passes: 0, kernels: ["simd"] } as const;
  const text = () => [bytesOf(LICENCE)];

  test("takes the rule where no vocabulary is asked for, and writes the kernels that it is asked for", async () => {
    const { report, files } = await fit(text, options);
    expect(report.shape.vocabulary).toBe(await ruled(LICENCE));
    expect(report.shape.vocabulary).toBeLessThan(512);
    expect(report.wantedVocabulary).toBe(1024);
    expect([...files.keys()].filter((name) => name.startsWith("kernel"))).toEqual(["kernel.simd.wasm"]);
  });

  test("takes the vocabulary that is asked for, as far as pairs occur twice", async () => {
    const { report } = await fit(text, { ...options, vocabulary: 512 });
    expect(report.shape.vocabulary).toBe(512);
  });

  test.each([[[]], [["simd", "simd"]], [["mvp"]], ["simd"], [null]])("refuses kernels %j", async (kernels) => {
    await expect(fit(text, { ...options, kernels: kernels as never })).rejects.toEqual(
      refusal("INVALID_OPTION", "kernels", `"scalar" and "simd"`),
    );
  });
});

test.each([1, 0, 2.5, Number.NaN, "2", null])("a tokenizer's minFrequency of %j is refused", async (minFrequency) => {
  await expect(trainTokenizer([LICENCE], { vocabulary: 512, minFrequency: minFrequency as number })).rejects.toEqual(
    refusal("INVALID_OPTION", "minFrequency", "2 or more"),
  );
});
