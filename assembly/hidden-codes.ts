// The hidden layers' weights as they are stored: rows of all layers, of 8 bits a weight or codes of 4; their scales; their levels of
// codes. One block of memory in trainer and tuner alike.
import { decodeRow, LEVELS } from "./codebook";
import { DOCUMENT_AT, STACKED_AT } from "./hidden-layout";
import { quantiseLayer } from "./quantise";
import {
  BLOCK_M,
  DOCUMENT_FEATURES,
  DOCUMENT_HEADS,
  DOCUMENT_M,
  FEATURES,
  rowBytes,
  STACKED_FEATURES,
  STACKED_HEADS,
  STACKED_M,
} from "./shape";

/** Where each tensor stands behind the block's rows, (r·b, width): the document's rows, (b, width). */
export const DOCUMENT_ROWS_AT: usize = (FEATURES * BLOCK_M + 63) & ~63;
/** The second layer's, (positions · width, width). */
export const STACKED_ROWS_AT: usize = (DOCUMENT_ROWS_AT + DOCUMENT_FEATURES * DOCUMENT_M + 63) & ~63;
/** Scales, f32 a row. */
export const SCALES_AT: usize = (STACKED_ROWS_AT + STACKED_FEATURES * STACKED_M + 63) & ~63;
export const DOCUMENT_SCALES_AT: usize = SCALES_AT + FEATURES * 4;
export const STACKED_SCALES_AT: usize = DOCUMENT_SCALES_AT + DOCUMENT_FEATURES * 4;
/** Levels of codes, (LEVELS) i8 a layer. */
export const LEVELS_AT: usize = STACKED_SCALES_AT + STACKED_FEATURES * 4;
export const DOCUMENT_LEVELS_AT: usize = LEVELS_AT + LEVELS;
export const STACKED_LEVELS_AT: usize = DOCUMENT_LEVELS_AT + LEVELS;
/** Bytes of the block, from a boundary of 64 on. */
export const HIDDEN_CODES_BYTES: usize = (STACKED_LEVELS_AT + LEVELS + 63) & ~63;

/**
 * All layers as quantiseLayer has them.
 *
 * @param u the hidden layers' weights, as hidden-layout.ts has them
 * @param scratch CODEBOOK_SCRATCH bytes; @param outCodes HIDDEN_CODES_BYTES
 */
export function encodeHidden(u: usize, scratch: usize, outCodes: usize): void {
  quantiseLayer(u, FEATURES, BLOCK_M, scratch, outCodes, outCodes + SCALES_AT, outCodes + LEVELS_AT);
  if (DOCUMENT_HEADS > 0) {
    const rows = outCodes + DOCUMENT_ROWS_AT;
    const scales = outCodes + DOCUMENT_SCALES_AT;
    quantiseLayer(u + DOCUMENT_AT, DOCUMENT_FEATURES, DOCUMENT_M, scratch, rows, scales, outCodes + DOCUMENT_LEVELS_AT);
  }
  if (STACKED_HEADS > 0) {
    const rows = outCodes + STACKED_ROWS_AT;
    const scales = outCodes + STACKED_SCALES_AT;
    quantiseLayer(u + STACKED_AT, STACKED_FEATURES, STACKED_M, scratch, rows, scales, outCodes + STACKED_LEVELS_AT);
  }
}

/** outU, as hidden-layout.ts has it, ← what codes of four bits say. W and w0 are left alone. */
export function decodeHidden(codes: usize, outU: usize): void {
  decodeLayer(FEATURES, BLOCK_M, codes, codes + SCALES_AT, codes + LEVELS_AT, outU);
  const documentRows = codes + DOCUMENT_ROWS_AT;
  const documentScales = codes + DOCUMENT_SCALES_AT;
  decodeLayer(DOCUMENT_FEATURES, DOCUMENT_M, documentRows, documentScales, codes + DOCUMENT_LEVELS_AT, outU + DOCUMENT_AT);
  const stackedRows = codes + STACKED_ROWS_AT;
  const stackedScales = codes + STACKED_SCALES_AT;
  decodeLayer(STACKED_FEATURES, STACKED_M, stackedRows, stackedScales, codes + STACKED_LEVELS_AT, outU + STACKED_AT);
}

/** outU (count, width) f32 ← scale · level of its code. */
function decodeLayer(count: i32, width: usize, codes: usize, scales: usize, levels: usize, outU: usize): void {
  for (let row: usize = 0; row < <usize>count; ++row) {
    decodeRow(codes + row * rowBytes(width), width, levels, load<f32>(scales + (row << 2)), outU + ((row * width) << 2));
  }
}
