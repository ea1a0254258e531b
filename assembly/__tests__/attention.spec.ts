import { attend, gateBucket, partLikelihoods, solveGate } from "../attention";
import { BUCKETS, ORDERS, PARTS, V } from "../shape";
import {
  below,
  copyOf,
  fill,
  fillDistribution,
  gap,
  get,
  LOOSE,
  mark,
  put,
  ROUNDING,
  startValues,
  untouched,
} from "./support";

const PLACES = 40; // of the slice that the gate is solved on
const TOTALS = memory.data(ORDERS * 4 + 16, 16);
const MATCHES = memory.data(16 * 4, 16);
const GATE = memory.data(BUCKETS * PARTS * 4 + 16, 16);
const SCRATCH = memory.data(ORDERS * 4 + 16, 16);
const PROBABILITIES = memory.data(V * 4 + 16, 16);
const LIKELIHOODS = memory.data(PLACES * PARTS * 4, 16);
const PLACE_BUCKETS = memory.data(PLACES, 16);
const SUMS = memory.data(BUCKETS * PARTS * 4 + 16, 16);

let found = 0;
const orders = new StaticArray<i32>(16);
const followers = new StaticArray<i32>(16);

/** n matches of orders up to `longest`, with their totals. */
function writeMatches(n: i32, longest: i32): void {
  found = n;
  memory.fill(TOTALS, 0, ORDERS * 4);
  for (let i = 0; i < n; ++i) {
    orders[i] = i == 0 ? longest : 1 + below(longest);
    followers[i] = below(6); // few, so that several matches agree
    store<u32>(MATCHES + ((<usize>i) << 2), ((<u32>orders[i]) << 16) | <u32>followers[i]);
    for (let o = 0; o < orders[i]; ++o) setTotal(o, total(o) + 1);
  }
}

function total(o: i32): i32 {
  return load<i32>(TOTALS + ((<usize>o) << 2));
}

function setTotal(o: i32, n: i32): void {
  store<i32>(TOTALS + ((<usize>o) << 2), n);
}

/** q_o(token): how many of the matches of order o + 1 or more this token followed; the stack's where there are none. */
function share(o: i32, token: i32, stack: f64): f64 {
  let all = 0;
  let those = 0;
  for (let i = 0; i < found; ++i) {
    if (orders[i] <= o) continue;
    ++all;
    if (followers[i] == token) ++those;
  }
  return all == 0 ? stack : <f64>those / <f64>all;
}

function writeGate(): void {
  for (let bucket = 0; bucket < BUCKETS; ++bucket) fillDistribution(GATE + ((bucket * PARTS) << 2), PARTS);
}

/** The mixture by definition: λ_0 · stack + Σ λ_o · q_o. */
function mixture(bucket: i32): StaticArray<f64> {
  const out = copyOf(PROBABILITIES, V);
  for (let v = 0; v < V; ++v) {
    const stack = out[v];
    let sum = get(GATE, bucket * PARTS) * stack;
    for (let o = 0; o < ORDERS; ++o) sum += get(GATE, bucket * PARTS + 1 + o) * share(o, v, stack);
    out[v] = sum;
  }
  return out;
}

describe("the gate's bucket", () => {
  test("is four times the longest order matched, plus its matches up to three", () => {
    setTotal(ORDERS, 9); // what stands behind the totals does not count
    for (let longest = 1; longest <= ORDERS; ++longest) {
      for (let n = 1; n < 6; ++n) {
        memory.fill(TOTALS, 0, ORDERS * 4);
        // shorter orders have more matches, which must not count
        for (let o = 0; o < longest; ++o) setTotal(o, n + (longest - 1 - o) * 2);
        expect(gateBucket(TOTALS)).toBe(longest * 4 + (n < 3 ? n : 3));
      }
    }
  });

  test("is the first where nothing matched", () => {
    memory.fill(TOTALS, 0, ORDERS * 4);
    expect(gateBucket(TOTALS)).toBe(0);
  });
});

describe("attention", () => {
  test("mixes the stack with the followers of the matches of each order", () => {
    startValues(1);
    for (let longest = 1; longest <= ORDERS; ++longest) {
      for (let n = 1; n < 10; ++n) {
        writeGate();
        writeMatches(n, longest);
        fillDistribution(PROBABILITIES, V);
        const wanted = mixture(longest * 4 + min(3, countOf(longest)));
        attend(MATCHES, n, TOTALS, GATE, SCRATCH, PROBABILITIES);
        expect(gap(PROBABILITIES, wanted)).toBeLessThan(ROUNDING);
      }
    }
  });

  test("leaves a distribution", () => {
    startValues(2);
    writeGate();
    writeMatches(9, 1);
    fillDistribution(PROBABILITIES, V);
    attend(MATCHES, 9, TOTALS, GATE, SCRATCH, PROBABILITIES);
    let sum: f64 = 0;
    for (let v = 0; v < V; ++v) sum += get(PROBABILITIES, v);
    expect(Math.abs(sum - 1)).toBeLessThan(ROUNDING);
  });

  test("writes V probabilities and ORDERS weights, no more", () => {
    startValues(3);
    writeGate();
    writeMatches(9, ORDERS);
    fillDistribution(PROBABILITIES, V);
    mark(PROBABILITIES + V * 4, 16);
    mark(SCRATCH + ORDERS * 4, 16);
    attend(MATCHES, 9, TOTALS, GATE, SCRATCH, PROBABILITIES);
    expect(untouched(PROBABILITIES + V * 4, 16)).toBe(true);
    expect(untouched(SCRATCH + ORDERS * 4, 16)).toBe(true);
  });

  test("knows the likelihood of a token under each part, the stack's where an order has no match", () => {
    startValues(4);
    mark(LIKELIHOODS + PARTS * 4, 16);
    for (let longest = 1; longest <= ORDERS; ++longest) {
      writeMatches(8, longest);
      for (let token = 0; token < 7; ++token) {
        partLikelihoods(MATCHES, 8, TOTALS, token, 0.125, LIKELIHOODS);
        expect(get(LIKELIHOODS, 0)).toBe(0.125);
        for (let o = 0; o < ORDERS; ++o) {
          expect(Math.abs(get(LIKELIHOODS, 1 + o) - share(o, token, 0.125))).toBeLessThan(ROUNDING);
        }
      }
    }
    expect(untouched(LIKELIHOODS + PARTS * 4, 16)).toBe(true);
  });
});

/** Matches of at least this order. */
function countOf(order: i32): i32 {
  let n = 0;
  for (let i = 0; i < found; ++i) if (orders[i] >= order) ++n;
  return n;
}

/** Likelihoods and buckets of a slice; the last bucket is never seen. */
function writeSlice(seed: u32): void {
  startValues(seed);
  fill(LIKELIHOODS, PLACES * PARTS, 0.001, 0.8);
  for (let t = 0; t < PLACES; ++t) store<u8>(PLACE_BUCKETS + t, <u8>below(BUCKETS - 1));
}

function likelihoodOf(t: i32): f64 {
  const bucket = <i32>load<u8>(PLACE_BUCKETS + t);
  let sum: f64 = 0;
  for (let p = 0; p < PARTS; ++p) sum += get(LIKELIHOODS, t * PARTS + p) * get(GATE, bucket * PARTS + p);
  return sum;
}

/** What each sweep raises: the slice's log-likelihood, and the log of each share of the gate, for its pseudo-count. */
function objective(): f64 {
  let sum: f64 = 0;
  for (let t = 0; t < PLACES; ++t) sum += Math.log(likelihoodOf(t));
  for (let i = 0; i < BUCKETS * PARTS; ++i) sum += Math.log(get(GATE, i));
  return sum;
}

describe("the gate's solution", () => {
  test("is uniform before the first sweep", () => {
    writeSlice(1);
    solveGate(LIKELIHOODS, PLACE_BUCKETS, PLACES, 0, SUMS, GATE);
    for (let i = 0; i < BUCKETS * PARTS; ++i) expect(get(GATE, i)).toBe(<f64>(<f32>1 / <f32>PARTS));
  });

  test("is each bucket's mean responsibility with one pseudo-count a part", () => {
    writeSlice(2);
    const wanted = new StaticArray<f64>(BUCKETS * PARTS);
    for (let bucket = 0; bucket < BUCKETS; ++bucket) {
      let places = 0;
      for (let t = 0; t < PLACES; ++t) {
        if (<i32>load<u8>(PLACE_BUCKETS + t) != bucket) continue;
        ++places;
        let sum: f64 = 0;
        for (let p = 0; p < PARTS; ++p) sum += get(LIKELIHOODS, t * PARTS + p);
        for (let p = 0; p < PARTS; ++p) wanted[bucket * PARTS + p] += get(LIKELIHOODS, t * PARTS + p) / sum;
      }
      for (let p = 0; p < PARTS; ++p) {
        wanted[bucket * PARTS + p] = (wanted[bucket * PARTS + p] + 1) / <f64>(places + PARTS);
      }
    }
    mark(GATE + BUCKETS * PARTS * 4, 16);
    mark(SUMS + BUCKETS * PARTS * 4, 16);
    solveGate(LIKELIHOODS, PLACE_BUCKETS, PLACES, 1, SUMS, GATE);
    expect(gap(GATE, wanted)).toBeLessThan(ROUNDING);
    expect(untouched(GATE + BUCKETS * PARTS * 4, 16)).toBe(true);
    expect(untouched(SUMS + BUCKETS * PARTS * 4, 16)).toBe(true);
  });

  test("never falls from sweep to sweep, and comes to rest", () => {
    writeSlice(3);
    let last = -Infinity;
    for (let sweeps = 0; sweeps < 12; ++sweeps) {
      solveGate(LIKELIHOODS, PLACE_BUCKETS, PLACES, sweeps, SUMS, GATE);
      // the sum of a hundred logarithms of f32
      expect(objective()).toBeGreaterThan(last - LOOSE);
      last = objective();
    }
    solveGate(LIKELIHOODS, PLACE_BUCKETS, PLACES, 400, SUMS, GATE);
    last = objective();
    solveGate(LIKELIHOODS, PLACE_BUCKETS, PLACES, 401, SUMS, GATE);
    expect(Math.abs(objective() - last)).toBeLessThan(LOOSE);
  });

  test("stays uniform in a bucket that the slice has not seen", () => {
    writeSlice(4);
    solveGate(LIKELIHOODS, PLACE_BUCKETS, PLACES, 5, SUMS, GATE);
    const last = (BUCKETS - 1) * PARTS;
    for (let p = 0; p < PARTS; ++p) expect(Math.abs(get(GATE, last + p) - 1 / <f64>PARTS)).toBeLessThan(ROUNDING);
  });

  test("passes over places that no part explains", () => {
    writeSlice(5);
    solveGate(LIKELIHOODS, PLACE_BUCKETS, PLACES - 1, 3, SUMS, GATE);
    const wanted = copyOf(GATE, BUCKETS * PARTS);
    for (let p = 0; p < PARTS; ++p) put(LIKELIHOODS, (PLACES - 1) * PARTS + p, 0);
    solveGate(LIKELIHOODS, PLACE_BUCKETS, PLACES, 3, SUMS, GATE);
    expect(gap(GATE, wanted)).toBe(0);
  });
});
