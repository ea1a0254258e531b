/** Verdicts: what holds against the best of the networks is open while one of them is not measured, and what fails fails. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { Findings } from "../evidence/findings.ts";
import { type Job, keyOf } from "../evidence/job.ts";
import { cellsOf } from "../evidence/plan.ts";
import { Store } from "../evidence/store.ts";
import { SYSTEMS } from "../evidence/systems.ts";
import { verdictTable } from "../evidence/verdicts.ts";

const folder = mkdtempSync(join(tmpdir(), "saffu-verdicts-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** The verdict on explicit against the best of the networks where systems came to these bits per byte, each with three seeds. */
function verdict(dev: Readonly<Record<string, number>>): { verdict: string; figures: string; seconds: string } {
  const systems = SYSTEMS.map((system) => ({ ...system, axes: {}, fixed: {}, seedsFrom: {}, chosenFrom: {} }));
  const budget = 10_000;
  const cells = cellsOf(systems, [budget], [1, 2, 3]);
  const store = new Store(join(folder, `${Math.random()}.jsonl`));
  for (const [system, value] of Object.entries(dev)) {
    for (const seed of [1, 2, 3]) {
      const job: Job = { system, budget, seed, options: {} };
      const alone = { dev: value + seed / 1000, test: value };
      const rest = { trainTokens: 1, parameters: 1, bytes: 1, seconds: value, compileSeconds: 0, peakMemoryBytes: 1 };
      store.append({ key: keyOf(job), code: "0", job, result: { alone, ...rest } });
    }
  }
  const rows = verdictTable(new Findings(cells, store), [])
    .split("\n")
    .map((line) => line.split("|").map((cell) => cell.trim()));
  const row = (name: string) => rows.find((cells) => cells[2] === name)!;
  const [, , , found, figures] = row("dev, the best of the networks at equal parameters");
  return { verdict: found!, figures: figures!, seconds: row("seconds of a fit, against the best network")[3]! };
}

test.each([
  [{ explicit: 2, "feed-forward": 3, transformer: 4, lstm: 5 }, "reproduced at 10,000", "reproduced at 10,000"],
  [{ explicit: 2, "feed-forward": 3, lstm: 4 }, "open at 10,000", "open at 10,000"],
  [{ explicit: 3, "feed-forward": 2, lstm: 4 }, "not at 10,000", "not at 10,000"],
  [{ explicit: 3, "feed-forward": 4, transformer: 2, lstm: 5 }, "not at 10,000", "not at 10,000"],
  [{ explicit: 3 }, "not measured yet", "not measured yet"],
])("of %j: %s", (dev, expected, seconds) => {
  const found = verdict(dev);
  expect(found.verdict).toBe(expected);
  expect(found.seconds).toBe(seconds);
});

test("names the best and what is not measured", () => {
  expect(verdict({ explicit: 2, "feed-forward": 3, lstm: 4 }).figures).toBe(
    "10,000: −1.000 ± 0.002 (feed-forward), transformer not measured",
  );
});
