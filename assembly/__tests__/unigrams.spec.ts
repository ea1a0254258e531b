import { V } from "../shape";
import { adaptUnigrams, countUnigram, mixUnigrams, resetUnigrams, UNIGRAM_VALUES } from "../unigrams";
import { below, copyOf, fillDistribution, gap, get, LOOSE, mark, put, ROUNDING, startValues, untouched } from "./support";

const SPAN: f64 = 512;
const MARKED: usize = 16;
const UNIGRAMS = memory.data((V + UNIGRAM_VALUES) * 4 + 16, 16);
const STACK = memory.data(V * 4 + 16, 16);
const PROBABILITIES = memory.data(V * 4 + 16, 16);
const SCRATCH = memory.data(V * 4 + 16, 16);

/** λ as the last values have it. */
function lambda(): f64 {
  return get(UNIGRAMS, V) / get(UNIGRAMS, V + 1);
}

/** Stack and probabilities of random values. */
function fill(): void {
  fillDistribution(STACK, V);
  memory.copy(PROBABILITIES, STACK, V * 4);
}

describe("unigrams", () => {
  test("are counts that fall to 1/e in 512 tokens, whatever the length of the text", () => {
    startValues(1);
    mark(UNIGRAMS + (V + UNIGRAM_VALUES) * 4, MARKED);
    resetUnigrams(UNIGRAMS);
    const wanted = new StaticArray<f64>(V);
    // 2^40 is passed twice
    for (let t = 0; t < 30000; ++t) {
      const token = below(V - 8); // some never come
      for (let v = 0; v < V; ++v) wanted[v] /= 1 + 1 / SPAN;
      wanted[token] += 1;
      countUnigram(UNIGRAMS, token);
    }
    const newest = get(UNIGRAMS, V + 2) / (1 + 1 / SPAN);
    const counts = copyOf(UNIGRAMS, V);
    for (let v = 0; v < V; ++v) {
      expect(counts[v] / newest / (wanted[v] + 1e-6)).toBeGreaterThan(v < V - 8 ? 0.99 : 0);
      expect(counts[v] / newest - wanted[v]).toBeLessThan(0.01 * wanted[v] + 1e-6);
    }
    expect(untouched(UNIGRAMS + (V + UNIGRAM_VALUES) * 4, MARKED)).toBe(true);
  });

  test("are mixed in by λ, weighed by the fourth root of what the stack says", () => {
    startValues(2);
    mark(PROBABILITIES + V * 4, MARKED);
    mark(SCRATCH + V * 4, MARKED);
    resetUnigrams(UNIGRAMS);
    for (let t = 0; t < 100; ++t) countUnigram(UNIGRAMS, below(V));
    fill();
    const counts = copyOf(UNIGRAMS, V);
    const wanted = copyOf(STACK, V);
    let sum: f64 = 0;
    for (let v = 0; v < V; ++v) {
      counts[v] *= Math.sqrt(Math.sqrt(wanted[v]));
      sum += counts[v];
    }
    for (let v = 0; v < V; ++v) wanted[v] = 0.98 * wanted[v] + (0.02 * counts[v]) / sum;
    const rest = mixUnigrams(UNIGRAMS, PROBABILITIES, SCRATCH);
    expect(Math.abs(<f64>rest - 0.98)).toBeLessThan(ROUNDING);
    expect(gap(PROBABILITIES, wanted)).toBeLessThan(LOOSE);
    expect(untouched(PROBABILITIES + V * 4, MARKED)).toBe(true);
    expect(untouched(SCRATCH + V * 4, MARKED)).toBe(true);
  });

  test("what the stack finds impossible stays so", () => {
    startValues(3);
    resetUnigrams(UNIGRAMS);
    for (let v = 0; v < V; ++v) countUnigram(UNIGRAMS, v);
    fill();
    put(PROBABILITIES, 3, 0);
    mixUnigrams(UNIGRAMS, PROBABILITIES, SCRATCH);
    expect(get(PROBABILITIES, 3)).toBe(0);
  });

  test("λ is the mean responsibility: it grows where unigrams explain what came, and falls where the stack does", () => {
    startValues(4);
    resetUnigrams(UNIGRAMS);
    for (let t = 0; t < 50; ++t) countUnigram(UNIGRAMS, 5);
    let sum: f64 = 0.02 * 64;
    let places: f64 = 64;
    for (let t = 0; t < 40; ++t) {
      fill();
      const token: u32 = t < 30 ? 5 : 6;
      const before = get(PROBABILITIES, token);
      const rest = mixUnigrams(UNIGRAMS, PROBABILITIES, SCRATCH);
      const p = get(PROBABILITIES, token);
      const share = (<f64>rest * before) / p;
      const own = 1 - share;
      // the orders above leave half of it, and explain half of what came
      adaptUnigrams(UNIGRAMS, token, <f32>before, <f32>(share / 2), <f32>(0.5 / p));
      sum += own / 2;
      places += 0.5;
      expect(Math.abs(lambda() - sum / places)).toBeLessThan(LOOSE);
      if (t == 29) expect(lambda()).toBeGreaterThan(0.1);
    }
    const high = lambda();
    for (let t = 0; t < 20; ++t) {
      fill();
      mixUnigrams(UNIGRAMS, PROBABILITIES, SCRATCH);
      adaptUnigrams(UNIGRAMS, 6, <f32>get(STACK, 6), 1, <f32>(1 / get(PROBABILITIES, 6)));
    }
    expect(lambda()).toBeLessThan(high);
  });
});
