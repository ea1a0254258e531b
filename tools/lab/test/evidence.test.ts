/** The evidence: what is measured once stays, what a kill left out is made up for, and the pages say what the results say. */
import { spawn } from "node:child_process";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { withoutAttention } from "../../variants.ts";
import { gridOf } from "../evidence/ablation.ts";
import { codeOf, codesOf, stands } from "../evidence/code.ts";
import { codeDigest, type Entry, type Job, keyOf, type Result } from "../evidence/job.ts";
import { neuralIsThere } from "../evidence/kinds/neural.ts";
import { cellsOf, MOST_TOKENS, progressOf } from "../evidence/plan.ts";
import { difference, estimate, pooledDifference, signOf } from "../evidence/statistics.ts";
import { Store } from "../evidence/store.ts";
import { ABLATION, quickened, SYSTEMS, type System } from "../evidence/systems.ts";
import { inLab, LAB } from "../paths.ts";

const folder = mkdtempSync(join(tmpdir(), "saffu-evidence-"));
afterAll(() => rmSync(folder, { recursive: true }));

const result = (dev: number): Result => ({
  alone: { dev, test: dev },
  trainTokens: 1,
  parameters: 1,
  bytes: 1,
  seconds: 1,
  compileSeconds: 0,
  peakMemoryBytes: 1,
});
const entry = (job: Job, dev: number): Entry => ({ key: keyOf(job), code: "0", job, result: result(dev) });
const job = (seed: number, options = {}): Job => ({ system: "explicit", budget: 1000, seed, options });

/** What one of the tools prints. */
function tool(name: string, ...words: string[]): Promise<string> {
  const child = spawn(process.execPath, ["--import", "tsx", inLab(`${name}.ts`), ...words], { cwd: LAB });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      output += chunk;
    });
  }
  return new Promise((resolve) => child.on("close", () => resolve(output)));
}

describe("a results file", () => {
  test("gives back what was appended, the last line of a job", () => {
    const path = join(folder, "twice.jsonl");
    const store = new Store(path);
    for (const dev of [3, 2]) store.append(entry(job(1), dev));
    expect(new Store(path).get(job(1))!.result.alone.dev).toBe(2);
    expect(new Store(path).get(job(2))).toBeUndefined();
  });

  test("survives a line that a kill has torn", () => {
    const path = join(folder, "torn.jsonl");
    new Store(path).append(entry(job(1), 3));
    appendFileSync(path, JSON.stringify(entry(job(2), 3)).slice(0, 50));
    const store = new Store(path);
    expect(store.get(job(2))).toBeUndefined();
    store.append(entry(job(3), 3));
    expect(new Store(path).all().map(({ job }) => job.seed)).toEqual([1, 3]);
  });

  test("finds a job whatever the order of its options", () => {
    expect(keyOf(job(1, { a: 1, b: 2 }))).toBe(keyOf(job(1, { b: 2, a: 1 })));
    expect(keyOf(job(1, { a: 1, b: 2 }))).not.toBe(keyOf(job(1, { a: 2, b: 2 })));
  });
});

describe("a cell of the matrix", () => {
  const system = { ...SYSTEMS[0]!, fixed: { model: "m" }, axes: { rate: [1, 2, 3], tied: [false, true] } } as System;
  const [cell] = cellsOf([system], [1000], [1, 2, 3]);

  test("searches one axis after the other with the first seed, then runs the others with the best", () => {
    const store = new Store(join(folder, "search.jsonl"));
    const ran: string[] = [];
    for (let { next } = progressOf(cell!, store); next.length > 0; { next } = progressOf(cell!, store)) {
      for (const job of next) {
        const { rate, tied } = job.options as { rate: number; tied: boolean };
        ran.push(`${job.seed} ${rate} ${tied}`);
        store.append(entry(job, Math.abs(rate - 2) + (tied ? 0 : 0.5))); // best: rate 2, tied
      }
    }
    expect(ran).toEqual(["1 1 false", "1 2 false", "1 3 false", "1 2 true", "2 2 true", "3 2 true"]);
    const { chosen, entries, searched } = progressOf(cell!, store);
    expect(chosen).toEqual({ model: "m", rate: 2, tied: true });
    expect(entries).toHaveLength(3);
    expect(searched).toHaveLength(4);
  });

  test("of a system without seeds is one run", () => {
    expect(cellsOf([{ ...system, seeded: false }], [1000], [1, 2, 3])[0]!.seeds).toEqual([1]);
  });

  test("of a system that takes long has fewer seeds from a budget on", () => {
    const long = { ...system, seedsFrom: { 30000: 3, 300000: 1 } };
    const cells = cellsOf([long], [10_000, 30_000, 100_000, 300_000, 1_000_000], [1, 2, 3, 4, 5]);
    expect(cells.map(({ seeds }) => seeds.length)).toEqual([5, 3, 3, 1, 1]);
  });

  test("of a system with options from a budget on has them there, whatever the smaller ones chose", () => {
    const from = {
      ...system,
      settledFrom: 100_000,
      chosenFrom: { 100000: { rate: 5, tied: true } },
    };
    const cells = cellsOf([from], [10_000, 30_000, 100_000], [1]);
    const store = new Store(join(folder, "chosen.jsonl"));
    const all = cells.map((cell) => {
      for (let { next } = progressOf(cell, store); next.length > 0; { next } = progressOf(cell, store)) {
        for (const job of next) store.append(entry(job, Number(job.options.rate)));
      }
      return progressOf(cell, store);
    });
    expect(all.map(({ chosen }) => chosen?.rate)).toEqual([1, 1, 5]);
    expect(all[2]).toMatchObject({ chosen: { model: "m", rate: 5, tied: true }, searched: [] });
  });

  test("that is settled tries less of what wants less with more text, at the one budget, for as long as it is better", () => {
    const axes = { rate: [1, 2], amount: [0.3, 0.1, 0.5, 0.7, 0.2] };
    const cells = cellsOf(
      [{ ...system, axes, settledFrom: 30_000, lessAt: { amount: 30_000 } }],
      [10_000, 30_000, 100_000],
      [1],
    );
    const store = new Store(join(folder, "less.jsonl"));
    const ran = cells.map((cell) => {
      const tried: number[] = [];
      for (let { next } = progressOf(cell, store); next.length > 0; { next } = progressOf(cell, store)) {
        for (const job of next) {
          const { rate, amount } = job.options as { rate: number; amount: number };
          if (job.budget === cell.budget && rate === 1) tried.push(amount);
          store.append(entry(job, rate + Math.abs(amount - (job.budget === 10_000 ? 0.5 : 0.2))));
        }
      }
      return { tried, amount: progressOf(cell, store).chosen?.amount };
    });
    expect(ran).toEqual([
      { tried: [0.3, 0.1, 0.5, 0.7, 0.2], amount: 0.5 },
      { tried: [0.3, 0.5, 0.2, 0.1], amount: 0.2 },
      { tried: [0.2], amount: 0.2 },
    ]);
  });

  test("at a larger budget tries what the next smaller one chose and its neighbours, goes on while the best is at an end, and keeps steady axes", () => {
    const axes = { rate: [3, 1, 2, 4, 5], kind: ["a", "b"], tied: [false, true] };
    const cells = cellsOf([{ ...system, axes }], [10_000, 30_000, 100_000, 300_000], [1]);
    const store = new Store(join(folder, "larger.jsonl"));
    const ran: Record<number, string[]> = {};
    const goOn = (cell: (typeof cells)[number]) => {
      for (let { next } = progressOf(cell, store); next.length > 0; { next } = progressOf(cell, store)) {
        for (const job of next) {
          const { rate, kind, tied } = job.options as { rate: number; kind: string; tied: boolean };
          ran[job.budget] ??= [];
          ran[job.budget]!.push(`${rate} ${kind} ${tied}`);
          // the best rate falls with the budget: 4, 3, 2, 1
          const best = { 10000: 4, 30000: 3, 100000: 2, 300000: 1 }[job.budget]!;
          store.append(entry(job, Math.abs(rate - best) + (kind === "b" ? 0 : 0.2) + (tied ? 0 : 0.1)));
        }
      }
    };
    // a larger budget that is asked for alone has the smaller ones searched first
    goOn(cells[2]!);
    expect(ran[10_000]).toEqual([
      "3 a false",
      "1 a false",
      "2 a false",
      "4 a false",
      "5 a false",
      "4 b false",
      "4 b true",
    ]);
    expect(ran[30_000]).toEqual(["3 b true", "4 b true", "5 b true", "2 b true", "3 a true"]);
    expect(ran[100_000]).toEqual(["2 b true", "3 b true", "4 b true", "1 b true", "2 a true"]);
    goOn(cells[3]!);
    expect(ran[300_000]).toEqual(["1 b true", "2 b true", "3 b true", "1 a true"]);
    expect(progressOf(cells[3]!, store).chosen).toEqual({ model: "m", rate: 1, kind: "b", tied: true });
  });
});

describe("epochs", () => {
  test("that come to more tokens than a training may read are not tried, and what a smaller budget chose is cut to the most", () => {
    const system = { ...SYSTEMS[0]!, fixed: {}, axes: { rate: [1, 2], epochs: [10, 3, 30, 100] } } as System;
    const cells = cellsOf([system], [10_000, 300_000, 1_000_000], [1]);
    const store = new Store(join(folder, "epochs.jsonl"));
    const ran: Record<number, string[]> = {};
    for (const cell of cells) {
      for (let { next } = progressOf(cell, store); next.length > 0; { next } = progressOf(cell, store)) {
        for (const job of next) {
          const { rate, epochs } = job.options as { rate: number; epochs: number };
          ran[job.budget] ??= [];
          ran[job.budget]!.push(`${rate} ${epochs}`);
          store.append(entry(job, rate + 1 / epochs)); // best: as many as there are
        }
      }
    }
    expect(ran[10_000]).toEqual(["1 10", "2 10", "1 3", "1 30", "1 100"]);
    expect(ran[300_000]).toEqual(["1 30", "2 30", "1 10"]);
    expect(ran[1_000_000]).toEqual(["1 10", "2 10", "1 3"]);
    for (const [budget, tried] of Object.entries(ran)) {
      for (const one of tried) expect(Number(budget) * Number(one.split(" ")[1])).toBeLessThanOrEqual(MOST_TOKENS);
    }
  });
});

describe("the code of a saffu model's results", () => {
  const explicit = SYSTEMS.find(({ name }) => name === "explicit")!;
  const source = join(folder, "source.ts");
  const cache = join(folder, "code");
  let probes = 0;
  const probed: System = {
    ...explicit,
    sources: [source],
    model: (job, data) => {
      ++probes;
      return explicit.model!(job, data);
    },
  };

  test("outlives a change of the sources that changes no bit, and not one of what is fitted", async () => {
    writeFileSync(source, "// one");
    const code = await codeOf(probed, cache);
    expect(await codeOf(probed, cache)).toBe(code);
    expect(probes).toBe(1);
    writeFileSync(source, "// two");
    expect(await codeOf(probed, cache)).toBe(code);
    expect(probes).toBe(2);
    writeFileSync(source, "// three");
    const other: System = { ...probed, model: (job, data) => explicit.model!({ ...job, seed: 2 }, data) };
    expect(await codeOf(other, cache)).not.toBe(code);
  }, 120_000); // three fits with their kernels

  test("tells self-attention from the stack, which a result without it does not depend on", async () => {
    writeFileSync(source, "// four");
    const [stack, attention] = (await codeOf(probed, cache)).split(".");
    writeFileSync(source, "// five");
    const model: System["model"] = async (job, data) => ({
      files: await withoutAttention((await explicit.model!(job, data)).files),
    });
    const now = await codeOf({ ...probed, model }, cache);
    expect(now.split(".")[0]).toBe(stack);
    expect(now.split(".")[1]).not.toBe(attention);
    const { result, ...before } = entry(job(1), 3);
    const { recency: _, ...alone } = { ...result, recency: result.alone };
    const measured = { ...before, code: `${stack}.${attention}` };
    expect(stands({ ...measured, result: { ...alone, recency: alone.alone } }, measured.code)).toBe(true);
    expect(stands({ ...measured, result: { ...alone, recency: alone.alone } }, now)).toBe(false);
    expect(stands({ ...measured, code: stack!, result: alone }, now)).toBe(true);
    expect(stands({ ...measured, code: stack!, result: { ...alone, recency: alone.alone } }, now)).toBe(false);
    expect(stands({ ...measured, code: "another", result: alone }, now)).toBe(false);
  }, 120_000);

  test("of a job is another where another amount of text has other settings", async () => {
    const codes = await codesOf(["explicit", "kneser-ney-2"]);
    const job = (system: string, budget: number): Job => ({ system, budget, seed: 1, options: {} });
    expect(codes(job("explicit", 10_000))).not.toBe(codes(job("explicit", 100_000)));
    expect(codes(job("explicit", 10_000))).toBe(codes(job("explicit", 10_000)));
    // what counts has no recipe
    expect(codes(job("kneser-ney-2", 10_000))).toBe(codes(job("kneser-ney-2", 100_000)));
  }, 120_000);

  test.each([...SYSTEMS, ABLATION])("is told by sources that are there: $name", ({ sources }) => {
    expect(codeDigest(sources)).toMatch(/^[0-9a-f]{16}$/);
  });

  test("is that of the sources where nothing is fitted by saffu", async () => {
    const counting: System = { ...SYSTEMS.find(({ name }) => name === "kneser-ney-2")!, sources: [source] };
    const code = await codeOf(counting, cache);
    writeFileSync(source, "// six");
    expect(await codeOf(counting, cache)).not.toBe(code);
  });
});

describe("statistics", () => {
  test("a 95 % interval of five values is that of Student's t", () => {
    // sd of 1 … 5 is √2.5, t(0.975, 4) = 2.776 (any table)
    const { mean, half } = estimate([1, 2, 3, 4, 5]);
    expect(mean).toBe(3);
    expect(half).toBeCloseTo(2.776 * Math.sqrt(2.5 / 5), 3);
    expect(estimate([1]).half).toBeNaN();
  });

  test("a difference of means has Welch's interval", () => {
    // equal variances and sizes: 8 degrees of freedom, t(0.975, 8) = 2.306
    const gap = difference([1, 2, 3, 4, 5], [11, 12, 13, 14, 15])!;
    expect(gap.mean).toBe(-10);
    expect(gap.half).toBeCloseTo(2.306, 3);
    expect(signOf(gap)).toBe(-1);
    expect(signOf({ ...gap, half: 11 })).toBe(0);
  });

  test("what has no seed is exact, and nothing is said of two single values", () => {
    expect(difference([1, 2, 3, 4, 5], [10])!.half).toBeCloseTo(estimate([1, 2, 3, 4, 5]).half, 10);
    expect(difference([1], [2])).toBeUndefined();
  });

  test("one seed has the spread of the other side's", () => {
    // Student's, 4 degrees of freedom: t = 2.776, s = √2.5
    const gap = pooledDifference([1, 2, 3, 4, 5], [10])!;
    expect(gap.mean).toBe(-7);
    expect(gap.half).toBeCloseTo(2.776 * Math.sqrt(2.5 * (1 / 5 + 1)), 2);
    expect(pooledDifference([10], [1, 2, 3, 4, 5])!.half).toBeCloseTo(gap.half, 10);
    expect(pooledDifference([1], [2])).toBeUndefined();
    expect(pooledDifference([], [1, 2, 3])).toBeUndefined();
  });
});

test("the ablation's grid has about as many models as the paper's, no two alike", () => {
  const grid = gridOf(1000);
  expect(grid).toHaveLength(240);
  expect(new Set(grid.map(keyOf)).size).toBe(240);
});

test("the quick form searches two learning rates at most", () => {
  for (const system of SYSTEMS.map(quickened)) {
    const searched = Object.values(system.axes).map(({ length }) => length);
    expect(searched.filter((length) => length > 1).length).toBeLessThanOrEqual(1);
    expect(Math.max(0, ...searched)).toBeLessThanOrEqual(2);
  }
});

describe("npm run evidence -- --quick, on less", () => {
  const out = join(folder, "out");
  const results = join(out, "results.jsonl");
  const words = ["--quick", "--budget", "3000", "--seeds", "1", "--only", "pruned", "--only", "explicit", "--out", out];
  const run = (...more: string[]) => tool("evidence", ...words, ...more);
  let first: string;
  beforeAll(async () => {
    first = await run();
  }, 300_000); // a fit, with its kernels, on a machine that may be busy

  test("measures, and writes page, plots and results", () => {
    expect(first).toContain("0 jobs failed");
    const page = readFileSync(join(out, "evidence.md"), "utf8");
    expect(page).toContain("Kneser-Ney pruned, ≤ ");
    expect(page).toContain("not measured yet");
    for (const name of ["tokens", "seconds", "bytes"]) {
      expect(page).toContain(`(${name}.svg)`);
      expect(readFileSync(join(out, `${name}.svg`), "utf8")).toMatch(/^<svg/);
    }
    const found = new Store(results).all();
    expect(found.map(({ job }) => job.system)).toEqual(["explicit", "pruned"]);
    for (const { result } of found) {
      expect(result.recency!.dev).toBeLessThan(result.alone.dev);
      expect(result.peakMemoryBytes).toBeGreaterThan(5e7);
    }
  });

  test("runs only what is missing", async () => {
    const kept = readFileSync(results, "utf8").split("\n").slice(0, 1);
    writeFileSync(results, `${kept.join("\n")}\n{"key":"torn`);
    const again = await run();
    expect(again.match(/bits per byte/g)).toHaveLength(1);
    expect(new Store(results).all()).toHaveLength(2);
  });

  test("reports the same page from the same results", async () => {
    const before = readFileSync(join(out, "evidence.md"), "utf8");
    await run("--report");
    expect(readFileSync(join(out, "evidence.md"), "utf8")).toBe(before);
  });

  test("skips by name what needs something that is not there", async () => {
    if (neuralIsThere()) return;
    expect(await run("--only", "feed-forward")).toContain("skipped, needs tools/lab/.venv");
  });
});

test("npm run ablation measures models of its grid, each once", async () => {
  const words = ["--tokens", "10000", "--limit", "1", "--out", join(folder, "ablation")];
  expect(await tool("ablation", ...words)).toContain("1 of 1 models measured");
  expect(await tool("ablation", ...words)).toContain("0 of 0 models measured");
}, 300_000);
