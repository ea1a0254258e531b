/**
 * Many shapes on one budget: `npm run ablation --prefix tools/lab` measures what is missing of the grid; `npm run evidence -- --report`
 * shows it. It can be killed at any time and goes on where it was.
 */
import { parseArgs } from "node:util";
import { gridOf } from "./evidence/ablation.ts";
import { codesOf, stands } from "./evidence/code.ts";
import { ablationPath } from "./evidence/report.ts";
import { runJobs } from "./evidence/run.ts";
import { stopSignal } from "./evidence/stop.ts";
import { Store } from "./evidence/store.ts";
import { ABLATION } from "./evidence/systems.ts";
import { inLab } from "./paths.ts";

const HELP = `npm run ablation -- [options]
  --tokens N  training text, 1,000,000 by default
  --stale     also models that other code than today's has measured
  --limit N   at most so many models of the grid, those of before included
  --out DIR   where ablation.jsonl is; results/ by default; npm run evidence -- --report writes the page`;

const { values } = parseArgs({
  options: {
    tokens: { type: "string", default: "1000000" },
    limit: { type: "string" },
    stale: { type: "boolean", default: false },
    out: { type: "string", default: inLab("results") },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit();
}
const codeOf = values.stale ? await codesOf([ABLATION.name]) : undefined;
const store = new Store(ablationPath(values.out), (entry) => codeOf === undefined || stands(entry, codeOf(entry.job)));
const grid = gridOf(Number(values.tokens)).slice(0, values.limit === undefined ? undefined : Number(values.limit));
const missing = grid.filter((job) => store.get(job) === undefined);
const failed = await runJobs(missing, store, { log: console.log, signal: stopSignal() });
console.log(
  `${missing.length - failed.length} of ${missing.length} models measured; npm run evidence -- --report shows them`,
);
process.exitCode = failed.length > 0 ? 1 : 0;
