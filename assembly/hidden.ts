// The hidden state of all layers in f32: the block's heads, the document's, then the second layer's, which reads the block's.
import { addDocument } from "./document";
import { DOCUMENT_AT, STACKED_AT, STATES_AT } from "./hidden-layout";
import { blockShares, contextToken, hiddenLogits } from "./layer";
import {
  ABSENT,
  BLOCK_HEADS,
  BLOCK_M,
  CLASSES,
  DOCUMENT_HEADS,
  DOCUMENT_M,
  STACKED_BLOCK,
  STACKED_HEADS,
  STACKED_M,
} from "./shape";
import { softmax } from "./softmax";
import { addStates } from "./stacked";
import { raise } from "./vectors";

/**
 * Least hidden state of trainer and tuner, 2^-56: products with predictions, which are held above 2^-67, and with weights stay normal
 * numbers. Those that are not take a processor a hundred times as long, and far less than this is lost in every sum.
 */
const LEAST_STATE: f32 = 1.3877787807814457e-17;

/** logits ← softmax of each head, held to LEAST_STATE. */
// @ts-ignore: decorator
@inline
export function softmaxHeads(logits: usize, heads: i32): void {
  for (let head: usize = 0; head < <usize>heads; ++head) softmax(logits + ((head * CLASSES) << 2), CLASSES);
  raise(logits, heads * CLASSES, LEAST_STATE);
}

/** outHidden ← h of the block's heads, the softmax of each head's logits; outShares as of blockShares. */
// @ts-ignore: decorator
@inline
function blockState(tokens: usize, at: i32, cipher: usize, u: usize, u0: usize, outShares: usize, outHidden: usize): void {
  blockShares(tokens, at, cipher, u, outShares);
  hiddenLogits(tokens, at, cipher, outShares, u, u0, 0, BLOCK_M, outHidden);
  softmaxHeads(outHidden, BLOCK_HEADS);
}

/**
 * The states that the second layer reads: of the block's heads before `at` and before the places ahead of it; 0 before a text's start.
 *
 * @param u0 (M) f32; @param scratch (2, SHARES) f32
 * @param outStates (positions, width of the block's heads) f32; position 0 is left as it is
 */
export function earlierStates(tokens: usize, at: i32, cipher: usize, u: usize, u0: usize, scratch: usize, outStates: usize): void {
  let j = 1;
  for (; j < STACKED_BLOCK && contextToken(tokens, at, j - 1) != ABSENT; ++j) {
    blockState(tokens, at - j, cipher, u, u0, scratch, outStates + ((<usize>j * BLOCK_M) << 2));
  }
  if (j < STACKED_BLOCK) memory.fill(outStates + ((<usize>j * BLOCK_M) << 2), 0, (<usize>(STACKED_BLOCK - j) * BLOCK_M) << 2);
}

/**
 * outHidden (M) f32 ← h.
 *
 * @param tokens (N) u16, the label at `at`; @param cipher (V, k) u16
 * @param u the hidden layers' weights (hidden-layout.ts); @param u0 (M) f32
 * @param outInputs (INPUTS) f32: shares of attention, comparisons, and the second layer's states
 */
export function hiddenState(tokens: usize, at: i32, cipher: usize, u: usize, u0: usize, outInputs: usize, outHidden: usize): void {
  const states = outInputs + STATES_AT;
  if (STACKED_HEADS > 0) earlierStates(tokens, at, cipher, u, u0, outInputs, states); // first: shares are overwritten
  blockState(tokens, at, cipher, u, u0, outInputs, outHidden);
  if (DOCUMENT_HEADS > 0) {
    const logits = outHidden + (BLOCK_M << 2);
    memory.copy(logits, u0 + (BLOCK_M << 2), DOCUMENT_M << 2);
    addDocument(tokens, at, cipher, u + DOCUMENT_AT, 0, DOCUMENT_M, logits);
    softmaxHeads(logits, DOCUMENT_HEADS);
  }
  if (STACKED_HEADS > 0) {
    const first: usize = (BLOCK_M + DOCUMENT_M) << 2;
    memory.copy(states, outHidden, BLOCK_M << 2);
    memory.copy(outHidden + first, u0 + first, STACKED_M << 2);
    for (let j = 0; j < STACKED_BLOCK; ++j) addStates(states, j, u + STACKED_AT, 0, STACKED_M, outHidden + first);
    softmaxHeads(outHidden + first, STACKED_HEADS);
  }
}
