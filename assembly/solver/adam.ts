// Adam (Kingma & Ba 2015, algorithm 1) in f32, element by element in a pinned order of operations: both builds give the same
// bits, and so does any division of the elements among threads.

export const BETA1: f32 = 0.9;
export const BETA2: f32 = 0.999;
export const EPSILON: f32 = 1e-8;
/** Gradients and first moments nearer to 0 count as 0: against ε they move nothing, and their squares would not be normal numbers. */
const LEAST: f32 = 1e-17;

/** 1 / (1 − beta^t), what a moment that began at 0 is short of after t ≥ 1 steps; f64 products, by squaring. */
export function biasCorrection(beta: f64, t: i32): f32 {
  let power: f64 = 1;
  for (; t > 0; t >>= 1, beta *= beta) {
    if (t & 1) power *= beta;
  }
  return <f32>(1 / (1 - power));
}

/** One step over some weights; gradient, m and s stand `stride` bytes further each. */
@unmanaged
export class AdamStep {
  rate: f32;
  correction1: f32;
  correction2: f32;
  stride: usize;
}

/**
 * m ← β1 m + (1 − β1) g,  s ← β2 s + (1 − β2) g²,  θ ← θ − rate · m̂ / (√ŝ + ε), with m̂ = m · correction1, ŝ = s · correction2.
 *
 * @param outWeights (n) f32: θ; n is a multiple of 4
 */
export function adam(step: AdamStep, n: usize, outWeights: usize): void {
  let gradient = outWeights + step.stride;
  let outFirst = gradient + step.stride;
  let outSecond = outFirst + step.stride;
  const correction2 = step.correction2;
  const end = gradient + (n << 2);
  const scaled = step.rate * step.correction1;
  if (ASC_FEATURE_SIMD) {
    for (; gradient < end; gradient += 16, outWeights += 16, outFirst += 16, outSecond += 16) {
      const g = flushed4(v128.load(gradient));
      const m = flushed4(f32x4.add(
        f32x4.mul(f32x4.splat(BETA1), v128.load(outFirst)),
        f32x4.mul(f32x4.splat(1 - BETA1), g),
      ));
      const s = f32x4.add(
        f32x4.mul(f32x4.splat(BETA2), v128.load(outSecond)),
        f32x4.mul(f32x4.mul(f32x4.splat(1 - BETA2), g), g),
      );
      v128.store(outFirst, m);
      v128.store(outSecond, s);
      const root = f32x4.add(f32x4.sqrt(f32x4.mul(s, f32x4.splat(correction2))), f32x4.splat(EPSILON));
      const step = f32x4.div(f32x4.mul(f32x4.splat(scaled), m), root);
      v128.store(outWeights, f32x4.sub(v128.load(outWeights), step));
    }
  } else {
    for (; gradient < end; gradient += 4, outWeights += 4, outFirst += 4, outSecond += 4) {
      const g = flushed(load<f32>(gradient));
      const m = flushed(BETA1 * load<f32>(outFirst) + (<f32>1 - BETA1) * g);
      const s = BETA2 * load<f32>(outSecond) + (<f32>1 - BETA2) * g * g;
      store<f32>(outFirst, m);
      store<f32>(outSecond, s);
      const root = sqrt<f32>(s * correction2) + EPSILON;
      store<f32>(outWeights, load<f32>(outWeights) - (scaled * m) / root);
    }
  }
}

// @ts-ignore: decorator
@inline
function flushed4(x: v128): v128 {
  return v128.and(x, f32x4.gt(f32x4.abs(x), f32x4.splat(LEAST)));
}

// @ts-ignore: decorator
@inline
function flushed(x: f32): f32 {
  return abs<f32>(x) > LEAST ? x : 0;
}
