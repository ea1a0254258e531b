import { adaptRecency, countRecent, mixRecent, resetRecency } from "../../device/recency";
import { V } from "../../shape";
import { below, copyOf, fillDistribution, gap, get, LOOSE, mark, put, ROUNDING, startValues, untouched } from "../support";

const VALUES = 4; // behind the counts
const SPAN: f64 = 512;
const MARKED: usize = 16;
const CACHE = memory.data((V + VALUES) * 4 + 16, 16);
const NETWORK = memory.data(V * 4 + 16, 16);
const PROBABILITIES = memory.data(V * 4 + 16, 16);
const SCRATCH = memory.data(V * 4 + 16, 16);

/** λ as the last values have it. */
function lambda(): f64 {
  return get(CACHE, V) / get(CACHE, V + 1);
}

/** Network and probabilities of random values. */
function fill(): void {
  fillDistribution(NETWORK, V);
  memory.copy(PROBABILITIES, NETWORK, V * 4);
}

describe("the recency cache", () => {
  test("has counts that fall to 1/e in 512 tokens, whatever the length of the text", () => {
    startValues(1);
    mark(CACHE + (V + VALUES) * 4, MARKED);
    resetRecency(CACHE);
    const wanted = new StaticArray<f64>(V);
    // 2^40 is passed twice
    for (let t = 0; t < 30000; ++t) {
      const token = below(V - 8); // some never come
      for (let v = 0; v < V; ++v) wanted[v] /= 1 + 1 / SPAN;
      wanted[token] += 1;
      countRecent(CACHE, token);
    }
    const newest = get(CACHE, V + 2) / (1 + 1 / SPAN);
    const counts = copyOf(CACHE, V);
    for (let v = 0; v < V; ++v) {
      expect(counts[v] / newest / (wanted[v] + 1e-6)).toBeGreaterThan(v < V - 8 ? 0.99 : 0);
      expect(counts[v] / newest - wanted[v]).toBeLessThan(0.01 * wanted[v] + 1e-6);
    }
    expect(untouched(CACHE + (V + VALUES) * 4, MARKED)).toBe(true);
  });

  test("is mixed in by λ, weighed by the fourth root of what the network says", () => {
    startValues(2);
    mark(PROBABILITIES + V * 4, MARKED);
    mark(SCRATCH + V * 4, MARKED);
    resetRecency(CACHE);
    for (let t = 0; t < 100; ++t) countRecent(CACHE, below(V));
    fill();
    const counts = copyOf(CACHE, V);
    const wanted = copyOf(NETWORK, V);
    let sum: f64 = 0;
    for (let v = 0; v < V; ++v) {
      counts[v] *= Math.sqrt(Math.sqrt(wanted[v]));
      sum += counts[v];
    }
    for (let v = 0; v < V; ++v) wanted[v] = 0.98 * wanted[v] + (0.02 * counts[v]) / sum;
    for (let v = 0; v < V; ++v) put(PROBABILITIES, v, get(PROBABILITIES, v) * 4); // a quarter of them are of unit sum
    const rest = mixRecent(CACHE, 0.25, PROBABILITIES, SCRATCH);
    expect(Math.abs(<f64>rest - 0.98)).toBeLessThan(ROUNDING);
    expect(gap(PROBABILITIES, wanted)).toBeLessThan(LOOSE);
    expect(untouched(PROBABILITIES + V * 4, MARKED)).toBe(true);
    expect(untouched(SCRATCH + V * 4, MARKED)).toBe(true);
  });

  test("what the network finds impossible stays so", () => {
    startValues(3);
    resetRecency(CACHE);
    for (let v = 0; v < V; ++v) countRecent(CACHE, v);
    fill();
    put(PROBABILITIES, 3, 0);
    mixRecent(CACHE, 1, PROBABILITIES, SCRATCH);
    expect(get(PROBABILITIES, 3)).toBe(0);
  });

  test("λ is the mean responsibility: it grows where the cache explains what came, and falls where the network does", () => {
    startValues(4);
    resetRecency(CACHE);
    for (let t = 0; t < 50; ++t) countRecent(CACHE, 5);
    let sum: f64 = 0.02 * 64;
    let places: f64 = 64;
    for (let t = 0; t < 40; ++t) {
      fill();
      const token: u32 = t < 30 ? 5 : 6;
      const before = get(PROBABILITIES, token);
      const rest = mixRecent(CACHE, 1, PROBABILITIES, SCRATCH);
      const p = get(PROBABILITIES, token);
      const share = (<f64>rest * before) / p;
      const own = 1 - share;
      // the match lengths above leave half of it, and explain half of what came
      adaptRecency(CACHE, token, <f32>before, <f32>(share / 2), <f32>(0.5 / p));
      sum += own / 2;
      places += 0.5;
      expect(Math.abs(lambda() - sum / places)).toBeLessThan(LOOSE);
      if (t == 29) expect(lambda()).toBeGreaterThan(0.1);
    }
    const high = lambda();
    for (let t = 0; t < 20; ++t) {
      fill();
      mixRecent(CACHE, 1, PROBABILITIES, SCRATCH);
      adaptRecency(CACHE, 6, <f32>get(NETWORK, 6), 1, <f32>(1 / get(PROBABILITIES, 6)));
    }
    expect(lambda()).toBeLessThan(high);
  });
});
