// Rows of tables (ours): each column falls into a bin of each of its binnings, or is above each of their thresholds that it reaches, so that a number
// beyond all that was seen is at the end of a scale; a value that is missing (NaN) has a bin of its own. Ferns (Özuysal, Calonder, Lepetit & Fua 2010) add what columns say together: the outcomes of a fern's tests make a code.
import { NOT_FINITE, Plan } from "./plan";

/** plan.a columns; b binnings; c ferns; d tests a fern, at most 12; e where thresholds stand, f32 from the parameters on; f where ferns do. */

/** In the third number of a binning: each threshold that is reached is a feature, and not the bin alone. */
export const LEVELS: u32 = 1 << 31;

/** Parameters: (binnings, 3) u32: column, first threshold, thresholds with LEVELS or without, at e the thresholds, ascending; at f (ferns, tests) of u32 column and f32 threshold. */
export function encodeTable(p: Plan): i32 {
  const input = <usize>p.input;
  let out = <usize>p.codes;
  for (let column: usize = 0; column < <usize>p.a; ++column) {
    if (abs<f32>(load<f32>(input + (column << 2))) == Infinity) return NOT_FINITE;
  }
  let first: u32 = 0;
  let binning = <usize>p.parameters;
  const thresholds = <usize>p.parameters + (<usize>p.e << 2);
  for (let i: u32 = 0; i < p.b; ++i, binning += 12) {
    const value = load<f32>(input + (<usize>load<u32>(binning) << 2));
    const count = load<u32>(binning, 8) & ~LEVELS;
    const levels = (load<u32>(binning, 8) & LEVELS) != 0;
    let bin = count + 1; // missing
    if (value == value) {
      bin = 0;
      const at = thresholds + (<usize>load<u32>(binning, 4) << 2);
      for (; bin < count && load<f32>(at + (<usize>bin << 2)) <= value; ++bin) {
        if (!levels) continue;
        store<u16>(out, <u16>(first + bin));
        out += 2;
      }
    }
    if (!levels || bin > count) {
      store<u16>(out, <u16>(first + bin));
      out += 2;
    }
    first += count + 2;
  }
  let test = <usize>p.parameters + (<usize>p.f << 2);
  for (let fern: u32 = 0; fern < p.c; ++fern) {
    let code: u32 = 0;
    for (let i: u32 = 0; i < p.d; ++i, test += 8) {
      code |= u32(load<f32>(input + (<usize>load<u32>(test) << 2)) > load<f32>(test, 4)) << i;
    }
    store<u16>(out, <u16>(first + code));
    out += 2;
    first += (<u32>1) << p.d;
  }
  return <i32>((out - <usize>p.codes) >> 1);
}
