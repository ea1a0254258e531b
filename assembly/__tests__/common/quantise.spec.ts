import { quantiseRow } from "../../common/quantise";
import { fill, get, mark, put, startValues, untouched } from "../support";

const N = 24;
const ROW = memory.data(24 * 4, 16);
const CODES = memory.data(24 + 16, 16);

function code(i: i32): i32 {
  return <i32>load<i8>(CODES + i);
}

/** Nearest integer, ties to even. */
function nearestEven(x: f64): i32 {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest == 0.5) return <i32>floor + (<i32>floor & 1);
  return <i32>floor + (rest > 0.5 ? 1 : 0);
}

describe("an int8 row", () => {
  test("has the scale of its largest magnitude over 127, which becomes ±127", () => {
    startValues(1);
    fill(ROW, N, -0.5, 0.5);
    put(ROW, 7, -2.54);
    expect(quantiseRow(ROW, N, CODES)).toBe(<f32>2.54 / 127);
    expect(code(7)).toBe(-127);
    put(ROW, N - 1, 5.08);
    expect(quantiseRow(ROW, N, CODES)).toBe(<f32>5.08 / 127);
    expect(code(N - 1)).toBe(127);
  });

  test("takes the nearest code, ties to even", () => {
    // a scale of one: the row is in codes
    for (let i = 0; i < N; ++i) put(ROW, i, <f64>i * 0.25 - 3);
    put(ROW, 0, 127);
    expect(quantiseRow(ROW, N, CODES)).toBe(1);
    for (let i = 1; i < N; ++i) expect(code(i)).toBe(nearestEven(<f64>i * 0.25 - 3), i.toString());
  });

  test("comes back within half a step, whatever its magnitude", () => {
    startValues(2);
    for (let magnitude = 1e-6; magnitude < 1e6; magnitude *= 9) {
      fill(ROW, N, -magnitude, magnitude);
      const step = <f64>quantiseRow(ROW, N, CODES);
      let worst: f64 = 0;
      for (let i = 0; i < N; ++i) worst = Math.max(worst, Math.abs(<f64>code(i) * step - get(ROW, i)) / step);
      // and a rounding of f32, of a code of at most 127
      expect(worst).toBeLessThan(0.50002, magnitude.toString());
    }
  });

  test("is symmetric", () => {
    startValues(3);
    fill(ROW, N, -3, 1);
    const step = quantiseRow(ROW, N, CODES);
    const first = new StaticArray<i32>(N);
    for (let i = 0; i < N; ++i) {
      first[i] = code(i);
      put(ROW, i, -get(ROW, i));
    }
    expect(quantiseRow(ROW, N, CODES)).toBe(step);
    for (let i = 0; i < N; ++i) expect(code(i)).toBe(-first[i], i.toString());
  });

  test("of zeros has scale zero and codes zero", () => {
    memory.fill(ROW, 0, N * 4);
    mark(CODES, N);
    expect(quantiseRow(ROW, N, CODES)).toBe(0);
    for (let i = 0; i < N; ++i) expect(code(i)).toBe(0);
  });

  test("takes n bytes and no more", () => {
    startValues(4);
    fill(ROW, N, -1, 1);
    mark(CODES + 12, 16);
    quantiseRow(ROW, 12, CODES);
    expect(untouched(CODES + 12, 16)).toBe(true);
  });
});
