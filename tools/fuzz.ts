/**
 * `npm run fuzz` feeds the readers of models and statistics with what is no model and no statistics, and prints what came of it.
 * `npm run fuzz -- --module` calls the exports of small device modules of every form at random, and prints what they answered.
 *   --cases N    inputs altogether (default 100,000), or calls (default 1,000,000), each of them to a scalar and to a simd instance
 *   --seed N     draws others (default: by the clock); the same seed, the same inputs or calls
 */
import { parseArgs } from "node:util";
import { load } from "../host/index.ts";
import { fuzz } from "./fuzz/run.ts";
import { targets } from "./fuzz/targets.ts";
import { fuzzModules } from "./module/run.ts";

const { values } = parseArgs({
  options: { module: { type: "boolean", default: false }, cases: { type: "string" }, seed: { type: "string" } },
});
const cases = Number(values.cases ?? (values.module ? 1_000_000 : 100_000));
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
if (!(cases >= 1) || !Number.isInteger(seed)) throw new Error("--cases and --seed take whole numbers");
console.log(`seed ${seed}\n`);
await (values.module ? fuzzModules : fuzzFiles)(cases, seed);

async function fuzzFiles(cases: number, seed: number): Promise<void> {
  const began = performance.now();
  let done = 0;
  const total = new Map<string, number>();
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
}
