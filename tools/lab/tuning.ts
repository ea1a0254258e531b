/**
 * What tuning gains, and costs: `npm run tuning --prefix tools/lab -- [--words 45000,450000] [--speed]`. On the first words of the bench corpus, a potato
 * without self-attention: the explicit fit, tuned from there, and trained from random weights, each at several learning rates; bits
 * per byte of the int8 stack on dev and test. Prints rows of the table in docs/tuning.md. `--speed` prints the rate of a tuning step
 * over that of a residual step instead, each over the same tokens in turn.
 */
import { parseArgs } from "node:util";
import { compileTrainer, compileTuner } from "../../host/compile/compile.ts";
import { type ModelFiles, parseConfig } from "../../host/files/config.ts";
import { readTensors } from "../../host/files/safetensors.ts";
import { Trainer } from "../../host/fit/trainer.ts";
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
  const start = async (wasm: Uint8Array) => {
    const trainer = await Trainer.start(wasm, tokens.length, 0);
    trainer.view(Uint16Array, "TOKENS", tokens.length).set(tokens);
    return trainer;
  };
  const trainer = await start(await compileTrainer(shape, "simd", false));
  await trainer.all("count", "thread", tokens.length);
  const tuner = await start(await compileTuner(shape, "simd", false));
  for (const on of [trainer, tuner]) loadWeights(on, tensors, shape);
  await trainer.once("initialiseResidual", 1);
  await tuner.once("begin");
  const seconds = async (on: Trainer, name: string, round: number) => {
    const before = process.cpuUsage();
    await on.all(name, "thread", "threads", round * STEPS, (round + 1) * STEPS);
    return process.cpuUsage(before).user / 1e6;
  };
  for (const batch of numbers(values.batches)) {
    await trainer.all("configureResidual", 1, batch, 0, 0.5, 20, 5, 2, 1, 0, 0, 1);
    const never = 0x7fffffff;
    await tuner.all("configure", 1, tokens.length, batch, never, 0.001, 0, never, 0);
    const ratios: number[] = [];
    const rates: number[] = [];
    for (let round = 0; round < ROUNDS; ++round) {
      const residual = await seconds(trainer, "residualSteps", round);
      const tuning = await seconds(tuner, "tuneSteps", round);
      ratios.push(residual / tuning);
      rates.push((STEPS * batch) / tuning);
    }
    const [least, median, most] = [0, ROUNDS >> 1, ROUNDS - 1].map((i) => ratios.sort((a, b) => a - b)[i]!.toFixed(2));
    const rate = Math.round(rates.sort((a, b) => a - b)[ROUNDS >> 1]!);
    console.log(`batch ${batch}: ${median} (${least} to ${most}) of a residual step's tokens/s; ${rate} tokens/s`);
  }
}
