// int8 weights with a scale a row, symmetric: the device sums their products in integers.

/** Below it 127 / peak is no longer finite; such a row counts as 0. */
const LEAST: f32 = 1e-30;

/**
 * outRow ← nearest(row · 127 / max |row|); returns the scale, max |row| / 127.
 *
 * @param row (n) f32
 * @param outRow (n) i8
 */
export function quantiseRow(row: usize, n: usize, outRow: usize): f32 {
  let peak: f32 = 0;
  for (let c: usize = 0; c < n; ++c) peak = max<f32>(peak, abs<f32>(load<f32>(row + (c << 2))));
  const inverse: f32 = peak > LEAST ? <f32>127 / peak : 0;
  for (let c: usize = 0; c < n; ++c) {
    store<i8>(outRow + c, <i8>nearest<f32>(load<f32>(row + (c << 2)) * inverse));
  }
  return peak / <f32>127;
}
