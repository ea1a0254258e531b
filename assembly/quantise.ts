// int8 weights with a scale a row, symmetric: the device sums their products in integers. U may have codes of four bits instead.
import { encodeRow, solveLevels } from "./codebook";
import { rowBytes, WEIGHT_BITS } from "./shape";

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

/**
 * The weights of a hidden layer, of as many bits as the shape says.
 *
 * @param u (count, width) f32
 * @param scratch CODEBOOK_SCRATCH bytes
 * @param outU (count, width) i8, or (count, width / 2) codes
 * @param outScales (count) f32
 * @param outLevels (LEVELS) i8, of four bits alone
 */
export function quantiseLayer(
  u: usize,
  count: i32,
  width: usize,
  scratch: usize,
  outU: usize,
  outScales: usize,
  outLevels: usize,
): void {
  let unit: f32 = 0;
  if (WEIGHT_BITS == 4) unit = solveLevels(u, count, width, scratch, outLevels);
  for (let row: usize = 0; row < <usize>count; ++row) {
    const values = u + ((row * width) << 2);
    const out = outU + row * rowBytes(width);
    let scale: f32;
    if (WEIGHT_BITS == 4) scale = encodeRow(values, width, outLevels, unit, scratch, out);
    else scale = quantiseRow(values, width, out);
    store<f32>(outScales + (row << 2), scale);
  }
}
