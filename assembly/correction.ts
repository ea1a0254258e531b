// The residual solve of the decoder from a device's own statistics (ours; generalized iterative scaling, Darroch & Ratcliff 1972):
// O' = O + (s / K) · log[(F + a) / (F̂ + a)], K = H heads. The base's rows stay; the solution stands in rows of its own.
import { log } from "./math";
import { quantiseRow } from "./quantise";
import { HEADS, M } from "./shape";
import { HIDDEN_UNIT, SAMPLES } from "./statistics";

/** Sums of a row that was never expected count as one threshold's worth, so that it has a ratio, too. */
const LEAST_ROW: f32 = HIDDEN_UNIT * <f32>HEADS;

/**
 * Solves one row. The pseudo-counts a = α · π / m are those of α tokens, π the share of the row in what the base expected.
 *
 * @param observed, expected (M) u32
 * @param tokens n > 0, tokens in the sums
 * @param mass α > 0, pseudo-tokens; @param step s
 * @param base (M) i8, baseScale its scale
 * @param scratch (M) f32
 * @param outRow (M) i8
 * @returns the scale of outRow
 */
export function correctRow(
  observed: usize,
  expected: usize,
  tokens: u32,
  mass: f32,
  step: f32,
  base: usize,
  baseScale: f32,
  scratch: usize,
  outRow: usize,
): f32 {
  let total: u64 = 0;
  for (let at: usize = 0; at < <usize>M << 2; at += 4) total += load<u32>(expected + at);
  const pseudo = (mass / (<f32>tokens * <f32>M)) * (<f32>total + LEAST_ROW);
  const by = step / <f32>HEADS;
  for (let c: usize = 0; c < <usize>M; ++c) {
    const f = <f32>load<u32>(observed + (c << 2)) * <f32>SAMPLES + pseudo;
    const e = <f32>load<u32>(expected + (c << 2)) + pseudo;
    store<f32>(scratch + (c << 2), baseScale * <f32>load<i8>(base + c) + by * log(f / e));
  }
  return quantiseRow(scratch, M, outRow);
}
