/**
 * Learning on the device again, in TypeScript, written from the definitions in docs/learning.md: sums in exact integers, and
 * rounding to f32 at the places where the definition pins it, so results must agree to the bit.
 */
import type { Tensor } from "../host/files/safetensors.ts";
import { groupsOf, hiddenWidth, type Shape } from "../host/shape.ts";
import { log, nearest, Oracle, surprisal } from "./oracle.ts";

const f = Math.fround;
/** Thresholds that are laid over each prediction. */
const THRESHOLDS = 64;
/** The golden ratio as a fraction of 2^32, which spreads its multiples evenly. */
const GOLDEN = 0x9e3779b9n;
const MOST = 2 ** 32 - 1;

/** What one token adds to the sums. */
export interface Increment {
  /** w · h, (M), in units of 1/256: added to the token's row of F. */
  readonly weights: readonly number[];
  /** How many thresholds fall on a row: so many times are the weights added to that row of F̂. */
  readonly times: ReadonlyMap<number, number>;
}

/**
 * The row that each of the evenly spaced thresholds falls on, as counts: the first whose cumulated probability is beyond it.
 * Probabilities are cut to 24 bits, and the thresholds lie one step apart from an offset below a step, which the place of the token
 * in its piece tells.
 */
export function sampledRows(probabilities: Float32Array, place: number): Map<number, number> {
  let total = 0;
  const cumulated = Array.from(probabilities, (p) => (total += Math.floor(p * 2 ** 24)));
  const step = Math.floor(total / THRESHOLDS);
  const offset = Number((((BigInt(place) * GOLDEN) % 2n ** 32n) * BigInt(step)) / 2n ** 32n);
  const times = new Map<number, number>();
  for (let k = 0; k < THRESHOLDS; ++k) {
    const row = cumulated.findIndex((sum) => sum > offset + k * step);
    if (row >= 0) times.set(row, (times.get(row) ?? 0) + 1);
  }
  return times;
}

/** int8 codes of a row, and the scale that its largest magnitude sets. */
export function quantised(row: readonly number[]): { codes: number[]; scale: number } {
  const peak = Math.max(...row.map(Math.abs));
  const inverse = peak > f(1e-30) ? f(127 / peak) : 0;
  return { codes: row.map((x) => nearest(f(x * inverse))), scale: f(peak / 127) };
}

/** A model that learns: the device module's functions and what they answer. */
export class LearningOracle extends Oracle {
  /** F and F̂, (V, M). */
  readonly observed: number[];
  readonly expected: number[];
  tokens = 0;
  /** The correction's rows and scales. */
  readonly codes: number[];
  readonly scales: number[];
  /** What is recalled, oldest first. */
  recalled: readonly number[] = [];
  private corrected = false;
  private readonly width: number;

  constructor(shape: Shape, tensors: ReadonlyMap<string, Tensor>) {
    super(shape, tensors);
    this.width = hiddenWidth(shape);
    const cells = shape.vocabulary * this.width;
    this.observed = new Array(cells).fill(0);
    this.expected = new Array(cells).fill(0);
    this.codes = new Array(cells).fill(0);
    this.scales = new Array(shape.vocabulary).fill(0);
  }

  override predict(): Float32Array {
    const hidden = this.hidden();
    const probabilities = this.corrected ? this.decode(hidden, this.codes, this.scales) : this.decode(hidden);
    this.attend(probabilities, this.recalled);
    return probabilities;
  }

  /** What `token` would add here, under the base and the piece alone, and its likelihood. */
  increment(token: number): Increment & { readonly p: number } {
    const hidden = this.hidden();
    const probabilities = this.decode(hidden);
    const times = sampledRows(probabilities, this.stream.length);
    const network = probabilities[token]!;
    const kept = this.attend(probabilities);
    const p = probabilities[token]!;
    // the network's responsibility for the token that came
    const alone = p > 0 ? Math.min(1, f(f(kept * network) / p)) : 0;
    const share = this.shape.adapts ? this.explained(token, p) : alone;
    const weights = Array.from(hidden, (h) => nearest(f(h * f(share * 256))));
    return { weights, times, p };
  }

  /** Surprisal under the base; -1 beyond the vocabulary, -2 where a sum would pass 2^32 − 1. */
  observe(token: number): number {
    return this.learn(token, 1, -2);
  }

  /** The same; -3 where a sum would fall below 0. */
  forget(token: number): number {
    return this.learn(token, -1, -3);
  }

  private learn(token: number, sign: number, refusal: number): number {
    if (token >= this.shape.vocabulary) return -1;
    const { weights, times, p } = this.increment(token);
    const cell = (row: number, c: number) => row * this.width + c;
    const observed = new Map(weights.map((w, c) => [cell(token, c), this.observed[cell(token, c)]! + sign * w]));
    const expected = new Map(
      [...times].flatMap(([row, n]) =>
        weights.map((w, c): [number, number] => [cell(row, c), this.expected[cell(row, c)]! + sign * n * w]),
      ),
    );
    const tokens = this.tokens + sign;
    if ([...observed.values(), ...expected.values(), tokens].some((sum) => sum < 0 || sum > MOST)) return refusal;
    for (const [at, sum] of observed) this.observed[at] = sum;
    for (const [at, sum] of expected) this.expected[at] = sum;
    this.tokens = tokens;
    this.follow(token, p);
    return surprisal(p);
  }

  /** Adds `values`, (V), to row `row` of F and F̂ one after the other, seen as (2·M, V). */
  merge(row: number, commit: boolean, values: ArrayLike<number>): number {
    const { vocabulary } = this.shape;
    if (row >>> 0 >= 2 * this.width) return -1;
    const sums = row < this.width ? this.observed : this.expected;
    const from = (row % this.width) * vocabulary;
    const merged = Array.from(values, (value, i) => sums[from + i]! + value);
    if (merged.some((sum) => sum > MOST)) return -2;
    if (commit) for (const [i, sum] of merged.entries()) sums[from + i] = sum;
    return 0;
  }

  /** O' = O + (s/K) · log[(F + a) / (F̂ + a)] for rows [from, to), in the units of F̂. */
  refit(from: number, to: number, pseudoCounts: number, step: number): number {
    const { shape, width } = this;
    const rows = from >>> 0 <= to >>> 0 && to >>> 0 <= shape.vocabulary;
    const options = f(pseudoCounts) >= 2 ** -20 && f(pseudoCounts) <= 1e9 && f(step) >= 0 && f(step) <= 4;
    if (!rows || !options) return -1;
    const tokens = f(Math.max(1, this.tokens));
    for (let v = from; v < to; ++v) {
      const cells = Array.from({ length: width }, (_, c) => v * width + c);
      // a = α · π / m with π the row's share of what was expected; a row never expected counts as one threshold's worth
      const total = f(f(cells.reduce((sum, at) => sum + this.expected[at]!, 0)) + 256 * groupsOf(shape));
      const a = f(f(f(pseudoCounts) / f(tokens * width)) * total);
      const rate = f(f(step) / groupsOf(shape));
      const scale = this.numbers("decoder.O.scale")[v]!;
      const row = cells.map((at) => {
        const ratio = f(f(f(f(this.observed[at]!) * THRESHOLDS) + a) / f(f(this.expected[at]!) + a));
        return f(f(scale * this.numbers("decoder.O")[at]!) + f(rate * log(ratio)));
      });
      const { codes, scale: solved } = quantised(row);
      for (const [c, at] of cells.entries()) this.codes[at] = codes[c]!;
      this.scales[v] = solved;
    }
    return 0;
  }

  correct(on: boolean): number {
    this.corrected = on;
    return 0;
  }
}
