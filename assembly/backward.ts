// Back-propagation (Rumelhart, Hinton & Williams 1986) through the stack: cross-entropy of softmax(h O + o0), h the softmax of each
// head's logits z. With e = ŷ − y: dO = Σ e ⊗ h, do0 = Σ e, dh = e O, dz = h · (dh − ⟨h, dh⟩) a head, dU = Σ x ⊗ dz, du0 = Σ dz.
import { addToFeatures } from "./layer";
import { product } from "./product";
import { CLASSES, HEADS, M, V } from "./shape";
import { sumInLanes } from "./softmax";
import { TILE } from "./trainer-memory";
import { addScaled } from "./vectors";

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
 * Errors at the output, and gradients at the hidden layer's logits.
 *
 * @param places (TILE) u32; @param count places in use
 * @param o (V, M) f32; @param hidden (TILE, M) f32
 * @param outPredicted (V, TILE) f32: ŷ in, ŷ − y out
 * @param outDelta (TILE, M) f32, dz; rows from `count` on are zeroed
 */
export function deltasOfTile(
  tokens: usize,
  places: usize,
  count: i32,
  o: usize,
  hidden: usize,
  outPredicted: usize,
  outDelta: usize,
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
    for (let head: usize = 0; head < <usize>HEADS; ++head) {
      const from = (head * CLASSES) << 2;
      const to = from + (CLASSES << 2);
      let mean: f32 = 0;
      for (let c = from; c < to; c += 4) mean += load<f32>(hidden + c) * load<f32>(outDelta + c);
      for (let c = from; c < to; c += 4) {
        store<f32>(outDelta + c, load<f32>(hidden + c) * (load<f32>(outDelta + c) - mean));
      }
    }
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
 * Mean gradient of rows [first, end) of U under ciphered or one-hot inputs: rows that no block names have none.
 *
 * @param places (count) u32; @param delta (count, M) f32, dz
 * @param outU (r·b, M) f32
 */
export function featureGradient(
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
  memory.fill(outU + ((<usize>first * M) << 2), 0, (<usize>(end - first) * M) << 2);
  for (let t: usize = 0; t < <usize>count; ++t) {
    const row = delta + ((t * M) << 2);
    addToFeatures(tokens, load<i32>(places + (t << 2)), cipher, row, weight, M, first, end, outU);
  }
}

/** Mean gradient of u0, outU0 (M) f32, from delta (count, M) f32. */
export function biasGradient(count: i32, delta: usize, weight: f32, outU0: usize): void {
  memory.fill(outU0, 0, M << 2);
  for (let t: usize = 0; t < <usize>count; ++t) addScaled(delta + ((t * M) << 2), weight, M, outU0);
}
