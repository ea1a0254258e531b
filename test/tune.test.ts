/** What `tune` promises: the loss falls, the same bytes however it is run or interrupted, sound models, and refusals by name. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { parseConfig } from "../host/files/config.ts";
import { readTensors, type Tensor, writeTensors } from "../host/files/safetensors.ts";
import { type FitOptions, fit } from "../host/fit/fit.ts";
import { load, type ModelFiles, type TuneOptions, type TuneProgress, tune } from "../host/index.ts";
import { scheduleOf, tuneRecipe } from "../host/tune/recipe.ts";
import { withoutAttention } from "../tools/variants.ts";
import { chainedText } from "./chained-text.ts";
import { compileQuickly, hooks } from "./compile-warm.ts";
import { BYTES, bytesOf, contents, sound, TEXT, threadsAlive } from "./fit-fixture.ts";
import { refusal } from "./model-fixture.ts";

compileQuickly();

const ONE_HOT = { ...BYTES, weightBits: 8 as const, passes: 2, longMatches: false } satisfies FitOptions;
const CIPHERED = { ...ONE_HOT, bits: 30 } satisfies FitOptions; // not whole vectors of four
const DEV = bytesOf("Zeile 3: the quick “café” 🦊 jumps over dog 5.\nZeile 10: the brown fox.\n");
const text = () => [TEXT];

let base: ModelFiles;
let ciphered: ModelFiles;
let home: string;
let checkpoint: string;

beforeAll(async () => {
  base = (await fit(text, ONE_HOT)).files;
  ciphered = (await fit(text, CIPHERED)).files;
  home = await mkdtemp(join(tmpdir(), "saffu-tune-"));
});

beforeEach(async () => {
  checkpoint = join(await mkdtemp(join(home, "case-")), "run.safetensors");
});

afterEach(() => {
  hooks.compiled.length = 0;
  expect(threadsAlive()).toBe(0);
});

afterAll(() => rm(home, { recursive: true, force: true }));

/** Tunes in this thread, in batches of 150, so that an epoch is more steps than one call runs. */
const tuned = (of: ModelFiles, options: TuneOptions) => tune(of, text, { threads: 0, batch: 150, ...options });

function tensorsOf(files: ModelFiles): Map<string, Tensor> {
  return readTensors(files.get("model.safetensors")!, "model.safetensors").tensors;
}

/** Rows of a layer times their scales. */
function rows(files: ModelFiles, name: string): Float32Array {
  const tensors = tensorsOf(files);
  const { data, shape } = tensors.get(name)!;
  const scales = tensors.get(`${name}.scale`)!.data as Float32Array;
  return Float32Array.from(data as Int8Array, (value, i) => value * scales[Math.floor(i / shape[1]!)]!);
}

function gap(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}

describe("training", () => {
  test.each(["cold", "xavier"] as const)("from %s weights, the loss falls epoch by epoch", async (init) => {
    const { report } = await tuned(base, { init, epochs: 5, lr: 0.05, batch: 100 });
    expect(report.trainBits.length).toBe(5);
    for (const [i, bits] of report.trainBits.entries()) {
      if (i > 0) expect(bits).toBeLessThan(report.trainBits[i - 1]!);
    }
    expect(report.trainBits[0]!).toBeGreaterThan(3); // of 8, a token is a byte
    expect(report.trainBits[4]!).toBeLessThan(2); // mostly one line, over and over
  });

  test("from the model's weights goes on from what they predict, and improves on it", async () => {
    const { report } = await tuned(base, { epochs: 3, dev: [DEV] });
    const network = (await load(await withoutAttention(base))).score(DEV);
    // f32 against the device's fixed point
    expect(Math.abs(report.devBitsPerByte[0]! / network.bitsPerByte - 1)).toBeLessThan(0.01);
    expect(report.devBitsPerByte.length).toBe(4);
    expect(Math.min(...report.devBitsPerByte)).toBeLessThan(report.devBitsPerByte[0]!);
    expect(report.trainBits[2]!).toBeLessThan(report.trainBits[0]!);
  });

  test("at a learning rate of next to nothing stays where it was", async () => {
    const { files, report } = await tuned(base, { lr: 1e-7 });
    for (const name of ["block.U", "decoder.O"]) {
      // a weight moves by at most about a rate a step; what was int8 stays what it was
      expect(gap(rows(files, name), rows(base, name))).toBeLessThan(1e-5 + 2e-7 * report.steps);
    }
    for (const name of ["block.u0", "decoder.o0"]) {
      const [now, before] = [files, base].map((each) => tensorsOf(each).get(name)!.data as Float32Array);
      expect(gap(now!, before!)).toBeLessThan(2e-7 * report.steps + 1e-6);
    }
  });

  test("from a softened start goes on from U times that, and keeps the start as it was where that is better", async () => {
    const { files } = await tuned(base, { lr: 1e-7, soften: 0.5 });
    // int8 of half the row is what int8 of the row is; Adam moves a weight by at most about a rate a step
    const half = rows(base, "block.U").map((value) => value / 2);
    expect(gap(rows(files, "block.U"), half)).toBeLessThan(1e-4);
    expect(gap(rows(files, "decoder.O"), rows(base, "decoder.O"))).toBeLessThan(1e-4);
    const { report } = await tuned(base, { lr: 1e-7, soften: 0.1, dev: [DEV] });
    expect(report.devBitsPerByte[0]).toBe((await tuned(base, { lr: 1e-7, dev: [DEV] })).report.devBitsPerByte[0]);
    expect(report.devBitsPerByte[1]!).toBeGreaterThan(report.devBitsPerByte[0]! + 0.01);
    expect(report.bestEpoch).toBe(0);
  });

  test("keeps the best epoch of a held-out text, the start included", async () => {
    const { files, report } = await tuned(base, { lr: 1, epochs: 2, dev: [DEV] });
    expect(report.bestEpoch).toBe(0);
    expect(report.devBitsPerByte[2]!).toBeGreaterThan(report.devBitsPerByte[0]!);
    // what is stored stays, but for the mixture
    const [now, before] = [files, base].map(tensorsOf);
    for (const [name, tensor] of before!) if (name !== "attention.gate") expect(now!.get(name)).toEqual(tensor);
    const better = await tuned(base, { epochs: 2, dev: [DEV] });
    expect(better.report.bestEpoch).toBeGreaterThan(0);
    expect(contents((await tuned(base, { epochs: 2 })).files)["model.safetensors"]).toBe(
      better.report.bestEpoch === 2 ? contents(better.files)["model.safetensors"] : expect.anything(),
    );
  });
});

describe("a tuned model", () => {
  test("loads and predicts in the kernels of its base, unchanged, and says how it was made", async () => {
    const { files, report } = await tuned(base, { epochs: 2, lr: 0.004, seed: 5 });
    const model = await sound(files, [TEXT, DEV]);
    const before = (await load(base)).score(TEXT).bitsPerByte;
    expect(model.score(TEXT).bitsPerByte).toBeLessThan(before);
    for (const name of ["kernel.scalar.wasm", "kernel.simd.wasm", "tokenizer.json"]) {
      expect(files.get(name)).toEqual(base.get(name));
    }
    const { recipe } = parseConfig(files.get("config.json")!);
    const wanted = { epochs: 2, lr: 0.004, init: "warm", bits: 256, batch: 150, seed: 5, steps: report.steps };
    expect(recipe.tune).toMatchObject(wanted);
    expect(recipe).toMatchObject(parseConfig(base.get("config.json")!).recipe);
    const card = new TextDecoder().decode(files.get("README.md"));
    expect(card).toContain("then tuned: back-propagation with Adam");
    expect(card).toContain(`| steps | ${report.steps} of 150 tokens |`);
  });

  test("has a mixture that was solved for it, on tokens that were not trained on", async () => {
    const { files, report } = await tuned(base, { epochs: 2, lr: 0.05 });
    const held = Math.floor(report.trainTokens / 20);
    expect(report.steps).toBe(2 * Math.ceil((report.trainTokens - held) / 150));
    const mixtureOf = (each: ModelFiles) => tensorsOf(each).get("attention.gate")!.data as Float32Array;
    expect(gap(mixtureOf(files), mixtureOf(base))).toBeGreaterThan(0.005);
    // of a network that stays what it was, on the text of its fit, the mixture comes out as that of the fit, but for int8
    const still = await tuned(base, { lr: 1e-7 });
    expect(gap(mixtureOf(still.files), mixtureOf(base))).toBeLessThan(0.0005);
  });

  test("remembers what its base did, and weighs long matches as it did", async () => {
    const remembering = (await fit(text, { ...ONE_HOT, longMatches: true })).files;
    const { files } = await tuned(remembering, { epochs: 1 });
    const [now, before] = [files, remembering].map(tensorsOf);
    for (const name of ["attention.long", "memory.tokens"]) expect(now!.get(name)).toEqual(before!.get(name));
    expect((await sound(files, [TEXT, DEV])).config.shape).toEqual(parseConfig(remembering.get("config.json")!).shape);
  });

  test("has n-grams of its own network, no more bytes of them; where no epoch is better, those of its base", async () => {
    const chained = chainedText(40_000, 1);
    const options = { ...ONE_HOT, longMatches: true, remember: 6000 };
    const based = (await fit(() => [chained], options)).files;
    const ngramsOf = (files: ModelFiles) => tensorsOf(files).get("memory.ngrams")!.data as Uint8Array;
    const run = (dev: Uint8Array) => tune(based, () => [chained], { epochs: 1, threads: 0, dev: [dev] });
    const { files, report } = await run(chainedText(3000, 2));
    expect(report.bestEpoch).toBe(1);
    expect(report.shape.ngrams).toBe(ngramsOf(files).length);
    expect(ngramsOf(files).length).toBeLessThanOrEqual(ngramsOf(based).length);
    expect(ngramsOf(files)).not.toEqual(ngramsOf(based));
    const other = chainedText(4000, 3);
    const [before, after] = [(await load(based)).score(other).bits, (await load(files)).score(other).bits];
    expect(after / before).toBeLessThan(1.02);
    // what is none of the text comes to be expected less
    const worse = await run(new Uint8Array(1000).fill(200));
    expect(worse.report.bestEpoch).toBe(0);
    expect(ngramsOf(worse.files)).toEqual(ngramsOf(based));
  });

  test("of ciphered inputs keeps its cipher, and predicts as it did in f32", async () => {
    const { files, report } = await tuned(ciphered, { epochs: 3, lr: 0.01, dev: [DEV] });
    expect([report.shape.bits, parseConfig(files.get("config.json")!).recipe.tune]).toMatchObject([30, { bits: 30 }]);
    expect(tensorsOf(files).get("cipher")).toEqual(tensorsOf(ciphered).get("cipher"));
    await sound(files, [TEXT, DEV]);
    expect(report.bestEpoch).toBeGreaterThan(0);
    const network = (await load(await withoutAttention(files))).score(DEV);
    expect(Math.abs(network.bitsPerByte / report.devBitsPerByte[report.bestEpoch]! - 1)).toBeLessThan(0.02); // int8
  });
});

describe("the same files, byte for byte", () => {
  const OPTIONS = { epochs: 2, dev: [DEV], lr: 0.01 } satisfies TuneOptions;
  let wanted: Record<string, string>;
  beforeAll(async () => {
    wanted = contents((await tuned(ciphered, OPTIONS)).files);
  });

  test.each([
    ["simd", 1],
    ["simd", 2],
    ["scalar", 0],
    ["scalar", 3],
  ] as const)("from %s, %i threads", async (build, threads) => {
    expect(contents((await tuned(ciphered, { ...OPTIONS, build, threads })).files)).toEqual(wanted);
  });

  test("and others for another seed", async () => {
    const other = contents((await tuned(ciphered, { ...OPTIONS, seed: 2 })).files);
    expect(other["model.safetensors"]).not.toBe(wanted["model.safetensors"]);
  });

  /** Aborts at the n-th event of a phase. */
  function abortedAt(phase: TuneProgress["phase"], count: number) {
    const controller = new AbortController();
    let events = 0;
    const onProgress = (event: TuneProgress) => {
      if (event.phase === phase && ++events === count) controller.abort(new Error(phase));
    };
    return { signal: controller.signal, onProgress };
  }

  // an epoch is more than 16 steps, so two calls; the held-out text is one event before each epoch and after the last
  test.each<[TuneProgress["phase"], number]>([
    ["tune", 1],
    ["tune", 2],
    ["tune", 3],
    ["tune", 4],
    ["dev", 1],
    ["dev", 2],
    ["mixture", 1],
  ])("resumed after an abort in %s, at its event %i", async (phase, count) => {
    const options = { ...OPTIONS, checkpoint };
    const error = await tuned(ciphered, { ...options, ...abortedAt(phase, count) }).catch((cause: unknown) => cause);
    expect(error).toEqual(refusal("ABORTED"));
    expect(await readdir(join(checkpoint, ".."))).toEqual(["run.safetensors"]);
    const { files, report } = await tuned(ciphered, { ...options, threads: 2 });
    expect(contents(files)).toEqual(wanted);
    expect([report.trainBits.length, report.devBitsPerByte.length]).toEqual([2, 3]);
  });

  test("from a checkpoint of the end, without a step more", async () => {
    const options = { ...OPTIONS, checkpoint };
    const first = await tuned(ciphered, options);
    expect(contents(first.files)).toEqual(wanted);
    const events: TuneProgress[] = [];
    const again = await tuned(ciphered, { ...options, onProgress: (event) => void events.push(event) });
    expect(contents(again.files)).toEqual(wanted);
    expect(again.report.trainBits).toEqual(first.report.trainBits);
    expect(events.map(({ phase }) => phase)).not.toContain("tune");
  });
});

describe("an abort", () => {
  test("before the start reads nothing", async () => {
    const never = vi.fn(text);
    await expect(tune(base, never, { signal: AbortSignal.abort() })).rejects.toEqual(refusal("ABORTED"));
    expect(never).not.toHaveBeenCalled();
  });

  test.each(["tokens", "tune", "mixture", "files"] as const)("in %s ends it there, threads and all", async (phase) => {
    const controller = new AbortController();
    const events: TuneProgress[] = [];
    const onProgress = (event: TuneProgress) => {
      events.push(event);
      if (event.phase === phase && event.done > 0) controller.abort();
    };
    const run = tuned(base, { threads: 2, signal: controller.signal, onProgress });
    if (phase === "files")
      expect((await run).files.size).toBe(6); // it was done
    else await expect(run).rejects.toEqual(refusal("ABORTED"));
    expect(events.at(-1)!.phase).toBe(phase);
  });
});

describe("refused, before any work:", () => {
  test.each<[object, string, string]>([
    [{ epochs: 0 }, "INVALID_OPTION", "epochs must be an integer in 1..1000, got 0"],
    [{ epochs: 1.5 }, "INVALID_OPTION", "got 1.5"],
    [{ lr: 0 }, "INVALID_OPTION", "lr must be a number in 0.0000001..1, got 0"],
    [{ lr: Number.NaN }, "INVALID_OPTION", "got NaN"],
    [{ lr: "0.1" }, "INVALID_OPTION", `got "0.1"`],
    [{ batch: 2049 }, "INVALID_OPTION", "batch must be an integer in 1..2048, got 2049"],
    [{ thaw: 1 }, "INVALID_OPTION", "thaw is no longer an option of tune: inputs are one-hot or ciphers"],
    [{ flavour: "simd" }, "INVALID_OPTION", "flavour is build now"],
    [{ soften: 0 }, "INVALID_OPTION", "soften must be a number above 0, at most 1, got 0"],
    [{ soften: 1.5 }, "INVALID_OPTION", "got 1.5"],
    [{ soften: 0.5, init: "cold" }, "INVALID_OPTION", "soften must be 1 where the start is not warm, got 0.5"],
    [{ init: "hot" }, "INVALID_OPTION", `init must be "warm", "cold" or "xavier", got "hot"`],
    [{ seed: -1 }, "INVALID_OPTION", "seed must be an integer in 0..4294967295, got -1"],
    [{ threads: 17 }, "INVALID_OPTION", "threads must be"],
    [{ build: "avx" }, "INVALID_OPTION", "build must be"],
    [{ checkpoint: "/nowhere/at/all" }, "UNWRITABLE", "/nowhere/at/all"],
    [{ checkpoint: "/tmp" }, "UNWRITABLE", "it is not a file"],
  ])("%j", async (options, code, message) => {
    const never = vi.fn(text);
    await expect(tune(base, never, options as TuneOptions)).rejects.toEqual(refusal(code, message));
    expect(never).not.toHaveBeenCalled();
    expect(hooks.compiled).toEqual([]);
  });

  test("a directory without a model", async () => {
    await expect(tune(home, text)).rejects.toEqual(refusal("MODEL_MISSING_FILE", "config.json"));
  });

  test("texts that are too short", async () => {
    await expect(tune(base, () => [bytesOf("short")], { threads: 0 })).rejects.toEqual(
      refusal("INVALID_TEXT", "5 tokens, tuning needs at least 16"),
    );
    await expect(tuned(base, { dev: [new Uint8Array()] })).rejects.toEqual(refusal("INVALID_TEXT", "held-out"));
  });

  test("more steps than can be counted", () => {
    const recipe = tuneRecipe({ epochs: 1000, batch: 1 });
    expect(() => scheduleOf(recipe, 2 ** 22)).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
    expect(scheduleOf(recipe, 2 ** 20).steps).toBe(2 ** 20 * 1000);
  });
});

describe("a checkpoint is refused", () => {
  const OPTIONS = { epochs: 1, dev: [DEV] } satisfies TuneOptions;

  test("of another base, text, held-out text, or choice of options, by what differs; and stays", async () => {
    await tuned(base, { ...OPTIONS, checkpoint });
    const before = await readFile(checkpoint);
    const changes: [string, () => Promise<unknown>][] = [
      ["base", () => tuned(ciphered, { ...OPTIONS, checkpoint })],
      ["text", () => tune(base, () => [DEV, TEXT], { ...OPTIONS, batch: 150, threads: 0, checkpoint })],
      ["dev", () => tuned(base, { ...OPTIONS, dev: [TEXT], checkpoint })],
      ...[{ epochs: 2 }, { lr: 0.5 }, { batch: 100 }, { seed: 2 }, { init: "cold" as const }].map(
        (change): [string, () => Promise<unknown>] => [
          `${Object.keys(change)[0]} `,
          () => tuned(base, { ...OPTIONS, ...change, checkpoint }),
        ],
      ),
    ];
    for (const [named, run] of changes) {
      await expect(run()).rejects.toEqual(refusal("CHECKPOINT_MISMATCH", named, checkpoint));
    }
    expect(await readFile(checkpoint)).toEqual(before);
  });

  test.each([1, 3])("of version %i, by its number", async (version) => {
    await tuned(base, { ...OPTIONS, checkpoint });
    const { tensors, metadata } = readTensors(await readFile(checkpoint), "checkpoint");
    const bytes = writeTensors(tensors, { saffu: JSON.stringify({ ...JSON.parse(metadata.saffu!), version }) });
    await writeFile(checkpoint, bytes);
    const refused = refusal("CHECKPOINT_MISMATCH", checkpoint, `version ${version}`, "version 2");
    await expect(tuned(base, { ...OPTIONS, checkpoint })).rejects.toEqual(refused);
    expect(await readFile(checkpoint)).toEqual(Buffer.from(bytes));
  });

  test("that is none, or is broken", async () => {
    await tuned(base, { ...OPTIONS, checkpoint });
    const whole = await readFile(checkpoint);
    const foreign = base.get("model.safetensors")!;
    for (const bytes of [whole.subarray(0, whole.length - 4), Buffer.from("nothing"), foreign]) {
      await writeFile(checkpoint, bytes);
      await expect(tuned(base, { ...OPTIONS, checkpoint })).rejects.toEqual(refusal("MODEL_CORRUPT", checkpoint));
    }
  });
});
