// The sums of learning on the device (docs/learning.md): what the stream showed, F = Σ w h ⊗ y, beside what the frozen base expected of it,
// F̂ = Σ w h ⊗ ŷ. Both are sums of integers, so they do not depend on order, and what was added can be taken away again to the bit.
//
// A token's expectation would touch every row. It is sampled instead, systematically (ours): SAMPLES thresholds, evenly spaced and
// shifted by a low-discrepancy offset, are laid over the cumulated ŷ, and a row counts as often as thresholds fall on it. The
// mean is exact, the same piece of text gives the same samples, and a token touches at most SAMPLES rows.
import { M, V } from "../shape";

/** Thresholds a token: expected sums are in units of 1 / SAMPLES of the observed ones. */
export const SAMPLES: u32 = 64;
/** Fixed point of weighted hidden states: 1.0 is 2^8. */
export const HIDDEN_UNIT: f32 = 256;

/** Fixed point of cumulated probabilities: what is below 2^-24 is never sampled. */
const PROBABILITY_UNIT: f32 = 16777216;
/** 2^32 / golden ratio: multiples of it, modulo 2^32, spread evenly (Weyl). */
const GOLDEN: u32 = 0x9e3779b9;

/** The sums of a device, one block: F (V, M) u32, F̂ (V, M) u32, and the number of tokens in them, u32. */
@unmanaged
export class Sums {
  first: u32; // F[0, 0]
}

const EXPECTED_AT: usize = 4 * V * M;
const TOKENS_AT: usize = 8 * V * M;

/** Row v of F. */
// @ts-ignore: decorator
@inline
export function observedRow(sums: Sums, v: u32): usize {
  return changetype<usize>(sums) + ((v * M) << 2);
}
/** Row v of F̂. */
// @ts-ignore: decorator
@inline
export function expectedRow(sums: Sums, v: u32): usize {
  return changetype<usize>(sums) + EXPECTED_AT + ((v * M) << 2);
}
/** Tokens in the sums. */
// @ts-ignore: decorator
@inline
export function tokensIn(sums: Sums): u32 {
  return load<u32>(changetype<usize>(sums), TOKENS_AT);
}

/** What one token adds: to the row of the token that came, and to the rows that were expected. The tensors stand right behind the record. */
@unmanaged
export class Sample {
  count: i32; // rows listed
}

/** (M) u32. */
const WEIGHTS_AT: usize = 16;
/** (SAMPLES) u32, row << 8 | times. */
const ROWS_AT: usize = WEIGHTS_AT + 4 * M;
/** Bytes of a sample. */
export const SAMPLE_BYTES: i32 = <i32>(ROWS_AT + 4 * SAMPLES);
/** Where the weights stand. */
// @ts-ignore: decorator
@inline
export function weightsOf(sample: Sample): usize {
  return changetype<usize>(sample) + WEIGHTS_AT;
}
/** Where the rows stand. */
// @ts-ignore: decorator
@inline
export function rowsIn(sample: Sample): usize {
  return changetype<usize>(sample) + ROWS_AT;
}

/**
 * The sample's weights ← nearest(w · h · 2^8).
 *
 * @param hidden (M) f32 in [0, 1]
 * @param share w in [0, 1], the network's responsibility for the token that came
 */
export function weigh(hidden: usize, share: f32, outSample: Sample): void {
  const unit = share * HIDDEN_UNIT;
  const outWeights = weightsOf(outSample);
  for (let c: usize = 0; c < <usize>M; ++c) {
    store<u32>(outWeights + (c << 2), <u32>nearest<f32>(load<f32>(hidden + (c << 2)) * unit));
  }
}

/**
 * Lists the rows that the thresholds of token number `place` of a piece fall on.
 *
 * @param probabilities (V) f32, ŷ
 */
export function sampleRows(probabilities: usize, place: u32, outSample: Sample): void {
  const outRows = rowsIn(outSample);
  let total: u32 = 0;
  for (let v: usize = 0; v < <usize>V; ++v) total += fixed(probabilities, v);
  const step = total / SAMPLES;
  let next = <u32>((<u64>(place * GOLDEN) * <u64>step) >> 32);
  let left = SAMPLES;
  let sum: u32 = 0;
  let listed = 0;
  for (let v: usize = 0; v < <usize>V && left > 0; ++v) {
    sum += fixed(probabilities, v);
    let times: u32 = 0;
    while (next < sum && left > 0) {
      next += step;
      ++times;
      --left;
    }
    if (times > 0) {
      store<u32>(outRows + (<usize>listed << 2), (<u32>v << 8) | times);
      ++listed;
    }
  }
  outSample.count = listed;
}

// @ts-ignore: decorator
@inline
function fixed(probabilities: usize, v: usize): u32 {
  return <u32>(load<f32>(probabilities + (v << 2)) * PROBABILITY_UNIT);
}

/**
 * Adds a token to the sums, or takes it away: all of it, or nothing where a sum or the count would leave 0..2^32 − 1.
 *
 * @param add 1 or -1
 * @returns whether the sums have changed
 */
export function addToken(token: u32, sample: Sample, add: i32, sums: Sums): bool {
  const weights = weightsOf(sample);
  const observed = observedRow(sums, token);
  const first = rowsIn(sample);
  const end = first + (<usize>sample.count << 2);
  const tokens = tokensIn(sums);
  if (tokens == (add > 0 ? <u32>0xffffffff : 0)) return false;
  if (!fits(observed, weights, 1, add)) return false;
  for (let at = first; at < end; at += 4) {
    const row = load<u32>(at);
    if (!fits(expectedRow(sums, row >> 8), weights, row & 0xff, add)) return false;
  }
  addRow(observed, weights, add);
  for (let at = first; at < end; at += 4) {
    const row = load<u32>(at);
    addRow(expectedRow(sums, row >> 8), weights, add * <i32>(row & 0xff));
  }
  store<u32>(changetype<usize>(sums), tokens + add, TOKENS_AT);
  return true;
}

function addRow(row: usize, weights: usize, times: i32): void {
  if (ASC_FEATURE_SIMD) {
    const by = i32x4.splat(times);
    for (let c: usize = 0; c < <usize>M << 2; c += 16) {
      v128.store(row + c, i32x4.add(v128.load(row + c), i32x4.mul(by, v128.load(weights + c))));
    }
  } else {
    for (let c: usize = 0; c < <usize>M << 2; c += 4) {
      store<u32>(row + c, load<u32>(row + c) + times * load<u32>(weights + c));
    }
  }
}

/** Whether times · weights can be added (add > 0) or taken away without leaving 0..2^32 − 1. */
function fits(row: usize, weights: usize, times: u32, add: i32): bool {
  const flip: u32 = add > 0 ? 0xffffffff : 0; // room above is what the complement holds
  if (ASC_FEATURE_SIMD) {
    const by = i32x4.splat(times);
    const mask = i32x4.splat(flip);
    let over = i32x4.splat(0);
    for (let c: usize = 0; c < <usize>M << 2; c += 16) {
      const room = v128.xor(v128.load(row + c), mask);
      over = v128.or(over, i32x4.gt_u(i32x4.mul(by, v128.load(weights + c)), room));
    }
    return !v128.any_true(over);
  }
  for (let c: usize = 0; c < <usize>M << 2; c += 4) {
    if (times * load<u32>(weights + c) > (load<u32>(row + c) ^ flip)) return false;
  }
  return true;
}

/**
 * Adds `n` sums of another device, staged as u32 at `values`, to those that begin at `sums`: all of them, or none where one would
 * pass 2^32 − 1. Without `commit` it only looks.
 */
export function mergeSums(values: usize, n: usize, sums: usize, commit: bool): bool {
  for (let at: usize = 0; at < n << 2; at += 4) {
    if (load<u32>(values + at) > ~load<u32>(sums + at)) return false;
  }
  if (!commit) return true;
  for (let at: usize = 0; at < n << 2; at += 4) store<u32>(sums + at, load<u32>(sums + at) + load<u32>(values + at));
  return true;
}
