/**
 * `npm start`: the heart of the jobs in a few seconds, on the log of a home gateway that ships with the project (examples/gateway). A model
 * is fitted to the first day. It scores the second, and names the three lines that surprise it most. In the evening a new device joins: the
 * model learns some of its lines, and expects the rest; then it forgets them, to the last bit.
 */
import { readFileSync } from "node:fs";
import { fit, load, type Model } from "../host/index.ts";

const SHOWN = 3;
const log = readFileSync(new URL("../examples/gateway/gateway.log", import.meta.url), "utf8");
const lines = log.split(/(?<=\n)/);
const secondDay = lines.findIndex((line) => line.startsWith("2026-03-03"));
const evening = lines.findIndex((line) => line.includes("heatpump"));
const [first, second, later] = [lines.slice(0, secondDay), lines.slice(secondDay, evening), lines.slice(evening)];
const bytesOf = (text: readonly string[]) => Buffer.byteLength(text.join(""));

/** Runs some work, and gives its milliseconds. */
async function timed<T>(work: () => Promise<T> | T): Promise<[T, string]> {
  const began = performance.now();
  return [await work(), `${(performance.now() - began).toFixed(0)} ms`];
}

/** Bits of each line, read in order after `before`: nano's tokens are bytes, so a line's bits are those of its bytes. */
function bitsOfLines(model: Model, before: readonly string[], text: readonly string[]): number[] {
  const { surprisal } = model.score([...before, ...text].join(""));
  let at = bytesOf(before);
  return text.map((line) => {
    const from = at;
    at += Buffer.byteLength(line);
    return surprisal.subarray(from, at).reduce((sum, bits) => sum + bits, 0);
  });
}

const bitsPerByte = (model: Model, text: readonly string[]) => model.score(text.join("")).bitsPerByte.toFixed(3);

const [{ files }, fitting] = await timed(() => fit(() => [Buffer.from(first.join(""))], { profile: "nano" }));
const model = await load(files);
const size = files.get("model.safetensors")!.length;
console.log(`fit      ${first.length} lines, ${bytesOf(first)} bytes → a model of ${size} bytes, in ${fitting}\n`);

const [bits, scoring] = await timed(() => bitsOfLines(model, first, second));
console.log(`score    ${second.length} lines of the next day in ${scoring}. The ${SHOWN} that surprise most:\n`);
const ranked = [...bits.keys()].sort((a, b) => bits[b]! - bits[a]!).slice(0, SHOWN);
for (const line of ranked) console.log(`  ${bits[line]!.toFixed(0).padStart(4)} bits  ${second[line]!.trimEnd()}`);
const median = [...bits].sort((a, b) => a - b)[bits.length >> 1]!;
console.log(`  ${median.toFixed(0).padStart(4)} bits  is the median of all\n`);

const [learned, rest] = [later.slice(0, later.length / 2), later.slice(later.length / 2)];
const before = { score: bitsPerByte(model, rest), digest: (await model.statistics()).statisticsDigest };
const piece = learned.join("");
const [, observing] = await timed(() => model.observe(piece));
const [, refitting] = await timed(() => model.refit());
console.log(
  `learn    ${learned.length} lines, ${bytesOf(learned)} bytes, with a new device: observed in ${observing}, refitted in ${refitting}`,
);
console.log(
  `         bits a byte of the ${rest.length} lines after them: ${before.score} → ${bitsPerByte(model, rest)}\n`,
);

const [, forgetting] = await timed(() => model.forget(piece));
await model.refit();
const after = { score: bitsPerByte(model, rest), digest: (await model.statistics()).statisticsDigest };
const same = after.digest === before.digest && after.score === before.score;
console.log(`forget   the same lines, in ${forgetting}: bits a byte ${after.score}, as before`);
console.log(
  `         digest of what is learned ${before.digest.slice(0, 16)} → ${after.digest.slice(0, 16)}: ${same ? "the same" : "NOT THE SAME"}`,
);
if (!same) process.exitCode = 1;
