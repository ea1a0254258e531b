// The hidden layers' weights as they are stored: rows of all layers, of 8 bits a weight or codes of 4, their scales, their levels of codes.
import { quantiseRow } from "../common/quantise";
import { tableOf } from "../layers/list";
import { firstRowOf, firstWeightOf, LAYERS, rowBytes, rowsOf, WEIGHT_BITS, widthOf } from "../shape";
import { decodeRow, encodeRow, solveLevels } from "./codebook";
import { CODES, CODE_LEVELS, CODE_SCALES, HISTOGRAM } from "./layout";
import { Work } from "./records";

// Where a layer's stored rows, its scales and its levels stand.
export function codesOf(layer: i32): usize {
  return CODES + firstWeightOf(layer);
}
export function codeScalesOf(layer: i32): usize {
  return CODE_SCALES + (<usize>firstRowOf(layer) << 2);
}
export function codeLevelsOf(layer: i32): usize {
  return CODE_LEVELS + (<usize>layer << 4);
}

/** CODES, CODE_SCALES, CODE_LEVELS ← all layers. @param hidden (HIDDEN_WEIGHTS) f32 */
export function encodeHidden(hidden: usize, work: Work): void {
  for (let layer = 0; layer < LAYERS; ++layer) encodeLayer(layer, hidden + tableOf(layer), work);
}

function encodeLayer(layer: i32, table: usize, work: Work): void {
  const width = <usize>widthOf(layer);
  const codes = codesOf(layer);
  const scales = codeScalesOf(layer);
  const levels = codeLevelsOf(layer);
  let unit: f32 = 0;
  if (WEIGHT_BITS == 4) unit = solveLevels(table, rowsOf(layer), width, HISTOGRAM, work.depths, levels);
  for (let row: usize = 0; row < <usize>rowsOf(layer); ++row) {
    const values = table + ((row * width) << 2);
    const out = codes + row * rowBytes(width);
    let scale: f32;
    if (WEIGHT_BITS == 4) scale = encodeRow(values, width, levels, unit, work.depths, out);
    else scale = quantiseRow(values, width, out);
    store<f32>(scales + (row << 2), scale);
  }
}

/** outHidden (HIDDEN_WEIGHTS) f32 ← what codes of four bits say. W and w0 are left alone. */
export function decodeHidden(outHidden: usize): void {
  for (let layer = 0; layer < LAYERS; ++layer) {
    const width = <usize>widthOf(layer);
    const table = outHidden + tableOf(layer);
    for (let row: usize = 0; row < <usize>rowsOf(layer); ++row) {
      const scale = load<f32>(codeScalesOf(layer) + (row << 2));
      decodeRow(codesOf(layer) + row * rowBytes(width), width, codeLevelsOf(layer), scale, table + ((row * width) << 2));
    }
  }
}
