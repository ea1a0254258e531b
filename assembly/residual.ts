// The residual solve (ours): compare what was observed with what the model expected, and add the log of their ratio. In batches,
// with decaying averages of both sums, decoder and hidden layers together (step 2 of the recipe).
import { addToDocument } from "./document";
import { hiddenState } from "./hidden";
import { DOCUMENT_AT, INPUTS, STACKED_AT, STATES_AT } from "./hidden-layout";
import { addToFeatures } from "./layer";
import { exp, exp4 } from "./math";
import { product } from "./product";
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
  HEADS,
  M,
  POSITIONS_A_HEAD,
  ROW_BYTES,
  STACKED_BLOCK,
  STACKED_FEATURES,
  STACKED_HEADS,
  STACKED_M,
  V,
} from "./shape";
import { sumInLanes } from "./softmax";
import { addGains } from "./stacked";
import { shareStart } from "./threads";
import { TILE } from "./trainer-memory";
import { addLogRatio, addScaled, expTimes, scale } from "./vectors";

/**
 * Hidden states and predictions of one tile.
 *
 * @param tokens (N) u16; @param places (TILE) u32; @param count places in use, the rest of the tile is zeroed
 * @param o (V, M) f32, o0 (V) f32
 * @param transposed (M, TILE) f32 scratch; @param lanes (2, TILE) f32 scratch
 * @param outInputs (TILE, INPUTS) f32, see hiddenState; @param outHidden (TILE, M) f32; outPredicted (V, TILE) f32
 */
export function forwardTile(
  tokens: usize,
  places: usize,
  count: i32,
  cipher: usize,
  u: usize,
  u0: usize,
  o: usize,
  o0: usize,
  transposed: usize,
  lanes: usize,
  outInputs: usize,
  outHidden: usize,
  outPredicted: usize,
): void {
  for (let t = 0; t < TILE; ++t) {
    const row = outHidden + ((<usize>t * M) << 2);
    const inputs = outInputs + ((<usize>t * INPUTS) << 2);
    if (t < count) hiddenState(tokens, load<i32>(places + ((<usize>t) << 2)), cipher, u, u0, inputs, row);
    else memory.fill(row, 0, M << 2);
  }
  predictTile(outHidden, count, o, o0, transposed, lanes, outPredicted);
}

/**
 * Predictions of one tile from its hidden states: softmax(h O + o0); columns from `count` on are zeroed.
 *
 * @param hidden (TILE, M) f32; @param o (V, M) f32, o0 (V) f32
 * @param transposed (M, TILE) f32 scratch; @param lanes (2, TILE) f32 scratch
 * @param outPredicted (V, TILE) f32
 */
export function predictTile(
  hidden: usize,
  count: i32,
  o: usize,
  o0: usize,
  transposed: usize,
  lanes: usize,
  outPredicted: usize,
): void {
  transposeTile(hidden, transposed);
  product(o, M, 1, transposed, TILE, V, M, TILE, 0, outPredicted, TILE);
  softmaxColumns(o0, lanes, count, outPredicted);
}

/** outTransposed (M, TILE) ← rows (TILE, M), f32. */
export function transposeTile(rows: usize, outTransposed: usize): void {
  for (let t: usize = 0; t < <usize>TILE; ++t, rows += M << 2) {
    for (let c: usize = 0; c < <usize>M; ++c) {
      store<f32>(outTransposed + ((c * TILE + t) << 2), load<f32>(rows + (c << 2)));
    }
  }
}

/**
 * Least logit below the highest: e^-38 is 2^-54.8, and over 4096 tokens no prediction comes below 2^-67. Products with hidden states then stay
 * normal numbers (LEAST_STATE of hidden.ts).
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

/**
 * Hidden targets of the residual solve: t ∝ h · exp(β (g − ⟨h, g⟩)) per head, g_c = O[y, c] − Σ_v ŷ_v O[v, c], the exponent held to
 * ±5. What each class would have gained decides how much of it was wanted. Only for small β does Σ x ⊗ (t − h) = 0 where the likelihood
 * is highest: t − h is then β h · (g − ⟨h, g⟩), and the likelihood's gradient at the logits is h · (g − ⟨h, g⟩). What the second layer's logits would gain, h · (g − ⟨h, g⟩),
 * is a gain of the block's present state, too, by way of the rows of U.
 *
 * @param u the hidden layers' weights
 * @param predicted (V, TILE) f32; @param hidden (TILE, M) f32
 * @param sharpness β, above 0
 * @param delta (M) f32 scratch
 * @param outTargets (TILE, M) f32; rows from `count` on are zeroed
 */
export function targetsOfTile(
  tokens: usize,
  places: usize,
  count: i32,
  u: usize,
  o: usize,
  predicted: usize,
  hidden: usize,
  sharpness: f32,
  delta: usize,
  outTargets: usize,
): void {
  product(predicted, 1, TILE, o, M, TILE, V, M, 0, outTargets, M);
  for (let t: usize = 0; t < <usize>TILE; ++t) {
    const target = outTargets + ((t * M) << 2);
    if (<i32>t >= count) {
      memory.fill(target, 0, M << 2);
      continue;
    }
    const label = <usize>load<u16>(tokens + (load<u32>(places + (t << 2)) << 1));
    const wanted = o + ((label * M) << 2);
    const h = hidden + ((t * M) << 2);
    for (let c: usize = 0; c < ROW_BYTES; c += 4) store<f32>(target + c, load<f32>(wanted + c) - load<f32>(target + c));
    if (STACKED_HEADS > 0) {
      const stacked: usize = (BLOCK_M + DOCUMENT_M) << 2;
      softmaxGradient(h + stacked, target + stacked, STACKED_HEADS, delta);
      addGains(u + STACKED_AT, 0, delta, target);
    }
    for (let head: usize = 0; head < <usize>HEADS; ++head) {
      const offset = (head * CLASSES) << 2;
      let mean: f32 = 0;
      for (let c = offset; c < offset + (CLASSES << 2); c += 4) mean += load<f32>(h + c) * load<f32>(target + c);
      for (let c = offset; c < offset + (CLASSES << 2); c += 4) {
        store<f32>(target + c, min<f32>(5, max<f32>(-5, sharpness * (load<f32>(target + c) - mean))));
      }
      expTimes(h + offset, CLASSES, target + offset);
      scale(<f32>1 / sumInLanes(target + offset, CLASSES), CLASSES, target + offset);
    }
  }
}

/** outDelta (heads · m) f32 ← h · (g − ⟨h, g⟩) per head: from a gradient at the softmax to one at its logits. */
export function softmaxGradient(hidden: usize, gradient: usize, heads: i32, outDelta: usize): void {
  for (let head: usize = 0; head < <usize>heads; ++head) {
    const from = (head * CLASSES) << 2;
    const to = from + (CLASSES << 2);
    let mean: f32 = 0;
    for (let c = from; c < to; c += 4) mean += load<f32>(hidden + c) * load<f32>(gradient + c);
    for (let c = from; c < to; c += 4) store<f32>(outDelta + c, load<f32>(hidden + c) * (load<f32>(gradient + c) - mean));
  }
}

/**
 * Sums and solve of the decoder's rows [first, end): F ← keep·F + weight·Σ h ⊗ y, F̂ likewise with ŷ, then
 * O += step · log[(F + (α + κ) π) / (F̂ + α π + κ π exp(O))].
 *
 * @param mass α; @param prior κ, 0 for none
 * @param tiles tiles in the batch, count places in use
 * @param marginal (V) f32; @param row (M) f32 scratch
 */
export function solveDecoder(
  tokens: usize,
  places: usize,
  count: i32,
  tiles: i32,
  hidden: usize,
  predicted: usize,
  first: usize,
  end: usize,
  keep: f32,
  weight: f32,
  mass: f32,
  prior: f32,
  step: f32,
  marginal: usize,
  row: usize,
  outObserved: usize,
  outExpected: usize,
  outO: usize,
): void {
  const base = (first * M) << 2;
  const n = (end - first) * M;
  scale(keep, n, outObserved + base);
  scale(keep, n, outExpected + base);
  for (let t: usize = 0; t < <usize>count; ++t) {
    const label = <usize>load<u16>(tokens + (load<u32>(places + (t << 2)) << 1));
    if (label < first || label >= end) continue;
    addScaled(hidden + ((t * M) << 2), weight, M, outObserved + ((label * M) << 2));
  }
  for (let tile: usize = 0; tile < <usize>tiles; ++tile) {
    product(
      predicted + (tile * V + first) * TILE * 4,
      TILE,
      1,
      hidden + ((tile * TILE * M) << 2),
      M,
      end - first,
      TILE,
      M,
      weight,
      outExpected + base,
      M,
    );
  }
  for (let v = first; v < end; ++v) {
    const offset = (v * M) << 2;
    const p = load<f32>(marginal + (v << 2));
    for (let c: usize = 0; c < ROW_BYTES; c += 4) store<f32>(row + c, p);
    addLogRatio(outObserved + offset, outExpected + offset, row, mass, prior, step, M, outO + offset);
  }
}

/**
 * Sums and solve of this thread's share of the hidden layers' rows: G ← keep·G + weight·Σ x ⊗ t, Ĝ likewise with h, then
 * U += step / K · η · log[(G + (α + κ) c) / (Ĝ + α c + κ c exp(U))], c the mean hidden state of the batch, K the norm of the layer's inputs: r of the block,
 * 1 of the document, positions · heads of the second layer. A position of the block that was given little weight is held the more: its κ is
 * κ · (largest weight / its own)², as the spread of its weights is in proportion to it.
 *
 * @param positions (H, POSITIONS_A_HEAD) f32, weights of what each head reads
 * @param tiles tiles in the batch, count places in use; @param inputs (BATCH, INPUTS) f32
 * @param mass α; @param prior κ, 0 for none
 * @param mean (M) f32 scratch
 * @param outObserved, outExpected laid out as outU, the hidden layers' weights
 */
export function solveFeatures(
  thread: i32,
  threads: i32,
  tokens: usize,
  places: usize,
  count: i32,
  tiles: i32,
  cipher: usize,
  positions: usize,
  inputs: usize,
  hidden: usize,
  targets: usize,
  keep: f32,
  weight: f32,
  mass: f32,
  prior: f32,
  step: f32,
  eta: f32,
  mean: usize,
  outObserved: usize,
  outExpected: usize,
  outU: usize,
): void {
  memory.fill(mean, 0, M << 2);
  for (let t = 0; t < count; ++t) addScaled(hidden + ((<usize>t * M) << 2), <f32>1 / <f32>count, M, mean);

  let first = shareStart(FEATURES, 1, thread, threads);
  let end = shareStart(FEATURES, 1, thread + 1, threads);
  decay(keep, first * BLOCK_M, end * BLOCK_M, outObserved, outExpected);
  for (let t = 0; t < count; ++t) {
    const at = load<i32>(places + ((<usize>t) << 2));
    const row = (<usize>t * M) << 2;
    const shares = inputs + ((<usize>t * INPUTS) << 2);
    addToFeatures(tokens, at, cipher, shares, targets + row, weight, BLOCK_M, first, end, outObserved);
    addToFeatures(tokens, at, cipher, shares, hidden + row, weight, BLOCK_M, first, end, outExpected);
  }
  let largest: f32 = 0;
  for (let j = 0; j < BLOCK; ++j) largest = max<f32>(largest, positionTotal(positions, j));
  for (let j = 0; j < BLOCK; ++j) {
    const ratio = largest / positionTotal(positions, j);
    solveRows(
      max<i32>(first, j * BITS),
      min<i32>(end, (j + 1) * BITS),
      BLOCK_M,
      mean,
      mass,
      prior * ratio * ratio,
      (step / <f32>BLOCK) * eta,
      outObserved,
      outExpected,
      outU,
    );
  }

  if (DOCUMENT_HEADS > 0) {
    const column: usize = BLOCK_M << 2;
    first = shareStart(DOCUMENT_FEATURES, 1, thread, threads);
    end = shareStart(DOCUMENT_FEATURES, 1, thread + 1, threads);
    const observed = outObserved + DOCUMENT_AT;
    const expected = outExpected + DOCUMENT_AT;
    decay(keep, first * DOCUMENT_M, end * DOCUMENT_M, observed, expected);
    for (let t = 0; t < count; ++t) {
      const at = load<i32>(places + ((<usize>t) << 2));
      const row = ((<usize>t * M) << 2) + column;
      addToDocument(tokens, at, cipher, targets + row, weight, DOCUMENT_M, first, end, observed);
      addToDocument(tokens, at, cipher, hidden + row, weight, DOCUMENT_M, first, end, expected);
    }
    solveRows(first, end, DOCUMENT_M, mean + column, mass, prior, step * eta, observed, expected, outU + DOCUMENT_AT);
  }

  if (STACKED_HEADS > 0) {
    const column: usize = (BLOCK_M + DOCUMENT_M) << 2;
    first = shareStart(STACKED_FEATURES, 4, thread, threads);
    end = shareStart(STACKED_FEATURES, 4, thread + 1, threads);
    const observed = outObserved + STACKED_AT;
    const expected = outExpected + STACKED_AT;
    decay(keep, first * STACKED_M, end * STACKED_M, observed, expected);
    const states = inputs + STATES_AT;
    addStateSums(states, targets + column, tiles, first, end, weight, observed);
    addStateSums(states, hidden + column, tiles, first, end, weight, expected);
    const norm: f32 = <f32>(STACKED_BLOCK * BLOCK_HEADS);
    solveRows(first, end, STACKED_M, mean + column, mass, prior, (step / norm) * eta, observed, expected, outU + STACKED_AT);
  }
}

/** Weight that the block's heads give one of its positions, all together. */
function positionTotal(positions: usize, j: i32): f32 {
  let total: f32 = 0;
  for (let head = 0; head < BLOCK_HEADS; ++head) total += load<f32>(positions + (<usize>(head * POSITIONS_A_HEAD + j) << 2));
  return total;
}

/** Both sums ← keep · sums, for elements [first, end). */
function decay(keep: f32, first: usize, end: usize, observed: usize, expected: usize): void {
  scale(keep, end - first, observed + (first << 2));
  scale(keep, end - first, expected + (first << 2));
}

/** Rows [first, end) of a table of `width` columns, each by addLogRatio. */
function solveRows(
  first: i32,
  end: i32,
  width: usize,
  mean: usize,
  mass: f32,
  prior: f32,
  step: f32,
  observed: usize,
  expected: usize,
  outU: usize,
): void {
  for (let row = <usize>first; row < <usize>end; ++row) {
    const offset = (row * width) << 2;
    addLogRatio(observed + offset, expected + offset, mean, mass, prior, step, width, outU + offset);
  }
}

/**
 * outSums += weight · Σ states ⊗ values, for rows [first, end), a multiple of 4 of them. Places that are not in use have states of
 * whatever was there, and values of 0.
 *
 * @param states (tiles · TILE) rows of INPUTS f32; @param values (tiles · TILE) rows of M f32, offset to the layer's first column
 * @param outSums (rows, width of the second layer's heads) f32
 */
export function addStateSums(
  states: usize,
  values: usize,
  tiles: i32,
  first: i32,
  end: i32,
  weight: f32,
  outSums: usize,
): void {
  const rows = outSums + ((<usize>first * STACKED_M) << 2);
  for (let tile: usize = 0; tile < <usize>tiles; ++tile) {
    const left = states + ((tile * TILE * INPUTS + first) << 2);
    const right = values + ((tile * TILE * M) << 2);
    product(left, 1, INPUTS, right, M, end - first, TILE, STACKED_M, weight, rows, STACKED_M);
  }
}
