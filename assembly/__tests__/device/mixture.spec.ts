import { adaptMixture, addPlace, attend, resetMixture } from "../../device/mixture";
import { countDistinct, listMatch } from "../../history/matches";
import { BUCKETS, CELLS, MATCH_LENGTH, V } from "../../shape";
import { bucketAt, clearMatches, count, denseBucket, followers, lengths, matches, MOST, weight, writeMatches } from "../matches";
import { below, copyOf, fill, gap, get, LOOSE, mark, put, ROUNDING, startValues, untouched } from "../support";

const TABLE = memory.data(CELLS * 4 + 16, 16);
const SUMS = memory.data(2 * CELLS * 4 + 16, 16);
const MIXED = memory.data(3 * MATCH_LENGTH * 4 + 16, 16);
const PROBABILITIES = memory.data(V * 4 + 16, 16);

function cellOf(l: i32): i32 {
  return l * BUCKETS + bucketAt(l);
}

function lambda(l: i32): f64 {
  return get(TABLE, cellOf(l));
}

/** p_l = (1 − λ) p_{l−1} + λ q_l, by definition. */
function mixture(): StaticArray<f64> {
  const out = copyOf(PROBABILITIES, V);
  for (let l = 0; l < MATCH_LENGTH; ++l) {
    if (count(l, -1) == 0) continue;
    for (let v = 0; v < V; ++v) out[v] = (1 - lambda(l)) * out[v] + (lambda(l) * weight(l, v)) / weight(l, -1);
  }
  return out;
}

/** Random matches, mixture and network. */
function begin(n: i32, longest: i32): void {
  writeMatches(n, longest);
  countDistinct(matches);
  fill(TABLE, CELLS, 0, 1);
  fill(PROBABILITIES, V, 0, 1);
  resetMixture(TABLE, SUMS);
}

describe("attention to the history", () => {
  beforeEach(() => startValues(1));

  test("mixes length by length, from the network up", () => {
    for (let n = 1; n <= MOST; ++n) {
      for (let longest = 1; longest <= MATCH_LENGTH; ++longest) {
        begin(n, longest);
        mark(MIXED + 3 * MATCH_LENGTH * 4, 16);
        mark(PROBABILITIES + V * 4, 16);
        const wanted = mixture();
        let kept: f64 = 1;
        for (let l = 0; l < longest; ++l) kept *= 1 - lambda(l);
        const rest = attend(matches, SUMS, MIXED, PROBABILITIES);
        expect(gap(PROBABILITIES, wanted)).toBeLessThan(ROUNDING * 2);
        expect(Math.abs(<f64>rest - kept)).toBeLessThan(ROUNDING);
        expect(untouched(PROBABILITIES + V * 4, 16)).toBe(true);
        expect(untouched(MIXED + 3 * MATCH_LENGTH * 4, 16)).toBe(true);
      }
    }
  });

  test("leaves the network alone where no length is trusted, and forgets it where the greatest is trusted fully", () => {
    begin(9, MATCH_LENGTH);
    memory.fill(TABLE, 0, CELLS * 4);
    const before = copyOf(PROBABILITIES, V);
    resetMixture(TABLE, SUMS);
    expect(attend(matches, SUMS, MIXED, PROBABILITIES)).toBe(1);
    expect(gap(PROBABILITIES, before)).toBe(0);
    for (let i = 0; i < CELLS; ++i) put(TABLE, i, 1);
    resetMixture(TABLE, SUMS);
    expect(attend(matches, SUMS, MIXED, PROBABILITIES)).toBe(0);
  });
});

describe("the mixture of a text", () => {
  beforeEach(() => startValues(1));

  test("begins as the model's, also where that stands in its place", () => {
    fill(TABLE, CELLS, 0, 1);
    memory.copy(SUMS, TABLE, CELLS * 4);
    mark(SUMS + 2 * CELLS * 4, 16);
    resetMixture(SUMS, SUMS);
    for (let i = 0; i < CELLS; ++i) {
      expect(get(SUMS, i) / get(SUMS, CELLS + i)).toBe(get(TABLE, i));
      expect(get(SUMS, CELLS + i)).toBe(8);
    }
    expect(untouched(SUMS + 2 * CELLS * 4, 16)).toBe(true);
  });

  test("adds the responsibilities of the token that came, and the places where a length was reached", () => {
    for (let n = 1; n <= MOST; ++n) {
      begin(n, 1 + below(MATCH_LENGTH));
      const network = copyOf(PROBABILITIES, V);
      const token = below(7); // the last of them follows no match
      attend(matches, SUMS, MIXED, PROBABILITIES);
      const before = copyOf(SUMS, 2 * CELLS);
      mark(SUMS + 2 * CELLS * 4, 16);
      adaptMixture(matches, token, <f32>get(PROBABILITIES, token), SUMS, MIXED);
      // by definition, from the network up: p_l, and from the top down what each length explains of it
      const chain = new StaticArray<f64>(MATCH_LENGTH + 1);
      chain[0] = network[token];
      for (let l = 0; l < MATCH_LENGTH; ++l) {
        const q = count(l, -1) == 0 ? 0 : weight(l, token) / weight(l, -1);
        chain[l + 1] = count(l, -1) == 0 ? chain[l] : (1 - lambda(l)) * chain[l] + lambda(l) * q;
      }
      let reached: f64 = 1;
      for (let l = MATCH_LENGTH - 1; l >= 0; --l) {
        if (count(l, -1) == 0) continue;
        const cell = cellOf(l);
        const share = (reached * lambda(l) * (weight(l, token) / weight(l, -1))) / chain[l + 1];
        expect(Math.abs(get(SUMS, cell) - before[cell] - share)).toBeLessThan(LOOSE);
        const places = CELLS + cell;
        expect(Math.abs(get(SUMS, places) - before[places] - reached)).toBeLessThan(LOOSE);
        before[cell] = get(SUMS, cell);
        before[places] = get(SUMS, places);
        reached -= share;
      }
      expect(gap(SUMS, before)).toBe(0, "cells of other buckets");
      expect(untouched(SUMS + 2 * CELLS * 4, 16)).toBe(true);
    }
  });

  test("stays within 0..1 and comes to what the text says, however long it is", () => {
    clearMatches();
    for (let i = 0; i < 3; ++i) {
      lengths[i] = 1;
      followers[i] = 0;
      listMatch(1, 0, 1 + i, matches);
    }
    countDistinct(matches);
    const cell = denseBucket(3, 1);
    for (let i = 0; i < CELLS; ++i) put(TABLE, i, 0.5);
    resetMixture(TABLE, SUMS);
    let wrong = 0;
    for (let t = 0; t < 3000; ++t) {
      for (let v = 0; v < V; ++v) put(PROBABILITIES, v, 0.001);
      const token = t % 4 == 0 ? 0 : 1; // the matches are right one time in four
      attend(matches, SUMS, MIXED, PROBABILITIES);
      adaptMixture(matches, token, <f32>get(PROBABILITIES, token), SUMS, MIXED);
      const trust = get(SUMS, cell) / get(SUMS, CELLS + cell);
      if (!(trust > 0 && trust < 1 && get(SUMS, CELLS + cell) < 130)) ++wrong;
      if (t > 500 && !(Math.abs(trust - 0.25) < 0.03)) ++wrong;
    }
    expect(wrong).toBe(0);
  });

  test("learns nothing from a token that was not possible", () => {
    begin(9, MATCH_LENGTH);
    attend(matches, SUMS, MIXED, PROBABILITIES);
    const before = copyOf(SUMS, 2 * CELLS);
    adaptMixture(matches, 7, 0, SUMS, MIXED);
    expect(gap(SUMS, before)).toBe(0);
  });

  test("halves what it remembers of a cell once that is of more than 128 places", () => {
    put(SUMS, 0, 32);
    put(SUMS, 1, 128);
    addPlace(SUMS, 0.5, SUMS + 4, 0.75);
    expect(get(SUMS, 0)).toBe(32.5);
    expect(get(SUMS, 1)).toBe(128.75);
    addPlace(SUMS, 0.5, SUMS + 4, 0.75);
    expect(get(SUMS, 0)).toBe(16.75);
    expect(get(SUMS, 1)).toBe(65.125);
  });
});
