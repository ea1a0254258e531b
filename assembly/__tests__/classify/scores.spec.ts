import { NONE, OUT_OF_RANGE } from "../../classify/plan";
import { score } from "../../classify/scores";
import { activate, classifier } from "./plan";
import { get, put } from "../support";

describe("scores", () => {
  test("are softmax of bias and scale · Σ value · row / unit", () => {
    const p = classifier(3, 3, 16, 8, NONE);
    for (let c = 0; c < 3; ++c) {
      put(p.bias, c, 0.25 * c);
      put(p.scales, c, 0.5);
      for (let d = 0; d < 3; ++d) store<i8>(<usize>p.rows + d * 3 + c, <i8>(d == c ? 4 : -1));
    }
    activate(p, 0, 0, 8);
    activate(p, 1, 2, 16);
    p.count = 2;
    // 0.5 · (0.5 · row 0 + row 2)
    const scores: f64[] = [0.5 * (2 - 1), 0.25 + 0.5 * (-0.5 - 1), 0.5 + 0.5 * (-0.5 + 4)];
    let total: f64 = 0;
    for (let c = 0; c < 3; ++c) total += Math.exp(scores[c]);
    expect(score(p, false)).toBe(2);
    for (let c = 0; c < 3; ++c) expect(get(p.probabilities, c)).toBeCloseTo(Math.exp(scores[c]) / total, 5);
  });

  test("name the first of several that are equally probable", () => {
    const p = classifier(2, 5, 1, 4, NONE);
    for (let at: usize = 0; at < 6; ++at) store<u8>(<usize>p.rows + at, 0x88);
    put(p.bias, 1, 1);
    put(p.bias, 3, 1);
    expect(score(p, false)).toBe(1);
  });

  test("read the last refit's rows where they are told to", () => {
    const p = classifier(1, 2, 1, 8, NONE);
    put(p.scales, 0, 1);
    put(p.liveScales, 1, 1);
    store<i8>(<usize>p.rows, 9);
    store<i8>(<usize>p.live, 9, 1);
    activate(p, 0, 0, 0);
    p.count = 1;
    expect(score(p, false)).toBe(0);
    expect(score(p, true)).toBe(1);
  });

  test("of numbers that are none are still probabilities, and nothing traps", () => {
    const p = classifier(1, 3, 1, 8, NONE);
    put(p.bias, 0, NaN);
    put(p.bias, 1, Infinity);
    put(p.scales, 2, -Infinity);
    store<i8>(<usize>p.rows, 1, 2);
    activate(p, 0, 0, 0);
    p.count = 1;
    expect(score(p, false)).toBe(1);
    for (let c = 0; c < 3; ++c) expect(get(p.probabilities, c)).toBeLessThanOrEqual(1);
  });

  test("of a feature that is none are refused", () => {
    const p = classifier(4, 2, 1, 8, NONE);
    activate(p, 0, 4, 0);
    p.count = 1;
    expect(score(p, false)).toBe(OUT_OF_RANGE);
    p.count = p.most + 1;
    activate(p, 0, 0, 0);
    expect(score(p, false)).toBe(OUT_OF_RANGE);
  });
});
