/**
 * `npm run room`: how many tokens of logs, sensor lines and prose a model learns before its fullest sum is half full, which is where
 * ageing halves the sums: measured on a text of each kind, and carried on in proportion. Written to docs/learning.md.
 */
import { readFileSync } from "node:fs";
import { load } from "../host/index.ts";
import { table, writeBlock } from "./markdown.ts";

const LINES = 4000;
const at = (i: number) => new Date(1.7961e12 + i * 1000).toISOString().slice(0, 19);
const lines = (line: (i: number) => string) => Array.from({ length: LINES }, (_, i) => `${line(i)}\n`);
const STREAMS: Record<string, readonly string[]> = {
  "log of a gateway": readFileSync("examples/gateway/gateway.log", "utf8").match(/.*\n/g)!,
  "sensor lines": lines((i) => `${at(i)}Z sensor=boiler temp=${(60 + 0.1 * ((i >> 4) % 3)).toFixed(2)} valve=open`),
  "one line over and over": lines(() => "door front closed"),
  "English prose": [readFileSync("LICENSE", "utf8"), readFileSync("docs/method.md", "utf8")],
};

const rows: string[][] = [];
for (const name of ["nano-en", "potato-en"]) {
  for (const [kind, pieces] of Object.entries(STREAMS)) {
    const model = await load(name);
    for (const piece of pieces) await model.observe(piece);
    const { observedTokens, filled } = await model.statistics();
    const room = Math.round(observedTokens / 2 / filled);
    const bytes = (room * Buffer.byteLength(pieces.join(""))) / observedTokens;
    rows.push([name, kind, room.toPrecision(2), (bytes / 1e6).toPrecision(2)].map(plain));
  }
}
writeBlock("docs/learning.md", "room", table(["model", "stream", "tokens", "megabytes"], rows));
console.log(table(["model", "stream", "tokens", "megabytes"], rows));

/** A figure of two digits as people write it. */
function plain(text: string): string {
  return /^[\d.e+]+$/.test(text) ? Number(text).toLocaleString("en") : text;
}
