// Series as codes of windows (ours, after the kernels with dilations of ROCKET: Dempster, Petitjean & Webb 2020): of windows of n values,
// 1, 2, 4, … apart, the signs of products with nf principal directions make a code; a feature is (channel, dilation, segment, code).
// Directions have no mean, so neither a level nor a scale changes a code. Flat windows are skipped.
import { NOT_FINITE, Plan, wholeOf } from "./plan";

/** plan.a length T; b channels; c taps n, at most 16; d nf, 1 to 8; e segments; f dilations, 1, 2, …, 2^(f − 1). */
const LANES: usize = 8;
/** Values are cut to it: a product of 16 taps stays within i32. */
const MOST: f32 = 32767;

/** Bytes of the tables: the series in i16, (channels, T), and (taps, LANES) i16 directions in front. */
export function seriesTableBytes(length: u32, channels: u32): u32 {
  return 256 + (((length * channels + 7) >> 3) << 4);
}

/** Directions by tap, from the encoding's parameters: (channels, 2) f32 offset and gain, then (nf, taps) i8. */
export function beginSeries(p: Plan): void {
  const directions = <usize>p.parameters + (<usize>p.b << 3);
  for (let tap: usize = 0; tap < <usize>p.c; ++tap) {
    for (let lane: usize = 0; lane < LANES; ++lane) {
      const value = lane < <usize>p.d ? <i16>load<i8>(directions + lane * <usize>p.c + tap) : 0;
      store<i16>(<usize>p.tables + ((tap * LANES + lane) << 1), value);
    }
  }
}

/** Active features of the series at plan.input, (channels, T) f32; NOT_FINITE where a value is none. */
export function encodeSeries(p: Plan): i32 {
  const length = <usize>p.a;
  const taps = <usize>p.c;
  const segments = <usize>p.e;
  const fixed = <usize>p.tables + 256;
  let out = <usize>p.codes;
  let first: usize = 0;
  for (let channel: usize = 0; channel < <usize>p.b; ++channel) {
    const offset = load<f32>(<usize>p.parameters + (channel << 3));
    const gain = load<f32>(<usize>p.parameters + (channel << 3), 4);
    const series = fixed + ((channel * length) << 1);
    for (let t: usize = 0; t < length; ++t) {
      const value = load<f32>(<usize>p.input + ((channel * length + t) << 2));
      if (!(abs<f32>(value) <= f32.MAX_VALUE)) return NOT_FINITE;
      store<i16>(series + (t << 1), <i16>wholeOf((value - offset) * gain, MOST));
    }
    for (let dilation: usize = 0; dilation < <usize>p.f; ++dilation) {
      const step = (<usize>2) << dilation; // bytes
      const windows = length - ((taps - 1) << dilation);
      for (let t: usize = 0; t < windows; ++t) {
        const code = codeOf(series + (t << 1), step, p);
        if (code < 0) continue;
        const id = ((first + (t * segments) / windows) << <usize>p.d) + <usize>code;
        store<u16>(out, <u16>id);
        out += 2;
      }
      first += segments;
    }
  }
  return <i32>((out - <usize>p.codes) >> 1);
}

/** The code of a window; −1 where all its values are the same. */
// @ts-ignore: decorator
@inline
function codeOf(window: usize, step: usize, p: Plan): i32 {
  const taps = <usize>p.c;
  const head = load<i16>(window);
  let flat = true;
  if (ASC_FEATURE_SIMD) {
    let low = i32x4.splat(0);
    let high = i32x4.splat(0);
    let directions = <usize>p.tables;
    for (let tap: usize = 0; tap < taps; ++tap, window += step, directions += 16) {
      const value = load<i16>(window);
      if (value != head) flat = false;
      const lanes = i16x8.splat(value);
      const weights = v128.load(directions);
      low = i32x4.add(low, i32x4.extmul_low_i16x8_s(lanes, weights));
      high = i32x4.add(high, i32x4.extmul_high_i16x8_s(lanes, weights));
    }
    if (flat) return -1;
    const zero = i32x4.splat(0);
    return <i32>i32x4.bitmask(i32x4.gt_s(low, zero)) | (<i32>i32x4.bitmask(i32x4.gt_s(high, zero)) << 4);
  }
  let code: i32 = 0;
  for (let tap: usize = 1; tap < taps; ++tap) if (load<i16>(window + tap * step) != head) flat = false;
  if (flat) return -1;
  for (let lane: usize = 0; lane < <usize>p.d; ++lane) {
    let sum: i32 = 0;
    let at = window;
    for (let tap: usize = 0; tap < taps; ++tap, at += step) {
      sum += <i32>load<i16>(at) * <i32>load<i16>(<usize>p.tables + ((tap * LANES + lane) << 1));
    }
    code |= i32(sum > 0) << <i32>lane;
  }
  return code;
}
