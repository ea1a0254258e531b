/**
 * What tuning gains, and costs: `npm run tuning --prefix tools/lab -- [--words 45000,450000] [--speed]`. On the first words of the bench corpus, a potato
 * without a history: the explicit fit, tuned from there, and trained from random weights, each at several learning rates; bits
 * per byte of the int8 network on dev and test. Prints rows of the table in docs/tuning.md. `--speed` prints the rate of a tuning step
 * over that of a step of iterative scaling instead, each over the same tokens in turn.
 */
import { parseArgs } from "node:util";
import { compileSolver } from "../../host/compile/compile.ts";
import { type ModelFiles, parseConfig } from "../../host/files/config.ts";
import { readTensors } from "../../host/files/safetensors.ts";
import { recipeOf } from "../../host/fit/recipe.ts";
import { settingsOf } from "../../host/fit/settings.ts";
import { type Settings, Solver } from "../../host/fit/solver.ts";
import { loadWeights } from "../../host/fit/weights.ts";
import { fit, load, type TuneInit, tune } from "../../host/index.ts";
import { benchCorpus, firstWords } from "./corpora/gutenberg.ts";
import { modelFigure } from "./figures/quality.ts";

const { values } = parseArgs({
  options: {
    words: { type: "string", default: "45000,450000" },
    rates: { type: "string", default: "0.001,0.003,0.01,0.03" },
    inits: { type: "string", default: "warm,cold,xavier" },
    epochs: { type: "string", default: "1" },
    batches: { type: "string", default: "256" },
    bits: { type: "string" },
    threads: { type: "string", default: "1" },
    speed: { type: "boolean", default: false },
  },
});
const corpus = benchCorpus();
const numbers = (list: string) => list.split(",").map(Number);
const threads = Number(values.threads);
const bits = values.bits === undefined ? undefined : Number(values.bits);

for (const words of numbers(values.words)) {
  const text = new TextEncoder().encode(firstWords(corpus.train, words));
  const { files, report } = await fit(() => [text], { profile: "potato", history: 0, bits, threads });
  console.log(`${words} words, ${report.trainTokens} tokens`);
  if (values.speed) await showSpeed(files, text);
  else await showGrid(files, text);
}

async function showGrid(files: ModelFiles, text: Uint8Array): Promise<void> {
  await show("explicit", files);
  for (const init of values.inits.split(",") as TuneInit[]) {
    for (const epochs of numbers(values.epochs)) {
      for (const batch of numbers(values.batches)) {
        for (const lr of numbers(values.rates)) {
          const tuned = await tune(files, () => [text], { init, lr, epochs, threads, batch });
          await show(`${init}, ${epochs} epochs, batch ${batch}, lr ${lr}`, tuned.files);
        }
      }
    }
  }
}

async function show(name: string, files: ModelFiles): Promise<void> {
  const { dev, test } = await modelFigure(name, files, corpus);
  console.log(`| ${name} | ${dev.toFixed(3)} | ${test.toFixed(3)} |`);
}

/** Steps of both kinds in turn, on this thread, over the same number of tokens; the ratio's median and range. */
async function showSpeed(files: ModelFiles, text: Uint8Array): Promise<void> {
  const ROUNDS = 9;
  const STEPS = 8;
  const { shape } = parseConfig(files.get("config.json")!);
  const tokens = (await load(files)).tokenizer.encode(text);
  const { tensors } = readTensors(files.get("model.safetensors")!, "model.safetensors");
  const wasm = await compileSolver(shape, "simd", false);
  const start = async () => {
    const solver = await Solver.start(wasm, shape, tokens.length, 0);
    solver.view(Uint16Array, "TOKENS", tokens.length).set(tokens);
    return solver;
  };
  const scaler = await start();
  const tuner = await start();
  const settings = settingsOf(recipeOf({}, tokens.length, shape), tokens.length);
  await scaler.configure(settings);
  await scaler.once("count");
  await scaler.once("initialiseScaling");
  await tuner.configure({});
  for (const on of [scaler, tuner]) loadWeights(on, tensors, shape);
  await tuner.once("begin");
  const seconds = async (on: Solver, name: string, round: number) => {
    const before = process.cpuUsage();
    await on.all(name, "thread", "threads", round * STEPS, (round + 1) * STEPS);
    return process.cpuUsage(before).user / 1e6;
  };
  for (const batch of numbers(values.batches)) {
    await scaler.configure({ ...settings, batch, lead: 0 });
    const tuning: Settings = { places: tokens.length, seed: 1, batch, steps: 0x7fffffff, learningRate: 0.001 };
    await tuner.configure(tuning);
    const ratios: number[] = [];
    const rates: number[] = [];
    for (let round = 0; round < ROUNDS; ++round) {
      const scaling = await seconds(scaler, "scalingSteps", round);
      const tuned = await seconds(tuner, "tuneSteps", round);
      ratios.push(scaling / tuned);
      rates.push((STEPS * batch) / tuned);
    }
    const [least, median, most] = [0, ROUNDS >> 1, ROUNDS - 1].map((i) => ratios.sort((a, b) => a - b)[i]!.toFixed(2));
    const rate = Math.round(rates.sort((a, b) => a - b)[ROUNDS >> 1]!);
    console.log(`batch ${batch}: ${median} (${least} to ${most}) of a scaling step's tokens/s; ${rate} tokens/s`);
  }
}
