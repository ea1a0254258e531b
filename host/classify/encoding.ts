/**
 * What every encoding is: it takes an input of its kind, checks it, and writes it as the bytes that the device reads. All encodings end in active
 * features of D, which the device finds by itself, so that a board encodes as the host does.
 */
import { SaffuError } from "../errors.ts";
import type { EncodingPlan, Kind } from "./layout.ts";
import type { SolverRun } from "./solver.ts";

/** An encoding that has been fitted: what a classifier's directory has of it. */
export interface Encoder<Input> {
  readonly kind: Kind;
  /** JSON of config.json, from which `encoderOf` makes it anew together with the parameters. */
  readonly spec: Readonly<Record<string, unknown>>;
  readonly plan: EncodingPlan;
  /**
   * The input as the device reads it.
   *
   * @param row what it is called in messages, from 1 on
   * @throws SaffuError INVALID_EXAMPLE, naming the row and what of it is wrong
   */
  pack(input: Input, row: number): Uint8Array;
}

/** Options with none left out. */
export type Whole<T> = { readonly [K in keyof T]-?: Exclude<T[K], undefined> };

/** One of the sizes that an encoding can have. */
export interface Setting {
  readonly [name: string]: number;
}

/** An encoding before it is fitted. */
export interface Encoding<Input> {
  readonly kind: Kind;
  /** Begins a fit: takes the examples in their order, as `Encoder.pack`, and may learn from them (a column's categories). */
  packer(): Packer<Input>;
}

export interface Packer<Input> {
  pack(input: Input, row: number): Uint8Array;
  /** The sizes that are asked for by the encoding's own options; undefined where they are to be chosen. */
  readonly asked: Setting | undefined;
  /**
   * Sizes to choose from, none with more than `bytes` of model, the likeliest first.
   *
   * @param rowBytes bytes of a feature's weights; @param classes C
   */
  settings(bytes: number, rowBytes: number, examples: number): readonly Setting[];
  /** What solves few examples: both are tried, unless it says which. */
  readonly few?: "ridge" | "counts";
  /** Examples that it is fitted to, at the most; default 1,000. */
  readonly sample?: number;
  /** Fits the encoding to some of the examples as they were packed. */
  fit(sample: readonly Uint8Array[], setting: Setting, solver: SolverRun, seed: number): Encoder<Input>;
}

/** The error for an example that is not of the encoding. */
export function invalidExample(row: number, what: string): SaffuError {
  return new SaffuError("INVALID_EXAMPLE", `row ${row}: ${what}`);
}

/** How many things a list or a typed array has; undefined of anything else. */
export function lengthOf(list: unknown): number | undefined {
  if (typeof list !== "object" || list === null) return undefined;
  const { length } = list as { length?: unknown };
  return Number.isInteger(length) && (length as number) >= 0 ? (length as number) : undefined;
}

/** The bytes of an array, as they stand. */
export function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}

/** A 32-bit mix (the finaliser of splitmix32), and a keyed order of n things from it: assembly/common/random.ts has both. */
export function mix(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return (x ^ (x >>> 15)) >>> 0;
}

/** 0..n − 1 in an order that `seed` names (Fisher & Yates). */
export function shuffled(n: number, seed: number): Uint32Array {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1, state = mix(seed + 1); i > 0; --i) {
    state = mix(state + 0x9e3779b9);
    const j = Math.floor((state / 2 ** 32) * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
