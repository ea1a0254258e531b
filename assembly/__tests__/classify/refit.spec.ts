import { COUNTS, RIDGE, STEP } from "../../classify/plan";
import { refitAll } from "../../classify/refit";
import { triangle } from "../../classify/sums";
import { classifier } from "./plan";
import { get, put } from "../support";

const D = 4;
const C = 3;

function setSum(at: u32, i: u32, value: u32): void {
  store<u32>(<usize>(at + 4 * i), value);
}

/** What is solved for a feature and a class, as a number. */
function weight(live: u32, scales: u32, d: i32, c: i32): f64 {
  return <f64>load<i8>(<usize>live + d * C + c) * get(scales, c);
}

describe("a refit", () => {
  test("of counts is log[(F + α) / (Σ F + α D)] less its mean, within half a level", () => {
    const p = classifier(D, C, 1, 8, COUNTS);
    const counts: f64[] = [9, 1, 0, 2, 2, 2, 0, 7, 30, 1, 0, 0];
    setSum(p.sums, 0, 20);
    for (let c = 0; c < C; ++c) setSum(p.sums, 1 + c, 5 + c);
    for (let i = 0; i < D * C; ++i) setSum(p.sums, 1 + C + i, <u32>counts[i]);
    p.pseudoCounts = 0.5;
    p.step = 2;
    refitAll(p);
    for (let d = 0; d < D; ++d) {
      const row = new StaticArray<f64>(C);
      let mean: f64 = 0;
      for (let c = 0; c < C; ++c) {
        let total: f64 = 0;
        for (let k = 0; k < D; ++k) total += counts[k * C + c];
        row[c] = Math.log((counts[d * C + c] + 0.5) / (total + 0.5 * D));
        mean += row[c] / C;
      }
      for (let c = 0; c < C; ++c) {
        expect(Math.abs(weight(p.live, p.liveScales, d, c) - 2 * (row[c] - mean))).toBeLessThan(get(p.liveScales, c) * 0.51);
      }
    }
    for (let c = 0; c < C; ++c) expect(get(p.liveBias, c)).toBeCloseTo(2 * Math.log((6.0 + c) / 23), 5);
  });

  test("of the step is the base where as much came as was expected, and more where more came", () => {
    for (let bits: u32 = 4; bits <= 8; bits += 4) {
      const p = classifier(D, C, 1, bits, STEP);
      for (let c = 0; c < C; ++c) {
        put(p.scales, c, 0.5);
        put(p.bias, c, 0.1 * c);
        put(p.prior, c, 1.0 / C);
      }
      const width = bits == 4 ? 2 : C;
      for (let d = 0; d < D; ++d) {
        // levels 1, −2, 3
        if (bits == 8) for (let c = 0; c < C; ++c) store<i8>(<usize>p.rows + d * width + c, <i8>(c == 1 ? -2 : c + 1));
        else {
          store<u8>(<usize>p.rows + d * width, 9 | (6 << 4));
          store<u8>(<usize>p.rows + d * width + 1, 11);
        }
      }
      setSum(p.sums, 1 + C + 1, 8); // feature 0 came with class 1 eight times
      for (let c = 0; c < C; ++c) setSum(p.sums, 1 + C + D * C + c, <u32>((8 * 1024) / C));
      p.pseudoCounts = 3;
      p.step = 0.25;
      refitAll(p);
      const more = 0.25 * Math.log((8.0 + 1) / (8.0 / C + 1));
      const less = 0.25 * Math.log(1 / (8.0 / C + 1));
      const base: f64[] = [0.5, -1, 1.5];
      for (let c = 0; c < C; ++c) {
        const off = get(p.liveScales, c) * 0.52;
        expect(Math.abs(weight(p.live, p.liveScales, 1, c) - base[c])).toBeLessThan(off);
        expect(Math.abs(weight(p.live, p.liveScales, 0, c) - base[c] - (c == 1 ? more : less))).toBeLessThan(off);
        expect(get(p.liveBias, c)).toBeCloseTo(0.1 * c, 6);
      }
    }
  });

  test("of ridge with one feature is the covariance over the variance, penalised", () => {
    const p = classifier(1, 2, 1, 8, RIDGE);
    // x = 3 with class 0 (five times), x = 1 with class 1 (five times)
    setSum(p.sums, 0, 10);
    setSum(p.sums, 1, 5);
    setSum(p.sums, 2, 5);
    setSum(p.sums, 3, 15);
    setSum(p.sums, 4, 5);
    setSum(p.sums, 5 + <u32>triangle(0), 45 + 5);
    p.pseudoCounts = 10;
    refitAll(p);
    // Σ (x − 2)² = 10, Σ (x − 2)(y₀ − ½) = 5; λ · 10 / 10 on top
    const slope = 5.0 / (10 + 10);
    expect(<f64>load<i8>(<usize>p.live) * get(p.liveScales, 0)).toBeCloseTo(slope, 4);
    expect(<f64>load<i8>(<usize>p.live, 1) * get(p.liveScales, 1)).toBeCloseTo(-slope, 4);
    expect(get(p.liveBias, 0)).toBeCloseTo(0.5 - 2 * slope, 5);
  });
});
