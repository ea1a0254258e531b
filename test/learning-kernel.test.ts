/** Learning in the device module: the same bits from scalar, simd and the oracle; its bounds; and what it refuses. */
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { compileDevice } from "../host/compile/compile.ts";
import { BASE, weightBytes } from "../host/compile/layout.ts";
import type { ModuleOptions } from "../host/compile/options.ts";
import { hiddenWidth, type Shape, validateShape } from "../host/shape.ts";
import { compileQuickly } from "./compile-warm.ts";
import { Device, randomWeights, repetitive } from "./kernel-fixture.ts";
import { BUILDS, FULL, NOT_COMPILED, NOT_OBSERVED, NOT_READY, OUT_OF_RANGE, same, Trio } from "./learning-trio.ts";
import { LearningOracle } from "./oracle-learning.ts";

compileQuickly();

const MOST = 2 ** 32 - 1;
const BREAK = 0xffff;

const SHAPES: [string, Shape, ModuleOptions][] = [
  ["one-hot, recalling", shapeOf({}), { recall: 64 }],
  ["one-hot, not recalling", shapeOf({}), { recall: 0 }],
  ["ciphered, recalling", shapeOf({ bits: 16, window: 2, groups: 3 }), { recall: 24 }],
  ["adapting, recalling", shapeOf({ adapts: true }), { recall: 64 }],
  ["adapting and indexed, recalling", shapeOf({ adapts: true, indexed: true, history: 32 }), { recall: 64 }],
  [
    "long matches, a memory looked through, recalling",
    shapeOf({ longMatches: true, memory: 90, adapts: true, history: 32 }),
    { recall: 64 },
  ],
  [
    "long matches, an indexed memory of two bytes a token, recalling more than the history has",
    shapeOf({
      ...{ longMatches: true, memory: 90, memoryIndexed: true, adapts: true, indexed: true, history: 64 },
      ...{ vocabulary: 264, bits: 264, groups: 1 },
    }),
    { recall: 128 },
  ],
  ["n-grams", shapeOf({ longMatches: true, ngrams: 1500, adapts: true }), { recall: 64 }],
  ["no attention", shapeOf({ history: 0, matchLength: 0, vocabulary: 40, bits: 40 }), {}],
  // more of what is recalled matches than is looked at
  [
    "short history, recalling more",
    shapeOf({ groups: 1, units: 16, history: 16, matchLength: 2, window: 1 }),
    { recall: 128 },
  ],
];

function shapeOf(changes: Partial<Shape>): Shape {
  const base = { vocabulary: 64, bits: 64, window: 3, groups: 2, units: 8, history: 64, matchLength: 4 };
  return validateShape({ ...base, ...changes });
}

async function compiled(shape: Shape, options: ModuleOptions): Promise<WebAssembly.Module[]> {
  const modules: WebAssembly.Module[] = [];
  for (const build of BUILDS) {
    modules.push(new WebAssembly.Module((await compileDevice(shape, build, options)) as BufferSource));
  }
  return modules;
}

const sum = (values: Iterable<number>) => [...values].reduce((total, value) => total + value, 0);

describe.each(SHAPES)("%s", (_name, shape, options) => {
  const { vocabulary, history } = shape;
  const width = hiddenWidth(shape);
  const recalls = history > 0 && (options.recall ?? 0) > 0;
  let modules: WebAssembly.Module[];
  const trio = (seed: number) => new Trio(modules, shape, seed);
  /** Few tokens, so that many places match. */
  const few = (length: number, seed: number) => repetitive(shape, length, seed).map((token) => token % 4);

  beforeAll(async () => {
    modules = await compiled(shape, options);
  }, 60_000);

  test("each token adds what the oracle adds; taken away in another order, nothing is left", () => {
    const all = trio(1);
    const empty = all.devices[0].learned();
    const pieces = [repetitive(shape, 150, 5), few(40, 6), [3], repetitive(shape, 90, 7)];
    for (const [i, piece] of pieces.entries()) {
      all.reset();
      for (const [at, token] of piece.entries()) {
        expect(all.observe(token)).toBeGreaterThanOrEqual(0);
        if (at % 10 === 0) all.check(`piece ${i}, place ${at}`);
      }
    }
    expect(all.oracle.tokens).toBe(281);
    // each token is expected as often as there are thresholds
    expect(sum(all.oracle.observed)).toBeGreaterThan(0);
    expect(sum(all.oracle.expected)).toBe(64 * sum(all.oracle.observed));
    for (const i of [2, 0, 3, 1]) {
      expect(all.piece("forget", pieces[i]!)).toBe(0);
      all.check(`piece ${i} forgotten`);
    }
    for (const device of all.devices) expect(same(device.learned(), empty)).toBe(true);
  });

  test("what is observed is measured and weighed by the base and the piece alone", () => {
    const plain = trio(2);
    const learnt = trio(2);
    const tokens = repetitive(shape, 60, 8);
    const surprisal = tokens.map((token) => plain.feed(token));
    plain.piece("observe", tokens);
    learnt.piece("observe", few(80, 9));
    learnt.refit(0, vocabulary, 20, 1);
    learnt.piece("forget", few(80, 9));
    learnt.recall(tokens);
    learnt.correct(true);
    expect(tokens.map((token) => learnt.observe(token))).toEqual(surprisal);
    for (const [i, device] of learnt.devices.entries()) {
      expect(same(device.observed, plain.devices[i]!.observed)).toBe(true);
      expect(same(device.expected, plain.devices[i]!.expected)).toBe(true);
    }
  });

  if (recalls) {
    test("predictions recall what is written there, newest first, as many places as the history has", () => {
      const all = trio(3);
      for (const length of [0, 1, 2, 3, 7, 8, 9, 10, 15, 16, 17, 23, 24]) {
        all.recall(few(length, length + 1).map((token, i) => (i % 11 === 5 ? BREAK : token)));
        for (const token of few(25, 2)) {
          all.check(`${length} recalled`);
          all.feed(token);
        }
      }
      all.recall(new Array(all.room).fill(2));
      for (let i = 0; i < 2 * history; ++i) {
        if (i % 5 === 0) all.check(`place ${i} where all match`);
        all.append(2);
      }
    });

    test("tokens are recalled from behind the module's own memory as from their own place; from beyond its end, none", () => {
      const all = trio(4);
      const tokens = [BREAK, ...few(15, 3)];
      const [device] = all.devices;
      const prediction = (place: number) => {
        device.recall(tokens, place);
        device.run.reset!();
        for (const token of few(9, 3)) device.run.append!(token);
        device.run.predict!();
        return device.probabilities.slice();
      };
      const own = prediction(0);
      const last = device.memory().length - 2 * tokens.length;
      expect(same(prediction(last), own)).toBe(true);
      new Uint32Array(device.run.memory.buffer, device.value("RECALLED_LENGTH"), 1)[0] = 0;
      device.run.reset!();
      for (const token of few(9, 3)) device.run.append!(token);
      device.run.predict!();
      const none = device.probabilities.slice();
      expect(same(none, own)).toBe(false);
      for (const place of [device.memory().length, 2 ** 31, 2 ** 32 - 2]) {
        new Uint32Array(device.run.memory.buffer, device.value("RECALLED_LENGTH"), 1)[0] = tokens.length;
        new Uint32Array(device.run.memory.buffer, device.value("RECALLED_AT"), 1)[0] = place;
        device.run.reset!();
        for (const token of few(9, 3)) device.run.append!(token);
        device.run.predict!();
        expect(same(device.probabilities, none)).toBe(true);
      }
    });

    test("two tokens of the same piece must match, and a third must follow", () => {
      const all = trio(4);
      const prediction = (recalled: readonly number[]) => {
        all.recall(recalled);
        all.append(1);
        all.append(2);
        all.predict();
        return all.devices[0].probabilities.slice();
      };
      const changes = (recalled: readonly number[]) => !same(prediction(recalled), prediction([]));
      expect(changes([BREAK, 1, 2, 3])).toBe(true);
      expect(changes([BREAK, 5, 2, 3])).toBe(false);
      expect(changes([BREAK, 1, 2])).toBe(false);
      expect(changes([BREAK, 1, 2, BREAK, 3])).toBe(false);
      expect(changes([BREAK, 1, BREAK, 2, 3])).toBe(false);
    });
  } else {
    test("nothing is recalled", () => {
      const device = trio(4).devices[0];
      expect(device.value("RECALL")).toBe(0);
      expect(device.value("RECALLED_LENGTH")).toBe(device.value("PREDICTOR_END"));
      expect(device.value("RECALLED_AT")).toBe(device.value("PREDICTOR_END"));
    });
  }

  test("a refit solves the oracle's rows and scales, and predictions use them while they are told to", () => {
    const all = trio(5);
    const tokens = repetitive(shape, 200, 10);
    all.piece("observe", tokens);
    const settings = [
      [3000, 1],
      [1, 1],
      [2 ** -20, 4],
      [1e9, 0.25],
      [300, 0],
    ] as const;
    for (const [pseudoCounts, step] of settings) {
      expect(all.refit(0, vocabulary, pseudoCounts, step)).toBe(0);
      all.recall(tokens.slice(20, 70));
      for (const on of [true, false, true]) {
        expect(all.correct(on)).toBe(0);
        for (const token of tokens.slice(0, 8)) {
          all.check(`pseudoCounts ${pseudoCounts}, step ${step}, ${on}`);
          all.feed(token);
        }
      }
    }
    for (const [from, to] of [
      [8, 8],
      [16, 17],
      [vocabulary - 1, vocabulary],
      [vocabulary, vocabulary],
      [0, 1],
    ] as const) {
      expect(all.refit(from, to, 2, 1)).toBe(0);
      all.check(`rows ${from} to ${to}`);
    }
  });

  test("without a token observed the solution is the base", () => {
    const all = trio(6);
    all.refit(0, vocabulary, 300, 1);
    all.check("nothing observed");
    const [device] = all.devices;
    const { buffer } = device.run.memory;
    const rows = new Int8Array(buffer, device.value("DECODER_O"), vocabulary * width);
    const scales = new Float32Array(buffer, device.value("DECODER_O_SCALE"), vocabulary);
    for (let v = 0; v < vocabulary; ++v) {
      const row = rows.subarray(v * width, (v + 1) * width);
      const codes = device.codes.subarray(v * width, (v + 1) * width);
      const step = device.scales[v]!;
      // int8 anew: half a step off, where the largest code of these random rows was not 127
      row.forEach((code, c) => void expect(Math.abs(codes[c]! * step - code * scales[v]!)).toBeLessThan(0.501 * step));
      if (row.some((code) => Math.abs(code) === 127)) expect([...codes]).toEqual([...row]);
    }
  });

  test("any interleaving of calls leaves both memories the same, and the oracle's statistics and predictions", () => {
    const pieces = [few(12, 1), few(5, 2), repetitive(shape, 20, 3), [0]];
    const token = fc.oneof(
      { weight: 12, arbitrary: fc.nat(3) },
      { weight: 4, arbitrary: fc.nat(vocabulary - 1) },
      { weight: 1, arbitrary: fc.constantFrom(vocabulary, 0xffff, -1, 2 ** 31) },
    );
    const float = (...values: number[]) => fc.constantFrom(...values);
    type Step = (all: Trio) => void;
    const steps: Record<string, fc.Arbitrary<Step>> = {
      reset: fc.constant((all) => void all.reset()),
      feed: token.map((token) => (all) => void all.feed(token)),
      append: token.map((token) => (all) => void all.append(token)),
      observe: token.map((token) => (all) => void all.observe(token)),
      forget: token.map((token) => (all) => void all.forget(token)),
      predict: fc.constant((all) => void all.predict()),
      piece: fc.tuple(fc.constantFrom("observe", "observe", "forget"), fc.constantFrom(...pieces)).map(
        ([learn, piece]) =>
          (all) =>
            void all.piece(learn as "observe", piece),
      ),
      sample: fc.tuple(float(1, 0.5, 0, -1, Number.NaN, Infinity), fc.nat(70), float(1, 0.8, 0, 1.5, Number.NaN)).map(
        ([temperature, topK, topP]) =>
          (all) =>
            void all.sample(temperature, topK, topP),
      ),
      seed: fc.nat(MOST).map((seed) => (all) => void all.seed(seed)),
      merge: fc
        .tuple(fc.nat(2 * width + 1), fc.boolean(), fc.constantFrom(0, 1, 1000, 2 ** 31, MOST), fc.nat(vocabulary - 1))
        .map(([row, commit, value, only]) => (all) => {
          all.merge(row, commit, new Uint32Array(vocabulary).fill(value, only));
        }),
      unmerge: fc
        .tuple(fc.nat(2 * width + 1), fc.boolean(), fc.constantFrom(0, 1, 1000, MOST), fc.nat(vocabulary - 1))
        .map(([row, commit, value, only]) => (all) => {
          all.unmerge(row, commit, new Uint32Array(vocabulary).fill(value, only));
        }),
      age: fc.constant((all) => void all.age()),
      refit: fc
        .tuple(fc.nat(vocabulary + 1), fc.nat(vocabulary + 1), float(300, 1, 0, 3e38), float(1, 0.5, 0, 3e38))
        .map(
          ([from, to, pseudoCounts, step]) =>
            (all) =>
              void all.refit(from, to, pseudoCounts, step),
        ),
      correct: fc.boolean().map((on) => (all) => void all.correct(on)),
      recall: fc.tuple(fc.constantFrom(...pieces), fc.constantFrom(...pieces)).map(
        ([a, b]) =>
          (all) =>
            all.recall([BREAK, ...a, BREAK, ...b]),
      ),
      nearFull: fc.tuple(fc.constantFrom("observed", "expected"), fc.nat(4 * width - 1), fc.nat(300)).map(
        ([which, cell, left]) =>
          (all) =>
            all.setSum(which as "observed", cell, MOST - left),
      ),
    };
    const named = Object.entries(steps).map(([name, step]) => step.map((run) => ({ run, toString: () => name })));
    fc.assert(
      fc.property(fc.array(fc.oneof(...named), { minLength: 5, maxLength: 40 }), fc.nat(5), (sequence, seed) => {
        const all = trio(10 + seed);
        for (const { run } of sequence) run(all);
        all.check("at the end");
      }),
      { numRuns: 100 },
    );
  });

  test("out of range: -1, and nothing changes", () => {
    const all = trio(7);
    all.piece("observe", repetitive(shape, 60, 4));
    all.refit(0, vocabulary, 300, 1);
    for (const token of [vocabulary, vocabulary + 1, 0xffff, 0x10000, -1, 2 ** 31]) {
      all.refused(OUT_OF_RANGE, () => all.observe(token), `observe ${token}`);
      all.refused(OUT_OF_RANGE, () => all.forget(token), `forget ${token}`);
    }
    const ones = new Uint32Array(vocabulary).fill(1);
    for (const row of [2 * width, 2 * width + 1, -1, 2 ** 31]) {
      for (const commit of [false, true]) {
        all.refused(OUT_OF_RANGE, () => all.merge(row, commit, ones), `row ${row}`);
        all.refused(OUT_OF_RANGE, () => all.unmerge(row, commit, ones), `row ${row}`);
      }
    }
    const { NaN: none, POSITIVE_INFINITY: infinite } = Number;
    for (const [from, to, pseudoCounts, step] of [
      [1, 0, 1, 1],
      [0, vocabulary + 1, 1, 1],
      [vocabulary + 1, vocabulary + 1, 1, 1],
      [0, -1, 1, 1],
      [-1, 0, 1, 1],
      [0, vocabulary, 0, 1],
      [0, vocabulary, 2 ** -20 - 2 ** -43, 1],
      [0, vocabulary, 1e9 + 64, 1],
      [0, vocabulary, -1, 1],
      [0, vocabulary, none, 1],
      [0, vocabulary, infinite, 1],
      [0, vocabulary, 1, -0.5],
      [0, vocabulary, 1, 4.000001],
      [0, vocabulary, 1, 3e38],
      [0, vocabulary, 1, none],
      [0, vocabulary, 1, infinite],
    ] as const) {
      all.refused(
        OUT_OF_RANGE,
        () => all.refit(from, to, pseudoCounts, step),
        `refit ${from} ${to} ${pseudoCounts} ${step}`,
      );
    }
    all.check("after refusals");
    all.feed(3);
    all.check("and on");
  });

  test("before reset: -6, and nothing changes", () => {
    for (const module of modules) {
      const device = new Device(module, shape, randomWeights(shape, 8));
      const before = device.memory();
      for (const name of ["feed", "append", "observe", "forget"]) expect(device.run[name]!(1), name).toBe(NOT_READY);
      expect(device.run.predict!()).toBe(NOT_READY);
      expect(device.run.sample!(1, 0, 1)).toBe(NOT_READY);
      expect(same(device.memory(), before)).toBe(true);
    }
  });

  describe("a token's sums at their bounds", () => {
    const context = repetitive(shape, 45, 12);
    const token = context.at(-1)!;
    /** Each cell that the token changes there, and by how much. */
    function cells(): ["observed" | "expected", number, number][] {
      const oracle = new LearningOracle(shape, randomWeights(shape, 9));
      for (const each of context) oracle.append(each);
      const { weights, expected } = oracle.increment(token);
      const row = (which: "observed" | "expected", v: number, added: readonly number[]) =>
        added.map((by, c): [typeof which, number, number] => [which, v * width + c, by]);
      return [
        ...row("observed", token, weights),
        ...[...expected].flatMap(([v, added]) => row("expected", v, added)),
      ].filter(([, , by]) => by > 0);
    }
    /** There, after the context, with a sum between the others, which have room on both sides. */
    function there(all: Trio): void {
      all.reset();
      for (const each of context) all.append(each);
    }

    test("observing fills each cell to 2^32 − 1; where one would pass it: -2, and nothing changes", () => {
      const all = trio(9);
      expect(cells().length).toBeGreaterThan(width);
      for (const [which, cell, by] of cells()) {
        there(all);
        all.setSum(which, cell, MOST - by + 1);
        all.refused(FULL, () => all.observe(token), `${which} ${cell}`);
        all.setSum(which, cell, MOST - by);
        expect(all.observe(token)).toBeGreaterThanOrEqual(0);
        expect(all.oracle[which][cell]).toBe(MOST);
        there(all);
        expect(all.forget(token)).toBeGreaterThanOrEqual(0);
        all.setSum(which, cell, 0);
      }
      all.check("at the end");
      expect(sum(all.oracle.observed) + sum(all.oracle.expected)).toBe(0);
    });

    test("forgetting empties each cell to 0; where one would fall below it: -3, and nothing changes", () => {
      const all = trio(9);
      there(all);
      all.observe(token);
      for (const [which, cell, by] of cells()) {
        there(all);
        all.setSum(which, cell, by - 1);
        all.refused(NOT_OBSERVED, () => all.forget(token), `${which} ${cell}`);
        all.setSum(which, cell, by);
        expect(all.forget(token)).toBeGreaterThanOrEqual(0);
        expect(all.oracle[which][cell]).toBe(0);
        there(all);
        all.observe(token);
      }
      all.check("at the end");
    });

    test("the count of tokens has the same bounds", () => {
      const all = trio(9);
      there(all);
      all.setTokens(MOST);
      all.refused(FULL, () => all.observe(token));
      all.setTokens(MOST - 1);
      expect(all.observe(token)).toBeGreaterThanOrEqual(0);
      expect(all.oracle.tokens).toBe(MOST);
      there(all);
      all.setTokens(0);
      all.refused(NOT_OBSERVED, () => all.forget(token));
      all.setTokens(1);
      expect(all.forget(token)).toBeGreaterThanOrEqual(0);
      all.check("at the end");
    });

    test("a refused token is not appended, and the prediction there is still that of all that is learned", () => {
      const all = trio(9);
      all.piece("observe", context);
      all.refit(0, vocabulary, 1, 1);
      all.correct(true);
      all.recall(context);
      there(all);
      for (const [learn, tokens, code] of [
        ["observe", MOST, FULL],
        ["forget", 0, NOT_OBSERVED],
      ] as const) {
        all.predict();
        all.setTokens(tokens);
        expect(all[learn](token)).toBe(code);
        all.check(`${learn} refused`);
      }
      for (const each of context) expect(all.observe(each)).toBeGreaterThanOrEqual(0);
      all.check("and on");
    });

    test("merging fills sums to 2^32 − 1; where one would pass it: -2, and nothing changes", () => {
      const all = trio(9);
      const cell = (row: number, v: number) => (row % width) * vocabulary + v;
      for (const row of [0, 1, width - 1, width, 2 * width - 1]) {
        for (const v of [0, 1, vocabulary - 1]) {
          const which = row < width ? "observed" : "expected";
          const values = new Uint32Array(vocabulary).fill(3);
          values[v] = 1000;
          all.setSum(which, cell(row, v), MOST - 999);
          all.refused(FULL, () => all.merge(row, false, values), `looking, row ${row}`);
          all.refused(FULL, () => all.merge(row, true, values), `row ${row}`);
          values[v] = 999;
          all.refused(0, () => all.merge(row, false, values), `looking, row ${row}`);
          expect(all.merge(row, true, values)).toBe(0);
          expect(all.oracle[which][cell(row, v)]).toBe(MOST);
          all.check(`row ${row}`);
          all.setSum(which, cell(row, v), 0);
        }
      }
    });
  });

  test("merged statistics of two devices are those of one that observed both", () => {
    const [one, other, both] = [trio(11), trio(11), trio(11)];
    const [a, b] = [repetitive(shape, 70, 20), few(50, 21)];
    one.piece("observe", a);
    other.piece("observe", b);
    both.piece("observe", b);
    both.piece("observe", a);
    for (const commit of [false, true]) {
      for (let row = 0; row < 2 * width; ++row) {
        const { observed, expected } = other.devices[0];
        const from = (row % width) * vocabulary;
        one.merge(row, commit, (row < width ? observed : expected).slice(from, from + vocabulary));
      }
    }
    one.setTokens(a.length + b.length);
    const merged = one.devices.map((device) => device.learned());
    for (const commit of [false, true]) {
      for (let row = 0; row < 2 * width; ++row) {
        const { observed, expected } = other.devices[0];
        const from = (row % width) * vocabulary;
        const values = (row < width ? observed : expected).slice(from, from + vocabulary);
        one.unmerge(row, commit, values);
        if (!commit)
          one.refused(NOT_OBSERVED, () =>
            one.unmerge(
              row,
              true,
              values.map((value) => value + MOST / 5),
            ),
          );
      }
    }
    one.setTokens(a.length);
    const alone = trio(11);
    alone.piece("observe", a);
    for (const [i, device] of one.devices.entries())
      expect(same(device.observed, alone.devices[i]!.observed)).toBe(true);
    for (let row = 0; row < 2 * width; ++row) {
      const { observed, expected } = other.devices[0];
      const from = (row % width) * vocabulary;
      one.merge(row, true, (row < width ? observed : expected).slice(from, from + vocabulary));
    }
    one.setTokens(a.length + b.length);
    for (const [i, device] of one.devices.entries()) expect(same(device.learned(), merged[i]!)).toBe(true);
    for (const each of [one, both]) each.refit(0, vocabulary, 100, 1);
    for (const [i, device] of one.devices.entries()) {
      expect(same(device.learned(), both.devices[i]!.learned())).toBe(true);
    }
    one.check("merged");
  });

  test("ageing halves every sum and the tokens, and what is observed then adds as much as ever", () => {
    const all = trio(13);
    all.piece("observe", repetitive(shape, 75, 6));
    const before = [...all.oracle.expected];
    expect(all.age()).toBe(0);
    expect(all.oracle.expected).toEqual(before.map((sum) => Math.floor(sum / 2)));
    expect(all.devices[0].tokens[0]).toBe(38);
    expect(all.devices[0].generation[0]).toBe(1);
    all.piece("observe", few(40, 7));
    all.piece("forget", few(40, 7));
    all.refit(0, vocabulary, 100, 1);
    all.check("after ageing");
    expect(all.oracle.expected).toEqual(before.map((sum) => Math.floor(sum / 2)));
  });

  test("the rows of what was expected add up to 64 times those observed, column by column", () => {
    const all = trio(14);
    for (const seed of [1, 2, 3]) all.piece("observe", repetitive(shape, 60, seed));
    const { observed, expected } = all.devices[0];
    for (let c = 0; c < width; ++c) {
      const column = (sums: Uint32Array) => sum(sums.filter((_, i) => i % width === c));
      expect(column(expected)).toBe(64 * column(observed));
    }
  });

  test("nothing that learns writes to the base's weights", () => {
    const all = trio(12);
    const weights = (device: Device) => device.memory().subarray(BASE, BASE + weightBytes(shape));
    const before = all.devices.map(weights);
    all.piece("observe", repetitive(shape, 80, 5));
    all.refit(0, vocabulary, 1, 4);
    all.correct(true);
    all.recall(few(30, 1));
    all.feed(1);
    for (let row = 0; row < 2 * width; ++row) all.merge(row, true, new Uint32Array(vocabulary).fill(9));
    all.piece("forget", repetitive(shape, 80, 5));
    for (const [i, device] of all.devices.entries()) expect(same(weights(device), before[i]!)).toBe(true);
  });
});

describe("a module compiled without learning", () => {
  test.each(BUILDS)(
    "refuses with -4, and predicts as ever: %s",
    async (build) => {
      const shape = shapeOf({});
      const wasm = await compileDevice(shape, build, { learning: false, recall: 0 });
      const device = new Device(new WebAssembly.Module(wasm as BufferSource), shape, randomWeights(shape, 1));
      const { run } = device;
      run.reset!();
      const before = device.memory();
      expect(run.observe!(1)).toBe(NOT_COMPILED);
      expect(run.observe!(shape.vocabulary)).toBe(NOT_COMPILED);
      expect(run.forget!(1)).toBe(NOT_COMPILED);
      expect(run.merge!(0, 0)).toBe(NOT_COMPILED);
      expect(run.merge!(0, 1)).toBe(NOT_COMPILED);
      expect(run.unmerge!(0, 0)).toBe(NOT_COMPILED);
      expect(run.age!()).toBe(NOT_COMPILED);
      expect(run.refit!(0, 8, 1, 1)).toBe(NOT_COMPILED);
      expect(run.correct!(1)).toBe(NOT_COMPILED);
      expect(run.correct!(0)).toBe(NOT_COMPILED);
      expect(same(device.memory(), before)).toBe(true);
      const oracle = new LearningOracle(shape, randomWeights(shape, 1));
      for (const token of repetitive(shape, 100, 2)) expect(run.feed!(token)).toBe(oracle.feed(token));
    },
    30_000,
  );
});
