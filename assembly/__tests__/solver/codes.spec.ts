import { tableOf, W_AT } from "../../layers/list";
import { firstRowOf, HIDDEN_CELLS, HIDDEN_ROWS, HIDDEN_WEIGHTS, LAYERS, M, rowBytes, rowsOf, WEIGHT_BITS, widthOf } from "../../shape";
import { decodeRow, encodeRow, solveLevels } from "../../solver/codebook";
import { codeLevelsOf, codeScalesOf, codesOf, decodeHidden, encodeHidden } from "../../solver/codes";
import { CODE_LEVELS, CODE_SCALES, CODES, HISTOGRAM, O_INT8, ROUNDED, U } from "../../solver/layout";
import { workAtText, writeModel } from "../model";
import { get, mark, startValues, untouched } from "../support";

const OWN_LEVELS = memory.data(16, 16);
const OWN_CODES = memory.data(M, 16);
const OWN_ROW = memory.data(M * 4, 16);

/** Rows of every layer, each with its layer's levels and its scale, come back as a codebook of that layer alone has them. */
function foreign(): i32 {
  let n = 0;
  const work = workAtText();
  for (let layer = 0; layer < LAYERS; ++layer) {
    const width = <usize>widthOf(layer);
    const table = U + tableOf(layer);
    const unit = solveLevels(table, rowsOf(layer), width, HISTOGRAM, work.depths, OWN_LEVELS);
    if (memory.compare(OWN_LEVELS, codeLevelsOf(layer), 16) != 0) ++n;
    for (let row: usize = 0; row < <usize>rowsOf(layer); ++row) {
      const scale = encodeRow(table + ((row * width) << 2), width, OWN_LEVELS, unit, work.depths, OWN_CODES);
      if (memory.compare(OWN_CODES, codesOf(layer) + row * rowBytes(width), rowBytes(width)) != 0) ++n;
      if (scale != load<f32>(CODE_SCALES + ((<usize>firstRowOf(layer) + row) << 2))) ++n;
      decodeRow(OWN_CODES, width, OWN_LEVELS, scale, OWN_ROW);
      if (memory.compare(OWN_ROW, ROUNDED + tableOf(layer) + ((row * width) << 2), width << 2) != 0) ++n;
    }
  }
  return n;
}

/** Weights of rows of 8 bits that are off by more than half a step. */
function off(): i32 {
  let n = 0;
  for (let layer = 0; layer < LAYERS; ++layer) {
    const width = widthOf(layer);
    for (let i = 0; i < rowsOf(layer) * width; ++i) {
      const scale = get(codeScalesOf(layer), i / width);
      const found = scale * <f64>load<i8>(codesOf(layer) + i);
      if (!(Math.abs(found - get(U + tableOf(layer), i)) < scale * 0.50002)) ++n;
    }
  }
  return n;
}

describe("the hidden layers as they are stored", () => {
  test("have room for each layer's rows, one after another", () => {
    for (let layer = 0; layer < LAYERS; ++layer) {
      const end = layer == LAYERS - 1 ? CODES + HIDDEN_CELLS : codesOf(layer + 1);
      expect(codesOf(layer) + <usize>rowsOf(layer) * rowBytes(widthOf(layer))).toBeLessThanOrEqual(end);
      const scalesEnd = layer == LAYERS - 1 ? CODE_SCALES + HIDDEN_ROWS * 4 : codeScalesOf(layer + 1);
      expect(codeScalesOf(layer) + rowsOf(layer) * 4).toBe(scalesEnd);
    }
  });

  if (WEIGHT_BITS == 4) {
    test("have codes, scales and levels of each layer alone, and come back as those say; W and w0 are left alone", () => {
      startValues(1);
      writeModel();
      mark(ROUNDED, HIDDEN_WEIGHTS * 4);
      mark(CODE_LEVELS + LAYERS * 16, O_INT8 - (CODE_LEVELS + LAYERS * 16));
      mark(O_INT8, 64);
      encodeHidden(U, workAtText());
      decodeHidden(ROUNDED);
      expect(foreign()).toBe(0);
      expect(untouched(ROUNDED + W_AT, <usize>HIDDEN_WEIGHTS * 4 - W_AT)).toBe(true);
      expect(untouched(O_INT8, 64)).toBe(true);
    });
  } else {
    test("of 8 bits are within half a step of a row's scale", () => {
      startValues(1);
      writeModel();
      mark(O_INT8, 64);
      encodeHidden(U, workAtText());
      expect(off()).toBe(0);
      expect(untouched(O_INT8, 64)).toBe(true);
    });
  }
});
