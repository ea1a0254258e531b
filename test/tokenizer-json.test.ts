import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { SaffuError } from "../host/errors.ts";
import { byteTokenizer, type Tokenizer, tokenizerFromJSON } from "../host/tokenizer/index.ts";
import { trainTokenizer } from "../host/tokenizer/train.ts";
import { tellingBytes } from "./tokenizer-oracle.ts";

interface Json {
  [part: string]: unknown;
  model: Record<string, unknown> & { vocab: Record<string, unknown>; merges: unknown[] };
}

const { pre_tokenizer: GPT2 } = byteTokenizer().toJSON() as { pre_tokenizer: object };

let trained: Tokenizer;
let lines: Tokenizer;
/** A fresh tokenizer.json to change: 8 merges. */
const json = () => JSON.parse(JSON.stringify(trained.toJSON())) as Json;

beforeAll(async () => {
  trained = await trainTokenizer(["when he hears her, the other mother sees where they were; ".repeat(20)], {
    vocabulary: 264,
  });
  lines = await trainTokenizer(["one line\nof two\n".repeat(20)], { vocabulary: 264, boundary: "newline" });
});

describe("reads what it wrote", () => {
  test("to the same file", () => {
    for (const tokenizer of [trained, lines, byteTokenizer()]) {
      const text = JSON.stringify(tokenizer.toJSON());
      expect(JSON.stringify(tokenizerFromJSON(JSON.parse(text)).toJSON())).toBe(text);
    }
  });

  test("with the split that it names: of trained tokenizers, or GPT-2's", () => {
    expect(GPT2).toMatchObject({ type: "ByteLevel", use_regex: true });
    expect(trained.toJSON()).toMatchObject({
      pre_tokenizer: {
        type: "Sequence",
        pretokenizers: [
          { type: "Split", behavior: "Isolated", invert: false },
          { type: "ByteLevel", use_regex: false },
        ],
      },
    });
    const { pre_tokenizer: ofLines } = lines.toJSON() as { pre_tokenizer: object };
    expect(ofLines).not.toEqual(json().pre_tokenizer);
    expect(tokenizerFromJSON({ ...json(), pre_tokenizer: ofLines }).toJSON()).toMatchObject({ pre_tokenizer: ofLines });
    const older = tokenizerFromJSON({ ...json(), pre_tokenizer: GPT2 });
    expect(older.toJSON()).toMatchObject({ pre_tokenizer: GPT2 });
    // h, he are merged: a mark ends the word in the one, belongs to it in the other; both spell the same bytes
    const text = "he\u0301he".repeat(40);
    expect(older.decode(older.encode(text))).toEqual(trained.decode(trained.encode(text)));
  });

  test("merges are written as pairs, and read as strings too", () => {
    const file = json();
    expect(file.model.merges[0]).toEqual(["h", "e"]);
    file.model.merges = file.model.merges.map((pair) => (pair as string[]).join(" "));
    expect(tokenizerFromJSON(file).toJSON()).toEqual(trained.toJSON());
  });

  test("tokens whose names JavaScript treats apart", async () => {
    const text = "__proto__ ".repeat(9) + "constructor ".repeat(9) + "1234567 ".repeat(9);
    const tokenizer = await trainTokenizer([text], { vocabulary: 288 });
    const again = tokenizerFromJSON(JSON.parse(JSON.stringify(tokenizer.toJSON())));
    expect(again.vocabularySize).toBe(tokenizer.vocabularySize);
    expect(again.encode(text)).toEqual(tokenizer.encode(text));
    const file = json();
    file.model.vocab = JSON.parse(JSON.stringify(file.model.vocab).replace("{", '{"__proto__":264,'));
    expect(tokenizerFromJSON(file).bytesOf(264)).toEqual(new TextEncoder().encode("__proto__"));
    const broken = json();
    broken.model.merges.push(["constructor", "toString"]);
    expect(() => tokenizerFromJSON(broken)).toThrow(/merge 8 names "constructor"/);
  });

  test("ids in any order: a single byte's need not be the byte", () => {
    const file = json();
    const entries = Object.entries(file.model.vocab) as [string, number][];
    file.model.vocab = Object.fromEntries(entries.map(([entry, id]) => [entry, 263 - id]));
    const turned = tokenizerFromJSON(file);
    fc.assert(
      fc.property(tellingBytes, (bytes) => {
        expect(turned.encode(bytes)).toEqual(trained.encode(bytes).map((token) => 263 - token));
        expect(turned.decode(turned.encode(bytes))).toEqual(bytes.slice());
      }),
      { numRuns: 200 },
    );
  });

  test("parts that may be missing", () => {
    const file = json();
    for (const part of ["version", "truncation", "padding", "added_tokens", "normalizer", "post_processor"])
      delete file[part];
    expect(tokenizerFromJSON(file).toJSON()).toEqual(trained.toJSON());
  });

  test("what is not changed by changing what it was made from", () => {
    const file = json();
    const tokenizer = tokenizerFromJSON(file);
    file.model.merges.length = 0;
    file.model.vocab = {};
    expect(tokenizer.toJSON()).toEqual(trained.toJSON());
  });
});

describe("refuses, and says why", () => {
  const set = (path: string, value: unknown) => (file: Json) => {
    const keys = path.split(".");
    const last = keys.pop()!;
    const parent = keys.reduce<Json>((part, key) => part[key] as Json, file);
    parent[last] = value;
  };
  const cases: [string, (file: Json) => unknown, RegExp][] = [
    ["a file that is no object", () => null, /must be an object/],
    ["an array", () => [], /must be an object/],
    ["another version", set("version", "2.0"), /version/],
    ["a normalizer", set("normalizer", { type: "NFC" }), /normalizer/],
    ["special tokens", set("added_tokens", [{ id: 264, content: "<s>" }]), /added_tokens/],
    ["a post-processor", set("post_processor", { type: "TemplateProcessing" }), /post_processor/],
    ["no pre-tokenizer", set("pre_tokenizer", null), /pre_tokenizer/],
    ["another pre-tokenizer", set("pre_tokenizer.type", "Whitespace"), /pre_tokenizer/],
    ["a sequence of one", set("pre_tokenizer.pretokenizers.length", 1), /pre_tokenizer/],
    ["a sequence of nothing", set("pre_tokenizer.pretokenizers", [null, null]), /pre_tokenizer/],
    ["a sequence of another split", set("pre_tokenizer.pretokenizers.0.pattern.Regex", "\\s+"), /pre_tokenizer/],
    ["a split at a string", set("pre_tokenizer.pretokenizers.0.pattern", { String: " " }), /pre_tokenizer/],
    ["a split without a pattern", set("pre_tokenizer.pretokenizers.0.pattern", null), /pre_tokenizer/],
    ["a split that removes", set("pre_tokenizer.pretokenizers.0.behavior", "Removed"), /pre_tokenizer/],
    ["a split the other way", set("pre_tokenizer.pretokenizers.0.invert", true), /pre_tokenizer/],
    ["two splits", set("pre_tokenizer.pretokenizers.1.use_regex", true), /pre_tokenizer/],
    ["a prefix space", set("pre_tokenizer.pretokenizers.1.add_prefix_space", true), /pre_tokenizer/],
    ["a prefix space of GPT-2's split", set("pre_tokenizer", { ...GPT2, add_prefix_space: true }), /pre_tokenizer/],
    ["bytes without a split", set("pre_tokenizer", { ...GPT2, use_regex: false }), /pre_tokenizer/],
    ["no decoder", set("decoder", undefined), /decoder/],
    ["another decoder", set("decoder.type", "WordPiece"), /decoder/],
    ["no model", set("model", 7), /model must be an object/],
    ["another model", set("model.type", "Unigram"), /"Unigram" is not "BPE"/],
    ["dropout", set("model.dropout", 0.1), /dropout/],
    ["an unknown token", set("model.unk_token", "a"), /unk_token/],
    ["a prefix of later subwords", set("model.continuing_subword_prefix", "##"), /continuing/],
    ["byte fallback", set("model.byte_fallback", true), /byte_fallback/],
    ["ignored merges", set("model.ignore_merges", true), /ignore_merges/],
    ["a vocabulary that is no object", set("model.vocab", []), /vocab must be an object/],
    ["fewer than 256 tokens", set("model.vocab", { a: 0 }), /has 1 tokens/],
    ["a missing byte", (file) => rename(file, "q", "qq"), /255 of the 256 single bytes/],
    ["an id twice", set("model.vocab.a", 98), /id 98 belongs to two tokens/],
    ["ids with a gap", set("model.vocab.a", 264), /"a" has id 264, ids must be 0 to 263/],
    ["a negative id", set("model.vocab.a", -1), /"a" has id -1/],
    ["an id that is no integer", set("model.vocab.a", 97.5), /"a" has id 97.5/],
    ["an id that is a string", set("model.vocab.a", "97"), /"a" has id "97"/],
    ["an empty token", (file) => rename(file, "he", ""), /token "" does not spell bytes/],
    ["a token of other characters", (file) => rename(file, "he", "h e"), /token "h e" does not spell bytes/],
    ["merges that are no array", set("model.merges", {}), /merges must be an array/],
    ["a merge of one token", set("model.merges.3", ["h"]), /merge 3 is not a pair/],
    ["a merge of three", set("model.merges.3", ["h", "e", "r"]), /merge 3 is not a pair/],
    ["a merge of numbers", set("model.merges.3", [104, 101]), /merge 3 is not a pair/],
    ["a merge as a string of three", set("model.merges", ["h e r"]), /merge 0 is not a string/],
    ["strings and pairs mixed", set("model.merges.0", "h e"), /merge 1 is not a string/],
    ["a merge of a missing token", set("model.merges.3", ["zzz", "e"]), /merge 3 names "zzz"/],
    ["a merge into a missing token", set("model.merges.3", ["z", "q"]), /merge 3 names "zq"/],
    ["a merge twice", (file) => void file.model.merges.push(["h", "e"]), /merge 8 stands twice/],
  ];

  function rename(file: Json, from: string, to: string): void {
    file.model.vocab[to] = file.model.vocab[from];
    delete file.model.vocab[from];
  }

  test.each(cases)("%s", (_, change, message) => {
    const file = json();
    const changed = change(file);
    // a case gives another file or changes this one
    const read = () => tokenizerFromJSON(changed === null || Array.isArray(changed) ? changed : file);
    expect(read).toThrow(SaffuError);
    expect(read).toThrow(expect.objectContaining({ code: "TOKENIZER_INVALID" }));
    expect(read).toThrow(message);
  });

  test("more tokens than 65528", () => {
    const file = (size: number) => {
      const all = json();
      for (let id = 264; id < size; ++id) all.model.vocab[`~${id}~`] = id;
      return all;
    };
    expect(tokenizerFromJSON(file(65528)).vocabularySize).toBe(65528);
    expect(() => tokenizerFromJSON(file(65529))).toThrow(/65529 tokens, 256 to 65528/);
  });
});

test("junk anywhere in the file is refused or read, never anything else", () => {
  // values that are an object's parts, at every depth
  const paths: (string | number)[][] = [];
  const visit = (value: unknown, path: (string | number)[]) => {
    if (path.length > 0) paths.push(path);
    if (typeof value === "object" && value !== null) {
      for (const [key, part] of Object.entries(value)) visit(part, [...path, key]);
    }
  };
  visit(json(), []);
  const junk = fc.oneof(
    fc.constantFrom(undefined, Number.NaN, 2 ** 32, -0, "h e", "he", { type: "ByteLevel" }),
    fc.anything({ withBigInt: true, withSparseArray: true, withNullPrototype: true }),
  );
  // the root's own parts as likely as the many tokens
  const path = fc.oneof(fc.constantFrom(...paths), fc.constantFrom(...paths.filter(({ length }) => length < 3)));
  fc.assert(
    fc.property(path, junk, fc.boolean(), (path, value, remove) => {
      const file = json();
      let parent = file as Record<string | number, unknown>;
      for (const key of path.slice(0, -1)) parent = parent[key] as Record<string | number, unknown>;
      if (remove) delete parent[path.at(-1)!];
      else parent[path.at(-1)!] = value;
      check(file);
    }),
    { numRuns: 1500 },
  );
  fc.assert(fc.property(fc.anything(), check));

  function check(file: unknown): void {
    let tokenizer: Tokenizer;
    try {
      tokenizer = tokenizerFromJSON(file);
    } catch (error) {
      expect(error).toMatchObject({ name: "SaffuError", code: "TOKENIZER_INVALID" });
      expect((error as Error).message.length).toBeLessThan(300);
      return;
    }
    const bytes = new TextEncoder().encode("the heart of the matter \u00e9\u{1f600}");
    expect(tokenizer.decode(tokenizer.encode(bytes))).toEqual(bytes);
  }
});
