// Solving the mixture's table: the explicit solution with K = 1, for each match length and bucket the mean responsibility of q_l against
// what the lengths below would have said, repeated.
import { distinctOf, Matches, totalOf } from "../history/matches";
import { ANY, bucketOf, sumWeights } from "../history/mixture";
import { BUCKETS, CELLS, MATCH_LENGTH, PARTS } from "../shape";

/** Marks a length without a match. */
const NONE: u8 = 0xff;
/** λ before it is solved, and what BUCKET_PLACES places of each bucket are taken to say. */
const FIRST: f32 = 0.3;
const BUCKET_PLACES: f32 = 2;

/**
 * What the solve needs of one place: the likelihood of `token` under the network and under q_l of each length, and the buckets.
 *
 * @param scratch (MATCH_LENGTH) f32
 * @param outLikelihoods (PARTS) f32
 * @param outBuckets (MATCH_LENGTH) u8, NONE from the first length without a match on
 */
export function mixtureInputs(
  matches: Matches,
  token: u32,
  network: f32,
  scratch: usize,
  outLikelihoods: usize,
  outBuckets: usize,
): void {
  store<f32>(outLikelihoods, network);
  sumWeights(matches, ANY, scratch);
  sumWeights(matches, token, outLikelihoods + 4);
  for (let l: usize = 0; l < <usize>MATCH_LENGTH; ++l) {
    const total = load<i32>(totalOf(matches, l));
    const at = outLikelihoods + (l << 2);
    if (total > 0) store<f32>(at, load<f32>(at, 4) / load<f32>(scratch + (l << 2)), 4);
    store<u8>(outBuckets + l, total == 0 ? NONE : <u8>bucketOf(total, load<i32>(distinctOf(matches, l))));
  }
}

/**
 * Solves the table; each sweep is an EM step: the likelihood of the slice, times that of the pseudo-counts, never falls.
 *
 * @param likelihoods (n, PARTS) f32 and buckets (n, MATCH_LENGTH) u8, of mixtureInputs
 * @param sums (2, MATCH_LENGTH, BUCKETS) f32 scratch
 * @param outTable (MATCH_LENGTH, BUCKETS) f32, and behind it (PARTS) f32 scratch, p_0 to the greatest length's
 */
export function solveMixture(likelihoods: usize, buckets: usize, n: i32, sweeps: i32, sums: usize, outTable: usize): void {
  const places = sums + (<usize>CELLS << 2);
  const chain = outTable + (<usize>CELLS << 2);
  for (let i = 0; i < CELLS; ++i) store<f32>(outTable + (<usize>i << 2), FIRST);
  for (let sweep = 0; sweep < sweeps; ++sweep) {
    for (let i = 0; i < CELLS; ++i) {
      store<f32>(sums + (<usize>i << 2), FIRST * BUCKET_PLACES);
      store<f32>(places + (<usize>i << 2), BUCKET_PLACES);
    }
    for (let t = 0; t < n; ++t) {
      const at = likelihoods + (<usize>(t * PARTS) << 2);
      const own = buckets + <usize>(t * MATCH_LENGTH);
      let top = 0;
      let p = load<f32>(at);
      store<f32>(chain, p);
      while (top < MATCH_LENGTH && load<u8>(own + top) != NONE) {
        const lambda = load<f32>(outTable + (<usize>(top * BUCKETS + load<u8>(own + top)) << 2));
        p = (<f32>1 - lambda) * p + lambda * load<f32>(at + (<usize>top << 2), 4);
        ++top;
        store<f32>(chain + (<usize>top << 2), p);
      }
      if (!(p > 0)) continue;
      let reached: f32 = 1; // responsibility of this length and those below
      for (let l = top - 1; l >= 0 && reached > 0; --l) {
        const cell = <usize>(l * BUCKETS + load<u8>(own + l)) << 2;
        const share =
          (load<f32>(outTable + cell) * load<f32>(at + (<usize>l << 2), 4)) / load<f32>(chain + (<usize>l << 2), 4);
        store<f32>(sums + cell, load<f32>(sums + cell) + reached * share);
        store<f32>(places + cell, load<f32>(places + cell) + reached);
        reached = reached * max<f32>(0, <f32>1 - share);
      }
    }
    for (let i: usize = 0; i < <usize>CELLS << 2; i += 4) {
      store<f32>(outTable + i, min<f32>(1, load<f32>(sums + i) / load<f32>(places + i)));
    }
  }
}
