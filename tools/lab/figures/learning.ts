/** The part of `npm run bench` that is about learning on the device: speed, memory, and a hundred devices in one. */
import { statSync } from "node:fs";
import { moduleOptions } from "../../../host/compile/options.ts";
import { bytesNeeded, load } from "../../../host/index.ts";
import type { Book } from "../corpora/gutenberg.ts";
import { firstWords } from "../corpora/gutenberg.ts";
import { inRoot } from "../paths.ts";

const MODEL = inRoot("models/potato-en");
const DEVICES = 100;
const RUNS = 5;

/** Prints the figures, measured on `book`, which the model has not seen. */
export async function learningFigures({ name, text }: Book): Promise<void> {
  console.log(`\n## Learning on the device: potato-en, ${name}\n`);
  const model = await load(MODEL);
  const piece = firstWords(text, 10_000);
  const observing: number[] = [];
  const scoring: number[] = [];
  const refitting: number[] = [];
  for (let run = 0; run < RUNS; ++run) {
    const other = await load(MODEL);
    const plain = clocked(() => other.score(piece));
    scoring.push((await plain).value.tokens / (await plain).seconds);
    const observed = await clocked(() => other.observe(piece));
    observing.push(observed.value.tokens / observed.seconds);
    refitting.push((await clocked(() => other.refit())).seconds * 1000);
  }
  const rate = median(observing);
  console.log(
    `observe: ${rate.toFixed(0)} tokens/s a thread (bound 25000), ${(median(scoring) / rate).toFixed(2)} × the time of scoring`,
  );
  console.log(`refit of the decoder: ${median(refitting).toFixed(1)} ms (bound 10)`);

  const { shape } = model.config;
  const weights = statSync(`${MODEL}/model.safetensors`).size;
  const learning = bytesNeeded(shape) - bytesNeeded(shape, { learning: false });
  const { recall } = moduleOptions(shape);
  console.log(
    `memory for learning: ${learning} bytes, ${recall * 2} of them recalled tokens: ${(learning / weights).toFixed(2)} × the int8 model (bound 2.5)`,
  );
  const file = (await model.exportStatistics()).length;
  console.log(`a save: ${file} bytes of statistics, 2 flushes (file, directory), 1 rename`);

  const words = text.match(/\S+\s*/g)!;
  const share = Math.floor(words.length / DEVICES);
  const pieces = Array.from({ length: DEVICES }, (_, i) => words.slice(i * share, (i + 1) * share).join(""));
  const statistics: Uint8Array[] = [];
  for (const own of pieces) {
    const device = await load(MODEL);
    await device.observe(own);
    statistics.push(await device.exportStatistics());
  }
  const all = await load(MODEL);
  for (const own of pieces) await all.observe(own);
  const merged = await load(MODEL);
  const { seconds } = await clocked(async () => {
    for (const bytes of statistics) await merged.merge(bytes);
  });
  const [{ statisticsDigest: one }, { statisticsDigest: many, observedTokens }] = [
    await all.statistics(),
    await merged.statistics(),
  ];
  console.log(
    `${DEVICES} devices merged in ${seconds.toFixed(2)} s (bound 1): ${observedTokens} tokens, ${one === many ? "the same statistics as" : "NOT the statistics of"} one device that saw it all`,
  );
}

async function clocked<T>(work: () => T | Promise<T>): Promise<{ value: T; seconds: number }> {
  const start = performance.now();
  const value = await work();
  return { value, seconds: (performance.now() - start) / 1000 };
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
