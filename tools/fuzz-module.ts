/**
 * `npm run fuzz:module`: calls the exports of small modules of every form at random, and prints what they answered.
 *   --calls N    calls altogether (default 1,000,000), each of them to a scalar and to a simd instance
 *   --seed N     draws other calls (default: by the clock); the same seed, the same calls
 */
import { parseArgs } from "node:util";
import { Draws } from "./module/draws.ts";
import { build, FORMS } from "./module/forms.ts";
import { fuzz, type Tally } from "./module/fuzz.ts";

const { values } = parseArgs({ options: { calls: { type: "string" }, seed: { type: "string" } } });
const calls = Number(values.calls ?? 1_000_000);
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
if (!(calls >= 1) || !Number.isInteger(seed)) throw new Error("--calls and --seed take whole numbers");

const began = performance.now();
const each = Math.ceil(calls / FORMS.length);
const total: Tally = new Map();
console.log(`seed ${seed}\n`);
for (const form of FORMS) {
  const tally = fuzz(await build(form, new Draws(seed)), each, seed);
  for (const [name, answers] of tally) {
    const sums = total.get(name) ?? new Map<string, number>();
    for (const [code, count] of answers) sums.set(code, (sums.get(code) ?? 0) + count);
    total.set(name, sums);
  }
  console.log(`${form.name}: ${each} calls`);
}

const codes = ["ok", "-1", "-2", "-3", "-4", "-5", "-6"];
const line = (name: string, cells: readonly (string | number)[]) =>
  console.log(name.padEnd(8) + cells.map((cell) => String(cell).padStart(9)).join(""));
console.log();
line("", codes);
for (const [name, answers] of [...total].sort()) {
  line(
    name,
    codes.map((code) => answers.get(code) ?? 0),
  );
}
const seconds = ((performance.now() - began) / 1000).toFixed(0);
console.log(`\nall: ${each * FORMS.length} calls in ${seconds} s; no trap, no code that is not documented, nothing changed
by a call that was refused, nothing written beyond the memory, every prediction of unit sum, scalar as simd`);
