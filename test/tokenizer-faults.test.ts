import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { byteTokenizer, type Tokenizer, tokenizerFromJSON } from "../host/tokenizer/index.ts";
import { trainTokenizer } from "../host/tokenizer/train.ts";
import { tellingBytes, trainNaively } from "./tokenizer-oracle.ts";

/** Merges by the ids of their parts, from the file that the tokenizer writes. */
function mergesOf(tokenizer: Tokenizer): [number, number][] {
  const { model } = tokenizer.toJSON() as { model: { vocab: Record<string, number>; merges: [string, string][] } };
  return model.merges.map(([left, right]) => [model.vocab[left]!, model.vocab[right]!]);
}

describe("a tokenizer.json made to crash its reader is refused", () => {
  // deeper than any stack: whatever walks into it, even to show it in a message, throws a RangeError
  let deep: unknown = [];
  for (let i = 0; i < 100_000; ++i) deep = [deep];
  const unprintable = JSON.parse('{"toString":1,"valueOf":1,"__proto__":{"type":"ByteLevel"}}');

  test.each([
    ["nested 100,000 deep", deep],
    ["without a string form", unprintable],
    ["a symbol", Symbol("x")],
    ["a string of 1 MB", "x".repeat(1 << 20)],
  ])("%s, in every place", (_, junk) => {
    const places = ["version", "normalizer", "pre_tokenizer", "post_processor", "decoder", "added_tokens", "model"];
    const inModel = ["type", "dropout", "unk_token", "byte_fallback", "vocab", "merges"];
    const files = [
      junk,
      ...places.map((place) => ({ ...byteTokenizer().toJSON(), [place]: junk })),
      ...inModel.map((place) => changed((model) => ({ ...model, [place]: junk }))),
      changed((model) => ({ ...model, vocab: { ...model.vocab, a: junk } })),
      changed((model) => ({ ...model, merges: [junk] })),
      changed((model) => ({ ...model, merges: [["a", junk]] })),
    ];
    for (const file of files) {
      expect(() => tokenizerFromJSON(file)).toThrow(
        expect.objectContaining({ code: "TOKENIZER_INVALID", message: expect.stringMatching(/^.{10,200}$/) }),
      );
    }
  });

  // biome-ignore lint/suspicious/noExplicitAny: a file is changed in any way
  function changed(change: (model: any) => object): object {
    const file = byteTokenizer().toJSON() as { model: object };
    return { ...file, model: change(file.model) };
  }
});

describe("training on what is no text", () => {
  test("merges what counting anew finds most frequent, on bytes of any kind", async () => {
    const corpus = fc.array(tellingBytes, { minLength: 1, maxLength: 3 }).map((parts) => {
      const bytes = parts.flatMap((part) => Array.from(part));
      return Uint8Array.from([...bytes, 0x20, ...bytes]);
    });
    await fc.assert(
      fc.asyncProperty(corpus, fc.constantFrom(264, 304), async (bytes, vocabulary) => {
        expect(mergesOf(await trainTokenizer([bytes], { vocabulary }))).toEqual(trainNaively(bytes, vocabulary));
      }),
      { numRuns: 200 },
    );
  });

  test("learns no token longer than a piece from a megabyte of blanks", async () => {
    const text = ["\x20", "\n", "\t", "-"].map((space) => space.repeat(1 << 20)).join("x");
    const tokenizer = await trainTokenizer([text], { vocabulary: 512 });
    // merges double, for each of the four: 2, 4, … 64
    const lengths = Array.from({ length: tokenizer.vocabularySize }, (_, token) => tokenizer.bytesOf(token).length);
    expect(Math.max(...lengths)).toBe(64);
    expect(tokenizer.encode(new Uint8Array(1 << 20).fill(0x20)).length).toBe(1 << 14);
  });

  test("takes no quadratic time for a megabyte without a border", async () => {
    let state = 1;
    const letters = Uint8Array.from({ length: 1 << 20 }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) | 0; // Numerical Recipes' generator
      return 0x61 + ((state >>> 24) % 26);
    });
    expect((await trainTokenizer([letters], { vocabulary: 4096 })).vocabularySize).toBe(4096);
  });
});
