/**
 * The evidence: `npm run evidence --prefix tools/lab` measures what is missing of the matrix budgets × systems × seeds and writes
 * results/evidence.md anew. It can be killed at any time and goes on where it was. `--quick` is a small form of it, `--help` names the rest.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { codesOf, stands } from "./evidence/code.ts";
import { BUDGETS, cellsOf, progressOf } from "./evidence/plan.ts";
import { writeReport } from "./evidence/report.ts";
import { runCells } from "./evidence/run.ts";
import { stopSignal } from "./evidence/stop.ts";
import { Store } from "./evidence/store.ts";
import { quickened, SYSTEMS } from "./evidence/systems.ts";
import { inLab } from "./paths.ts";

const HELP = `npm run evidence -- [options]
  --budget N   tokens of training text; may be given several times
  --only TEXT  the system of this name, or all whose name contains it; may be given several times
  --seeds N    seeds of each cell
  --quick      one budget, two seeds, part of the systems, two values to search; writes build/quick/
  --out DIR    where page, plots and results are; results/ by default
  --stale      also runs what other code than today's has measured
  --report     measures nothing, writes the pages
  --list       measures nothing, names what is missing`;

const { values } = parseArgs({
  options: {
    budget: { type: "string", multiple: true },
    only: { type: "string", multiple: true, default: [""] },
    seeds: { type: "string" },
    quick: { type: "boolean", default: false },
    out: { type: "string" },
    stale: { type: "boolean", default: false },
    report: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit();
}
const { quick } = values;
const out = values.out ?? inLab(quick ? "build/quick" : "results");
const budgets = quick ? BUDGETS.slice(0, 1) : BUDGETS;
const seeds = Array.from({ length: Number(values.seeds ?? (quick ? 2 : 5)) }, (_, i) => i + 1);
const systems = quick ? SYSTEMS.filter((system) => system.quick).map(quickened) : SYSTEMS;
const isName = (text: string) => systems.some(({ name }) => name === text);
const wanted = cellsOf(
  systems.filter(({ name }) => values.only.some((text) => (isName(text) ? name === text : name.includes(text)))),
  values.budget?.map(Number) ?? budgets,
  seeds,
);
const path = join(out, "results.jsonl");
const names = new Set(wanted.map(({ system }) => system.name));
const codeOf = values.stale ? await codesOf(names) : undefined;
const store = new Store(
  path,
  (entry) => codeOf === undefined || !names.has(entry.job.system) || stands(entry, codeOf(entry.job)),
);

if (values.list) {
  for (const cell of wanted) {
    for (const job of progressOf(cell, store).next) console.log(JSON.stringify(job));
  }
} else {
  const failed = values.report ? [] : await runCells(wanted, store, { log: console.log, signal: stopSignal() });
  const shown = [...new Set([...budgets, ...wanted.map(({ budget }) => budget)])].sort((a, b) => a - b);
  await writeReport(out, cellsOf(systems, shown, seeds), new Store(path));
  console.log(`${join(out, "evidence.md")} written, ${failed.length} jobs failed`);
  process.exitCode = failed.length > 0 ? 1 : 0;
}
