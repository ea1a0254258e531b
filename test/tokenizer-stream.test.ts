import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import {
  byteTokenizer,
  type Chunks,
  encodeStream,
  type Tokenizer,
  tokenizerFromJSON,
} from "../host/tokenizer/index.ts";
import { trainTokenizer } from "../host/tokenizer/train.ts";
import { LICENCE, messages } from "./texts.ts";
import { tellingBytes, tellingText } from "./tokenizer-oracle.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const TELLING = "it's  'r we'll\n\nx \n y\u3000z 中文。é½ 12👩‍👧 'v\r\n'l ";

let tokenizer: Tokenizer;
/** With GPT-2's split, as files had it before. */
let older: Tokenizer;
/** With newlines by themselves. */
let lines: Tokenizer;
beforeAll(async () => {
  // with tokens for runs of white space, and for parts of the characters above
  tokenizer = await trainTokenizer([LICENCE, messages("it"), `${TELLING}\n\n\n\n    `.repeat(100)], {
    vocabulary: 640,
  });
  const { pre_tokenizer } = byteTokenizer().toJSON() as { pre_tokenizer: object };
  older = tokenizerFromJSON({ ...tokenizer.toJSON(), pre_tokenizer });
  lines = await trainTokenizer([LICENCE, `${TELLING}\n\n\n\n    `.repeat(100)], {
    vocabulary: 512,
    boundary: "newline",
  });
});

async function collect(chunks: Chunks, by = tokenizer): Promise<number[]> {
  const tokens: number[] = [];
  for await (const some of encodeStream(by, chunks)) for (const token of some) tokens.push(token);
  return tokens;
}

/** `whole` cut at the given places, in any order, some of them the same. */
function cut<T extends { length: number; slice: (from: number, to?: number) => T }>(whole: T, places: number[]): T[] {
  const at = [0, ...places.map((place) => place % (whole.length + 1)), whole.length].sort((a, b) => a - b);
  return at.slice(1).map((to, i) => whole.slice(at[i]!, to));
}

describe("a stream has the tokens of the whole", () => {
  test("bytes, however they are cut", async () => {
    await fc.assert(
      fc.asyncProperty(tellingBytes, fc.array(fc.nat(), { maxLength: 12 }), async (bytes, places) => {
        for (const by of [tokenizer, older, lines]) {
          expect(await collect(cut(bytes, places), by)).toEqual(Array.from(by.encode(bytes)));
        }
      }),
      { numRuns: 1000 },
    );
  });

  test("long runs, about where pieces are capped", async () => {
    const run = fc.tuple(fc.constantFrom(" ", "\n", "\u3000", "a", "é", "字", "7", "-", "😀"), fc.nat(140));
    const runs = fc
      .array(run, { maxLength: 6 })
      .map((parts) => parts.map(([each, count]) => each.repeat(count)).join(""));
    await fc.assert(
      fc.asyncProperty(runs.map(utf8), fc.array(fc.nat(), { maxLength: 12 }), async (bytes, places) => {
        for (const by of [tokenizer, older, lines]) {
          expect(await collect(cut(bytes, places), by)).toEqual(Array.from(by.encode(bytes)));
        }
      }),
      { numRuns: 1000 },
    );
  });

  test("strings, even cut inside surrogate pairs", async () => {
    await fc.assert(
      fc.asyncProperty(tellingText, fc.array(fc.nat(), { maxLength: 12 }), async (text, places) => {
        expect(await collect(cut(text, places))).toEqual(Array.from(tokenizer.encode(text)));
      }),
      { numRuns: 1000 },
    );
  });

  test("in every two parts, and byte by byte", async () => {
    const bytes = utf8(TELLING.repeat(2));
    const whole = Array.from(tokenizer.encode(bytes));
    for (let at = 0; at <= bytes.length; ++at) expect(await collect(cut(bytes, [at]))).toEqual(whole);
    expect(await collect(Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(whole);
    expect(await collect(TELLING.repeat(2).split(""))).toEqual(whole);
  });

  test("a long text in chunks of many sizes", async () => {
    const bytes = utf8(messages("ko"));
    const whole = Array.from(tokenizer.encode(bytes));
    for (const size of [61, 4093, 65536, 100_000, bytes.length]) {
      const places = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => i * size);
      expect(await collect(cut(bytes, places))).toEqual(whole);
    }
  });

  test("strings and bytes in turn, from an asynchronous source that uses its buffer again", async () => {
    const buffer = new Uint8Array(4);
    async function* source() {
      yield "a\ud83d"; // half a pair, then bytes: the half is U+FFFD
      buffer.set([0xe2, 0x82, 0x41, 0x42]);
      yield buffer;
      await null;
      buffer.set([0x20, 0x20, 0x62, 0x20]);
      yield buffer;
      yield "\ud83d";
      yield "";
      yield "\ude00\ud83d";
    }
    const bytes = [...utf8("a\ufffd"), 0xe2, 0x82, 0x41, 0x42, ...utf8("  b 😀\ufffd")];
    expect(await collect(source())).toEqual(Array.from(tokenizer.encode(Uint8Array.from(bytes))));
  });

  test("nothing of nothing", async () => {
    expect(await collect([])).toEqual([]);
    expect(await collect(["", new Uint8Array(0)], byteTokenizer())).toEqual([]);
  });
});

describe("what a stream holds", () => {
  test("is little more than the piece it is in", async () => {
    const words = LICENCE.repeat(4).slice(0, 40_000);
    let given = 0;
    let most = 0;
    function* source() {
      for (let at = 0; at < words.length; at += 10) {
        most = Math.max(most, given - emitted);
        given += 10;
        yield words.slice(at, at + 10);
      }
    }
    let emitted = 0;
    for await (const tokens of encodeStream(tokenizer, source())) emitted += tokenizer.decode(tokens).length;
    expect(emitted).toBe(words.length);
    // the longest run without a border in this text is the line before a title and its blanks, 34 bytes; as many again are waited for
    expect(most).toBeLessThan(128);
  });

  test.each([
    ["NUL", () => new Uint8Array(1 << 16)],
    ["blanks", () => new Uint8Array(1 << 16).fill(0x20)],
    ["line feeds", () => new Uint8Array(1 << 16).fill(0x0a)],
    ["one long word", () => new Uint8Array(1 << 16).map((_, i) => 0x61 + ((i * i) % 23))],
    ["bytes that are no text", () => new Uint8Array(1 << 16).fill(0xff)],
  ])("is a turn's bytes where the text has no borders: 8 MiB of %s", async (_, chunk) => {
    for (const by of [tokenizer, byteTokenizer()]) {
      let given = 0;
      let emitted = 0;
      let most = 0;
      function* source() {
        for (let i = 0; i < 128; ++i) {
          most = Math.max(most, given - emitted);
          given += 1 << 16;
          yield chunk();
        }
      }
      for await (const tokens of encodeStream(by, source())) emitted += by.decode(tokens).length;
      expect(emitted).toBe(8 << 20);
      // the longest piece has 64 characters; where a piece ends is known a character later
      expect(most).toBeLessThan(1024);
    }
  });

  test("in a file that caps no piece is never looked at again and again: a piece of 2 MB in parts of 16 bytes", async () => {
    const part = "abcdefghijklmnop";
    function* source() {
      for (let i = 0; i < 1 << 17; ++i) yield part;
    }
    let length = 0;
    for await (const tokens of encodeStream(older, source())) length += older.decode(tokens).length;
    expect(length).toBe(1 << 21);
  });

  test("in a file that caps no piece has an end: a piece of more than 64 MiB is refused", async () => {
    const chunk = new Uint8Array(1 << 20);
    function* source() {
      for (;;) yield chunk;
    }
    await expect(async () => {
      for await (const _ of encodeStream(older, source()));
    }).rejects.toMatchObject({ code: "OUT_OF_MEMORY" });
  });

  test("goes on in turns: timers run, and a signal ends it inside one long word, whatever the file", async () => {
    const word = new Uint8Array(4 << 20).map((_, i) => 0x61 + ((i * i) % 23));
    for (const by of [tokenizer, older, lines]) {
      let ticks = 0;
      const timer = setInterval(() => ++ticks, 1);
      for await (const _ of encodeStream(by, [word]));
      clearInterval(timer);
      expect(ticks).toBeGreaterThan(10);
      const controller = new AbortController();
      setTimeout(() => controller.abort(), 1);
      await expect(async () => {
        for await (const _ of encodeStream(by, [word], controller.signal));
      }).rejects.toMatchObject({ code: "ABORTED" });
    }
  });

  test("is let go with its source when the reader leaves", async () => {
    let closed = false;
    function* source() {
      try {
        for (;;) yield "word after word ";
      } finally {
        closed = true;
      }
    }
    for await (const _ of encodeStream(tokenizer, source())) break;
    expect(closed).toBe(true);
  });

  test("a chunk that is no text is refused", async () => {
    const chunks = ["text", 5] as unknown as string[];
    await expect(collect(chunks)).rejects.toMatchObject({ code: "INVALID_TEXT" });
    await expect(collect(Uint8Array.of(1, 2) as unknown as Chunks)).rejects.toMatchObject({ code: "INVALID_TEXT" });
  });
});
