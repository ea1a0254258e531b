// What the tuner's steps read in place of weights of four bits: what rounding leaves of them, in ROUNDED. Before some steps all levels
// and scales are solved (roundAll); after each step rows are rounded to those (roundRows); what is stored is roundAsStored's.
import { ROUNDING_BYTES, roundingTable, roundRow, scaleOf, solveLevels } from "./codebook";
import {
  DOCUMENT_LEVELS_AT,
  DOCUMENT_SCALES_AT,
  decodeHidden,
  LEVELS_AT,
  encodeHidden,
  SCALES_AT,
  STACKED_LEVELS_AT,
  STACKED_SCALES_AT,
} from "./hidden-codes";
import { DOCUMENT_AT, HIDDEN_WEIGHTS, STACKED_AT, W_AT } from "./hidden-layout";
import {
  ATTENDED,
  BLOCK_M,
  DOCUMENT_FEATURES,
  DOCUMENT_HEADS,
  DOCUMENT_M,
  FEATURES,
  STACKED_FEATURES,
  STACKED_HEADS,
  STACKED_M,
} from "./shape";
import { barrier, shareStart } from "./threads";
import { LAYER_ROUNDING, ROUNDED, ROUNDING, SCRATCH, U, U_INT8 } from "./tuner-memory";

/** U_INT8 and what stands with it ← codes, scales and levels of U, ROUNDED ← what they say. Thread 0 alone. */
export function roundAsStored(): void {
  encodeHidden(U, SCRATCH, U_INT8);
  decodeHidden(U_INT8, ROUNDED);
  copyAttention();
}

/** Levels and scales of U as it is, and ROUNDED ← all rows so rounded. Every thread calls it. */
export function roundAll(thread: i32, threads: i32, scratch: usize): void {
  if (thread == 0) {
    startLayer(0, FEATURES);
    if (DOCUMENT_HEADS > 0) startLayer(1, DOCUMENT_FEATURES);
    if (STACKED_HEADS > 0) startLayer(2, STACKED_FEATURES);
    copyAttention();
  }
  barrier(threads);
  startRows(0, shareStart(FEATURES, 1, thread, threads), shareStart(FEATURES, 1, thread + 1, threads), scratch);
  if (DOCUMENT_HEADS > 0) {
    const end = shareStart(DOCUMENT_FEATURES, 1, thread + 1, threads);
    startRows(1, shareStart(DOCUMENT_FEATURES, 1, thread, threads), end, scratch);
  }
  if (STACKED_HEADS > 0) {
    const end = shareStart(STACKED_FEATURES, 4, thread + 1, threads);
    startRows(2, shareStart(STACKED_FEATURES, 4, thread, threads), end, scratch);
  }
}

/** Levels of a layer of `count` rows, and the table that they are looked up in: 0 the block, 1 the document, 2 the second layer. */
function startLayer(layer: usize, count: i32): void {
  const levels = levelsOf(layer);
  const table = ROUNDING + layer * LAYER_ROUNDING;
  store<f32>(table + ROUNDING_BYTES, solveLevels(U + startOf(layer), count, widthOf(layer), SCRATCH, levels));
  roundingTable(levels, table);
}

/** Scales of rows [first, end) of a layer, and what rounding leaves of them. */
function startRows(layer: usize, first: usize, end: usize, scratch: usize): void {
  const width = widthOf(layer);
  const unit = load<f32>(ROUNDING + layer * LAYER_ROUNDING + ROUNDING_BYTES);
  const rows = U + startOf(layer);
  for (let row = first; row < end; ++row) {
    const scale = scaleOf(rows + ((row * width) << 2), width, levelsOf(layer), unit, scratch);
    store<f32>(scalesOf(layer) + (row << 2), scale);
  }
  roundRows(layer, first, end);
}

/** ROUNDED ← what rounding leaves of rows [first, end) of a layer. */
export function roundRows(layer: usize, first: usize, end: usize): void {
  const width = widthOf(layer);
  const table = ROUNDING + layer * LAYER_ROUNDING;
  const scales = scalesOf(layer);
  for (let row = first, at = startOf(layer) + ((first * width) << 2); row < end; ++row, at += width << 2) {
    roundRow(U + at, width, table, load<f32>(scales + (row << 2)), ROUNDED + at);
  }
}

/** W and w0 of attention over positions are not rounded. */
export function copyAttention(): void {
  if (ATTENDED) memory.copy(ROUNDED + W_AT, U + W_AT, (HIDDEN_WEIGHTS << 2) - W_AT);
}

function widthOf(layer: usize): usize {
  return layer == 0 ? BLOCK_M : layer == 1 ? DOCUMENT_M : STACKED_M;
}

function startOf(layer: usize): usize {
  return layer == 0 ? 0 : layer == 1 ? DOCUMENT_AT : STACKED_AT;
}

function scalesOf(layer: usize): usize {
  return U_INT8 + (layer == 0 ? SCALES_AT : layer == 1 ? DOCUMENT_SCALES_AT : STACKED_SCALES_AT);
}

function levelsOf(layer: usize): usize {
  return U_INT8 + (layer == 0 ? LEVELS_AT : layer == 1 ? DOCUMENT_LEVELS_AT : STACKED_LEVELS_AT);
}
