// The tuner module: back-propagation with Adam, from weights that are there (fitted in closed form, or drawn at random). The host
// writes tokens at TOKENS and weights at theirs, calls configure, then runs steps in calls of bounded work. With shared memory, every
// thread makes the same calls with its own number.
import { adam, BETA1, BETA2, biasCorrection } from "./adam";
import {
  attentionGradient,
  biasGradient,
  decoderGradient,
  deltasOfTile,
  documentGradient,
  featureGradient,
  likelihoodsOfTile,
} from "./backward";
import {
  embeddedDeltas,
  embeddedFeatureGradient,
  embeddedTile,
  embeddingGradient,
  foldEmbedding,
  thawCipher,
} from "./embedding";
import { DOCUMENT_AT, HIDDEN_WEIGHTS, INPUTS, STACKED_AT, STATES_AT, W0_AT, W_AT } from "./hidden-layout";
import { log } from "./math";
import { consecutivePlaces, shuffledPlaces } from "./places";
import { mix, nextUniform, seedGenerator } from "./random";
import { addStateSums, forwardTile, predictTile } from "./residual";
import {
  ATTENDED,
  BITS,
  BLOCK,
  BLOCK_M,
  DOCUMENT_FEATURES,
  DOCUMENT_HEADS,
  DOCUMENT_M,
  FEATURES,
  M,
  STACKED_FEATURES,
  STACKED_HEADS,
  STACKED_M,
  V,
  WEIGHT_BITS,
} from "./shape";
import { barrier, shareStart } from "./threads";
import { TILE } from "./trainer-memory";
import { copyAttention, roundAll, roundAsStored, roundRows } from "./tuner-rounding";
import {
  BATCH_INPUTS,
  CIPHER,
  CIPHERED,
  DELTA,
  EARLIER,
  EARLIER_DELTA,
  EMBEDDED,
  EMBEDDED_DELTA,
  EMBEDDING,
  FIRST_MOMENT,
  FOLDED,
  HIDDEN,
  LABELS,
  LIKELIHOOD,
  LOSS,
  O,
  O0,
  PARAMETERS,
  PREDICTED,
  ROUNDED,
  SCRATCH,
  SCRATCH_BYTES,
  STRIDE,
  TOKENS,
  U,
  U0,
  WIDTH,
} from "./tuner-memory";

/** Where tensors of codes stand behind U_INT8. */
export {
  DOCUMENT_LEVELS_AT,
  DOCUMENT_ROWS_AT,
  DOCUMENT_SCALES_AT,
  LEVELS_AT,
  SCALES_AT,
  STACKED_LEVELS_AT,
  STACKED_ROWS_AT,
  STACKED_SCALES_AT,
} from "./hidden-codes";
export { BATCH, THREADS } from "./trainer-memory";
export {
  CIPHER,
  EMBEDDING,
  FIRST_MOMENT,
  FOLDED,
  GRADIENT,
  LIKELIHOOD,
  LOSS,
  O,
  O0,
  PARAMETERS,
  ROUNDED,
  SECOND_MOMENT,
  TOKENS,
  U,
  U_INT8,
  U0,
  WIDTH,
} from "./tuner-memory";

/** Where the other layers' weights stand behind U, and their biases behind the block's; of no length where the shape has none. */
export const DOCUMENT_U: usize = U + DOCUMENT_AT;
export const STACKED_U: usize = U + STACKED_AT;
export const BLOCK_W: usize = U + W_AT;
export const BLOCK_W0: usize = U + W0_AT;
export const DOCUMENT_U0: usize = U0 + BLOCK_M * 4;
export const STACKED_U0: usize = DOCUMENT_U0 + DOCUMENT_M * 4;
export { HIDDEN_WEIGHTS } from "./hidden-layout";

/** Groups of four bits at a position: what rows of U are shared out in. */
const GROUPS: i32 = (BITS + 3) / 4;
/** Standard deviation of a cold start's weights. */
const DEVIATION: f32 = 0.1;

let n: i32 = 0; // training places: labels TOKENS[0..n)
let key: u32 = 0;
let batch: i32 = 0;
let peak: f32 = 0;
let warmUp: i32 = 0;
let total: i32 = 0;
let thawStep: i32 = i32.MAX_VALUE;
let thawed: bool = false; // inputs are read from E
let read: usize = U; // the hidden layers' weights as steps have them: U, or what its rounding leaves

// @ts-ignore: decorator
@inline
function scratchOf(thread: i32): usize {
  return SCRATCH + <usize>thread * SCRATCH_BYTES;
}

/**
 * Settings of the steps.
 *
 * @param places of the text, and of one step (at most BATCH); @param steps of the whole run
 * @param rate at its peak; @param warm steps in which it rises to there
 * @param thaw first step at which E is trained; @param from the step that comes next
 * @param rounded of weights of four bits: whether each step sees what rounding leaves of them. Gradients at those are taken for
 * gradients at U itself (straight-through; Hinton 2012, Bengio et al. 2013), so that small steps add up
 */
export function configure(
  seed: u32,
  places: i32,
  inStep: i32,
  steps: i32,
  rate: f32,
  warm: i32,
  thaw: i32,
  from: i32,
  rounded: bool,
): void {
  read = WEIGHT_BITS == 4 && rounded ? ROUNDED : U;
  key = seed;
  n = places;
  batch = inStep;
  total = steps;
  peak = rate;
  warmUp = warm;
  thawStep = CIPHERED ? thaw : i32.MAX_VALUE;
  thawed = from > thawStep;
}

/** Moments ← 0, E ← the cipher, the loss ← 0, and weights to be read as they are. Thread 0 alone. */
export function begin(): void {
  if (WEIGHT_BITS == 4) memory.copy(ROUNDED, U, HIDDEN_WEIGHTS << 2);
  memory.fill(FIRST_MOMENT, 0, 2 * STRIDE);
  if (CIPHERED) thawCipher(CIPHER, EMBEDDING);
  store<f64>(LOSS, 0);
}

/**
 * Weights of a cold start, biases 0. Thread 0 alone.
 *
 * @param xavier false: nearly normal of deviation 0.1, the sum of four uniforms (variance 1/3, so the factor is √3); true: uniform
 * within ±√(6 / (inputs + outputs)) (Glorot & Bengio 2010), rows and columns of each hidden layer's U, M and V of the decoder. W and
 * w0 are 0: attention to all positions alike
 */
export function initialise(seed: u32, xavier: bool): void {
  const generator = scratchOf(0);
  seedGenerator(generator, seed);
  memory.fill(U0, 0, M << 2);
  memory.fill(O0, 0, V << 2);
  memory.fill(U, 0, HIDDEN_WEIGHTS << 2);
  drawLayer(generator, FEATURES, BLOCK_M, xavier, U);
  if (DOCUMENT_HEADS > 0) drawLayer(generator, DOCUMENT_FEATURES, DOCUMENT_M, xavier, DOCUMENT_U);
  if (STACKED_HEADS > 0) drawLayer(generator, STACKED_FEATURES, STACKED_M, xavier, STACKED_U);
  drawLayer(generator, V, M, xavier, O);
}

/** outWeights (rows, columns) f32 ← a cold start of one layer. */
function drawLayer(generator: usize, rows: i32, columns: i32, xavier: bool, outWeights: usize): void {
  draw(generator, rows * columns, xavier ? sqrt<f32>(<f32>6 / <f32>(rows + columns)) : 0, outWeights);
}

/** outWeights (count) f32 ← uniform within ±bound, or normal where the bound is 0. */
function draw(generator: usize, count: usize, bound: f32, outWeights: usize): void {
  for (const end = outWeights + (count << 2); outWeights < end; outWeights += 4) {
    let value = nextUniform(generator);
    if (bound > 0) value = (2 * value - 1) * bound;
    else {
      value += nextUniform(generator) + nextUniform(generator) + nextUniform(generator) - 2;
      value *= DEVIATION * 1.7320508;
    }
    store<f32>(outWeights, value);
  }
}

/** Learning rate of a step: linear from 0 to the peak in the warm-up, then linear down to a tenth of it. */
export function rateAt(step: i32): f32 {
  if (step < warmUp) return (peak * <f32>(step + 1)) / <f32>warmUp;
  return peak * (<f32>1 - (<f32>0.9 * <f32>(step - warmUp)) / <f32>max<i32>(1, total - warmUp));
}

/** Steps [from, to): tiles are shared among threads, then rows of each layer, with a barrier after each. */
export function tuneSteps(thread: i32, threads: i32, from: i32, to: i32): void {
  const steps = (n + batch - 1) / batch; // an epoch
  for (let step = from; step < to; ++step) {
    thawed = step >= thawStep;
    const start = (step % steps) * batch;
    const count = min<i32>(batch, n - start);
    const order = mix(key + <u32>(step / steps) * 0x9e3779b9);
    const tiles = (count + TILE - 1) / TILE;
    for (let tile = shareStart(tiles, 1, thread, threads), end = shareStart(tiles, 1, thread + 1, threads); tile < end; ++tile) {
      const inTile = min<i32>(TILE, count - tile * TILE);
      shuffledPlaces(start + tile * TILE, inTile, n, order, LABELS + (<usize>(tile * TILE) << 2));
      forward(tile, inTile, scratchOf(thread));
      backward(tile, inTile, scratchOf(thread));
    }
    barrier(threads);
    if (thread == 0) addLoss(count);
    if (ATTENDED) {
      // W's gradient reads U, and U's, by way of earlier places, reads W: neither moves before both are known
      if (thread == 0) gradientOfAttention(count);
      barrier(threads);
    }
    update(thread, threads, count, tiles, step);
    if (ATTENDED) barrier(threads);
    if (thread == 0) updateSmall(count, step);
    barrier(threads);
  }
}

/** Codes and what they say of the hidden layers, as the model is stored. Thread 0 alone. */
export function roundHidden(): void {
  if (read != U) roundAsStored();
}

/** Levels and scales for the steps that come, and the rounding of all rows. Every thread calls it. */
export function startRounding(thread: i32, threads: i32): void {
  if (read != U) roundAll(thread, threads, scratchOf(thread));
}

/** Hidden states, predictions and likelihoods of a tile whose places stand in LABELS. */
function forward(tile: i32, inTile: i32, transposed: usize): void {
  const at = <usize>tile * TILE;
  const places = LABELS + (at << 2);
  const hidden = HIDDEN + at * M * 4;
  const predicted = PREDICTED + at * V * 4;
  const lanes = transposed + M * TILE * 4;
  if (thawed) {
    embeddedTile(TOKENS, places, inTile, EMBEDDING, read, U0, EMBEDDED + at * WIDTH * 4, hidden);
    predictTile(hidden, inTile, O, O0, transposed, lanes, predicted);
  } else {
    const inputs = BATCH_INPUTS + at * INPUTS * 4;
    forwardTile(TOKENS, places, inTile, CIPHER, read, U0, O, O0, transposed, lanes, inputs, hidden, predicted);
  }
  likelihoodsOfTile(TOKENS, places, inTile, predicted, LIKELIHOOD + (at << 2));
}

/** Gradients of a tile at the layers' logits, and at its inputs where those are trained. */
function backward(tile: i32, inTile: i32, transposed: usize): void {
  const at = <usize>tile * TILE;
  const delta = DELTA + at * M * 4;
  deltasOfTile(
    TOKENS,
    LABELS + (at << 2),
    inTile,
    read,
    O,
    BATCH_INPUTS + at * INPUTS * 4,
    HIDDEN + at * M * 4,
    PREDICTED + at * V * 4,
    delta,
    EARLIER_DELTA + at * EARLIER * 4,
  );
  if (thawed) embeddedDeltas(delta, read, transposed, EMBEDDED_DELTA + at * WIDTH * 4);
}

/** Gradient of W and w0. Thread 0 alone. */
function gradientOfAttention(count: i32): void {
  const weight: f32 = <f32>1 / <f32>count;
  const scratch = scratchOf(0);
  attentionGradient(TOKENS, LABELS, count, CIPHER, read, BATCH_INPUTS, DELTA, EARLIER_DELTA, weight, scratch, U + STRIDE);
}

/** Gradients of this thread's share of the weights, and Adam's step on it. */
function update(thread: i32, threads: i32, count: i32, tiles: i32, step: i32): void {
  const weight: f32 = <f32>1 / <f32>count;
  const rate = rateAt(step);
  let first: usize = shareStart(V, 4, thread, threads);
  let end: usize = shareStart(V, 4, thread + 1, threads);
  decoderGradient(tiles, PREDICTED, HIDDEN, first, end, weight, O + STRIDE, O0 + STRIDE);
  descend(O + ((first * M) << 2), (end - first) * M, rate, step);
  descend(O0 + (first << 2), end - first, rate, step);
  if (thawed) {
    const table = EMBEDDING + STRIDE;
    embeddingGradient(TOKENS, LABELS, count, EMBEDDED_DELTA, <u32>first, <u32>end, weight, table);
    descend(EMBEDDING + ((first * WIDTH) << 2), (end - first) * WIDTH, rate, step - thawStep);
  }

  const group = shareStart(BLOCK * GROUPS, 1, thread, threads);
  const last = shareStart(BLOCK * GROUPS, 1, thread + 1, threads);
  first = rowOf(group);
  end = rowOf(last);
  if (thawed) {
    const four = scratchOf(thread);
    for (let i = group; i < last; ++i) {
      embeddedFeatureGradient(tiles, EMBEDDED, DELTA, i / GROUPS, (i % GROUPS) * 4, weight, four, U + STRIDE);
    }
  } else {
    featureGradient(
      TOKENS,
      LABELS,
      count,
      CIPHER,
      read,
      BATCH_INPUTS,
      DELTA,
      EARLIER_DELTA,
      <i32>first,
      <i32>end,
      weight,
      scratchOf(thread),
      U + STRIDE,
    );
  }
  descend(U + ((first * BLOCK_M) << 2), (end - first) * BLOCK_M, rate, step);
  if (read != U) roundRows(0, first, end);
  if (DOCUMENT_HEADS > 0) {
    first = shareStart(DOCUMENT_FEATURES, 1, thread, threads);
    end = shareStart(DOCUMENT_FEATURES, 1, thread + 1, threads);
    documentGradient(TOKENS, LABELS, count, CIPHER, DELTA, <i32>first, <i32>end, weight, DOCUMENT_U + STRIDE);
    descend(DOCUMENT_U + ((first * DOCUMENT_M) << 2), (end - first) * DOCUMENT_M, rate, step);
    if (read != U) roundRows(1, first, end);
  }
  if (STACKED_HEADS > 0) {
    first = shareStart(STACKED_FEATURES, 4, thread, threads);
    end = shareStart(STACKED_FEATURES, 4, thread + 1, threads);
    const table = STACKED_U + STRIDE;
    memory.fill(table + ((first * STACKED_M) << 2), 0, ((end - first) * STACKED_M) << 2);
    const delta = DELTA + (BLOCK_M + DOCUMENT_M) * 4;
    addStateSums(BATCH_INPUTS + STATES_AT, delta, tiles, <i32>first, <i32>end, weight, table);
    descend(STACKED_U + ((first * STACKED_M) << 2), (end - first) * STACKED_M, rate, step);
    if (read != U) roundRows(2, first, end);
  }
}

/** Gradient of the hidden layers' biases, and Adam's step on them and on W and w0. Thread 0 alone. */
function updateSmall(count: i32, step: i32): void {
  const rate = rateAt(step);
  if (ATTENDED) descend(BLOCK_W, HIDDEN_WEIGHTS - (W_AT >> 2), rate, step);
  if (read != U) copyAttention();
  biasGradient(count, DELTA, EARLIER_DELTA, <f32>1 / <f32>count, U0 + STRIDE);
  descend(U0, M, rate, step);
}

/** First row of U in a group. */
function rowOf(group: i32): usize {
  return (group / GROUPS) * BITS + (group % GROUPS) * 4;
}

/** Adam's step on `count` weights from `weights` on, of which `step` is the 0-based number. */
function descend(weights: usize, count: usize, rate: f32, step: i32): void {
  const correction1 = biasCorrection(BETA1, step + 1);
  const correction2 = biasCorrection(BETA2, step + 1);
  const gradient = weights + STRIDE;
  adam(gradient, count, rate, correction1, correction2, weights, gradient + STRIDE, gradient + 2 * STRIDE);
}

/** LOSS += Σ LIKELIHOOD's −log, of the first `count` places. Thread 0 alone. */
export function addLoss(count: i32): void {
  let loss = load<f64>(LOSS);
  for (let t: usize = 0; t < <usize>count; ++t) loss -= <f64>log(max<f32>(load<f32>(LIKELIHOOD + (t << 2)), 1.2e-38));
  store<f64>(LOSS, loss);
}

/** LIKELIHOOD[i] ← p(token at from + i), for i < places ≤ BATCH. Thread 0 alone. */
export function evaluate(from: i32, places: i32): void {
  for (let tile = 0; tile * TILE < places; ++tile) {
    const inTile = min<i32>(TILE, places - tile * TILE);
    consecutivePlaces(from + tile * TILE, inTile, LABELS + (<usize>(tile * TILE) << 2));
    forward(tile, inTile, scratchOf(0));
  }
}

/** FOLDED ← E·U a position. Thread 0 alone. */
export function fold(): void {
  if (CIPHERED) foldEmbedding(EMBEDDING, U, FOLDED);
}
