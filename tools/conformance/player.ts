/** A runner of the protocol in script.ts: play.ts in a Node of its own, which may be one for another machine. */
import { readFileSync } from "node:fs";
import { play } from "./play.ts";
import type { Script } from "./script.ts";

const { module, weights, steps }: Script = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify({ version: process.versions.v8 }));
for (const answer of play(readFileSync(module), weights === null ? null : readFileSync(weights), steps)) {
  console.log(JSON.stringify(answer));
}
