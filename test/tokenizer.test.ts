import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { byteTokenizer, type Tokenizer, tokenizerFromJSON } from "../host/tokenizer/index.ts";
import { CAPPED, GPT2, LINES, pieceEnd, type Split } from "../host/tokenizer/pretokenize.ts";
import { trainTokenizer } from "../host/tokenizer/train.ts";
import { classOf } from "../host/tokenizer/unicode.ts";
import { LANGUAGES, LICENCE, messages } from "./texts.ts";
import {
  CAPPED_SPLIT,
  huggingFace,
  isNewer,
  LINES_SPLIT,
  SPLIT,
  splitBytes,
  tellingBytes,
  tellingText,
} from "./tokenizer-oracle.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const NASTY = [
  "",
  "'",
  "it's we'll they're I'd I'm you've 'tis 'S 'LL ''s '",
  "  two  blanks\n\nand \n lines \t ",
  "\ufeffmark\ufeff",
  "naïve Ελληνικά русский עברית العربية हिन्दी 中文 日本語 한국어 ไทย",
  "👩‍👩‍👧‍👦 🏳️‍🌈 e\u0301 𝒜𝒷 ½ ⅷ ٣٤ 1st 2²",
  "lone \ud83d and \ude00 halves",
  "a\u00a0b\u2003c\u3000d\u0085e\u180ef\u2028",
  "\0\x01\x7f",
];

let english: Tokenizer;
/** The same as it was written before: with GPT-2's split. */
let older: Tokenizer;
beforeAll(async () => {
  english = await trainTokenizer([messages("de"), LICENCE, NASTY.join("\n").repeat(4)], {
    vocabulary: 1024,
  });
  const json = {
    ...english.toJSON(),
    pre_tokenizer: (byteTokenizer().toJSON() as { pre_tokenizer: object }).pre_tokenizer,
  };
  older = tokenizerFromJSON(json);
});

const SPLITS: [name: string, split: Split, pattern: RegExp][] = [
  ["of trained tokenizers", CAPPED, CAPPED_SPLIT],
  ["of GPT-2", GPT2, SPLIT],
  ["of lines", LINES, LINES_SPLIT],
];

function ourPieces(bytes: Uint8Array, split: Split): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0, end = 0; at < bytes.length; at = end) {
    end = pieceEnd(split, bytes, at, bytes.length, true);
    pieces.push(bytes.slice(at, end));
  }
  return pieces;
}

/** Text with long runs of each class: where pieces are capped. */
const runs = fc
  .array(
    fc.tuple(
      fc.constantFrom(" ", "\n", "\u3000", "a", "é", "\u0301", "字", "7", "²", "-", "😀", "'"),
      fc.oneof(fc.constantFrom(1, 2, 62, 63, 64, 65, 66, 127, 128, 129), fc.nat(150)),
    ),
    { maxLength: 8 },
  )
  .map((parts) => parts.map(([character, count]) => character.repeat(count)).join(""));

describe.each(SPLITS)("the split %s is that of its regular expression", (_, split, pattern) => {
  test("on any bytes", () => {
    fc.assert(
      fc.property(fc.oneof(tellingBytes, runs.map(utf8)), (bytes) => {
        expect(ourPieces(bytes, split)).toEqual(splitBytes(bytes, pattern));
      }),
      { numRuns: 2000 },
    );
  });

  test("for every character there is", () => {
    const points = Array.from({ length: 0x110000 }, (_, point) => point).filter((p) => p < 0xd800 || p > 0xdfff);
    for (let from = 0; from < points.length; from += 4096) {
      // each character alone, so that only its class decides; beyond the planes in use, every 16th
      const some = points.slice(from, from + 4096).filter((point) => point < 0x32000 || point % 16 === 0);
      const characters = some.map((point) => String.fromCodePoint(point)).filter((character) => !isNewer(character));
      const text = characters.map((character) => `x${character}1`).join("");
      let at = 0;
      const bytes = utf8(text);
      for (const piece of text.match(pattern) ?? []) {
        const end = pieceEnd(split, bytes, at, bytes.length, true);
        if (end - at !== utf8(piece).length) expect.fail(`at U+${piece.codePointAt(0)!.toString(16)}`);
        at = end;
      }
    }
  });
});

describe("lines that are messages", () => {
  /** The lines of some bytes, and their newlines. */
  function linesOf(bytes: Uint8Array): Uint8Array[] {
    const found: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = bytes.indexOf(10, at);
      const stop = end === at ? at + 1 : end < 0 ? bytes.length : end;
      found.push(bytes.slice(at, stop));
      at = stop;
    }
    return found;
  }

  test("a line falls into the pieces that it falls into by itself, and a newline is one", () => {
    fc.assert(
      fc.property(fc.oneof(tellingBytes, runs.map(utf8)), (bytes) => {
        expect(ourPieces(bytes, LINES)).toEqual(linesOf(bytes).flatMap((line) => ourPieces(line, CAPPED)));
      }),
      { numRuns: 2000 },
    );
  });

  test("no token that is trained holds a newline and more, and each line has the tokens that it has alone", async () => {
    const text = `${messages("de")}\n\n\n${"  x\n\n\t\r\n".repeat(200)}`;
    const of = async (boundary: "newline" | "none") => {
      const tokenizer = await trainTokenizer([text], { vocabulary: 1024, boundary });
      const holding = Array.from({ length: 1024 }, (_, token) => tokenizer.bytesOf(token)).filter((spelled) =>
        spelled.includes(10),
      );
      return { tokenizer, holding };
    };
    const { tokenizer, holding } = await of("newline");
    expect(holding).toEqual([Uint8Array.of(10)]);
    expect((await of("none")).holding.length).toBeGreaterThan(1);
    const again = tokenizerFromJSON(JSON.parse(JSON.stringify(tokenizer.toJSON())));
    const peer = huggingFace(tokenizer.toJSON());
    for (const each of [text.slice(0, 40_000), text.slice(-2000), ...NASTY]) {
      const tokens = tokenizer.encode(each);
      expect(again.encode(each)).toEqual(tokens);
      expect([...tokens]).toEqual(linesOf(utf8(each)).flatMap((line) => [...tokenizer.encode(line)]));
      if (!isNewer(each) && !/[\ud83d\ude00](?![\ude00-\udfff])/u.test(each))
        expect(peer.encode(each)).toEqual([...tokens]);
    }
  });
});

describe("the classes that decide a split", () => {
  test("are those of Unicode 16.0, whatever the runtime's version is", () => {
    const classes = Uint8Array.from({ length: 0x110000 }, (_, point) => classOf(point));
    // counts of DerivedGeneralCategory.txt and PropList.txt; the digest is of what the Rust library's regular expressions match
    const counts = [0, 0, 0, 0, 0];
    for (const each of classes) ++counts[each]!;
    expect([counts[0], counts[1], counts[2], counts[4]]).toEqual([25, 141_028, 1911, 2501]);
    expect(createHash("sha256").update(classes).digest("hex")).toBe(
      "b4b44cc28d42bce77522e89e5f4ffa222a8c7353dc71a41b61979d0610769150",
    );
  });
});

describe("Hugging Face's library of Rust falls into the same pieces", () => {
  // test/split.json: pieces as tokenizers 0.23.3 (Python) gives them for the pre_tokenizer of each file
  const cases = JSON.parse(readFileSync("test/split.json", "utf8")) as Record<"capped" | "gpt2" | "lines", string[][]>;

  test.each([
    ["of trained tokenizers", CAPPED, cases.capped],
    ["of GPT-2", GPT2, cases.gpt2],
    ["of lines", LINES, cases.lines],
  ] as const)("with the split %s: U+0085, U+FEFF, marks, blank lines, runs of more than 64", (_, split, texts) => {
    expect(texts.length).toBeGreaterThan(20);
    for (const pieces of texts) {
      expect(
        ourPieces(utf8(pieces.join("")), split).map((piece) =>
          new TextDecoder("utf-8", { ignoreBOM: true }).decode(piece),
        ),
      ).toEqual(pieces);
    }
  });

  test("no border falls between a letter and its mark", () => {
    for (const pieces of cases.capped) {
      for (const piece of pieces.slice(1)) expect(piece).not.toMatch(/^\p{M}/u);
    }
    expect(cases.gpt2.flat().some((piece) => /^\p{M}/u.test(piece))).toBe(true);
  });
});

describe("the same tokens and text as Hugging Face's library on the same file", () => {
  test("4.5 MB in thirteen languages", () => {
    const peer = huggingFace(english.toJSON());
    let size = 0;
    for (const language of LANGUAGES) {
      const text = messages(language);
      const tokens = english.encode(text);
      size += utf8(text).length;
      expect(Buffer.compare(Buffer.from(Uint16Array.from(peer.encode(text)).buffer), Buffer.from(tokens.buffer))).toBe(
        0,
      );
      expect(peer.decode(tokens) === text).toBe(true);
      expect(Buffer.compare(english.decode(tokens), utf8(text))).toBe(0);
    }
    expect(size).toBeGreaterThan(4e6);
  });

  test("unicode, contractions, white space and lone surrogates", () => {
    const tokenizers = [english, byteTokenizer()];
    const peers = tokenizers.map((tokenizer) => huggingFace(tokenizer.toJSON()));
    const same = (text: string) => {
      for (const [i, tokenizer] of tokenizers.entries()) {
        const tokens = tokenizer.encode(text);
        if (!isNewer(text)) expect(Array.from(tokens)).toEqual(peers[i]!.encode(text));
        // a string's lone surrogates are U+FFFD in UTF-8
        expect(tokenizer.decode(tokens)).toEqual(utf8(text));
        if (tokens.length > 0) expect(peers[i]!.decode(tokens)).toBe(text.toWellFormed());
      }
    };
    NASTY.forEach(same);
    fc.assert(fc.property(tellingText, same), { numRuns: 1000 });
  });

  test("random bytes, of which the peer can only see the replacement characters", () => {
    const peer = huggingFace(english.toJSON());
    const lossy = new TextDecoder("utf-8", { ignoreBOM: true });
    fc.assert(
      fc.property(tellingBytes, (bytes) => {
        const text = lossy.decode(bytes);
        if (!isNewer(text)) expect(Array.from(english.encode(text))).toEqual(text === "" ? [] : peer.encode(text));
        if (bytes.length > 0) expect(peer.decode(english.encode(bytes))).toBe(text);
      }),
      { numRuns: 1000 },
    );
  });

  test("a file whose ids are in another order", () => {
    const json = JSON.parse(JSON.stringify(english.toJSON()));
    // 7 has no factor in common with 1024, so this is a permutation
    for (const entry of Object.keys(json.model.vocab))
      json.model.vocab[entry] = (json.model.vocab[entry] * 7 + 3) % 1024;
    const permuted = tokenizerFromJSON(json);
    const peer = huggingFace(json);
    const text = messages("fr").slice(0, 30_000) + NASTY.join("\n");
    const tokens = permuted.encode(text);
    expect(Array.from(tokens)).toEqual(peer.encode(text));
    expect(Array.from(tokens)).toEqual(Array.from(english.encode(text), (token) => (token * 7 + 3) % 1024));
    expect(permuted.decode(tokens)).toEqual(utf8(text));
  });

  test("merges whose ranks do not follow from one another", () => {
    // a token that two merges make, and a merge that ranks before those that make its parts
    const letters = "abc";
    const entries = ["ab", "bc", "abc", "abcabc", "aa", "aaa", "ca", "cab"];
    const json = JSON.parse(JSON.stringify(byteTokenizer().toJSON()));
    for (const entry of entries) json.model.vocab[entry] = Object.keys(json.model.vocab).length;
    const possible = entries.flatMap((entry) =>
      Array.from({ length: entry.length - 1 }, (_, i) => [entry.slice(0, i + 1), entry.slice(i + 1)]),
    );
    const known = (part: string | undefined) => part !== undefined && Object.hasOwn(json.model.vocab, part);
    const pairs = possible.filter(([left, right]) => known(left) && known(right));
    fc.assert(
      fc.property(
        fc.shuffledSubarray(pairs),
        // up to 200 letters: on both sides of where long pieces are treated in another way
        fc.array(fc.constantFrom(...letters), { maxLength: 200 }).map((parts) => parts.join("")),
        (merges, text) => {
          json.model.merges = merges;
          expect(Array.from(tokenizerFromJSON(json).encode(text))).toEqual(huggingFace(json).encode(text));
        },
      ),
      { numRuns: 500 },
    );
  });

  test("a piece of 100 kB", () => {
    const text = messages("de")
      .replace(/[^a-z]/g, "")
      .slice(0, 100_000);
    for (const tokenizer of [english, older]) {
      expect(Array.from(tokenizer.encode(text))).toEqual(huggingFace(tokenizer.toJSON()).encode(text));
    }
  });

  test("a file with GPT-2's split, but for what the peer's JavaScript takes for white space", () => {
    const peer = huggingFace(older.toJSON());
    const same = (text: string) => {
      const plain = text.replace(/[\u0085\ufeff]/g, "");
      if (!isNewer(plain)) expect(Array.from(older.encode(plain))).toEqual(peer.encode(plain));
    };
    NASTY.forEach(same);
    fc.assert(fc.property(fc.oneof(tellingText, runs), same), { numRuns: 1000 });
  });
});

describe("bytes are data", () => {
  test("any bytes come back as they were, whatever the tokenizer", () => {
    fc.assert(
      fc.property(tellingBytes, (bytes) => {
        for (const tokenizer of [english, byteTokenizer()]) {
          expect(tokenizer.decode(tokenizer.encode(bytes))).toEqual(bytes.slice());
        }
      }),
      { numRuns: 1000 },
    );
  });

  test("bytes of well-formed text have the tokens of the text", () => {
    fc.assert(
      fc.property(tellingText, (text) => {
        expect(english.encode(utf8(text))).toEqual(english.encode(text));
      }),
    );
  });

  test.each([
    ["overlong", [0xc0, 0xaf, 0xe0, 0x80, 0xaf, 0xf0, 0x80, 0x80, 0xaf]],
    ["surrogates", [0xed, 0xa0, 0x80, 0xed, 0xbf, 0xbf]],
    ["above U+10FFFF", [0xf4, 0x90, 0x80, 0x80, 0xf5, 0x80, 0x80, 0x80]],
    ["cut short", [0xe2, 0x82, 0x20, 0xf0, 0x9f, 0x98]],
  ])("malformed UTF-8 is one symbol a byte: %s", (_, bytes) => {
    // between letters, malformed bytes are one run of symbols, but for the blank, which begins a piece of its own
    const all = Uint8Array.from([0x61, ...bytes, 0x62]);
    const pieces = ourPieces(all, CAPPED);
    expect(pieces).toEqual(splitBytes(all, CAPPED_SPLIT));
    expect(pieces.length).toBe(bytes.includes(0x20) ? 4 : 3);
    expect(english.decode(english.encode(all))).toEqual(all);
  });

  test("a piece of 1 MB takes no quadratic time", () => {
    const bytes = utf8(
      messages("de")
        .replace(/[^a-z]/g, "")
        .repeat(6),
    ).slice(0, 1 << 20);
    expect(ourPieces(bytes, GPT2).length).toBe(1);
    for (const tokenizer of [older, english]) {
      expect(Buffer.compare(tokenizer.decode(tokenizer.encode(bytes)), bytes)).toBe(0);
      expect(tokenizer.encode(new Uint8Array(1 << 20).fill(0x20)).length).toBeGreaterThan(0);
    }
  });

  test("more distinct pieces than are remembered", () => {
    const words = Array.from(
      { length: 40_000 },
      (_, i) => ` ${i.toString(26).replace(/\d/g, (d) => "qrstuvwxyz"[+d]!)}`,
    );
    const whole = english.encode(words.join(""));
    const fresh = tokenizerFromJSON(english.toJSON());
    const parts = words.flatMap((word) => Array.from(fresh.encode(word)));
    expect(Array.from(whole)).toEqual(parts);
  });
});

describe("byte tokenizer", () => {
  test("a token is a byte", () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    const tokenizer = byteTokenizer();
    expect(tokenizer.vocabularySize).toBe(256);
    expect(Array.from(tokenizer.encode(bytes))).toEqual(Array.from(bytes));
    expect(tokenizer.decode(bytes)).toEqual(bytes);
    expect(tokenizer.bytesOf(0xff)).toEqual(Uint8Array.of(0xff));
  });
});

describe("refused by a typed error", () => {
  test.each([-1, 1024, 0.5, Number.NaN, 1e9, "length" as unknown as number])("token %s", (token) => {
    const error = { code: "TOKEN_OUT_OF_RANGE", message: `token ${token} is not in 0..1023` };
    expect(() => english.decode([65, token])).toThrow(expect.objectContaining(error));
    expect(() => english.bytesOf(token)).toThrow(expect.objectContaining(error));
  });

  test.each([undefined, null, 7, {}, [1, 2], new Uint32Array(2)])("text %s", (text) => {
    expect(() => english.encode(text as unknown as string)).toThrow(expect.objectContaining({ code: "INVALID_TEXT" }));
  });

  test("the bytes of a token are the caller's own", () => {
    english.bytesOf(65).fill(0);
    expect(english.bytesOf(65)).toEqual(Uint8Array.of(65));
  });
});
