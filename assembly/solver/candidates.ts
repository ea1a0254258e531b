// Candidates: predictions are estimated on CANDIDATES tokens of V, the token that came among them (ours; sampling for a softmax: Bengio &
// Senécal 2003). What has followed a place's latest token is more likely to be a candidate: token v is one with probability
// ρ_v = min(1, c q_v), with q from counts of pairs and c such that they come to CANDIDATES − 1. Its bias is o0_v − log ρ_v, so that
// Σ exp over the candidates is, on average, that over all tokens. Sets of candidates are drawn ahead, for the places of some steps to come:
// a pool. The sets of one latest token are systematic samples, whose offsets are evenly spaced.
import { exp, exp4, log, log4 } from "../common/math";
import { mix, permuted } from "../common/random";
import { sumInLanes, sumOfLess } from "../common/softmax";
import { V } from "../shape";
import {
  CANDIDATE_BIASES,
  CANDIDATE_IDS,
  CANDIDATES,
  FLAT,
  FOLLOWERS,
  MARGINAL,
  O0,
  POOL,
  POOL_PLACES,
  PROPOSALS,
  TOKENS,
} from "./layout";
import { settings, Work } from "./records";
import { barrier } from "./threads";

/** Pseudo-counts of the marginal among those of pairs. */
const PRIOR: f32 = 30;
/** Share of pairs in q, the rest is the flattened marginal; the power that all of it is flattened by. */
const PAIRED: f32 = 0.6;
const POWER: f32 = 0.8;
/** Power of the flattened marginal. */
const FLATTENED: f32 = 0.75;
/** Places that share one set, on average. */
const PLACES_A_SET: i32 = 4;
/** Bias of a candidate that is none: it comes to nothing. */
export const VOID: f32 = -10000;

/** Steps that a pool is laid for. */
// @ts-ignore: decorator
@inline
export function stepsOfPool(): i32 {
  return POOL_PLACES / settings.batch;
}

/** The latest token before a place. Before a text's first token there is none: any candidates do. */
// @ts-ignore: decorator
@inline
function latest(place: i32): usize {
  return place == 0 ? 0 : <usize>load<u16>(TOKENS + (<usize>(place - 1) << 1));
}

/** The training places' tokens grouped by the token before them, and the flattened marginal. Once, after `count`. */
export function groupFollowers(): void {
  const n = settings.places;
  const followers = <usize>settings.followers;
  memory.fill(FOLLOWERS, 0, V << 3);
  for (let place = 0; place < n; ++place) {
    const at = FOLLOWERS + (latest(place) << 3) + 4;
    store<u32>(at, load<u32>(at) + 1);
  }
  let first: u32 = 0;
  for (let at = FOLLOWERS; at < FOLLOWERS + (V << 3); at += 8) {
    store<u32>(at, first);
    first += load<u32>(at, 4);
    store<u32>(at, 0, 4);
  }
  for (let place = 0; place < n; ++place) {
    const at = FOLLOWERS + (latest(place) << 3);
    const count = load<u32>(at, 4);
    store<u16>(followers + ((load<u32>(at) + count) << 1), load<u16>(TOKENS + (<usize>place << 1)));
    store<u32>(at, count + 1, 4);
  }
  for (let v: usize = 0; v < <usize>V << 2; v += 4) store<f32>(FLAT + v, exp(FLATTENED * log(load<f32>(MARGINAL + v))));
  const unit = (<f32>1 - PAIRED) / sumInLanes(FLAT, V);
  for (let v: usize = 0; v < <usize>V << 2; v += 4) store<f32>(FLAT + v, unit * load<f32>(FLAT + v));
}

/** Lays the pool of the steps from `step` on. Every thread calls it. */
export function layPool(step: i32, work: Work): void {
  if (work.thread == 0) shareSets(step);
  barrier(work.threads);
  for (let token = work.thread; token < V; token += work.threads) {
    const sets = load<i32>(POOL + (<usize>token << 3), 4);
    if (sets > 0) laySets(token, load<i32>(POOL + (<usize>token << 3)), sets, step, work);
  }
  barrier(work.threads);
}

/** POOL ← each token's first set and their number: one for every PLACES_A_SET places that it is the latest token of. */
function shareSets(step: i32): void {
  const n = settings.places;
  const steps = (n + settings.batch - 1) / settings.batch;
  memory.fill(POOL, 0, V << 3);
  for (const end = step + stepsOfPool(); step < end; ++step) {
    const start = (step % steps) * settings.batch;
    const order = mix(settings.seed + <u32>(step / steps) * 0x9e3779b9);
    const last = min<i32>(n, start + settings.batch);
    for (let i = start; i < last; ++i) {
      const at = POOL + (latest(permuted(i, n, order)) << 3) + 4;
      store<i32>(at, load<i32>(at) + 1);
    }
  }
  let first = 0;
  for (let at = POOL; at < POOL + (V << 3); at += 8) {
    const sets = (load<i32>(at, 4) + PLACES_A_SET - 1) / PLACES_A_SET;
    store<i32>(at, first);
    store<i32>(at, sets, 4);
    first += sets;
  }
}

/** The set of a place. @param bits uniform */
// @ts-ignore: decorator
@inline
export function setOf(place: i32, bits: u32): usize {
  const at = POOL + (latest(place) << 3);
  const sets = <u64>load<u32>(at, 4);
  return <usize>load<u32>(at) + <usize>((<u64>bits * sets) >> 32);
}

/** Sets first … first + sets − 1 ← candidates after `token`. */
function laySets(token: i32, first: i32, sets: i32, step: i32, work: Work): void {
  const logs = PROPOSALS + <usize>work.thread * (V << 3);
  const odds = logs + (V << 2);
  propose(token, logs, odds);
  // c: of tokens that are certain the rest makes up for
  const wanted: f32 = <f32>(CANDIDATES - 1);
  let certain = 0;
  let scale = wanted / sumInLanes(odds, V);
  for (;;) {
    const found = countFrom(odds, <f32>1 / scale);
    if (found == certain || found >= CANDIDATES - 1) break;
    certain = found;
    scale = (wanted - <f32>certain) / sumOfLess(odds, V, <f32>1 / scale);
  }
  const bound = <f32>1 / scale;
  const shift = log(scale);
  const ids = CANDIDATE_IDS + <usize>first * (CANDIDATES << 1);
  const biases = CANDIDATE_BIASES + <usize>first * (CANDIDATES << 2);
  const systematic = <f32>sets * scale;
  let next: f64 = <f64>(mix(settings.seed ^ mix(<u32>step * 0x9e3779b9 + <u32>token)) >> 8) * (1.0 / 16777216.0);
  let cumulated: f64 = 0;
  let kept = 0; // certain ones so far
  let slot = certain;
  let set = 0;
  for (let v = 0; v < V; ++v) {
    const odd = load<f32>(odds + (<usize>v << 2));
    const bias = load<f32>(O0 + (<usize>v << 2));
    if (odd >= bound) {
      if (kept == certain) continue; // of more that rounding makes certain
      for (let s = 0; s < sets; ++s) put(ids, biases, s, kept, v, bias);
      ++kept;
      continue;
    }
    cumulated += <f64>(odd * systematic);
    if (cumulated <= next) continue;
    const rest = bias - (load<f32>(logs + (<usize>v << 2)) + shift);
    for (; cumulated > next && slot < CANDIDATES - 1; next += 1) {
      put(ids, biases, set, slot, v, rest);
      if (++set == sets) {
        set = 0;
        ++slot;
      }
    }
  }
  // what rounding has left open, where it has
  for (; kept < certain; ++kept) for (let s = 0; s < sets; ++s) put(ids, biases, s, kept, 0, VOID);
  for (; slot < CANDIDATES - 1; ++slot, set = 0) for (; set < sets; ++set) put(ids, biases, set, slot, 0, VOID);
}

// @ts-ignore: decorator
@inline
function put(ids: usize, biases: usize, set: i32, slot: i32, token: i32, bias: f32): void {
  const at = <usize>(set * CANDIDATES + slot);
  store<u16>(ids + (at << 1), <u16>token);
  store<f32>(biases + (at << 2), bias);
}

/**
 * outOdds (V) f32 ← q of the tokens after `token`, not normalised: [PAIRED (pairs + PRIOR π) / (total + PRIOR) + (1 − PAIRED) π^¾ / Σ π^¾]^POWER;
 * outLogs (V) f32 ← their logarithms.
 */
function propose(token: i32, outLogs: usize, outOdds: usize): void {
  const own = FOLLOWERS + (<usize>token << 3);
  const count = load<u32>(own, 4);
  memory.fill(outOdds, 0, V << 2);
  for (let i = load<u32>(own), end = load<u32>(own) + count; i < end; ++i) {
    const at = outOdds + (<usize>load<u16>(<usize>settings.followers + (<usize>i << 1)) << 2);
    store<f32>(at, load<f32>(at) + 1);
  }
  const unit = PAIRED / (<f32>count + PRIOR);
  const prior = unit * PRIOR;
  if (ASC_FEATURE_SIMD) {
    for (let v: usize = 0; v < <usize>V << 2; v += 16) {
      const paired = f32x4.add(
        f32x4.mul(f32x4.splat(unit), v128.load(outOdds + v)),
        f32x4.mul(f32x4.splat(prior), v128.load(MARGINAL + v)),
      );
      const powered = f32x4.mul(f32x4.splat(POWER), log4(f32x4.add(paired, v128.load(FLAT + v))));
      v128.store(outLogs + v, powered);
      v128.store(outOdds + v, exp4(powered));
    }
  } else {
    for (let v: usize = 0; v < <usize>V << 2; v += 4) {
      const paired = unit * load<f32>(outOdds + v) + prior * load<f32>(MARGINAL + v);
      const powered = POWER * log(paired + load<f32>(FLAT + v));
      store<f32>(outLogs + v, powered);
      store<f32>(outOdds + v, exp(powered));
    }
  }
}

/** How many of `values` (V) f32 are at least `least`. */
function countFrom(values: usize, least: f32): i32 {
  let count = 0;
  if (ASC_FEATURE_SIMD) {
    let counts = i32x4.splat(0);
    for (let v: usize = 0; v < <usize>V << 2; v += 16) {
      counts = i32x4.sub(counts, f32x4.ge(v128.load(values + v), f32x4.splat(least)));
    }
    counts = i32x4.add(counts, v128.shuffle<i32>(counts, counts, 2, 3, 0, 1));
    count = i32x4.extract_lane(counts, 0) + i32x4.extract_lane(counts, 1);
  } else {
    for (let v: usize = 0; v < <usize>V << 2; v += 4) count += i32(load<f32>(values + v) >= least);
  }
  return count;
}
