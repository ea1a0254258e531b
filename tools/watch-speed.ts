/**
 * How fast streams are watched: `npm run watch:speed [-- FILE]`. Lines per CPU second of counts, and with a nano in the loop, on lines of 100 bytes; and
 * milliseconds from a line's end to its row, of the command. FILE is a log; without one the gateway's of examples/.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fit, load, openWatch } from "../host/index.ts";
import type { WatchOptions } from "../host/watch/options.ts";
import { table } from "./markdown.ts";

/** Bytes of a line, lines of counts and of a model, and lines that are waited for. */
const [BYTES, LINES, WITH_MODEL, WAITED] = [100, 200_000, 5000, 300];

const text = readFileSync(process.argv[2] ?? "examples/gateway/gateway.log", "utf8");
const own = text.split("\n").filter(Boolean);
/** Lines of exactly BYTES: longer ones are cut, shorter ones go on with the next. */
const lines = own.map((line, i) => Buffer.from(`${line} ${own[(i + 1) % own.length]} `.repeat(3)).subarray(0, BYTES));

async function perSecond(count: number, options: WatchOptions): Promise<string> {
  const watch = await openWatch({ reach: 0, ...options });
  for (let i = 0; i < count / 10; ++i) watch.push(lines[i % lines.length]!); // until it is compiled
  const before = process.cpuUsage();
  for (let i = 0; i < count; ++i) watch.push(lines[i % lines.length]!);
  const { user, system } = process.cpuUsage(before);
  watch.close();
  return Math.round((count / (user + system)) * 1e6).toLocaleString("en");
}

/** Milliseconds between a line that is written to the command and its row, sorted. */
async function waits(): Promise<number[]> {
  const child = spawn(process.execPath, ["dist/cli.js", "watch"], { stdio: ["pipe", "pipe", "ignore"] });
  const rows = createInterface(child.stdout)[Symbol.asyncIterator]();
  const found: number[] = [];
  for (let i = 0; i < WAITED; ++i) {
    const from = performance.now();
    child.stdin.write(`${own[i % own.length]}\n`);
    await rows.next();
    found.push(performance.now() - from);
  }
  child.stdin.end();
  await once(child, "exit");
  return found.slice(1).sort((a, b) => a - b); // the first waits for the start
}

const [nano, light] = await Promise.all(
  [{}, { remember: 0 }].map(async (options) => {
    const { files } = await fit(() => [Buffer.from(text)], { profile: "nano", ...options });
    return load(files);
  }),
);
const waited = await waits();
const milliseconds = (share: number) => waited[Math.floor(share * (waited.length - 1))]!.toFixed(2);
console.log(
  table(
    ["", ""],
    [
      ["lines of 100 bytes per CPU second, counts", await perSecond(LINES, {})],
      ["the same, alarms alone explained", await perSecond(LINES, { explain: "alarms" })],
      ["the same, with a nano in the loop", await perSecond(WITH_MODEL, { model: nano })],
      ["with a nano that remembers nothing of its text", await perSecond(WITH_MODEL, { model: light })],
      ["ms from a line's end to its row: half of lines, 99 of 100, all", [0.5, 0.99, 1].map(milliseconds).join(", ")],
    ],
  ),
);
