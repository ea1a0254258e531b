// The sums of learning on the device (docs/learning.md): what the stream showed, F = Σ w h ⊗ y, beside what the frozen base expected of it,
// F̂ = Σ w h ⊗ ŷ. Both are sums of integers, so they do not depend on order, and what was added can be taken away again to the bit.
//
// A token's expectation would touch every row. It is exact for the row of the token that came, and systematically sampled for the others
// (ours): 2^THRESHOLD_BITS thresholds, evenly spaced, are laid over their cumulated ŷ, and a row gets the thresholds that fall on it. What
// each column of the hidden state adds is cumulated as well, before it is cut to whole units: the rows of F̂ add up to SAMPLES times those
// of F, exactly. Where thresholds begin and what is cut follows a hash of the piece's tokens so far: errors differ from piece to piece,
// and the same piece always adds the same sums.
import { flipOf } from "../common/sums";
import { M, V } from "../shape";

/** Expected sums are in units of 1 / SAMPLES of those observed. */
export const SAMPLES: u32 = 64;
/** Fixed point of weighted hidden states: 1.0 is 2^8. */
export const HIDDEN_UNIT: f32 = 256;

/** Thresholds a token, as a power of two. */
const THRESHOLD_BITS: u32 = 8;
/** Fixed point of a row's share of an expectation. */
const SHARE_BITS: u32 = 20;
const SHARE_UNIT: u32 = 1 << SHARE_BITS;
/** From weights times shares to units of F̂. */
const CUT_BITS: i32 = SHARE_BITS - 6;
/** Fixed point of cumulated probabilities. */
const PROBABILITY_BITS: u32 = 30;
const PROBABILITY_UNIT: f32 = 1073741824;

/** The sums of a device, one block: F (V, M) u32, F̂ (V, M) u32, the number of tokens in them, u32, and their generation, u32. */
@unmanaged
export class Sums {
  first: u32; // F[0, 0]
}

const EXPECTED_AT: usize = 4 * V * M;
const TOKENS_AT: usize = 8 * V * M;
const GENERATION_AT: usize = 8 * V * M + 4;

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

/** What one token adds: its weights to the row of the token that came, and shares of them to the rows that were expected. */
@unmanaged
export class Sample {
  offset: u32; // uniform in 0..2^32 − 1: where the thresholds begin, and what is cut
}

/** (M) u32. */
const WEIGHTS_AT: usize = 16;
/** Bytes of a sample. */
export const SAMPLE_BYTES: i32 = <i32>(WEIGHTS_AT + 4 * M);
/** Where the weights stand. */
// @ts-ignore: decorator
@inline
export function weightsOf(sample: Sample): usize {
  return changetype<usize>(sample) + WEIGHTS_AT;
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
 * Adds a token to the sums, or takes it away: all of it, or nothing where a sum or the count would leave 0..2^32 − 1.
 *
 * @param probabilities (V) f32, ŷ of the network
 * @param add 1 or -1
 * @returns whether the sums have changed
 */
export function addToken(token: u32, probabilities: usize, sample: Sample, add: i32, sums: Sums): bool {
  const tokens = tokensIn(sums);
  if (tokens == flipOf(add)) return false;
  if (!change(token, probabilities, sample, add, sums)) {
    change(token, probabilities, sample, -add, sums); // sums are modulo 2^32: what has passed an end comes back
    return false;
  }
  store<u32>(changetype<usize>(sums), tokens + add, TOKENS_AT);
  return true;
}

/** False where a sum has passed an end of 0..2^32 − 1; all are added to nevertheless. */
function change(token: u32, probabilities: usize, sample: Sample, add: i32, sums: Sums): bool {
  const weights = weightsOf(sample);
  const cut = sample.offset & ((1 << CUT_BITS) - 1);
  let fits = addShare(observedRow(sums, token), weights, 0, 1 << CUT_BITS, 0, add);
  let cumulated = sample.offset >> (32 - PROBABILITY_BITS + THRESHOLD_BITS);
  let own: u32 = 0;
  let before: u32 = 0;
  // the token's own row first, whose expectation is exact, then the others, each with whole thresholds
  for (let i: u32 = 0; i < <u32>V; ++i) {
    const v = i == 0 ? token : i - u32(i <= token);
    const probability = <u32>(load<f32>(probabilities + (<usize>v << 2)) * PROBABILITY_UNIT);
    let until = probability >> (PROBABILITY_BITS - SHARE_BITS);
    if (i == 0) own = until;
    else {
      cumulated += probability;
      const thresholds = cumulated >> (PROBABILITY_BITS - THRESHOLD_BITS);
      until = i == <u32>V - 1 ? SHARE_UNIT : own + (thresholds << (SHARE_BITS - THRESHOLD_BITS));
    }
    until = min(SHARE_UNIT, until);
    if (until == before) continue;
    fits = addShare(expectedRow(sums, v), weights, before, until, cut, add) && fits;
    before = until;
  }
  return fits;
}

/** Adds to a row what thresholds [before, until) come to, or takes it away. False where a sum has passed an end. */
function addShare(row: usize, weights: usize, before: u32, until: u32, cut: u32, add: i32): bool {
  const flip = flipOf(add);
  if (ASC_FEATURE_SIMD) {
    const from = i32x4.splat(before);
    const to = i32x4.splat(until);
    const shift = i32x4.splat(cut);
    const mask = i32x4.splat(flip);
    const sign = i32x4.splat(add);
    let over = i32x4.splat(0);
    for (let c: usize = 0; c < <usize>M << 2; c += 16) {
      const weight = v128.load(weights + c);
      const upper = i32x4.shr_u(i32x4.add(i32x4.mul(weight, to), shift), CUT_BITS);
      const lower = i32x4.shr_u(i32x4.add(i32x4.mul(weight, from), shift), CUT_BITS);
      const share = i32x4.sub(upper, lower);
      const sum = v128.load(row + c);
      over = v128.or(over, i32x4.gt_u(share, v128.xor(sum, mask)));
      v128.store(row + c, i32x4.add(sum, i32x4.mul(sign, share)));
    }
    return !v128.any_true(over);
  }
  let fits = true;
  for (let c: usize = 0; c < <usize>M << 2; c += 4) {
    const weight = load<u32>(weights + c);
    const share = ((weight * until + cut) >> CUT_BITS) - ((weight * before + cut) >> CUT_BITS);
    const sum = load<u32>(row + c);
    if (share > (sum ^ flip)) fits = false;
    store<u32>(row + c, sum + add * share);
  }
  return fits;
}

/** Halves every sum, cut to whole units, and the count of tokens, rounded up; the next generation begins. */
export function ageSums(sums: Sums): void {
  const at = changetype<usize>(sums);
  for (let cell: usize = 0; cell < TOKENS_AT; cell += 4) store<u32>(at + cell, load<u32>(at + cell) >> 1);
  const tokens = tokensIn(sums);
  store<u32>(at, tokens - (tokens >> 1), TOKENS_AT);
  store<u32>(at, load<u32>(at, GENERATION_AT) + 1, GENERATION_AT);
}
