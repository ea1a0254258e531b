// Hidden targets: how much each unit of a group was wanted, from what it would have gained.
import { exp, exp4, sumOfLanes } from "./math";
import { sumInLanes } from "./softmax";
import { scale } from "./vectors";

/** Most of the exponent of a hidden target. */
const MOST_SLOPE: f32 = 5;

/** outTarget (m) f32 ← h · exp(β (g − ⟨h, g⟩)) / Σ of one group of `units`, a multiple of 4, from g; sums in the lane order of softmax. */
// @ts-ignore: decorator
@inline
export function targetOfGroup(h: usize, units: usize, sharpness: f32, outTarget: usize): void {
  if (ASC_FEATURE_SIMD) {
    let gain = f32x4.splat(0);
    for (let c: usize = 0; c < units << 2; c += 16) {
      gain = f32x4.add(gain, f32x4.mul(v128.load(h + c), v128.load(outTarget + c)));
    }
    const mean = f32x4.splat(sumOfLanes(gain));
    let total = f32x4.splat(0);
    for (let c: usize = 0; c < units << 2; c += 16) {
      const slope = f32x4.mul(f32x4.splat(sharpness), f32x4.sub(v128.load(outTarget + c), mean));
      const held = f32x4.pmin(f32x4.splat(MOST_SLOPE), f32x4.pmax(f32x4.splat(-MOST_SLOPE), slope));
      const t = f32x4.mul(exp4(held), v128.load(h + c));
      v128.store(outTarget + c, t);
      total = f32x4.add(total, t);
    }
    const unit = f32x4.splat(<f32>1 / sumOfLanes(total));
    for (let c: usize = 0; c < units << 2; c += 16) v128.store(outTarget + c, f32x4.mul(v128.load(outTarget + c), unit));
  } else {
    let s0: f32 = 0;
    let s1: f32 = 0;
    let s2: f32 = 0;
    let s3: f32 = 0;
    for (let c: usize = 0; c < units << 2; c += 4) {
      const next = s0 + load<f32>(h + c) * load<f32>(outTarget + c);
      s0 = s1;
      s1 = s2;
      s2 = s3;
      s3 = next;
    }
    const mean = s0 + s1 + (s2 + s3);
    for (let c: usize = 0; c < units << 2; c += 4) {
      const slope = min<f32>(MOST_SLOPE, max<f32>(-MOST_SLOPE, sharpness * (load<f32>(outTarget + c) - mean)));
      store<f32>(outTarget + c, exp(slope) * load<f32>(h + c));
    }
    scale(<f32>1 / sumInLanes(outTarget, <i32>units), units, outTarget);
  }
}
