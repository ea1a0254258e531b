import { COUNTS, RIDGE, STEP } from "../../classify/plan";
import { addExample, FINER, triangle } from "../../classify/sums";
import { activate, classifier, sum } from "./plan";
import { below, put, remember, changed, startValues } from "../support";

const D = 6;
const C = 3;
const SPARE: usize = 16 << 20;

describe("sums of a classifier", () => {
  test("count examples, classes, and values of each feature with its label", () => {
    const p = classifier(D, C, 16, 8, COUNTS);
    activate(p, 0, 2, 5);
    activate(p, 1, 4, 7);
    activate(p, 2, 2, 1);
    p.count = 3;
    expect(addExample(p, 1, 1)).toBe(true);
    expect(sum(p, 0)).toBe(1);
    expect(sum(p, 2)).toBe(1);
    expect(sum(p, 1 + C + 2 * C + 1)).toBe(6);
    expect(sum(p, 1 + C + 4 * C + 1)).toBe(7);
    let total: u32 = 0;
    for (let i: u32 = 0; i < p.cells; ++i) total += sum(p, i);
    expect(total).toBe(1 + 1 + 13);
  });

  test("of the step expect as much as was observed, whatever the base predicts", () => {
    startValues(5);
    const p = classifier(D, C, 16, 8, STEP);
    for (let c = 0; c < C; ++c) put(p.bias, c, <f64>c);
    for (let i = 0; i < 40; ++i) {
      p.count = 4;
      for (let k = 0; k < 4; ++k) activate(p, k, below(D), below(9));
      expect(addExample(p, below(C), 1)).toBe(true);
    }
    for (let d = 0; d < D; ++d) {
      let own: u32 = 0;
      let expected: u32 = 0;
      for (let c = 0; c < C; ++c) {
        own += sum(p, 1 + C + d * C + c);
        expected += sum(p, 1 + C + D * C + d * C + c);
      }
      expect(expected).toBe(own * FINER);
    }
  });

  test("of ridge are the products of the whole vector", () => {
    const p = classifier(D, C, 1, 8, RIDGE);
    const ids: u32[] = [5, 1, 5, 3];
    for (let i = 0; i < 4; ++i) activate(p, i, ids[i], 0);
    p.count = 4;
    expect(addExample(p, 0, 1)).toBe(true);
    const gram = 1 + C + D * C;
    expect(sum(p, gram + <u32>triangle(5) + 5)).toBe(4);
    expect(sum(p, gram + <u32>triangle(5) + 3)).toBe(2);
    expect(sum(p, gram + <u32>triangle(5) + 1)).toBe(2);
    expect(sum(p, gram + <u32>triangle(3) + 1)).toBe(1);
    expect(sum(p, gram + <u32>triangle(1) + 1)).toBe(1);
    expect(sum(p, gram + <u32>triangle(4) + 1)).toBe(0);
  });

  test("are as before when an example is taken away, or where one has no room", () => {
    for (let form: u32 = COUNTS; form <= RIDGE; ++form) {
      startValues(form);
      const p = classifier(D, C, 16, 8, form);
      p.count = 3;
      for (let k = 0; k < 3; ++k) activate(p, k, k, 3);
      for (let i = 0; i < 10; ++i) addExample(p, below(C), 1);
      remember(<usize>p.sums, 4 * <usize>p.cells, SPARE);
      for (let k = 0; k < 3; ++k) activate(p, k, k + 2, 4);
      expect(addExample(p, 1, 1)).toBe(true);
      expect(changed(<usize>p.sums, <usize>p.sums + 4 * <usize>p.cells, <usize>p.sums, SPARE)).toBeGreaterThan(0);
      expect(addExample(p, 1, -1)).toBe(true);
      expect(changed(<usize>p.sums, <usize>p.sums + 4 * <usize>p.cells, <usize>p.sums, SPARE)).toBe(0);
      const full = <usize>p.sums + 4 * (1 + C + 4 * C + 1); // of a feature that is active, with the label
      store<u32>(full, u32.MAX_VALUE - 3);
      remember(<usize>p.sums, 4 * <usize>p.cells, SPARE);
      expect(addExample(p, 1, 1)).toBe(false);
      expect(changed(<usize>p.sums, <usize>p.sums + 4 * <usize>p.cells, <usize>p.sums, SPARE)).toBe(0);
      store<u32>(full, 3);
      remember(<usize>p.sums, 4 * <usize>p.cells, SPARE);
      expect(addExample(p, 1, -1)).toBe(false);
      expect(changed(<usize>p.sums, <usize>p.sums + 4 * <usize>p.cells, <usize>p.sums, SPARE)).toBe(0);
    }
  });
});
