/** FeedForward: what it learns, how exactly it forgets and merges, what it refuses, and what its directory holds. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FeedForward as WebFeedForward } from "../host/classify/browser.ts";
import { composed, SolverRun, scaled } from "../host/classify/solver.ts";
import { classifierModules } from "../host/compile/classifier.ts";
import { type ErrorCode, FeedForward, features, image, lines, load, SaffuError, series, table } from "../host/index.ts";
import { generator } from "../tools/generator.ts";
import { type Labelled, logLines, parities, rows, shapes, waves } from "./classify-fixture.ts";

const IMAGE = image({ width: 12, height: 12, patch: 4, bits: 4, regions: 3 });
const EXACT = ["counts", "base", "ridge"] as const;

const folder = mkdtempSync(join(tmpdir(), "saffu-classify-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function accuracy<I>(classifier: FeedForward, test: readonly Labelled<I>[]): number {
  return test.filter(({ input, label }) => classifier.predict(input).label === label).length / test.length;
}

async function codeOf(work: Promise<unknown> | (() => unknown)): Promise<[ErrorCode | undefined, string]> {
  try {
    await (typeof work === "function" ? work() : work);
  } catch (cause) {
    if (cause instanceof SaffuError) return [cause.code, cause.message];
    throw cause;
  }
  return [undefined, ""];
}

/** The generator of assembly/common/random.ts, from its papers: splitmix32 into xoshiro128**. */
function uniforms(seed: number): () => number {
  const mix = (x: number) => {
    x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    return (x ^ (x >>> 15)) >>> 0;
  };
  const rotated = (x: number, by: number) => ((x << by) | (x >>> (32 - by))) >>> 0;
  const s = Uint32Array.from({ length: 4 }, (_, i) => mix((seed + (i + 1) * 0x9e3779b9) >>> 0));
  return () => {
    const result = Math.imul(rotated(Math.imul(s[1]!, 5) >>> 0, 7), 9) >>> 0;
    const t = s[1]! << 9;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= t;
    s[3] = rotated(s[3]!, 11);
    return (result >>> 8) / 2 ** 24;
  };
}

describe("a fit", () => {
  test.each(["none", ...EXACT] as const)(
    "of images, %s, tells shapes apart that a majority does not",
    async (exact) => {
      const classifier = await FeedForward.fit(shapes(400, 1), { encoding: IMAGE, exact });
      expect(classifier.labels).toEqual(["lying", "square", "standing"]);
      expect(accuracy(classifier, shapes(300, 2))).toBeGreaterThan(exact === "counts" ? 0.75 : 0.9);
      const { probabilities, surprisal, label } = classifier.predict(shapes(1, 3)[0]!.input);
      expect(probabilities.reduce((sum, p) => sum + p)).toBeCloseTo(1, 5);
      expect(surprisal).toBeCloseTo(-Math.log2(Math.max(...probabilities)), 10);
      expect(probabilities[classifier.labels.indexOf(label)]).toBe(Math.max(...probabilities));
      expect(classifier.predict(shapes(1, 3)[0]!.input, "square").surprisal).toBe(-Math.log2(probabilities[1]!));
    },
  );

  test("of series, of tables, of lines, of the caller's features", async () => {
    const of = async <I>(
      encoding: Parameters<typeof FeedForward.fit<I>>[1]["encoding"],
      data: (n: number, seed: number) => Labelled<I>[],
    ) => accuracy(await FeedForward.fit(data(500, 1), { encoding }), data(300, 2));
    expect(await of(series({ length: 40 }), waves)).toBeGreaterThan(0.95);
    expect(await of(table({ columns: ["a", "b", "colour"], categorical: ["colour"] }), rows)).toBeGreaterThan(0.85);
    expect(await of(lines(), logLines)).toBe(1);
    const own = (n: number, seed: number) => {
      const next = generator(seed);
      return Array.from({ length: n }, () => {
        const label = String(Math.floor(next() * 3));
        const ids = [Number(label) * 2, 6 + Math.floor(next() * 4)];
        return { input: { ids, values: [next() * 4, next()] }, label };
      });
    };
    expect(await of(features({ features: 10, most: 4, values: true }), own)).toBeGreaterThan(0.95);
  });

  test("gives the same files for the same data and seed, and on both builds", async () => {
    const fit = async () => (await FeedForward.fit(shapes(120, 1), { encoding: IMAGE, exact: "base" })).files();
    const [one, two] = [await fit(), await fit()];
    expect([...one]).toEqual([...two]);
    const modules = await classifierModules();
    const next = generator(4);
    const ids = Uint16Array.from({ length: 900 }, () => next() * 50);
    const data = {
      ...{ features: 50, classes: 5, unit: 1, ids, values: undefined },
      offsets: Uint32Array.from({ length: 91 }, (_, i) => i * 10),
      labels: Uint16Array.from({ length: 90 }, (_, i) => (ids[i * 10]! + ids[i * 10 + 1]!) % 5),
    };
    for (const bits of [4, 8]) {
      const settings = { passes: 3, step: 10, rate: 0.1, pseudoCounts: 40, priorPseudoCounts: 30, bits, seed: 3 };
      expect(await scaled(modules.scalar.solver, data, settings)).toEqual(
        await scaled(modules.simd.solver, data, settings),
      );
    }
    const windows = Int32Array.from({ length: 25 * 300 }, () => next() * 100 - 50);
    const directions = async (solver: Uint8Array) => {
      const run = await SolverRun.start(solver);
      run.addWindows(windows, 25);
      return run.directions(25, 8);
    };
    expect(await directions(modules.scalar.solver)).toEqual(await directions(modules.simd.solver));
  });

  test("solves what iterative scaling says, in batches of all, as a reference in f64 does", async () => {
    const { simd } = await classifierModules();
    const next = generator(9);
    const [n, D, C, K] = [40, 6, 3, 4];
    const ids = Uint16Array.from({ length: n * K }, () => next() * D);
    const labels = Uint16Array.from({ length: n }, (_, i) => (next() < 0.3 ? next() * C : ids[i * K]! % C));
    const offsets = Uint32Array.from({ length: n + 1 }, (_, i) => i * K);
    const settings = { passes: 1, step: 10, rate: 0.1, pseudoCounts: 4, priorPseudoCounts: 3, bits: 8, seed: 5 };
    const data = { features: D, classes: C, unit: 1, offsets, ids, values: undefined, labels };
    const found = await scaled(simd.solver, data, settings);
    // batches of 5 in the solver's order; F and F̂ decay by 1 − η, weights are means of the last half
    const { permutedOrder } = await import("./oracle-order.ts");
    const order = permutedOrder(n, settings.seed);
    const count = [0, 1, 2].map((c) => labels.filter((label) => label === c).length);
    const prior = count.map((many) => (many + 1) / (n + C));
    const grid = (): number[][] => Array.from({ length: D }, () => new Array(C).fill(0));
    const [w, f, e, sum] = [grid(), grid(), grid(), grid()];
    const steps = n / 5;
    for (let step = 0; step < steps; ++step) {
      const eta = (step + 2) ** -settings.rate;
      for (const table of [f, e]) for (const row of table) for (const c of row.keys()) row[c]! *= 1 - eta;
      for (const i of order.slice(step * 5, step * 5 + 5)) {
        const own = Array.from(ids.slice(i * K, i * K + K));
        const scores = prior.map((p, c) => Math.exp(Math.log(p) + own.reduce((total, id) => total + w[id]![c]!, 0)));
        const total = scores.reduce((a, b) => a + b, 0);
        for (const id of own) {
          f[id]![labels[i]!]! += (eta * n) / 5;
          for (const c of [0, 1, 2]) e[id]![c]! += ((eta * n) / 5) * (scores[c]! / total);
        }
      }
      for (let d = 0; d < D; ++d) {
        for (const c of [0, 1, 2]) {
          const above = f[d]![c]! + (settings.pseudoCounts + settings.priorPseudoCounts) * prior[c]!;
          const below =
            e[d]![c]! +
            settings.pseudoCounts * prior[c]! +
            settings.priorPseudoCounts * prior[c]! * Math.exp(w[d]![c]!);
          w[d]![c]! += (settings.step / K) * eta * Math.log(above / below);
          if (step >= Math.floor(steps / 2)) sum[d]![c]! += w[d]![c]! / Math.ceil(steps / 2);
        }
      }
    }
    for (let d = 0; d < D; ++d) {
      const mean = sum[d]!.reduce((a, b) => a + b, 0) / C;
      for (const c of [0, 1, 2]) {
        const weight = ((found.rows[d * C + c]! << 24) >> 24) * found.scales[c]!;
        // within a level, and what clipping the largest costs
        expect(Math.abs(weight - (sum[d]![c]! - mean))).toBeLessThan(found.scales[c]! * 3);
      }
    }
  });

  test("takes the best size that fits the bytes, and says what it tried", async () => {
    const classifier = await FeedForward.fit(shapes(300, 1), {
      encoding: image({ width: 12, height: 12 }),
      bytes: 900,
    });
    const { tried, setting, bytes } = classifier.report!;
    expect(bytes).toBeLessThanOrEqual(900);
    expect(tried.length).toBeGreaterThan(2);
    const best = Math.max(...tried.map(({ accuracy }) => accuracy));
    expect(tried.find((each) => each.setting === setting)!.accuracy).toBe(best);
    expect(classifier.encoding).toMatchObject(setting);
  });

  test("ridge has no more features than its sums of pairs have room for, and says so", async () => {
    const large = image({ width: 12, height: 12, patch: 5, bits: 8, regions: 3 });
    const [code, message] = await codeOf(FeedForward.fit(shapes(30, 1), { encoding: large, exact: "ridge" }));
    expect([code, message]).toEqual(["INVALID_OPTION", expect.stringContaining("at most 2048 features")]);
    const chosen = await FeedForward.fit(shapes(30, 1), { encoding: image({ width: 12, height: 12 }), exact: "ridge" });
    expect(chosen.parts.shape.encoding.features).toBeLessThanOrEqual(2048);
  });

  test("can be aborted while it reads and while it solves, and tells how far it is", async () => {
    const abort = new AbortController();
    const phases = new Set<string>();
    const endless = (async function* () {
      for (const example of shapes(50, 1)) yield example;
      abort.abort(new Error("enough"));
      await new Promise(() => {});
      yield shapes(1, 1)[0]!;
    })();
    expect((await codeOf(FeedForward.fit(endless, { encoding: IMAGE, signal: abort.signal })))[0]).toBe("ABORTED");
    const late = new AbortController();
    const onProgress = ({ phase }: { phase: string }) => {
      phases.add(phase);
      if (phase === "fit") late.abort();
    };
    const fit = FeedForward.fit(shapes(300, 1), { encoding: IMAGE, passes: 900, signal: late.signal, onProgress });
    expect((await codeOf(fit))[0]).toBe("ABORTED");
    expect(phases).toContain("fit");
  });
});

describe("a hidden layer", () => {
  const bits = features({ features: 12, most: 6 });

  test.each(["none", ...EXACT] as const)("%s: learns a parity of three, which one layer does not", async (exact) => {
    const [train, test] = [parities(2000, 1, 6, 3), parities(500, 2, 6, 3)];
    const one = await FeedForward.fit(train, { encoding: bits, exact });
    expect(accuracy(one, test)).toBeLessThan(0.65);
    for (const seed of [1, 2, 3]) {
      const two = await FeedForward.fit(train, { encoding: bits, exact, seed, hidden: { groups: 4, units: 8 } });
      expect(accuracy(two, test), `seed ${seed}`).toBeGreaterThan(0.97);
      expect(two.hidden).toEqual({ groups: 4, units: 8 });
    }
  });

  test("of images, with 4 and 8 bits and sizes that are chosen; its bytes are counted", async () => {
    const hidden = { groups: 2, units: 8 };
    for (const weightBits of [4, 8] as const) {
      const options = { encoding: IMAGE, hidden, weightBits };
      const classifier = await FeedForward.fit(shapes(400, 1), options);
      expect(accuracy(classifier, shapes(300, 2)), `${weightBits} bits`).toBeGreaterThan(0.9);
      // (9 · 2^4) features of 16 units, 16 units of 3 classes, 8 thresholds, 4 directions of 4 × 4
      expect(classifier.report!.bytes).toBe((144 * 16 * weightBits) / 8 + 16 * 3 + 16 + 64);
    }
    const encoding = image({ width: 12, height: 12 });
    const chosen = await FeedForward.fit(shapes(300, 1), { encoding, hidden, bytes: 2000 });
    expect(chosen.report!.bytes).toBeLessThanOrEqual(2000);
    expect(chosen.report!.tried.length).toBeGreaterThan(1);
  });

  test("is the same from both builds, and of the same data and seed", async () => {
    const modules = await classifierModules();
    const next = generator(4);
    const ids = Uint16Array.from({ length: 900 }, () => next() * 50);
    const values = Uint16Array.from({ length: 900 }, () => 1 + next() * 40);
    const data = {
      ...{ features: 50, classes: 5, unit: 16, ids, values },
      offsets: Uint32Array.from({ length: 91 }, (_, i) => i * 10),
      labels: Uint16Array.from({ length: 90 }, (_, i) => (ids[i * 10]! + ids[i * 10 + 1]!) % 5),
    };
    const scaling = { rate: 0.2, pseudoCounts: 40, priorPseudoCounts: 30, seed: 3, step: 9, passes: 4 };
    for (const bits of [4, 8]) {
      const settings = {
        ...{ ...scaling, bits, groups: 3, units: 12, sharpness: 0.25, spread: 1 },
        decoder: { ...scaling, step: 2 },
      };
      const layers = [];
      for (const { solver } of [modules.scalar, modules.simd, modules.simd])
        layers.push(await composed(solver, data, settings));
      expect(layers[1]).toEqual(layers[0]);
      expect(layers[2]).toEqual(layers[0]);
    }
  });

  test("is what iterative scaling of both layers says, as a reference in f64 does", async () => {
    const { simd } = await classifierModules();
    const next = generator(9);
    const [n, D, C, K, groups, units] = [40, 6, 3, 4, 2, 4];
    const M = groups * units;
    const ids = Uint16Array.from({ length: n * K }, () => next() * D);
    const labels = Uint16Array.from({ length: n }, (_, i) => (next() < 0.3 ? next() * C : ids[i * K]! % C));
    const offsets = Uint32Array.from({ length: n + 1 }, (_, i) => i * K);
    const [alpha, kappa, kappaU, beta, sO, sU, spread, seed] = [4, 3, 2, 0.25, 2, 6, 1.5, 5];
    const scaling = { rate: 0.1, pseudoCounts: alpha, priorPseudoCounts: kappaU, step: sU, passes: 1, bits: 8, seed };
    const found = await composed(
      simd.solver,
      { features: D, classes: C, unit: 1, offsets, ids, values: undefined, labels },
      {
        ...{ ...scaling, groups, units, sharpness: beta, spread },
        decoder: { step: sO, pseudoCounts: alpha, priorPseudoCounts: kappa },
      },
    );
    const { permutedOrder } = await import("./oracle-order.ts");
    const order = permutedOrder(n, seed);
    const draw = uniforms(seed);
    const grid = (rows: number, columns: number): number[][] =>
      Array.from({ length: rows }, () => new Array(columns).fill(0));
    const most = spread * Math.sqrt((3 * n) / (n * K));
    const u = grid(D, M).map((row) => row.map(() => most * (2 * draw() - 1)));
    const own = (i: number) => Array.from(ids.slice(i * K, i * K + K));
    const drive = (i: number, c: number) => own(i).reduce((sum, id) => sum + u[id]![c]!, 0);
    const bias = Array.from({ length: M }, (_, c) => -order.reduce((sum, i) => sum + drive(i, c), 0) / n);
    for (const [c, value] of bias.entries()) expect(found.bias[c]).toBeCloseTo(value, 5);
    const prior = [0, 1, 2].map((c) => (labels.filter((label) => label === c).length + 1) / (n + C));
    const [o, f, e, g, ghat, sum] = [grid(M, C), grid(M, C), grid(M, C), grid(D, M), grid(D, M), grid(D, M)];
    const softmax = (scores: number[]) => {
      const powers = scores.map(Math.exp);
      const total = powers.reduce((a, b) => a + b);
      return powers.map((power) => power / total);
    };
    const steps = n / 5;
    for (let step = 0; step < steps; ++step) {
      const eta = (step + 2) ** -0.1;
      for (const table of [f, e, g, ghat]) for (const row of table) for (const c of row.keys()) row[c]! *= 1 - eta;
      const mean: number[] = new Array(M).fill(0);
      const weight = (eta * n) / 5;
      for (const i of order.slice(step * 5, step * 5 + 5)) {
        const scores = bias.map((value, c) => value + drive(i, c));
        const h = [0, 1].flatMap((group) => softmax(scores.slice(group * units, group * units + units)));
        const p = softmax(prior.map((share, k) => Math.log(share) + h.reduce((s, x, c) => s + x * o[c]![k]!, 0)));
        const gain = o.map((row) => row[labels[i]!]! - row.reduce((s, w, k) => s + w * p[k]!, 0));
        const t = [0, 1].flatMap((group) => {
          const at = Array.from({ length: units }, (_, c) => group * units + c);
          const middle = at.reduce((s, c) => s + h[c]! * gain[c]!, 0);
          const wanted = at.map((c) => h[c]! * Math.exp(Math.max(-5, Math.min(5, beta * (gain[c]! - middle)))));
          const total = wanted.reduce((a, b) => a + b);
          return wanted.map((value) => value / total);
        });
        for (let c = 0; c < M; ++c) {
          mean[c]! += h[c]! / 5;
          f[c]![labels[i]!]! += weight * h[c]!;
          for (const k of [0, 1, 2]) e[c]![k]! += weight * h[c]! * p[k]!;
          for (const id of own(i)) {
            g[id]![c]! += weight * t[c]!;
            ghat[id]![c]! += weight * h[c]!;
          }
        }
      }
      for (let c = 0; c < M; ++c) {
        for (const [k, share] of prior.entries()) {
          const above = f[c]![k]! + (alpha + kappa) * share;
          const below = e[c]![k]! + alpha * share + kappa * share * Math.exp(o[c]![k]!);
          o[c]![k]! += (sO / groups) * eta * Math.log(above / below);
        }
        for (let d = 0; d < D; ++d) {
          const held = kappaU * beta * mean[c]!;
          const above = g[d]![c]! + alpha * mean[c]! + held;
          const below = ghat[d]![c]! + alpha * mean[c]! + held * Math.exp(u[d]![c]!);
          u[d]![c]! += (sU / beta / K) * eta * Math.log(above / below);
          if (step >= Math.floor(steps / 2)) sum[d]![c]! += u[d]![c]! / Math.ceil(steps / 2);
        }
      }
    }
    for (let d = 0; d < D; ++d) {
      for (let c = 0; c < M; ++c) {
        const group = c - (c % units);
        const mean = sum[d]!.slice(group, group + units).reduce((a, b) => a + b) / units;
        const weight = ((found.rows[d * M + c]! << 24) >> 24) * found.scales[c]!;
        // within a level, and what clipping the largest costs
        expect(Math.abs(weight - (sum[d]![c]! - mean))).toBeLessThan(found.scales[c]! * 3);
      }
    }
  });

  test("sizes that are none are refused by name, and so is a table that no fit has room for", async () => {
    const fit = (hidden: unknown, more: object = {}) =>
      codeOf(FeedForward.fit(parities(20, 1, 6, 3), { encoding: bits, hidden, ...more } as never));
    for (const hidden of [
      3,
      "4x8",
      [4, 8],
      { groups: 4 },
      { groups: 4, units: 6 },
      { groups: 0, units: 8 },
      { groups: 2.5, units: 8 },
      { groups: 2000, units: 8 },
      { groups: 4, units: "8" },
    ]) {
      expect((await fit(hidden))[0], JSON.stringify(hidden)).toBe("INVALID_OPTION");
    }
    expect(await fit({ groups: 300, units: 8 }, { exact: "ridge" })).toEqual([
      "INVALID_OPTION",
      expect.stringContaining("2048 units"),
    ]);
    const wide = { encoding: features({ features: 65536, most: 6 }) };
    expect(await fit({ groups: 64, units: 8 }, wide)).toEqual([
      "INVALID_OPTION",
      expect.stringContaining("at most 32768 features"),
    ]);
    const abort = new AbortController();
    const onProgress = ({ phase }: { phase: string }) => {
      if (phase === "fit") abort.abort();
    };
    expect((await fit({ groups: 4, units: 8 }, { passes: 900, signal: abort.signal, onProgress }))[0]).toBe("ABORTED");
  });

  test("a config that says another layer than its weights is refused", async () => {
    const options = { encoding: IMAGE, exact: "base", hidden: { groups: 2, units: 8 } } as const;
    const files = await (await FeedForward.fit(shapes(60, 1), options)).files();
    const text = new TextDecoder().decode(files.get("config.json"));
    for (const [from, to] of [
      [`"groups": 2`, `"groups": 4`],
      [`"groups": 2`, `"groups": 0`],
      [`"units": 8`, `"units": 4`],
      [`"units": 8`, `"units": 1e9`],
      [`"weightBits": 4`, `"weightBits": 8`],
      [`"hidden"`, `"hiding"`],
    ] as const) {
      const changed = text.replace(from, to);
      expect(changed).not.toBe(text);
      const altered = new Map(files).set("config.json", new TextEncoder().encode(changed));
      expect((await codeOf(FeedForward.load(altered)))[0], to).toBe("MODEL_CORRUPT");
    }
  });
});

describe.each([
  ...EXACT.map((exact) => [exact, "no hidden layer", undefined] as const),
  ...EXACT.map((exact) => [exact, "a hidden layer", { groups: 3, units: 8 }] as const),
])("exact, %s, %s", (exact, kind, hidden) => {
  let fresh: () => Promise<FeedForward>;
  const test_ = shapes(60, 5);
  const predictions = (classifier: FeedForward) =>
    test_.map(({ input }) => Array.from(classifier.predict(input).probabilities));

  beforeAll(async () => {
    const files = await (await FeedForward.fit(shapes(150, 1), { encoding: IMAGE, exact, hidden })).files();
    fresh = () => FeedForward.load(files);
  });

  test("after observe(A, B) and forget(A), bytes and predictions are those of observe(B), also through merges", async () => {
    const parts = fc.tuple(
      fc.integer({ min: 0, max: 20 }),
      fc.integer({ min: 0, max: 20 }),
      fc.nat(1000),
      fc.boolean(),
    );
    await fc.assert(
      fc.asyncProperty(parts, async ([a, b, seed, merged]) => {
        const [A, B] = [shapes(a, seed), shapes(b, seed + 5000)];
        const [one, other] = [await fresh(), await fresh()];
        if (merged) {
          const away = await fresh();
          await away.observe(A);
          await one.observe(B);
          await one.merge(await away.exportStatistics());
        } else await one.observe([...A, ...B]);
        if (merged && seed % 2 === 0) {
          const away = await fresh();
          await away.observe([...A].reverse());
          await one.unmerge(await away.exportStatistics());
        } else await one.forget(A);
        await other.observe(B);
        one.refit();
        other.refit();
        expect(await one.files()).toEqual(await other.files());
        expect(predictions(one)).toEqual(predictions(other));
      }),
      { numRuns: 12 },
    );
  });

  test("what is saved is what is loaded, and what was learned", async () => {
    const directory = join(folder, `${exact}, ${kind}`);
    const classifier = await fresh();
    await classifier.save(directory);
    await classifier.observe(shapes(30, 7));
    classifier.refit();
    await classifier.save(directory);
    const again = await FeedForward.load(directory);
    expect(await again.files()).toEqual(await classifier.files());
    expect(predictions(again)).toEqual(predictions(classifier));
    expect(again.examples).toBe(classifier.examples);
    // in a browser the same, but where to
    const web = await WebFeedForward.load(await classifier.files());
    expect(test_.map(({ input }) => web.predict(input).label)).toEqual(
      test_.map(({ input }) => classifier.predict(input).label),
    );
  });

  test("another domain is learned from few examples, and forgotten again", async () => {
    const classifier = await fresh();
    const before = predictions(classifier);
    const fitted = await classifier.files();
    // shapes as outlines of what is not there: bright where it was dark
    const inverted = (n: number, seed: number) =>
      shapes(n, seed).map(({ input, label }) => ({ input: input.map((pixel) => 255 - pixel), label }));
    // a frozen hidden layer tells of them what it has learned to tell: labels that have changed their meaning are learned above it
    const turned = (n: number, seed: number) =>
      shapes(n, seed).map(({ input, label }) => ({ input, label: label === "square" ? "lying" : label }));
    const other = hidden ? turned : inverted;
    const [here, there] = [accuracy(classifier, shapes(200, 8)), accuracy(classifier, other(200, 8))];
    await classifier.observe(other(300, 9));
    classifier.refit();
    expect(accuracy(classifier, other(200, 8))).toBeGreaterThan(there);
    if (!hidden) expect(accuracy(classifier, shapes(200, 8))).toBeGreaterThan(here - 0.2);
    await classifier.forget(other(300, 9));
    classifier.reset();
    expect(predictions(classifier)).toEqual(before);
    expect(await classifier.files()).toEqual(fitted);
  });

  test("a bad row, a full sum, a signal or what was never observed changes nothing", async () => {
    const classifier = await fresh();
    const files = await classifier.files();
    const good = shapes(5, 1);
    const bad = { input: new Uint8Array(143), label: "square" };
    const [code, message] = await codeOf(classifier.observe([...good, bad]));
    expect([code, message]).toEqual(["INVALID_EXAMPLE", "row 6: an image of 12 × 12 is 144 bytes, got 143"]);
    expect((await codeOf(classifier.observe([...good, { ...good[0]!, label: "round" }])))[0]).toBe("UNKNOWN_LABEL");
    const never = shapes(1, 77).map(({ input }) => ({ input: input.map((pixel) => 255 - pixel), label: "square" }));
    // the few sums of a decoder above a hidden layer hold the fit's examples, and do not tell another from them
    if (!hidden || exact === "base")
      expect((await codeOf(classifier.forget([...never, ...never])))[0]).toBe("NOT_OBSERVED");
    const abort = new AbortController();
    const stream = (async function* () {
      yield* good;
      abort.abort();
      yield* good;
    })();
    expect((await codeOf(classifier.observe(stream, { signal: abort.signal })))[0]).toBe("ABORTED");
    expect(await classifier.files()).toEqual(files);
    const tally = await classifier.observe([...good, bad, { ...bad, label: "" }], { onBad: "skip" });
    expect(tally).toEqual({ examples: 5, skipped: 2, firstSkipped: message });
    // a merge of what would pass an end is refused whole
    const other = await fresh();
    await other.observe(good);
    let bytes = await other.exportStatistics();
    let [full, merges] = ["" as ErrorCode | undefined | "", 0];
    for (; full === "" && merges < 40; ++merges) {
      const stood = await other.exportStatistics();
      [full] = await codeOf(other.merge(bytes));
      if (full === undefined) full = "";
      else expect(await other.exportStatistics()).toEqual(stood);
      bytes = await other.exportStatistics(); // doubles what is beyond the fit
    }
    expect(full).toBe("STATISTICS_FULL");
  });

  test("statistics of another base, cut or altered ones are refused by name", async () => {
    const classifier = await fresh();
    const other = await FeedForward.fit(shapes(160, 3), { encoding: IMAGE, exact, hidden });
    expect((await codeOf(classifier.merge(await other.exportStatistics())))[0]).toBe("STATISTICS_MISMATCH");
    const own = await classifier.exportStatistics();
    const codes = new Set<string | undefined>();
    for (let at = 0; at < own.length; at += Math.ceil(own.length / 60)) {
      const altered = own.slice();
      altered[at]! ^= 1;
      codes.add((await codeOf(classifier.merge(altered)))[0]);
      codes.add((await codeOf(classifier.merge(own.slice(0, at))))[0]);
    }
    codes.delete("MODEL_CORRUPT");
    codes.delete("MODEL_VERSION");
    expect([...codes]).toEqual(["MODEL_DIGEST"]);
    expect(await classifier.exportStatistics()).toEqual(own);
  });
});

describe("what is no example, option or file is refused, and named", () => {
  const of = (encoding: unknown, input: unknown, label: unknown = "a") =>
    codeOf(FeedForward.fit([{ input, label }] as never, { encoding: encoding as never }));
  const numbers = table({ columns: ["heat", "noise"] });
  const own = features({ features: 10, most: 3, values: true });
  const wave = series({ length: 12 });

  test.each([
    [
      "a negative value",
      own,
      { ids: [1], values: [-0.5] },
      "row 1: the value of id 1 must be in 0..4095.9375, got -0.5",
    ],
    [
      "a value that is none",
      own,
      { ids: [1], values: [Number.NaN] },
      "row 1: the value of id 1 must be in 0..4095.9375, got NaN",
    ],
    [
      "an infinite value",
      own,
      { ids: [1], values: [Number.POSITIVE_INFINITY] },
      "row 1: the value of id 1 must be in 0..4095.9375, got Infinity",
    ],
    ["an id that is none", own, { ids: [10], values: [1] }, "row 1: id 0 must be an integer in 0..9, got 10"],
    ["half an id", own, { ids: [1.5], values: [1] }, "row 1: id 0 must be an integer in 0..9, got 1.5"],
    ["too many ids", own, { ids: [1, 2, 3, 4], values: [1, 1, 1, 1] }, "row 1: has 4 ids, at most 3 are read"],
    ["values missing", own, { ids: [1] }, "row 1: has no values"],
    ["another number of values", own, { ids: [1], values: [] }, "row 1: has 1 ids and 0 values"],
    ["nothing", own, undefined, "row 1: has no ids"],
    ["too few cells", numbers, [1], "row 1: has 1 cells, the table has 2 columns"],
    ["a column that is not there", numbers, { heat: 1 }, `row 1: has no column "noise"`],
    ["a word for a number", numbers, [1, "loud"], `row 1: column "noise" must be a finite number, got "loud"`],
    ["a number beyond f32", numbers, [1e39, 2], `row 1: column "heat" must be a finite number, got 1e+39`],
    ["NaN for a number", numbers, [Number.NaN, 2], `row 1: column "heat" must be a finite number, got NaN`],
    ["a short series", wave, [1, 2, 3], "row 1: a series of 1 × 12 is 12 values, got 3"],
    [
      "a series with a hole",
      wave,
      [...new Array(11).fill(1), Number.NaN],
      "row 1: value 11 must be a finite number, got NaN",
    ],
    ["an image of another size", IMAGE, new Uint8Array(64), "row 1: an image of 12 × 12 is 144 bytes, got 64"],
    ["a pixel out of range", IMAGE, new Array(144).fill(256), "row 1: pixel 0 must be an integer in 0..255, got 256"],
    ["no line", lines(), 7, "row 1: must be a line of text, got 7"],
    ["a series with null", wave, [null, ...new Array(11).fill(1)], "row 1: value 0 must be a finite number, got null"],
    ["a series of digits", wave, "123456789012", `row 1: a series of 1 × 12 is 12 values, got "123456789012"`],
    ["a series of texts", wave, new Array(12).fill("1"), `row 1: value 0 must be a finite number, got "1"`],
    [
      "a series of whole numbers of 64 bits",
      wave,
      new BigInt64Array(12),
      "row 1: value 0 must be a finite number, got 0",
    ],
    [
      "a series with a symbol",
      wave,
      new Array(12).fill(Symbol("x")),
      "row 1: value 0 must be a finite number, got Symbol(x)",
    ],
    ["an image that is null", IMAGE, null, "row 1: an image of 12 × 12 is 144 bytes, got null"],
    ["ids that are null", own, { ids: null, values: [] }, "row 1: has no ids"],
    ["ids without a number of them", own, { ids: { length: -1 }, values: [] }, "row 1: has no ids"],
    ["ids of half a length", own, { ids: { length: 0.5 }, values: [] }, "row 1: has no ids"],
    ["values that are null", own, { ids: [1], values: null }, "row 1: has 1 ids and no values"],
  ])("%s", async (_, encoding, input, message) => {
    expect(await of(encoding, input)).toEqual(["INVALID_EXAMPLE", message]);
  });

  test("labels that are none, one label, no rows, only bad rows", async () => {
    const line = lines();
    expect(await of(line, "x", "")).toEqual(["INVALID_EXAMPLE", expect.stringContaining("row 1: its label must be")]);
    expect(await of(line, "x", Number.NaN)).toEqual(["INVALID_EXAMPLE", expect.stringContaining("got NaN")]);
    expect(await of(line, "x", "a")).toEqual([
      "INVALID_EXAMPLE",
      expect.stringContaining(`every example has the label "a"`),
    ]);
    expect(await codeOf(FeedForward.fit([], { encoding: line }))).toEqual(["INVALID_EXAMPLE", "there are no examples"]);
    const bad = [{ input: 1, label: "a" }] as never;
    const skipped = await codeOf(FeedForward.fit(bad, { encoding: line, onBad: "skip" }));
    expect(skipped).toEqual([
      "INVALID_EXAMPLE",
      "all 1 rows were skipped; the first: row 1: must be a line of text, got 1",
    ]);
    const many = Array.from({ length: 257 }, (_, i) => ({ input: "x", label: i }));
    expect((await codeOf(FeedForward.fit(many, { encoding: line })))[1]).toContain("one more than 256");
    const asked = await codeOf(FeedForward.fit(logLines(4, 1), { encoding: line, labels: ["x", "y"] }));
    expect(asked[0]).toBe("UNKNOWN_LABEL");
  });

  test("a category that the fit has not seen", async () => {
    const encoding = table({ columns: ["a", "b", "colour"], categorical: ["colour"] });
    const classifier = await FeedForward.fit(rows(100, 1), { encoding });
    expect(await codeOf(() => classifier.predict([1, 2, "mauve"], undefined, 9))).toEqual([
      "INVALID_EXAMPLE",
      `row 9: column "colour" has the category "mauve", which the fit has not seen`,
    ]);
    expect(classifier.predict([null, "", undefined]).probabilities.every(Number.isFinite)).toBe(true);
  });

  test("a category that is none", async () => {
    const encoding = table({ columns: ["colour"], categorical: ["colour"] });
    for (const cell of [{}, [], Symbol("red"), Number.NaN, "r".repeat(257)]) {
      const [code, message] = await of(encoding, [cell]);
      expect([code, message]).toEqual(["INVALID_EXAMPLE", expect.stringContaining(`row 1: column "colour"`)]);
    }
  });

  test("what reads sums waits for who changes them", async () => {
    const classifier = await FeedForward.fit(shapes(60, 1), { encoding: IMAGE, exact: "base" });
    let go = () => {};
    const slowly = (async function* () {
      yield* shapes(3, 2);
      await new Promise<void>((resolve) => {
        go = resolve;
      });
      yield* shapes(2, 3);
    })();
    const observed = classifier.observe(slowly);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(classifier.examples).toBe(3);
    for (const work of [
      () => classifier.observe(shapes(1, 1)),
      () => classifier.forget(shapes(1, 1)),
      () => classifier.refit(),
      () => classifier.files(),
      () => classifier.exportStatistics(),
      () => classifier.save(join(folder, "half")),
      () => classifier.compile({ learning: true }),
    ]) {
      expect((await codeOf(work as () => Promise<unknown>))[0], String(work)).toBe("BUSY");
    }
    expect(classifier.predict(shapes(1, 1)[0]!.input).probabilities.length).toBe(3);
    go();
    await observed;
    classifier.refit();
    expect(classifier.examples).toBe(5);
  });

  test("options out of bounds", async () => {
    const fit = (options: object) => codeOf(FeedForward.fit(shapes(20, 1), { encoding: IMAGE, ...options } as never));
    for (const options of [
      { encoding: undefined },
      { exact: "sometimes" },
      { bytes: 1 },
      { weightBits: 5 },
      { weightBits: 4, exact: "ridge" },
      { passes: 0 },
      { seed: -1 },
      { labels: ["one"] },
      { onBad: "guess" },
      { signal: 1 },
      { onProgress: 1 },
      { notes: 5 },
      { notes: { many: 5n } },
      { notes: { long: "x".repeat(1 << 20) } },
      { bytes: 300 }, // of sizes that are asked for
    ]) {
      expect((await fit(options))[0], Object.keys(options).join()).toBe("INVALID_OPTION");
    }
    for (const encoding of [
      () => image({ width: 65, height: 3 }),
      () => image({ width: 12, height: 12, patch: 4 }),
      () => image({} as never),
      () => series({ length: 9 }),
      () => series({ length: 20, bits: 4, segments: 1, dilations: 3 }),
      () => table({ columns: [] }),
      () => table({ columns: ["a", "a"] }),
      () => table({ columns: ["a"], categorical: ["b"] }),
      () => lines({ bits: 16 }),
      () => features({ features: 0, most: 1 }),
    ]) {
      expect((await codeOf(encoding))[0], String(encoding)).toBe("INVALID_OPTION");
    }
  });

  test("examples that are none, an address that is none", async () => {
    for (const examples of [5, null, undefined, {}]) {
      expect((await codeOf(FeedForward.fit(examples as never, { encoding: IMAGE })))[0]).toBe("INVALID_OPTION");
    }
    for (const source of ["http://[", "file://elsewhere/x", "", 5]) {
      expect((await codeOf(FeedForward.load(source as string)))[0], String(source)).toBe("INVALID_OPTION");
    }
  });

  test("a classifier fitted in passes does not learn, and says how one does", async () => {
    const classifier = await FeedForward.fit(shapes(60, 1), { encoding: IMAGE });
    for (const work of [
      () => classifier.observe(shapes(1, 1)),
      () => classifier.forget(shapes(1, 1)),
      () => classifier.refit(),
    ]) {
      const [code, message] = await codeOf(work as () => Promise<unknown>);
      expect([code, message]).toEqual(["UNSUPPORTED", expect.stringContaining(`exact "base", "counts" or "ridge"`)]);
    }
  });

  test("a directory that is cut, altered, of a language model or without a file", async () => {
    const directory = join(folder, "whole");
    await (await FeedForward.fit(shapes(60, 1), { encoding: IMAGE, exact: "base" })).save(directory);
    for (const name of ["config.json", "model.safetensors", "kernel.simd.wasm", "statistics.safetensors"]) {
      const path = join(directory, name);
      const bytes = readFileSync(path);
      for (const broken of [
        bytes.subarray(0, bytes.length >> 1),
        Buffer.concat([bytes.subarray(0, -9), bytes.subarray(-8)]),
      ]) {
        writeFileSync(path, broken);
        expect((await codeOf(FeedForward.load(directory)))[0], name).toMatch(/^MODEL_(CORRUPT|DIGEST)$/);
      }
      rmSync(path);
      const wanted = name === "statistics.safetensors" ? undefined : "MODEL_MISSING_FILE";
      expect((await codeOf(FeedForward.load(directory)))[0], name).toBe(wanted);
      writeFileSync(path, bytes);
    }
    await FeedForward.load(directory);
    expect((await codeOf(FeedForward.load("models/nano-en")))[1]).toContain("is it a language model?");
    expect((await codeOf(load(directory)))[0]).toBe("MODEL_CORRUPT");
  });

  test("a config that says something else than its weights is refused, and never runs", async () => {
    const files = await (
      await FeedForward.fit(shapes(60, 1), { encoding: IMAGE, exact: "base", weightBits: 4 })
    ).files();
    const text = new TextDecoder().decode(files.get("config.json"));
    for (const [from, to] of [
      [`"regions": 3`, `"regions": 4`],
      [`"across": 3`, `"across": 0`],
      [`"patch": 4`, `"patch": 5`],
      [`"width": 12`, `"width": 64`],
      [`"bits": 4`, `"bits": 5`],
      [`"weightBits": 4`, `"weightBits": 8`],
      [`"kind": "image"`, `"kind": "series"`],
      [`"square"`, `"lying"`],
      [`"exact": "base"`, `"exact": "bass"`],
      [`"version": 1`, `"version": 2`],
    ] as const) {
      const changed = text.replaceAll(from, to);
      expect(changed).not.toBe(text);
      const altered = new Map(files).set("config.json", new TextEncoder().encode(changed));
      expect((await codeOf(FeedForward.load(altered)))[0], to).toMatch(
        /^(MODEL_CORRUPT|MODEL_VERSION|STATISTICS_MISMATCH)$/,
      );
    }
  });
});
