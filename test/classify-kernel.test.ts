/** The classifier's module against oracles, in both builds, to the bit; and what it promises to any caller. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Device } from "../host/classify/device.ts";
import type { Encoder } from "../host/classify/encoding.ts";
import { featuresEncoder } from "../host/classify/features.ts";
import { image } from "../host/classify/image.ts";
import { FORMS, MAGIC, PLAN_AT, PLAN_FIELDS, planBytes, planOf } from "../host/classify/layout.ts";
import { lines } from "../host/classify/lines.ts";
import { series } from "../host/classify/series.ts";
import { SolverRun } from "../host/classify/solver.ts";
import { table } from "../host/classify/table.ts";
import { classifierModules } from "../host/compile/classifier.ts";
import { generator } from "../tools/generator.ts";
import { inspect, MVP, problem } from "../tools/module/inspect.ts";
import { logLines, randomDevice, randomHidden, rows, shapes, waves } from "./classify-fixture.ts";
import {
  expectedShares,
  hiddenStates,
  type ImageSpec,
  imageFeatures,
  lineFeatures,
  probabilitiesOf,
  type SeriesSpec,
  seriesFeatures,
  type TableSpec,
  tableFeatures,
} from "./oracle-classify.ts";

const BUILDS = ["scalar", "simd"] as const;

async function solver(): Promise<SolverRun> {
  return SolverRun.start((await classifierModules()).simd.solver);
}

/** An encoder fitted to the inputs, and their bytes. */
async function fitted<I>(
  encoding: { packer(): import("../host/classify/encoding.ts").Packer<I> },
  inputs: readonly I[],
) {
  const packer = encoding.packer();
  const packed = inputs.map((input, i) => packer.pack(input, i + 1));
  const encoder = packer.fit(packed, packer.asked!, await solver(), 1);
  return { encoder: encoder as Encoder<never>, packed };
}

/** Checks ids and probabilities of every input, with weights of either width. */
async function checkAgainst<I>(
  encoder: Encoder<never>,
  packed: readonly Uint8Array[],
  inputs: readonly I[],
  oracle: (input: I) => number[],
) {
  for (const [classes, bits] of [
    [3, 4],
    [10, 8],
    [19, 4],
    [33, 8],
  ] as const) {
    for (const build of BUILDS) {
      const { device, layer } = await randomDevice(encoder, { classes, bits, form: "none", seed: classes, build });
      for (const [i, input] of inputs.entries()) {
        const wanted = oracle(input);
        device.encode(packed[i]!);
        expect(Array.from(device.ids), `${build}, ids of ${i}`).toEqual(wanted);
        const label = device.predict();
        const probabilities = probabilitiesOf(layer, bits, wanted, undefined, 1);
        expect(Array.from(device.probabilities), `${build}, ${classes} classes of ${bits} bits`).toEqual(
          Array.from(probabilities),
        );
        expect(label).toBe(probabilities.indexOf(Math.max(...probabilities)));
      }
    }
  }
}

describe("encodings and scores are the oracle's, to the bit, in both builds", () => {
  test.each([
    { patch: 5, bits: 8, regions: 3 },
    { patch: 2, bits: 1, regions: 1 },
    { patch: 8, bits: 6, regions: 5, across: 2 },
    { patch: 7, bits: 4, regions: 2 },
  ])("images, $patch × $patch, $bits bits", async (setting) => {
    const inputs = shapes(12, 3).map(({ input }) => input);
    inputs.push(new Uint8Array(144), new Uint8Array(144).fill(255));
    const { encoder, packed } = await fitted(image({ width: 12, height: 12, ...setting }), inputs);
    const spec = encoder.spec as unknown as ImageSpec;
    await checkAgainst(encoder, packed, inputs, (input) => imageFeatures(spec, encoder.plan.parameters, input));
  });

  test("images that are as large as can be, not square, with any threshold", async () => {
    const next = generator(8);
    const inputs = Array.from({ length: 3 }, () => Uint8Array.from({ length: 64 * 50 }, () => next() * 256));
    const { encoder, packed } = await fitted(
      image({ width: 64, height: 50, threshold: 200, patch: 8, bits: 8, regions: 16 }),
      inputs,
    );
    const spec = encoder.spec as unknown as ImageSpec;
    await checkAgainst(encoder, packed, inputs, (input) => imageFeatures(spec, encoder.plan.parameters, input));
  });

  test.each([
    { bits: 8, segments: 4, dilations: 3 },
    { bits: 3, segments: 1, dilations: 1 },
    { bits: 8, segments: 1, dilations: 3, parts: 7, levels: 5 },
    { bits: 5, segments: 2, dilations: 2, parts: 40, levels: 1 },
    { bits: 1, segments: 1, dilations: 0, parts: 24, levels: 16 },
  ])("series, $bits bits, $segments segments, $parts × $levels levels", async (setting) => {
    const inputs = waves(12, 5).map(({ input }) => input);
    inputs.push(new Array(40).fill(3), new Array(40).fill(-1e30), [1e38, ...new Array(39).fill(0)]);
    const { encoder, packed } = await fitted(series({ length: 40, ...setting }), inputs.slice(0, 12));
    for (const input of inputs.slice(12)) packed.push(new Uint8Array(Float32Array.from(input).buffer));
    const spec = encoder.spec as unknown as SeriesSpec;
    await checkAgainst(encoder, packed, inputs, (input) => seriesFeatures(spec, encoder.plan.parameters, input));
  });

  test("series of three channels", async () => {
    const inputs = [0, 1, 2, 3].map((i) => waves(3, 70 + i).flatMap(({ input }) => input));
    const { encoder, packed } = await fitted(
      series({ length: 40, channels: 3, bits: 5, segments: 2, dilations: 2, parts: 3, levels: 4 }),
      inputs,
    );
    const spec = encoder.spec as unknown as SeriesSpec;
    await checkAgainst(encoder, packed, inputs, (input) => seriesFeatures(spec, encoder.plan.parameters, input));
  });

  test("a level or a scale changes no code of a series", async () => {
    const [first] = waves(1, 9).map(({ input }) => input.map((value) => Math.round(value * 64)));
    const inputs = [first!, first!.map((value) => value * 3 + 100), first!.map((value) => value - 500)];
    const { encoder, packed } = await fitted(series({ length: 40, bits: 6, segments: 1, dilations: 2 }), inputs);
    const { device } = await randomDevice(encoder, { classes: 2, bits: 8, form: "none", seed: 1, build: "simd" });
    const near = packed.map((bytes) => {
      device.encode(bytes);
      return Array.from(device.ids);
    });
    // rounding to whole steps moves a product that is about 0 to its other side
    const same = (ids: number[]) => ids.filter((id, i) => id === near[0]![i]).length / ids.length;
    expect(Math.min(...near.map(same))).toBeGreaterThan(0.97);
  });

  test.each([
    { bins: 16, ferns: 64 },
    { bins: 2, ferns: 0 },
  ])("rows of tables, $bins bins, $ferns ferns", async (setting) => {
    const inputs = rows(60, 7).map(({ input }) => input);
    const { encoder, packed } = await fitted(
      table({ columns: ["a", "b", "colour"], categorical: ["colour"], ...setting }),
      inputs,
    );
    const spec = encoder.spec as unknown as TableSpec;
    await checkAgainst(encoder, packed, packed, (bytes) =>
      tableFeatures(spec, encoder.plan.parameters, new Float32Array(bytes.slice().buffer)),
    );
  });

  test("lines", async () => {
    const inputs = [
      ...logLines(8, 2).map(({ input }) => input),
      "",
      "  ",
      "one",
      "Größe 12,5 µm – 100%",
      "a".repeat(5000),
      "x ".repeat(700),
    ];
    const { encoder, packed } = await fitted(lines({ bits: 9, length: 300, words: 90 }), inputs);
    await checkAgainst(encoder, packed, inputs, (input) => lineFeatures(9, 300, 90, input));
  });

  test("features with values, rounded to sixteenths", async () => {
    const encoder = featuresEncoder({ features: 100, most: 50, values: true });
    for (const build of BUILDS) {
      for (const bits of [4, 8]) {
        const { device, layer } = await randomDevice(encoder as Encoder<never>, {
          classes: 5,
          bits,
          form: "none",
          seed: 4,
          build,
        });
        const next = generator(3);
        for (let i = 0; i < 20; ++i) {
          const ids = Array.from({ length: 1 + Math.floor(next() * 49) }, () => Math.floor(next() * 100));
          const values = ids.map(() => Math.floor(next() * 1000) / 16);
          device.encode(encoder.pack({ ids, values }, 1));
          device.predict();
          const wanted = probabilitiesOf(
            layer,
            bits,
            ids,
            values.map((value) => value * 16),
            16,
          );
          expect(Array.from(device.probabilities)).toEqual(Array.from(wanted));
        }
      }
    }
  });
});

describe("a hidden layer", () => {
  test.each([
    [1, 4, 8, false],
    [3, 8, 4, false],
    [5, 12, 8, true],
    [2, 20, 4, true],
  ])("%i groups of %i units, %i bits, values %j: its states, and what the decoder makes of them", async (...words) => {
    const [groups, units, bits, values] = words;
    const encoder = featuresEncoder({ features: 70, most: 600, values });
    const hidden = randomHidden(70, groups, units, bits, groups);
    for (const build of BUILDS) {
      const { device, layer } = await randomDevice(encoder as Encoder<never>, {
        ...{ classes: 5, bits: 8, form: "none", seed: 4, build, hidden },
      });
      const next = generator(3);
      for (const many of [0, 1, 7, 40, 300, 600]) {
        const ids = Array.from({ length: many }, () => Math.floor(next() * 70));
        const given = values ? ids.map(() => Math.floor(next() * 200) / 16) : undefined;
        const sixteenths = given?.map((value) => value * 16);
        device.encode(encoder.pack({ ids, values: given }, 1));
        const wanted = hiddenStates(hidden, ids, sixteenths, values ? 16 : 1);
        expect(Array.from(device.ids), `${build}, ${many}`).toEqual(wanted.ids);
        expect(Array.from(device.values)).toEqual(wanted.values);
        device.predict();
        const probabilities = probabilitiesOf(layer, 8, wanted.ids, wanted.values, 64);
        expect(Array.from(device.probabilities)).toEqual(Array.from(probabilities));
      }
    }
  });
});

describe("sums", () => {
  const encoder = featuresEncoder({ features: 12, most: 20 }) as Encoder<never>;
  const pack = (ids: number[]) => featuresEncoder({ features: 12, most: 20 }).pack({ ids }, 1);
  const examples = fc.array(
    fc.record({
      ids: fc.array(fc.integer({ min: 0, max: 11 }), { maxLength: 20 }),
      label: fc.integer({ min: 0, max: 2 }),
    }),
    { maxLength: 12 },
  );
  const add = (device: Device, some: { ids: number[]; label: number }[], by: "observe" | "forget") => {
    for (const { ids, label } of some) {
      device.encode(pack(ids));
      expect(device[by](label)).toBe(true);
    }
  };

  test.each(["counts", "base", "ridge"] as const)("%s: are what their formula says, in both builds", async (form) => {
    for (const build of BUILDS) {
      const { device, layer } = await randomDevice(encoder, { classes: 3, bits: 8, form, seed: 2, build });
      await fc.assert(
        fc.asyncProperty(examples, async (some) => {
          device.sums.fill(0);
          add(device, some, "observe");
          const count = (of: (example: { ids: number[]; label: number }) => number) =>
            some.reduce((sum, each) => sum + of(each), 0);
          const times = (ids: number[], d: number) => ids.filter((id) => id === d).length;
          const wanted = [some.length, ...[0, 1, 2].map((c) => count(({ label }) => (label === c ? 1 : 0)))];
          for (let d = 0; d < 12; ++d) {
            for (let c = 0; c < 3; ++c) wanted.push(count(({ ids, label }) => (label === c ? times(ids, d) : 0)));
          }
          if (form === "base") {
            const shares = some.map(({ ids, label }) =>
              expectedShares(probabilitiesOf(layer, 8, ids, undefined, 1), ids, undefined, label),
            );
            for (let d = 0; d < 12; ++d) {
              for (let c = 0; c < 3; ++c)
                wanted.push(some.reduce((sum, { ids }, i) => sum + times(ids, d) * shares[i]![c]!, 0));
            }
          }
          if (form === "ridge") {
            for (let i = 0; i < 12; ++i) {
              for (let j = 0; j <= i; ++j) wanted.push(count(({ ids }) => times(ids, i) * times(ids, j)));
            }
          }
          expect(Array.from(device.sums)).toEqual(wanted);
        }),
        { numRuns: 40 },
      );
    }
  });

  test.each(["counts", "base", "ridge"] as const)(
    "%s: forgetting is exact, in any order, and a refit forgets with it",
    async (form) => {
      const of = () => randomDevice(encoder, { classes: 3, bits: 4, form, seed: 2, build: "simd" });
      const [{ device: one }, { device: other }] = [await of(), await of()];
      await fc.assert(
        fc.asyncProperty(examples, examples, fc.integer(), async (a, b, seed) => {
          one.sums.fill(0);
          other.sums.fill(0);
          const mixed = [...a, ...b].sort(
            (x, y) => ((x.ids.length + x.label) * seed - (y.ids.length + y.label) * seed) | 0,
          );
          add(one, mixed, "observe");
          add(one, a, "forget");
          add(other, b, "observe");
          expect(one.sums).toEqual(other.sums);
          one.refit(2, 0.5);
          other.refit(2, 0.5);
          expect(one.correction).toEqual(other.correction);
        }),
        { numRuns: 40 },
      );
    },
  );

  test.each(["counts", "base", "ridge"] as const)(
    "%s: a sum without room refuses the whole example, and merges refuse all",
    async (form) => {
      const { device } = await randomDevice(encoder, { classes: 3, bits: 8, form, seed: 2, build: "scalar" });
      add(device, [{ ids: [1, 2, 3], label: 0 }], "observe");
      for (let cell = 0; cell < device.sums.length; ++cell) {
        device.sums[cell] = 0xffffffff;
        const before = device.sums.slice();
        device.encode(pack([1, 2, 3]));
        const there = device.observe(0);
        if (there) device.forget(0); // the cell is not one of this example
        expect(device.sums).toEqual(before);
        const much = new Uint32Array(device.sums.length).fill(1);
        expect(device.merge(much, 1)).toBe(false);
        expect(device.sums).toEqual(before);
        device.sums[cell] = 0;
        const nothing = device.sums.slice();
        device.encode(pack([1, 2, 3]));
        if (device.forget(0)) device.observe(0);
        expect(device.sums).toEqual(nothing);
        device.sums.fill(0);
        add(device, [{ ids: [1, 2, 3], label: 0 }], "observe");
      }
    },
  );

  test("ridge: the solution is that of the normal equations", async () => {
    const { device } = await randomDevice(encoder, { classes: 3, bits: 8, form: "ridge", seed: 2, build: "simd" });
    const next = generator(11);
    const some = Array.from({ length: 200 }, () => {
      const label = Math.floor(next() * 3);
      return { ids: Array.from({ length: 6 }, () => (next() < 0.4 ? label * 4 : Math.floor(next() * 12))), label };
    });
    add(device, some, "observe");
    device.refit(5, 1);
    const { rows, scales, bias } = device.correction;
    // X centred; (XᵀX + λ) W = XᵀY by Gauss–Jordan
    const x = some.map(({ ids }) => Array.from({ length: 12 }, (_, d) => ids.filter((id) => id === d).length));
    const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    const means = Array.from({ length: 12 }, (_, d) => mean(x.map((row) => row[d]!)));
    const y = some.map(({ label }) => [0, 1, 2].map((c) => (c === label ? 1 : 0)));
    const shares = [0, 1, 2].map((c) => mean(y.map((row) => row[c]!)));
    const gram = means.map((_, i) =>
      means.map((_, j) => x.reduce((sum, row) => sum + (row[i]! - means[i]!) * (row[j]! - means[j]!), 0)),
    );
    const added = (5 * gram.reduce((sum, row, i) => sum + row[i]!, 0)) / (12 * some.length) + 1e-6;
    const system = gram.map((row, i) => [
      ...row.map((value, j) => value + (i === j ? added : 0)),
      ...[0, 1, 2].map((c) => x.reduce((sum, each, k) => sum + (each[i]! - means[i]!) * (y[k]![c]! - shares[c]!), 0)),
    ]);
    for (let i = 0; i < 12; ++i) {
      const pivot = system[i]![i]!;
      system[i] = system[i]!.map((value) => value / pivot);
      for (let k = 0; k < 12; ++k) {
        if (k === i) continue;
        const by = system[k]![i]!;
        system[k] = system[k]!.map((value, j) => value - by * system[i]![j]!);
      }
    }
    for (let c = 0; c < 3; ++c) {
      const weights = system.map((row) => row[12 + c]!);
      expect(bias[c]).toBeCloseTo(shares[c]! - weights.reduce((sum, w, d) => sum + w * means[d]!, 0), 5);
      for (const [d, w] of weights.entries())
        expect(Math.abs(rows[d * 3 + c]! * scales[c]! - w)).toBeLessThan(scales[c]! * 0.51);
    }
  });
});

describe("the modules", () => {
  test("import nothing, start nothing, keep their memory, and are of the MVP where they say so", async () => {
    const modules = await classifierModules();
    for (const build of BUILDS) {
      for (const program of ["device", "solver"] as const) {
        const bytes = modules[build][program];
        const found = await inspect(bytes);
        expect(found.imports).toEqual([]);
        expect(found.startFunction).toBe(false);
        if (build === "scalar") expect(await problem(bytes, MVP)).toBeUndefined();
        for (const opcode of found.opcodes) expect(opcode).not.toMatch(/^memory\.grow$|^call_indirect$|^unreachable$/);
        for (const section of ["data", "table", "element", "start", "custom"])
          expect([...found.sections.keys()]).not.toContain(section);
        expect(bytes.length, `${program}, ${build}`).toBeLessThan(
          { device: { scalar: 13.75, simd: 15.25 }, solver: { scalar: 12, simd: 15 } }[program][build] * 1024,
        );
      }
    }
  });

  test("have a plan with the host's fields, in its order", () => {
    const source = readFileSync("assembly/classify/plan.ts", "utf8");
    const record = /class Plan \{(.*?)\n\}/s.exec(source)![1]!;
    expect([...record.matchAll(/^ {2}(\w+): [uf]32;/gm)].map(([, name]) => name)).toEqual([...PLAN_FIELDS]);
    expect(source).toContain(`MAGIC: u32 = 0x${MAGIC.toString(16)}`);
    expect(source).toContain(`PLAN: usize = ${PLAN_AT};`);
  });

  test("answer any plan and any call with a number, and never trap", async () => {
    const encoders = [
      featuresEncoder({ features: 30, most: 9, values: true }),
      (await fitted(image({ width: 12, height: 9, patch: 3, bits: 3, regions: 2 }), [new Uint8Array(108).fill(200)]))
        .encoder,
      (await fitted(series({ length: 20, bits: 3, segments: 2, dilations: 2 }), [waves(1, 1)[0]!.input.slice(0, 20)]))
        .encoder,
      (
        await fitted(table({ columns: ["a", "b"], bins: 4, ferns: 2 }), [
          [1, 2],
          [3, 4],
        ])
      ).encoder,
      (await fitted(lines({ bits: 5, length: 40, words: 9 }), ["one two"])).encoder,
    ];
    const { scalar } = await classifierModules();
    const number = fc.oneof(fc.nat(40), fc.integer(), fc.constantFrom(16, 65536, 1 << 20, -1, 0x7fffffff));
    const call = fc.tuple(
      fc.constantFrom(
        "begin",
        "input",
        "put",
        "checksum",
        "probabilities",
        "encode",
        "predict",
        "classify",
        "observe",
        "forget",
        "merge",
        "refit",
        "correct",
      ),
      number,
      number,
      number,
      number,
    );
    const { withPages } = await import("../host/model/predictor-module.ts");
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...encoders),
        fc.constantFrom(...FORMS),
        fc.boolean(),
        fc.array(fc.tuple(fc.nat(PLAN_FIELDS.length - 1), number), { maxLength: 3 }),
        fc.array(call, { maxLength: 25 }),
        fc.infiniteStream(fc.nat(255)),
        async (encoder, form, layered, changes, calls, bytes) => {
          const hidden = layered ? randomHidden(encoder.plan.features, 3, 4, 4, 1) : undefined;
          const { plan, pages } = planOf({ encoding: encoder.plan, hidden, classes: 5, bits: 4, form }, true);
          const module = new WebAssembly.Module(withPages(scalar.device, pages) as BufferSource);
          const exports = (await WebAssembly.instantiate(module)).exports as Record<string, never>;
          const memory = new Uint8Array((exports.memory as WebAssembly.Memory).buffer);
          const some = Array.from(bytes.take(64));
          for (let i = 256; i < memory.length; ++i) memory[i] = some[(i * 7 + (i >> 6)) % 64]!;
          const words = new Uint32Array(memory.buffer, PLAN_AT, PLAN_FIELDS.length);
          memory.set(planBytes(plan), PLAN_AT);
          memory.set(encoder.plan.parameters, plan.parameters);
          for (const [field, value] of changes) words[field] = value;
          for (const [name, ...rest] of [["begin"] as never, ...calls]) {
            const answer = (exports[name] as unknown as (...values: number[]) => number)(...(rest as number[]));
            expect(Number.isInteger(answer)).toBe(true);
          }
          expect(memory.length).toBe((exports.memory as WebAssembly.Memory).buffer.byteLength);
        },
      ),
      { numRuns: 400 },
    );
  });
});
