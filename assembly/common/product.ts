// The one dense product of the solver: out (4·, 8·) = left · right in register tiles of 4 × 8. Each element is summed over the
// depth in ascending order, in both builds, so SIMD changes the speed and not a bit.

/** A product of f32 matrices. Strides are in elements. */
@unmanaged
export class Product {
  left: usize; // element (a, k) at a · leftRow + k · leftStep
  leftRow: usize;
  leftStep: usize;
  right: usize; // element (k, b) at k · rightStep + b
  rightStep: usize;
  rows: usize; // a multiple of 4
  depth: usize;
  columns: usize; // a multiple of 8
  out: usize; // element (a, b) at a · outRow + b
  outRow: usize;
  weight: f32; // 0 puts the product in the place of `out`; else weight times it is added
}

/** out[a, b] = Σ_k left[a, k] · right[k, b], or with `weight` ≠ 0: out[a, b] += weight · Σ_k. */
export function multiply(product: Product): void {
  const left = product.left;
  const leftRow = product.leftRow;
  const leftStep = product.leftStep;
  const right = product.right;
  const rightStep = product.rightStep;
  const rows = product.rows;
  const depth = product.depth;
  const columns = product.columns;
  const out = product.out;
  const outRow = product.outRow;
  const weight = product.weight;
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
