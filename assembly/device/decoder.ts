// The decoder on the device, from a hidden state in fixed point and int8 rows: the products are summed in integers, so their
// order is free, and each row's sum is scaled once.
import { fetch, readFailed } from "./flash";
import { TILE, TILE_ROWS, TILE_SCALES } from "./layout";
import { softmax } from "../common/softmax";
import { HIDDEN_ONE, M, V } from "../shape";

/**
 * The hidden state in fixed point, nearest(h · 2^14).
 *
 * @param hidden (M) f32 in [0, 1]
 * @param outHidden (M) i16
 */
export function quantiseHidden(hidden: usize, outHidden: usize): void {
  for (let c: usize = 0; c < <usize>M; ++c) {
    store<i16>(outHidden + (c << 1), <i16>nearest<f32>(load<f32>(hidden + (c << 2)) * HIDDEN_ONE));
  }
}

/**
 * outProbabilities ← softmax(h O + o0) (the paper's decoder).
 *
 * @param hidden (M) i16, 2^14 = 1
 * @param o (V, M) i8
 * @param oScale (V) f32
 * @param o0 (V) f32
 * @param outProbabilities (V) f32, sum 1
 */
export function decode(hidden: usize, o: usize, oScale: usize, o0: usize, outProbabilities: usize): void {
  decodeRows(hidden, o, oScale, o0, V, outProbabilities);
  softmax(outProbabilities, V);
}

/** The same where `o` and `oScale` lie in flash. False, and no probabilities, where a read failed. */
export function decodeStored(hidden: usize, o: usize, oScale: usize, o0: usize, outProbabilities: usize): bool {
  for (let v: usize = 0; v < <usize>V; v += TILE_ROWS) {
    const n = min<usize>(TILE_ROWS, V - v);
    const rows = fetch(o + v * M, n * M, TILE);
    const scales = fetch(oScale + (v << 2), n << 2, TILE_SCALES);
    if (readFailed()) return false;
    decodeRows(hidden, rows, scales, o0 + (v << 2), <i32>n, outProbabilities + (v << 2));
  }
  softmax(outProbabilities, V);
  return true;
}

/** Logits of `n` rows, a multiple of 4. */
function decodeRows(hidden: usize, o: usize, oScale: usize, o0: usize, n: i32, out: usize): void {
  if (ASC_FEATURE_SIMD) {
    const unit = f32x4.splat(<f32>1 / HIDDEN_ONE);
    for (let v: usize = 0; v < <usize>n; v += 4) {
      const row = o + v * M;
      let a = i32x4.splat(0);
      let b = i32x4.splat(0);
      let c = i32x4.splat(0);
      let d = i32x4.splat(0);
      for (let i: usize = 0; i < <usize>M; i += 8) {
        const h = v128.load(hidden + (i << 1));
        a = i32x4.add(a, i32x4.dot_i16x8_s(h, v128.load8x8_s(row + i)));
        b = i32x4.add(b, i32x4.dot_i16x8_s(h, v128.load8x8_s(row + i + M)));
        c = i32x4.add(c, i32x4.dot_i16x8_s(h, v128.load8x8_s(row + i + 2 * M)));
        d = i32x4.add(d, i32x4.dot_i16x8_s(h, v128.load8x8_s(row + i + 3 * M)));
      }
      const ab = i32x4.add(v128.shuffle<i32>(a, b, 0, 4, 2, 6), v128.shuffle<i32>(a, b, 1, 5, 3, 7));
      const cd = i32x4.add(v128.shuffle<i32>(c, d, 0, 4, 2, 6), v128.shuffle<i32>(c, d, 1, 5, 3, 7));
      const sums = i32x4.add(v128.shuffle<i64>(ab, cd, 0, 2), v128.shuffle<i64>(ab, cd, 1, 3));
      const at = v << 2;
      const scaled = f32x4.mul(f32x4.mul(v128.load(oScale + at), unit), f32x4.convert_i32x4_s(sums));
      v128.store(out + at, f32x4.add(v128.load(o0 + at), scaled));
    }
  } else {
    for (let v: usize = 0; v < <usize>n; ++v) {
      const at = v << 2;
      const scaled = load<f32>(oScale + at) * (<f32>1 / HIDDEN_ONE) * <f32>rowSum(hidden, o + v * M);
      store<f32>(out + at, load<f32>(o0 + at) + scaled);
    }
  }
}

/** Σ_c hidden[c] · row[c]; eight products a turn, M being a multiple of 8. */
// @ts-ignore: decorator
@inline
function rowSum(hidden: usize, row: usize): i32 {
  let sum = 0;
  const end = row + M;
  for (; row < end; row += 8, hidden += 16) {
    sum +=
      <i32>load<i16>(hidden) * <i32>load<i8>(row) +
      <i32>load<i16>(hidden, 2) * <i32>load<i8>(row, 1) +
      <i32>load<i16>(hidden, 4) * <i32>load<i8>(row, 2) +
      <i32>load<i16>(hidden, 6) * <i32>load<i8>(row, 3) +
      <i32>load<i16>(hidden, 8) * <i32>load<i8>(row, 4) +
      <i32>load<i16>(hidden, 10) * <i32>load<i8>(row, 5) +
      <i32>load<i16>(hidden, 12) * <i32>load<i8>(row, 6) +
      <i32>load<i16>(hidden, 14) * <i32>load<i8>(row, 7);
  }
  return sum;
}
