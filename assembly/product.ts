// The one dense product of the trainer: out (4·, 8·) = left · right in register tiles of 4 × 8. Each element is summed over the
// depth in ascending order, in both flavours, so SIMD changes the speed and not a bit.

/**
 * out[a, b] = Σ_k left[a, k] · right[k, b], or with `weight` ≠ 0: out[a, b] += weight · Σ_k. Strides in elements, all f32.
 *
 * @param left element (a, k) at a · leftRow + k · leftStep
 * @param right element (k, b) at k · rightStep + b
 * @param rows a multiple of 4
 * @param columns a multiple of 8
 * @param out element (a, b) at a · outRow + b
 */
// @ts-ignore: decorator
@inline
export function product(
  left: usize,
  leftRow: usize,
  leftStep: usize,
  right: usize,
  rightStep: usize,
  rows: usize,
  depth: usize,
  columns: usize,
  weight: f32,
  out: usize,
  outRow: usize,
): void {
  if (ASC_FEATURE_SIMD) {
    const by = f32x4.splat(weight);
    for (let a: usize = 0; a < rows; a += 4) {
      for (let b: usize = 0; b < columns; b += 8) {
        let a0 = f32x4.splat(0);
        let a1 = f32x4.splat(0);
        let b0 = f32x4.splat(0);
        let b1 = f32x4.splat(0);
        let c0 = f32x4.splat(0);
        let c1 = f32x4.splat(0);
        let d0 = f32x4.splat(0);
        let d1 = f32x4.splat(0);
        let l = left + ((a * leftRow) << 2);
        let r = right + (b << 2);
        for (const end = r + ((depth * rightStep) << 2); r != end; r += rightStep << 2, l += leftStep << 2) {
          const r0 = v128.load(r);
          const r1 = v128.load(r, 16);
          let x = v128.load32_splat(l);
          a0 = f32x4.add(a0, f32x4.mul(x, r0));
          a1 = f32x4.add(a1, f32x4.mul(x, r1));
          x = v128.load32_splat(l + (leftRow << 2));
          b0 = f32x4.add(b0, f32x4.mul(x, r0));
          b1 = f32x4.add(b1, f32x4.mul(x, r1));
          x = v128.load32_splat(l + (leftRow << 3));
          c0 = f32x4.add(c0, f32x4.mul(x, r0));
          c1 = f32x4.add(c1, f32x4.mul(x, r1));
          x = v128.load32_splat(l + leftRow * 12);
          d0 = f32x4.add(d0, f32x4.mul(x, r0));
          d1 = f32x4.add(d1, f32x4.mul(x, r1));
        }
        let at = out + ((a * outRow + b) << 2);
        put(at, a0, a1, by, weight);
        at += outRow << 2;
        put(at, b0, b1, by, weight);
        at += outRow << 2;
        put(at, c0, c1, by, weight);
        at += outRow << 2;
        put(at, d0, d1, by, weight);
      }
    }
  } else {
    for (let a: usize = 0; a < rows; ++a) {
      for (let b: usize = 0; b < columns; ++b) {
        let sum: f32 = 0;
        let l = left + ((a * leftRow) << 2);
        let r = right + (b << 2);
        for (const end = r + ((depth * rightStep) << 2); r != end; r += rightStep << 2, l += leftStep << 2) {
          sum += load<f32>(l) * load<f32>(r);
        }
        const at = out + ((a * outRow + b) << 2);
        store<f32>(at, weight == 0 ? sum : load<f32>(at) + weight * sum);
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function put(at: usize, low: v128, high: v128, by: v128, weight: f32): void {
  if (weight == 0) {
    v128.store(at, low);
    v128.store(at, high, 16);
  } else {
    v128.store(at, f32x4.add(v128.load(at), f32x4.mul(by, low)));
    v128.store(at, f32x4.add(v128.load(at, 16), f32x4.mul(by, high)), 16);
  }
}
