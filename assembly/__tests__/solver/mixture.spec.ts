import { countDistinct } from "../../history/matches";
import { BUCKETS, CELLS, MATCH_LENGTH, PARTS } from "../../shape";
import { mixtureInputs, solveMixture } from "../../solver/mixture";
import { bucketAt, count, matches, MOST, weight, writeMatches } from "../matches";
import { below, copyOf, fill, gap, get, LOOSE, mark, put, ROUNDING, startValues, untouched } from "../support";

const PLACES = 40; // of the slice that the mixture is solved on
const TABLE = memory.data((CELLS + PARTS) * 4 + 16, 16);
const SCRATCH = memory.data(MATCH_LENGTH * 4 + 16, 16);
const SUMS = memory.data(2 * CELLS * 4 + 16, 16);
const LIKELIHOODS = memory.data(PLACES * PARTS * 4 + 16, 16);
const PLACE_BUCKETS = memory.data(PLACES * MATCH_LENGTH + 16, 16);

function bucketOfPlace(t: i32, l: i32): i32 {
  return <i32>load<u8>(PLACE_BUCKETS + t * MATCH_LENGTH + l);
}

describe("the mixture's inputs", () => {
  test("are the likelihoods under the network and each length, and the buckets", () => {
    startValues(1);
    for (let n = 0; n <= MOST; ++n) {
      writeMatches(n, n == 0 ? 0 : 1 + below(MATCH_LENGTH));
      countDistinct(matches);
      const token = below(6);
      mark(LIKELIHOODS + PARTS * 4, 16);
      mark(SCRATCH + MATCH_LENGTH * 4, 16);
      mark(PLACE_BUCKETS + MATCH_LENGTH, 16);
      mixtureInputs(matches, token, 0.125, SCRATCH, LIKELIHOODS, PLACE_BUCKETS);
      expect(get(LIKELIHOODS, 0)).toBe(0.125);
      for (let l = 0; l < MATCH_LENGTH; ++l) {
        const total = count(l, -1);
        const wanted = total == 0 ? 0 : weight(l, token) / weight(l, -1);
        expect(Math.abs(get(LIKELIHOODS, 1 + l) - wanted)).toBeLessThan(ROUNDING);
        expect(bucketOfPlace(0, l)).toBe(total == 0 ? 0xff : bucketAt(l));
      }
      expect(untouched(LIKELIHOODS + PARTS * 4, 16)).toBe(true);
      expect(untouched(SCRATCH + MATCH_LENGTH * 4, 16)).toBe(true);
      expect(untouched(PLACE_BUCKETS + MATCH_LENGTH, 16)).toBe(true);
    }
  });
});

/** Random places: likelihoods of all parts, buckets of the first few lengths. */
function writePlaces(): void {
  fill(LIKELIHOODS, PLACES * PARTS, 0.001, 0.8);
  for (let t = 0; t < PLACES; ++t) {
    const top = below(MATCH_LENGTH + 1);
    for (let l = 0; l < MATCH_LENGTH; ++l) {
      store<u8>(PLACE_BUCKETS + t * MATCH_LENGTH + l, l < top ? <u8>below(6) : 0xff);
    }
  }
}

/** Σ ln p of the slice, plus that of the pseudo-counts: what a sweep never lowers. */
function objective(): f64 {
  let sum: f64 = 0;
  for (let i = 0; i < CELLS; ++i) sum += 0.6 * Math.log(get(TABLE, i)) + 1.4 * Math.log(1 - get(TABLE, i));
  for (let t = 0; t < PLACES; ++t) {
    let p = get(LIKELIHOODS, t * PARTS);
    for (let l = 0; l < MATCH_LENGTH && bucketOfPlace(t, l) != 0xff; ++l) {
      const lambda = get(TABLE, l * BUCKETS + bucketOfPlace(t, l));
      p = (1 - lambda) * p + lambda * get(LIKELIHOODS, t * PARTS + 1 + l);
    }
    sum += Math.log(p);
  }
  return sum;
}

function solve(places: i32, sweeps: i32): void {
  solveMixture(LIKELIHOODS, PLACE_BUCKETS, places, sweeps, SUMS, TABLE);
}

describe("solving the mixture", () => {
  beforeEach(() => {
    startValues(1);
    writePlaces();
  });

  test("starts from three tenths, and keeps that where a bucket never came", () => {
    solve(PLACES, 0);
    for (let i = 0; i < CELLS; ++i) expect(get(TABLE, i)).toBe(<f64>(<f32>0.3));
    solve(PLACES, 9);
    for (let i = 6; i < BUCKETS; ++i) expect(Math.abs(get(TABLE, i) - 0.3)).toBeLessThan(ROUNDING);
  });

  test("never lowers the likelihood of the slice with that of the pseudo-counts", () => {
    let least = -Infinity;
    for (let sweeps = 0; sweeps < 40; ++sweeps) {
      mark(TABLE + (CELLS + PARTS) * 4, 16);
      mark(SUMS + 2 * CELLS * 4, 16);
      solve(PLACES, sweeps);
      expect(objective()).toBeGreaterThan(least - 1e-4);
      least = objective();
      expect(untouched(TABLE + (CELLS + PARTS) * 4, 16)).toBe(true);
      expect(untouched(SUMS + 2 * CELLS * 4, 16)).toBe(true);
    }
  });

  test("comes to where the likelihood is flat in every cell, and another sweep leaves that as it is", () => {
    solve(PLACES, 400);
    const before = copyOf(TABLE, CELLS);
    for (let i = 0; i < CELLS; ++i) {
      put(TABLE, i, before[i] + 1e-3);
      const above = objective();
      put(TABLE, i, before[i] - 1e-3);
      expect(Math.abs(above - objective()) / 2e-3).toBeLessThan(0.02, i.toString());
      put(TABLE, i, before[i]);
    }
    solve(PLACES, 401);
    expect(gap(TABLE, before)).toBeLessThan(LOOSE);
  });

  test("passes over a place that nothing predicts", () => {
    const last = PLACES - 1;
    for (let l = 0; l < MATCH_LENGTH; ++l) store<u8>(PLACE_BUCKETS + last * MATCH_LENGTH + l, <u8>l);
    solve(last, 3);
    const wanted = copyOf(TABLE, CELLS);
    for (let p = 0; p < PARTS; ++p) put(LIKELIHOODS, last * PARTS + p, 0);
    solve(PLACES, 3);
    expect(gap(TABLE, wanted)).toBe(0);
  });
});
