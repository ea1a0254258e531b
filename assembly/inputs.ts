// What one head reads, whatever its layer: how many positions and rows there are, where its weights stand, and how a row is added.
// Heads of the block come first, then the document's, then the second layer's.
import { addDocument, addToDocument } from "./document";
import { DOCUMENT_AT, STACKED_AT, STATES_AT } from "./hidden-layout";
import { earlierStates } from "./hidden";
import { addPosition, addToFeatures, blockShares, hiddenLogits } from "./layer";
import {
  BITS,
  BLOCK,
  BLOCK_HEADS,
  BLOCK_M,
  CLASSES,
  DOCUMENT_FEATURES,
  DOCUMENT_HEADS,
  DOCUMENT_M,
  FEATURES,
  STACKED_BLOCK,
  STACKED_FEATURES,
  STACKED_HEADS,
  STACKED_M,
} from "./shape";
import { softmax } from "./softmax";
import { addStates, addToStates } from "./stacked";

// @ts-ignore: decorator
@inline
function readsDocument(head: i32): bool {
  return DOCUMENT_HEADS > 0 && head >= BLOCK_HEADS && head < BLOCK_HEADS + DOCUMENT_HEADS;
}

/** Whether the head is of the second layer. */
// @ts-ignore: decorator
@inline
export function isStacked(head: i32): bool {
  return STACKED_HEADS > 0 && head >= BLOCK_HEADS + DOCUMENT_HEADS;
}

/** Positions of what the head reads, each with a weight of its own. */
export function positionsOf(head: i32): i32 {
  return isStacked(head) ? STACKED_BLOCK : readsDocument(head) ? 1 : BLOCK;
}

/** Most that a position's weight may be: a bag's shares are small. */
export function mostWeightOf(head: i32): f32 {
  return readsDocument(head) ? 64 : 4;
}

/** Rows of the head's U. */
export function rowsOf(head: i32): i32 {
  return isStacked(head) ? STACKED_FEATURES : readsDocument(head) ? DOCUMENT_FEATURES : FEATURES;
}

/** Columns of the table in which the head's U stands. */
export function widthOf(head: i32): i32 {
  return isStacked(head) ? STACKED_M : readsDocument(head) ? DOCUMENT_M : BLOCK_M;
}

/** Bytes from the block's U to the head's first column of its table. */
export function tableOf(head: i32): usize {
  if (isStacked(head)) return STACKED_AT + (((head - BLOCK_HEADS - DOCUMENT_HEADS) * CLASSES) << 2);
  if (readsDocument(head)) return DOCUMENT_AT + (((head - BLOCK_HEADS) * CLASSES) << 2);
  return (head * CLASSES) << 2;
}

/**
 * outInputs ← what the head reads before `at` beside its tokens: attention's shares, or the block heads' states.
 *
 * @param u the hidden layers' weights; @param u0 (M) f32
 * @param outInputs (INPUTS) f32
 */
export function prepareInputs(head: i32, tokens: usize, at: i32, cipher: usize, u: usize, u0: usize, outInputs: usize): void {
  if (isStacked(head)) {
    const states = outInputs + STATES_AT;
    earlierStates(tokens, at, cipher, u, u0, outInputs, states);
    blockShares(tokens, at, cipher, u, outInputs);
    hiddenLogits(tokens, at, cipher, outInputs, u, u0, 0, BLOCK_M, states);
    for (let i: usize = 0; i < <usize>BLOCK_HEADS; ++i) softmax(states + ((i * CLASSES) << 2), CLASSES);
  } else if (!readsDocument(head)) blockShares(tokens, at, cipher, u, outInputs);
}

/** out (m) f32 += what position j adds to the head's logits. */
export function addVotes(head: i32, tokens: usize, at: i32, j: i32, cipher: usize, inputs: usize, u: usize, out: usize): void {
  const table = u + tableOf(head);
  if (isStacked(head)) addStates(inputs + STATES_AT, j, table, 0, CLASSES, out);
  else if (readsDocument(head)) addDocument(tokens, at, cipher, table, 0, CLASSES, out);
  else addPosition(tokens, at, j, cipher, inputs, table, 0, CLASSES, out);
}

/** outHidden (m) f32 ← the head's logits. */
export function headLogits(head: i32, tokens: usize, at: i32, cipher: usize, inputs: usize, u: usize, u0: usize, outHidden: usize): void {
  memory.copy(outHidden, u0 + ((head * CLASSES) << 2), CLASSES << 2);
  for (let j = 0; j < positionsOf(head); ++j) addVotes(head, tokens, at, j, cipher, inputs, u, outHidden);
}

/** outSums, laid out as U, += weight · inputs ⊗ target at the head's rows. */
export function addTarget(
  head: i32,
  tokens: usize,
  at: i32,
  cipher: usize,
  inputs: usize,
  target: usize,
  weight: f32,
  outSums: usize,
): void {
  const table = outSums + tableOf(head);
  if (isStacked(head)) addToStates(inputs + STATES_AT, target, weight, CLASSES, 0, STACKED_FEATURES, table);
  else if (readsDocument(head)) addToDocument(tokens, at, cipher, target, weight, CLASSES, 0, BITS, table);
  else addToFeatures(tokens, at, cipher, inputs, target, weight, CLASSES, 0, FEATURES, table);
}
