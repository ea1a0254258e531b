/**
 * `npm run fuzz`: feeds the readers of models and statistics with what is no model and no statistics, and prints what came of it.
 *   --cases N    inputs altogether (default 100,000)
 *   --seed N     draws other inputs (default: by the clock); the same seed, the same inputs
 */
import { parseArgs } from "node:util";
import { load } from "../host/index.ts";
import { fuzz } from "./fuzz/run.ts";
import { targets } from "./fuzz/targets.ts";

const { values } = parseArgs({ options: { cases: { type: "string" }, seed: { type: "string" } } });
const cases = Number(values.cases ?? 100_000);
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
if (!(cases >= 1) || !Number.isInteger(seed)) throw new Error("--cases and --seed take whole numbers");

const began = performance.now();
let done = 0;
const total = new Map<string, number>();
console.log(`seed ${seed}\n`);
for (const target of await targets((await load("models/nano-en")).files)) {
  const tally = await fuzz(target, Math.ceil(cases * target.share), seed);
  done += tally.cases;
  for (const [outcome, count] of tally.outcomes) total.set(outcome, (total.get(outcome) ?? 0) + count);
  console.log(`${tally.target}: ${tally.cases} cases, ${tally.messages.size} different refusals`);
  for (const [outcome, count] of tally.outcomes) console.log(`  ${outcome.padEnd(20)} ${count}`);
}
console.log(
  `\nall: ${done} cases in ${((performance.now() - began) / 1000).toFixed(0)} s, nothing untyped, no hang, no memory taken`,
);
for (const [outcome, count] of [...total].sort()) console.log(`  ${outcome.padEnd(20)} ${count}`);
