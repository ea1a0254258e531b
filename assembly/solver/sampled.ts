// Predictions estimated on candidates (candidates.ts); about SAMPLES of them, as they are drawn, stand for ŷ wherever ŷ is multiplied by rows: in
// hidden targets and in the decoder's expected sums (ours). What is drawn for a place depends on the seed, the pass and the place's number in
// the order of the pass, and on nothing else. Logits are products of integers: the decoder in 2^-DECODER_BITS, hidden states in 2^-HIDDEN_BITS.
import { exp, exp4, maxOfLanes } from "../common/math";
import { mix } from "../common/random";
import { sumInLanes } from "../common/softmax";
import { addScaled } from "../common/vectors";
import { forward } from "../layers/forward";
import { Batch, Network } from "../layers/records";
import { GROUPS, INPUTS, M, ROW_BYTES } from "../shape";
import { setOf, VOID } from "./candidates";
import { CANDIDATE_BIASES, CANDIDATE_IDS, CANDIDATES, ESTIMATES, O0, O_FIXED, SAMPLES, TILE } from "./layout";
import { settings, STRIDE, Work } from "./records";
import { targetOfGain } from "./scaling";
import { ownerOf } from "./threads";

const DECODER_BITS: i32 = 10;
/** No sum of products leaves 32 bits: M products of a state, in all 1 a group, with a weight below DECODER_BOUND. */
const HIDDEN_BITS: i32 = GROUPS <= 16 ? 14 : GROUPS <= 32 ? 13 : 12;
const DECODER_BOUND: f32 = <f32>(1 << (30 - DECODER_BITS - HIDDEN_BITS)) * 2 / <f32>GROUPS;
const DECODER_MOST: f32 = (DECODER_BOUND < 31 ? DECODER_BOUND : 31) * <f32>(1 << DECODER_BITS);
const UNIT: f32 = <f32>1 / <f32>(1 << (DECODER_BITS + HIDDEN_BITS));
const ROUND: f32 = 12582912;
/** Others of an estimate at the most: parts that are taken, and one more by rounding. */
const MOST_DRAWN: usize = SAMPLES + 2;
/** Least logit below the highest, as in tiles.ts. */
const LEAST_LOGIT: f32 = -38;

/** outFixed (M) i16 ← nearest(row · 2^DECODER_BITS), held to what sums of products allow. */
export function fixRow(row: usize, outFixed: usize): void {
  if (ASC_FEATURE_SIMD) {
    for (let c: usize = 0; c < ROW_BYTES; c += 32, outFixed += 16) {
      v128.store(outFixed, i16x8.narrow_i32x4_s(fixed4(v128.load(row + c)), fixed4(v128.load(row + c, 16))));
    }
  } else {
    for (let c: usize = 0; c < ROW_BYTES; c += 4, outFixed += 2) {
      const x = load<f32>(row + c) * <f32>(1 << DECODER_BITS);
      store<i16>(outFixed, <i16>nearest<f32>(max<f32>(-DECODER_MOST, min<f32>(DECODER_MOST, x))));
    }
  }
}

// @ts-ignore: decorator
@inline
function fixed4(row: v128): v128 {
  const x = f32x4.mul(row, f32x4.splat(<f32>(1 << DECODER_BITS)));
  const held = f32x4.pmax(f32x4.splat(-DECODER_MOST), f32x4.pmin(f32x4.splat(DECODER_MOST), x));
  return i32x4.trunc_sat_f32x4_s(f32x4.nearest(held));
}

/** outFixed (M) i16 ← nearest(hidden · 2^HIDDEN_BITS). A number below 2^22 that 2^23 is added to is rounded, and the sum's low bits are it. */
function fixHidden(hidden: usize, outFixed: usize): void {
  const unit: f32 = <f32>(1 << HIDDEN_BITS);
  const round: f32 = 8388608;
  if (ASC_FEATURE_SIMD) {
    const least = i32x4.splat(reinterpret<i32>(round));
    for (let c: usize = 0; c < ROW_BYTES; c += 32, outFixed += 16) {
      const low = f32x4.add(f32x4.mul(v128.load(hidden + c), f32x4.splat(unit)), f32x4.splat(round));
      const high = f32x4.add(f32x4.mul(v128.load(hidden + c, 16), f32x4.splat(unit)), f32x4.splat(round));
      v128.store(outFixed, i16x8.narrow_i32x4_s(i32x4.sub(low, least), i32x4.sub(high, least)));
    }
  } else {
    for (let c: usize = 0; c < ROW_BYTES; c += 4, outFixed += 2) {
      store<i16>(outFixed, <i16>(reinterpret<i32>(load<f32>(hidden + c) * unit + round) - reinterpret<i32>(round)));
    }
  }
}

/** ŷ of a place: of the token that came, and of others as they were drawn. */
@unmanaged
class Estimate {
  own: f32; // ŷ of the token that came
  end: usize; // address behind the others, each a row, u16, and what stands for its ŷ, i16 in units of 2^-15 and f32
}

const OTHERS_AT: usize = 8;

/** The estimate of place t of the batch. */
// @ts-ignore: decorator
@inline
function estimateOf(t: usize): Estimate {
  return changetype<Estimate>(ESTIMATES + t * (OTHERS_AT + MOST_DRAWN * 8));
}

/**
 * Hidden states, estimates and, where `targets`, hidden targets of a tile. Its first place is number `first` of the batch.
 */
export function sampleTile(tile: Batch, first: i32, targets: bool, network: Network, work: Work): void {
  const place = work.place;
  place.tokens = tile.tokens;
  place.cipher = network.cipher;
  const key = mix(work.step.order ^ 0x2545f491);
  const index = <u32>(work.step.first + first);
  for (let t: usize = 0; t < <usize>tile.count; ++t) {
    const hidden = tile.hidden + ((t * M) << 2);
    place.moveTo(load<i32>(tile.places + (t << 2)));
    place.inputs = tile.inputs + ((t * INPUTS) << 2);
    forward(place, network, hidden);
    const label = <u32>load<u16>(tile.tokens + (<usize>place.at << 1));
    const bits = mix(key + (index + <u32>t) * 0x85ebca6b);
    const estimate = estimateOf(<usize>first + t);
    fixHidden(hidden, work.fixed);
    predictCandidates(setOf(place.at, bits), label, work);
    drawSamples(mix(bits), work, estimate);
    if (!targets) continue;
    const target = tile.targets + ((t * M) << 2);
    gainOf(label, estimate, target);
    targetOfGain(hidden, network, settings.sharpness, work.rows, target);
  }
  const rest = <usize>tile.count * ROW_BYTES;
  memory.fill(tile.hidden + rest, 0, <usize>TILE * ROW_BYTES - rest);
  memory.fill(tile.targets + rest, 0, <usize>TILE * ROW_BYTES - rest);
}

/** The thread's candidates ← those of a set and the label, and e^(logit − highest) of each. */
function predictCandidates(set: usize, label: u32, work: Work): void {
  const ids = work.candidates;
  const values = work.odds;
  memory.copy(ids, CANDIDATE_IDS + set * (CANDIDATES << 1), CANDIDATES << 1);
  memory.copy(values, CANDIDATE_BIASES + set * (CANDIDATES << 2), CANDIDATES << 2);
  strike(label, ids, values);
  store<u16>(ids + ((CANDIDATES - 1) << 1), <u16>label);
  store<f32>(values + ((CANDIDATES - 1) << 2), load<f32>(O0 + (<usize>label << 2)));
  const hidden = work.fixed;
  const end = values + (CANDIDATES << 2);
  if (ASC_FEATURE_SIMD) {
    let top = f32x4.splat(-Infinity);
    for (let at = values; at < end; at += 32) {
      const id = ids + ((at - values) >> 1);
      const r0 = fixedRow(load<u16>(id));
      const r1 = fixedRow(load<u16>(id, 2));
      const r2 = fixedRow(load<u16>(id, 4));
      const r3 = fixedRow(load<u16>(id, 6));
      const r4 = fixedRow(load<u16>(id, 8));
      const r5 = fixedRow(load<u16>(id, 10));
      const r6 = fixedRow(load<u16>(id, 12));
      const r7 = fixedRow(load<u16>(id, 14));
      let s0 = i32x4.splat(0);
      let s1 = i32x4.splat(0);
      let s2 = i32x4.splat(0);
      let s3 = i32x4.splat(0);
      let s4 = i32x4.splat(0);
      let s5 = i32x4.splat(0);
      let s6 = i32x4.splat(0);
      let s7 = i32x4.splat(0);
      for (let i: usize = 0; i < <usize>M << 1; i += 16) {
        const h = v128.load(hidden + i);
        s0 = i32x4.add(s0, i32x4.dot_i16x8_s(h, v128.load(r0 + i)));
        s1 = i32x4.add(s1, i32x4.dot_i16x8_s(h, v128.load(r1 + i)));
        s2 = i32x4.add(s2, i32x4.dot_i16x8_s(h, v128.load(r2 + i)));
        s3 = i32x4.add(s3, i32x4.dot_i16x8_s(h, v128.load(r3 + i)));
        s4 = i32x4.add(s4, i32x4.dot_i16x8_s(h, v128.load(r4 + i)));
        s5 = i32x4.add(s5, i32x4.dot_i16x8_s(h, v128.load(r5 + i)));
        s6 = i32x4.add(s6, i32x4.dot_i16x8_s(h, v128.load(r6 + i)));
        s7 = i32x4.add(s7, i32x4.dot_i16x8_s(h, v128.load(r7 + i)));
      }
      const low = logits4(v128.load(at), s0, s1, s2, s3);
      const high = logits4(v128.load(at, 16), s4, s5, s6, s7);
      v128.store(at, low);
      v128.store(at, high, 16);
      top = f32x4.pmax(top, f32x4.pmax(low, high));
    }
    const peak = f32x4.splat(maxOfLanes(top));
    for (let at = values; at < end; at += 16) {
      v128.store(at, exp4(f32x4.pmax(f32x4.sub(v128.load(at), peak), f32x4.splat(LEAST_LOGIT))));
    }
  } else {
    let peak: f32 = -Infinity;
    let id = ids;
    for (let at = values; at < end; at += 4, id += 2) {
      const row = fixedRow(load<u16>(id));
      let sum = 0;
      for (let i: usize = 0; i < <usize>M << 1; i += 2) sum += <i32>load<i16>(hidden + i) * <i32>load<i16>(row + i);
      const logit = load<f32>(at) + UNIT * <f32>sum;
      store<f32>(at, logit);
      peak = max<f32>(peak, logit);
    }
    for (let at = values; at < end; at += 4) store<f32>(at, exp(max<f32>(load<f32>(at) - peak, LEAST_LOGIT)));
  }
}

/** Biases and what each of four sums of products comes to. */
// @ts-ignore: decorator
@inline
function logits4(biases: v128, a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = i32x4.add(v128.shuffle<i32>(a, b, 0, 4, 2, 6), v128.shuffle<i32>(a, b, 1, 5, 3, 7));
  const cd = i32x4.add(v128.shuffle<i32>(c, d, 0, 4, 2, 6), v128.shuffle<i32>(c, d, 1, 5, 3, 7));
  const sums = i32x4.add(v128.shuffle<i64>(ab, cd, 0, 2), v128.shuffle<i64>(ab, cd, 1, 3));
  return f32x4.add(biases, f32x4.mul(f32x4.splat(UNIT), f32x4.convert_i32x4_s(sums)));
}

// @ts-ignore: decorator
@inline
function fixedRow(token: u32): usize {
  return O_FIXED + <usize>token * (M << 1);
}

/** The bias of a candidate that is `label` ← VOID. */
// @ts-ignore: decorator
@inline
function strike(label: u32, ids: usize, outBiases: usize): void {
  for (let i: usize = 0; i < <usize>CANDIDATES; i += 8) {
    if (ASC_FEATURE_SIMD) {
      if (!v128.any_true(i16x8.eq(v128.load(ids + (i << 1)), i16x8.splat(<i16>label)))) continue;
    }
    for (let k = i; k < i + 8; ++k) if (load<u16>(ids + (k << 1)) == label) store<f32>(outBiases + (k << 2), VOID);
  }
}

/**
 * The estimate of a place from the odds of its candidates: others whose share is at least 1 / SAMPLES are taken as they are, and of what they
 * leave every SAMPLES-th part is taken by the one that it falls on.
 *
 * @param bits uniform: where the first part ends
 */
function drawSamples(bits: u32, work: Work, outEstimate: Estimate): void {
  const ids = work.candidates;
  const values = work.odds;
  const own = load<f32>(values, (CANDIDATES - 1) << 2);
  store<f32>(values, 0, (CANDIDATES - 1) << 2);
  const others = sumInLanes(values, CANDIDATES);
  outEstimate.own = own / (own + others);
  sizesOf(values);
  const sizes = values + (CANDIDATES << 2);
  const unit = <f32>SAMPLES / sumInLanes(sizes, CANDIDATES);
  shareOut((<f32>1 - outEstimate.own) / others, unit, values);
  // 1.5 · 2^23, added to a number, rounds it to the nearest, which the low bits of the sum are: parts end half a part past whole ones
  let cumulated: f32 = <f32>0.5 - <f32>(bits >> 8) * <f32>5.9604644775390625e-8;
  let before = 0;
  let at = changetype<usize>(outEstimate) + OTHERS_AT;
  for (let i: usize = 0; i < <usize>(CANDIDATES - 1); ++i) {
    const parts = unit * load<f32>(sizes + (i << 2));
    const large = parts >= 1;
    cumulated += large ? 0 : parts;
    const reached = reinterpret<i32>(cumulated + ROUND) - reinterpret<i32>(ROUND);
    const probability = load<f32>(values + (i << 2));
    store<u16>(at, load<u16>(ids + (i << 1)));
    store<i16>(at, <i16>fixedShare(probability), 2);
    store<f32>(at, probability, 4);
    at += <usize>(i32(large) | (reached - before)) << 3;
    before = reached;
  }
  outEstimate.end = at;
}

/** Sizes, which stand behind the odds, ← odds^¾. */
// @ts-ignore: decorator
@inline
function sizesOf(odds: usize): void {
  const end = odds + (CANDIDATES << 2);
  if (ASC_FEATURE_SIMD) {
    for (let at = odds; at < end; at += 16) {
      const root = f32x4.sqrt(v128.load(at));
      v128.store(at + (CANDIDATES << 2), f32x4.mul(root, f32x4.sqrt(root)));
    }
  } else {
    for (let at = odds; at < end; at += 4) {
      const root = sqrt<f32>(load<f32>(at));
      store<f32>(at + (CANDIDATES << 2), root * sqrt<f32>(root));
    }
  }
}

/** Odds ← what each counts where it is taken: its ŷ over how likely that is. */
// @ts-ignore: decorator
@inline
function shareOut(probability: f32, unit: f32, outOdds: usize): void {
  const end = outOdds + (CANDIDATES << 2);
  if (ASC_FEATURE_SIMD) {
    for (let at = outOdds; at < end; at += 16) {
      const parts = f32x4.pmin(f32x4.splat(1), f32x4.mul(f32x4.splat(unit), v128.load(at + (CANDIDATES << 2))));
      v128.store(at, f32x4.div(f32x4.mul(f32x4.splat(probability), v128.load(at)), parts));
    }
  } else {
    for (let at = outOdds; at < end; at += 4) {
      const parts = min<f32>(1, unit * load<f32>(at + (CANDIDATES << 2)));
      store<f32>(at, (probability * load<f32>(at)) / parts);
    }
  }
}

/**
 * outGain (M) f32 ← O[label] − Σ ŷ_v O[v], in units of 2^-DECODER_BITS, and probabilities in those of 2^-15: the rows of the candidates are at
 * hand in fixed point.
 */
function gainOf(label: u32, estimate: Estimate, outGain: usize): void {
  const wanted = fixedRow(label);
  const own = fixedShare(<f32>1 - estimate.own);
  const others = changetype<usize>(estimate) + OTHERS_AT;
  const end = estimate.end;
  if (ASC_FEATURE_SIMD) {
    const unit = f32x4.splat(<f32>1 / <f32>(1 << DECODER_BITS));
    for (let c: usize = 0; c < <usize>M << 1; c += 16, outGain += 32) {
      let gain = i16x8.q15mulr_sat_s(i16x8.splat(<i16>own), v128.load(wanted + c));
      for (let i = others; i < end; i += 8) {
        const row = v128.load(fixedRow(load<u16>(i)) + c);
        gain = i16x8.sub_sat_s(gain, i16x8.q15mulr_sat_s(v128.load16_splat(i, 2), row));
      }
      v128.store(outGain, f32x4.mul(unit, f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(gain))));
      v128.store(outGain, f32x4.mul(unit, f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(gain))), 16);
    }
  } else {
    for (let c: usize = 0; c < <usize>M << 1; c += 2, outGain += 4) {
      let gain = fixedProduct(own, load<i16>(wanted + c));
      for (let i = others; i < end; i += 8) {
        const less = gain - fixedProduct(load<i16>(i, 2), load<i16>(fixedRow(load<u16>(i)) + c));
        gain = min<i32>(0x7fff, max<i32>(-0x8000, less));
      }
      store<f32>(outGain, (<f32>1 / <f32>(1 << DECODER_BITS)) * <f32>gain);
    }
  }
}

/** nearest(share · 2^15), below 2^15. */
// @ts-ignore: decorator
@inline
function fixedShare(share: f32): i32 {
  return min<i32>(0x7fff, reinterpret<i32>(share * <f32>32768 + ROUND) - reinterpret<i32>(ROUND));
}

/** The product of two numbers of 16 bits, the first in units of 2^-15, to the nearest, halves up; neither is −2^15. */
// @ts-ignore: decorator
@inline
function fixedProduct(share: i32, value: i32): i32 {
  return (share * value + 0x4000) >> 15;
}

/** Sums of this thread's rows of the decoder: F += weight · Σ h ⊗ y, F̂ likewise with the samples. */
export function addSampledSums(batch: Batch, network: Network, weight: f32, work: Work): void {
  const thread = work.thread;
  const threads = work.threads;
  const observed = network.decoder + STRIDE;
  const expected = observed + STRIDE;
  for (let t: usize = 0; t < <usize>batch.count; ++t) {
    const hidden = batch.hidden + ((t * M) << 2);
    const label = <u32>load<u16>(batch.tokens + (<usize>load<u32>(batch.places + (t << 2)) << 1));
    const estimate = estimateOf(t);
    if (ownerOf(label, threads) == thread) {
      addScaled(hidden, weight, M, observed + ((<usize>label * M) << 2));
      addScaled(hidden, weight * estimate.own, M, expected + ((<usize>label * M) << 2));
    }
    for (let at = changetype<usize>(estimate) + OTHERS_AT; at < estimate.end; at += 8) {
      const row = <u32>load<u16>(at);
      if (ownerOf(row, threads) == thread) addScaled(hidden, weight * load<f32>(at, 4), M, expected + ((<usize>row * M) << 2));
    }
  }
}
