// Softmax, the one non-linearity of the architecture, in place. Sums run over four interleaved lanes, then (0 + 1) + (2 + 3),
// in both builds, so both give the same bits.
import { exp, exp4, maxOfLanes, sumOfLanes } from "./math";

/**
 * values[0..n) ← exp(values − max) / Σ. n is a multiple of 4.
 *
 * @param values (n) f32, logits in, probabilities out
 */
// @ts-ignore: decorator
@inline
export function softmax(values: usize, n: i32): void {
  const end = values + ((<usize>n) << 2);
  if (ASC_FEATURE_SIMD) {
    let top = v128.load(values);
    for (let at = values + 16; at < end; at += 16) top = f32x4.pmax(top, v128.load(at));
    const peak = f32x4.splat(maxOfLanes(top));
    let sum = f32x4.splat(0);
    // in pairs, and tested at the loop's end: V8 makes each constant of exp anew else, for every vector
    let at = values;
    if (n >= 8) {
      const pairs = end - 16;
      do {
        const e = exp4(f32x4.sub(v128.load(at), peak));
        const f = exp4(f32x4.sub(v128.load(at, 16), peak));
        v128.store(at, e);
        v128.store(at, f, 16);
        sum = f32x4.add(f32x4.add(sum, e), f);
        at += 32;
      } while (at < pairs);
    }
    if ((n & 4) != 0) {
      const e = exp4(f32x4.sub(v128.load(at), peak));
      v128.store(at, e);
      sum = f32x4.add(sum, e);
    }
    const scale = f32x4.splat(<f32>1 / sumOfLanes(sum));
    for (at = values; at < end; at += 16) v128.store(at, f32x4.mul(v128.load(at), scale));
  } else {
    let peak = load<f32>(values);
    for (let at = values + 4; at < end; at += 4) peak = max<f32>(peak, load<f32>(at));
    let s0: f32 = 0;
    let s1: f32 = 0;
    let s2: f32 = 0;
    let s3: f32 = 0;
    for (let at = values; at < end; at += 4) {
      const e = exp(load<f32>(at) - peak);
      store<f32>(at, e);
      // rotate the four sums so that exp is inlined once
      const next = s0 + e;
      s0 = s1;
      s1 = s2;
      s2 = s3;
      s3 = next;
    }
    scaleInPlace(values, n, <f32>1 / (s0 + s1 + (s2 + s3)));
  }
}

/** The same, not inlined: a module has one, whatever n is. */
export function softmaxOnce(values: usize, n: i32): void {
  softmax(values, n);
}

/** values[0..n) ← values · scale. n is a multiple of 4. */
export function scaleInPlace(values: usize, n: i32, scale: f32): void {
  const end = values + ((<usize>n) << 2);
  if (ASC_FEATURE_SIMD) {
    const by = f32x4.splat(scale);
    for (let at = values; at < end; at += 16) v128.store(at, f32x4.mul(v128.load(at), by));
  } else {
    for (let at = values; at < end; at += 4) store<f32>(at, load<f32>(at) * scale);
  }
}

/** Σ values[0..n) in the lane order of softmax. n is a multiple of 4. */
export function sumInLanes(values: usize, n: i32): f32 {
  const end = values + ((<usize>n) << 2);
  if (ASC_FEATURE_SIMD) {
    let sum = f32x4.splat(0);
    for (let at = values; at < end; at += 16) sum = f32x4.add(sum, v128.load(at));
    return sumOfLanes(sum);
  }
  let s0: f32 = 0;
  let s1: f32 = 0;
  let s2: f32 = 0;
  let s3: f32 = 0;
  for (let at = values; at < end; at += 16) {
    s0 += load<f32>(at);
    s1 += load<f32>(at, 4);
    s2 += load<f32>(at, 8);
    s3 += load<f32>(at, 12);
  }
  return s0 + s1 + (s2 + s3);
}

/** Σ a[i] · b[i] over [0, n) in the lane order of softmax. n is a multiple of 4. */
export function dotInLanes(a: usize, b: usize, n: i32): f32 {
  const end = a + ((<usize>n) << 2);
  if (ASC_FEATURE_SIMD) {
    let sum = f32x4.splat(0);
    for (; a < end; a += 16, b += 16) sum = f32x4.add(sum, f32x4.mul(v128.load(a), v128.load(b)));
    return sumOfLanes(sum);
  }
  let s0: f32 = 0;
  let s1: f32 = 0;
  let s2: f32 = 0;
  let s3: f32 = 0;
  for (; a < end; a += 16, b += 16) {
    s0 += load<f32>(a) * load<f32>(b);
    s1 += load<f32>(a, 4) * load<f32>(b, 4);
    s2 += load<f32>(a, 8) * load<f32>(b, 8);
    s3 += load<f32>(a, 12) * load<f32>(b, 12);
  }
  return s0 + s1 + (s2 + s3);
}

/** Σ of those of values[0..n) that are less than `bound`, in the lane order of softmax. n is a multiple of 4. */
export function sumOfLess(values: usize, n: i32, bound: f32): f32 {
  const end = values + ((<usize>n) << 2);
  if (ASC_FEATURE_SIMD) {
    let sum = f32x4.splat(0);
    for (let at = values; at < end; at += 16) {
      const x = v128.load(at);
      sum = f32x4.add(sum, v128.and(x, f32x4.lt(x, f32x4.splat(bound))));
    }
    return sumOfLanes(sum);
  }
  let s0: f32 = 0;
  let s1: f32 = 0;
  let s2: f32 = 0;
  let s3: f32 = 0;
  for (let at = values; at < end; at += 4) {
    const x = load<f32>(at);
    const next = s0 + (x < bound ? x : 0);
    s0 = s1;
    s1 = s2;
    s2 = s3;
    s3 = next;
  }
  return s0 + s1 + (s2 + s3);
}
