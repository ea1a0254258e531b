/**
 * Learning on the device again, in TypeScript, written from the definitions in docs/learning.md: sums in exact integers, and
 * rounding to f32 at the places where the definition pins it, so results must agree to the bit.
 */
import type { Tensor } from "../host/files/safetensors.ts";
import { groupsOf, hiddenWidth, type Shape } from "../host/shape.ts";
import { Oracle, surprisal } from "./oracle.ts";
import { f, log, nearest } from "./oracle-math.ts";

/** Units of F̂ in one of F. */
const FINER = 64;
/** A row's share of an expectation is counted in millionths, nearly, and those of rows that did not come in 256ths. */
const SHARE = 2 ** 20;
const THRESHOLDS = 2 ** 8;
const MOST = 2 ** 32 - 1;

/** What one token adds to the sums. */
export interface Increment {
  /** w · h, (M), in units of 1/256: added to the token's row of F. */
  readonly weights: readonly number[];
  /** What is added to rows of F̂, (M) each, in units of 1/64 of those. */
  readonly expected: ReadonlyMap<number, readonly number[]>;
}

/** The hash of a piece with one more token, in integers modulo 2^32. */
export function hashedOn(hash: number, token: number): number {
  const mixed = Math.imul(hash ^ (token + 1), 0x9e3779b1) >>> 0;
  return (mixed ^ (mixed >>> 15)) >>> 0;
}

/** All bits of a hash in each of its result. */
export function spread(hash: number): number {
  const mixed = Math.imul(hash, 0x85ebca6b) >>> 0;
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/**
 * Where each row's share of an expectation ends, (V), in 2^-20, in the order of the rows but with `token` first: its own is cut to such
 * units. The others, cumulated from an offset below one, are cut to 256ths of the whole; what is left at the end is the last row's.
 */
export function sharesUntil(
  probabilities: Float32Array,
  token: number,
  offset: number,
): [row: number, until: number][] {
  const own = Math.min(SHARE, Math.floor(probabilities[token]! * SHARE));
  const rows = [...probabilities.keys()].filter((v) => v !== token);
  let cumulated = offset / 2 ** 32 / THRESHOLDS;
  cumulated = Math.floor(cumulated * 2 ** 30) / 2 ** 30;
  const ends = rows.map((v): [number, number] => {
    cumulated += Math.floor(probabilities[v]! * 2 ** 30) / 2 ** 30;
    return [v, Math.min(SHARE, own + (Math.floor(cumulated * THRESHOLDS) * SHARE) / THRESHOLDS)];
  });
  ends[ends.length - 1]![1] = SHARE;
  return [[token, own], ...ends];
}

/** What the weights come to in rows whose shares end there: cumulated, then cut with the low bits of the offset added. */
export function sharesOf(weights: readonly number[], until: readonly [number, number][], offset: number) {
  const unit = SHARE / FINER;
  const cut = (weight: number, share: number) => Math.floor((weight * share + (offset % unit)) / unit);
  const rows = new Map<number, readonly number[]>();
  for (const [i, [row, end]] of until.entries()) {
    const before = i === 0 ? 0 : until[i - 1]![1];
    if (end > before)
      rows.set(
        row,
        weights.map((weight) => cut(weight, end) - cut(weight, before)),
      );
  }
  return rows;
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
  generation = 0;
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
    const offset = spread(hashedOn(this.stream.reduce(hashedOn, 0), token));
    const until = sharesUntil(probabilities, token, offset);
    const network = probabilities[token]!;
    const kept = this.attend(probabilities);
    const last = probabilities[token]!;
    const p = this.beforeLong(token, last);
    // the network's responsibility for the token that came
    const alone = p > 0 ? Math.min(1, f(f(kept * network) / p)) : 0;
    const share = this.shape.adapts ? this.explained(token, p) : alone;
    const weights = Array.from(hidden, (h) => nearest(f(h * f(share * 256))));
    return { weights, expected: sharesOf(weights, until, offset), p: last };
  }

  /** What the network alone predicts, under the base. */
  networkAlone(): Float32Array {
    return this.decode(this.hidden());
  }

  /** Goes on behind a token whose increment was asked for. */
  followed(token: number, p: number): void {
    this.follow(token, p);
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
    const { weights, expected: shares, p } = this.increment(token);
    const cell = (row: number, c: number) => row * this.width + c;
    const observed = new Map(weights.map((w, c) => [cell(token, c), this.observed[cell(token, c)]! + sign * w]));
    const expected = new Map(
      [...shares].flatMap(([row, added]) =>
        added.map((n, c): [number, number] => [cell(row, c), this.expected[cell(row, c)]! + sign * n]),
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

  /** Adds `values`, (V), to row `row` of F and F̂ one after the other, seen as (2·M, V), or takes them away. */
  merge(row: number, commit: boolean, values: ArrayLike<number>, sign = 1): number {
    const { vocabulary } = this.shape;
    if (row >>> 0 >= 2 * this.width) return -1;
    const sums = row < this.width ? this.observed : this.expected;
    const from = (row % this.width) * vocabulary;
    const merged = Array.from(values, (value, i) => sums[from + i]! + sign * value);
    if (merged.some((sum) => sum > MOST)) return -2;
    if (merged.some((sum) => sum < 0)) return -3;
    if (commit) for (const [i, sum] of merged.entries()) sums[from + i] = sum;
    return 0;
  }

  /** Half of every sum, and of the tokens rounded up. */
  age(): number {
    for (const sums of [this.observed, this.expected])
      for (const [i, sum] of sums.entries()) sums[i] = Math.floor(sum / 2);
    this.tokens = Math.ceil(this.tokens / 2);
    ++this.generation;
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
        const came = f(f(f(this.observed[at]!) * FINER) + a);
        // what is expected less often than once in 2^20 is not told from nothing
        const ratio = f(came / Math.max(f(f(this.expected[at]!) + a), f(came * 2 ** -20)));
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
