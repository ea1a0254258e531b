import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { byteTokenizer, type Tokenizer } from "../host/tokenizer/index.ts";
import { trainTokenizer } from "../host/tokenizer/train.ts";
import { LICENCE, messages } from "./texts.ts";
import { tellingBytes, tellingText, trainNaively } from "./tokenizer-oracle.ts";

const code = (code: string) => expect.objectContaining({ name: "SaffuError", code });
const spelled = (tokenizer: Tokenizer) =>
  Array.from({ length: tokenizer.vocabularySize }, (_, token) => String.fromCharCode(...tokenizer.bytesOf(token)));

/** What counting everything anew for each merge comes to. */
function naive(text: string, vocabulary: number): string[] {
  const tokens = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte));
  const merges = trainNaively(new TextEncoder().encode(text), vocabulary);
  for (const [left, right] of merges) tokens.push(tokens[left]! + tokens[right]!);
  return tokens;
}

describe("training merges the most frequent pair, again and again", () => {
  test("as counting everything anew does, on a page of English", async () => {
    const text = LICENCE.slice(1000, 9000);
    for (const vocabulary of [264, 512, 2048]) {
      expect(spelled(await trainTokenizer([text], { vocabulary }))).toEqual(naive(text, vocabulary));
    }
  });

  test("as counting everything anew does, where pairs overlap and counts tie", async () => {
    const overlapping = fc.string({ unit: fc.constantFrom("a", "a", "a", "b", "c", " "), maxLength: 120 });
    const text = fc.oneof(overlapping, tellingText);
    await fc.assert(
      fc.asyncProperty(text, async (text) => {
        fc.pre(text !== "");
        expect(spelled(await trainTokenizer([text], { vocabulary: 320 }))).toEqual(naive(text, 320));
      }),
      { numRuns: 500 },
    );
  });

  test("no token twice, whatever the text, and the file says the same", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(tellingBytes, tellingText), { minLength: 1, maxLength: 6 }),
        async (chunks) => {
          fc.pre(chunks.some(({ length }) => length > 0));
          const tokenizer = await trainTokenizer([...chunks, ...chunks], { vocabulary: 512 });
          expect(new Set(spelled(tokenizer)).size).toBe(tokenizer.vocabularySize);
          const { model } = tokenizer.toJSON() as { model: { vocab: Record<string, number>; merges: string[][] } };
          expect(Object.keys(model.vocab).length).toBe(tokenizer.vocabularySize);
          expect(model.merges.length).toBe(tokenizer.vocabularySize - 256);
          for (const [rank, [left, right]] of model.merges.entries())
            expect(model.vocab[left! + right!]).toBe(256 + rank);
        },
      ),
      { numRuns: 200 },
    );
  });

  test("the same whatever the chunks", async () => {
    const bytes = new TextEncoder().encode(messages("es").slice(0, 20_000));
    const whole = spelled(await trainTokenizer([bytes], { vocabulary: 1024 }));
    async function* chunks(size: number) {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    }
    for (const size of [1, 7, 4096]) {
      expect(spelled(await trainTokenizer(chunks(size), { vocabulary: 1024 }))).toEqual(whole);
    }
  });

  test("bytes that are not UTF-8 are learned too", async () => {
    const tokenizer = await trainTokenizer([new Uint8Array(4096).map((_, i) => 0xf8 + (i % 8))], { vocabulary: 264 });
    expect(tokenizer.bytesOf(256)).toEqual(Uint8Array.of(0xf8, 0xf9));
  });

  test("megabytes without a border, in less than quadratic time; no token is longer than a piece", async () => {
    const text = ["ab", "cd", "ef", "gh"].map((pair) => pair.repeat(1 << 19)).join(" ");
    const tokenizer = await trainTokenizer([text], { vocabulary: 512 });
    // each pair doubles up to a piece of 64 letters: 6 merges, 24 in all
    const lengths = spelled(tokenizer).map(({ length }) => length);
    expect(lengths.filter((length) => length === 64).length).toBe(4);
    expect(Math.max(...lengths)).toBe(64);
  });
});

describe("the size of a vocabulary", () => {
  test("rounds down to a multiple of 8 where the text has no more pairs that occur twice", async () => {
    // ab, abc … 12 merges at most
    const tokenizer = await trainTokenizer(["abcdefghijklm abcdefghijklm"], { vocabulary: 1024 });
    expect(tokenizer.vocabularySize).toBe(264);
    expect((await trainTokenizer(["x"], { vocabulary: 1024 })).toJSON()).toEqual(byteTokenizer().toJSON());
    expect((await trainTokenizer([LICENCE], { vocabulary: 256 })).vocabularySize).toBe(256);
  });

  test("outside its bounds is refused", async () => {
    for (const vocabulary of [
      0,
      248,
      255,
      257,
      260,
      65536,
      1024.5,
      Number.NaN,
      Infinity,
      "1024" as never,
      undefined as never,
    ]) {
      await expect(trainTokenizer(["text"], { vocabulary })).rejects.toThrow(code("INVALID_OPTION"));
    }
  });

  test("of no text is refused", async () => {
    for (const chunks of [[], [""], [new Uint8Array(0), ""]]) {
      await expect(trainTokenizer(chunks, { vocabulary: 512 })).rejects.toThrow(code("INVALID_TEXT"));
    }
  });
});

describe("training can be watched and stopped", () => {
  const text = messages("it");

  test("a signal that fired stops it before any text is read", async () => {
    let read = 0;
    const chunks = function* () {
      ++read;
      yield text;
    };
    const reason = new Error("enough");
    const training = trainTokenizer(chunks(), { vocabulary: 1024, signal: AbortSignal.abort(reason) });
    await expect(training).rejects.toThrow(code("ABORTED"));
    await expect(training).rejects.toHaveProperty("cause", reason);
    expect(read).toBe(0);
  });

  test("a signal stops it while it counts and while it merges, and the source is closed", async () => {
    let closed = false;
    const controller = new AbortController();
    const endless = function* () {
      try {
        for (;;) yield text;
      } finally {
        closed = true;
      }
    };
    setTimeout(() => controller.abort(), 20);
    const counting = trainTokenizer(endless(), { vocabulary: 1024, signal: controller.signal });
    await expect(counting).rejects.toThrow(code("ABORTED"));
    expect(closed).toBe(true);

    const merging = new AbortController();
    const stopped = trainTokenizer([text, messages("ja"), messages("ru")], {
      vocabulary: 65528,
      signal: merging.signal,
      onProgress: ({ done }) => done > 0 && merging.abort(),
    });
    await expect(stopped).rejects.toThrow(code("ABORTED"));
  });

  test("progress rises to the total, and timers run meanwhile", async () => {
    const seen: { phase: string; done: number; total: number }[] = [];
    let ticks = 0;
    const timer = setInterval(() => ++ticks, 1);
    await trainTokenizer([text, messages("ja"), messages("ru")], {
      vocabulary: 16384,
      onProgress: (event) => seen.push(event),
    });
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(0);
    expect(seen[0]).toEqual({ phase: "tokenizer", done: 0, total: 16128 });
    const last = seen.at(-1)!;
    expect(last.done).toBe(last.total);
    for (const [i, { phase, done, total }] of seen.entries()) {
      expect(phase).toBe("tokenizer");
      expect(done).toBeLessThanOrEqual(total);
      if (i > 0) expect(done).toBeGreaterThanOrEqual(seen[i - 1]!.done);
    }
  });

  test("chunks that are no text are refused", async () => {
    await expect(trainTokenizer([text, 7 as never], { vocabulary: 512 })).rejects.toThrow(code("INVALID_TEXT"));
  });
});

test("merges of a vocabulary are those of a smaller one, and more", async () => {
  const bytes = new TextEncoder().encode(messages("pl").slice(0, 80_000));
  const small = spelled(await trainTokenizer([bytes], { vocabulary: 512 }));
  const large = spelled(await trainTokenizer([bytes], { vocabulary: 2048 }));
  expect(large.slice(0, 512)).toEqual(small);
});
