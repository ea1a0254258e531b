import { tableOf, W_AT } from "../../layers/list";
import { ATTENDED, CODED, HIDDEN_WEIGHTS, LAYERS, rowsOf, UNITS, widthOf } from "../../shape";
import { scaleOf, solveLevels } from "../../solver/codebook";
import { codeLevelsOf, codeScalesOf, decodeHidden } from "../../solver/codes";
import { HISTOGRAM, ROUNDED, U } from "../../solver/layout";
import { roundAll, roundAsStored, roundRows } from "../../solver/rounding";
import { workOfText, writeModel } from "../model";
import { changed, get, mark, put, remember, ROUNDING, startValues } from "../support";

const BYTES: usize = HIDDEN_WEIGHTS * 4;
const LEVELS_OF_ONE = memory.data(16, 16);
const SPARE = memory.data(HIDDEN_WEIGHTS * 4, 16);

function begin(seed: u32): void {
  startValues(seed);
  writeModel();
  mark(ROUNDED, BYTES);
}

/** Weights of ROUNDED that are not the level nearest to U's depth below the largest of its group. */
function off(): i32 {
  let n = 0;
  for (let layer = 0; layer < LAYERS; ++layer) {
    const width = widthOf(layer);
    const table = tableOf(layer);
    for (let i = 0; i < rowsOf(layer) * width; ++i) {
      let peak = -Infinity;
      for (let k = i - (i % UNITS); k < i - (i % UNITS) + UNITS; ++k) peak = Math.max(peak, get(U + table, k));
      const depth = get(U + table, i) - peak;
      const scale = get(codeScalesOf(layer), i / width);
      let least = Infinity;
      for (let code = 0; code < 16; ++code) {
        least = Math.min(least, Math.abs(depth - scale * <f64>(<i32>load<i8>(codeLevelsOf(layer) + code) - 127)));
      }
      if (!(Math.abs(get(ROUNDED + table, i) - depth) < least + ROUNDING * 4)) ++n;
    }
  }
  return n;
}

if (CODED != 0) {
  describe("what the steps of tuning read", () => {
    test("is what rounding to each layer's levels leaves of its rows; W and w0 as they are", () => {
      begin(1);
      roundAll(workOfText(0, 1));
      expect(off()).toBe(0);
      if (ATTENDED != 0) expect(memory.compare(ROUNDED + W_AT, U + W_AT, BYTES - W_AT)).toBe(0);
    });

    test("has each row's scale, by the levels of its layer and what one of them is", () => {
      begin(5);
      const work = workOfText(0, 1);
      roundAll(work);
      let wrong = 0;
      for (let layer = 0; layer < LAYERS; ++layer) {
        const width = widthOf(layer);
        const unit = solveLevels(U + tableOf(layer), rowsOf(layer), width, HISTOGRAM, work.depths, LEVELS_OF_ONE);
        for (let row = 0; row < rowsOf(layer); ++row) {
          const at = U + tableOf(layer) + ((row * width) << 2);
          const wanted = scaleOf(at, width, LEVELS_OF_ONE, unit, work.depths);
          if (<f32>get(codeScalesOf(layer), row) != wanted) ++wrong;
        }
      }
      expect(wrong).toBe(0);
    });

    test("is the same from two threads, to the bit", () => {
      begin(2);
      roundAll(workOfText(0, 1));
      remember(ROUNDED, BYTES, SPARE);
      mark(ROUNDED, BYTES);
      for (let layer = 0; layer < LAYERS; ++layer) mark(codeScalesOf(layer), rowsOf(layer) << 2);
      roundAll(workOfText(0, 2));
      roundAll(workOfText(1, 2));
      expect(changed(ROUNDED, ROUNDED + BYTES, ROUNDED, SPARE)).toBe(0);
    });

    test("follows the rows that have moved, and no others", () => {
      begin(3);
      roundAll(workOfText(0, 1));
      remember(ROUNDED, BYTES, SPARE);
      for (let i = 0; i < HIDDEN_WEIGHTS; ++i) put(U, i, get(U, i) * (i % 3 == 0 ? 0.5 : 1));
      const layer = LAYERS - 1;
      const row = <usize>widthOf(layer) << 2;
      const table = ROUNDED + tableOf(layer);
      roundRows(layer, 3, 7);
      expect(changed(ROUNDED, table + 3 * row, ROUNDED, SPARE)).toBe(0);
      expect(changed(table + 7 * row, ROUNDED + BYTES, ROUNDED, SPARE)).toBe(0);
      expect(changed(table + 3 * row, table + 7 * row, ROUNDED, SPARE)).toBeGreaterThan(0);
      for (let each = 0; each < LAYERS; ++each) roundRows(each, 0, rowsOf(each));
      expect(off()).toBe(0);
    });

    test("as it is stored is what the codes say", () => {
      begin(4);
      roundAsStored(workOfText(0, 1));
      remember(ROUNDED, BYTES, SPARE);
      decodeHidden(SPARE);
      expect(changed(ROUNDED, ROUNDED + BYTES, ROUNDED, SPARE)).toBe(0);
      if (ATTENDED != 0) expect(memory.compare(ROUNDED + W_AT, U + W_AT, BYTES - W_AT)).toBe(0);
    });
  });
}
