import { adapt, ANY, attend, countDistinct, gateBucket, gateInputs, resetGate, solveGate, sumWeights } from "../attention";
import { followerOf, list, orderOf, weighByStack, weightOf } from "../matches";
import { BUCKETS, ORDERS, PARTS, V } from "../shape";
import {
  below,
  copyOf,
  fill,
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
const DISTINCT = memory.data(ORDERS * 4 + 16, 16);
const SEEN = memory.data(V + 16, 16);
const GATE = memory.data(ORDERS * BUCKETS * 4 + 16, 16);
const MIXED = memory.data(3 * ORDERS * 4 + 16, 16);
const STATE = memory.data(2 * ORDERS * BUCKETS * 4 + 16, 16);
const PROBABILITIES = memory.data(V * 4 + 16, 16);
const LIKELIHOODS = memory.data(PLACES * PARTS * 4, 16);
const PLACE_BUCKETS = memory.data(PLACES * ORDERS + 16, 16);
const CHAIN = memory.data(PARTS * 4 + 16, 16);
const SUMS = memory.data(2 * ORDERS * BUCKETS * 4 + 16, 16);

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
    list(orders[i], followers[i], 1 + below(60000), i, MATCHES, TOTALS);
  }
}

/** Matches of order o + 1 or more, or those of them that `token` followed. */
function count(o: i32, token: i32): i32 {
  let n = 0;
  for (let i = 0; i < found; ++i) if (orders[i] > o && (token < 0 || followers[i] == token)) ++n;
  return n;
}

/** Weights of the matches of order o + 1 or more, or of those that `token` followed. */
function weight(o: i32, token: i32): f64 {
  let sum: f64 = 0;
  for (let i = 0; i < found; ++i) {
    if (orders[i] > o && (token < 0 || followers[i] == token)) sum += <f64>weightOf(load<u32>(MATCHES + ((<usize>i) << 2)));
  }
  return sum;
}

/** Tokens that followed a match of order o + 1 or more. */
function distinctOf(o: i32): i32 {
  let n = 0;
  for (let v = 0; v < V; ++v) if (count(o, v) > 0) ++n;
  return n;
}

/** The bucket by its definition. */
function bucketOf(total: i32, distinct: i32): i32 {
  let many = 7;
  if (total <= 64) many = 6;
  if (total <= 16) many = 5;
  if (total <= 8) many = 4;
  if (total <= 4) many = total - 1;
  if (distinct == 1) return many * 4;
  if (distinct == total) return many * 4 + 3;
  return many * 4 + (<f64>distinct <= <f64>total / 2 ? 1 : 2);
}

function lambda(o: i32): f64 {
  return get(GATE, o * BUCKETS + bucketOf(count(o, -1), distinctOf(o)));
}

/** p_o = (1 − λ) p_{o−1} + λ q_o, by definition. */
function mixture(): StaticArray<f64> {
  const out = copyOf(PROBABILITIES, V);
  for (let o = 0; o < ORDERS; ++o) {
    if (count(o, -1) == 0) continue;
    for (let v = 0; v < V; ++v) out[v] = (1 - lambda(o)) * out[v] + (lambda(o) * weight(o, v)) / weight(o, -1);
  }
  return out;
}

describe("the gate's bucket", () => {
  test("tells how many matches there are and how far their followers agree", () => {
    for (let total = 1; total < 100; ++total) {
      for (let distinct = 1; distinct <= total; ++distinct) {
        expect(gateBucket(total, distinct)).toBe(bucketOf(total, distinct));
      }
    }
  });

  test("stays within the table", () => {
    expect(gateBucket(1, 1)).toBe(0);
    expect(gateBucket(i32.MAX_VALUE, i32.MAX_VALUE - 1)).toBeLessThan(BUCKETS);
  });
});

describe("distinct followers", () => {
  test("are counted order by order, and the scratch is clean afterwards", () => {
    for (let n = 1; n <= 16; ++n) {
      for (let longest = 1; longest <= ORDERS; ++longest) {
        writeMatches(n, longest);
        mark(DISTINCT + ORDERS * 4, 16);
        countDistinct(MATCHES, n, SEEN, DISTINCT);
        for (let o = 0; o < ORDERS; ++o) {
          expect(load<i32>(DISTINCT + (<usize>o << 2))).toBe(distinctOf(o));
        }
        for (let v: usize = 0; v < <usize>V; ++v) expect(load<u8>(SEEN + v)).toBe(0);
        expect(untouched(DISTINCT + ORDERS * 4, 16)).toBe(true);
      }
    }
  });
});

describe("attention", () => {
  beforeEach(() => startValues(1));

  test("mixes order by order, from the stack up", () => {
    for (let n = 1; n <= 16; ++n) {
      for (let longest = 1; longest <= ORDERS; ++longest) {
        writeMatches(n, longest);
        countDistinct(MATCHES, n, SEEN, DISTINCT);
        fill(GATE, ORDERS * BUCKETS, 0, 1);
        resetGate(GATE, STATE);
        mark(MIXED + 3 * ORDERS * 4, 16);
        fill(PROBABILITIES, V, 0, 1);
        mark(PROBABILITIES + V * 4, 16);
        const wanted = mixture();
        let kept: f64 = 1;
        for (let o = 0; o < longest; ++o) kept *= 1 - lambda(o);
        const rest = attend(MATCHES, n, TOTALS, DISTINCT, STATE, MIXED, PROBABILITIES);
        expect(gap(PROBABILITIES, wanted)).toBeLessThan(ROUNDING);
        expect(Math.abs(<f64>rest - kept)).toBeLessThan(ROUNDING);
        expect(untouched(PROBABILITIES + V * 4, 16)).toBe(true);
        expect(untouched(MIXED + 3 * ORDERS * 4, 16)).toBe(true);
      }
    }
  });

  test("leaves the stack alone where no order is trusted, and forgets it where the highest is trusted fully", () => {
    writeMatches(9, ORDERS);
    countDistinct(MATCHES, 9, SEEN, DISTINCT);
    memory.fill(GATE, 0, ORDERS * BUCKETS * 4);
    fill(PROBABILITIES, V, 0, 1);
    const before = copyOf(PROBABILITIES, V);
    resetGate(GATE, STATE);
    attend(MATCHES, 9, TOTALS, DISTINCT, STATE, MIXED, PROBABILITIES);
    expect(gap(PROBABILITIES, before)).toBe(0);
    for (let i = 0; i < ORDERS * BUCKETS; ++i) put(GATE, i, 1);
    resetGate(GATE, STATE);
    expect(attend(MATCHES, 9, TOTALS, DISTINCT, STATE, MIXED, PROBABILITIES)).toBe(0);
  });
});

describe("the gate of a text", () => {
  beforeEach(() => startValues(1));

  test("begins as the model's, also where that stands in its place", () => {
    fill(GATE, ORDERS * BUCKETS, 0, 1);
    memory.copy(STATE, GATE, ORDERS * BUCKETS * 4);
    mark(STATE + 2 * ORDERS * BUCKETS * 4, 16);
    resetGate(STATE, STATE);
    for (let i = 0; i < ORDERS * BUCKETS; ++i) {
      expect(get(STATE, i) / get(STATE, ORDERS * BUCKETS + i)).toBe(get(GATE, i));
      expect(get(STATE, ORDERS * BUCKETS + i)).toBe(8);
    }
    expect(untouched(STATE + 2 * ORDERS * BUCKETS * 4, 16)).toBe(true);
  });

  test("adds the responsibilities of the token that came, and the places where an order was reached", () => {
    for (let n = 1; n <= 16; ++n) {
      const longest = 1 + below(ORDERS);
      writeMatches(n, longest);
      countDistinct(MATCHES, n, SEEN, DISTINCT);
      fill(GATE, ORDERS * BUCKETS, 0, 1);
      fill(PROBABILITIES, V, 0, 1);
      resetGate(GATE, STATE);
      const stack = copyOf(PROBABILITIES, V);
      const token = below(7); // the last of them follows no match
      attend(MATCHES, n, TOTALS, DISTINCT, STATE, MIXED, PROBABILITIES);
      const before = copyOf(STATE, 2 * ORDERS * BUCKETS);
      mark(STATE + 2 * ORDERS * BUCKETS * 4, 16);
      adapt(MATCHES, n, token, load<f32>(PROBABILITIES + ((<usize>token) << 2)), STATE, MIXED);
      // by definition, from the stack up: p_o, and from the top down what each order explains of it
      const chain = new StaticArray<f64>(ORDERS + 1);
      chain[0] = stack[token];
      for (let o = 0; o < ORDERS; ++o) {
        const q = count(o, -1) == 0 ? 0 : weight(o, token) / weight(o, -1);
        chain[o + 1] = count(o, -1) == 0 ? chain[o] : (1 - lambda(o)) * chain[o] + lambda(o) * q;
      }
      let reached: f64 = 1;
      for (let o = ORDERS - 1; o >= 0; --o) {
        if (count(o, -1) == 0) continue;
        const cell = o * BUCKETS + bucketOf(count(o, -1), distinctOf(o));
        const share = (reached * lambda(o) * (weight(o, token) / weight(o, -1))) / chain[o + 1];
        expect(Math.abs(get(STATE, cell) - before[cell] - share)).toBeLessThan(LOOSE);
        const places = ORDERS * BUCKETS + cell;
        expect(Math.abs(get(STATE, places) - before[places] - reached)).toBeLessThan(LOOSE);
        before[cell] = get(STATE, cell);
        before[places] = get(STATE, places);
        reached -= share;
      }
      expect(gap(STATE, before)).toBe(0, "cells of other buckets");
      expect(untouched(STATE + 2 * ORDERS * BUCKETS * 4, 16)).toBe(true);
    }
  });

  test("stays within 0..1 and comes to what the text says, however long it is", () => {
    writeMatches(3, 1);
    for (let i = 0; i < 3; ++i) followers[i] = 0;
    for (let i = 0; i < 3; ++i) list(1, 0, 1 + i, i, MATCHES, TOTALS);
    store<i32>(TOTALS, 3);
    countDistinct(MATCHES, 3, SEEN, DISTINCT);
    const cell = bucketOf(3, 1);
    for (let i = 0; i < ORDERS * BUCKETS; ++i) put(GATE, i, 0.5);
    resetGate(GATE, STATE);
    for (let t = 0; t < 3000; ++t) {
      for (let v = 0; v < V; ++v) put(PROBABILITIES, v, 0.001);
      const token = t % 4 == 0 ? 0 : 1; // the matches are right one time in four
      attend(MATCHES, 3, TOTALS, DISTINCT, STATE, MIXED, PROBABILITIES);
      adapt(MATCHES, 3, token, load<f32>(PROBABILITIES + ((<usize>token) << 2)), STATE, MIXED);
      const trust = get(STATE, cell) / get(STATE, ORDERS * BUCKETS + cell);
      expect(trust > 0 && trust < 1).toBe(true);
      expect(get(STATE, ORDERS * BUCKETS + cell)).toBeLessThan(130);
      if (t > 500) expect(Math.abs(trust - 0.25)).toBeLessThan(0.03);
    }
  });

  test("learns nothing from a token that was not possible", () => {
    writeMatches(9, ORDERS);
    countDistinct(MATCHES, 9, SEEN, DISTINCT);
    for (let i = 0; i < ORDERS * BUCKETS; ++i) put(GATE, i, 1);
    resetGate(GATE, STATE);
    const before = copyOf(STATE, 2 * ORDERS * BUCKETS);
    adapt(MATCHES, 9, 7, 0, STATE, MIXED);
    expect(gap(STATE, before)).toBe(0);
  });
});

describe("sums of weights", () => {
  test("are those of each order or a higher one", () => {
    startValues(2);
    for (let n = 0; n <= 16; ++n) {
      writeMatches(n, n == 0 ? 0 : 1 + below(ORDERS));
      mark(CHAIN + ORDERS * 4, 16);
      for (let token = ANY; token < 7; ++token) {
        sumWeights(MATCHES, n, token, CHAIN);
        for (let o = 0; o < ORDERS; ++o) expect(Math.abs(get(CHAIN, o) - weight(o, token))).toBeLessThan(LOOSE);
      }
      expect(untouched(CHAIN + ORDERS * 4, 16)).toBe(true);
    }
  });
});

describe("the gate's inputs", () => {
  beforeEach(() => startValues(1));

  test("are the likelihoods under the stack and each order, and the buckets", () => {
    for (let n = 0; n <= 16; ++n) {
      const longest = n == 0 ? 0 : 1 + below(ORDERS);
      writeMatches(n, longest);
      countDistinct(MATCHES, n, SEEN, DISTINCT);
      const token = below(6);
      mark(LIKELIHOODS + PARTS * 4, 16);
      gateInputs(MATCHES, n, TOTALS, DISTINCT, token, 0.125, CHAIN, LIKELIHOODS, PLACE_BUCKETS);
      expect(get(LIKELIHOODS, 0)).toBe(0.125);
      for (let o = 0; o < ORDERS; ++o) {
        const total = count(o, -1);
        const wanted = total == 0 ? 0 : weight(o, token) / weight(o, -1);
        expect(Math.abs(get(LIKELIHOODS, 1 + o) - wanted)).toBeLessThan(ROUNDING);
        const bucket = total == 0 ? 0xff : bucketOf(total, distinctOf(o));
        expect(<i32>load<u8>(PLACE_BUCKETS + o)).toBe(bucket);
      }
      expect(untouched(LIKELIHOODS + PARTS * 4, 16)).toBe(true);
    }
  });
});

/** Random places: likelihoods of all parts, buckets of the first few orders. */
function writePlaces(): void {
  fill(LIKELIHOODS, PLACES * PARTS, 0.001, 0.8);
  for (let t = 0; t < PLACES; ++t) {
    const top = below(ORDERS + 1);
    for (let o = 0; o < ORDERS; ++o) store<u8>(PLACE_BUCKETS + t * ORDERS + o, o < top ? <u8>below(6) : 0xff);
  }
}

/** Σ ln p of the slice, plus that of the pseudo-counts: what a sweep never lowers. */
function objective(): f64 {
  let sum: f64 = 0;
  for (let i = 0; i < ORDERS * BUCKETS; ++i) sum += 0.6 * Math.log(get(GATE, i)) + 1.4 * Math.log(1 - get(GATE, i));
  for (let t = 0; t < PLACES; ++t) {
    let p = get(LIKELIHOODS, t * PARTS);
    for (let o = 0; o < ORDERS; ++o) {
      const bucket = <i32>load<u8>(PLACE_BUCKETS + t * ORDERS + o);
      if (bucket == 0xff) break;
      const l = get(GATE, o * BUCKETS + bucket);
      p = (1 - l) * p + l * get(LIKELIHOODS, t * PARTS + 1 + o);
    }
    sum += Math.log(p);
  }
  return sum;
}

describe("solving the gate", () => {
  beforeEach(() => {
    startValues(1);
    writePlaces();
  });

  test("starts from three tenths, and keeps that where a bucket never came", () => {
    solveGate(LIKELIHOODS, PLACE_BUCKETS, PLACES, 0, CHAIN, SUMS, GATE);
    for (let i = 0; i < ORDERS * BUCKETS; ++i) expect(get(GATE, i)).toBe(<f64>(<f32>0.3));
    solveGate(LIKELIHOODS, PLACE_BUCKETS, PLACES, 9, CHAIN, SUMS, GATE);
    for (let i = 6; i < BUCKETS; ++i) expect(Math.abs(get(GATE, i) - 0.3)).toBeLessThan(ROUNDING);
  });

  test("never lowers the likelihood of the slice with that of the pseudo-counts", () => {
    let least = -Infinity;
    for (let sweeps = 0; sweeps < 40; ++sweeps) {
      mark(GATE + ORDERS * BUCKETS * 4, 16);
      mark(SUMS + 2 * ORDERS * BUCKETS * 4, 16);
      solveGate(LIKELIHOODS, PLACE_BUCKETS, PLACES, sweeps, CHAIN, SUMS, GATE);
      expect(objective()).toBeGreaterThan(least - 1e-4);
      least = objective();
      expect(untouched(GATE + ORDERS * BUCKETS * 4, 16)).toBe(true);
      expect(untouched(SUMS + 2 * ORDERS * BUCKETS * 4, 16)).toBe(true);
    }
  });

  test("comes to a point that another sweep leaves where it is", () => {
    solveGate(LIKELIHOODS, PLACE_BUCKETS, PLACES, 400, CHAIN, SUMS, GATE);
    const before = copyOf(GATE, ORDERS * BUCKETS);
    solveGate(LIKELIHOODS, PLACE_BUCKETS, PLACES, 401, CHAIN, SUMS, GATE);
    expect(gap(GATE, before)).toBeLessThan(LOOSE);
  });

  test("passes over a place that nothing predicts", () => {
    const last = PLACES - 1;
    for (let o = 0; o < ORDERS; ++o) store<u8>(PLACE_BUCKETS + last * ORDERS + o, <u8>o);
    solveGate(LIKELIHOODS, PLACE_BUCKETS, last, 3, CHAIN, SUMS, GATE);
    const wanted = copyOf(GATE, ORDERS * BUCKETS);
    for (let p = 0; p < PARTS; ++p) put(LIKELIHOODS, last * PARTS + p, 0);
    solveGate(LIKELIHOODS, PLACE_BUCKETS, PLACES, 3, CHAIN, SUMS, GATE);
    expect(gap(GATE, wanted)).toBe(0);
  });
});

describe("matches weighed by the stack", () => {
  test("weigh p^¼ of what followed, cut to six bits, and keep follower and order", () => {
    startValues(11);
    writeMatches(16, ORDERS);
    fill(PROBABILITIES, V, 0, 1);
    put(PROBABILITIES, followers[3], 0); // no weight is 0
    const before = new StaticArray<u32>(16);
    for (let i = 0; i < 16; ++i) before[i] = load<u32>(MATCHES + ((<usize>i) << 2));
    weighByStack(MATCHES, 16, PROBABILITIES);
    for (let i = 0; i < 16; ++i) {
      const match = load<u32>(MATCHES + ((<usize>i) << 2));
      expect(followerOf(match)).toBe(followers[i]);
      expect(orderOf(match)).toBe(orders[i]);
      const p = Math.max(1.1754944e-38, get(PROBABILITIES, followers[i]));
      const wanted = <f64>weightOf(before[i]) * Math.pow(p, 0.25);
      const found = <f64>weightOf(match);
      expect(found).toBeGreaterThan(wanted * (1 - 1.0 / 32) * (1 - 1e-6), i.toString());
      expect(found).toBeLessThan(wanted * (1 + 1e-6), i.toString());
      expect(found).toBeGreaterThan(0);
    }
  });
});
