/**
 * What tuning gains, and costs: `npx tsx tools/tuning.ts [--words 45000,450000] [--threads 1]`. On the first words of the bench corpus, a potato
 * without self-attention: the explicit fit, tuned from there, and trained from random weights, each at several learning rates; bits per
 * byte of the int8 stack on dev and test. Writes the table of docs/tuning.md for the words that were measured.
 */
import { parseArgs } from "node:util";
import { fit, type Init, tune } from "../host/index.ts";
import type { ModelFiles } from "../host/model/config.ts";
import { benchCorpus, firstWords } from "./corpora/gutenberg.ts";
import { modelFigure } from "./figures.ts";

const { values } = parseArgs({
  options: {
    words: { type: "string", default: "45000,450000" },
    rates: { type: "string", default: "0.001,0.003,0.01,0.03" },
    inits: { type: "string", default: "warm,cold,xavier" },
    epochs: { type: "string", default: "1" },
    batch: { type: "string", default: "512" },
    bits: { type: "string" },
    thaw: { type: "string" },
    threads: { type: "string", default: "1" },
  },
});
const corpus = benchCorpus();
const numbers = (list: string) => list.split(",").map(Number);
const threads = Number(values.threads);

for (const words of numbers(values.words)) {
  const text = new TextEncoder().encode(firstWords(corpus.train, words));
  const bits = values.bits === undefined ? undefined : Number(values.bits);
  const { files, report } = await fit(() => [text], { profile: "potato", radial: 0, bits, threads });
  const { trainTokens, recipe, seconds } = report;
  const explicitRate = (trainTokens * recipe.residual.passes) / seconds.residual;
  console.log(`${words} words, ${trainTokens} tokens; residual pass ${Math.round(explicitRate)} tokens/s`);
  await show("explicit only", files);
  for (const epochs of numbers(values.epochs)) {
    for (const init of values.inits.split(",") as Init[]) {
      for (const lr of numbers(values.rates)) {
        const thaw = values.thaw === undefined ? undefined : Number(values.thaw);
        const options = { init, lr, epochs, threads, thaw, batch: Number(values.batch) };
        const tuned = await tune(files, () => [text], options);
        const rate = (trainTokens * epochs) / tuned.report.seconds.tune;
        const speed = `${Math.round(rate)} tokens/s, ${(rate / explicitRate).toFixed(2)} of the residual pass`;
        await show(`${init} + tune, ${epochs} epochs, lr ${lr}`, tuned.files, speed);
      }
    }
  }
}

async function show(name: string, files: ModelFiles, more = ""): Promise<void> {
  const { dev, test } = await modelFigure(name, files, corpus);
  console.log(`| ${name} | ${dev.toFixed(3)} | ${test.toFixed(3)} | ${more}`);
}
