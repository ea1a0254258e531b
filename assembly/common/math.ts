// exp and log of f32 with a pinned order of operations: the same bits in scalar code, in SIMD lanes and in the host's oracle.
// Polynomials and constants: Cephes expf and logf (Moshier). Largest error measured against f64: 2 units in the last place.

const LOG2E: f32 = 1.44269504088896341;
const LN2_HIGH: f32 = 0.693359375;
const LN2_LOW: f32 = -2.12194440e-4;
const SQRT_HALF: f32 = 0.707106781186547524;
/** exp is clamped below at this argument; its value there is 1.6e-38, the least that stays normal. */
export const EXP_LEAST: f32 = -87.0;
/** 1.5 · 2^23: a number below 2^22 that it is added to is rounded to the nearest integer, ties to even, which the sum's low bits are. */
const ROUND: f32 = 12582912.0;

/** e^x for x ≤ 88; arguments below EXP_LEAST count as EXP_LEAST. */
// @ts-ignore: decorator
@inline
export function exp(x: f32): f32 {
  x = max<f32>(x, EXP_LEAST);
  const n = nearest<f32>(x * LOG2E);
  const r = x - n * LN2_HIGH - n * LN2_LOW;
  let p: f32 = 1.9875691500e-4;
  p = p * r + 1.3981999507e-3;
  p = p * r + 8.3334519073e-3;
  p = p * r + 4.1665795894e-2;
  p = p * r + 1.6666665459e-1;
  p = p * r + 5.0000001201e-1;
  p = p * r * r + r + 1.0;
  return p * reinterpret<f32>((i32(n) + 127) << 23);
}

/** Natural logarithm of a positive, normal x. */
// @ts-ignore: decorator
@inline
export function log(x: f32): f32 {
  const bits = reinterpret<i32>(x);
  let m = reinterpret<f32>((bits & 0x007fffff) | 0x3f000000);
  const below = m < SQRT_HALF;
  const e = <f32>(((bits >> 23) & 0xff) - 126 - i32(below));
  m = m - 1.0 + select<f32>(m, 0.0, below);
  const z = m * m;
  let p: f32 = 7.0376836292e-2;
  p = p * m - 1.1514610310e-1;
  p = p * m + 1.1676998740e-1;
  p = p * m - 1.2420140846e-1;
  p = p * m + 1.4249322787e-1;
  p = p * m - 1.6668057665e-1;
  p = p * m + 2.0000714765e-1;
  p = p * m - 2.4999993993e-1;
  p = p * m + 3.3333331174e-1;
  return m + (p * m * z + e * LN2_LOW - 0.5 * z) + e * LN2_HIGH;
}

/** log where it is not called so often that it has to be inlined: a module has one. */
export function logOf(x: f32): f32 {
  return log(x);
}

/** exp of four lanes. */
// @ts-ignore: decorator
@inline
export function exp4(x: v128): v128 {
  x = f32x4.pmax(x, f32x4.splat(EXP_LEAST)); // one instruction; max would be eight, for NaN and zeros
  const rounded = f32x4.add(f32x4.mul(x, f32x4.splat(LOG2E)), f32x4.splat(ROUND));
  const n = f32x4.sub(rounded, f32x4.splat(ROUND));
  const r = f32x4.sub(f32x4.sub(x, f32x4.mul(n, f32x4.splat(LN2_HIGH))), f32x4.mul(n, f32x4.splat(LN2_LOW)));
  let p = f32x4.splat(1.9875691500e-4);
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.3981999507e-3));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(8.3334519073e-3));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(4.1665795894e-2));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.6666665459e-1));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(5.0000001201e-1));
  p = f32x4.add(f32x4.add(f32x4.mul(f32x4.mul(p, r), r), r), f32x4.splat(1.0));
  return f32x4.mul(p, i32x4.shl(i32x4.add(rounded, i32x4.splat(127)), 23));
}

/** log of four lanes. */
// @ts-ignore: decorator
@inline
export function log4(x: v128): v128 {
  let m = v128.or(v128.and(x, i32x4.splat(0x007fffff)), i32x4.splat(0x3f000000));
  const below = f32x4.lt(m, f32x4.splat(SQRT_HALF));
  // a true lane is -1: adding the mask subtracts one
  const e = f32x4.convert_i32x4_s(
    i32x4.add(i32x4.sub(v128.and(i32x4.shr_s(x, 23), i32x4.splat(0xff)), i32x4.splat(126)), below),
  );
  m = f32x4.add(f32x4.sub(m, f32x4.splat(1.0)), v128.and(m, below));
  const z = f32x4.mul(m, m);
  let p = f32x4.splat(7.0376836292e-2);
  p = f32x4.sub(f32x4.mul(p, m), f32x4.splat(1.1514610310e-1));
  p = f32x4.add(f32x4.mul(p, m), f32x4.splat(1.1676998740e-1));
  p = f32x4.sub(f32x4.mul(p, m), f32x4.splat(1.2420140846e-1));
  p = f32x4.add(f32x4.mul(p, m), f32x4.splat(1.4249322787e-1));
  p = f32x4.sub(f32x4.mul(p, m), f32x4.splat(1.6668057665e-1));
  p = f32x4.add(f32x4.mul(p, m), f32x4.splat(2.0000714765e-1));
  p = f32x4.sub(f32x4.mul(p, m), f32x4.splat(2.4999993993e-1));
  p = f32x4.add(f32x4.mul(p, m), f32x4.splat(3.3333331174e-1));
  const tail = f32x4.sub(
    f32x4.add(f32x4.mul(f32x4.mul(p, m), z), f32x4.mul(e, f32x4.splat(LN2_LOW))),
    f32x4.mul(f32x4.splat(0.5), z),
  );
  return f32x4.add(f32x4.add(m, tail), f32x4.mul(e, f32x4.splat(LN2_HIGH)));
}

/** Sum of four lanes, (0 + 1) + (2 + 3): the order that scalar code keeps with four running sums. */
// @ts-ignore: decorator
@inline
export function sumOfLanes(x: v128): f32 {
  const pairs = f32x4.add(x, v128.shuffle<i32>(x, x, 1, 0, 3, 2));
  return f32x4.extract_lane(f32x4.add(pairs, v128.shuffle<i32>(pairs, pairs, 2, 3, 0, 1)), 0);
}

/** Largest of four lanes. */
// @ts-ignore: decorator
@inline
export function maxOfLanes(x: v128): f32 {
  const pairs = f32x4.pmax(x, v128.shuffle<i32>(x, x, 2, 3, 0, 1));
  return f32x4.extract_lane(f32x4.pmax(pairs, v128.shuffle<i32>(pairs, pairs, 1, 0, 3, 2)), 0);
}
