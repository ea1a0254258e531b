/** What a fit remembers: the long-term memory, and the weights of long matches. */
import { describe, expect, test } from "vitest";
import { bytesNeeded } from "../host/compile/layout.ts";
import { parseConfig, withConfig } from "../host/files/config.ts";
import { orderOf } from "../host/files/memory.ts";
import { readTensors, writeTensors } from "../host/files/safetensors.ts";
import { shapeOf } from "../host/fit/recipe.ts";
import { type FitOptions, fit, load, type ModelFiles } from "../host/index.ts";
import { chainedText } from "./chained-text.ts";

const ENCODER = new TextEncoder();
/** Lines of a gateway, ever the same but for numbers and one word in eight. */
const lines = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => {
    const n = from + i;
    const device = ["kitchen", "cellar", "attic"][(n * 7) % 3];
    return `2026-11-${10 + (n % 20)} ${device}: temperature ${18 + ((n * 5) % 9)}.${n % 10} humidity ${40 + ((n * 3) % 21)}\n`;
  }).join("");
const TRAIN = ENCODER.encode(lines(0, 400));
const TEST = ENCODER.encode(lines(400, 500));

const fitted = (options: FitOptions = {}) => fit(() => [TRAIN], { profile: "nano", threads: 0, ...options });
const tensorsOf = (files: ModelFiles) => readTensors(files.get("model.safetensors")!, "model.safetensors").tensors;
const bitsOf = async (files: ModelFiles) => (await load(files)).score(TEST).bits / TEST.length;

describe("a memory", () => {
  test("is the end of the text, as long as was asked for, and no longer than the text", async () => {
    for (const [remember, tokens] of [
      [1, 1],
      [1000, 1000],
      [65_536, TRAIN.length],
    ] as const) {
      const { files, report } = await fitted({ remember });
      expect(report.shape.memory).toBe(tokens);
      expect(tensorsOf(files).get("memory.tokens")!.data).toEqual(TRAIN.slice(TRAIN.length - tokens));
    }
    const { report, files } = await fitted({ remember: 0 });
    expect(report.shape.memory).toBeUndefined();
    expect(tensorsOf(files).has("memory.tokens")).toBe(false);
  });

  test("has two bytes a token of a larger vocabulary", async () => {
    const { files, report, tokenizer } = await fitted({
      profile: "potato",
      vocabulary: 320,
      groups: 2,
      documentGroups: 1,
      remember: 1001,
    });
    expect(report.shape).toMatchObject({ vocabulary: 320, memory: 500, memoryIndexed: true });
    expect(tensorsOf(files).get("memory.tokens")!.data).toEqual(tokenizer.encode(TRAIN).slice(-500));
  });

  test("saves a quarter of the bits of a log, and what knows long matches alone saves some", async () => {
    const [neither, matches, both] = await Promise.all(
      [{ longMatches: false }, { remember: 0 }, {}].map(async (options) => bitsOf((await fitted(options)).files)),
    );
    expect(matches!).toBeLessThan(neither!);
    expect(both!).toBeLessThan(matches! * 0.75);
  });

  test("is left out where it saves less than a hundredth of the bits, unless it was asked for", async () => {
    // what comes after has nothing in common with what came before
    let state = 1;
    const noise = Uint8Array.from({ length: 40_000 }, () => {
      for (const by of [13, -17, 5]) state ^= by > 0 ? state << by : state >>> -by; // xorshift32: Marsaglia 2003
      return state & 0xff;
    });
    const { report } = await fit(() => [noise], { profile: "nano", threads: 0, passes: 1 });
    expect(report.shape.memory).toBeUndefined();
    const asked = await fit(() => [noise], { profile: "nano", threads: 0, passes: 1, remember: 500 });
    expect(asked.report.shape.memory).toBe(500);
    expect((await load(asked.files)).score(TEST).bits).toBeGreaterThan(0);
  });

  test.each([-1, 1.5, Number.NaN, 2 ** 24 + 1, "1000", null])(
    "of %s bytes is refused by its bound",
    async (remember) => {
      await expect(fitted({ remember: remember as number })).rejects.toMatchObject({
        code: "INVALID_OPTION",
        message: expect.stringMatching(/^remember must be an integer in 0\.\.16777216, got /),
      });
    },
  );

  test("of a model without long matches is refused", async () => {
    await expect(fitted({ remember: 8, history: 0 })).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: "remember must be 0 where there are no long matches, got 8",
    });
  });

  test("of another tokenizer is refused, by its tokens or by the digests", async () => {
    const { files } = await fitted({ remember: 100 });
    const { shape, recipe } = parseConfig(files.get("config.json")!);
    const tensors = new Map(tensorsOf(files));
    const wide = Uint16Array.from(TRAIN.slice(-100), (byte) => byte + 300);
    tensors.set("memory.tokens", { dtype: "U16", shape: [100], data: wide });
    const weights = writeTensors(tensors);
    const other = await withConfig(new Map(files).set("model.safetensors", weights), shape, { ...recipe });
    await expect(load(other)).rejects.toMatchObject({
      code: "MODEL_CORRUPT",
      message: expect.stringContaining("memory.tokens is U16 (100), the shape wants U8 (100)"),
    });
    await expect(load(new Map(files).set("model.safetensors", weights))).rejects.toMatchObject({
      code: "MODEL_DIGEST",
    });
  });
});

describe("n-grams", () => {
  const chained = chainedText(60_000, 1);
  const other = chainedText(4000, 2);
  const made = (options: FitOptions) => fit(() => [chained], { profile: "nano", threads: 0, passes: 2, ...options });
  const scoreOf = async (files: ModelFiles) => (await load(files)).score(other).bits / other.length;

  test("are what a model remembers where they save more than the text's end, at no more bytes", async () => {
    const { files, report } = await made({ remember: 6000 });
    expect(report.shape.memory).toBeUndefined();
    expect(report.shape.ngrams).toBeGreaterThan(3000);
    expect(report.shape.ngrams).toBeLessThanOrEqual(6000);
    expect(tensorsOf(files).get("memory.ngrams")!.data.length).toBe(report.shape.ngrams);
    const without = await scoreOf((await made({ remember: 0 })).files);
    // a letter in five is any of ten: 1.2 bits are the least
    expect(await scoreOf(files)).toBeLessThan(Math.min(1.6, without * 0.85));
    expect(new TextDecoder().decode(files.get("README.md"))).toContain("n-grams");
  });

  test("more bytes save more, and as few as none have room in is as none", async () => {
    const [few, more] = await Promise.all(
      [1500, 6000].map(async (remember) => scoreOf((await made({ remember })).files)),
    );
    expect(more!).toBeLessThan(few!);
    expect((await made({ remember: 100 })).report.shape).toMatchObject({ memory: 100 });
  });

  test("are the same by one thread or two, and by either build", async () => {
    const [one, two, scalar] = await Promise.all([
      made({ remember: 6000 }),
      made({ remember: 6000, threads: 2 }),
      made({ remember: 6000, build: "scalar" }),
    ]);
    expect(one.report.shape.ngrams).toBeGreaterThan(0);
    for (const each of [two, scalar]) {
      expect(each.files.get("model.safetensors")).toEqual(one.files.get("model.safetensors"));
    }
  });

  test("of other bytes, or of another vocabulary, are refused by name", async () => {
    const { files, report } = await made({ remember: 6000 });
    const { shape, recipe } = parseConfig(files.get("config.json")!);
    const spoiled = async (change: (bytes: Uint8Array) => void) => {
      const tensors = new Map(tensorsOf(files));
      const data = Uint8Array.from(tensors.get("memory.ngrams")!.data as Uint8Array);
      change(data);
      tensors.set("memory.ngrams", { dtype: "U8", shape: [data.length], data });
      return load(
        await withConfig(new Map(files).set("model.safetensors", writeTensors(tensors)), shape, { ...recipe }),
      );
    };
    await expect(spoiled(() => {})).resolves.toBeDefined();
    await expect(spoiled((bytes) => bytes.fill(255, 0, 4))).rejects.toMatchObject({
      code: "MODEL_CORRUPT",
      message: `model.safetensors: memory.ngrams has 4294967295 buckets in ${report.shape.ngrams} bytes`,
    });
    await expect(spoiled((bytes) => bytes.fill(255, 8, 12))).rejects.toMatchObject({
      code: "MODEL_CORRUPT",
      message: "model.safetensors: memory.ngrams has a factor of NaN",
    });
  });

  test("a fit that looks for them is aborted there", async () => {
    const controller = new AbortController();
    const onProgress: FitOptions["onProgress"] = ({ phase }) => {
      if (phase === "ngrams") controller.abort();
    };
    await expect(made({ remember: 3000, onProgress, signal: controller.signal })).rejects.toMatchObject({
      code: "ABORTED",
    });
  });
});

describe("weights of the long matches", () => {
  test("are found on text that the network has not seen: other text, other weights, and within their bounds", async () => {
    const { files } = await fitted();
    const weights = tensorsOf(files).get("attention.long")!.data as Float32Array;
    const cells = weights.length / 2;
    expect(weights.subarray(0, cells).some((w) => w !== Math.fround(0.15))).toBe(true);
    expect(weights.subarray(cells).some((b) => b !== 0)).toBe(true);
    expect(weights.subarray(0, cells).every((w) => w >= -1 && w <= 3)).toBe(true);
    expect(weights.subarray(cells).every((b) => Math.abs(b) <= 8)).toBe(true);
  });

  test("are the same whatever the kernels that the model gets", async () => {
    const all = await Promise.all(
      ([["scalar"], ["simd"], ["scalar", "simd"]] as const).map(async (kernels) => (await fitted({ kernels })).files),
    );
    const [first, ...rest] = all.map((files) => files.get("model.safetensors"));
    for (const other of rest) expect(other).toEqual(first);
  });
});

describe("profiles", () => {
  test("nano learns in one page of 64 KiB, its memory of 16 KiB included; micro in four", () => {
    expect(bytesNeeded({ ...shapeOf({ profile: "nano" }), memory: 16_384 })).toBeLessThanOrEqual(65_536);
    expect(bytesNeeded({ ...shapeOf({ profile: "micro" }), memory: 49_152 })).toBeLessThanOrEqual(262_144);
  });
});

test("the order of a memory's places is that of what stands before them, read backwards; of equals the newest is first", () => {
  const text = ENCODER.encode("abracadabra");
  const before = (place: number) => Array.from(text.subarray(0, place)).reverse();
  const order = Array.from(orderOf(text));
  expect(order.slice().sort((a, b) => a - b)).toEqual(order.map((_, i) => i));
  for (let i = 1; i < order.length; ++i) {
    const [a, b] = [before(order[i - 1]!), before(order[i]!)];
    const differs = a.findIndex((token, at) => token !== b[at]);
    expect(differs < 0 || (b[differs] !== undefined && a[differs]! < b[differs]!)).toBe(true);
  }
  expect(Array.from(orderOf(new Uint8Array(50).fill(7))).slice(0, 3)).toEqual([0, 1, 2]);
  expect(Array.from(orderOf(new Uint8Array(50).fill(7))).slice(20, 23)).toEqual([49, 48, 47]);
});
