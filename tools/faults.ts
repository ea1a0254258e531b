/**
 * `npm run faults`: kills processes that learn and save at random moments, and prints what they left.
 *   --kills N    how many (default 200)
 *   --seed N     other moments (default: by the clock)
 *
 * `npm run faults -- lost`: processes that learn into one directory at the same time, and how many acknowledged tokens are lost.
 *   --processes N   half through the library, half through the command (default 4)
 *   --seconds N     (default 45)
 *
 * `npm run faults -- interrupts`: each command, interrupted while it works and while it waits, and the seconds it takes to end.
 */
import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
import { interrupt, SITUATIONS } from "./faults/interrupts.ts";
import { killWriters } from "./faults/kills.ts";
import { learnTogether } from "./faults/lost.ts";

const MODEL = "models/nano-en";
const number = { type: "string" } as const;
const { values, positionals } = parseArgs({
  options: { kills: number, seed: number, processes: number, seconds: number },
  allowPositionals: true,
});
if (positionals[0] === "lost") await lost();
else if (positionals[0] === "interrupts") await interrupts();
else if (positionals.length === 0) await killed();
else throw new Error(`no such faults: ${positionals.join(" ")}`);

async function lost(): Promise<void> {
  const [processes, seconds] = [Number(values.processes ?? 4), Number(values.seconds ?? 45)];
  if (!(processes >= 1 && seconds > 0)) throw new Error("--processes and --seconds take numbers");
  const { pieces, acknowledged, found, lost, left } = await learnTogether(MODEL, processes, seconds);
  console.log(`${processes} processes, ${seconds} s: ${pieces.join(" + ")} pieces acknowledged`);
  console.log(`  ${acknowledged} tokens acknowledged, ${found} in the sums, ${left.length} files left behind`);
  console.log(`${lost} tokens lost`);
  if (lost !== 0 || left.length > 0) process.exitCode = 1;
}

async function interrupts(): Promise<void> {
  const folder = "build/faults";
  execFileSync(process.execPath, ["tools/build.mjs", "--bundles", "--out", folder]);
  let slowest = 0;
  for (const situation of SITUATIONS) {
    const ends = [
      await interrupt(`${folder}/cli.js`, MODEL, situation, "SIGINT"),
      await interrupt(`${folder}/cli.js`, MODEL, situation, "SIGTERM"),
      await interrupt(`${folder}/cli.js`, MODEL, situation, "SIGINT", true),
    ];
    const told = ends.map(({ seconds, code }) => `${seconds.toFixed(2)} s (${code})`.padStart(13));
    const changed = ends.flatMap((end) => end.changed);
    slowest = Math.max(slowest, ...ends.map(({ seconds }) => seconds));
    console.log(
      `${situation.name.padEnd(34)} ${told.join(" ")} ${changed.length > 0 ? `LEFT ${changed.join(" ")}` : ""}`,
    );
    if (changed.length > 0) process.exitCode = 1;
  }
  console.log(`after SIGINT, SIGTERM, two SIGINT (and the exit code); the slowest took ${slowest.toFixed(2)} s`);
  if (slowest > 1) process.exitCode = 1;
}

async function killed(): Promise<void> {
  const kills = Number(values.kills ?? 200);
  const seed = Number(values.seed ?? Date.now() % 2 ** 31);
  if (!(kills >= 1) || !Number.isInteger(seed)) throw new Error("--kills and --seed take whole numbers");

  const began = performance.now();
  const report = await killWriters(MODEL, kills, seed);
  console.log(
    `seed ${seed}: ${kills} writers killed after ${report.saves} saves, in ${((performance.now() - began) / 1000).toFixed(0)} s`,
  );
  console.log(`  ${report.between} between two saves: the last one stood there`);
  console.log(`  ${report.old} in a save, and the one before stood there`);
  console.log(`  ${report.new} in a save, and the new one stood there`);
  console.log(`  ${report.leftovers} left a temporary file behind, ${report.none} states had no statistics`);
  console.log("none corrupt, none older than the last acknowledged save");
}
