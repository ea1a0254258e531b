/**
 * Logarithm and exponential in f64 of additions, multiplications and divisions alone, which round alike on every engine; those of `Math` do
 * not. Relative errors are below 1e-14.
 */

const { LN2, SQRT2 } = Math; // constants, the same everywhere
const BITS = new DataView(new ArrayBuffer(8));

/** Natural logarithm of a positive, normal x: of its binary exponent, and of its mantissa by the series of the inverse hyperbolic tangent. */
export function log(x: number): number {
  BITS.setFloat64(0, x);
  const high = BITS.getUint32(0);
  let exponent = (high >>> 20) - 1023;
  BITS.setUint32(0, (high & 0xfffff) | 0x3ff00000);
  let mantissa = BITS.getFloat64(0);
  if (mantissa > SQRT2) {
    mantissa /= 2;
    ++exponent;
  }
  const s = (mantissa - 1) / (mantissa + 1); // at most 0.172
  let sum = 0;
  for (let k = 19; k >= 1; k -= 2) sum = sum * s * s + 1 / k;
  return exponent * LN2 + 2 * s * sum;
}

/** e^x for |x| ≤ 700: of the nearest power of two, and of what is left by Taylor's series. */
export function exp(x: number): number {
  const exponent = Math.round(x / LN2);
  const rest = x - exponent * LN2; // at most 0.347
  let sum = 1;
  for (let k = 14; k >= 1; --k) sum = 1 + (sum * rest) / k;
  BITS.setUint32(0, (exponent + 1023) << 20);
  BITS.setUint32(4, 0);
  return sum * BITS.getFloat64(0);
}

/** The binary exponent of a positive, normal x: ⌊log₂ x⌋. */
export function exponentOf(x: number): number {
  BITS.setFloat64(0, x);
  return (BITS.getUint32(0) >>> 20) - 1023;
}
