// The decoder on the device, from a hidden state in fixed point and int8 rows: the products are summed in integers, so their
// order is free, and each row's sum is scaled once.
import { fetch, readFailed } from "./flash";
import { TILE, TILE_ROWS, TILE_SCALES } from "./layout";
import { softmaxOnce } from "../common/softmax";
import { HIDDEN_ONE, M, V } from "../shape";

/** Of eight bytes, the first and the fifth, each in the low bits of 32. */
const BYTES: u64 = 0x000000ff000000ff;
/** Turns a signed weight into an unsigned one that is 128 greater. */
const SIGNS: u64 = 0x8080808080808080;

/**
 * The hidden state in fixed point, nearest(h · 2^14): in the simd build (M) i16 in order.
 *
 * The scalar build has no vectors, but a product of 64 bits can be two of 32: of two weights, a + b · 2^32, and two elements of h the
 * other way round, q + p · 2^32, it is (a · p + b · q) · 2^32 above a · q, which has no more than 32 bits, and does not carry. So
 * (M) u32 stand as pairs that lie four apart, the later one first, and behind them 128 · Σ h, which unsigned weights make the sums too
 * great by. A sum stays below 2^32 as each group's h adds up to 1: 255 · 2^14 for each of 1024 groups.
 *
 * @param hidden (M) f32 in [0, 1]
 * @param outHidden (M) i16, or (M + 1) u32
 */
export function quantiseHidden(hidden: usize, outHidden: usize): void {
  let sum = 0;
  for (let c: usize = 0; c < <usize>M; ++c) {
    const h = <i32>nearest<f32>(load<f32>(hidden + (c << 2)) * HIDDEN_ONE);
    if (ASC_FEATURE_SIMD) store<i16>(outHidden + (c << 1), <i16>h);
    else {
      store<i32>(outHidden + (placeOf(c) << 2), h);
      sum += h;
    }
  }
  if (!ASC_FEATURE_SIMD) store<i32>(outHidden, sum << 7, M * 4);
}

/** Where element c of h stands in the scalar build: of eight, 0 to 7, in 1, 3, 5, 7, 0, 2, 4, 6. */
// @ts-ignore: decorator
@inline
export function placeOf(c: usize): usize {
  return (c & ~7) | ((c & 3) << 1) | (((c >> 2) & 1) ^ 1);
}

/**
 * outProbabilities ← softmax(h O + o0) (the paper's decoder).
 *
 * @param hidden of quantiseHidden
 * @param o (V, M) i8
 * @param oScale (V) f32
 * @param o0 (V) f32
 * @param outProbabilities (V) f32, sum 1
 */
export function decode(hidden: usize, o: usize, oScale: usize, o0: usize, outProbabilities: usize): void {
  decodeRows(hidden, o, oScale, o0, V, outProbabilities);
  softmaxOnce(outProbabilities, V);
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
  softmaxOnce(outProbabilities, V);
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
    for (let v: usize = 0; v < <usize>n; v += 4) {
      let row = o + v * M;
      let h = hidden;
      let a: u64 = 0;
      let b: u64 = 0;
      let c: u64 = 0;
      let d: u64 = 0;
      for (const end = row + M; row < end; row += 8, h += 32) {
        const own = load<u64>(row) ^ SIGNS;
        const second = load<u64>(row, M) ^ SIGNS;
        const third = load<u64>(row, 2 * M) ^ SIGNS;
        const fourth = load<u64>(row, 3 * M) ^ SIGNS;
        let pair = load<u64>(h);
        a += (own & BYTES) * pair;
        b += (second & BYTES) * pair;
        c += (third & BYTES) * pair;
        d += (fourth & BYTES) * pair;
        pair = load<u64>(h, 8);
        a += ((own >> 8) & BYTES) * pair;
        b += ((second >> 8) & BYTES) * pair;
        c += ((third >> 8) & BYTES) * pair;
        d += ((fourth >> 8) & BYTES) * pair;
        pair = load<u64>(h, 16);
        a += ((own >> 16) & BYTES) * pair;
        b += ((second >> 16) & BYTES) * pair;
        c += ((third >> 16) & BYTES) * pair;
        d += ((fourth >> 16) & BYTES) * pair;
        pair = load<u64>(h, 24);
        a += ((own >> 24) & BYTES) * pair;
        b += ((second >> 24) & BYTES) * pair;
        c += ((third >> 24) & BYTES) * pair;
        d += ((fourth >> 24) & BYTES) * pair;
      }
      const at = out + (v << 2);
      store<i32>(at, <i32>(a >> 32));
      store<i32>(at, <i32>(b >> 32), 4);
      store<i32>(at, <i32>(c >> 32), 8);
      store<i32>(at, <i32>(d >> 32), 12);
    }
    const bias = load<i32>(hidden, M * 4);
    for (let at: usize = 0; at < <usize>n << 2; at += 4) {
      const scaled = load<f32>(oScale + at) * (<f32>1 / HIDDEN_ONE) * <f32>(load<i32>(out + at) - bias);
      store<f32>(out + at, load<f32>(o0 + at) + scaled);
    }
  }
}
