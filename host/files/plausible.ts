/** What sums of a number of tokens can be: a file that says anything else was not gathered by a kernel, and is refused. */
import { hiddenWidth, type Shape } from "../shape.ts";
import type { Statistics } from "./statistics.ts";

/** A unit of a hidden state, and how much finer expected sums are. */
const HIDDEN_UNIT = 256;
const FINER = 64;

/**
 * What is impossible about sums, as a sentence; undefined where nothing is.
 *
 * A token adds at most HIDDEN_UNIT to a cell of F, and to all units of a group together at most that and half a unit each, from
 * rounding; FINER times as much to F̂, where each column's rows add up to FINER times those of F. Every ageing cuts up to half a unit
 * off each cell, so from generation 1 on the columns may differ by FINER units a row.
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
  const cut = generation > 0 ? FINER * shape.vocabulary : 0;
  for (let c = 0; c < width; ++c) {
    const [came, foreseen] = [columns.observed[c]! * FINER, columns.expected[c]!];
    if (Math.abs(came - foreseen) > cut) {
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
