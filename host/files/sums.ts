/** The sums of learning as a file has them, and what sums of a number of tokens can be: what says anything else no kernel has gathered. */
import { hiddenWidth, type Shape } from "../shape.ts";

/** Most of a sum, and of the tokens in the sums: they are u32, and are never wrapped. */
export const CAPACITY = 2 ** 32 - 1;

/** The sums, and what they were gathered under. */
export interface Statistics {
  /** Tokens in the sums; what was halved counts half. */
  readonly tokens: number;
  /** How often the sums were halved. */
  readonly generation: number;
  /** F, (V, M), in units of 2^-8 of a hidden unit. */
  readonly observed: Uint32Array;
  /** F̂, (V, M), in units of 2^-14. */
  readonly expected: Uint32Array;
}

/** Empty sums, as before anything was observed. */
export function nothingObserved(shape: Shape): Statistics {
  const cells = shape.vocabulary * hiddenWidth(shape);
  return { tokens: 0, generation: 0, observed: new Uint32Array(cells), expected: new Uint32Array(cells) };
}

/** A unit of a hidden state, and how much finer expected sums are. */
const HIDDEN_UNIT = 256;
const FINER = 64;

/**
 * What is impossible about sums, as a sentence; undefined where nothing is.
 *
 * A token adds at most HIDDEN_UNIT to a cell of F, and to all units of a group together at most that and half a unit each, from
 * rounding; FINER times as much to F̂, where each column's rows add up to FINER times those of F. Every ageing cuts up to half a unit
 * off each cell, and merges add those errors up, so columns are compared in generation 0 alone.
 */
export function faultOfSums({ tokens, observed, expected, generation }: Statistics, shape: Shape): string | undefined {
  const width = hiddenWidth(shape);
  const most = tokens * HIDDEN_UNIT;
  const columns = { observed: new Float64Array(width), expected: new Float64Array(width) };
  for (const [name, sums, bound] of [
    ["observed", observed, most],
    ["expected", expected, most * FINER],
  ] as const) {
    const column = columns[name];
    for (let i = 0; i < sums.length; ++i) {
      const sum = sums[i]!;
      if (sum > bound) return `${name} has a sum of ${sum}, ${tokens} tokens come to ${bound} at most`;
      column[i % width]! += sum;
    }
  }
  for (let c = 0; c < width && generation === 0; ++c) {
    const [came, foreseen] = [columns.observed[c]! * FINER, columns.expected[c]!];
    if (came !== foreseen) {
      return `column ${c} of expected comes to ${foreseen}, that of observed to ${came} in its units: they belong together`;
    }
  }
  for (let c = 0; c < width; c += shape.units) {
    const group = columns.observed.subarray(c, c + shape.units).reduce((sum, column) => sum + column, 0);
    const bound = tokens * (HIDDEN_UNIT + shape.units / 2);
    if (group > bound) return `the group at column ${c} comes to ${group}, ${tokens} tokens to ${bound} at most`;
  }
  return undefined;
}

/** The greatest of all sums. */
export function greatest(sums: readonly Uint32Array[]): number {
  let most = 0;
  for (const each of sums) for (let i = 0; i < each.length; ++i) if (each[i]! > most) most = each[i]!;
  return most;
}
