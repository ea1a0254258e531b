import { softmax } from "../../common/softmax";
import { decode, placeOf, quantiseHidden } from "../../device/decoder";
import { M, V } from "../../shape";
import { denseSoftmax } from "../dense";
import { below, between, differing, fill, gap, get, mark, put, ROUNDING, startValues, untouched } from "../support";

const HIDDEN = memory.data(M * 4, 16);
const FIXED_BYTES = ASC_FEATURE_SIMD ? M * 2 : (M + 1) * 4;
const FIXED = memory.data((M + 1) * 4 + 16, 16);
const ROWS = memory.data(V * M, 16); // (V, M) i8
const SCALES = memory.data(V * 4, 16);
const BIAS = memory.data(V * 4, 16);
const OUT = memory.data(V * 4 + 16, 16);
const WANTED = memory.data(V * 4, 16);

function writeModel(seed: u32): void {
  startValues(seed);
  fill(HIDDEN, M, 0, 1);
  quantiseHidden(HIDDEN, FIXED);
  for (let i = 0; i < V * M; ++i) store<i8>(ROWS + i, <i8>(below(255) - 127));
  fill(SCALES, V, 1e-4, 0.02);
  fill(BIAS, V, -6, 0);
}

/** Element c of the hidden state in fixed point. */
function fixed(c: i32): i32 {
  return ASC_FEATURE_SIMD ? <i32>load<i16>(FIXED + (<usize>c << 1)) : load<i32>(FIXED + (placeOf(c) << 2));
}

/** Σ_c of a row, in integers. */
function sumOf(v: i32): i64 {
  let sum: i64 = 0;
  for (let c = 0; c < M; ++c) sum += <i64>fixed(c) * <i64>load<i8>(ROWS + v * M + c);
  return sum;
}

/** The decoder in f64, from the hidden state in fixed point. */
function dense(): StaticArray<f64> {
  const out = new StaticArray<f64>(V);
  for (let v = 0; v < V; ++v) out[v] = (get(SCALES, v) * <f64>sumOf(v)) / 16384 + get(BIAS, v);
  denseSoftmax(out, 0, V);
  return out;
}

describe("the hidden state in fixed point", () => {
  test("is the nearest multiple of 2^-14, ties to even", () => {
    const unit: f64 = 1.0 / 16384;
    const values: StaticArray<f64> = [1, 0, 0.5, 0.49 * unit, 0.5 * unit, 1.5 * unit, 2.5 * unit, 0.51 * unit];
    const codes: StaticArray<i32> = [16384, 0, 8192, 0, 0, 2, 2, 1];
    for (let i = 0; i < M; ++i) put(HIDDEN, i, values[i & 7]);
    mark(FIXED + FIXED_BYTES, 16);
    quantiseHidden(HIDDEN, FIXED);
    for (let i = 0; i < M; ++i) expect(fixed(i)).toBe(codes[i & 7], i.toString());
    expect(untouched(FIXED + FIXED_BYTES, 16)).toBe(true);
  });
});

describe("the decoder", () => {
  test("is the dense formula on the fixed-point hidden state", () => {
    for (let seed: u32 = 1; seed < 6; ++seed) {
      writeModel(seed);
      decode(FIXED, ROWS, SCALES, BIAS, OUT);
      expect(gap(OUT, dense())).toBeLessThan(ROUNDING);
    }
  });

  test("sums products in integers and scales once: the bits of its definition", () => {
    writeModel(7);
    for (let v = 0; v < V; ++v) {
      const scaled = <f32>get(SCALES, v) * <f32>(1.0 / 16384) * <f32>sumOf(v);
      store<f32>(WANTED + (v << 2), <f32>get(BIAS, v) + scaled);
    }
    softmax(WANTED, V);
    const wanted = new StaticArray<f32>(V);
    for (let v = 0; v < V; ++v) wanted[v] = <f32>get(WANTED, v);
    decode(FIXED, ROWS, SCALES, BIAS, OUT);
    expect(differing(OUT, wanted)).toBe(0);
  });

  test("gives a distribution where weights and hidden state are at their bounds", () => {
    writeModel(8);
    for (let c = 0; c < M; ++c) put(HIDDEN, c, 1);
    quantiseHidden(HIDDEN, FIXED);
    for (let i = 0; i < V * M; ++i) store<i8>(ROWS + i, between(0, 1) < 0.5 ? <i8>-127 : 127);
    decode(FIXED, ROWS, SCALES, BIAS, OUT);
    expect(gap(OUT, dense())).toBeLessThan(ROUNDING);
    let sum: f64 = 0;
    for (let v = 0; v < V; ++v) sum += get(OUT, v);
    expect(Math.abs(sum - 1)).toBeLessThan(ROUNDING);
  });

  test("writes V probabilities and no more", () => {
    writeModel(9);
    mark(OUT + V * 4, 16);
    decode(FIXED, ROWS, SCALES, BIAS, OUT);
    expect(untouched(OUT + V * 4, 16)).toBe(true);
  });
});
