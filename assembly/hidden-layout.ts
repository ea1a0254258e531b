// Where the weights of the hidden layers stand behind the first row of the block's U, in trainer and tuner alike: one block of f32, so
// that one address names them all, and their sums or gradients stand at the same distances.
import { ATTENDED, BLOCK, BLOCK_M, DOCUMENT_FEATURES, DOCUMENT_M, FEATURES, SHARES, STACKED_FEATURES, STACKED_HEADS, STACKED_M } from "./shape";

/** Document: (b, its width). */
export const DOCUMENT_AT: usize = FEATURES * BLOCK_M * 4;
/** Second layer: (its positions · width of the block's heads, its width). */
export const STACKED_AT: usize = DOCUMENT_AT + DOCUMENT_FEATURES * DOCUMENT_M * 4;
/** W of attention over positions: (r, r). */
export const W_AT: usize = STACKED_AT + STACKED_FEATURES * STACKED_M * 4;
/** w0: (r). */
export const W0_AT: usize = W_AT + (ATTENDED ? BLOCK * BLOCK * 4 : 0);
/** Weights in all, rounded up to whole vectors. */
export const HIDDEN_WEIGHTS: i32 = (((W0_AT as i32) + (ATTENDED ? BLOCK * 4 : 0)) / 4 + 3) & ~3;

/** f32 of what a place's layers read beside its tokens: shares of attention and comparisons; hidden states. */
export const STATES_AT: usize = ATTENDED ? 2 * SHARES * 4 : 0;
export const INPUTS: i32 = <i32>STATES_AT / 4 + (STACKED_HEADS > 0 ? STACKED_FEATURES : 0);
