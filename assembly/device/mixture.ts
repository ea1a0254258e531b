// The mixture on the device: the model's table is where every text begins; from there it follows the text itself (ours). A cell is a sum
// of responsibilities and a number of places, whose ratio is λ.
import { scaleInPlace } from "../common/softmax";
import { distinctOf, endOfMatches, firstMatch, followerOf, lengthOf, Matches, totalOf, weightOf } from "../history/matches";
import { ANY, bucketOf, sumWeights } from "../history/mixture";
import { BUCKETS, CELLS, MATCH_LENGTH, V } from "../shape";

/** What the model's table counts for in a text, in places of each bucket, and how many places are remembered at the most. */
const FIRST_PLACES: f32 = 8;
const MOST_PLACES: f32 = 128;

/** Bytes from a cell's sum of responsibilities to its places, and from row to row of `mixed`. */
const TO_PLACES: usize = CELLS * 4;
const ROW: usize = MATCH_LENGTH * 4;

/** The mixture as a text begins: sums (2, MATCH_LENGTH, BUCKETS) f32 ← Σ responsibilities and places. `table` may stand where they go. */
export function resetMixture(table: usize, outSums: usize): void {
  for (let at: usize = 0; at < TO_PLACES; at += 4) {
    store<f32>(outSums + at, load<f32>(table + at) * FIRST_PLACES);
    store<f32>(outSums + at + TO_PLACES, FIRST_PLACES);
  }
}

/**
 * probabilities ← p of the greatest match length; a length without a match leaves the one below as it is.
 *
 * @param sums of resetMixture and adaptMixture
 * @param mixed (3, MATCH_LENGTH): the weight that q_l has in the mixture, over Σ weights of its matches, f32; its bucket, i32, -1 without a
 * match; scratch
 * @param probabilities (V) f32, the network's in, the mixture out
 * @returns what the network's own probabilities were multiplied by
 */
export function attend(matches: Matches, sums: usize, mixed: usize, probabilities: usize): f32 {
  const weights = mixed + 2 * ROW;
  sumWeights(matches, ANY, weights);
  let rest: f32 = 1; // what the greater lengths leave
  for (let l = <i32>MATCH_LENGTH - 1; l >= 0; --l) {
    const at = <usize>l << 2;
    const total = load<i32>(totalOf(matches, l));
    let each: f32 = 0; // of a match of this length and weight 1
    let bucket = -1;
    if (total > 0) {
      bucket = bucketOf(total, load<i32>(distinctOf(matches, l)));
      const cell = sums + (<usize>(l * BUCKETS + bucket) << 2);
      const lambda = load<f32>(cell) / load<f32>(cell + TO_PLACES);
      each = (rest * lambda) / load<f32>(weights + at);
      rest = rest * (<f32>1 - lambda);
    }
    store<f32>(mixed + at, each);
    store<i32>(mixed + at + ROW, bucket);
  }
  let weight: f32 = 0; // of a match of length l: it counts for every length up to its own
  for (let at: usize = 0; at < ROW; at += 4) {
    weight += load<f32>(mixed + at);
    store<f32>(weights + at, weight);
  }
  scaleInPlace(probabilities, V, rest);
  const end = endOfMatches(matches);
  for (let at = firstMatch(matches); at < end; at += 4) {
    const match = load<u32>(at);
    const p = probabilities + (followerOf(match) << 2);
    store<f32>(p, load<f32>(p) + weightOf(match) * load<f32>(weights + ((lengthOf(match) - 1) << 2)));
  }
  return rest;
}

/**
 * Adds to the mixture what the token that came says (ours): one place a bucket, by the responsibility of the lengths from there down, and
 * that of q_l itself. The explicit solution with K = 1 again, as solveMixture has it, of the text so far and the model's table as
 * pseudo-places.
 *
 * @param mixed (3, MATCH_LENGTH), as `attend` has left it for these matches
 * @param p likelihood of `token` under the mixture
 */
export function adaptMixture(matches: Matches, token: u32, p: f32, sums: usize, mixed: usize): void {
  if (!(p > 0)) return;
  const weights = mixed + 2 * ROW;
  sumWeights(matches, token, weights);
  let reached: f32 = 1; // responsibility of this length and those below
  for (let l = <i32>MATCH_LENGTH - 1; l >= 0 && reached > 0; --l) {
    const at = <usize>l << 2;
    const bucket = load<i32>(mixed + at + ROW);
    if (bucket < 0) continue;
    const cell = sums + (<usize>(l * BUCKETS + bucket) << 2);
    const share = min<f32>(reached, (load<f32>(mixed + at) * load<f32>(weights + at)) / p);
    addPlace(cell, share, cell + TO_PLACES, reached);
    reached -= share;
  }
}

/** One place more of a cell: sum f32 ← + share, places f32 ← + reached, of the last MOST_PLACES, nearly. */
export function addPlace(sum: usize, share: f32, places: usize, reached: f32): void {
  const kept: f32 = load<f32>(places) > MOST_PLACES ? 0.5 : 1;
  store<f32>(sum, load<f32>(sum) * kept + share);
  store<f32>(places, load<f32>(places) * kept + reached);
}
