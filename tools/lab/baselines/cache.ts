/**
 * A recency cache for an n-gram model, so that a model with self-attention is not compared with one that has no memory at all:
 *
 *   p = λ0 · p_model + λ1 · (tokens in the window) + λ2 · (tokens that followed the last one there) + λ3 · (… the last two) + …
 *
 * over the last `length` tokens of the same sequence (Kuhn & De Mori 1990; Jelinek et al. 1991 for the longer contexts). The weights
 * λ are those of the longest match and of how often it occurs, up to 3 times, and are found by EM on text the model has not seen. In a
 * text they may go on from there, as the gate of self-attention does.
 *
 * ```ts
 * const cache = fitCache(fitKneserNey(head, options), tail, { length: 1024 });
 * scoreWithCache(fitKneserNey(all, options), cache, heldOut); // Float64Array of log2 p
 * ```
 */
import { SaffuError } from "../../../host/errors.ts";
import type { Sequences } from "./counts.ts";
import type { LanguageModel } from "./kneser-ney.ts";
import { RecencyWindow } from "./window.ts";

export interface CacheOptions {
  /** R ≥ 1, tokens. */
  readonly length: number;
  /** Highest order of the window's n-grams, 1 to 5: matches are of up to order − 1 tokens. 3 if left out. */
  readonly order?: number;
}

export interface Cache extends Required<CacheOptions> {
  /** (buckets, 1 + order) λ; rows sum to 1, and give nothing to orders that a bucket's window has no match for. */
  readonly weights: Float64Array;
}

/** Times that the longest match occurs: 1, 2, 3 or more. */
const TIMES = 3;
const MOST_SWEEPS = 200;
/** EM stops when a sweep gains less, in bits a token. */
const GAIN = 1e-7;
/** Places that the weights found beforehand count for in a text, and that are remembered at the most: as the gate's. */
const FIRST_PLACES = 8;
const MOST_PLACES = 128;

/**
 * Weights by EM.
 *
 * @param sequences text that `model` was not fitted on, or the model is trusted too much
 * @throws SaffuError INVALID_OPTION, TOKEN_OUT_OF_RANGE
 */
export function fitCache(model: LanguageModel, sequences: Sequences, { length, order = 3 }: CacheOptions): Cache {
  checkOptions(length, order);
  const texts = sequences instanceof Uint16Array ? [sequences] : sequences;
  const places = texts.reduce((sum, text) => sum + text.length, 0);
  const parts = 1 + order;
  const buckets = new Uint8Array(places);
  const likelihoods = new Float64Array(places * parts); // (places, parts)
  let row = 0;
  for (const text of texts) {
    const scores = model.score(text);
    eachPlace(text, length, order, (at, bucket, window) => {
      buckets[row] = bucket;
      likelihoods.set(window, row * parts);
      likelihoods[row * parts] = 2 ** scores[at]!;
      ++row;
    });
  }
  return { length, order, weights: byEM(buckets, likelihoods, order) };
}

/**
 * log2 p of each token of `sequence` under model and cache; the cache starts empty.
 *
 * @param adaptive whether the weights of a bucket become means of the responsibilities at its last places in `sequence`
 * @throws SaffuError TOKEN_OUT_OF_RANGE
 */
export function scoreWithCache(
  model: LanguageModel,
  cache: Cache,
  sequence: ArrayLike<number>,
  adaptive = false,
): Float64Array {
  const scores = model.score(sequence);
  const own = adaptive ? { ...cache, weights: cache.weights.slice() } : cache;
  const parts = 1 + cache.order;
  const places = new Float64Array(own.weights.length / parts).fill(FIRST_PLACES);
  eachPlace(sequence, cache.length, cache.order, (at, bucket, window) => {
    window[0] = 2 ** scores[at]!;
    const p = mixed(own, bucket, window);
    scores[at] = Math.log2(p);
    if (!adaptive) return;
    const n = Math.min(MOST_PLACES, places[bucket]! + 1);
    places[bucket] = n;
    for (let part = 0; part < parts; ++part) {
      const weight = own.weights[bucket * parts + part]!;
      own.weights[bucket * parts + part] = weight + ((weight * window[part]!) / p - weight) / n;
    }
  });
  return scores;
}

/** p(token) after `context` under model and cache. For many tokens of a text, `scoreWithCache`. @throws SaffuError TOKEN_OUT_OF_RANGE */
export function probabilityWithCache(
  model: LanguageModel,
  cache: Cache,
  context: ArrayLike<number>,
  token: number,
): number {
  let p = model.probability(context, token);
  eachPlace([...Array.from(context), token], cache.length, cache.order, (at, bucket, window) => {
    if (at !== context.length) return;
    window[0] = p;
    p = mixed(cache, bucket, window);
  });
  return p;
}

function mixed({ order, weights }: Cache, bucket: number, likelihoods: Float64Array): number {
  let p = 0;
  for (let part = 0; part <= order; ++part) p += weights[bucket * (1 + order) + part]! * likelihoods[part]!;
  return p;
}

/**
 * Calls `visit` at each place with its bucket and the likelihoods of its token (1 + order): [n] under the window's n-grams, 0 if the
 * last n − 1 tokens have no match there, and [0] left for the model.
 */
function eachPlace(
  sequence: ArrayLike<number>,
  length: number,
  order: number,
  visit: (at: number, bucket: number, likelihoods: Float64Array) => void,
): void {
  const window = new RecencyWindow(length, order);
  const likelihoods = new Float64Array(1 + order);
  for (let at = 0; at < sequence.length; ++at) {
    const token = sequence[at]!;
    let bucket = 0;
    likelihoods.fill(0);
    for (let n = 1; n <= order; ++n) {
      const total = window.total(n);
      if (total === 0) break; // nor has a longer context a match
      bucket = bucketOf(n, total);
      likelihoods[n] = window.count(n, token) / total;
    }
    visit(at, bucket, likelihoods);
    window.push(token);
  }
}

/** 0: the window is empty. */
function bucketOf(longest: number, times: number): number {
  return longest === 0 ? 0 : 1 + (longest - 1) * TIMES + Math.min(TIMES, times) - 1;
}

/** The orders that match in a bucket. */
function longestOf(bucket: number): number {
  return Math.ceil(bucket / TIMES);
}

/** Weights (buckets, 1 + order) of likelihoods (places, 1 + order), by the bucket of each place. */
function byEM(buckets: Uint8Array, likelihoods: Float64Array, order: number): Float64Array {
  const parts = 1 + order;
  const weights = new Float64Array((1 + order * TIMES) * parts);
  // one place for each part beside those seen: no weight comes to 0, and a bucket without text trusts its parts alike
  const prior = weights.map((_, i) => (i % parts <= longestOf(Math.floor(i / parts)) ? 1 : 0));
  const normalize = (sums: Float64Array) => {
    for (let from = 0; from < sums.length; from += parts) {
      const total = sums.subarray(from, from + parts).reduce((sum, value) => sum + value, 0);
      for (let part = 0; part < parts; ++part) weights[from + part] = sums[from + part]! / total;
    }
  };
  normalize(prior);
  let before = Number.NEGATIVE_INFINITY;
  for (let sweep = 0; sweep < MOST_SWEEPS; ++sweep) {
    const sums = prior.slice();
    let fit = weights.reduce((sum, weight, i) => sum + (prior[i]! > 0 ? prior[i]! * Math.log2(weight) : 0), 0);
    for (let row = 0; row < buckets.length; ++row) {
      const from = buckets[row]! * parts;
      let p = 0;
      for (let part = 0; part < parts; ++part) p += weights[from + part]! * likelihoods[row * parts + part]!;
      fit += Math.log2(p);
      for (let part = 0; part < parts; ++part) {
        sums[from + part]! += (weights[from + part]! * likelihoods[row * parts + part]!) / p;
      }
    }
    normalize(sums);
    if (fit - before < GAIN * buckets.length) break;
    before = fit;
  }
  return weights;
}

function checkOptions(length: number, order: number): void {
  if (!Number.isInteger(length) || length < 1) {
    throw new SaffuError("INVALID_OPTION", `cache length must be a whole number of tokens from 1, got ${length}`);
  }
  if (!Number.isInteger(order) || order < 1 || order > 5) {
    throw new SaffuError("INVALID_OPTION", `cache order must be in 1..5, got ${order}`);
  }
}
