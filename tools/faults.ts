/**
 * `npm run faults`: kills processes that learn and save at random moments, and prints what they left.
 *   --kills N    how many (default 200)
 *   --seed N     other moments (default: by the clock)
 */
import { parseArgs } from "node:util";
import { killWriters } from "./faults/kills.ts";

const { values } = parseArgs({ options: { kills: { type: "string" }, seed: { type: "string" } } });
const kills = Number(values.kills ?? 200);
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
if (!(kills >= 1) || !Number.isInteger(seed)) throw new Error("--kills and --seed take whole numbers");

const began = performance.now();
const report = await killWriters("models/nano-en", kills, seed);
console.log(
  `seed ${seed}: ${kills} writers killed after ${report.saves} saves, in ${((performance.now() - began) / 1000).toFixed(0)} s`,
);
console.log(`  ${report.between} between two saves: the last one stood there`);
console.log(`  ${report.old} in a save, and the one before stood there`);
console.log(`  ${report.new} in a save, and the new one stood there`);
console.log(`  ${report.leftovers} left a temporary file behind, ${report.none} states had no statistics`);
console.log("none corrupt, none older than the last acknowledged save");
