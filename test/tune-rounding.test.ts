/** Tuning of four-bit weights: steps see what rounding leaves of U, so what is scored is what is stored, however it is run. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { compileSolver } from "../host/compile/compile.ts";
import { sizesOf } from "../host/compile/sizes.ts";
import { parseConfig } from "../host/files/config.ts";
import { dequantised } from "../host/files/dequantise.ts";
import { readTensors } from "../host/files/safetensors.ts";
import { fit } from "../host/fit/fit.ts";
import { Solver } from "../host/fit/solver.ts";
import { loadWeights, weightsOf } from "../host/fit/weights.ts";
import { load, type ModelFiles, type TuneOptions, tune } from "../host/index.ts";
import { hiddenLayers } from "../host/shape.ts";
import { withoutAttention } from "../tools/variants.ts";
import { compileQuickly } from "./compile-warm.ts";
import { bytesOf, contents, TEXT } from "./fit-fixture.ts";
import { messages } from "./texts.ts";

compileQuickly();

const german = messages("de");
const TRAIN = bytesOf(german.slice(0, 260_000));
const DEV = bytesOf(german.slice(-20_000));
const NANO = { profile: "nano", groups: 3, units: 8, history: 16, matchLength: 1, weightBits: 4 } as const;
/** Every layer that has rows to round, and attention, which has none. */
const ALL = { ...NANO, windowAttention: true, documentGroups: 1, secondGroups: 1, passes: 1, threads: 0 } as const;

const unrounded = (report: { devBitsPerByte: readonly number[]; bestEpoch: number }) =>
  report.devBitsPerByte[report.bestEpoch]!;
const alone = async (files: ModelFiles, text: Uint8Array) =>
  (await load(await withoutAttention(files))).score(text).bitsPerByte;

describe("tuning of four-bit weights", () => {
  test("stores what it has scored: rounding loses next to nothing", async () => {
    const base = await fit(() => [TRAIN], { ...NANO, passes: 1 });
    const { files, report } = await tune(base.files, () => [TRAIN], { epochs: 1, batch: 1024, lr: 0.003, dev: [DEV] });
    expect(report.bestEpoch).toBe(1);
    const stored = await alone(files, DEV);
    // what is left is int8 of O, and the device's fixed point
    expect(Math.abs(stored / unrounded(report) - 1)).toBeLessThan(0.0005);
    expect(stored).toBeLessThan(await alone(base.files, DEV));
  }, 120_000);

  test.each(["cold", "warm"] as const)(
    "from a %s start is the same from any number of threads, either build",
    async (init) => {
      const base = (await fit(() => [TEXT], ALL)).files;
      const dev = [bytesOf("the quick brown fox jumps over the lazy dog 5.\n")];
      const runs: TuneOptions[] = [{ threads: 0 }, { threads: 3 }, { threads: 0, build: "scalar" }];
      const [first, ...others] = await Promise.all(
        runs.map((run) => tune(base, () => [TEXT], { init, epochs: 2, batch: 90, lr: 0.02, dev, ...run })),
      );
      for (const { files } of others) expect(contents(files)).toEqual(contents(first!.files));
      const scored = unrounded(first!.report);
      expect(Math.abs((await alone(first!.files, dev[0]!)) / scored - 1)).toBeLessThan(0.01);
    },
    120_000,
  );

  test("goes on from a checkpoint within an epoch to the same files", async () => {
    const base = (await fit(() => [TEXT], ALL)).files;
    const home = await mkdtemp(join(tmpdir(), "saffu-rounding-"));
    try {
      const options: TuneOptions = { epochs: 3, batch: 64, lr: 0.02, soften: 0.7, threads: 0 };
      const whole = await tune(base, () => [TEXT], options);
      const checkpoint = join(home, "run.safetensors");
      const abort = new AbortController();
      let calls = 0;
      const onProgress: TuneOptions["onProgress"] = ({ phase }) => {
        if (phase === "tune" && ++calls === 4) abort.abort();
      };
      await expect(
        tune(base, () => [TEXT], { ...options, checkpoint, signal: abort.signal, onProgress }),
      ).rejects.toMatchObject({ code: "ABORTED" });
      const resumed = await tune(base, () => [TEXT], { ...options, checkpoint });
      expect(contents(resumed.files)).toEqual(contents(whole.files));
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  }, 120_000);

  test("keeps the rows of a start that no epoch betters, to the byte", async () => {
    const base = (await fit(() => [TEXT], ALL)).files;
    const backwards = TEXT.slice().reverse(); // what is learnt from it is wrong for the text itself
    const { files, report } = await tune(base, () => [backwards], { epochs: 1, lr: 1, dev: [TEXT], threads: 0 });
    expect(report.bestEpoch).toBe(0);
    const [now, before] = [files, base].map((each) => readTensors(each.get("model.safetensors")!, "model").tensors);
    for (const [name, tensor] of before!) if (name !== "attention.gate") expect(now!.get(name)).toEqual(tensor);
  }, 120_000);
});

describe("the solver, tuning four-bit weights", () => {
  let solver: Solver | undefined;
  afterEach(() => solver?.stop());

  test("reads a model as its codes say, rounds what it has moved, and leaves U itself unrounded", async () => {
    const { files } = await fit(() => [TEXT], ALL);
    const { shape } = parseConfig(files.get("config.json")!);
    const { tensors } = readTensors(files.get("model.safetensors")!, "model");
    solver = await Solver.start(await compileSolver(shape, "simd", false), shape, 200, 0);
    loadWeights(solver, tensors, shape);
    solver.view(Uint16Array, "TOKENS", 200).set(TEXT.subarray(0, 200));
    await solver.configure({ places: 200, seed: 1, batch: 50, steps: 100, learningRate: 0.01, rounds: 1 });
    await solver.once("begin");
    const { HIDDEN_WEIGHTS } = sizesOf(shape);
    const read = () => solver!.view(Float32Array, "ROUNDED", HIDDEN_WEIGHTS).slice();
    const held = () => solver!.view(Float32Array, "U", HIDDEN_WEIGHTS).slice();
    const start = held();
    expect(read()).toEqual(start);
    await solver.all("startRounding", "thread", "threads");
    expect(held()).toEqual(start);
    await solver.all("tuneSteps", "thread", "threads", 0, 2);
    const moved = held();
    expect(moved).not.toEqual(start);
    // sixteen depths a row at the most, below each group's largest
    const { units } = shape;
    let first = 0;
    for (const { rows, width } of hiddenLayers(shape)) {
      for (let row = 0; row < rows; ++row, first += width) {
        const depths = read().subarray(first, first + width);
        expect(new Set(depths).size).toBeLessThanOrEqual(16);
        for (let at = 0; at < width; at += units) expect(Math.max(...depths.subarray(at, at + units))).toBe(0);
        if (row > 8) {
          first += (rows - row) * width; // the rest alike
          break;
        }
      }
    }
    // W and w0 are read as they are
    expect(read().subarray(first)).toEqual(moved.subarray(first));
    await solver.once("roundRead");
    expect(held()).toEqual(moved);
    const decoded = dequantised(weightsOf(solver, shape), "block.U", shape.groups * units);
    expect(read().subarray(0, decoded.length)).toEqual(decoded);
  }, 120_000);

  test("reads U itself where nothing is asked to be rounded", async () => {
    const { files } = await fit(() => [TEXT], ALL);
    const { shape } = parseConfig(files.get("config.json")!);
    solver = await Solver.start(await compileSolver(shape, "simd", false), shape, 200, 0);
    loadWeights(solver, readTensors(files.get("model.safetensors")!, "model").tensors, shape);
    solver.view(Uint16Array, "TOKENS", 200).set(TEXT.subarray(0, 200));
    await solver.configure({ places: 200, seed: 1, batch: 50, steps: 100, learningRate: 0.01 });
    await solver.once("begin");
    const read = solver.view(Float32Array, "ROUNDED", sizesOf(shape).HIDDEN_WEIGHTS);
    const before = read.slice();
    await solver.all("startRounding", "thread", "threads");
    await solver.all("tuneSteps", "thread", "threads", 0, 2);
    await solver.once("roundRead");
    expect(read).toEqual(before);
  }, 120_000);
});
