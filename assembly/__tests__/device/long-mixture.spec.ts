import { adaptLong, LongMixture, mixLong, resetLong, withoutLong } from "../../device/long-mixture";
import { clearCandidates, offer } from "../../history/candidates";
import { countFollowers, countOf, followerAt, Followers, sumsOf } from "../../history/followers";
import { ABSENT, LENGTHS, LONG_BUCKETS, LONG_CELLS, LONGEST, MOST_LONG, V } from "../../shape";
import { candidates } from "../candidates";
import { below, between, copyOf, differing, fill, fillDistribution, gap, get, LOOSE, mark, put, startValues, untouched } from "../support";

const FOLLOWERS = memory.data(16 + 20 * MOST_LONG + 20 * LENGTHS, 16);
const followers = changetype<Followers>(FOLLOWERS);
const SEEN = memory.data(V, 16);
const TABLE = memory.data(2 * LONG_CELLS * 4, 16);
const RECORD = memory.data(16 + 4 * LONG_CELLS * 4 + 16, 16);
const long = changetype<LongMixture>(RECORD);
const WEIGHTS: usize = RECORD + 16;
const PROBABILITIES = memory.data(V * 4 + 16, 16);

const guesses = new StaticArray<i32>(1);

/** Random matches, weights and probabilities; weights are so small that no sum of them is at its bounds, where that is asked for. */
function begin(alphabet: i32, longest: i32, small: bool = false): void {
  clearCandidates(candidates);
  const many = 1 + below(MOST_LONG + 20);
  for (let i = 0; i < many; ++i) offer(candidates, 1 + below(longest), below(alphabet), below(9) == 0 ? ABSENT : below(6));
  countFollowers(candidates, SEEN, followers);
  guesses[0] = candidates.guess;
  fill(TABLE, LONG_CELLS, small ? 0 : -1, small ? 0.3 : 2);
  fill(TABLE + LONG_CELLS * 4, LONG_CELLS, small ? -0.3 : -1, small ? 0.3 : 1);
  resetLong(TABLE, long);
  fillDistribution(PROBABILITIES, V);
}

/** The cell of a length's matches, by definition. */
function cellAt(k: i32): i32 {
  const places = sumsOf(followers, k).places;
  let distinct = 0;
  for (let i: u32 = 0; i < followers.count; ++i) distinct += i32(countOf(followerAt(followers, i), k) > 0);
  const many = places == 1 ? 0 : places < 4 ? 1 : 2;
  const agreement = distinct == 1 ? 0 : <f64>distinct <= <f64>places / 2 ? 1 : 2;
  return k * LONG_BUCKETS + 2 * (3 * many + agreement) + i32(long.run >= 4);
}

/** The probabilities with the long matches, in f64; `weights` (2, LONG_CELLS). */
function denseMix(p: StaticArray<f64>, weights: StaticArray<f64>): StaticArray<f64> {
  const out = new StaticArray<f64>(V);
  for (let v = 0; v < V; ++v) out[v] = p[v];
  for (let i: u32 = 0; i < followers.count; ++i) {
    const follower = followerAt(followers, i);
    const v = <i32>follower.token;
    let exponent: f64 = 0;
    for (let k = 0; k < LENGTHS; ++k) {
      const count = countOf(follower, k);
      if (count == 0) continue;
      const cell = cellAt(k);
      exponent += weights[cell] * Math.log((<f64>count - 0.5 + p[v]) / p[v]) + weights[LONG_CELLS + cell];
    }
    out[v] = p[v] * Math.exp(min<f64>(40, max<f64>(-8, exponent)));
  }
  let sum: f64 = 0;
  for (let v = 0; v < V; ++v) sum += out[v];
  for (let v = 0; v < V; ++v) out[v] /= sum;
  return out;
}

describe("long matches, weighed", () => {
  test("make of a prediction what the definition says, of unit sum, and write nothing else", () => {
    startValues(1);
    for (let run = 0; run < 300; ++run) {
      begin(1 + below(min(V, 40)), 1 + below(LONGEST));
      long.run = below(8);
      mark(PROBABILITIES + V * 4, 16);
      const wanted = denseMix(copyOf(PROBABILITIES, V), copyOf(TABLE, 2 * LONG_CELLS));
      mixLong(followers, long, PROBABILITIES);
      expect(gap(PROBABILITIES, wanted)).toBeLessThan(LOOSE * 10, "run " + run.toString());
      expect(untouched(PROBABILITIES + V * 4, 16)).toBe(true);
    }
  });

  test("tell what each token had without them", () => {
    startValues(2);
    begin(V, LONGEST);
    const before = copyOf(PROBABILITIES, V);
    mixLong(followers, long, PROBABILITIES);
    for (let v = 0; v < V; ++v) {
      const p = withoutLong(followers, long, v, load<f32>(PROBABILITIES + (v << 2)));
      expect(Math.abs(<f64>p / before[v] - 1)).toBeLessThan(LOOSE);
    }
  });

  test("change nothing where there are none", () => {
    startValues(3);
    begin(V, LONGEST);
    clearCandidates(candidates);
    countFollowers(candidates, SEEN, followers);
    const kept = new StaticArray<f32>(V);
    const weights = new StaticArray<f32>(4 * LONG_CELLS);
    for (let v = 0; v < V; ++v) kept[v] = load<f32>(PROBABILITIES + (v << 2));
    for (let i = 0; i < 4 * LONG_CELLS; ++i) weights[i] = load<f32>(WEIGHTS + (i << 2));
    mixLong(followers, long, PROBABILITIES);
    expect(differing(PROBABILITIES, kept)).toBe(0);
    expect(withoutLong(followers, long, 3, 0.25)).toBe(0.25);
    long.run = 5;
    adaptLong(followers, candidates, long, 3);
    expect(differing(WEIGHTS, weights)).toBe(0);
    expect(long.run).toBe(0, "nothing was foreseen");
  });

  test("follow the slope of the surprisal of what came, by steps over the root of its squares", () => {
    startValues(4);
    for (let run = 0; run < 60; ++run) {
      begin(1 + below(6), LONGEST, true);
      const p = copyOf(PROBABILITIES, V);
      const table = copyOf(TABLE, 2 * LONG_CELLS);
      const token = below(8);
      mixLong(followers, long, PROBABILITIES);
      adaptLong(followers, candidates, long, token);
      expect(long.run).toBe(u32(token == guesses[0]));
      for (let k = 0; k < LENGTHS; ++k) {
        if (sumsOf(followers, k).places == 0) continue;
        for (let bias = 0; bias < 2; ++bias) {
          const at = bias * LONG_CELLS + cellAt(k);
          // the slope as a difference
          const step = 1e-6;
          table[at] += step;
          const more = -Math.log(denseMix(p, table)[token]);
          table[at] -= 2 * step;
          const less = -Math.log(denseMix(p, table)[token]);
          table[at] += step;
          const slope = max<f64>(-4, min<f64>(4, -(more - less) / (2 * step)));
          const moved = ((bias != 0 ? 0.2 : 0.1) * slope) / Math.sqrt((bias != 0 ? 1 : 4) + slope * slope);
          const wanted = bias != 0 ? max<f64>(-8, min<f64>(8, table[at] + moved)) : max<f64>(-1, min<f64>(3, table[at] + moved));
          expect(Math.abs(get(WEIGHTS, at) - wanted)).toBeLessThan(1e-3, "run " + run.toString() + ", length " + k.toString());
        }
      }
    }
  });

  test("stay finite and of unit sum whatever comes, from the least and the greatest weights on", () => {
    startValues(5);
    for (let run = 0; run < 40; ++run) {
      begin(V, LONGEST);
      for (let i = 0; i < LONG_CELLS; ++i) {
        put(TABLE, i, run % 2 == 0 ? 3 : -1);
        put(TABLE + LONG_CELLS * 4, i, run % 3 == 0 ? 8 : -8);
      }
      resetLong(TABLE, long);
      let failures = 0;
      for (let step = 0; step < 60; ++step) {
        clearCandidates(candidates);
        const many = below(MOST_LONG);
        for (let i = 0; i < many; ++i) offer(candidates, 1 + below(LONGEST), below(4), below(V));
        countFollowers(candidates, SEEN, followers);
        fillDistribution(PROBABILITIES, V);
        if (run % 5 == 0) put(PROBABILITIES, 0, between(0, 1e-38));
        let before: f64 = 0;
        for (let v = 0; v < V; ++v) before += get(PROBABILITIES, v);
        for (let v = 0; v < V; ++v) put(PROBABILITIES, v, get(PROBABILITIES, v) / before);
        mixLong(followers, long, PROBABILITIES);
        let sum: f64 = 0;
        for (let v = 0; v < V; ++v) sum += get(PROBABILITIES, v);
        failures += i32(!(Math.abs(sum - 1) < LOOSE));
        adaptLong(followers, candidates, long, below(6));
        for (let i = 0; i < LONG_CELLS; ++i) {
          failures += i32(!(get(WEIGHTS, i) >= -1 && get(WEIGHTS, i) <= 3));
          failures += i32(!(Math.abs(get(WEIGHTS, LONG_CELLS + i)) <= 8));
        }
      }
      expect(failures).toBe(0, "run " + run.toString());
    }
  });
});
