/**
 * `npm start`: what saffu does, in a few seconds. Generates from potato-en; then takes a text that no shipped model has seen, this
 * project's licence, in order: scores its end, with its first part just read and without, and so by a model that is fitted on that
 * part alone.
 */
import { readFileSync } from "node:fs";
import { fit, load } from "../host/index.ts";
import { withoutAttention } from "./variants.ts";

const PART = 2 / 3; // of the text is read before the rest is scored

const potato = await load("models/potato-en");
const { parameters, files } = potato.info();
const weights = files["model.safetensors"]!.bytes;
process.stdout.write(
  `potato-en: ${parameters} parameters in ${weights} bytes, fitted without a gradient, writes:\n\n  It was`,
);
for await (const piece of potato.generate("It was", { maxTokens: 60, temperature: 0.7, seed: 7 })) {
  process.stdout.write(piece.replace(/\r?\n/g, " "));
}

const text = readFileSync("LICENSE", "utf8");
const part = text.slice(0, text.indexOf("\n", PART * text.length));
const rest = text.slice(part.length);
const bytes = new TextEncoder().encode(part);
const restBytes = new TextEncoder().encode(rest).length;
console.log(`\n\nLICENSE, a text it has not seen: ${bytes.length} bytes to read, then ${restBytes} to predict.\n`);

const began = performance.now();
const own = await fit(() => [bytes], { tokenizer: potato.tokenizer, groups: 8, units: 16 });
const seconds = ((performance.now() - began) / 1000).toFixed(1);
const stack = await load(await withoutAttention(potato.files));
const fitted = await load(own.files);
const ownStack = await load(await withoutAttention(own.files));

/** Bits per byte of the rest, where the part has just been read, and where it has not. */
const read = (model: typeof potato) => (model.score(text).bits - model.score(part).bits) / restBytes;
const unread = (model: typeof potato) => model.score(rest).bits / restBytes;
const rows: [string, typeof potato][] = [
  ["potato-en, without self-attention", stack],
  ["potato-en", potato],
  ["fitted on the part alone, without self-attention", ownStack],
  ["fitted on the part alone", fitted],
];
console.log(`${"bits per byte of the rest".padEnd(52)} ${"not read".padStart(10)} ${"part read".padStart(10)}\n`);
for (const [row, model] of rows) {
  const [before, after] = [unread(model), read(model)].map((bits) => bits.toFixed(3).padStart(10));
  console.log(`  ${row.padEnd(50)} ${before} ${after}`);
}
const compiling = own.report.seconds.compile!.toFixed(1);
console.log(`\nThat fit took ${seconds} s, ${compiling} of them to compile trainer and kernels for its shape.`);
