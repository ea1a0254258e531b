// The recency cache: which tokens came of late, as counts that decay with every token (Clarkson & Robinson 1997), mixed into the network
// below the match lengths, p ← (1 − λ) p + λ u with u_v ∝ c_v · p_v^¼ (the network's say in it, ours). λ follows the text as the mixture's
// cells do. In place of older counts falling, newer ones grow: a token is one addition.
import { sumOfLanes } from "../common/math";
import { sumInLanes } from "../common/softmax";
import { V } from "../shape";
import { addPlace } from "./mixture";

/** What a count grows by a token: they fall to 1/e in 512 tokens, nearly. */
const GROWTH: f32 = 1.001953125;
/** A newest count that is too large for those to come, what all are multiplied by then, and the least that any is. */
const MOST: f32 = 1099511627776; // 2^40
const SHRINK: f32 = 9.094947017729282e-13; // 2^-40
const LEAST: f32 = 9.5367431640625e-7; // 2^-20
/** λ as a text begins, and the places that it counts for. */
const FIRST: f32 = 0.02;
const FIRST_PLACES: f32 = 64;

/** Values behind the counts, (4) f32: the responsibilities and places of λ, a token's count, and what c_v · p_v^¼ was multiplied by last. */
const SHARES: usize = V * 4;
const PLACES: usize = SHARES + 4;
const NEWEST: usize = SHARES + 8;
const EACH: usize = SHARES + 12;

/** A text begins: cache (V + 4) f32. */
export function resetRecency(cache: usize): void {
  for (let v: usize = 0; v < <usize>V; ++v) store<f32>(cache + (v << 2), LEAST);
  store<f32>(cache, FIRST * FIRST_PLACES, SHARES);
  store<f32>(cache, FIRST_PLACES, PLACES);
  store<f32>(cache, 1, NEWEST);
}

/** The text goes on with `token`. */
export function countRecent(cache: usize, token: u32): void {
  const at = cache + (token << 2);
  const newest = load<f32>(cache, NEWEST);
  store<f32>(at, load<f32>(at) + newest);
  const next = newest * GROWTH;
  if (next < MOST) {
    store<f32>(cache, next, NEWEST);
    return;
  }
  for (let v: usize = 0; v < <usize>V; ++v) {
    const count = cache + (v << 2);
    store<f32>(count, max<f32>(LEAST, load<f32>(count) * SHRINK));
  }
  store<f32>(cache, next * SHRINK, NEWEST);
}

/**
 * probabilities ← (1 − λ) p + λ u, p = scale · probabilities.
 *
 * @param scratch (V) f32
 * @returns 1 − λ
 */
export function mixRecent(cache: usize, scale: f32, probabilities: usize, scratch: usize): f32 {
  const lambda = load<f32>(cache, SHARES) / load<f32>(cache, PLACES);
  const rest = <f32>1 - lambda;
  if (ASC_FEATURE_SIMD) {
    const by = f32x4.splat(scale);
    let sum = f32x4.splat(0);
    for (let at: usize = 0; at < SHARES; at += 16) {
      const p = f32x4.mul(v128.load(probabilities + at), by);
      const recent = f32x4.mul(v128.load(cache + at), f32x4.sqrt(f32x4.sqrt(p)));
      v128.store(probabilities + at, p);
      v128.store(scratch + at, recent);
      sum = f32x4.add(sum, recent);
    }
    const each = lambda / sumOfLanes(sum);
    store<f32>(cache, each, EACH);
    const rests = f32x4.splat(rest);
    const shares = f32x4.splat(each);
    for (let at: usize = 0; at < SHARES; at += 16) {
      const kept = f32x4.mul(v128.load(probabilities + at), rests);
      v128.store(probabilities + at, f32x4.add(kept, f32x4.mul(shares, v128.load(scratch + at))));
    }
  } else {
    for (let at: usize = 0; at < SHARES; at += 4) {
      const p = load<f32>(probabilities + at) * scale;
      store<f32>(probabilities + at, p);
      store<f32>(scratch + at, weighed(load<f32>(cache + at), p));
    }
    const each = lambda / sumInLanes(scratch, V);
    store<f32>(cache, each, EACH);
    for (let at: usize = 0; at < SHARES; at += 4) {
      store<f32>(probabilities + at, load<f32>(probabilities + at) * rest + each * load<f32>(scratch + at));
    }
  }
  return rest;
}

/** c · p^¼. */
// @ts-ignore: decorator
@inline
function weighed(count: f32, p: f32): f32 {
  return count * sqrt<f32>(sqrt<f32>(p));
}

/**
 * λ follows `token`.
 *
 * @param network what mixRecent was given of it
 * @param share the network's responsibility for it
 * @param part what one of the mixture's probability is of the token's, once the match lengths above have their share, over the token's own
 */
export function adaptRecency(cache: usize, token: u32, network: f32, share: f32, part: f32): void {
  const own = weighed(load<f32>(cache + (token << 2)), network) * load<f32>(cache, EACH) * part;
  addPlace(cache + SHARES, own, cache + PLACES, share + own);
}
