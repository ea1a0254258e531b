/**
 * The ablation: networks of many shapes on one budget, in the spirit of the paper's 245 models on a million tokens each. Its grid is
 * shuffled by a fixed seed, so that what a limit lets through is a sample of all of it.
 */

import { table } from "../../markdown.ts";
import { shuffle } from "../corpora/gutenberg.ts";
import { number } from "./findings.ts";
import type { Entry, Job } from "./job.ts";
import { rankCorrelation } from "./statistics.ts";
import { ABLATION } from "./systems.ts";

const WINDOWS = [1, 2, 3, 5];
const GROUPS = [
  [2, 8],
  [4, 8],
  [8, 8],
  [8, 16],
  [16, 16],
] as const;
const BITS = [1024, 512, 256, 128];
const PASSES = [1, 2, 4];
const SEED = 20231114;
const SHOWN = 10;

export function gridOf(budget: number): Job[] {
  const jobs = WINDOWS.flatMap((window) =>
    GROUPS.flatMap(([groups, units]) =>
      BITS.flatMap((bits) =>
        PASSES.map((passes): Job => {
          const options = { ...ABLATION.fixed, window, groups, units, bits, passes };
          return { system: ABLATION.name, budget, seed: 1, options };
        }),
      ),
    ),
  );
  shuffle(jobs, SEED);
  return jobs;
}

/** What the ablation says of size and quality, for each budget: the best models, and how far rank follows size. */
export function ablationText(entries: readonly Entry[]): string {
  if (entries.length === 0) return "Not measured yet.";
  const budgets = [...new Set(entries.map(({ job }) => job.budget))].sort((a, b) => a - b);
  return budgets
    .map((budget) =>
      sectionOf(
        budget,
        entries.filter(({ job }) => job.budget === budget),
      ),
    )
    .join("\n\n");
}

function sectionOf(budget: number, entries: readonly Entry[]): string {
  const ranked = [...entries].sort((a, b) => a.result.alone.dev - b.result.alone.dev);
  const sizes = entries.map(({ result }) => result.parameters);
  const rows = ranked
    .slice(0, SHOWN)
    .map(({ job: { options }, result }, i) => [
      String(i + 1),
      `${options.groups} × ${options.units}`,
      String(options.window),
      String(options.bits),
      String(options.passes),
      number(result.parameters),
      `${sizes.filter((size) => size > result.parameters).length} of ${sizes.length}`,
      result.alone.dev.toFixed(3),
      result.alone.test.toFixed(3),
    ]);
  const correlation = rankCorrelation(
    sizes,
    entries.map(({ result }) => result.alone.dev),
  );
  return `${number(budget)} tokens, ${entries.length} of ${gridOf(budget).length} models. Rank correlation of parameters and bits per byte
on dev: ${correlation.toFixed(2)} (−1: the larger the better).

${table(["rank", "groups × units", "window r", "bits b", "passes", "parameters", "larger models", "dev", "test"], rows)}`;
}
