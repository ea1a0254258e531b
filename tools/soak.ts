/**
 * `npm run soak`: millions of lines through `saffu watch` in a process of its own; how much memory it takes as it goes on, and how many lines a second of CPU.
 *   --lines N    in millions (default: 10)
 *   --seed N     other lines (default: 1)
 *   --alarms     of rows, those with an alarm alone are printed
 *
 * Lines are of 400 templates with numbers, addresses and names; one in fifty has a word that never came before, one in twenty thousand is of a template that
 * never did. Fails where the resident size has grown by more than a tenth from the second million to the last.
 */
import { execFileSync, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { generator } from "./generator.ts";

const number = { type: "string" } as const;
const { values } = parseArgs({ options: { lines: number, seed: number, alarms: { type: "boolean" } } });
const millions = Number(values.lines ?? 10);
const seed = Number(values.seed ?? 1);
if (!(millions >= 1) || !Number.isInteger(seed)) throw new Error("--lines and --seed take numbers");

const MILLION = 1_000_000;
const [TEMPLATES, BATCH] = [400, 2000];
const MOST_GROWTH = 1.1;

const random = generator(seed);
const below = (n: number) => Math.floor(random() * n);
const SYLLABLES = ["ka", "to", "mi", "re", "sun", "vel", "dor", "pin", "gra", "lo"];
const word = () => Array.from({ length: 2 + below(2) }, () => SYLLABLES[below(SYLLABLES.length)]).join("");
const template = () => Array.from({ length: 4 + below(8) }, (_, i) => (i > 0 && below(3) === 0 ? "#" : word()));
const templates = Array.from({ length: TEMPLATES }, template);
const VALUES = [
  () => String(below(100_000)),
  () => `10.${below(4)}.${below(250)}.${below(250)}`,
  () => `user-${word()}`,
  () => `0x${below(2 ** 31).toString(16)}`,
  () => `${(random() * 100).toFixed(2)}%`,
];

let fresh = 0;
function line(i: number): string {
  const parts = below(20_000) === 0 ? template() : templates[Math.floor(random() ** 3 * TEMPLATES)]!;
  const said = parts.map((part) => (part === "#" ? VALUES[below(VALUES.length)]!() : part));
  if (below(50) === 0) said.push(`new${word()}${word()}${(++fresh).toString(26).replace(/\d/g, "x")}`);
  return `2026-03-02T00:${String(Math.floor(i / 60) % 60).padStart(2, "0")}:${String(i % 60).padStart(2, "0")} host app[${below(4000)}]: ${said.join(" ")}\n`;
}

/** Bytes that are resident, and seconds of CPU so far (Linux). */
function lookAt(pid: number): { resident: number; seconds: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  const ticks = Number(execFileSync("getconf", ["CLK_TCK"]));
  return {
    resident: 1024 * Number(/VmRSS:\s+(\d+)/.exec(status)![1]),
    seconds: (Number(stat[11]) + Number(stat[12])) / ticks,
  };
}

const folder = "build/soak";
execFileSync(process.execPath, ["tools/build.mjs", "--bundles", "--out", folder]);
const words = [`${folder}/cli.js`, "watch", ...(values.alarms ? ["--alarms"] : [])];
const child = spawn(process.execPath, words, { stdio: ["pipe", "pipe", "inherit"] });
let [rows, bytes, alarms] = [0, 0, 0];
child.stdout.on("data", (chunk: Buffer) => {
  bytes += chunk.length;
  for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) rows += 1;
  for (let at = chunk.indexOf('"begin"'); at >= 0; at = chunk.indexOf('"begin"', at + 1)) alarms += 1;
});
const ended = new Promise<number | null>((resolve) => child.on("close", resolve));

const sizes: number[] = [];
for (let million = 1; million <= millions; ++million) {
  for (let i = 0; i < MILLION; i += BATCH) {
    const batch = Array.from({ length: BATCH }, (_, k) => line((million - 1) * MILLION + i + k)).join("");
    if (!child.stdin.write(batch)) await new Promise<void>((resolve) => child.stdin.once("drain", () => resolve()));
  }
  const { resident, seconds } = lookAt(child.pid!);
  sizes.push(resident);
  console.log(
    `${String(million).padStart(3)} million lines: ${(resident / 1e6).toFixed(0)} MB resident, ${Math.round((million * MILLION) / seconds).toLocaleString("en")} lines a second of CPU`,
  );
}
child.stdin.end();
const code = await ended;
console.log(
  `${rows.toLocaleString("en")} rows, ${alarms.toLocaleString("en")} alarms begun, ${(bytes / 1e6).toFixed(0)} MB printed, exit code ${code}`,
);
const growth = sizes.at(-1)! / (sizes[1] ?? sizes[0]!);
console.log(`the resident size is ${growth.toFixed(2)} times that of the second million`);
if (code !== 0 || (millions > 2 && growth > MOST_GROWTH)) process.exitCode = 1;
