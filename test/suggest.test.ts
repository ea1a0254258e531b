/** Suggestions: the likeliest words that a text goes on with, whatever it ends in, and the same key by key in a session. */
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { load as loadInBrowser } from "../host/browser.ts";
import { fit, load, type Model, type SuggestOptions, symbolTokenizer } from "../host/index.ts";
import type { Predictor } from "../host/model/kernel.ts";
import { settledPrefix } from "../host/tokenizer/index.ts";
import { logModel, shortOfALetter, suggested, type Unfinished, wordsOfLog } from "../tools/completions.ts";
import { randomModel, refusal } from "./model-fixture.ts";
import { LICENCE, messages } from "./texts.ts";

let english: Model;
/** Of bytes: a word is many tokens. */
let nano: Model;
/** Random weights over bytes: what it goes on with is rarely UTF-8. */
let random: Model;
beforeAll(async () => {
  english = await load("models/potato-en");
  nano = await load("models/nano-en");
  random = await load(await randomModel());
});

const encoder = new TextEncoder();
const latin = (bytes: Uint8Array) => String.fromCharCode(...bytes);
const bytesOf = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

describe("what is suggested", () => {
  test.each<[text: string, rest: string, word: string]>([
    ["It was a dark nig", "ht", "night"],
    ["the United State", "s", "States"],
    ["It was not so mu", "ch", "much"],
    ["I don", "'t", "don't"],
    ["I don'", "t", "don't"],
    ["said the old ma", "n", "man"],
    ["“Good mor", "ning", "morning"],
    ["It was ", "a", "a"],
    ["Hello,", " and", "and"],
    ["Hello, 🙂 ", "to", "to"],
  ])("%j goes on with %j: the word is %j", (text, rest, word) => {
    expect(english.suggest(text)).toContainEqual({ rest, word, probability: expect.any(Number) });
  });

  test("is never nothing, nor the word that stands there", () => {
    const found = english.suggest("and the", { n: 20 });
    expect(found.length).toBe(20);
    for (const { rest, word } of found) expect([word, rest]).toEqual([`the${rest}`, expect.stringMatching(/^./)]);
  });

  test("behind a space, a newline or nothing has no blank before it, behind a mark or an emoji it may", () => {
    for (const text of ["", "the end.\n", "so ", "so\t", "a\u00a0"]) {
      for (const { rest, word } of english.suggest(text, { n: 10 })) expect(rest).toBe(word);
    }
    for (const text of ["so,", "so)", "🙂"]) {
      for (const { rest, word } of english.suggest(text, { n: 10 })) expect([word, ` ${word}`]).toContain(rest);
    }
  });

  test("of what is no UTF-8 are words as behind any other mark; of half a character it is the whole one", () => {
    expect(english.suggest(Uint8Array.of(0xff, 0xfe, 0x20))[0]!.rest).toMatch(/^[a-z]+$/);
    const begun = encoder.encode("caf\u00e9").subarray(0, 4);
    for (const { rest, word } of english.suggest(begun, { n: 20 })) expect(word).toBe(`caf${rest}`);
    const found = random.suggest(Uint8Array.of(0xe5), { n: 20 });
    for (const { rest } of found) expect(rest).toMatch(/^[\u5000-\u5fff]/u);
  });

  test("of digits are digits and letters; of a very long word the last 256 bytes are taken for it", () => {
    expect(english.suggest("in 18", { n: 5 }).every(({ word }) => word.startsWith("18"))).toBe(true);
    for (const model of [english, nano]) {
      for (const { word } of model.suggest(`x ${"ab".repeat(2000)}`)) expect(word).toMatch(/^(ab){128}.+/);
    }
  });

  test("ends with its token in scripts without spaces", async () => {
    const text = encoder.encode([...messages("zh-cn").slice(0, 60_000)].join(""));
    const model = await load((await fit(() => [text], { profile: "micro" })).files);
    const found = model.suggest("不能将类型分配给", { n: 5 });
    expect(found.length).toBe(5);
    for (const { rest, word } of found)
      expect([rest, word]).toEqual([word, expect.stringMatching(/^\p{Script=Han}+$/u)]);
    // a byte a token: one character
    const bytes = await load((await fit(() => [text], { profile: "nano" })).files);
    for (const { word } of bytes.suggest("类", { n: 5 })) expect(word).toMatch(/^(\p{Script=Han}|[A-Za-z0-9]+)$/u);
  });

  test("takes ids, which are read as they are", () => {
    const ids = english.tokenizer.encode("It was a dark ");
    for (const { rest, word } of english.suggest(ids)) expect(rest).toBe(word);
    expect(() => english.suggest(Uint16Array.of(65_000))).toThrow(refusal("TOKEN_OUT_OF_RANGE") as Error);
  });

  test("has the same bits from scalar and simd, from the browser's entry, and again", async () => {
    const scalar = await load("models/potato-en", { build: "scalar" });
    const browser = (await loadInBrowser(english.files)) as Model;
    for (const text of ["It was a dark nig", "they'r", "", "Mr. Pick", "w"]) {
      const found = english.suggest(text, { n: 6 });
      for (const other of [scalar, browser, english]) expect(other.suggest(text, { n: 6 })).toEqual(found);
    }
  });

  test("refuses options out of bounds, what is no text, and models without words", async () => {
    const wrong: [SuggestOptions, string][] = [
      [{ n: 0 }, "n must be an integer in 1..20"],
      [{ n: 21 }, "n must be"],
      [{ n: 1.5 }, "n must be"],
      [{ n: "3" as never }, "n must be"],
      [{ maxBytes: 0 }, "maxBytes must be an integer in 1..256"],
      [{ maxBytes: 257 }, "maxBytes must be"],
      [null as never, "options"],
    ];
    const session = english.session();
    for (const [options, named] of wrong) {
      expect(() => english.suggest("a", options)).toThrow(refusal("INVALID_OPTION", named) as Error);
      expect(() => session.suggest(options)).toThrow(refusal("INVALID_OPTION", named) as Error);
    }
    expect(() => english.suggest(5 as never)).toThrow(refusal("INVALID_TEXT") as Error);
    session.close();
    expect(() => session.suggest()).toThrow(refusal("INVALID_OPTION", "closed") as Error);
    const round = Uint16Array.from({ length: 600 }, (_, i) => i % 4);
    const machine = await load((await fit(() => [round], { profile: "nano", tokenizer: symbolTokenizer(4) })).files);
    expect(() => machine.suggest("0 1")).toThrow(refusal("UNSUPPORTED", "symbols", "candidates") as Error);
  });
});

describe("the n are the n likeliest", () => {
  test("and have the probability of all ways to write them, up to a border", () => {
    for (const [model, text] of [
      [english, "It was a dark nig"],
      [english, "the fi"],
      [english, "It was "],
      [english, "I don"],
      [english, "so,"],
      [nano, "It was a dark nig"],
      [nano, "he wa"],
    ] as const) {
      const found = model.suggest(text, { n: 4 });
      const wanted = everyWord(model, text, found.at(-1)!.probability * 0.999);
      const best = [...wanted].sort(([, p], [, q]) => q - p).slice(0, 4);
      expect(found.map(({ rest }) => rest)).toEqual(best.map(([rest]) => rest));
      // ways that are less likely than the fourth word are not looked at
      for (const { rest, probability } of found) expect(probability / wanted.get(rest)!).toBeCloseTo(1, 2);
    }
  });

  test("whatever the text: sorted, all different, of unit sum at the most, within n and maxBytes", () => {
    const texts = fc.oneof(
      fc.string({ unit: "grapheme", maxLength: 24 }),
      fc.uint8Array({ maxLength: 24 }),
      fc.nat(LICENCE.length).map((at) => LICENCE.slice(Math.max(0, at - 40), at)),
    );
    const sizes = fc.record({ n: fc.integer({ min: 1, max: 20 }), maxBytes: fc.integer({ min: 1, max: 12 }) });
    fc.assert(
      fc.property(texts, sizes, fc.constantFrom("english", "nano", "random"), (text, options, which) => {
        const model = { english, nano, random }[which];
        const found = model.suggest(text, options);
        expect(found.length).toBeLessThanOrEqual(options.n);
        const probabilities = found.map(({ probability }) => probability);
        expect(probabilities).toEqual([...probabilities].sort((a, b) => b - a));
        expect(probabilities.reduce((sum, p) => sum + p, 0)).toBeLessThan(1.0001);
        expect(new Set(found.map(({ rest }) => rest)).size).toBe(found.length);
        for (const { rest, word, probability } of found) {
          expect(probability).toBeGreaterThan(0);
          expect(word.endsWith(rest.replace(/^ /, ""))).toBe(true);
          expect(word).not.toContain("\ufffd");
          // half a character of the text is finished, and counts from its begin
          expect(encoder.encode(rest).length).toBeLessThanOrEqual(options.maxBytes + 3);
          expect(word).toMatch(/^[\p{L}\p{M}\p{N}]/u);
          expect(word).not.toMatch(/[\s.,;:!?"]/);
        }
      }),
      { numRuns: 200 },
    );
  });

  test("in bounded work: 128 predictions a call, beside those that heal the text's end", () => {
    const { kernels } = english as unknown as { kernels: { take(): Predictor; give(predictor: Predictor): void } };
    const predictor = kernels.take();
    const { predict } = predictor;
    let predictions = 0;
    predictor.predict = () => {
      ++predictions;
      return predict();
    };
    kernels.give(predictor); // the next call takes it
    try {
      for (const text of ["", "a", "aaaaaaaaaaaaaaaa", "zq", " ".repeat(300)]) {
        predictions = 0;
        english.suggest(text, { n: 20, maxBytes: 256 });
        expect(predictions).toBeGreaterThan(0);
        // a longest token's bytes have as many covers' beginnings, of at most as many tokens
        expect(predictions).toBeLessThanOrEqual(128 + 16 * 16);
      }
    } finally {
      predictor.predict = predict;
    }
  });
});

describe("key by key in a session", () => {
  const TEXTS = [
    "It was a dark night, and they don't know 🙂 what's 18 naïve…\n\n  The end",
    LICENCE.slice(3000, 3060),
  ];

  test.each(["english", "nano"])("it is what the model says of the text so far: %s", (which) => {
    const model = { english, nano }[which]!;
    for (const text of TEXTS) {
      const session = model.session();
      let typed = "";
      expect(session.suggest()).toEqual(model.suggest(""));
      for (const key of text.split("")) {
        session.push(key); // a surrogate at a time
        typed += key;
        if (/[\ud800-\udbff]$/.test(typed)) continue; // half a character, which is yet to come
        expect(session.suggest()).toEqual(model.suggest(typed));
      }
      session.close();
    }
  });

  test("and leaves the session where it is, also saved, restored and forked inside a word", () => {
    const session = english.session();
    session.push("I don't know. It was a dark night, he did");
    session.push("n'");
    const { bits } = session.push("");
    expect(bits).toBe(0);
    const before = session.save();
    const found = session.suggest({ n: 6 });
    expect(found[0]).toMatchObject({ rest: "t", word: "didn't" });
    expect(Buffer.compare(session.save(), before)).toBe(0);
    const other = english.session();
    other.restore(before);
    expect(other.suggest({ n: 6 })).toEqual(found);
    const fork = session.fork();
    fork.push("t kn");
    expect(fork.suggest()[0]).toMatchObject({ word: "know" });
    expect(session.suggest({ n: 6 })).toEqual(found);
    for (const each of [session, other, fork]) each.close();
  });

  test("what was learned changes it, and forgotten every suggestion is back, key by key", async () => {
    const writer = "Dear Zylpha, the quorvex is at the weatherglass again. Bring the quorvex to Zylpha.\n".repeat(3);
    const typed = "Dear Zylpha, the quorvex is at the weatherglass";
    const model = await load("models/potato-en");
    const keys = () => {
      const session = model.session();
      const all = [...typed].map((key) => {
        session.push(key);
        return session.suggest({ n: 5 });
      });
      session.close();
      return all;
    };
    const before = keys();
    await model.observe(writer);
    const learned = keys();
    expect(learned).not.toEqual(before);
    const at = typed.indexOf("quor") + 3;
    expect(learned[at]![0]!.word).toBe("quorvex");
    expect(before[at]!.map(({ word }) => word)).not.toContain("quorvex");
    await model.refit();
    expect(keys()).not.toEqual(learned);
    await model.forget(writer);
    await model.refit();
    expect(keys()).toEqual(before);
  });
});

describe("words short of their last letter are finished", () => {
  let log: Model;
  beforeAll(async () => {
    log = await logModel();
  }, 120_000);
  const finished = (model: Model, all: readonly Unfinished[], n: number) => suggested(model, all, n) / all.length;

  test("by three suggestions: of a log 99 %, of 171 words of a licence by a model of novels 86 % when this was written", () => {
    const words = wordsOfLog(3).map(({ prompt, missing }) => ({
      prompt: prompt + missing.slice(0, -1),
      missing: missing.slice(-1),
    }));
    expect(words.length).toBeGreaterThan(400);
    expect(finished(log, words, 3)).toBeGreaterThan(0.95);
    expect(finished(log, words, 1)).toBeGreaterThan(0.9);
    expect(finished(english, shortOfALetter(), 3)).toBeGreaterThan(0.82);
  });

  test("prompts of logs that stop inside a word", () => {
    for (const { prompt, missing } of wordsOfLog(2).slice(0, 40)) {
      expect(log.suggest(prompt).map(({ rest }) => rest)).toContain(missing);
    }
  });
});

/**
 * Words by their rests, by trying all tokens: from the text's begin each time, without saved states, with regular expressions for what a
 * word is. Beginnings below `least` are left out.
 */
function everyWord(model: Model, text: string, least: number): Map<string, number> {
  const { tokenizer } = model;
  const { kernels } = model as unknown as { kernels: { take(): Predictor; give(predictor: Predictor): void } };
  const kernel = kernels.take();
  const all = encoder.encode(text);
  const settled = all.subarray(0, settledPrefix(tokenizer, all));
  const end = latin(all.subarray(settled.length));
  const spelled = Array.from({ length: tokenizer.vocabularySize }, (_, token) => latin(tokenizer.bytesOf(token)));
  const predicted = (tokens: readonly number[], tried: readonly number[]) => {
    kernel.reset();
    for (const token of [...tokenizer.encode(settled), ...tokens]) kernel.feed(token);
    for (const token of tried) kernel.append(token);
    kernel.predict();
    return kernel.probabilities.slice();
  };
  const inWord = /[a-z]$/i.test(text);
  const WHOLE = inWord ? /^[a-z]*(?:'[a-z]+)*/i : /^ ?[a-z]+(?:'[a-z]+)*/i;
  const BEGUN = inWord ? /^[a-z]*(?:'[a-z]+)*'?$/i : /^ ?$|^ ?[a-z]+(?:'[a-z]+)*'?$/i;
  const found = new Map<string, number>();
  const walk = (before: readonly number[], tried: readonly number[], added: string, p: number) => {
    if (!BEGUN.test(added)) {
      const word = WHOLE.exec(added)?.[0] ?? "";
      if (word !== "") found.set(word, (found.get(word) ?? 0) + p);
    } else if (p > least) {
      const next = predicted(before, tried);
      for (const [token, letters] of spelled.entries()) {
        walk(before, [...tried, token], added + letters, p * next[token]!);
      }
    }
  };
  // the first token covers the text's last byte, as the encoding of the whole has it
  const covers: [before: number[], token: number, added: string, p: number][] = [];
  const cover = (read: string, tokens: number[], p: number) => {
    const left = end.slice(read.length);
    const next = predicted(tokens, []);
    for (const [token, letters] of spelled.entries()) {
      const q = p * next[token]!;
      if (left === "") covers.push([tokens, token, letters, q]);
      else if (letters.startsWith(left) || left.startsWith(letters)) {
        const sequence = [...tokens, token];
        if (tokenizer.encode(bytesOf(read + letters)).join() !== sequence.join()) continue;
        if (letters.length > left.length) covers.push([tokens, token, letters.slice(left.length), q]);
        else cover(read + letters, sequence, q);
      }
    }
  };
  cover("", [], 1);
  const sum = covers.reduce((total, [, , , p]) => total + p, 0);
  for (const [before, token, added, p] of covers) walk(before, [token], added, p / sum);
  kernels.give(kernel);
  return found;
}
