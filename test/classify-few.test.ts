/** Few examples: ridge regression in its dual form against a reference that leaves each out, and what of it a fit takes. */
import { describe, expect, test, vi } from "vitest";
import { ridged } from "../host/classify/dual.ts";
import type { Encoded } from "../host/classify/solver.ts";
import { classifierModules } from "../host/compile/classifier.ts";
import { type Encoding, FeedForward, image, SaffuError, series, table } from "../host/index.ts";
import { generator } from "../tools/generator.ts";
import { type Labelled, shapes, waves } from "./classify-fixture.ts";

/** Examples of a few features of `features`, which lean to their class. */
function encoded(n: number, features: number, classes: number, unit: number, seed: number): Encoded {
  const next = generator(seed);
  const offsets = new Uint32Array(n + 1);
  const [ids, values]: [number[], number[]] = [[], []];
  const labels = Uint16Array.from({ length: n }, () => Math.floor(next() * classes));
  for (const [i, label] of labels.entries()) {
    for (let k = 3 + Math.floor(next() * 9); k > 0; --k) {
      ids.push(next() < 0.4 ? label * 3 + Math.floor(next() * 3) : Math.floor(next() * features)); // some more than once
      values.push(1 + Math.floor(next() * 40));
    }
    offsets[i + 1] = ids.length;
  }
  const own = unit > 1 ? Uint16Array.from(values) : undefined;
  return { features, classes, unit, offsets, ids: Uint16Array.from(ids), values: own, labels };
}

/** A x = b by Gauss and Jordan, with pivots. */
function solved(a: readonly (readonly number[])[], b: readonly (readonly number[])[]): number[][] {
  const rows = a.map((row, i) => [...row, ...b[i]!]);
  for (let i = 0; i < rows.length; ++i) {
    let pivot = i;
    for (let k = i; k < rows.length; ++k) if (Math.abs(rows[k]![i]!) > Math.abs(rows[pivot]![i]!)) pivot = k;
    [rows[i], rows[pivot]] = [rows[pivot]!, rows[i]!];
    rows[i] = rows[i]!.map((value) => value / rows[i]![i]!);
    for (let k = 0; k < rows.length; ++k) {
      const by = rows[k]![i]!;
      if (k !== i) rows[k] = rows[k]!.map((value, j) => value - by * rows[i]![j]!);
    }
  }
  return rows.map((row) => row.slice(a.length));
}

/** The layer by its definition: λ and sharpness by refits without each example. */
function reference({ features, classes, unit, offsets, ids, values, labels }: Encoded) {
  const n = labels.length;
  const x = Array.from({ length: n }, (_, i) => {
    const row = new Array<number>(features).fill(0);
    for (let at = offsets[i]!; at < offsets[i + 1]!; ++at) row[ids[at]!]! += values ? values[at]! / unit : 1;
    return row;
  });
  const means = Array.from({ length: features }, (_, d) => x.reduce((sum, row) => sum + row[d]!, 0) / n);
  const centred = x.map((row) => row.map((value, d) => value - means[d]!));
  const spread = centred.reduce((sum, row) => sum + row.reduce((all, value) => all + value * value, 0), 0) / n;
  const kernel = centred.map((a) =>
    centred.map((b) => 10 + a.reduce((sum, value, d) => sum + value * b[d]!, 0) / spread),
  );
  const targets = Array.from(labels, (label) => Array.from({ length: classes }, (_, c) => (c === label ? 1 : -1)));
  const weightsOf = (of: readonly number[], penalty: number) =>
    solved(
      of.map((i) => of.map((k) => kernel[i]![k]! + (i === k ? penalty : 0))),
      of.map((i) => targets[i]!),
    );
  const all = Array.from({ length: n }, (_, i) => i);
  let best = { error: Infinity, penalty: 0, left: [] as number[][] };
  for (const penalty of [0.001, 0.01, 0.1, 1, 10, 100, 1000]) {
    const left = all.map((out) => {
      const others = all.filter((i) => i !== out);
      const weights = weightsOf(others, penalty);
      return targets[out]!.map((_, c) => others.reduce((sum, i, k) => sum + kernel[out]![i]! * weights[k]![c]!, 0));
    });
    const error = left.reduce((sum, row, i) => sum + row.reduce((all, y, c) => all + (y - targets[i]![c]!) ** 2, 0), 0);
    if (error < best.error) best = { error, penalty, left };
  }
  let sharp = { error: Infinity, by: 0 };
  for (const by of [0.25, 0.5, 1, 2, 4, 8, 16, 32]) {
    let error = 0;
    for (const [i, row] of best.left.entries()) {
      const powers = row.map((y) => Math.exp(by * y));
      const total = powers.reduce((a, b) => a + b);
      for (const [c, power] of powers.entries()) error += (power / total - (labels[i] === c ? 1 : 0)) ** 2;
    }
    if (error < sharp.error) sharp = { error, by };
  }
  const weights = weightsOf(all, best.penalty);
  const layer = Array.from({ length: features }, (_, d) => {
    const row = targets[0]!.map(
      (_, c) => (sharp.by * all.reduce((sum, i) => sum + centred[i]![d]! * weights[i]![c]!, 0)) / spread,
    );
    return row;
  });
  const bias = targets[0]!.map(
    (_, c) =>
      sharp.by * 10 * all.reduce((sum, i) => sum + weights[i]![c]!, 0) -
      means.reduce((sum, mean, d) => sum + mean * layer[d]![c]!, 0),
  );
  return { layer, bias };
}

describe("ridge regression in its dual form", () => {
  test.each([
    { n: 24, features: 60, classes: 3, unit: 1 },
    { n: 40, features: 12, classes: 2, unit: 1 },
    { n: 33, features: 30, classes: 5, unit: 16 },
  ])("of $n examples and $features features is that of a reference that refits without each", async (sizes) => {
    const data = encoded(sizes.n, sizes.features, sizes.classes, sizes.unit, 7 + sizes.n);
    const modules = await classifierModules();
    const found = await ridged(modules.simd.solver, data, 8);
    expect(await ridged(modules.scalar.solver, data, 8)).toEqual(found);
    const { layer, bias } = reference(data);
    const { classes } = sizes;
    for (const [c, wanted] of bias.entries()) expect(found.bias[c]).toBeCloseTo(wanted, 4);
    const rows = new Int8Array(found.rows.buffer);
    for (const [d, row] of layer.entries()) {
      const mean = row.reduce((a, b) => a + b) / classes;
      for (const [c, weight] of row.entries()) {
        const scale = found.scales[c]!;
        const level = Math.max(-127, Math.min(127, (weight - mean) / scale)); // the largest may be clipped
        expect(Math.abs(rows[d * classes + c]! - level), `feature ${d}, class ${c}`).toBeLessThan(0.51);
      }
    }
    expect(Math.max(...rows.map(Math.abs))).toBeGreaterThan(60);
  });

  test("answers with numbers where features say nothing, or every example is the same", async () => {
    const { simd } = await classifierModules();
    const n = 12;
    const same = {
      ...{ features: 4, classes: 2, unit: 1, ids: new Uint16Array(n).fill(2), values: undefined },
      ...{
        offsets: Uint32Array.from({ length: n + 1 }, (_, i) => i),
        labels: Uint16Array.from({ length: n }, (_, i) => i & 1),
      },
    };
    const layer = await ridged(simd.solver, same, 4);
    for (const values of [layer.bias, layer.scales, layer.prior])
      for (const value of values) expect(value).toBeTypeOf("number");
    expect([...layer.bias, ...layer.scales].every(Number.isFinite)).toBe(true);
    expect(layer.bias[0]).toBeCloseTo(layer.bias[1]!, 5);
  });

  test("can be aborted", async () => {
    const { simd } = await classifierModules();
    const signal = AbortSignal.abort();
    await expect(ridged(simd.solver, encoded(30, 20, 2, 1, 1), 8, signal)).rejects.toThrow(SaffuError);
  });
});

/** Two kinds of days: counts of every hour, of any total; windows look alike on both, hours do not. */
function days(count: number, seed: number): Labelled<number[]>[] {
  const next = generator(seed);
  return Array.from({ length: count }, () => {
    const working = next() < 0.6;
    const [level, phase] = [60 + next() * 30, working ? 0 : 6];
    const value = (t: number) => level * (1 + Math.sin(((t - phase) * Math.PI) / 6)) + 20 * next();
    return { input: Array.from({ length: 24 }, (_, t) => value(t)), label: working ? "working" : "free" };
  });
}

describe("a fit to few examples", () => {
  test("its trials share a few instances: engines do not bear hundreds", async () => {
    const started = vi.spyOn(WebAssembly, "instantiate");
    try {
      const { report } = await FeedForward.fit(shapes(200, 1), {
        encoding: image({ width: 12, height: 12 }),
        bytes: 3000,
      });
      expect(report!.tried.length).toBeGreaterThan(10);
      expect(started.mock.calls.length).toBeLessThan(10);
    } finally {
      started.mockRestore();
    }
  });

  const right = (classifier: FeedForward, tests: readonly Labelled<unknown>[]) =>
    tests.filter(({ input, label }) => classifier.predict(input).label === label).length / tests.length;

  test("tells series apart by their values at a time, which no code of a window knows", async () => {
    const fit = (encoding: ReturnType<typeof series>) => FeedForward.fit(days(20, 1), { encoding });
    const codes = await fit(series({ length: 24, bits: 8, segments: 1, dilations: 2 }));
    const levels = await fit(series({ length: 24, bits: 1, segments: 1, dilations: 0, parts: 24, levels: 16 }));
    const tests = days(300, 2);
    expect(right(levels, tests)).toBeGreaterThan(0.97);
    expect(right(levels, tests)).toBeGreaterThan(right(codes, tests) + 0.1);
    const chosen = await FeedForward.fit(days(20, 1), { encoding: series({ length: 24 }), bytes: 8000 });
    expect(right(chosen, tests)).toBeGreaterThan(0.97);
  });

  test("levels go on beyond what the fit has seen", async () => {
    const ramps = (from: number, until: number) =>
      Array.from({ length: 40 }, (_, i) => {
        const level = from + ((until - from) * i) / 39;
        return { input: new Array<number>(12).fill(level), label: level > 0 ? "above" : "below" };
      });
    const classifier = await FeedForward.fit(ramps(-1, 1), { encoding: series({ length: 12 }), bytes: 2000 });
    expect(right(classifier, ramps(-50, 50))).toBe(1);
  });

  test("levels and thresholds that tell only together are learned by a hidden layer, in passes", async () => {
    const halves = (n: number, seed: number) => {
      const next = generator(seed);
      return Array.from({ length: n }, () => {
        const [first, second] = [next() < 0.5, next() < 0.5];
        const input = Array.from({ length: 12 }, (_, t) => ((t < 6 ? first : second) ? 1 : -1) + 0.4 * next());
        return { input, label: first === second ? "alike" : "apart" };
      });
    };
    const hidden = { groups: 4, units: 8 };
    const levels = series({ length: 12, bits: 1, segments: 1, dilations: 0, parts: 2, levels: 5 });
    const thresholds = table({ columns: Array.from({ length: 12 }, (_, i) => `c${i}`), bins: 4, ferns: 0 });
    for (const encoding of [levels, thresholds] as Encoding<unknown>[]) {
      const one = await FeedForward.fit(halves(400, 1), { encoding });
      const two = await FeedForward.fit(halves(400, 1), { encoding, hidden });
      expect(one.report!.solution).not.toBe("passes");
      expect(two.report).toMatchObject({ solution: "passes", passes: 20 });
      expect(right(one, halves(300, 2))).toBeLessThan(0.75);
      expect(right(two, halves(300, 2))).toBeGreaterThan(0.95);
      const loaded = await FeedForward.load(await two.files());
      const { input } = halves(1, 3)[0]!;
      expect(loaded.predict(input)).toEqual(two.predict(input));
    }
  });

  test("tries ridge regression and counts with every size, and takes what gets most right", async () => {
    const { report } = await FeedForward.fit(shapes(60, 1), {
      encoding: image({ width: 12, height: 12 }),
      bytes: 9000,
    });
    expect(new Set(report!.tried.map(({ solution }) => solution))).toEqual(new Set(["ridge", "counts"]));
    const best = Math.max(...report!.tried.map(({ accuracy }) => accuracy));
    const taken = report!.tried.filter(
      ({ setting, solution }) => setting === report!.setting && solution === report!.solution,
    );
    expect(taken.map(({ accuracy }) => accuracy)).toEqual([best]);
    const passes = await FeedForward.fit(shapes(60, 1), { encoding: image({ width: 12, height: 12 }), passes: 3 });
    expect(passes.report!.solution).toBe("passes");
  });

  test("has weights of eight bits where there is room, and stays within its bytes", async () => {
    for (const bytes of [700, 1500, 4000, 24_000]) {
      const { report, parts } = await FeedForward.fit(waves(60, 3), { encoding: series({ length: 40 }), bytes });
      expect(report!.bytes).toBeLessThanOrEqual(bytes);
      if (bytes === 24_000) expect(parts.shape.bits).toBe(8);
    }
  });

  test("a classifier of series without levels says nothing of them in its file, as before there were any", async () => {
    const sizes = { bits: 4, segments: 2, dilations: 2 };
    const fitted = await FeedForward.fit(waves(60, 3), { encoding: series({ length: 40, ...sizes }) });
    expect(fitted.encoding).toEqual({ kind: "series", length: 40, channels: 1, ...sizes });
    const loaded = await FeedForward.load(await fitted.files());
    expect(loaded.predict(waves(1, 4)[0]!.input)).toEqual(fitted.predict(waves(1, 4)[0]!.input));
  });

  test("sizes of series that cannot be are refused by name", () => {
    const refused = (options: object, code = "INVALID_OPTION") => {
      try {
        series({ length: 40, bits: 4, segments: 1, dilations: 1, ...options });
      } catch (cause) {
        expect((cause as SaffuError).code).toBe(code);
        return;
      }
      throw new Error(`taken: ${JSON.stringify(options)}`);
    };
    for (const options of [
      ...[{ parts: 4 }, { levels: 4 }, { parts: 41, levels: 2 }, { parts: 256, levels: 2 }, { parts: 3, levels: 65 }],
      ...[{ dilations: 0 }, { parts: 0.5, levels: 2 }, { parts: 3, levels: -1 }, { dilations: 4 }],
      { bits: undefined, segments: undefined, dilations: undefined, parts: 4, levels: 4 },
    ])
      refused(options);
  });

  test("series that are too long for all windows have fewer dilations, or are refused by name", async () => {
    const long = (seed: number) => Array.from({ length: 9000 }, generator(seed));
    const data = Array.from({ length: 12 }, (_, i) => ({ input: long(i).map((v) => v * (1 + (i & 1))), label: i & 1 }));
    const classifier = await FeedForward.fit(data, { encoding: series({ length: 9000, channels: 1 }), bytes: 9000 });
    expect(classifier.predict(data[0]!.input).label).toBe("0");
    const wide = { length: 9000, channels: 8, bits: 2, segments: 1, dilations: 1 };
    await expect(
      FeedForward.fit(
        [0, 1, 2].map((label) => ({ input: new Array<number>(72_000).fill(label), label })),
        { encoding: series(wide) },
      ),
    ).rejects.toThrow(/at most 65536 windows/);
  });
});
