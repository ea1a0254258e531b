import { readHidden, STATE_UNIT } from "../../classify/hidden";
import { NONE, OUT_OF_RANGE } from "../../classify/plan";
import { activate, classifier, layered } from "./plan";
import { below, between, get, mark, put, startValues, untouched } from "../support";

const GROUPS = 3;
const UNITS = 8;
const M = GROUPS * UNITS;
const D = 20;

describe("a hidden layer", () => {
  test("hands the decoder a softmax of each group, in 64ths, without those that are 0", () => {
    for (let bits = 4; bits <= 8; bits += 4) {
      startValues(bits);
      const p = classifier(M, 2, 1, 8, NONE);
      layered(p, D, GROUPS, UNITS, bits);
      p.codedUnit = 16;
      for (let c = 0; c < M; ++c) {
        put(p.hiddenBias, c, between(-1, 1));
        put(p.hiddenScales, c, bits == 4 ? 0.2 : 0.01);
      }
      for (let i: usize = 0; i < <usize>((D * M * bits) / 8); ++i) store<u8>(<usize>p.hiddenRows + i, <u8>below(256));
      const count = 6;
      for (let i = 0; i < count; ++i) activate(p, i, below(D), below(40));
      mark(<usize>p.ids, 2 * M + 32);
      mark(<usize>p.values, 2 * M + 32);
      const found = readHidden(p, count);
      expect(untouched(<usize>p.ids + 2 * found, 32)).toBe(true);
      expect(untouched(<usize>p.values + 2 * found, 32)).toBe(true);
      const states = new StaticArray<i32>(M);
      let last = -1;
      for (let i = 0; i < found; ++i) {
        const id = <i32>load<u16>(<usize>p.ids + 2 * i);
        expect(id).toBeGreaterThan(last);
        expect(load<u16>(<usize>p.values + 2 * i)).toBeGreaterThan(0);
        states[id] = load<u16>(<usize>p.values + 2 * i);
        last = id;
      }
      for (let group = 0; group < GROUPS; ++group) {
        const scores = new StaticArray<f64>(UNITS);
        let total: f64 = 0;
        for (let u = 0; u < UNITS; ++u) {
          const c = group * UNITS + u;
          let sum: f64 = 0;
          for (let i = 0; i < count; ++i) {
            const row = <usize>p.hiddenRows + <usize>load<u16>(<usize>p.codes + 2 * i) * <usize>((M * bits) / 8);
            const byte = <i32>load<u8>(row + (bits == 8 ? c : c >> 1));
            const weight = bits == 8 ? <i32>(<i8>byte) : ((c & 1) == 0 ? byte & 15 : byte >> 4) - 8;
            sum += (<f64>weight * <f64>load<u16>(<usize>p.codeValues + 2 * i)) / 16;
          }
          scores[u] = Math.exp(get(p.hiddenBias, c) + get(p.hiddenScales, c) * sum);
          total += scores[u];
        }
        for (let u = 0; u < UNITS; ++u) {
          const wanted = (scores[u] / total) * <f64>STATE_UNIT;
          expect(Math.abs(<f64>states[group * UNITS + u] - wanted)).toBeLessThan(0.501);
        }
      }
    }
  });

  test("refuses a feature that is none, and takes numbers that are none without a trap", () => {
    const p = classifier(M, 2, 1, 8, NONE);
    layered(p, D, GROUPS, UNITS, 8);
    activate(p, 0, D, 0);
    expect(readHidden(p, 1)).toBe(OUT_OF_RANGE);
    activate(p, 0, D - 1, 0);
    for (let c = 0; c < M; ++c) put(p.hiddenBias, c, NaN);
    // nothing is known of the units: all alike
    expect(readHidden(p, 1)).toBe(M);
    expect(load<u16>(<usize>p.values)).toBe(<u16>(64 / UNITS));
  });
});
