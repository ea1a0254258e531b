import { countToken, rescale, rescaled, resetMarginals } from "../../device/marginals";
import { scaleInPlace } from "../../common/softmax";
import { V } from "../../shape";
import { below, between, copyOf, fillDistribution, gap, get, LOOSE, mark, put, ROUNDING, startValues, untouched } from "../support";

const K: f64 = 3; // tokens that came as often as expected, before the text
const MARKED: usize = 16;
const MARGINALS = memory.data(2 * V * 4 + 16, 16);
const NETWORK = memory.data(V * 4 + 16, 16);
const PROBABILITIES = memory.data(V * 4 + 16, 16);
const EXPECTED = MARGINALS + V * 4;

/** PROBABILITIES ← the network rescaled, of unit sum; returns its scale. */
function rescaleAll(): f32 {
  const scale = rescale(MARGINALS, NETWORK, PROBABILITIES);
  scaleInPlace(PROBABILITIES, V, scale);
  return scale;
}

describe("a text's marginals", () => {
  test("before the text the network is as it was", () => {
    startValues(1);
    mark(MARGINALS + 2 * V * 4, MARKED);
    resetMarginals(MARGINALS);
    fillDistribution(NETWORK, V);
    const wanted = copyOf(NETWORK, V);
    mark(PROBABILITIES + V * 4, MARKED);
    rescaleAll();
    expect(gap(NETWORK, wanted)).toBe(0);
    expect(gap(PROBABILITIES, wanted)).toBeLessThan(ROUNDING);
    expect(untouched(MARGINALS + 2 * V * 4, MARKED)).toBe(true);
    expect(untouched(PROBABILITIES + V * 4, MARKED)).toBe(true);
  });

  test("are counts of what came and of what was expected, by the share that the network explains", () => {
    startValues(2);
    resetMarginals(MARGINALS);
    const came = new StaticArray<f64>(V);
    const expected = new StaticArray<f64>(V);
    let counted: u32 = 0;
    for (let t = 0; t < 50; ++t) {
      fillDistribution(NETWORK, V);
      const token = below(V);
      const share = between(0, 1);
      counted = countToken(token, <f32>share, NETWORK, counted, MARGINALS);
      came[token] += share;
      for (let v = 0; v < V; ++v) expected[v] += share * get(NETWORK, v);
    }
    expect(counted).toBe(50);
    for (let v = 0; v < V; ++v) {
      came[v] += K;
      expected[v] += K;
    }
    expect(gap(MARGINALS, came)).toBeLessThan(LOOSE);
    expect(gap(EXPECTED, expected)).toBeLessThan(LOOSE);
    // the network times (N + k) / (E + k), of unit sum
    const wanted = copyOf(NETWORK, V);
    let sum: f64 = 0;
    for (let v = 0; v < V; ++v) {
      wanted[v] *= came[v] / expected[v];
      sum += wanted[v];
    }
    for (let v = 0; v < V; ++v) wanted[v] /= sum;
    const scale = rescaleAll();
    expect(gap(PROBABILITIES, wanted)).toBeLessThan(LOOSE);
    expect(Math.abs(<f64>scale * sum - 1)).toBeLessThan(LOOSE);
    for (let v = 0; v < V; ++v) {
      expect<f32>(rescaled(MARGINALS, NETWORK, v, scale)).toBe(load<f32>(PROBABILITIES + (<usize>v << 2)));
    }
  });

  test("are halved when they are of 32,768 tokens, and what stands before the text is not", () => {
    startValues(3);
    resetMarginals(MARGINALS);
    for (let v = 0; v < V; ++v) {
      put(MARGINALS, v, K + <f64>(2 * v));
      put(EXPECTED, v, K + <f64>(4 * v));
    }
    fillDistribution(NETWORK, V);
    expect(countToken(0, 0, NETWORK, 32767, MARGINALS)).toBe(32768);
    expect(get(MARGINALS, 5)).toBe(K + 10);
    expect(countToken(0, 0, NETWORK, 32768, MARGINALS)).toBe(16385);
    for (let v = 0; v < V; ++v) {
      expect(get(MARGINALS, v)).toBe(K + <f64>v);
      expect(get(EXPECTED, v)).toBe(K + <f64>(2 * v));
    }
  });

  test("a token that comes more often than expected is predicted more, and the other way round", () => {
    startValues(4);
    resetMarginals(MARGINALS);
    fillDistribution(NETWORK, V);
    let counted: u32 = 0;
    for (let t = 0; t < 20; ++t) counted = countToken(3, 1, NETWORK, counted, MARGINALS);
    rescaleAll();
    for (let v = 0; v < V; ++v) {
      if (v == 3) expect(get(PROBABILITIES, v)).toBeGreaterThan(get(NETWORK, v));
      else expect(get(PROBABILITIES, v)).toBeLessThan(get(NETWORK, v));
    }
  });
});
