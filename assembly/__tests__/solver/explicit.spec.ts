import { M, V } from "../../shape";
import { explicitDecoder } from "../../solver/explicit";
import { denseSoftmax } from "../dense";
import { copyOf, fill, fillDistribution, gap, get, LOOSE, mark, put, startValues, untouched } from "../support";

const SUMS = memory.data(V * M * 4, 16);
const MARGINAL = memory.data(V * 4, 16);
const TOTALS = memory.data(M * 4 + 16, 16);
const O = memory.data(V * M * 4 + 16, 16);

function begin(seed: u32): void {
  startValues(seed);
  fill(SUMS, V * M, 0, 20);
  fillDistribution(MARGINAL, V);
  mark(O + V * M * 4, 16);
  mark(TOTALS + M * 4, 16);
}

function totalOf(c: i32): f64 {
  let total: f64 = 0;
  for (let v = 0; v < V; ++v) total += get(SUMS, v * M + c);
  return total;
}

/** p(v | unit) with pseudo-counts. */
function smoothed(v: i32, c: i32, pseudoCounts: f64): f64 {
  return (get(SUMS, v * M + c) + pseudoCounts * get(MARGINAL, v)) / (totalOf(c) + pseudoCounts);
}

describe("the explicit decoder", () => {
  test("is the log of each unit's smoothed conditional over the marginal", () => {
    begin(1);
    const wanted = new StaticArray<f64>(V * M);
    for (let v = 0; v < V; ++v) {
      for (let c = 0; c < M; ++c) wanted[v * M + c] = Math.log(smoothed(v, c, 30) / get(MARGINAL, v));
    }
    explicitDecoder(SUMS, MARGINAL, 30, TOTALS, O);
    expect(gap(O, wanted)).toBeLessThan(LOOSE);
    expect(untouched(O + V * M * 4, 16)).toBe(true);
    expect(untouched(TOTALS + M * 4, 16)).toBe(true);
  });

  test("gives exact conditionals under softmax(log π + O) where one unit is certain", () => {
    begin(2);
    explicitDecoder(SUMS, MARGINAL, 1e-3, TOTALS, O);
    let worst: f64 = 0;
    for (let c = 0; c < M; ++c) {
      const logits = copyOf(MARGINAL, V);
      for (let v = 0; v < V; ++v) logits[v] = Math.log(logits[v]) + get(O, v * M + c);
      denseSoftmax(logits, 0, V);
      for (let v = 0; v < V; ++v) {
        worst = Math.max(worst, Math.abs(logits[v] - get(SUMS, v * M + c) / totalOf(c)));
      }
    }
    expect(worst).toBeLessThan(LOOSE);
  });

  test("is finite for what was never seen, and nothing for a unit that never was", () => {
    begin(3);
    for (let v = 0; v < V; ++v) put(SUMS, v * M, 0);
    put(SUMS, 1, 0);
    explicitDecoder(SUMS, MARGINAL, 5, TOTALS, O);
    for (let v = 0; v < V; ++v) expect(Math.abs(get(O, v * M))).toBeLessThan(LOOSE);
    expect(Math.abs(get(O, 1) - Math.log(5 / (totalOf(1) + 5)))).toBeLessThan(LOOSE);
  });
});
