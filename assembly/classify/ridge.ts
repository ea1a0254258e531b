// Ridge regression of the classes' indicators on the features (Hoerl & Kennard 1970), from integer sums: the intercept is not penalised, so that
// sums are centred. Cholesky in f64, each element in one order, without SIMD: the same bits in every build.
import { Plan } from "./plan";
import { observedAt, secondAt, triangle } from "./sums";

/**
 * plan.scratch (D, stride) f64 ← weights, plan.liveBias ← intercepts.
 *
 * @param penalty λ in examples: what is added to a feature's sum of squares is λ · (mean square of all features)
 */
export function solveRidge(p: Plan, penalty: f64): void {
  const features = <usize>p.features;
  const classes = <usize>p.classes;
  const stride = <usize>p.stride << 3;
  const weights = <usize>p.scratch;
  const matrix = weights + features * stride;
  const means = matrix + (triangle(features) << 3); // (D) f64, Σ x / n
  const unit: f64 = 1 / <f64>p.unit;
  const n: f64 = max<f64>(1, <f64>load<u32>(<usize>p.sums));
  for (let d: usize = 0; d < features; ++d) {
    let total: f64 = 0;
    for (let c: usize = 0; c < classes; ++c) total += <f64>load<u32>(observedAt(p) + ((d * classes + c) << 2));
    store<f64>(means + (d << 3), (total * unit) / n);
  }
  let squares: f64 = 0;
  for (let i: usize = 0; i < features; ++i) {
    const row = triangle(i);
    const mean = load<f64>(means + (i << 3)) * n;
    for (let j: usize = 0; j <= i; ++j) {
      const gram = <f64>load<u32>(secondAt(p) + ((row + j) << 2)) * (unit * unit);
      store<f64>(matrix + ((row + j) << 3), gram - mean * load<f64>(means + (j << 3)));
    }
    squares += load<f64>(matrix + ((row + i) << 3));
    for (let c: usize = 0; c < classes; ++c) {
      const observed = <f64>load<u32>(observedAt(p) + ((i * classes + c) << 2)) * unit;
      const share = <f64>load<u32>(<usize>p.sums + ((1 + c) << 2)) / n;
      store<f64>(weights + i * stride + (c << 3), observed - mean * share);
    }
  }
  const added = penalty * (squares / (<f64>features * n)) + 1e-6;
  // L Lᵀ = matrix + added, in its place; L⁻¹ right-hand sides along with it
  for (let i: usize = 0; i < features; ++i) {
    const row = matrix + (triangle(i) << 3);
    store<f64>(row + (i << 3), load<f64>(row + (i << 3)) + added);
    for (let j: usize = 0; j <= i; ++j) {
      const other = matrix + (triangle(j) << 3);
      let sum = load<f64>(row + (j << 3));
      for (let k: usize = 0; k < j << 3; k += 8) sum -= load<f64>(row + k) * load<f64>(other + k);
      store<f64>(row + (j << 3), i == j ? sqrt<f64>(max<f64>(sum, 1e-9)) : sum / load<f64>(other + (j << 3)));
    }
    const side = weights + i * stride;
    for (let c: usize = 0; c < classes << 3; c += 8) {
      let sum = load<f64>(side + c);
      for (let k: usize = 0; k < i; ++k) sum -= load<f64>(row + (k << 3)) * load<f64>(weights + k * stride + c);
      store<f64>(side + c, sum / load<f64>(row + (i << 3)));
    }
  }
  for (let i = features; i-- > 0; ) {
    const row = matrix + (triangle(i) << 3);
    const side = weights + i * stride;
    for (let c: usize = 0; c < classes << 3; c += 8) {
      const value = load<f64>(side + c) / load<f64>(row + (i << 3));
      store<f64>(side + c, value);
      for (let k: usize = 0; k < i; ++k) {
        const at = weights + k * stride + c;
        store<f64>(at, load<f64>(at) - load<f64>(row + (k << 3)) * value);
      }
    }
  }
  for (let c: usize = 0; c < classes; ++c) {
    let bias = <f64>load<u32>(<usize>p.sums + ((1 + c) << 2)) / n;
    for (let d: usize = 0; d < features; ++d) {
      bias -= load<f64>(weights + d * stride + (c << 3)) * load<f64>(means + (d << 3));
    }
    store<f32>(<usize>p.liveBias + (c << 2), <f32>bias);
  }
}
