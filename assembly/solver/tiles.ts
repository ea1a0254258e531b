// The forward pass of a tile of places, TILE at a time: hidden states, then predictions, whose probabilities stay in cache.
import { exp, exp4 } from "../common/math";
import { multiply } from "../common/product";
import { forward } from "../layers/forward";
import { Batch, Network } from "../layers/records";
import { EARLIER, INPUTS, M, V } from "../shape";
import { TILE } from "./layout";
import { Work } from "./records";

/** The thread's tile ← tile `i` of a batch. */
export function tileOf(batch: Batch, i: i32, work: Work): Batch {
  const tile = work.tile;
  const first = <usize>(i * TILE);
  tile.tokens = batch.tokens;
  tile.places = batch.places + (first << 2);
  tile.count = min<i32>(TILE, batch.count - i * TILE);
  tile.tiles = 1;
  tile.inputs = batch.inputs + first * INPUTS * 4;
  tile.hidden = batch.hidden + first * M * 4;
  tile.targets = batch.targets + first * M * 4;
  tile.earlier = batch.earlier + first * EARLIER * 4;
  tile.predicted = batch.predicted + first * V * 4;
  return tile;
}

/** Hidden states and predictions of one tile; rows and columns from its count on are zeroed. */
export function forwardTile(tile: Batch, network: Network, work: Work): void {
  const place = work.place;
  place.tokens = tile.tokens;
  place.cipher = network.cipher;
  for (let t = 0; t < TILE; ++t) {
    const row = tile.hidden + ((<usize>t * M) << 2);
    if (t < tile.count) {
      place.moveTo(load<i32>(tile.places + (<usize>t << 2)));
      place.inputs = tile.inputs + ((<usize>t * INPUTS) << 2);
      forward(place, network, row);
    } else memory.fill(row, 0, M << 2);
  }
  predictTile(tile, network, work);
}

/** Predictions of one tile from its hidden states: softmax(h O + o0). */
function predictTile(tile: Batch, network: Network, work: Work): void {
  transposeTile(tile.hidden, work.transposed);
  const product = work.product;
  product.left = network.decoder;
  product.leftRow = M;
  product.leftStep = 1;
  product.right = work.transposed;
  product.rightStep = TILE;
  product.rows = V;
  product.depth = M;
  product.columns = TILE;
  product.out = tile.predicted;
  product.outRow = TILE;
  product.weight = 0;
  multiply(product);
  softmaxColumns(network.decoderBias, work.lanes, tile.count, tile.predicted);
}

/** The tile's targets (TILE, M) ← Σ_v of its predictions, or errors, times O[v]: what they say of the hidden units. */
export function backToHidden(tile: Batch, network: Network, work: Work): void {
  const product = work.product;
  product.left = tile.predicted;
  product.leftRow = 1;
  product.leftStep = TILE;
  product.right = network.decoder;
  product.rightStep = M;
  product.rows = TILE;
  product.depth = V;
  product.columns = M;
  product.out = tile.targets;
  product.outRow = M;
  product.weight = 0;
  multiply(product);
}

/** outRows (end − first, M) f32 += weight · Σ h ⊗ ŷ (or errors) over the batch, for the decoder's rows [first, end), a multiple of 4 of them. */
export function addExpected(batch: Batch, first: usize, end: usize, weight: f32, outRows: usize, work: Work): void {
  const product = work.product;
  product.leftRow = TILE;
  product.leftStep = 1;
  product.rightStep = M;
  product.rows = end - first;
  product.depth = TILE;
  product.columns = M;
  product.out = outRows;
  product.outRow = M;
  product.weight = weight;
  for (let tile: usize = 0; tile < <usize>batch.tiles; ++tile) {
    product.left = batch.predicted + (tile * V + first) * TILE * 4;
    product.right = batch.hidden + tile * TILE * M * 4;
    multiply(product);
  }
}

/** outTransposed (M, TILE) ← rows (TILE, M), f32. */
function transposeTile(rows: usize, outTransposed: usize): void {
  for (let t: usize = 0; t < <usize>TILE; ++t, rows += M << 2) {
    for (let c: usize = 0; c < <usize>M; ++c) {
      store<f32>(outTransposed + ((c * TILE + t) << 2), load<f32>(rows + (c << 2)));
    }
  }
}

/**
 * Least logit below the highest: e^-38 is 2^-54.8, and over 4096 tokens no prediction comes below 2^-67. Products with hidden states then stay
 * normal numbers (LEAST_STATE of layers/forward.ts).
 */
const LEAST_LOGIT: f32 = -38;

/** values[v, t] ← softmax over v of values[v, t] + o0[v]; columns from `count` on are zeroed. */
function softmaxColumns(o0: usize, lanes: usize, count: i32, values: usize): void {
  const row = TILE << 2;
  const end = values + V * row;
  const peaks = lanes;
  const sums = lanes + row;
  for (let t: usize = 0; t < <usize>row; t += 4) {
    store<f32>(peaks + t, -Infinity);
    store<f32>(sums + t, 0);
  }
  let bias = o0;
  for (let at = values; at < end; at += row, bias += 4) {
    const b = load<f32>(bias);
    if (ASC_FEATURE_SIMD) {
      const b4 = f32x4.splat(b);
      for (let t: usize = 0; t < <usize>row; t += 16) {
        const x = f32x4.add(v128.load(at + t), b4);
        v128.store(at + t, x);
        v128.store(peaks + t, f32x4.max(v128.load(peaks + t), x));
      }
    } else {
      for (let t: usize = 0; t < <usize>row; t += 4) {
        const x = load<f32>(at + t) + b;
        store<f32>(at + t, x);
        store<f32>(peaks + t, max<f32>(load<f32>(peaks + t), x));
      }
    }
  }
  for (let at = values; at < end; at += row) {
    if (ASC_FEATURE_SIMD) {
      for (let t: usize = 0; t < <usize>row; t += 16) {
        const e = exp4(f32x4.max(f32x4.sub(v128.load(at + t), v128.load(peaks + t)), f32x4.splat(LEAST_LOGIT)));
        v128.store(at + t, e);
        v128.store(sums + t, f32x4.add(v128.load(sums + t), e));
      }
    } else {
      for (let t: usize = 0; t < <usize>row; t += 4) {
        const e = exp(max<f32>(load<f32>(at + t) - load<f32>(peaks + t), LEAST_LOGIT));
        store<f32>(at + t, e);
        store<f32>(sums + t, load<f32>(sums + t) + e);
      }
    }
  }
  for (let t = 0; t < TILE; ++t) {
    const sum = sums + (t << 2);
    store<f32>(sum, t < count ? <f32>1 / load<f32>(sum) : 0);
  }
  for (let at = values; at < end; at += row) {
    if (ASC_FEATURE_SIMD) {
      for (let t: usize = 0; t < <usize>row; t += 16) {
        v128.store(at + t, f32x4.mul(v128.load(at + t), v128.load(sums + t)));
      }
    } else {
      for (let t: usize = 0; t < <usize>row; t += 4) {
        store<f32>(at + t, load<f32>(at + t) * load<f32>(sums + t));
      }
    }
  }
}
