/** Learning in the device module: the same bits from scalar, simd and the oracle; its bounds; and what it refuses. */
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { compileDevice } from "../host/compile/compile.ts";
import type { ModuleOptions } from "../host/compile/layout.ts";
import { hiddenWidth, type Shape, validateShape } from "../host/model/shape.ts";
import { Device, randomWeights, repetitive } from "./kernel-fixture.ts";
import { LearningOracle } from "./oracle-learning.ts";

const MOST = 2 ** 32 - 1;
const BREAK = 0xffff;
/** What a function answers where it refuses. */
const OUT_OF_RANGE = -1;
const FULL = -2;
const NOT_OBSERVED = -3;
const NOT_COMPILED = -4;
const NOT_READY = -6;

const SHAPES: Record<string, { shape: Shape; options: ModuleOptions }> = {
  "one-hot, recalling": { shape: shapeOf({}), options: { recall: 64 } },
  "one-hot, not recalling": { shape: shapeOf({}), options: { recall: 0 } },
  "ciphered, recalling": { shape: shapeOf({ bits: 16, block: 2 }), options: { recall: 24 } },
  "mixture decoder, recalling": { shape: shapeOf({ decoder: "mixture" }), options: { recall: 64 } },
  "no attention": { shape: shapeOf({ radial: 0, orders: 0, vocabulary: 40, bits: 40 }), options: {} },
  // more recalled tokens match than are looked at
  "short ring, recalling more": {
    shape: shapeOf({ heads: 1, classes: 16, radial: 16, orders: 2, block: 1 }),
    options: { recall: 128 },
  },
  // two tokens must match to be recalled
  "comparisons of one token": { shape: shapeOf({ orders: 1 }), options: { recall: 64 } },
};

function shapeOf(changes: Partial<Shape>): Shape {
  const base = { vocabulary: 64, bits: 64, block: 3, heads: 2, classes: 8, radial: 64, orders: 4, decoder: "softmax" };
  return validateShape({ ...base, ...changes });
}

const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;
const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView) => new Uint8Array(buffer, byteOffset, byteLength);

/** Both flavours and the oracle, over the same weights. */
class Trio {
  readonly devices: readonly Device[];
  readonly oracle: LearningOracle;

  constructor(
    modules: readonly WebAssembly.Module[],
    readonly shape: Shape,
    readonly room: number,
    seed: number,
  ) {
    const weights = randomWeights(shape, seed);
    this.devices = modules.map((module) => new Device(module, shape, weights));
    this.oracle = new LearningOracle(shape, weights);
    this.call("reset", [], () => this.oracle.reset());
  }

  /** Calls a function of both modules; they must answer what the oracle does. */
  call(name: string, values: readonly number[], answer: () => number | void): number {
    const wanted = answer() ?? 0;
    // reset and seed answer nothing, or 0
    for (const device of this.devices) {
      const found = device.run[name]!(...values) ?? 0;
      if (found !== wanted) expect.fail(`${name}(${values.join(", ")}) is ${found}, not ${wanted}`);
    }
    return wanted;
  }

  reset() {
    return this.call("reset", [], () => this.oracle.reset());
  }
  feed(token: number) {
    return this.call("feed", [token], () => (this.knows(token) ? this.oracle.feed(token) : OUT_OF_RANGE));
  }
  append(token: number) {
    return this.call("append", [token], () => (this.knows(token) ? this.oracle.append(token) : OUT_OF_RANGE));
  }
  observe(token: number) {
    return this.call("observe", [token], () => (this.knows(token) ? this.oracle.observe(token) : OUT_OF_RANGE));
  }
  forget(token: number) {
    return this.call("forget", [token], () => (this.knows(token) ? this.oracle.forget(token) : OUT_OF_RANGE));
  }
  seed(value: number) {
    return this.call("seed", [value], () => this.oracle.seed(value));
  }
  sample(temperature: number, topK: number, topP: number) {
    const valid = temperature >= 0 && temperature < Infinity && topP > 0 && topP <= 1;
    return this.call("sample", [temperature, topK, topP], () =>
      valid ? this.oracle.sample(temperature, topK, topP) : OUT_OF_RANGE,
    );
  }
  refit(from: number, to: number, mass: number, step: number) {
    return this.call("refit", [from, to, mass, step], () => this.oracle.refit(from, to, mass, step));
  }
  correct(on: boolean) {
    return this.call("correct", [on ? 1 : 0], () => this.oracle.correct(on));
  }
  merge(row: number, commit: boolean, values: Uint32Array) {
    for (const { staging } of this.devices) staging.set(values);
    return this.call("merge", [row, commit ? 1 : 0], () => this.oracle.merge(row, commit, values));
  }
  recall(tokens: readonly number[]) {
    const recalled = this.room > 0 ? tokens.slice(-this.room) : [];
    if (this.room > 0) for (const device of this.devices) device.recall(recalled);
    this.oracle.recalled = recalled;
    // a prediction already made stands: the host recalls between resets
    this.reset();
  }
  observeAll(tokens: readonly number[]) {
    this.reset();
    for (const token of tokens) this.observe(token);
  }

  /** Sets a sum, in F or F̂, or the count of tokens. */
  set(which: "observed" | "expected", cell: number, value: number): void {
    for (const device of this.devices) device[which][cell] = value;
    this.oracle[which][cell] = value;
  }
  setTokens(value: number): void {
    for (const device of this.devices) device.tokens[0] = value;
    this.oracle.tokens = value;
  }

  /** The distribution of the next token. */
  check(what = ""): void {
    const { oracle } = this;
    const wanted = oracle.predict();
    for (const [i, device] of this.devices.entries()) {
      device.run.predict!();
      const parts: [string, ArrayBufferView, ArrayBufferView][] = [
        ["observed", device.observed, Uint32Array.from(oracle.observed)],
        ["expected", device.expected, Uint32Array.from(oracle.expected)],
        ["tokens", device.tokens, Uint32Array.of(oracle.tokens)],
        ["codes", device.codes, Int8Array.from(oracle.codes)],
        ["scales", device.scales, Float32Array.from(oracle.scales)],
        ["probabilities", device.probabilities, wanted],
      ];
      for (const [name, found, expected] of parts) {
        if (!same(bytesOf(found), bytesOf(expected))) expect.fail(`${what}: ${name} of ${["scalar", "simd"][i]}`);
      }
    }
    const [scalar, simd] = this.devices.map((device) => device.memory());
    if (!same(scalar!, simd!)) expect.fail(`${what}: memory of scalar and simd`);
  }

  /** Runs something that must be refused, and must leave sums and correction as they were. */
  refused(code: number, run: () => number, what = ""): void {
    const before = this.devices.map((device) => device.learned());
    const answer = run();
    if (answer !== code) expect.fail(`${what}: answers ${answer}, not ${code}`);
    for (const [i, device] of this.devices.entries()) {
      if (!same(device.learned(), before[i]!)) expect.fail(`${what}: something has changed`);
    }
  }

  private knows(token: number): boolean {
    return token >>> 0 < this.shape.vocabulary;
  }
}

describe.each(Object.entries(SHAPES))("%s", (_name, { shape, options }) => {
  const { vocabulary, radial, orders } = shape;
  const width = hiddenWidth(shape);
  const solves = shape.decoder === "softmax";
  let modules: WebAssembly.Module[];
  let room: number;
  const trio = (seed: number) => new Trio(modules, shape, room, seed);

  beforeAll(async () => {
    modules = await Promise.all(
      (["scalar", "simd"] as const).map(
        async (flavour) => new WebAssembly.Module((await compileDevice(shape, flavour, options)) as BufferSource),
      ),
    );
    room = new Device(modules[0]!, shape, randomWeights(shape, 1)).value("RECALL");
    expect(room).toBe(radial > 0 ? (options.recall ?? 0) : 0);
  }, 60_000);

  test("each observed token adds what the oracle adds; forgotten in another order, nothing is left", () => {
    const all = trio(1);
    const pieces = [repetitive(shape, 150, 5), repetitive(shape, 40, 6), [3], repetitive(shape, 90, 7)];
    const empty = all.devices[0]!.learned();
    for (const [i, piece] of pieces.entries()) {
      all.reset();
      for (const [at, token] of piece.entries()) {
        expect(all.observe(token)).toBeGreaterThanOrEqual(0);
        if (at % 10 === 0) all.check(`piece ${i}, place ${at}`);
      }
      all.check(`piece ${i}`);
    }
    expect(all.oracle.tokens).toBe(281);
    // the expected sums are samples of as much as was observed, in their own unit
    const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
    expect(sum(all.oracle.expected)).toBe(64 * sum(all.oracle.observed));
    for (const i of [2, 0, 3, 1]) {
      all.reset();
      for (const token of pieces[i]!) all.forget(token);
      all.check(`forgotten ${i}`);
    }
    for (const device of all.devices) expect(same(device.learned(), empty)).toBe(true);
  });

  test("the surprisal that observing answers is the base's, whatever is recalled or corrected", () => {
    const plain = trio(2);
    const learnt = trio(2);
    const tokens = repetitive(shape, 60, 8);
    learnt.observeAll(repetitive(shape, 80, 9));
    if (solves) learnt.refit(0, vocabulary, 20, 1);
    learnt.recall(tokens);
    learnt.correct(true);
    plain.reset();
    for (const token of tokens) expect(learnt.observe(token)).toBe(plain.feed(token));
  });

  if (room_(shape, options) > 0) {
    test("predictions recall what is written there, newest first, up to the ring's number of matches", () => {
      const all = trio(3);
      const few = (length: number, seed: number) => repetitive(shape, length, seed).map((token) => token % 4);
      for (const length of [0, 1, 2, 3, 7, 8, 9, 10, 15, 16, 17, 23, 24]) {
        const recalled = few(length, length + 1).map((token, i) => (i % 11 === 5 ? BREAK : token));
        all.recall(recalled);
        for (const token of few(30, 2)) {
          all.check(`${length} recalled`);
          all.feed(token);
        }
      }
      // all places match, far more than the ring has
      all.recall(new Array(room).fill(2));
      for (let i = 0; i < 2 * radial; ++i) {
        all.check(`place ${i}`);
        all.append(2);
      }
    });

    test(`recalling ${orders < 2 ? "needs two tokens, which are never compared here" : "changes predictions"}`, () => {
      const all = trio(4);
      const tokens = repetitive(shape, 20, 3);
      const [{ probabilities, run }] = all.devices as [Device];
      const after = (recalled: readonly number[], text: readonly number[]) => {
        all.recall(recalled);
        for (const token of text) all.append(token);
        run.predict!();
        return probabilities.slice();
      };
      const changes = (recalled: readonly number[], text: readonly number[]) =>
        !same(bytesOf(after(recalled, text)), bytesOf(after([], text)));
      const [a, b, c] = tokens as [number, number, number];
      expect(changes([BREAK, a, b, c], [a, b])).toBe(orders >= 2);
      expect(changes([BREAK, b, c], [a, b])).toBe(false); // one token alone
      expect(changes([BREAK, a, b, BREAK, c], [a, b])).toBe(false); // nothing followed
      expect(changes([BREAK, a, b], [a, b])).toBe(false);
      expect(changes([BREAK, a, BREAK, b, c], [a, b])).toBe(false); // a piece ends between them
    });
  }

  if (solves) {
    test("a refit solves the oracle's rows and scales, row by row, and predicts with them while it is told to", () => {
      const all = trio(5);
      const tokens = repetitive(shape, 200, 10);
      all.refit(0, vocabulary, 300, 1);
      all.check("nothing observed");
      all.observeAll(tokens);
      for (const [mass, step] of [
        [3000, 1],
        [1, 1],
        [2 ** -20, 4],
        [1e9, 0.25],
        [300, 0],
      ] as const) {
        expect(all.refit(0, vocabulary, mass, step)).toBe(0);
        all.check(`mass ${mass}, step ${step}`);
        all.recall(tokens.slice(20, 70));
        for (const on of [true, false, true]) {
          expect(all.correct(on)).toBe(0);
          for (const token of tokens.slice(0, 12)) {
            all.check(`mass ${mass}, step ${step}, ${on}`);
            all.feed(token);
          }
        }
      }
      expect(all.refit(8, 8, 1, 1)).toBe(0);
      all.check("no row");
      expect(all.refit(16, 17, 1, 1)).toBe(0);
      all.check("one row");
      expect(all.refit(vocabulary - 1, vocabulary, 1, 1)).toBe(0);
      all.check("the last row");
    });

    test("without a token observed the solution is the base; the base's rows are never written", () => {
      const all = trio(6);
      const [{ codes, scales, run, value: _ }] = all.devices as [Device];
      const base = (device: Device) => device.memory().subarray(0, device.value("OBSERVED") - 65536 * 0);
      const weights = all.devices.map((device) => device.memory().subarray(16, device.value("GATE")));
      expect(base(all.devices[0]!).length).toBeGreaterThan(0);
      all.refit(0, vocabulary, 300, 1);
      const device = all.devices[0]!;
      const { buffer } = run.memory;
      const rows = new Int8Array(buffer, device.value("DECODER_O"), vocabulary * width);
      const rowScales = new Float32Array(buffer, device.value("DECODER_O_SCALE"), vocabulary);
      // int8 anew: half a step off at the most, where the base's largest code is not 127
      for (let i = 0; i < codes.length; ++i) {
        const v = Math.floor(i / width);
        expect(Math.abs(codes[i]! * scales[v]! - rows[i]! * rowScales[v]!)).toBeLessThanOrEqual(0.501 * scales[v]!);
      }
      all.observeAll(repetitive(shape, 100, 3));
      all.refit(0, vocabulary, 1, 4);
      for (const [i, { memory: _m }] of all.devices.entries()) {
        const now = all.devices[i]!.memory().subarray(16, all.devices[i]!.value("GATE"));
        expect(same(now, weights[i]!)).toBe(true);
      }
    });
  }
});

/** Tokens that the module of a shape can recall. */
function room_({ radial }: Shape, { recall = 0 }: ModuleOptions): number {
  return radial > 0 ? recall : 0;
}
