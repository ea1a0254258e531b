/** docs/performance.md is what the stored results say, a peer that is faster stands first, and nobody who was missing is left unsaid. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { JOBS } from "../jobs.ts";
import { page } from "../page.ts";
import { inRoot } from "../paths.ts";
import { type Results, readResults } from "../results.ts";

test("the page is the one that the stored results are written as", () => {
  expect(readFileSync(inRoot("docs/performance.md"), "utf8")).toBe(page(readResults()));
});

test("the stored results have each job, with as many rounds of saffu as of the others, and every peer that is named", () => {
  const { series, versions, missing } = readResults();
  expect(new Set(series.map(({ job }) => job))).toEqual(new Set(JOBS.map(({ name }) => name)));
  for (const { job, peer, values } of series) {
    const own = series.find((each) => each.job === job && each.peer === "saffu");
    expect([job, peer, values.length]).toEqual([job, peer, own!.values.length]);
    expect(values.every((value) => value > 0)).toBe(true);
  }
  const measured = (name: string) => series.some(({ peer }) => peer.startsWith(name));
  expect(Object.keys(versions).filter((name) => !measured(name))).toEqual([]);
  expect(Object.keys(missing).filter(measured)).toEqual([]);
});

const RESULTS: Results = {
  processor: "a processor",
  node: "20.0.0",
  versions: { saffu: "this", quick: "one", slow: "another" },
  missing: { absent: "not here" },
  series: [
    { job: "decode", peer: "slow", values: [40, 30, 10], peak: 2e6 },
    { job: "decode", peer: "saffu", values: [20, 10, 10], peak: 1e6 },
    { job: "decode", peer: "saffu with its history", values: [2, 1, 1], peak: 1e6 },
    { job: "fit", peer: "saffu", values: [8], peak: 1e6, bits: 6.2 },
    { job: "fit", peer: "quick", values: [2], peak: 3e6, bits: 6.4 },
  ],
};

test("ratios are of one round, not of medians, and peers stand by their cost", () => {
  const text = page(RESULTS);
  // 2, 3 and 1 times saffu beside it; the medians' would be 3
  expect(text).toContain("| slow | 30 | 2.00 | 1.50 to 2.50 |");
  expect(text).toContain("| saffu | 10 | 1 |  |");
  expect(text.indexOf("| saffu |")).toBeLessThan(text.indexOf("| slow |"));
});

test("a faster peer is named before all tables, with what its result is worth; saffu itself and slower ones are not", () => {
  const [, first] = page(RESULTS).split(/^## /m);
  expect(first).toMatch(/^Where a peer is faster/);
  expect(first).toContain(
    "- **Fit a text of 100,000 tokens**: quick takes 0.25 of saffu's CPU time, at 6.40 bits a token against 6.20.",
  );
  expect(first).not.toMatch(/slow|history|Score/);
  const even = { job: "fit", peer: "even", values: [7, 9, 7.5, 8.5], peak: 1e6 } as const;
  const own = { job: "fit", peer: "saffu", values: [8, 8, 8, 8], peak: 1e6 } as const;
  expect(page({ ...RESULTS, series: [even, own] }), "some rounds are not enough").toContain("In no job of this run.");
  const none = page({ ...RESULTS, series: RESULTS.series.slice(0, 2) });
  expect(none).toContain("In no job of this run.");
});

test("peers that were not there are named in the tables of what they do, and with the reason", () => {
  const text = page({ ...RESULTS, missing: { "C at 128 bits": "no compiler" } });
  expect(text.split("| C at 128 bits | not measured |  |  |").length, "it scores, and does not fit").toBe(2);
  expect(text).toContain("- C at 128 bits: no compiler");
  expect(page(RESULTS)).toContain("Not measured in this run:\n\n- absent: not here");
  expect(page({ ...RESULTS, missing: {} })).not.toContain("Not measured");
});
