// What the steps of tuning read in place of weights of four bits: what rounding leaves of them, in ROUNDED. Before some steps all levels
// and scales are solved (roundAll); after each step rows are rounded to those (roundRows); what is stored is roundAsStored's.
import { tableOf, W_AT } from "../layers/list";
import { ATTENDED, HIDDEN_WEIGHTS, LAYERS, readsOf, rowsOf, STATES, widthOf } from "../shape";
import { ROUNDING_BYTES, roundingTable, roundRow, scaleOf, solveLevels } from "./codebook";
import { codeLevelsOf, codeScalesOf, decodeHidden, encodeHidden } from "./codes";
import { HISTOGRAM, ROUNDED, ROUNDING, U } from "./layout";
import { Work } from "./records";
import { barrier, shareStart } from "./threads";

/** A layer's rounding table, and behind it the unit of its levels. */
function roundingOf(layer: i32): usize {
  return ROUNDING + <usize>layer * (ROUNDING_BYTES + 4);
}

/** Codes and what stands with them ← U; ROUNDED ← what they say. Thread 0 alone. */
export function roundAsStored(work: Work): void {
  encodeHidden(U, work);
  decodeHidden(ROUNDED);
  copyAttention();
}

/** Levels and scales of U as it is, and ROUNDED ← all rows so rounded. Every thread calls it. */
export function roundAll(work: Work): void {
  if (work.thread == 0) {
    for (let layer = 0; layer < LAYERS; ++layer) startLayer(layer, work);
    copyAttention();
  }
  barrier(work.threads);
  for (let layer = 0; layer < LAYERS; ++layer) {
    const unit = readsOf(layer) == STATES ? 4 : 1;
    const first = shareStart(rowsOf(layer), unit, work.thread, work.threads);
    startRows(layer, first, shareStart(rowsOf(layer), unit, work.thread + 1, work.threads), work);
  }
}

/** Levels of a layer, and the table that they are looked up in. */
function startLayer(layer: i32, work: Work): void {
  const levels = codeLevelsOf(layer);
  const table = roundingOf(layer);
  const unit = solveLevels(U + tableOf(layer), rowsOf(layer), widthOf(layer), HISTOGRAM, work.depths, levels);
  store<f32>(table + ROUNDING_BYTES, unit);
  roundingTable(levels, table);
}

/** Scales of rows [first, end) of a layer, and what rounding leaves of them. */
function startRows(layer: i32, first: i32, end: i32, work: Work): void {
  const width = <usize>widthOf(layer);
  const unit = load<f32>(roundingOf(layer) + ROUNDING_BYTES);
  const rows = U + tableOf(layer);
  for (let row = <usize>first; row < <usize>end; ++row) {
    const scale = scaleOf(rows + ((row * width) << 2), width, codeLevelsOf(layer), unit, work.depths);
    store<f32>(codeScalesOf(layer) + (row << 2), scale);
  }
  roundRows(layer, first, end);
}

/** ROUNDED ← what rounding leaves of rows [first, end) of a layer. */
export function roundRows(layer: i32, first: i32, end: i32): void {
  const width = <usize>widthOf(layer);
  const scales = codeScalesOf(layer);
  for (let row = <usize>first; row < <usize>end; ++row) {
    const at = tableOf(layer) + ((row * width) << 2);
    roundRow(U + at, width, roundingOf(layer), load<f32>(scales + (row << 2)), ROUNDED + at);
  }
}

/** W and w0 of attention over positions are not rounded. */
export function copyAttention(): void {
  if (ATTENDED != 0) memory.copy(ROUNDED + W_AT, U + W_AT, (<usize>HIDDEN_WEIGHTS << 2) - W_AT);
}
