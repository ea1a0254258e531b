/**
 * `npm start`: what saffu does, in a few seconds. Generates from potato-en; then takes a book that no shipped model has seen, in
 * order: scores it, fits a model on its first part, and scores the rest again.
 */
import { fit, load } from "../host/index.ts";
import { benchCorpus, firstWords } from "./corpora/gutenberg.ts";
import { withoutAttention } from "./figures.ts";

const PART = 10_000; // words read before the rest is scored

const potato = await load("models/potato-en");
const { parameters, files } = potato.info();
const weights = files["model.safetensors"]!.bytes;
process.stdout.write(
  `potato-en: ${parameters} parameters in ${weights} bytes, fitted without a gradient, writes:\n\n  It was`,
);
for await (const piece of potato.generate("It was", { maxTokens: 60, temperature: 0.7, seed: 7 })) {
  process.stdout.write(piece.replace(/\r?\n/g, " "));
}

const { text, name } = benchCorpus().test[0]!;
const part = firstWords(text, PART);
const rest = text.slice(part.length);
const bytes = new TextEncoder().encode(part);
console.log(`\n\n${name}, a book it has not seen: ${PART} words to read, then ${rest.length} bytes to predict.\n`);

const began = performance.now();
const own = await fit(() => [bytes], { tokenizer: potato.tokenizer, heads: 8, classes: 16 });
const seconds = ((performance.now() - began) / 1000).toFixed(1);
const stack = await load(await withoutAttention(potato.files));
const fitted = await load(own.files);
const ownStack = await load(await withoutAttention(own.files));

/** Bits per byte of the rest, where the part has just been read. */
const after = (model: typeof potato) => {
  const whole = model.score(text).bits - model.score(part).bits;
  return (whole / new TextEncoder().encode(rest).length).toFixed(3);
};
const rows = [
  ["potato-en, without self-attention", after(stack)],
  ["potato-en", after(potato)],
  [`fitted on the part alone in ${seconds} s, without self-attention`, after(ownStack)],
  [`fitted on the part alone in ${seconds} s`, after(fitted)],
];
console.log(`bits per byte of the rest, the part just read\n`);
for (const [row, value] of rows) console.log(`  ${row!.padEnd(64)} ${value}`);
