import { exp } from "../../common/math";
import { dotInLanes, scaleInPlace, softmax, sumInLanes } from "../../common/softmax";
import { denseSoftmax } from "../dense";
import { copyOf, differing, fill, gap, get, mark, put, ROUNDING, startValues, untouched } from "../support";

const BEFORE = memory.data(16 + 64 * 4, 16);
const VALUES = BEFORE + 16;
const MARKED: usize = 16;

/** Σ in four interleaved lanes, then (0 + 1) + (2 + 3), each sum rounded to f32. */
function laneSum(values: StaticArray<f32>): f32 {
  const lanes = new StaticArray<f32>(4);
  for (let i = 0; i < values.length; ++i) lanes[i & 3] += values[i];
  return lanes[0] + lanes[1] + (lanes[2] + lanes[3]);
}

function copyOfFloats(n: i32): StaticArray<f32> {
  const out = new StaticArray<f32>(n);
  for (let i = 0; i < n; ++i) out[i] = <f32>get(VALUES, i);
  return out;
}

describe("softmax", () => {
  test("is the softmax, for every length that is a multiple of four, and writes nothing past it", () => {
    startValues(1);
    for (let n = 4; n <= 48; n += 4) {
      fill(VALUES, n, -6, 6);
      mark(VALUES + (n << 2), MARKED);
      const wanted = copyOf(VALUES, n);
      denseSoftmax(wanted, 0, n);
      softmax(VALUES, n);
      expect(gap(VALUES, wanted)).toBeLessThan(ROUNDING, n.toString());
      expect(untouched(VALUES + (n << 2), MARKED)).toBe(true, n.toString());
    }
  });

  test("finds its largest value at any place, and does not overflow", () => {
    for (let i = 0; i < 4; ++i) put(BEFORE, i, Infinity); // not the run's
    for (let place = 0; place < 8; ++place) {
      fill(VALUES, 8, -1, 1);
      put(VALUES, place, 3e38);
      softmax(VALUES, 8);
      expect(get(VALUES, place)).toBe(1, place.toString());
    }
  });

  test("spreads equal values evenly, however low", () => {
    for (let i = 0; i < 8; ++i) put(VALUES, i, -3e38);
    softmax(VALUES, 8);
    for (let i = 0; i < 8; ++i) expect(get(VALUES, i)).toBe(0.125);
  });

  test("has the bits of its definition: exp in f32, a sum in lanes, one multiplication", () => {
    startValues(2);
    fill(VALUES, 20, -9, 9);
    const wanted = copyOfFloats(20);
    let peak: f32 = -Infinity;
    for (let i = 0; i < 20; ++i) peak = max<f32>(peak, wanted[i]);
    for (let i = 0; i < 20; ++i) wanted[i] = exp(wanted[i] - peak);
    const scale: f32 = 1 / laneSum(wanted);
    for (let i = 0; i < 20; ++i) wanted[i] *= scale;
    softmax(VALUES, 20);
    expect(differing(VALUES, wanted)).toBe(0);
  });
});

describe("sumInLanes", () => {
  test("adds in four lanes, then (0 + 1) + (2 + 3), to the bit", () => {
    startValues(3);
    for (let n = 4; n <= 40; n += 4) {
      fill(VALUES, n, -1000, 1000);
      expect(sumInLanes(VALUES, n)).toBe(laneSum(copyOfFloats(n)), n.toString());
    }
  });

  test("is not the plain sum from the left", () => {
    // f32 has steps of 8 at 1e8, so two lanes lose the 1 they are given; from the left the answer is 6
    const values: StaticArray<f32> = [1e8, -1e8, 1, 1, 1, 1, 1, 1];
    for (let i = 0; i < 8; ++i) put(VALUES, i, values[i]);
    expect(sumInLanes(VALUES, 8)).toBe(4);
  });
});

describe("dotInLanes", () => {
  test("adds products in the order of sumInLanes, to the bit", () => {
    startValues(6);
    for (let n = 4; n <= 20; n += 4) {
      fill(VALUES, 2 * n, -30, 30);
      const products = new StaticArray<f32>(n);
      for (let i = 0; i < n; ++i) products[i] = <f32>get(VALUES, i) * <f32>get(VALUES, n + i);
      expect(dotInLanes(VALUES, VALUES + 4 * n, n)).toBe(laneSum(products), n.toString());
    }
  });
});

describe("scaleInPlace", () => {
  test("multiplies n values to the bit and no more", () => {
    startValues(4);
    fill(VALUES, 12, -5, 5);
    mark(VALUES + 48, MARKED);
    const wanted = copyOfFloats(12);
    for (let i = 0; i < 12; ++i) wanted[i] *= <f32>0.3;
    scaleInPlace(VALUES, 12, 0.3);
    expect(differing(VALUES, wanted)).toBe(0);
    expect(untouched(VALUES + 48, MARKED)).toBe(true);
  });
});
