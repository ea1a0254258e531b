/** A loaded model: what it generates and scores, and that its calls do not disturb one another. */
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { load as loadInBrowser } from "../host/browser.ts";
import type { ModelFiles } from "../host/files/config.ts";
import { load, type Model } from "../host/index.ts";
import type { GenerateOptions } from "../host/model/sampling.ts";
import { randomModel, refusal } from "./model-fixture.ts";

let files: ModelFiles;
let model: Model;

beforeAll(async () => {
  files = await randomModel();
  model = await load(files);
});

/** The pieces of a generation, and the tokens sampled for it. */
async function generated(prompt: string | Uint8Array, options: GenerateOptions = {}, from = model) {
  const tokens: number[] = [];
  const pieces: string[] = [];
  for await (const piece of from.generate(prompt, { ...options, onToken: (token) => tokens.push(token) })) {
    pieces.push(piece);
  }
  return { tokens, pieces, text: pieces.join("") };
}

const asText = (bytes: Iterable<number>) =>
  new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(bytes));
const seeds = fc.nat(0xffffffff);

describe("generate", () => {
  test("gives the same text for the same seed, from scalar and simd, and from the browser's entry", async () => {
    const scalar = await load(files, { build: "scalar" });
    const browser = (await loadInBrowser(files)) as Model;
    const texts = new Set<string>();
    for (const seed of [0, 1, 2, 0xffffffff]) {
      const wanted = await generated("once", { seed, maxTokens: 100 });
      expect(wanted.tokens.length).toBe(100);
      expect(await generated("once", { seed, maxTokens: 100 })).toEqual(wanted);
      expect(await generated("once", { seed, maxTokens: 100 }, scalar)).toEqual(wanted);
      expect(await generated("once", { seed, maxTokens: 100 }, browser)).toEqual(wanted);
      texts.add(wanted.text);
    }
    expect(texts.size).toBe(4);
  });

  test("emits whole characters, and together they are the text of the sampled bytes", async () => {
    await fc.assert(
      fc.asyncProperty(seeds, fc.integer({ min: 1, max: 60 }), async (seed, maxTokens) => {
        const { tokens, pieces, text } = await generated("", {
          ...{ seed, maxTokens, temperature: 1.5, wellFormed: false },
        });
        expect(text).toBe(asText(tokens)); // with the byte tokenizer a token's id is its byte
        for (const piece of pieces) expect(piece).not.toBe("");
      }),
      { numRuns: 100 },
    );
  });

  test("ends before a stop string, wherever pieces begin and end, and emits no part of it", async () => {
    await fc.assert(
      fc.asyncProperty(
        seeds,
        fc.nat(50),
        fc.integer({ min: 1, max: 6 }),
        fc.boolean(),
        async (seed, at, length, second) => {
          const { text } = await generated("", { seed, maxTokens: 60 });
          const stop = text.slice(at, at + length);
          fc.pre(stop !== "");
          const stopped = await generated("", { seed, maxTokens: 60, stop: second ? ["no such text", stop] : [stop] });
          expect(stopped.text).toBe(text.slice(0, text.indexOf(stop)));
        },
      ),
      { numRuns: 200 },
    );
  });

  test("emits what looked like the beginning of a stop string, when the text ends in it", async () => {
    const { text } = await generated("", { seed: 5, maxTokens: 20 });
    expect((await generated("", { seed: 5, maxTokens: 20, stop: [`${text.slice(-3)}more`] })).text).toBe(text);
  });

  test("a stop string ends it at once, without sampling on", async () => {
    const { tokens } = await generated("", { seed: 3, maxTokens: 1000, stop: ["\ufffd"], wellFormed: false });
    expect(tokens.length).toBeLessThan(50);
  });

  test("of temperature 0 takes the likeliest token, whatever the seed", async () => {
    const { tokens } = await generated("abc", { temperature: 0, maxTokens: 5 });
    let context = [...new TextEncoder().encode("abc")];
    for (const token of tokens) {
      const probabilities = model.predict(Uint8Array.from(context));
      expect(token).toBe(probabilities.indexOf(Math.max(...probabilities)));
      context = [...context, token];
    }
    expect((await generated("abc", { temperature: 0, maxTokens: 5, seed: 99 })).tokens).toEqual(tokens);
    expect((await generated("abc", { topK: 1, maxTokens: 5, seed: 99 })).tokens).toEqual(tokens);
  });

  test("takes a prompt as text or as bytes, empty or not UTF-8", async () => {
    const bytes = new TextEncoder().encode("né");
    expect(await generated(bytes, { seed: 4 })).toEqual(await generated("né", { seed: 4 }));
    expect((await generated("")).tokens.length).toBe(256);
    expect((await generated(Uint8Array.of(0xff, 0xfe))).tokens.length).toBe(256);
    await expect(generated(7 as unknown as string)).rejects.toThrow(refusal("INVALID_TEXT"));
  });

  test("stops at its next token when aborted, and frees the model", async () => {
    const controller = new AbortController();
    let pieces = 0;
    const run = async () => {
      for await (const _ of model.generate("", { maxTokens: 1_000_000, signal: controller.signal })) {
        if (++pieces === 3) controller.abort();
      }
    };
    await expect(run()).rejects.toThrow(refusal("ABORTED"));
    expect(pieces).toBe(3);
    const aborted = { signal: AbortSignal.abort() };
    await expect(generated("", aborted)).rejects.toThrow(refusal("ABORTED"));
  });

  test("gives way to timers, so that a signal from outside reaches it", async () => {
    const signal = AbortSignal.timeout(50);
    await expect(generated("", { maxTokens: 1_000_000, signal })).rejects.toThrow(refusal("ABORTED"));
    await expect(generated("some words ".repeat(1_000_000), { signal: AbortSignal.timeout(50) })).rejects.toThrow(
      refusal("ABORTED"),
    );
  });

  test.each<[GenerateOptions, string[]]>([
    [{ maxTokens: 0 }, ["maxTokens", "1..1000000", "0"]],
    [{ maxTokens: Number.NaN }, ["maxTokens", "NaN"]],
    [{ maxTokens: Number.POSITIVE_INFINITY }, ["maxTokens", "Infinity"]],
    [{ temperature: Number.NaN }, ["temperature", "NaN"]],
    [{ temperature: -0.1 }, ["temperature", "-0.1"]],
    [{ temperature: 1001 }, ["temperature", "1000"]],
    [{ temperature: 1e-30 }, ["temperature", "0.000001"]],
    [{ topK: -1 }, ["topK", "0..65535"]],
    [{ topK: 1.5 }, ["topK", "1.5"]],
    [{ topK: Number.NaN }, ["topK", "NaN"]],
    [{ topP: 0 }, ["topP", "0.000001..1"]],
    [{ topP: 1e-50 }, ["topP", "1e-50"]],
    [{ topP: 1.1 }, ["topP", "0.000001..1"]],
    [{ topP: Number.NaN }, ["topP", "NaN"]],
    [{ seed: -1 }, ["seed", "0..4294967295"]],
    [{ seed: 2 ** 32 }, ["seed", "4294967296"]],
    [{ heal: 1 as unknown as boolean }, ["heal", "true or false", "1"]],
    [{ wellFormed: null as unknown as boolean }, ["wellFormed", "true or false"]],
    [{ stop: [""] }, ["stop", "not empty"]],
    [{ stop: "text" as unknown as string[] }, ["stop"]],
    [{ temperature: "0.5" as unknown as number }, ["temperature", `"0.5"`]],
    [{ topP: 1n as unknown as number }, ["topP", "1"]],
  ])("refuses %o by name and bound", async (options, named) => {
    await expect(generated("", options)).rejects.toThrow(refusal("INVALID_OPTION", ...named));
  });

  test("any options either generate or are refused with a typed error", async () => {
    const value = fc.oneof(fc.double(), fc.integer(), fc.anything());
    const options = fc.record(
      { temperature: value, topK: value, topP: value, seed: value, stop: value },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(options, async (given) => {
        const call = generated("", { ...given, maxTokens: 2 } as GenerateOptions);
        await call.catch((error) => expect(error).toEqual(refusal("INVALID_OPTION")));
      }),
      { numRuns: 1000 },
    );
  });

  test("every option in range gives tokens of the vocabulary", async () => {
    const options = fc.record({
      temperature: fc.oneof(fc.constant(0), fc.double({ min: 2 ** -20, max: 1000, noNaN: true })),
      topK: fc.nat(65535),
      topP: fc.double({ min: 2 ** -20, max: 1, noNaN: true }),
      seed: seeds,
    });
    await fc.assert(
      fc.asyncProperty(options, async (given) => {
        const { tokens } = await generated("a", { ...given, maxTokens: 3 });
        expect(tokens.length).toBe(3);
        for (const token of tokens) expect(token).toBeLessThan(256);
      }),
      { numRuns: 300 },
    );
  });
});

describe("score", () => {
  test("gives the surprisal of each token under the prediction from what came before", () => {
    const text = new TextEncoder().encode("abcabcab ünd");
    const { surprisal, tokens, bytes, bits, bitsPerByte, perplexity } = model.score(text);
    for (const [at, byte] of text.entries()) {
      // the kernel's own logarithm is good to about 1e-6
      expect(surprisal[at]).toBeCloseTo(-Math.log2(model.predict(text.subarray(0, at))[byte]!), 4);
    }
    expect([tokens, bytes]).toEqual([text.length, text.length]);
    expect(bits).toBeCloseTo(
      surprisal.reduce((sum, value) => sum + value, 0),
      3,
    );
    expect(bitsPerByte).toBe(bits / bytes);
    expect(perplexity).toBeCloseTo(2 ** (bits / tokens), 6);
  });

  test("counts bytes of UTF-8, of text as of bytes", () => {
    const text = "naïve 😀 \ud800"; // a lone surrogate is encoded as U+FFFD
    expect(model.score(text)).toEqual(model.score(new TextEncoder().encode(text)));
    expect(model.score(text).bytes).toBe(15);
  });

  test("is the same in chunks, however they are cut", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 3000 }), fc.array(fc.nat(3000)), async (text, cuts) => {
        const places = [0, ...cuts.filter((cut) => cut < text.length).sort((a, b) => a - b), text.length];
        const chunks = places.slice(1).map((end, i) => text.subarray(places[i], end));
        const { surprisal, ...totals } = model.score(text);
        expect(await model.scoreStream(chunks)).toEqual(totals);
        const batches: number[] = [];
        for await (const batch of model.surprisals(chunks)) batches.push(...batch);
        expect(batches).toEqual([...surprisal]);
      }),
      { numRuns: 50 },
    );
  });

  test("takes one token, and none: an empty text has no tokens, no bits, and no error", async () => {
    expect(model.score("a").tokens).toBe(1);
    const nothing = { tokens: 0, bytes: 0, bits: 0, bitsPerByte: 0, perplexity: 1 };
    expect(model.score("")).toEqual({ ...nothing, surprisal: new Float32Array(0) });
    expect(model.score(new Uint8Array(0))).toEqual(model.score(""));
    for (const chunks of [[], [""], ["", new Uint8Array(0)]]) expect(await model.scoreStream(chunks)).toEqual(nothing);
    expect(() => model.score(null as unknown as string)).toThrow(refusal("INVALID_TEXT"));
    await expect(model.scoreStream([5 as unknown as string])).rejects.toThrow(refusal("INVALID_TEXT"));
  });

  test("of line after line goes on after a blank one, and so does learning", async () => {
    const lines = ["first", "", "second", ""];
    expect(lines.map((line) => model.score(line).tokens)).toEqual([5, 0, 6, 0]);
    const learner = await load(files);
    for (const [i, line] of lines.entries()) {
      const { tokens, bytes, bits, observedTokens } = await learner.observe(line);
      expect([tokens, bytes, observedTokens]).toEqual([line.length, line.length, [5, 5, 11, 11][i]]);
      expect(bits > 0).toBe(line !== "");
    }
    const { observedTokens, memoryTokens, statisticsDigest } = await learner.statistics();
    expect([observedTokens, memoryTokens]).toEqual([11, 11]);
    const without = await load(files);
    await without.observe("first");
    await without.observe("second");
    expect((await without.statistics()).statisticsDigest).toBe(statisticsDigest);
    expect(await without.learnedFile()).toEqual(await learner.learnedFile());
    expect((await learner.forget("")).tokens).toBe(0);
    expect((await learner.statistics()).statisticsDigest).toBe(statisticsDigest);
  });

  test("of a stream tells its progress, gives way, and can be aborted", async () => {
    async function* endless() {
      for (;;) yield "the same again ";
    }
    let bytes = 0;
    const call = model.scoreStream(endless(), {
      signal: AbortSignal.timeout(50),
      onProgress: (done) => {
        expect(done.bytes).toBeGreaterThan(bytes);
        bytes = done.bytes;
      },
    });
    await expect(call).rejects.toThrow(refusal("ABORTED"));
    expect(bytes).toBeGreaterThan(0);
    await expect(model.scoreStream(["a"], { signal: AbortSignal.abort() })).rejects.toThrow(refusal("ABORTED"));
  });
});

describe("calls do not disturb one another", () => {
  test("a score or a prediction in the middle of a generation, and two generations at once", async () => {
    const wanted = await generated("once", { seed: 1, maxTokens: 40 });
    const other = await generated("twice", { seed: 2, maxTokens: 40 });
    const score = model.score("a text");
    const first = model.generate("once", { seed: 1, maxTokens: 40 });
    const second = model.generate("twice", { seed: 2, maxTokens: 40 });
    const texts = ["", ""];
    for (let open = 2; open > 0; ) {
      open = 0;
      for (const [i, running] of [first, second].entries()) {
        const { done, value } = await running.next();
        if (!done) {
          ++open;
          texts[i] += value;
        }
        expect(model.score("a text")).toEqual(score);
        model.predict("something else");
      }
    }
    expect(texts).toEqual([wanted.text, other.text]);
  });

  test("generations that are begun and never finished stand in nobody's way", async () => {
    const wanted = await generated("once", { seed: 1, maxTokens: 40 });
    for (let i = 0; i < 20; ++i) await model.generate("left", { seed: i }).next();
    expect(await generated("once", { seed: 1, maxTokens: 40 })).toEqual(wanted);
  });

  test("a generation that is left ends, and its instance is used again", async () => {
    for await (const _ of model.generate("", { maxTokens: 1000 })) break;
    expect((await generated("", { maxTokens: 3 })).tokens.length).toBe(3);
  });
});

test("info tells shape, parameters, memory, and bytes and digest of every file", () => {
  const info = model.info();
  expect(info.shape.vocabulary).toBe(256);
  expect(info.parameters).toBe(2 * 32 * 8 + 8 + 256 * 8 + 256 + 2 * 32);
  expect(info.memoryBytes % 65536).toBe(0);
  expect(Object.keys(info.files).sort()).toEqual([...files.keys()].sort());
  for (const [name, { bytes, sha256 }] of Object.entries(info.files)) {
    expect(bytes).toBe(files.get(name)!.length);
    expect(sha256).toMatch(/^[0-9a-f]{64}$/);
  }
});

test("a model is not saved where there are no directories", async () => {
  const model = (await loadInBrowser(files)) as Model; // whose type has no save there
  await expect(model.save("anywhere")).rejects.toThrow(refusal("UNSUPPORTED"));
});
