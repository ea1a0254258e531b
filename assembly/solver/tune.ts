// Tuning: back-propagation with Adam, from weights that are there (fitted in closed form, or drawn at random). Each step shares out tiles
// of places among threads, then rows of each layer, with a barrier after each.
import { log } from "../common/math";
import { mix, nextUniform, seedGenerator } from "../common/random";
import { tableOf, W_AT } from "../layers/list";
import { ATTENDED, HIDDEN_WEIGHTS, LAYERS, M, readsOf, rowsOf, STATES, V, WEIGHT_BITS, widthOf } from "../shape";
import { adam, AdamStep, BETA1, BETA2, biasCorrection } from "./adam";
import { attentionGradient, biasGradient, decoderGradient, deltasOfTile, layerGradient, likelihoodsOfTile } from "./gradient";
import { LIKELIHOOD, LOSS, O, O0, ROUNDED, THIRD, TILE, U, U0 } from "./layout";
import { shuffledPlaces } from "./places";
import { network, readNetwork, settings, STRIDE, Work } from "./records";
import { copyAttention, roundRows } from "./rounding";
import { barrier, shareStart } from "./threads";
import { forwardTile, tileOf } from "./tiles";

/** Standard deviation of a cold start's weights. */
const DEVIATION: f32 = 0.1;

/** Moments ← 0, the loss ← 0, and weights to be read as they are. Thread 0 alone. */
export function begin(): void {
  if (WEIGHT_BITS == 4) memory.copy(ROUNDED, U, HIDDEN_WEIGHTS << 2);
  memory.fill(THIRD, 0, 2 * STRIDE);
  store<f64>(LOSS, 0);
}

/**
 * Weights of a cold start, biases 0. Thread 0 alone.
 *
 * @param xavier false: nearly normal of deviation 0.1, the sum of four uniforms (variance 1/3, so the factor is √3); true: uniform
 * within ±√(6 / (inputs + outputs)) (Glorot & Bengio 2010), rows and columns of each hidden layer's U, M and V of the decoder. W and
 * w0 are 0: attention to all positions alike
 */
export function initialise(seed: u32, xavier: bool, work: Work): void {
  const generator = work.rows;
  seedGenerator(generator, seed);
  memory.fill(U0, 0, M << 2);
  memory.fill(O0, 0, V << 2);
  memory.fill(U, 0, HIDDEN_WEIGHTS << 2);
  for (let layer = 0; layer < LAYERS; ++layer) drawTable(generator, rowsOf(layer), widthOf(layer), xavier, U + tableOf(layer));
  drawTable(generator, V, M, xavier, O);
}

/** outWeights (rows, columns) f32 ← a cold start of one table. */
function drawTable(generator: usize, rows: i32, columns: i32, xavier: bool, outWeights: usize): void {
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
  const peak = settings.learningRate;
  const warmUp = settings.warmUp;
  if (step < warmUp) return (peak * <f32>(step + 1)) / <f32>warmUp;
  return peak * (<f32>1 - (<f32>0.9 * <f32>(step - warmUp)) / <f32>max<i32>(1, settings.steps - warmUp));
}

/** One step. Every thread calls it. */
export function tuneStep(step: i32, work: Work): void {
  const n = settings.places;
  const steps = (n + settings.batch - 1) / settings.batch; // an epoch
  const start = (step % steps) * settings.batch;
  const count = min<i32>(settings.batch, n - start);
  const tiles = (count + TILE - 1) / TILE;
  const order = mix(settings.seed + <u32>(step / steps) * 0x9e3779b9);
  const batch = work.batch;
  batch.count = count;
  batch.tiles = tiles;
  const end = shareStart(tiles, 1, work.thread + 1, work.threads);
  for (let i = shareStart(tiles, 1, work.thread, work.threads); i < end; ++i) {
    const tile = tileOf(batch, i, work);
    shuffledPlaces(start + i * TILE, tile.count, n, order, tile.places);
    forwardTile(tile, readNetwork, work);
    likelihoodsOfTile(tile, LIKELIHOOD + (<usize>(i * TILE) << 2));
    deltasOfTile(tile, readNetwork, work);
  }
  barrier(work.threads);
  if (work.thread == 0) addLoss(count);
  if (ATTENDED != 0) {
    // W's gradient reads U, and U's, by way of earlier places, reads W: neither moves before both are known
    if (work.thread == 0) attentionGradient(batch, readNetwork, U + STRIDE, work);
    barrier(work.threads);
  }
  update(step, work);
  if (ATTENDED != 0) barrier(work.threads);
  if (work.thread == 0) updateSmall(step, work);
  barrier(work.threads);
}

/** Gradients of this thread's share of the weights, and Adam's step on it. */
function update(step: i32, work: Work): void {
  const first = shareStart(V, 4, work.thread, work.threads);
  const count = shareStart(V, 4, work.thread + 1, work.threads) - first;
  decoderGradient(work.batch, network, work);
  const adamStep = adamStepOf(step, work);
  adam(adamStep, count * M, O + (<usize>(first * M) << 2));
  adam(adamStep, count, O0 + (<usize>first << 2));
  updateLayer(0, adamStep, work);
  if (LAYERS > 1) updateLayer(1, adamStep, work);
  if (LAYERS > 2) updateLayer(2, adamStep, work);
}

// @ts-ignore: decorator
@inline
function updateLayer(layer: i32, adamStep: AdamStep, work: Work): void {
  const unit = readsOf(layer) == STATES ? 4 : 1;
  const first = shareStart(rowsOf(layer), unit, work.thread, work.threads);
  const end = shareStart(rowsOf(layer), unit, work.thread + 1, work.threads);
  const width = <usize>widthOf(layer);
  const outer = work.outer;
  outer.first = first;
  outer.end = end;
  layerGradient(layer, work.batch, readNetwork, U + STRIDE, work);
  adam(adamStep, <usize>(end - first) * width, U + tableOf(layer) + ((<usize>first * width) << 2));
  if (readNetwork.hidden != U) roundRows(layer, first, end);
}

/** Gradient of the hidden layers' biases, and Adam's step on them and on W and w0. Thread 0 alone. */
function updateSmall(step: i32, work: Work): void {
  const adamStep = adamStepOf(step, work);
  if (ATTENDED != 0) adam(adamStep, <usize>HIDDEN_WEIGHTS - (W_AT >> 2), U + W_AT);
  if (readNetwork.hidden != U) copyAttention();
  biasGradient(work.batch, network);
  adam(adamStep, M, U0);
}

/** Adam's step with the 0-based number `step`. */
function adamStepOf(step: i32, work: Work): AdamStep {
  const adamStep = work.adamStep;
  adamStep.rate = rateAt(step);
  adamStep.correction1 = biasCorrection(BETA1, step + 1);
  adamStep.correction2 = biasCorrection(BETA2, step + 1);
  adamStep.stride = STRIDE;
  return adamStep;
}

/** LOSS += Σ LIKELIHOOD's −log, of the first `count` places. Thread 0 alone. */
export function addLoss(count: i32): void {
  let loss = load<f64>(LOSS);
  for (let t: usize = 0; t < <usize>count; ++t) loss -= <f64>log(max<f32>(load<f32>(LIKELIHOOD + (t << 2)), 1.2e-38));
  store<f64>(LOSS, loss);
}
