// Back-propagation (Rumelhart, Hinton & Williams 1986) through the stack: cross-entropy of softmax(h O + o0), h the softmax of each
// head's logits z. With e = ŷ − y: dO = Σ e ⊗ h, do0 = Σ e, dh = e O, dz = h · (dh − ⟨h, dh⟩) a head, dU = Σ x ⊗ dz, du0 = Σ dz. What the
// second layer's logits hand down goes to the block's states that it read, present and earlier; what a block's logits hand down to its
// shares s = r·a of attention, ds_j = ⟨dz, x_j U_j⟩, goes on to W as dl = s · (ds − ⟨a, ds⟩), dW = Σ c ⊗ dl, dw0 = Σ dl.
import { addToDocument } from "./document";
import { INPUTS, STACKED_AT, STATES_AT, W0_AT, W_AT } from "./hidden-layout";
import { addPosition, addToFeatures, blockShares, contextToken } from "./layer";
import { product } from "./product";
import { softmaxGradient } from "./residual";
import {
  ABSENT,
  ATTENDED,
  BLOCK,
  BLOCK_HEADS,
  BLOCK_M,
  DOCUMENT_HEADS,
  DOCUMENT_M,
  HEADS,
  M,
  SHARES,
  STACKED_BLOCK,
  STACKED_HEADS,
  V,
} from "./shape";
import { sumInLanes } from "./softmax";
import { addGains } from "./stacked";
import { TILE } from "./trainer-memory";
import { EARLIER } from "./tuner-memory";
import { addScaled } from "./vectors";

/** First column of the second layer's heads, in bytes. */
const STACKED_COLUMN: usize = (BLOCK_M + DOCUMENT_M) * 4;

/**
 * outLikelihood ← p(y), the token that came.
 *
 * @param places (TILE) u32; @param count places in use
 * @param predicted (V, TILE) f32
 * @param outLikelihood (TILE) f32
 */
export function likelihoodsOfTile(
  tokens: usize,
  places: usize,
  count: i32,
  predicted: usize,
  outLikelihood: usize,
): void {
  for (let t: usize = 0; t < <usize>count; ++t) {
    store<f32>(outLikelihood + (t << 2), load<f32>(ofLabel(tokens, places, t, predicted)));
  }
}

/**
 * Errors at the output, and gradients at the hidden layers' logits.
 *
 * @param places (TILE) u32; @param count places in use
 * @param u the hidden layers' weights; @param o (V, M) f32
 * @param inputs (TILE, INPUTS) f32; @param hidden (TILE, M) f32
 * @param outPredicted (V, TILE) f32: ŷ in, ŷ − y out
 * @param outDelta (TILE, M) f32, dz; rows from `count` on are zeroed
 * @param outEarlier (TILE, EARLIER) f32, dz of the block's heads at earlier places, by way of the second layer
 */
export function deltasOfTile(
  tokens: usize,
  places: usize,
  count: i32,
  u: usize,
  o: usize,
  inputs: usize,
  hidden: usize,
  outPredicted: usize,
  outDelta: usize,
  outEarlier: usize,
): void {
  for (let t: usize = 0; t < <usize>count; ++t) {
    const at = ofLabel(tokens, places, t, outPredicted);
    store<f32>(at, load<f32>(at) - 1);
  }
  product(outPredicted, 1, TILE, o, M, TILE, V, M, 0, outDelta, M);
  for (let t: usize = 0; t < <usize>TILE; ++t, outDelta += M << 2, hidden += M << 2) {
    if (<i32>t >= count) {
      memory.fill(outDelta, 0, M << 2);
      continue;
    }
    if (STACKED_HEADS > 0) {
      const states = inputs + ((t * INPUTS) << 2) + STATES_AT;
      const earlier = outEarlier + ((t * EARLIER) << 2);
      const stacked = outDelta + STACKED_COLUMN;
      softmaxGradient(hidden + STACKED_COLUMN, stacked, STACKED_HEADS, stacked);
      addGains(u + STACKED_AT, 0, stacked, outDelta);
      memory.fill(earlier, 0, EARLIER << 2);
      for (let j = 1; j < STACKED_BLOCK; ++j) {
        const handed = earlier + ((<usize>(j - 1) * BLOCK_M) << 2);
        addGains(u + STACKED_AT, j, stacked, handed);
        softmaxGradient(states + ((<usize>j * BLOCK_M) << 2), handed, BLOCK_HEADS, handed); // 0 where there was no state
      }
    }
    softmaxGradient(hidden, outDelta, STACKED_HEADS > 0 ? HEADS - STACKED_HEADS : HEADS, outDelta);
  }
}

/** Address of the prediction for the token that came at place t of a tile. */
// @ts-ignore: decorator
@inline
function ofLabel(tokens: usize, places: usize, t: usize, predicted: usize): usize {
  const label = <usize>load<u16>(tokens + (load<u32>(places + (t << 2)) << 1));
  return predicted + ((label * TILE + t) << 2);
}

/**
 * Mean gradients of the decoder's rows [first, end), a multiple of 4 of them.
 *
 * @param tiles tiles in the batch; @param weight 1 / places
 * @param errors (tiles, V, TILE) f32, ŷ − y; @param hidden (tiles, TILE, M) f32
 * @param outO (V, M) f32; outO0 (V) f32
 */
export function decoderGradient(
  tiles: i32,
  errors: usize,
  hidden: usize,
  first: usize,
  end: usize,
  weight: f32,
  outO: usize,
  outO0: usize,
): void {
  const rows = outO + ((first * M) << 2);
  memory.fill(rows, 0, ((end - first) * M) << 2);
  memory.fill(outO0 + (first << 2), 0, (end - first) << 2);
  for (let tile: usize = 0; tile < <usize>tiles; ++tile) {
    const own = errors + (tile * V + first) * TILE * 4;
    product(own, TILE, 1, hidden + tile * TILE * M * 4, M, end - first, TILE, M, weight, rows, M);
    for (let v: usize = first; v < end; ++v) {
      const sum = sumInLanes(own + (v - first) * TILE * 4, TILE);
      store<f32>(outO0 + (v << 2), load<f32>(outO0 + (v << 2)) + weight * sum);
    }
  }
}

/**
 * Mean gradient of rows [first, end) of the block's U under ciphered or one-hot inputs: rows that no block names have none.
 *
 * @param places (count) u32; @param u the hidden layers' weights; @param inputs (count, INPUTS) f32
 * @param delta (count, M) f32, dz; @param earlier (count, EARLIER) f32, dz at earlier places
 * @param scratch (2, SHARES) f32
 * @param outU (r·b, width of the block's heads) f32
 */
export function featureGradient(
  tokens: usize,
  places: usize,
  count: i32,
  cipher: usize,
  u: usize,
  inputs: usize,
  delta: usize,
  earlier: usize,
  first: i32,
  end: i32,
  weight: f32,
  scratch: usize,
  outU: usize,
): void {
  memory.fill(outU + ((<usize>first * BLOCK_M) << 2), 0, (<usize>(end - first) * BLOCK_M) << 2);
  for (let t: usize = 0; t < <usize>count; ++t) {
    const at = load<i32>(places + (t << 2));
    const shares = inputs + ((t * INPUTS) << 2);
    addToFeatures(tokens, at, cipher, shares, delta + ((t * M) << 2), weight, BLOCK_M, first, end, outU);
    if (STACKED_HEADS == 0) continue;
    for (let j = 1; j < STACKED_BLOCK && contextToken(tokens, at, j - 1) != ABSENT; ++j) {
      const row = earlier + ((t * EARLIER + <usize>(j - 1) * BLOCK_M) << 2);
      blockShares(tokens, at - j, cipher, u, scratch);
      addToFeatures(tokens, at - j, cipher, scratch, row, weight, BLOCK_M, first, end, outU);
    }
  }
}

/** Mean gradient of rows [first, end) of the document's U, outU (b, width of its heads) f32, from delta (count, M) f32. */
export function documentGradient(
  tokens: usize,
  places: usize,
  count: i32,
  cipher: usize,
  delta: usize,
  first: i32,
  end: i32,
  weight: f32,
  outU: usize,
): void {
  if (DOCUMENT_HEADS == 0) return;
  memory.fill(outU + ((<usize>first * DOCUMENT_M) << 2), 0, (<usize>(end - first) * DOCUMENT_M) << 2);
  for (let t: usize = 0; t < <usize>count; ++t) {
    const row = delta + ((t * M + BLOCK_M) << 2);
    addToDocument(tokens, load<i32>(places + (t << 2)), cipher, row, weight, DOCUMENT_M, first, end, outU);
  }
}

/**
 * Mean gradient of W and w0 of attention over the block's positions.
 *
 * @param u the hidden layers' weights; @param inputs (count, INPUTS) f32
 * @param delta (count, M) f32; @param earlier (count, EARLIER) f32
 * @param scratch (M + 3·SHARES) f32
 * @param outU laid out as u
 */
export function attentionGradient(
  tokens: usize,
  places: usize,
  count: i32,
  cipher: usize,
  u: usize,
  inputs: usize,
  delta: usize,
  earlier: usize,
  weight: f32,
  scratch: usize,
  outU: usize,
): void {
  if (!ATTENDED) return;
  memory.fill(outU + W_AT, 0, (BLOCK * BLOCK + BLOCK) << 2);
  const shares = scratch + (M << 2);
  for (let t: usize = 0; t < <usize>count; ++t) {
    const at = load<i32>(places + (t << 2));
    addShareGradient(tokens, at, cipher, u, inputs + ((t * INPUTS) << 2), delta + ((t * M) << 2), weight, scratch, outU);
    if (STACKED_HEADS == 0) continue;
    for (let j = 1; j < STACKED_BLOCK && contextToken(tokens, at, j - 1) != ABSENT; ++j) {
      const row = earlier + ((t * EARLIER + <usize>(j - 1) * BLOCK_M) << 2);
      blockShares(tokens, at - j, cipher, u, shares);
      addShareGradient(tokens, at - j, cipher, u, shares, row, weight, scratch, outU);
    }
  }
}

/** Adds to the gradient of W and w0 what one place's logits hand down, its shares and comparisons given. */
function addShareGradient(
  tokens: usize,
  at: i32,
  cipher: usize,
  u: usize,
  shares: usize,
  delta: usize,
  weight: f32,
  scratch: usize,
  outU: usize,
): void {
  const slopes = scratch + ((M + 2 * SHARES) << 2); // (r) f32, ds
  const comparisons = shares + (SHARES << 2);
  let mean: f32 = 0; // ⟨a, ds⟩
  for (let j = 0; j < BLOCK; ++j) {
    memory.fill(scratch, 0, BLOCK_M << 2);
    addPosition(tokens, at, j, cipher, shares, u, 0, BLOCK_M, scratch); // share · x_j U_j
    let slope: f32 = 0;
    for (let c: usize = 0; c < <usize>BLOCK_M << 2; c += 4) slope += load<f32>(delta + c) * load<f32>(scratch + c);
    store<f32>(slopes + (j << 2), slope); // s · ds
    mean += slope / <f32>BLOCK;
  }
  for (let k: usize = 0; k < <usize>BLOCK; ++k) {
    const logit = weight * (load<f32>(slopes + (k << 2)) - load<f32>(shares + (k << 2)) * mean);
    const bias = outU + W0_AT + (k << 2);
    store<f32>(bias, load<f32>(bias) + logit);
    for (let i: usize = 0; i < <usize>BLOCK; ++i) {
      const at = outU + W_AT + ((i * BLOCK + k) << 2);
      store<f32>(at, load<f32>(at) + load<f32>(comparisons + (i << 2)) * logit);
    }
  }
}

/** Mean gradient of u0, outU0 (M) f32, from delta (count, M) f32 and, for the block's heads, earlier (count, EARLIER) f32. */
export function biasGradient(count: i32, delta: usize, earlier: usize, weight: f32, outU0: usize): void {
  memory.fill(outU0, 0, M << 2);
  for (let t: usize = 0; t < <usize>count; ++t) addScaled(delta + ((t * M) << 2), weight, M, outU0);
  if (STACKED_HEADS == 0) return;
  for (let row: usize = 0; row < <usize>(count * (STACKED_BLOCK - 1)); ++row) {
    addScaled(earlier + ((row * BLOCK_M) << 2), weight, BLOCK_M, outU0);
  }
}
