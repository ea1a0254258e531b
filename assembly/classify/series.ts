// Series as codes of windows (ours, after the kernels with dilations of ROCKET: Dempster, Petitjean & Webb 2020): of windows of n values,
// 1, 2, 4, … apart, the signs of products with nf principal directions make a code; a feature is (channel, dilation, segment, code).
// Directions have no mean, so neither a level nor a scale changes a code. Flat windows are skipped. Behind them come features of the values
// themselves: (channel, part, level) for each level that the mean of a part of the series is above, so that a mean beyond all that was
// seen is at the end of a scale and not outside of it.
import { NOT_FINITE, Plan, wholeOf } from "./plan";

/**
 * plan.a length T; b channels; c taps n, at most 16; d nf, 1 to 8; e segments, and from bit 8 on parts; f dilations, 1, 2, …, 2^(f − 1), from bit 8
 * on levels, from bit 16 on how often a level counts.
 */
const LANES: usize = 8;
/** Values are cut to it: a product of 16 taps stays within i32. */
const MOST: f32 = 32767;

// @ts-ignore: decorator
@inline
export function segmentsOf(p: Plan): u32 {
  return p.e & 255;
}
// @ts-ignore: decorator
@inline
export function partsOf(p: Plan): u32 {
  return p.e >> 8;
}
// @ts-ignore: decorator
@inline
export function dilationsOf(p: Plan): u32 {
  return p.f & 255;
}
// @ts-ignore: decorator
@inline
export function levelsOf(p: Plan): u32 {
  return (p.f >> 8) & 255;
}
// @ts-ignore: decorator
@inline
export function timesOf(p: Plan): u32 {
  return p.f >> 16;
}

/** Bytes of the parameters: (channels, 2) f32 offset and gain, (nf, taps) i8 directions, (channels, parts, levels) i16. */
export function seriesParameterBytes(p: Plan): u64 {
  return <u64>(p.b * 8 + p.c * p.d) + ((<u64>(p.b * partsOf(p)) * <u64>levelsOf(p)) << 1);
}

/** Bytes of the tables: the series in i16, (channels, T), and (taps, LANES) i16 directions in front. */
export function seriesTableBytes(length: u32, channels: u32): u32 {
  return 256 + (((length * channels + 7) >> 3) << 4);
}

/** Directions by tap. */
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
  const segments = <usize>segmentsOf(p);
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
    for (let dilation: usize = 0; dilation < <usize>dilationsOf(p); ++dilation) {
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
  if (levelsOf(p) > 0) out = putLevels(<u32>(first << <usize>p.d), out, p);
  return <i32>((out - <usize>p.codes) >> 1);
}

/**
 * Ids of the levels that the mean of each part is above, each as often as it counts.
 *
 * @param first id of the first level
 * @param out where the next id goes; returned as it is then
 */
function putLevels(first: u32, out: usize, p: Plan): usize {
  const length = <usize>p.a;
  const parts = <usize>partsOf(p);
  const levels = levelsOf(p);
  const times = timesOf(p);
  let level = <usize>p.parameters + (<usize>p.b << 3) + <usize>p.c * <usize>p.d;
  let series = <usize>p.tables + 256;
  for (let channel: usize = 0; channel < <usize>p.b; ++channel, series += length << 1) {
    for (let part: usize = 0; part < parts; ++part, first += levels, level += <usize>levels << 1) {
      const from = (part * length) / parts;
      const until = ((part + 1) * length) / parts;
      let sum: i32 = 0; // of at most 65,536 values of 16 bits
      for (let t = from; t < until; ++t) sum += <i32>load<i16>(series + (t << 1));
      for (let i: u32 = 0; i < levels; ++i) {
        if (sum <= <i32>load<i16>(level + (<usize>i << 1)) * <i32>(until - from)) continue;
        for (let time: u32 = 0; time < times; ++time, out += 2) store<u16>(out, <u16>(first + i));
      }
    }
  }
  return out;
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
