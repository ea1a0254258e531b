/** What `fit` promises of its result: the same bytes however it is run, and a sound model of any text there is. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { parseConfig } from "../host/files/config.ts";
import { type FitOptions, fit, LEAST_TOKENS } from "../host/fit/fit.ts";
import { load, type ModelFiles } from "../host/index.ts";
import { tokenizerFromJSON } from "../host/tokenizer/index.ts";
import { compileQuickly, hooks } from "./compile-warm.ts";
import { BYTES, bytesOf, contents, recorder, SMALL, sound, TEXT } from "./fit-fixture.ts";
import { refusal } from "./model-fixture.ts";

compileQuickly();

const fitted = async (text: Uint8Array, options: FitOptions): Promise<ModelFiles> =>
  (await fit(() => [text], options)).files;

describe("the same files, byte for byte", () => {
  let wanted: Record<string, string>;
  beforeAll(async () => {
    wanted = contents(await fitted(TEXT, SMALL));
  });

  type Way = { threads: number; build: "simd" | "scalar"; cuts: number[]; reused: boolean };
  const WAYS = [0, 1, 2, 3].flatMap((threads) =>
    (["simd", "scalar"] as const).map((build): [Way] => [{ threads, build, cuts: [], reused: false }]),
  );

  test("whatever the threads, the build, and the chunks of the text", async () => {
    const way = fc.record<Way>({
      threads: fc.constantFrom(0, 1, 2, 3),
      build: fc.constantFrom("simd", "scalar"),
      cuts: fc.array(fc.nat(TEXT.length), { maxLength: 40 }),
      reused: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(way, async ({ threads, build, cuts, reused }) => {
        const { files } = await fit(() => pieces(TEXT, cuts, reused), { ...SMALL, threads, build });
        expect(contents(files)).toEqual(wanted);
      }),
      { numRuns: 20, examples: WAYS },
    );
  });

  test.each<[string, FitOptions]>([
    [
      "attention over the window, a document and a second layer",
      { windowAttention: true, documentGroups: 2, secondGroups: 1 },
    ],
    ["the explicit decoder", { passes: 0 }],
    ["ciphered inputs and cipher targets", { bits: 16, targets: "cipher", groups: 2, units: 12, passes: 2 }],
  ])("with %s, too", async (_what, options) => {
    const alone = contents(await fitted(TEXT, { ...SMALL, ...options, threads: 0, build: "scalar" }));
    for (const threads of [0, 1, 2, 3]) {
      for (const build of ["simd", "scalar"] as const) {
        expect(contents(await fitted(TEXT, { ...SMALL, ...options, threads, build }))).toEqual(alone);
      }
    }
  });

  test("from another process, which compiles anew", async () => {
    const script = `
      import { createHash } from "node:crypto";
      import { fit } from ${JSON.stringify(new URL("../host/fit/fit.ts", import.meta.url).href)};
      const text = Buffer.from(process.argv[1], "base64");
      const { files } = await fit(() => [text], { ...JSON.parse(process.argv[2]), threads: 2 });
      const digest = (bytes) => createHash("sha256").update(bytes).digest("hex");
      console.log(JSON.stringify(Array.from(files, ([name, bytes]) => [name, digest(bytes)])));`;
    const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
    const parameters = ["--import", tsx, "--input-type=module", "-e", script];
    parameters.push(Buffer.from(TEXT).toString("base64"), JSON.stringify(SMALL));
    const { stdout, stderr } = spawnSync(process.execPath, parameters, { encoding: "utf8" });
    expect(stdout, stderr).not.toBe("");
    const digest = (text: string) => createHash("sha256").update(text, "latin1").digest("hex");
    // there kernels are compiled as they are shipped
    compileQuickly(false);
    const shipped = contents(await fitted(TEXT, SMALL));
    compileQuickly();
    expect(Object.fromEntries(JSON.parse(stdout))).toEqual(
      Object.fromEntries(Object.entries(shipped).map(([name, text]) => [name, digest(text)])),
    );
  });

  test("of two fits at once as of each alone", async () => {
    const [one, other] = await Promise.all([
      fitted(TEXT, { ...SMALL, threads: 2 }),
      fitted(TEXT, { ...SMALL, threads: 2, seed: 2 }),
    ]);
    expect(contents(one)).toEqual(wanted);
    expect(contents(other)).toEqual(contents(await fitted(TEXT, { ...SMALL, seed: 2 })));
  });

  test("and others for another seed", async () => {
    const weights = new Set([wanted["model.safetensors"]]);
    for (const seed of [0, 2, 2 ** 32 - 1]) {
      weights.add(contents(await fitted(TEXT, { ...SMALL, seed }))["model.safetensors"]);
    }
    expect(weights.size).toBe(4);
  });

  test("with the tokenizer of an earlier fit handed in, whose size is V", async () => {
    const { tokenizer } = await fit(() => [TEXT], SMALL);
    const text = vi.fn(() => [TEXT]);
    const { events, onProgress } = recorder();
    const again = await fit(text, { ...SMALL, vocabulary: 4096, tokenizer, onProgress });
    expect(contents(again.files)).toEqual(wanted);
    expect(again.tokenizer).toBe(tokenizer);
    // there is nothing to train, so nothing is read for it
    expect(text).toHaveBeenCalledTimes(1);
    expect(events.map(({ phase }) => phase)).not.toContain("tokenizer");
  });
});

/** The text cut at `cuts`; `reused`: all from one buffer that the next chunk overwrites, as readers of files do. */
async function* pieces(text: Uint8Array, cuts: readonly number[], reused: boolean): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(text.length);
  const ends = [...cuts, text.length].sort((a, b) => a - b);
  let start = 0;
  for (const end of ends) {
    const piece = text.subarray(start, end);
    start = end;
    if (!reused) {
      yield piece;
      continue;
    }
    buffer.set(piece);
    yield buffer.subarray(0, piece.length);
    buffer.fill(0);
  }
}

describe("any bytes are data", () => {
  test("invalid UTF-8, and whatever else at least 16 tokens make", async () => {
    const text = fc.uint8Array({ minLength: LEAST_TOKENS, maxLength: 80 });
    await fc.assert(
      fc.asyncProperty(text, fc.uint8Array({ minLength: 1, maxLength: 20 }), async (bytes, others) => {
        const { files, report } = await fit(() => [bytes], BYTES);
        await sound(files, [bytes, others]);
        expect([report.trainTokens, report.trainBytes]).toEqual([bytes.length, bytes.length]);
      }),
      { numRuns: 25, examples: [[Uint8Array.from({ length: LEAST_TOKENS }, (_, i) => 0xf0 + i), Uint8Array.of(0xff)]] },
    );
  });

  test("bytes that all are equal: the model is nearly sure of the next, and no other is impossible", async () => {
    const text = new Uint8Array(2000).fill(0xfe);
    const model = await sound(await fitted(text, BYTES), [text, Uint8Array.of(1, 2, 3)]);
    expect(model.predict(text)[0xfe]).toBeGreaterThan(0.9);
    expect(model.score(Uint8Array.of(1)).bits).toBeGreaterThan(8); // less likely than under the uniform model
  });

  test("a single distinct token of many bytes", async () => {
    // one piece of nine bytes over and over: the eight merges that V 264 has room for make it one token
    const text = bytesOf(" abcdefgh".repeat(200));
    const { files, tokenizer, report } = await fit(() => [text], SMALL);
    expect(new Set(tokenizer.encode(text)).size).toBe(1);
    expect(report.trainTokens).toBe(200);
    const model = await sound(files, [text]);
    expect(model.score(text).bitsPerByte).toBeLessThan(0.5);
  });
});

describe("a text shorter than", () => {
  test("16 tokens is refused by both numbers, before anything is compiled", async () => {
    hooks.compiled.length = 0;
    for (const length of [0, 1, LEAST_TOKENS - 1]) {
      const text = new Uint8Array(length).fill(97);
      await expect(fit(() => [text], BYTES)).rejects.toEqual(refusal("INVALID_TEXT", `${length} tokens`, "16"));
    }
    await expect(fit(() => [], BYTES)).rejects.toEqual(refusal("INVALID_TEXT", "0 tokens", "16"));
    await expect(fit(() => [bytesOf("a b c d e")], SMALL)).rejects.toEqual(refusal("INVALID_TEXT", "9 tokens", "16"));
    expect(hooks.compiled).toEqual([]);
  });

  test("one byte is no text to train a tokenizer on", async () => {
    for (const chunks of [[], [new Uint8Array(0)], [new Uint8Array(0), new Uint8Array(0)]]) {
      await expect(fit(() => chunks, SMALL)).rejects.toEqual(refusal("INVALID_TEXT", "empty"));
    }
  });

  test("its vocabulary gives a smaller one, and inputs of no more bits than tokens", async () => {
    const text = bytesOf("she sells sea shells by the sea shore. ".repeat(12));
    const { files, report, tokenizer } = await fit(() => [text], { ...SMALL, vocabulary: 1024, bits: 700, passes: 1 });
    const { vocabulary, bits } = report.shape;
    expect(vocabulary).toBe(tokenizer.vocabularySize);
    expect(vocabulary).toBeGreaterThan(256);
    expect(vocabulary).toBeLessThan(700);
    expect(vocabulary % 8).toBe(0);
    expect(report.wantedVocabulary).toBe(1024); // it is told that the text fills no more
    expect(bits).toBe(vocabulary);
    await sound(files, [text]);
  });
});

test("a chunk that is neither bytes nor text is refused", async () => {
  const text = [TEXT, 7] as unknown as Uint8Array[];
  for (const options of [BYTES, SMALL]) {
    await expect(fit(() => text, options)).rejects.toEqual(refusal("INVALID_TEXT", "number"));
  }
});

describe("every form is a sound model that knows its text", () => {
  test.each<[string, FitOptions]>([
    ["label-cipher targets without iterative scaling: the plain published form", { targets: "cipher", passes: 0 }],
    ["the explicit decoder on responsibilities", { passes: 0 }],
    ["attention over the window", { windowAttention: true }],
    ["a document", { documentGroups: 2 }],
    ["a second layer", { secondGroups: 2 }],
    ["no history", { history: 0, matchLength: 0 }],
    ["as few bits as can name the tokens", { bits: 9 }],
    ["weights of four bits", { weightBits: 4 }],
    ["weights of four bits and no decoder after them", { weightBits: 4, passes: 0 }],
    ["predictions that are adapted to the text", { adapts: true }],
    ["a history with an index", { history: 2048, indexed: true }],
  ])("%s", async (_what, changes) => {
    const { groups: _g, units: _u, ...rest } = BYTES;
    // the plain form has a shape of its own, one wide group
    const options: FitOptions = changes.targets === "cipher" ? { ...rest, ...changes } : { ...BYTES, ...changes };
    const { events, onProgress } = recorder();
    const { files, report } = await fit(() => [TEXT], { ...options, profile: "nano", onProgress });
    const model = await sound(files, [TEXT, bytesOf("\0 quick café"), Uint8Array.of(0xff, 0xfe)]);
    expect(report.shape).toMatchObject({ ...(changes.targets === "cipher" ? { groups: 1, units: 16 } : {}) });
    expect(model.config.shape).toEqual(report.shape);
    expect(model.config.recipe).toMatchObject(JSON.parse(JSON.stringify(report.recipe)));
    // the unigram entropy of this text is 4.9 bits a byte
    expect(model.score(TEXT).bitsPerByte).toBeLessThan(3.5);
    const scalar = await load(files, { build: "scalar" });
    expect(scalar.score(TEXT).surprisal).toEqual(model.score(TEXT).surprisal);
    // what a form has no use for is left out
    const phases = new Set(events.map(({ phase }) => phase));
    expect(phases.has("mixture")).toBe(changes.history !== 0);
    expect(phases.has("scaling")).toBe(true);
  });
});

test("seed, passes and what the groups read each make a difference", async () => {
  const changes: FitOptions[] = [{}, { seed: 2 }, { windowAttention: false }, { passes: 1 }, { passes: 2 }];
  const weights = new Set<string>();
  for (const change of changes) {
    weights.add(contents(await fitted(TEXT, { ...BYTES, passes: 0, ...change }))["model.safetensors"]!);
  }
  expect(weights.size).toBe(changes.length);
});

test("a text of more tokens than the first buffer holds is fitted whole", async () => {
  const text = new Uint8Array(70_000).fill(122); // 65,536 are held at first
  for (let at = 0; at < 60_000; at += TEXT.length) text.set(TEXT, at);
  const half = 40_000;
  const chunks = [text.subarray(0, half), text.subarray(half)];
  const { files, report } = await fit(() => chunks, { ...BYTES, passes: 0 });
  expect([report.trainTokens, report.trainBytes]).toEqual([text.length, text.length]);
  expect((await load(files)).score(TEXT).bitsPerByte).toBeLessThan(3);
});

describe("the report", () => {
  test("and config.json say what was fitted, on how much, and how", async () => {
    const { files, report, tokenizer } = await fit(() => [TEXT], { ...SMALL, seed: 7 });
    const { shape, recipe } = parseConfig(files.get("config.json")!);
    expect(shape).toEqual(report.shape);
    expect(shape).toMatchObject({
      vocabulary: 264,
      bits: 264,
      window: 2,
      groups: 3,
      units: 8,
      history: 32,
      matchLength: 2,
    });
    expect(recipe).toEqual({
      ...report.recipe,
      trainTokens: tokenizer.encode(TEXT).length,
      trainBytes: TEXT.length,
    });
    expect(report.recipe).toMatchObject({ seed: 7, targets: "responsibility" });
    const written = tokenizerFromJSON(JSON.parse(new TextDecoder().decode(files.get("tokenizer.json"))));
    expect(written.encode(TEXT)).toEqual(tokenizer.encode(TEXT));
    expect(Array.from(files.keys()).sort()).toEqual(
      [
        "README.md",
        "config.json",
        "kernel.scalar.wasm",
        "kernel.simd.wasm",
        "model.safetensors",
        "tokenizer.json",
      ].sort(),
    );
  });

  test("scores each held-out text by itself, and held-out texts change no file", async () => {
    const none = await fit(() => [TEXT], SMALL);
    expect(none.report.heldOutBits).toBe(0);
    // many starts of texts: a context that reached from one into the next would show; one is longer than a batch of 2,048
    const long = bytesOf("dog 3: quick fox over dog. ".repeat(160));
    const texts = [...Array.from({ length: 30 }, (_, i) => bytesOf(`${i} over dog`)), long];
    const bits = async (heldOut: Uint8Array[]) => {
      const { files, report } = await fit(() => [TEXT], { ...SMALL, heldOut });
      expect(contents(files)).toEqual(contents(none.files));
      return report.heldOutBits;
    };
    const all = await bits([new Uint8Array(0), ...texts, new Uint8Array(0)]);
    const reversed = await bits(texts.toReversed());
    const short = await bits(texts.slice(0, 1));
    expect(all).toBeGreaterThan(0);
    expect(reversed / all).toBeCloseTo(1, 9);
    let sum = 0;
    for (const text of texts.slice(0, 4)) sum += await bits([text]);
    expect((await bits(texts.slice(0, 4))) / sum).toBeCloseTo(1, 9);
    expect(short).toBeLessThan(all);
  });
});
