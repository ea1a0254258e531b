import { adam, AdamStep, BETA1, BETA2, biasCorrection, EPSILON } from "../../solver/adam";
import { copyOf, fill, gap, get, mark, put, ROUNDING, startValues, untouched } from "../support";

const N = 24;
const STRIDE: usize = 24 * 4 + 16; // of weights, gradient and both moments: behind each there is room to see it untouched
const WEIGHTS = memory.data(4 * (24 * 4 + 16), 16);
const GRADIENT = WEIGHTS + STRIDE;
const FIRST = WEIGHTS + 2 * STRIDE;
const SECOND = WEIGHTS + 3 * STRIDE;
const adamStep = changetype<AdamStep>(memory.data(16, 16));

function step(rate: f32, correction1: f32, correction2: f32): void {
  adamStep.rate = rate;
  adamStep.correction1 = correction1;
  adamStep.correction2 = correction2;
  adamStep.stride = STRIDE;
  adam(adamStep, N, WEIGHTS);
}

/** Random weights, moments of 0. */
function begin(seed: u32): StaticArray<f64> {
  startValues(seed);
  fill(WEIGHTS, N, -1, 1);
  memory.fill(FIRST, 0, N * 4);
  memory.fill(SECOND, 0, N * 4);
  return copyOf(WEIGHTS, N);
}

describe("Adam's step", () => {
  test("is algorithm 1 of Kingma and Ba over several steps, and writes nothing past its weights", () => {
    const weights = begin(1);
    mark(WEIGHTS + N * 4, 16);
    mark(FIRST + N * 4, 16);
    mark(SECOND + N * 4, 16);
    const first = new StaticArray<f64>(N);
    const second = new StaticArray<f64>(N);
    let power1: f64 = 1;
    let power2: f64 = 1;
    for (let t = 1; t <= 20; ++t) {
      fill(GRADIENT, N, -2, 2);
      power1 *= 0.9;
      power2 *= 0.999;
      for (let i = 0; i < N; ++i) {
        const g = get(GRADIENT, i);
        first[i] = 0.9 * first[i] + 0.1 * g;
        second[i] = 0.999 * second[i] + 0.001 * g * g;
        weights[i] -= (0.01 * (first[i] / (1 - power1))) / (Math.sqrt(second[i] / (1 - power2)) + 1e-8);
      }
      step(0.01, biasCorrection(BETA1, t), biasCorrection(BETA2, t));
      expect(gap(WEIGHTS, weights)).toBeLessThan(ROUNDING * 10, t.toString());
      expect(gap(FIRST, first)).toBeLessThan(ROUNDING, t.toString());
      expect(gap(SECOND, second)).toBeLessThan(ROUNDING, t.toString());
    }
    expect(untouched(WEIGHTS + N * 4, 16)).toBe(true);
    expect(untouched(FIRST + N * 4, 16)).toBe(true);
    expect(untouched(SECOND + N * 4, 16)).toBe(true);
  });

  test("leaves weights without a gradient where they are", () => {
    const before = begin(2);
    memory.fill(GRADIENT, 0, N * 4);
    step(1, biasCorrection(BETA1, 1), biasCorrection(BETA2, 1));
    expect(gap(WEIGHTS, before)).toBe(0);
  });

  test("lets a moment without a gradient come to 0 before it is no normal number", () => {
    begin(4);
    fill(FIRST, N, -1, 1);
    memory.fill(GRADIENT, 0, N * 4);
    let small = 0;
    for (let t = 1; t <= 500; ++t) {
      step(0, 1, 1);
      for (let i = 0; i < N; ++i) if (!(get(FIRST, i) == 0 || Math.abs(get(FIRST, i)) > 1e-17)) ++small;
    }
    expect(small).toBe(0);
    for (let i = 0; i < N; ++i) expect(get(FIRST, i)).toBe(0);
    // nor is what its square would be added to
    for (let i = 0; i < N; ++i) put(GRADIENT, i, 1e-18);
    step(1, 1, 1);
    for (let i = 0; i < N; ++i) expect(get(SECOND, i)).toBe(0);
  });

  test("stays finite for the least and the largest of gradients", () => {
    const before = begin(3);
    for (let i = 0; i < N; ++i) put(GRADIENT, i, i % 2 ? 1e18 : 1e-30);
    step(0.1, biasCorrection(BETA1, 1), biasCorrection(BETA2, 1));
    // a first step is a rate long, whatever the gradient, where that is above ε
    for (let i = 0; i < N; ++i) before[i] -= i % 2 ? 0.1 : 0;
    expect(gap(WEIGHTS, before)).toBeLessThan(ROUNDING);
    expect(EPSILON).toBe(1e-8);
  });
});

describe("the bias correction", () => {
  test("is 1 / (1 - beta^t), and comes to 1", () => {
    let power: f64 = 1;
    let worst: f64 = 0;
    for (let t = 1; t <= 3000; ++t) {
      power *= <f64>BETA2;
      const wanted = 1 / (1 - power);
      worst = Math.max(worst, Math.abs(<f64>biasCorrection(BETA2, t) / wanted - 1));
    }
    expect(worst).toBeLessThan(ROUNDING);
    expect(biasCorrection(BETA1, 1000000)).toBe(1);
    expect(biasCorrection(BETA2, i32.MAX_VALUE)).toBe(1);
  });
});
