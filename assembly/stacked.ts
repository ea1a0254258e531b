// The second layer: it reads the hidden states that the block's heads had at the last places, the present one included, as a SAFFU layer
// reads tokens: by position, without a projection. The states are of unit sum a head, so its inputs have the norm positions · heads.
import { BLOCK_M, STACKED_M } from "./shape";
import { addScaled } from "./vectors";

/**
 * out += Σ_c h_−j[c] U[j, c]: what position j adds to the logits of `n` classes of the second layer's heads from `first`.
 *
 * @param states (positions, width of the block's heads) f32, the latest first; those before the stream's start are 0
 * @param u (positions · width of the block's heads, width of the second layer's) f32
 * @param out (n) f32
 */
export function addStates(states: usize, j: i32, u: usize, first: usize, n: usize, out: usize): void {
  const from = <usize>j * BLOCK_M;
  for (let i = from; i < from + BLOCK_M; ++i) {
    addScaled(u + ((i * STACKED_M + first) << 2), load<f32>(states + (i << 2)), n, out);
  }
}

/** outSums[row] += weight · states[row] · values for each row in [firstRow, endRow). */
export function addToStates(
  states: usize,
  values: usize,
  weight: f32,
  n: usize,
  firstRow: usize,
  endRow: usize,
  outSums: usize,
): void {
  for (let row = firstRow; row < endRow; ++row) {
    addScaled(values, weight * load<f32>(states + (row << 2)), n, outSums + ((row * STACKED_M) << 2));
  }
}

/**
 * outGains[c] += Σ U[0, c] · delta: what the present state of the block's heads would gain through the second layer, whose logits would
 * gain `delta`; summed in ascending order.
 *
 * @param u (positions · width of the block's heads, width of the second layer's) f32; @param j position
 * @param delta (width of the second layer's) f32; @param outGains (width of the block's heads) f32
 */
export function addGains(u: usize, j: i32, delta: usize, outGains: usize): void {
  for (let c: usize = 0; c < <usize>BLOCK_M; ++c) {
    const row = u + (((<usize>j * BLOCK_M + c) * STACKED_M) << 2);
    let sum: f32 = 0;
    for (let i: usize = 0; i < <usize>STACKED_M << 2; i += 4) sum += load<f32>(row + i) * load<f32>(delta + i);
    store<f32>(outGains + (c << 2), load<f32>(outGains + (c << 2)) + sum);
  }
}
