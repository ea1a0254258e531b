/** Sums that tokens could have given, of any shape: each adds weights to a row of F, and shares of them, 64 times finer, to rows of F̂. */
import fc from "fast-check";
import type { Statistics } from "../../host/files/statistics.ts";
import { hiddenWidth, type Shape } from "../../host/shape.ts";

/** @param token of each: the row that came, a row that was expected, and where all of its weight in each group is */
export function sumsOf(
  shape: Shape,
  tokens: readonly (readonly [came: number, expected: number, unit: number])[],
  generation = 0,
): Statistics {
  const width = hiddenWidth(shape);
  const cells = shape.vocabulary * width;
  const observed = new Uint32Array(cells);
  const expected = new Uint32Array(cells);
  for (const [came, foreseen, unit] of tokens) {
    for (let group = 0; group < width; group += shape.units) {
      const column = group + (unit % shape.units);
      const weight = 256 - (unit % 7);
      observed[(came % shape.vocabulary) * width + column]! += weight;
      expected[(foreseen % shape.vocabulary) * width + column]! += 60 * weight;
      expected[(came % shape.vocabulary) * width + column]! += 4 * weight;
    }
  }
  return { tokens: tokens.length, generation, observed, expected };
}

/** Sums of so many tokens, all of which came in row 0 with the same unit and were expected there: 262,143 fill a sum but for less than a token. */
export function sumsOfRow(shape: Shape, tokens: number): Statistics {
  const { observed, expected } = sumsOf(shape, [[0, 0, 0]]);
  const times = (cells: Uint32Array) => cells.map((sum) => sum * tokens);
  return { tokens, generation: 0, observed: times(observed), expected: times(expected) };
}

/** Sums of up to 30 tokens, of any generation. */
export function anySums(shape: Shape): fc.Arbitrary<Statistics> {
  const any = fc.nat(10_000);
  return fc
    .tuple(fc.array(fc.tuple(any, any, any), { maxLength: 30 }), fc.oneof(fc.constant(0), fc.nat(5)))
    .map(([tokens, generation]) => sumsOf(shape, tokens, generation));
}
