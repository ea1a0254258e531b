import { ABSENT, ATTENDED, BITS, ROWS_0, V, WINDOW } from "../../shape";
import { addAttentionTargets, attendedWeight, countPairs, Pairs, solveAttention, totalPairs } from "../../solver/attention";
import { CIPHER, MARGINAL, TOKENS } from "../../solver/layout";
import { Dense, denseSoftmax, denseToken } from "../dense";
import { dense, N, placeAt, workAtText, writeModel } from "../model";
import { copyOf, gap, get, id, LOOSE, mark, ROUNDING, startValues, untouched } from "../support";

const COUNTS = memory.data(ROWS_0 * V * 4 + 16, 16);
const TOTALS = memory.data(ROWS_0 * 4 + 16, 16);
const SUMS = memory.data((WINDOW * WINDOW + WINDOW) * 8 + 16, 16);
const SCRATCH = memory.data(2 * WINDOW * 4 + 16, 16);
const W = memory.data(WINDOW * WINDOW * 4 + 16, 16);
const W0 = memory.data(WINDOW * 4 + 16, 16);
const pairs = changetype<Pairs>(memory.data(16, 16));

const ALPHA: f64 = 7;

function begin(seed: u32): void {
  startValues(seed);
  writeModel();
  pairs.counts = COUNTS;
  pairs.totals = TOTALS;
  pairs.marginal = MARGINAL;
  pairs.pseudoCounts = <f32>ALPHA;
  memory.fill(COUNTS, 0, ROWS_0 * V * 4);
  memory.fill(SUMS, 0, (WINDOW * WINDOW + WINDOW) * 8);
}

function count(from: i32, to: i32): void {
  const work = workAtText();
  countPairs(placeAt(work, 0), from, to, pairs);
}

function sum(i: i32): f64 {
  return load<f64>(SUMS + (i << 3));
}

/** Σ x ⊗ y over the text, a row of x a position and bit, without shares. */
function densePairs(): StaticArray<f64> {
  const out = new StaticArray<f64>(ROWS_0 * V);
  const model = dense();
  for (let at = 0; at < N; ++at) {
    for (let j = 0; j < WINDOW; ++j) {
      if (model.tokenAt(at - 1 - j) < 0) continue;
      const x = denseToken(CIPHER, model.tokenAt(at - 1 - j));
      for (let bit = 0; bit < BITS; ++bit) out[(j * BITS + bit) * V + id(TOKENS, at)] += x[bit];
    }
  }
  return out;
}

/** Targets of a place: how likely what came is by each position's pairs, the place itself left out. */
function denseTargets(model: Dense, at: i32, counts: StaticArray<f64>): StaticArray<f64> {
  const out = new StaticArray<f64>(WINDOW);
  const label = id(TOKENS, at);
  let all: f64 = 0;
  for (let j = 0; j < WINDOW; ++j) {
    const x = denseToken(CIPHER, model.tokenAt(at - 1 - j));
    for (let bit = 0; bit < BITS; ++bit) {
      if (x[bit] == 0) continue;
      const row = j * BITS + bit;
      let total: f64 = 0;
      for (let v = 0; v < V; ++v) total += counts[row * V + v];
      const others = Math.max(0, counts[row * V + label] - x[bit]);
      out[j] += (x[bit] * (others + ALPHA * get(MARGINAL, label))) / (total - x[bit] + ALPHA);
    }
    all += out[j];
  }
  for (let j = 0; j < WINDOW; ++j) out[j] /= all;
  return out;
}

if (ATTENDED != 0) {
  describe("pairs", () => {
    test("are counted by position and bit, over a text in two parts; rows are totalled", () => {
      begin(1);
      mark(COUNTS + ROWS_0 * V * 4, 16);
      mark(TOTALS + ROWS_0 * 4, 16);
      count(0, 50);
      count(50, N);
      totalPairs(pairs);
      const wanted = densePairs();
      expect(gap(COUNTS, wanted)).toBeLessThan(ROUNDING * 4);
      const totals = new StaticArray<f64>(ROWS_0);
      for (let i = 0; i < wanted.length; ++i) totals[i / V] += wanted[i];
      expect(gap(TOTALS, totals)).toBeLessThan(ROUNDING * 4);
      expect(untouched(COUNTS + ROWS_0 * V * 4, 16)).toBe(true);
      expect(untouched(TOTALS + ROWS_0 * 4, 16)).toBe(true);
    });
  });

  describe("targets of attention", () => {
    test("are how likely each position's pairs make what came, without the place itself; summed with comparisons", () => {
      begin(2);
      count(0, N);
      totalPairs(pairs);
      const work = workAtText();
      mark(SCRATCH + 2 * WINDOW * 4, 16);
      mark(SUMS + (WINDOW * WINDOW + WINDOW) * 8, 16);
      addAttentionTargets(placeAt(work, 0), 0, 60, pairs, SCRATCH, SUMS);
      addAttentionTargets(placeAt(work, 0), 60, N, pairs, SCRATCH, SUMS);
      const model = dense();
      const counts = densePairs();
      const wanted = new StaticArray<f64>(WINDOW * WINDOW + WINDOW);
      for (let at = WINDOW; at < N; ++at) {
        const c = model.comparisons(at);
        const t = denseTargets(model, at, counts);
        for (let j = 0; j < WINDOW; ++j) {
          for (let i = 0; i < WINDOW; ++i) wanted[i * WINDOW + j] += c[i] * t[j];
          wanted[WINDOW * WINDOW + j] += t[j];
        }
      }
      for (let i = 0; i < wanted.length; ++i) expect(Math.abs(sum(i) - wanted[i])).toBeLessThan(LOOSE, i.toString());
      expect(untouched(SCRATCH + 2 * WINDOW * 4, 16)).toBe(true);
      expect(untouched(SUMS + (WINDOW * WINDOW + WINDOW) * 8, 16)).toBe(true);
    });

    test("are none of a place whose window is not whole", () => {
      begin(3);
      count(0, N);
      totalPairs(pairs);
      addAttentionTargets(placeAt(workAtText(), 0), 0, WINDOW, pairs, SCRATCH, SUMS);
      for (let i = 0; i < WINDOW * WINDOW + WINDOW; ++i) expect(sum(i)).toBe(0);
      expect(<u32>id(TOKENS, 0)).not.toBe(ABSENT);
    });
  });

  describe("solving attention", () => {
    test("gives w0 = log π and W the smoothed log-odds of each comparison's targets", () => {
      startValues(4);
      const sums = new StaticArray<f64>(WINDOW * WINDOW + WINDOW);
      for (let i = 0; i < sums.length; ++i) {
        sums[i] = <f64>((i * 7) % 11) + 1;
        store<f64>(SUMS + (i << 3), sums[i]);
      }
      mark(W + WINDOW * WINDOW * 4, 16);
      mark(W0 + WINDOW * 4, 16);
      solveAttention(SUMS, ALPHA, W, W0);
      let all: f64 = 0;
      for (let j = 0; j < WINDOW; ++j) all += sums[WINDOW * WINDOW + j];
      const wanted = new StaticArray<f64>(WINDOW * WINDOW);
      const wanted0 = new StaticArray<f64>(WINDOW);
      for (let i = 0; i < WINDOW; ++i) {
        let row: f64 = 0;
        for (let j = 0; j < WINDOW; ++j) row += sums[i * WINDOW + j];
        for (let j = 0; j < WINDOW; ++j) {
          const prior = sums[WINDOW * WINDOW + j] / all;
          wanted0[j] = Math.log(prior);
          wanted[i * WINDOW + j] = Math.log((sums[i * WINDOW + j] + ALPHA * prior) / ((row + ALPHA) * prior));
        }
      }
      expect(gap(W, wanted)).toBeLessThan(ROUNDING * 4);
      expect(gap(W0, wanted0)).toBeLessThan(ROUNDING * 4);
      expect(untouched(W + WINDOW * WINDOW * 4, 16)).toBe(true);
      expect(untouched(W0 + WINDOW * 4, 16)).toBe(true);
    });

    test("attends to all positions alike where nothing was summed", () => {
      memory.fill(SUMS, 0, (WINDOW * WINDOW + WINDOW) * 8);
      solveAttention(SUMS, ALPHA, W, W0);
      for (let i = 0; i < WINDOW * WINDOW; ++i) expect(Math.abs(get(W, i))).toBeLessThan(ROUNDING);
      for (let j = 0; j < WINDOW; ++j) expect(Math.abs(get(W0, j) + Math.log(<f64>WINDOW))).toBeLessThan(ROUNDING * 4);
      expect(Math.abs(<f64>attendedWeight(W0) - 1)).toBeLessThan(ROUNDING * 4);
    });

    test("is weighed so that the pivot of a window without comparisons counts once", () => {
      begin(5);
      for (let i = 0; i < WINDOW * WINDOW + WINDOW; ++i) store<f64>(SUMS + (i << 3), <f64>(1 + i % 5));
      solveAttention(SUMS, ALPHA, W, W0);
      const shares = copyOf(W0, WINDOW);
      denseSoftmax(shares, 0, WINDOW);
      expect(Math.abs(<f64>attendedWeight(W0) * <f64>WINDOW * shares[0] - 1)).toBeLessThan(ROUNDING * 8);
    });
  });
}
