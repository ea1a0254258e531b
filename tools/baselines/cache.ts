/**
 * A recency cache for an n-gram model, so that a model with self-attention is not compared with one that has no memory at all:
 * p = λ_0 · p_model + λ_1 · unigram cache + λ_2 · tokens that followed the last token + λ_3 · tokens that followed the last two,
 * all over the last `length` tokens of the same sequence. The weights λ are those of the longest match (and of how often it
 * occurred, up to 3), found by EM on text that the model has not seen. A part that is empty leaves its weight to the model.
 */
import type { KneserNey } from "./kneser-ney.ts";

const PARTS = 4;
const BUCKETS = 3 * 4;
const SWEEPS = 40;

/** Weights of a cache, (buckets, parts). */
export interface CacheWeights {
  readonly length: number;
  readonly weights: Float64Array;
}

/** Weights by EM on `sequences`, which `model` must not have been fitted on. */
export function fitCache(model: KneserNey, sequences: readonly ArrayLike<number>[], length: number): CacheWeights {
  const rows: { bucket: number; likelihoods: number[] }[] = [];
  for (const sequence of sequences) {
    const scores = model.score(sequence);
    eachPlace(sequence, length, model.vocabulary, (at, bucket, parts) => {
      rows.push({ bucket, likelihoods: parts.map((p) => p ?? 0).with(0, 2 ** scores[at]!) });
      for (let part = 1; part < PARTS; ++part) {
        if (parts[part] === undefined) rows.at(-1)!.likelihoods[part] = 2 ** scores[at]!;
      }
    });
  }
  let weights = new Float64Array(BUCKETS * PARTS).fill(1 / PARTS);
  for (let sweep = 0; sweep < SWEEPS; ++sweep) {
    const sums = new Float64Array(BUCKETS * PARTS).fill(1);
    for (const { bucket, likelihoods } of rows) {
      const shares = likelihoods.map((p, part) => p * weights[bucket * PARTS + part]!);
      const total = shares.reduce((sum, share) => sum + share, 0);
      for (let part = 0; part < PARTS; ++part) sums[bucket * PARTS + part]! += shares[part]! / total;
    }
    weights = sums.map((sum, i) => {
      const bucket = Math.floor(i / PARTS) * PARTS;
      return sum / sums.subarray(bucket, bucket + PARTS).reduce((total, share) => total + share, 0);
    });
  }
  return { length, weights };
}

/** log2 p of each token of `sequence` under model and cache; the cache starts empty. */
export function scoreWithCache(model: KneserNey, cache: CacheWeights, sequence: ArrayLike<number>): Float64Array {
  const scores = model.score(sequence);
  eachPlace(sequence, cache.length, model.vocabulary, (at, bucket, parts) => {
    scores[at] = Math.log2(mixed(cache, bucket, parts, 2 ** scores[at]!));
  });
  return scores;
}

/** p(token) after `context` under model and cache. */
export function probabilityWithCache(
  model: KneserNey,
  cache: CacheWeights,
  context: readonly number[],
  token: number,
): number {
  let p = 0;
  eachPlace([...context, token], cache.length, model.vocabulary, (at, bucket, parts) => {
    if (at === context.length) p = mixed(cache, bucket, parts, model.probability(context, token));
  });
  return p;
}

function mixed(cache: CacheWeights, bucket: number, parts: readonly (number | undefined)[], ofModel: number): number {
  let p = 0;
  for (let part = 0; part < PARTS; ++part) {
    p += cache.weights[bucket * PARTS + part]! * (part === 0 ? ofModel : (parts[part] ?? ofModel));
  }
  return p;
}

/** Calls `visit` at each place with its bucket and the likelihood of its token under each part of the cache (undefined: empty). */
function eachPlace(
  sequence: ArrayLike<number>,
  length: number,
  vocabulary: number,
  visit: (at: number, bucket: number, parts: (number | undefined)[]) => void,
): void {
  const unigrams = new Uint32Array(vocabulary);
  for (let at = 0; at < sequence.length; ++at) {
    const token = sequence[at]!;
    const size = Math.min(at, length);
    const first = at - size;
    const totals = [0, 0];
    const hits = [0, 0];
    const last = sequence[at - 1];
    for (let place = at - 2; place >= first; --place) {
      if (sequence[place] !== last) continue;
      const hit = sequence[place + 1] === token ? 1 : 0;
      totals[0]! += 1;
      hits[0]! += hit;
      if (place > first && sequence[place - 1] === sequence[at - 2]) {
        totals[1]! += 1;
        hits[1]! += hit;
      }
    }
    const longest = totals[1]! > 0 ? 2 : totals[0]! > 0 ? 1 : 0;
    const bucket = longest * 4 + (longest === 0 ? 0 : Math.min(3, totals[longest - 1]!));
    visit(at, bucket, [
      undefined,
      size > 0 ? unigrams[token]! / size : undefined,
      totals[0]! > 0 ? hits[0]! / totals[0]! : undefined,
      totals[1]! > 0 ? hits[1]! / totals[1]! : undefined,
    ]);
    ++unigrams[token]!;
    if (at >= length) --unigrams[sequence[at - length]!]!;
  }
}
