/** Texts that are hardly any, or all alike, or of more kinds than there are tokens: a working model, or an error that says why. */
import { describe, expect, test } from "vitest";
import { fit } from "../host/fit/fit.ts";
import type { SaffuError } from "../host/index.ts";
import { symbolTokenizer } from "../host/tokenizer/index.ts";
import { compileQuickly } from "./compile-warm.ts";
import { bytesOf, sound } from "./fit-fixture.ts";
import { refusal } from "./model-fixture.ts";

compileQuickly();

/** Every one of the 20,000 commonest ideographs once: more kinds than any vocabulary of a profile has tokens. */
const IDEOGRAPHS = String.fromCodePoint(...Array.from({ length: 20_000 }, (_, i) => 0x4e00 + i));
const noise = new Uint8Array(20_000);
for (let i = 0, x = 1; i < noise.length; ++i) {
  x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
  noise[i] = x >>> 24;
}

const TEXTS: [string, Uint8Array][] = [
  ["16 bytes, all different", bytesOf("abcdefghijklmnop")],
  ["16 bytes, all the same", bytesOf("a".repeat(16))],
  ["one line over and over", bytesOf("door front closed\n".repeat(300))],
  ["one letter, longer than pieces are", bytesOf("a".repeat(5000))],
  ["one blank over and over", bytesOf(" ".repeat(3000))],
  ["zeros", new Uint8Array(3000)],
  ["every byte in turn", new Uint8Array(1024).map((_, i) => i)],
  ["noise", noise],
  ["20,000 different characters", bytesOf(IDEOGRAPHS)],
  ["halves of characters", bytesOf(IDEOGRAPHS.slice(0, 300)).filter((_, i) => i % 3 !== 1)],
];

describe.each(["nano", "potato"] as const)("%s", (profile) => {
  test.each(TEXTS)("of %s is a working model", async (_what, text) => {
    const { files, report } = await fit(() => [text], { profile, threads: 0 });
    expect(report.trainBytes).toBe(text.length);
    expect(report.shape.vocabulary % 8).toBe(0);
    const model = await sound(files, [text.subarray(0, 2000), bytesOf("something else altogether 🦊")]);
    const { bits, bytes } = model.score(text.subarray(0, 2000));
    expect(bits / bytes).toBeLessThan(9); // no worse than eight bits a byte, and a little: it has seen the text
  });

  test.each([0, 1, 15])("of %i bytes is refused by what there is and what it takes", async (length) => {
    const error = await fit(() => [new Uint8Array(length).fill(97)], { profile, threads: 0 }).catch((cause) => cause);
    expect(error).toEqual(refusal("INVALID_TEXT"));
    expect((error as SaffuError).message).toMatch(length === 0 && profile === "potato" ? /empty/ : /at least 16$/);
  });
});

describe("symbols", () => {
  const options = { profile: "nano", threads: 0, tokenizer: symbolTokenizer(8) } as const;
  const all = (length: number, of: number) => new Uint16Array(length).map((_, i) => i % of);

  test.each([
    ["one of eight, over and over", all(100, 1)],
    ["sixteen of them", all(16, 8)],
  ])("%s: a working model", async (_what, text) => {
    const { files } = await fit(() => [text], options);
    await sound(files, []);
  });

  test("of more kinds than the vocabulary are refused by the one that is none of it", async () => {
    await expect(fit(() => [all(100, 9)], options)).rejects.toEqual(refusal("TOKEN_OUT_OF_RANGE", "8", "0..7"));
  });
});
