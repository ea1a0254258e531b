/** Symbols: streams of ids that mean what the caller likes, from the fit to the model that is loaded again. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { fit, load, type Model, type ModelFiles, save, symbolTokenizer, tokenizerFromJSON } from "../host/index.ts";
import { encodeStream, type Text } from "../host/tokenizer/index.ts";
import { refusal } from "./model-fixture.ts";

async function streamed(size: number, chunks: Text[]): Promise<number[]> {
  const tokens: number[] = [];
  for await (const batch of encodeStream(symbolTokenizer(size), chunks)) tokens.push(...batch);
  return tokens;
}

describe("a tokenizer of symbols", () => {
  test("reads ids as they are, and decimal numbers; what it writes it reads again", () => {
    const ids = fc.array(fc.nat(65_527), { maxLength: 40 });
    fc.assert(
      fc.property(ids, fc.constantFrom(" ", "\n", "\t ", "\r\n"), (given, blank) => {
        const tokenizer = symbolTokenizer(65_528);
        expect([...tokenizer.encode(Uint16Array.from(given))]).toEqual(given);
        expect([...tokenizer.encode(given.join(blank))]).toEqual(given);
        expect([...tokenizer.encode(tokenizer.decode(given))]).toEqual(given);
        expect(new TextDecoder().decode(tokenizer.decode(given))).toBe(given.map((id) => `${id} `).join(""));
      }),
    );
  });

  test("reads a text in chunks as the whole, however it is cut, and ids among it", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(999), { maxLength: 20 }),
        fc.array(fc.nat(60), { maxLength: 6 }),
        async (ids, cuts) => {
          const text = ids.join(" ");
          const at = [0, ...cuts.map((cut) => Math.min(cut, text.length)).sort((a, b) => a - b), text.length];
          const chunks = at.slice(1).map((end, i) => text.slice(at[i], end));
          expect(await streamed(1000, chunks)).toEqual(ids);
          expect(await streamed(1000, [...chunks, Uint16Array.of(7, 8), "9"])).toEqual([...ids, 7, 8, 9]);
        },
      ),
    );
  });

  test("has a multiple of 8 tokens, which its file names", () => {
    for (const [size, vocabulary] of [
      [4, 8],
      [8, 8],
      [9, 16],
      [65_521, 65_528],
    ] as const) {
      const tokenizer = symbolTokenizer(size);
      expect(tokenizer.vocabularySize).toBe(vocabulary);
      const again = tokenizerFromJSON(JSON.parse(JSON.stringify(tokenizer.toJSON())));
      expect(again.vocabularySize).toBe(vocabulary);
      expect([...again.encode(`1 2 ${size - 1}`)]).toEqual([1, 2, size - 1]);
      // ids that V has beyond the symbols are of none
      expect(() => again.encode(`${size}`)).toThrow(refusal("TOKEN_OUT_OF_RANGE", `0..${size - 1}`) as Error);
    }
    for (const size of [0, 65_529, 1.5, Number.NaN, "8" as unknown as number]) {
      expect(() => symbolTokenizer(size)).toThrow(refusal("INVALID_OPTION", "size", "1..65528") as Error);
    }
    for (const size of [0, 65_536, 1.5, "8", undefined]) {
      const json = { version: "1.0", model: { type: "Symbols", size } };
      expect(() => tokenizerFromJSON(json)).toThrow(refusal("TOKENIZER_INVALID", "model.size", "1..65528") as Error);
    }
  });

  test("refuses what is no number by name, and ids beyond V", async () => {
    const tokenizer = symbolTokenizer(16);
    for (const text of ["1 x", "-1", "1.5", "0x3", "1,2", "é", "9".repeat(30)]) {
      expect(() => tokenizer.encode(text)).toThrow(refusal("INVALID_TEXT", "decimal numbers") as Error);
      await expect(streamed(16, [text])).rejects.toThrow(refusal("INVALID_TEXT", "decimal numbers") as Error);
    }
    for (const text of ["16", "3 99999", Uint16Array.of(3, 16)]) {
      expect(() => tokenizer.encode(text)).toThrow(refusal("TOKEN_OUT_OF_RANGE", "0..15") as Error);
      await expect(streamed(16, [text])).rejects.toThrow(refusal("TOKEN_OUT_OF_RANGE", "0..15") as Error);
    }
    // digits without an end are refused before they fill the memory
    await expect(
      streamed(
        16,
        Array.from({ length: 100 }, () => "1"),
      ),
    ).rejects.toThrow(refusal("INVALID_TEXT"));
  });
});

describe("a model of symbols", () => {
  /** A machine that goes round, with a fault now and then. */
  const states = (n: number, seed = 1) => {
    let state = seed;
    return Uint16Array.from({ length: n }, (_, i) => {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      return state >>> 28 === 0 ? 10 + ((state >>> 8) & 1) : [0, 1, 1, 2, 3, 2][i % 6]!;
    });
  };
  let files: ModelFiles;
  let model: Model;
  beforeAll(async () => {
    const train = states(6000);
    // in chunks, as ids and as text
    const text = () => [train.subarray(0, 4000), new TextEncoder().encode(train.subarray(4000).join(" "))];
    ({ files } = await fit(text, { profile: "nano", tokenizer: symbolTokenizer(12), threads: 0 }));
    model = await load(files);
  });

  test("is fitted, saved and loaded again", async () => {
    const place = await mkdtemp(join(tmpdir(), "saffu-test-"));
    try {
      await save(join(place, "model"), files);
      const again = await load(join(place, "model"));
      expect(again.tokenizer.vocabularySize).toBe(16);
      expect(again.score(states(500, 7))).toEqual(model.score(states(500, 7)));
    } finally {
      await rm(place, { recursive: true });
    }
  });

  test("predicts what comes next: a fault surprises, the ordinary does not", () => {
    const ordinary = Uint16Array.from({ length: 60 }, (_, i) => [0, 1, 1, 2, 3, 2][i % 6]!);
    const { surprisal, tokens } = model.score(ordinary);
    expect(tokens).toBe(60);
    expect(surprisal.slice(6).every((bits) => bits < 1)).toBe(true);
    const faulty = model.score(Uint16Array.of(...ordinary.subarray(0, 30), 11)).surprisal[30]!;
    expect(faulty).toBeGreaterThan(3);
    expect(model.predict(ordinary).length).toBe(16);
    expect(model.score("0 1 1 2").surprisal).toEqual(model.score(Uint16Array.of(0, 1, 1, 2)).surprisal);
  });

  test("observes and forgets ids, and writes them", async () => {
    const learner = await load(files);
    const before = await learner.exportStatistics();
    const piece = states(300, 9);
    expect(await learner.observe(piece)).toMatchObject({ tokens: 300, observedTokens: 300 });
    await learner.observe([piece.subarray(0, 10), "3 2 1"]);
    await learner.refit();
    await learner.forget([piece.subarray(0, 10), "3 2 1"]);
    await learner.forget(piece);
    expect(await learner.exportStatistics()).toEqual(before);
    const written: number[] = [];
    let text = "";
    const hot = { maxTokens: 200, temperature: 30, onToken: (id: number) => void written.push(id) };
    for await (const each of model.generate("0 1 1 2", hot)) text += each;
    expect(text).toBe(written.map((id) => `${id} `).join(""));
    expect(Math.max(...written)).toBe(11); // of 12 symbols, where V is 16
    let again = "";
    for await (const each of model.generate(Uint16Array.of(0, 1, 1, 2), hot)) again += each;
    expect(again).toBe(text);
    const found = model.candidates(Uint16Array.of(0, 1));
    expect(found.length).toBe(12);
    expect(found.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 5);
    expect(model.candidates("0 1")).toEqual(found);
    expect(model.score("0  1\n\n1").bytes).toBe((await model.scoreStream(["0  1\n\n1"])).bytes);
  });

  test("does not take text that is none of symbols; a model of text takes ids", async () => {
    expect(() => model.score("hello")).toThrow(refusal("INVALID_TEXT", "decimal") as Error);
    await expect(model.observe("hello")).rejects.toThrow(refusal("INVALID_TEXT", "decimal"));
    await expect(model.observe(Uint16Array.of(99))).rejects.toThrow(refusal("TOKEN_OUT_OF_RANGE", "99"));
    const english = await load("models/potato-en");
    const ids = english.tokenizer.encode("The boiler of the miller.");
    expect(english.score(ids)).toEqual(english.score("The boiler of the miller."));
    await english.observe(ids);
    await english.forget("The boiler of the miller.");
    expect((await english.statistics()).observedTokens).toBe(0);
    expect(() => english.score(Uint16Array.of(1024))).toThrow(refusal("TOKEN_OUT_OF_RANGE", "0..1023") as Error);
  });

  test("a tokenizer that could not be loaded again is refused before the fit", async () => {
    const own = { ...symbolTokenizer(8), vocabularySize: 8, toJSON: () => ({ mine: true }) };
    const wrapped = Object.assign(Object.create(symbolTokenizer(8)), own);
    await expect(fit(() => [states(100)], { tokenizer: wrapped })).rejects.toThrow(refusal("TOKENIZER_INVALID"));
  });

  test("a session holds a number back that may go on", () => {
    const session = model.session();
    expect(session.push("0 1 1").pieces.map(({ id }) => id)).toEqual([0, 1]);
    expect(session.heldBack).toBe(1);
    expect(session.push("0 2 ").pieces.map(({ id }) => id)).toEqual([10, 2]);
    session.push("3");
    expect(session.candidates().length).toBe(12);
    expect(session.flush().pieces.map(({ id }) => id)).toEqual([3]);
    session.close();
  });
});
