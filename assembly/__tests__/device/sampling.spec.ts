import { nextUniform, seedGenerator } from "../../common/random";
import { logOf } from "../../common/math";
import { cut, draw, likeliest, sumFrom, weigh } from "../../device/sampling";
import { V } from "../../shape";
import { fillDistribution, get, mark, put, ROUNDING, startValues, untouched, wordBefore } from "../support";

const P = memory.data(V * 4, 16);
const WEIGHTS = memory.data(V * 4 + 16, 16);
const GENERATOR = memory.data(16, 16);
const TWIN = memory.data(16, 16);

function begin(seed: u32): void {
  startValues(seed);
  fillDistribution(P, V);
  seedGenerator(GENERATOR, seed);
  seedGenerator(TWIN, seed);
}

/** Whether the generator stands where its twin does. */
function inStep(): bool {
  return memory.compare(GENERATOR, TWIN, 16) == 0;
}

/** p^(1/temperature) of each token over the largest, in f64. */
function tempered(temperature: f64): StaticArray<f64> {
  const out = new StaticArray<f64>(V);
  let peak: f64 = 0;
  for (let v = 0; v < V; ++v) peak = Math.max(peak, get(P, v));
  for (let v = 0; v < V; ++v) out[v] = (get(P, v) / peak) ** (1 / temperature);
  return out;
}

/** How many tokens are likelier than this one; of equals, those with a lower id. */
function rankOf(token: i32): i32 {
  let before = 0;
  for (let v = 0; v < V; ++v) {
    if (get(P, v) > get(P, token) || (get(P, v) == get(P, token) && v < token)) ++before;
  }
  return before;
}

/** Keeps the k likeliest. */
function keepCount(weights: StaticArray<f64>, k: i32): void {
  for (let v = 0; v < V; ++v) if (rankOf(v) >= k) weights[v] = 0;
}

/** Keeps the fewest likeliest whose mass reaches the share. */
function keepMass(weights: StaticArray<f64>, share: f64): void {
  let total: f64 = 0;
  for (let v = 0; v < V; ++v) total += weights[v];
  let mass: f64 = 0;
  for (let rank = 0; rank < V; ++rank) {
    for (let v = 0; v < V; ++v) {
      if (rankOf(v) != rank) continue;
      const weight = weights[v];
      if (mass >= share * total) weights[v] = 0;
      mass += weight;
    }
  }
}

/** The weights that a draw is made from, by id: 0 where a token is cut. */
function kept(temperature: f32, topK: u32, topP: f32): StaticArray<f64> {
  const peak = logOf(load<f32>(P + (<usize>likeliest(P) << 2)));
  let mass = weigh(P, peak, temperature, WEIGHTS);
  let end = WEIGHTS + V * 4;
  if (topK > 0 && topK < <u32>V) {
    end = cut(WEIGHTS, end, <f32>topK, false);
    mass = sumFrom(WEIGHTS, end, 0, true);
  }
  if (topP < 1) end = cut(WEIGHTS, end, topP * mass, true);
  const out = new StaticArray<f64>(V);
  let id = 0;
  for (let at = WEIGHTS; at < end; at += 4) {
    const bits = load<i32>(at);
    if (bits < 0) id = ~bits;
    else out[id++] = <f64>load<f32>(at);
  }
  return out;
}

/** Largest difference of those weights; one where a token is cut here and kept there. */
function weightGap(found: StaticArray<f64>, wanted: StaticArray<f64>): f64 {
  let worst: f64 = 0;
  for (let v = 0; v < V; ++v) {
    if ((found[v] == 0) != (wanted[v] == 0)) return 1;
    worst = Math.max(worst, Math.abs(found[v] - wanted[v]));
  }
  return worst;
}

describe("the likeliest token", () => {
  test("is found wherever it stands", () => {
    begin(1);
    for (let v = 0; v < V; ++v) {
      fillDistribution(P, V);
      put(P, v, 2);
      expect(likeliest(P)).toBe(v);
    }
  });

  test("is the lowest id among equals", () => {
    begin(2);
    for (let v = 2; v < V; v += 3) put(P, v, 0.9);
    expect(likeliest(P)).toBe(2);
  });

  test("is what temperature zero takes, without a draw", () => {
    begin(3);
    put(P, 11, 0.9);
    expect(draw(P, GENERATOR, 0, 0, 1, WEIGHTS)).toBe(11);
    expect(draw(P, GENERATOR, 0, 3, 0.1, WEIGHTS)).toBe(11);
    expect(inStep()).toBe(true);
  });
});

describe("options out of range", () => {
  test("are refused, and the generator stays where it is", () => {
    begin(4);
    expect(draw(P, GENERATOR, -1, 0, 1, WEIGHTS)).toBe(-1, "temperature -1");
    expect(draw(P, GENERATOR, NaN, 0, 1, WEIGHTS)).toBe(-1, "temperature NaN");
    expect(draw(P, GENERATOR, Infinity, 0, 1, WEIGHTS)).toBe(-1, "temperature infinite");
    expect(draw(P, GENERATOR, 1, 0, 0, WEIGHTS)).toBe(-1, "top-p 0");
    expect(draw(P, GENERATOR, 1, 0, -0.5, WEIGHTS)).toBe(-1, "top-p -0.5");
    expect(draw(P, GENERATOR, 1, 0, 1.001, WEIGHTS)).toBe(-1, "top-p 1.001");
    expect(draw(P, GENERATOR, 1, 0, NaN, WEIGHTS)).toBe(-1, "top-p NaN");
    expect(inStep()).toBe(true);
  });
});

describe("a draw", () => {
  test("weighs tokens by p^(1/temperature)", () => {
    for (let temperature: f64 = 0.25; temperature < 5; temperature *= 1.7) {
      begin(5);
      // a rounding of the logarithm is divided by the temperature
      expect(weightGap(kept(<f32>temperature, 0, 1), tempered(<f64>(<f32>temperature)))).toBeLessThan(ROUNDING * 4, temperature.toString());
    }
  });

  test("takes one number of the generator, and the token whose share of the mass it falls in", () => {
    begin(6);
    const weights = tempered(1);
    let total: f64 = 0;
    for (let v = 0; v < V; ++v) total += weights[v];
    for (let i = 0; i < 500; ++i) {
      let left = <f64>nextUniform(TWIN) * total;
      let wanted = 0;
      while ((left -= weights[wanted]) >= 0) ++wanted;
      expect(draw(P, GENERATOR, 1, 0, 1, WEIGHTS)).toBe(wanted, i.toString());
      expect(inStep()).toBe(true);
    }
  });

  test("gives the boundary between two tokens to the one above", () => {
    for (let v = 0; v < V; ++v) put(P, v, v == 4 || v == 7 ? 0.5 : 0);
    store<u32>(GENERATOR, wordBefore(0x80000000), 4); // a uniform number of one half
    expect(draw(P, GENERATOR, 1, 0, 1, WEIGHTS)).toBe(7);
    store<u32>(GENERATOR, wordBefore(0x7fffff00), 4);
    expect(draw(P, GENERATOR, 1, 0, 1, WEIGHTS)).toBe(4);
  });

  test("gives each token its share of many draws", () => {
    begin(7);
    const draws = 20000;
    const counts = new StaticArray<i32>(V);
    for (let i = 0; i < draws; ++i) {
      const token = draw(P, GENERATOR, 0.7, 0, 1, WEIGHTS);
      counts[token] += 1;
    }
    const weights = tempered(0.7);
    let total: f64 = 0;
    for (let v = 0; v < V; ++v) total += weights[v];
    let chi: f64 = 0;
    for (let v = 0; v < V; ++v) {
      const expected = (<f64>draws * weights[v]) / total;
      chi += (<f64>counts[v] - expected) ** 2 / expected;
    }
    // V − 1 degrees of freedom, mean V − 1, variance twice that: four deviations
    expect(chi).toBeLessThan(<f64>V + 4 * Math.sqrt(2 * <f64>V));
  });

  test("never takes a token of no probability, not even a subnormal one", () => {
    begin(8);
    for (let v = 0; v < V; ++v) if (v % 3 != 0) put(P, v, v % 3 == 1 ? 0 : 1e-39);
    for (let i = 0; i < 300; ++i) expect(draw(P, GENERATOR, 50, 0, 1, WEIGHTS) % 3).toBe(0);
    put(P, 1, 1.17549435e-38); // the least normal number
    expect(kept(50, 0, 1)[1]).toBeGreaterThan(0);
  });

  test("writes V weights, no more, and no probability", () => {
    begin(9);
    mark(WEIGHTS + V * 4, 16);
    const first = get(P, 0);
    draw(P, GENERATOR, 0.5, 5, 0.5, WEIGHTS);
    expect(untouched(WEIGHTS + V * 4, 16)).toBe(true);
    expect(get(P, 0)).toBe(first);
  });
});

describe("top-k", () => {
  test("keeps the k likeliest", () => {
    for (let k = 1; k <= V + 2; ++k) {
      begin(10 + k);
      const wanted = tempered(1);
      keepCount(wanted, k);
      expect(weightGap(kept(1, k, 1), wanted)).toBeLessThan(ROUNDING, k.toString());
    }
  });

  test("keeps the lowest ids among equals", () => {
    begin(50);
    for (let v = 0; v < V; ++v) put(P, v, v % 4 == 3 ? 0.2 : 0.02);
    for (let k = 1; k < V; ++k) {
      const wanted = tempered(1);
      keepCount(wanted, k);
      expect(weightGap(kept(1, k, 1), wanted)).toBeLessThan(ROUNDING, k.toString());
    }
  });
});

describe("top-p", () => {
  test("keeps the fewest likeliest whose mass reaches it", () => {
    for (let i = 1; i < 40; ++i) {
      begin(100 + i);
      const share = <f64>i / 40.0;
      const wanted = tempered(1);
      keepMass(wanted, share);
      expect(weightGap(kept(1, 0, <f32>share), wanted)).toBeLessThan(ROUNDING, share.toString());
    }
  });

  test("keeps the lowest ids among equals", () => {
    begin(60);
    // powers of two: sums are exact, so a share that falls on a boundary is reached there
    for (let v = 0; v < V; ++v) put(P, v, 1.0 / 64);
    for (let i = 1; i < 8; ++i) {
      const wanted = tempered(1);
      keepMass(wanted, <f64>i / 8);
      expect(weightGap(kept(1, 0, <f32>i / 8), wanted)).toBeLessThan(ROUNDING, i.toString());
    }
  });

  test("measures what temperature and top-k have left", () => {
    for (let k = 2; k < 8; ++k) {
      begin(200 + k);
      const wanted = tempered(0.5);
      keepCount(wanted, k);
      keepMass(wanted, 0.6);
      expect(weightGap(kept(0.5, k, 0.6), wanted)).toBeLessThan(ROUNDING * 4, k.toString());
    }
  });
});
