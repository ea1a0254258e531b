// The explicit decoder of the plain published form (2311.07498): O in log-odds against the marginal, so that the exponent
// K = H of the formula needs no term of its own: softmax(log π + Σ_c h_c log[p(y | c) / π_y]) is the same model.
import { log } from "../common/math";
import { addScaled } from "../common/vectors";
import { M, ROW_BYTES, V } from "../shape";

/**
 * outO[v, c] ← log[(F[v, c] + α π_v) / ((Σ_v F[v, c] + α) π_v)].
 *
 * @param sums (V, M) f32; @param marginal (V) f32; @param totals (M) f32 scratch
 */
export function explicitDecoder(sums: usize, marginal: usize, pseudoCounts: f32, totals: usize, outO: usize): void {
  for (let c: usize = 0; c < ROW_BYTES; c += 4) store<f32>(totals + c, pseudoCounts);
  for (let v: usize = 0; v < <usize>V; ++v) addScaled(sums + ((v * M) << 2), 1, M, totals);
  for (let v: usize = 0; v < <usize>V; ++v) {
    const p = load<f32>(marginal + (v << 2));
    for (let c: usize = 0; c < ROW_BYTES; c += 4) {
      const at = ((v * M) << 2) + c;
      store<f32>(outO + at, log((load<f32>(sums + at) + pseudoCounts * p) / (load<f32>(totals + c) * p)));
    }
  }
}
