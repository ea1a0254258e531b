// Long matches on top of the finished prediction (ours), log-linear: p(v) ∝ p(v) · exp Σ_k (w_k r_k(v) + b_k), over the lengths k of the
// matches that v followed, r_k(v) = log[(c_k(v) − ½ + p(v)) / p(v)], c_k(v) how often. Only tokens that followed a match differ, so a
// prediction costs the matches, not V. w and b stand in a bucket of each length: how many matches there are, how far they agree, and
// whether the longest one's follower has come true of late. They follow the text by the slope of −log p of the token that came, each
// slope over the root of the sum of its squares (Duchi, Hazan & Singer 2011).
import { exp, logOf } from "../common/math";
import { scaleInPlace } from "../common/softmax";
import { Candidates } from "../history/candidates";
import { countOf, Follower, followerAt, followerOf, Followers, sumsOf } from "../history/followers";
import { LENGTHS, LONG_BUCKETS, LONG_CELLS, V } from "../shape";

/** What long matches leave for the next token. The tensor stands right behind the record. */
@unmanaged
export class LongMixture {
  run: u32; // tokens in a row that the longest match foresaw
  scale: f32; // what brought the last prediction to unit sum; 0 where there was no match
}

/** (4, LENGTHS, BUCKETS) f32: w, b, and Σ of their slopes' squares. */
const SUMS_AT: usize = 16;
const TO_BIAS: usize = LONG_CELLS * 4;
const TO_SQUARES: usize = 2 * TO_BIAS;
const TO_BIAS_SQUARES: usize = 3 * TO_BIAS;

/** Σ of squares as a text begins, and what it stays below: the steps stay as long as those of a short text. */
const FIRST_SQUARES: f32 = 4;
const FIRST_BIAS_SQUARES: f32 = 1;
const MOST_SQUARES: f32 = 1024;
/** Steps over the root of the squares. */
const STEP: f32 = 0.1;
const BIAS_STEP: f32 = 0.2;
/** Bounds of a slope, of w, of b, and of their sum of a token. */
const MOST_SLOPE: f32 = 4;
const LEAST_WEIGHT: f32 = -1;
const MOST_WEIGHT: f32 = 3;
const MOST_BIAS: f32 = 8;
const LEAST_SUM: f32 = -8;
const MOST_SUM: f32 = 40;
/** A probability counts as that at the least. */
const LEAST: f32 = 1e-10;
/** A run of so many tokens is one. */
const RUN: u32 = 4;

/** The weights as a text begins: of the model's table, (2, LENGTHS, BUCKETS) f32, w and b. */
export function resetLong(table: usize, outLong: LongMixture): void {
  const sums = changetype<usize>(outLong) + SUMS_AT;
  for (let at: usize = 0; at < TO_BIAS; at += 4) {
    store<f32>(sums + at, load<f32>(table + at));
    store<f32>(sums + at, load<f32>(table + at, TO_BIAS), TO_BIAS);
    store<f32>(sums + at, FIRST_SQUARES, TO_SQUARES);
    store<f32>(sums + at, FIRST_BIAS_SQUARES, TO_BIAS_SQUARES);
  }
  outLong.run = 0;
  outLong.scale = 0;
}

/** log[(c − ½ + p) / p]. */
// @ts-ignore: decorator
@inline
function evidenceOf(count: u32, p: f32): f32 {
  return logOf((<f32>count - <f32>0.5 + p) / p);
}

/** The cell of a length in its bucket. */
// @ts-ignore: decorator
@inline
function cellOf(long: LongMixture, k: u32, bucket: u32): usize {
  return changetype<usize>(long) + SUMS_AT + (<usize>(k * LONG_BUCKETS + bucket) << 2);
}

/** Matches (1; to 3; more) times agreement (one follower; half as many as matches, or fewer; more) times whether there is a run. */
function bucketOf(places: i32, distinct: i32, run: u32): u32 {
  const many = places <= 1 ? 0 : places <= 3 ? 1 : 2;
  const agreement = distinct == 1 ? 0 : 2 * distinct <= places ? 1 : 2;
  return (many * 3 + agreement) * 2 + u32(run >= RUN);
}

/**
 * probabilities ← with the long matches.
 *
 * @param followers of countFollowers; what each is made to stays there
 * @param probabilities (V) f32 of unit sum
 */
export function mixLong(followers: Followers, long: LongMixture, probabilities: usize): void {
  const many = followers.count;
  long.scale = 0;
  if (many == 0) return;
  for (let k: u32 = 0; k < <u32>LENGTHS; ++k) {
    const sums = sumsOf(followers, k);
    if (sums.places > 0) sums.distinct = bucketOf(sums.places, sums.distinct, long.run);
  }
  let rest: f32 = 1;
  let sum: f32 = 0;
  for (let i: u32 = 0; i < many; ++i) {
    const follower = followerAt(followers, i);
    const base = load<f32>(probabilities + (<usize>follower.token << 2));
    follower.base = base;
    const p = max<f32>(LEAST, base);
    const value = valueOf(follower, p, followers, long);
    rest -= p;
    sum += value;
  }
  const scale = <f32>1 / (max<f32>(0, rest) + sum);
  long.scale = scale;
  scaleInPlace(probabilities, V, scale);
  for (let i: u32 = 0; i < many; ++i) {
    const follower = followerAt(followers, i);
    store<f32>(probabilities + (<usize>follower.token << 2), follower.value * scale);
  }
}

/** What a follower of probability p is made to; it is added to the sums of its lengths. */
function valueOf(follower: Follower, p: f32, followers: Followers, long: LongMixture): f32 {
  let exponent: f32 = 0;
  let known: u32 = 0; // the count that `evidence` is of: that of many lengths is the same
  let evidence: f32 = 0;
  for (let k: u32 = 0; k < <u32>LENGTHS; ++k) {
    const count = countOf(follower, k);
    if (count == 0) continue;
    const sums = sumsOf(followers, k);
    const cell = cellOf(long, k, sums.distinct);
    if (count != known) evidence = evidenceOf(count, p);
    known = count;
    sums.own = evidence;
    exponent += load<f32>(cell) * evidence + load<f32>(cell, TO_BIAS);
  }
  const value = p * exp(max<f32>(LEAST_SUM, min<f32>(MOST_SUM, exponent)));
  follower.value = value;
  for (let k: u32 = 0; k < <u32>LENGTHS; ++k) {
    if (countOf(follower, k) == 0) continue;
    const sums = sumsOf(followers, k);
    sums.evidence += value * sums.own;
    sums.value += value;
  }
  return value;
}

/** The probability that a token had before mixLong, of a token that has `p` now. */
export function withoutLong(followers: Followers, long: LongMixture, token: u32, p: f32): f32 {
  if (!(long.scale > 0)) return p;
  const follower = followerOf(followers, token);
  return follower !== null ? follower.base : p / long.scale;
}

/** The weights follow `token`, which mixLong has predicted. */
export function adaptLong(followers: Followers, candidates: Candidates, long: LongMixture, token: u32): void {
  if (long.scale > 0) {
    const follower = followerOf(followers, token);
    let known: u32 = 0;
    let own: f32 = 0;
    for (let k: u32 = 0; k < <u32>LENGTHS; ++k) {
      const sums = sumsOf(followers, k);
      if (sums.places == 0) break; // nor has a greater length
      let evidence = -(sums.evidence * long.scale);
      let came = -(sums.value * long.scale);
      if (follower !== null) {
        const count = countOf(follower, k);
        if (count > 0) {
          if (count != known) own = evidenceOf(count, max<f32>(LEAST, follower.base));
          known = count;
          evidence += own;
          came += 1;
        }
      }
      const cell = cellOf(long, k, sums.distinct);
      const slope = max<f32>(-MOST_SLOPE, min<f32>(MOST_SLOPE, evidence));
      const weight = step(cell, slope, STEP, cell + TO_SQUARES);
      store<f32>(cell, max<f32>(LEAST_WEIGHT, min<f32>(MOST_WEIGHT, weight)));
      const bias = step(cell + TO_BIAS, came, BIAS_STEP, cell + TO_BIAS_SQUARES);
      store<f32>(cell, max<f32>(-MOST_BIAS, min<f32>(MOST_BIAS, bias)), TO_BIAS);
    }
  }
  long.run = candidates.guess == token ? long.run + 1 : 0;
}

/** Where a weight goes by a slope; its square is added to `squares`. */
function step(weight: usize, slope: f32, by: f32, squares: usize): f32 {
  const sum = min<f32>(MOST_SQUARES, load<f32>(squares) + slope * slope);
  store<f32>(squares, sum);
  return load<f32>(weight) + (by / sqrt<f32>(sum)) * slope;
}
