/** A learning model three times over the same weights: scalar, simd and the oracle, which must agree call by call. */
import { expect } from "vitest";
import type { Shape } from "../host/shape.ts";
import { Device, randomWeights } from "./kernel-fixture.ts";
import { LearningOracle } from "./oracle-learning.ts";

/** What a function of the module answers where it refuses. */
export const OUT_OF_RANGE = -1;
export const FULL = -2;
export const NOT_OBSERVED = -3;
export const NOT_COMPILED = -4;
export const NOT_READY = -6;

export const BUILDS = ["scalar", "simd"] as const;

export function same(a: ArrayBufferView, b: ArrayBufferView): boolean {
  const bytes = ({ buffer, byteOffset, byteLength }: ArrayBufferView) => new Uint8Array(buffer, byteOffset, byteLength);
  return Buffer.compare(bytes(a), bytes(b)) === 0;
}

/** Each call is made of both modules, and must answer what the oracle does. */
export class Trio {
  readonly devices: readonly [Device, Device];
  readonly oracle: LearningOracle;
  /** Tokens that the modules can recall. */
  readonly room: number;

  /** @param modules in order of BUILDS */
  constructor(
    modules: readonly WebAssembly.Module[],
    readonly shape: Shape,
    seed: number,
  ) {
    const weights = randomWeights(shape, seed);
    this.devices = [new Device(modules[0]!, shape, weights), new Device(modules[1]!, shape, weights)];
    this.oracle = new LearningOracle(shape, weights);
    this.room = this.devices[0].value("RECALL");
    this.reset();
  }

  reset() {
    return this.call("reset", [], () => this.oracle.reset());
  }
  seed(value: number) {
    return this.call("seed", [value], () => this.oracle.seed(value));
  }
  feed(token: number) {
    return this.call("feed", [token], () => (this.knows(token) ? this.oracle.feed(token) : OUT_OF_RANGE));
  }
  append(token: number) {
    return this.call("append", [token], () => (this.knows(token) ? this.oracle.append(token) : OUT_OF_RANGE));
  }
  predict() {
    return this.call("predict", [], () => 0);
  }
  observe(token: number) {
    return this.call("observe", [token], () => (this.knows(token) ? this.oracle.observe(token) : OUT_OF_RANGE));
  }
  forget(token: number) {
    return this.call("forget", [token], () => (this.knows(token) ? this.oracle.forget(token) : OUT_OF_RANGE));
  }
  sample(temperature: number, topK: number, topP: number) {
    const valid = temperature >= 0 && temperature < Infinity && topP > 0 && topP <= 1;
    return this.call("sample", [temperature, topK, topP], () =>
      valid ? this.oracle.sample(temperature, topK, topP) : OUT_OF_RANGE,
    );
  }
  refit(from: number, to: number, pseudoCounts: number, step: number) {
    return this.call("refit", [from, to, pseudoCounts, step], () => this.oracle.refit(from, to, pseudoCounts, step));
  }
  correct(on: boolean) {
    return this.call("correct", [on ? 1 : 0], () => this.oracle.correct(on));
  }
  merge(row: number, commit: boolean, values: Uint32Array) {
    for (const { staging } of this.devices) staging.set(values);
    return this.call("merge", [row, commit ? 1 : 0], () => this.oracle.merge(row, commit, values));
  }

  unmerge(row: number, commit: boolean, values: Uint32Array) {
    for (const { staging } of this.devices) staging.set(values);
    return this.call("unmerge", [row, commit ? 1 : 0], () => this.oracle.merge(row, commit, values, -1));
  }
  age() {
    return this.call("age", [], () => this.oracle.age());
  }

  /** A reset, then the tokens; stops at a refusal and returns it. */
  piece(learn: "observe" | "forget", tokens: readonly number[]): number {
    this.reset();
    for (const token of tokens) {
      const answer = this[learn](token);
      if (answer < 0) return answer;
    }
    return 0;
  }

  /** Tokens to recall, the newest of them where they do not fit; with a reset, as a prediction that is made already stands. */
  recall(tokens: readonly number[]): void {
    const recalled = this.room > 0 ? tokens.slice(-this.room) : [];
    if (this.room > 0) for (const device of this.devices) device.recall(recalled);
    this.oracle.recalled = recalled;
    this.reset();
  }

  /** Sets a sum of F or F̂. */
  setSum(which: "observed" | "expected", cell: number, value: number): void {
    for (const device of this.devices) device[which][cell] = value;
    this.oracle[which][cell] = value;
  }

  setTokens(value: number): void {
    for (const device of this.devices) device.tokens[0] = value;
    this.oracle.tokens = value;
  }

  /** Statistics, correction and prediction are the oracle's, and all of both memories is the same. */
  check(what: string): void {
    const { oracle } = this;
    const probabilities = oracle.predict();
    for (const [i, device] of this.devices.entries()) {
      device.run.predict!();
      const parts: [string, ArrayBufferView, ArrayBufferView][] = [
        ["observed sums", device.observed, Uint32Array.from(oracle.observed)],
        ["expected sums", device.expected, Uint32Array.from(oracle.expected)],
        ["tokens", device.tokens, Uint32Array.of(oracle.tokens)],
        ["generation", device.generation, Uint32Array.of(oracle.generation)],
        ["codes", device.codes, Int8Array.from(oracle.codes)],
        ["scales", device.scales, Float32Array.from(oracle.scales)],
        ["probabilities", device.probabilities, probabilities],
      ];
      for (const [name, found, wanted] of parts) {
        if (!same(found, wanted)) expect.fail(`${what}: ${name} of ${BUILDS[i]} are not the oracle's`);
      }
    }
    const [scalar, simd] = this.devices;
    if (!same(scalar.state(), simd.state())) expect.fail(`${what}: state of scalar and simd`);
  }

  /** Runs what must be refused, and must leave statistics and correction as they were. */
  refused(code: number, run: () => number, what = ""): void {
    const before = this.devices.map((device) => device.learned());
    const answer = run();
    if (answer !== code) expect.fail(`${what}: answers ${answer}, not ${code}`);
    for (const [i, device] of this.devices.entries()) {
      if (!same(device.learned(), before[i]!)) expect.fail(`${what}: ${BUILDS[i]} has changed something`);
    }
  }

  private knows(token: number): boolean {
    return token >>> 0 < this.shape.vocabulary;
  }

  private call(name: string, values: readonly number[], answer: () => unknown): number {
    const wanted = (answer() ?? 0) as number; // reset, append and seed of the oracle answer nothing
    for (const [i, device] of this.devices.entries()) {
      const found = device.run[name]!(...values) ?? 0;
      if (found !== wanted) expect.fail(`${name}(${values.join(", ")}) of ${BUILDS[i]} is ${found}, not ${wanted}`);
    }
    return wanted;
  }
}
