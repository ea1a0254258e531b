// Iterative scaling of the decoder from a device's own sums (ours; generalized iterative scaling, Darroch & Ratcliff 1972):
// O' = O + (s / K) · log[(F + a) / (F̂ + a)], K = H groups. The base's rows stay; the solution stands in rows of its own.
import { logOf } from "../common/math";
import { quantiseRow } from "../common/quantise";
import { GROUPS, M } from "../shape";
import { expectedRow, HIDDEN_UNIT, observedRow, SAMPLES, Sums, tokensIn } from "./sums";

/** Sums of a row that was never expected count as one threshold's worth, so that it has a ratio, too. */
const LEAST_ROW: f32 = HIDDEN_UNIT * <f32>GROUPS;

/** A sum counts as expected once in so many at the least: what is expected less often may have been cut to nothing. */
const RESOLUTION: f32 = 1.0 / <f32>(1 << 20);

/** How a correction is solved. */
@unmanaged
export class Correction {
  pseudoCounts: f32; // α > 0, pseudo-tokens
  step: f32; // s
  scratch: usize; // (M) f32
}

/**
 * Solves row `v`. The pseudo-counts a = α · π / m are those of α tokens, π the share of the row in what the base expected.
 *
 * @param base (M) i8, baseScale its scale
 * @param outRow (M) i8
 * @returns the scale of outRow
 */
export function correctRow(v: u32, sums: Sums, correction: Correction, base: usize, baseScale: f32, outRow: usize): f32 {
  const observed = observedRow(sums, v);
  const expected = expectedRow(sums, v);
  const scratch = correction.scratch;
  const tokens = max<u32>(1, tokensIn(sums));
  let total: u64 = 0;
  for (let at: usize = 0; at < <usize>M << 2; at += 4) total += load<u32>(expected + at);
  const pseudo = (correction.pseudoCounts / (<f32>tokens * <f32>M)) * (<f32>total + LEAST_ROW);
  const by = correction.step / <f32>GROUPS;
  for (let c: usize = 0; c < <usize>M; ++c) {
    const f = <f32>load<u32>(observed + (c << 2)) * <f32>SAMPLES + pseudo;
    const e = max<f32>(<f32>load<u32>(expected + (c << 2)) + pseudo, f * RESOLUTION);
    store<f32>(scratch + (c << 2), baseScale * <f32>load<i8>(base + c) + by * logOf(f / e));
  }
  return quantiseRow(scratch, M, outRow);
}
