// The hidden state of all layers on the device, from its tokens: the block's heads, the document's, then the second layer's.
import { attentionShares, comparison } from "./block-attention";
import { KEEP, NEW } from "./document";
import { addRow, addToken, cipherTable, feedForward, OTHER_CIPHER_SLOT } from "./feedforward";
import { fetch, readFailed } from "./flash";
import {
  ATTENTION,
  BLOCK_U,
  BLOCK_U_LEVELS,
  BLOCK_U_SCALE,
  BLOCK_U0,
  BLOCK_W,
  BLOCK_W0,
  CIPHER,
  CONTEXT,
  DOCUMENT,
  DOCUMENT_U,
  DOCUMENT_U_LEVELS,
  DOCUMENT_U_SCALE,
  HIDDEN,
  NEXT_DOCUMENT,
  RESIDENT_LEVELS,
  RESIDENT_U0,
  RESIDENT_W,
  RESIDENT_W0,
  STACKED_U,
  STACKED_U_LEVELS,
  STACKED_U_SCALE,
  STATES,
  TILE,
  TILE_SCALES,
} from "./memory";
import {
  ABSENT,
  ATTENDED,
  BLOCK,
  BLOCK_HEADS,
  BLOCK_M,
  CLASSES,
  DOCUMENT_HEADS,
  DOCUMENT_M,
  FLASH,
  rowBytes,
  SHARES,
  STACKED_BLOCK,
  STACKED_FEATURES,
  STACKED_HEADS,
  STACKED_M,
} from "./shape";
import { softmax } from "./softmax";

const U0: usize = FLASH > 0 ? RESIDENT_U0 : BLOCK_U0;
const W: usize = FLASH > 0 ? RESIDENT_W : BLOCK_W;
const W0: usize = FLASH > 0 ? RESIDENT_W0 : BLOCK_W0;
const LEVELS: usize = FLASH > 0 ? RESIDENT_LEVELS : BLOCK_U_LEVELS;
const DOCUMENT_LEVELS: usize = FLASH > 0 ? RESIDENT_LEVELS + 16 : DOCUMENT_U_LEVELS;
const STACKED_LEVELS: usize = FLASH > 0 ? RESIDENT_LEVELS + (DOCUMENT_HEADS > 0 ? 32 : 16) : STACKED_U_LEVELS;

// @ts-ignore: decorator
@inline
function softmaxHeads(logits: usize, heads: i32): void {
  for (let head: usize = 0; head < <usize>heads; ++head) softmax(logits + ((head * CLASSES) << 2), CLASSES);
}

/** outHidden (width) f32 ← h of the block's heads after `context`, latest token first. False where a read failed: logits may be no numbers then. */
// @ts-ignore: decorator
@inline
function blockState(context: usize, outHidden: usize): bool {
  if (ATTENDED) attendToBlock(context);
  feedForward(context, CIPHER, ATTENTION, BLOCK_U, LEVELS, BLOCK_U_SCALE, U0, outHidden);
  if (readFailed()) return false;
  softmaxHeads(outHidden, BLOCK_HEADS);
  return true;
}

/** ATTENTION ← shares of the block's positions. */
function attendToBlock(context: usize): void {
  const comparisons = ATTENTION + (SHARES << 2);
  const pivot = <u32>load<u16>(context);
  for (let j = 0; j < BLOCK; ++j) {
    const token = <u32>load<u16>(context + (j << 1));
    let value: f32 = 0;
    if (pivot != ABSENT && token != ABSENT) {
      const table = cipherTable(CIPHER, pivot, TILE_SCALES + 16);
      value = comparison(table, pivot, cipherTable(CIPHER, token, OTHER_CIPHER_SLOT), token);
    }
    store<f32>(comparisons + (j << 2), value);
  }
  attentionShares(comparisons, W, W0, ATTENTION);
}

/** HIDDEN (M) f32 ← h after the tokens of CONTEXT and the document. False where a read failed. */
// @ts-ignore: decorator
@inline
export function hiddenStates(): bool {
  if (STACKED_HEADS > 0) {
    let j = 1;
    for (; j < STACKED_BLOCK && <u32>load<u16>(CONTEXT + ((j - 1) << 1)) != ABSENT; ++j) {
      if (!blockState(CONTEXT + (j << 1), STATES + ((j * BLOCK_M) << 2))) return false;
    }
    if (j < STACKED_BLOCK) memory.fill(STATES + ((j * BLOCK_M) << 2), 0, ((STACKED_BLOCK - j) * BLOCK_M) << 2);
  }
  if (!blockState(CONTEXT, HIDDEN)) return false;
  if (DOCUMENT_HEADS > 0) {
    const logits = HIDDEN + BLOCK_M * 4;
    const bias = U0 + BLOCK_M * 4;
    for (let c: usize = 0; c < <usize>DOCUMENT_M << 2; c += 4) {
      store<f32>(logits + c, load<f32>(bias + c) + load<f32>(DOCUMENT + c));
    }
    softmaxHeads(logits, DOCUMENT_HEADS);
  }
  if (STACKED_HEADS > 0) {
    const logits = HIDDEN + (BLOCK_M + DOCUMENT_M) * 4;
    memory.copy(STATES, HIDDEN, BLOCK_M << 2);
    memory.copy(logits, U0 + (BLOCK_M + DOCUMENT_M) * 4, STACKED_M << 2);
    for (let row: usize = 0; row < <usize>STACKED_FEATURES; ++row) {
      const scale = load<f32>(fetch(STACKED_U_SCALE + (row << 2), 4, TILE_SCALES));
      const weights = fetch(STACKED_U + row * rowBytes(STACKED_M), rowBytes(STACKED_M), TILE);
      addRow(weights, STACKED_LEVELS, scale * load<f32>(STATES + (row << 2)), STACKED_M, logits);
    }
    if (readFailed()) return false;
    softmaxHeads(logits, STACKED_HEADS);
  }
  return true;
}

/** NEXT_DOCUMENT ← what the document will add to its heads' logits when `token` has come. A failed read is noted (flash.ts). */
export function nextDocument(token: u32): void {
  for (let c: usize = 0; c < <usize>DOCUMENT_M << 2; c += 4) store<f32>(NEXT_DOCUMENT + c, KEEP * load<f32>(DOCUMENT + c));
  addToken(token, CIPHER, 0, NEW, DOCUMENT_U, DOCUMENT_LEVELS, DOCUMENT_U_SCALE, DOCUMENT_M, NEXT_DOCUMENT);
}
