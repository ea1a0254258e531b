/** f32 arithmetic of the oracles: exp, log and sums, rounded where the definition pins it. */

export const f = Math.fround;
const bitsView = new DataView(new ArrayBuffer(4));

export function floatOfBits(bits: number): number {
  bitsView.setInt32(0, bits);
  return bitsView.getFloat32(0);
}

export function bitsOfFloat(x: number): number {
  bitsView.setFloat32(0, x);
  return bitsView.getInt32(0);
}

/** Nearest integer, ties to even, as WebAssembly's f32.nearest. */
export function nearest(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

const EXP = [1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1].map(f);
const LOG = [
  7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
  2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
].map(f);
const LN2_HIGH = f(0.693359375);
const LN2_LOW = f(-2.1219444e-4);
export const LOG2E = f(Math.LOG2E);

/** e^x in f32: Cephes expf, Horner's rule, rounded after each operation. */
export function exp(x: number): number {
  const at = Math.max(x, -87);
  const n = nearest(f(at * LOG2E));
  const r = f(f(at - f(n * LN2_HIGH)) - f(n * LN2_LOW));
  let p = EXP[0]!;
  for (const coefficient of EXP.slice(1)) p = f(f(p * r) + coefficient);
  p = f(f(f(f(p * r) * r) + r) + 1);
  return f(p * floatOfBits((n + 127) << 23));
}

/** ln x in f32: Cephes logf. */
export function log(x: number): number {
  const bits = bitsOfFloat(x);
  let m = floatOfBits((bits & 0x007fffff) | 0x3f000000);
  const below = m < f(Math.SQRT1_2);
  const e = ((bits >> 23) & 0xff) - 126 - (below ? 1 : 0);
  m = f(f(m - 1) + (below ? m : 0));
  const z = f(m * m);
  let p = LOG[0]!;
  for (const coefficient of LOG.slice(1)) p = f(f(p * m) + coefficient);
  const tail = f(f(f(f(p * m) * z) + f(e * LN2_LOW)) - f(0.5 * z));
  return f(f(m + tail) + f(e * LN2_HIGH));
}

/** Σ in four interleaved lanes, then (0 + 1) + (2 + 3). */
export function laneSum(values: Float32Array): number {
  const lanes = [0, 0, 0, 0];
  for (let i = 0; i < values.length; ++i) lanes[i % 4] = f(lanes[i % 4]! + values[i]!);
  return f(f(lanes[0]! + lanes[1]!) + f(lanes[2]! + lanes[3]!));
}
