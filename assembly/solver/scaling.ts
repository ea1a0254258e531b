// Iterative scaling (ours in this form): compare what was observed with what the model expected, and add the log of their ratio. In
// batches, with decaying averages of both sums, decoder and hidden layers together (step 2 of the recipe). Observed sums stand STRIDE
// behind the weights, expected ones as far again.
import { multiply } from "../common/product";
import { targetOfGroup } from "../common/targets";
import { addLogRatio, addScaled, scale } from "../common/vectors";
import { addToInputs } from "../layers/inputs";
import { normOf, STATES_AT, tableOf } from "../layers/list";
import { Batch, Network } from "../layers/records";
import { addGains } from "../layers/states";
import {
  BITS,
  columnOf,
  GROUP_BYTES,
  GROUPS,
  groupsOf,
  INPUTS,
  LAYERS,
  M,
  POSITIONS_A_GROUP,
  readsOf,
  ROW_BYTES,
  rowsOf,
  STATES,
  STATES_LAYER,
  TOKENS,
  UNITS,
  V,
  widthOf,
  WINDOW,
} from "../shape";
import { addSample } from "../common/average";
import { AVERAGE_O, AVERAGE_U, Settings, TILE } from "./layout";
import { STRIDE, Work } from "./records";
import { shareStart } from "./threads";
import { addExpected, backToHidden } from "./tiles";

/**
 * Hidden targets: t ∝ h · exp(β (g − ⟨h, g⟩)) per group, g_c = O[y, c] − Σ_v ŷ_v O[v, c], the exponent held to ±5. What each unit would
 * have gained decides how much of it was wanted. Only for small β does Σ x ⊗ (t − h) = 0 where the likelihood is highest: t − h is then
 * β h · (g − ⟨h, g⟩), and the likelihood's gradient at the logits is h · (g − ⟨h, g⟩). What the logits of a layer of states would gain,
 * h · (g − ⟨h, g⟩), is a gain of the first layer's present state, too, by way of the rows of U.
 *
 * @param sharpness β, above 0
 */
export function targetsOfTile(tile: Batch, network: Network, sharpness: f32, work: Work): void {
  backToHidden(tile, network, work);
  for (let t: usize = 0; t < <usize>TILE; ++t) {
    const target = tile.targets + ((t * M) << 2);
    if (<i32>t >= tile.count) {
      memory.fill(target, 0, M << 2);
      continue;
    }
    const label = <usize>load<u16>(tile.tokens + (load<u32>(tile.places + (t << 2)) << 1));
    const wanted = network.decoder + ((label * M) << 2);
    for (let c: usize = 0; c < ROW_BYTES; c += 4) store<f32>(target + c, load<f32>(wanted + c) - load<f32>(target + c));
    targetOfGain(tile.hidden + ((t * M) << 2), network, sharpness, work.rows, target);
  }
}

/**
 * The hidden target of one place, from the gain that stands in its place.
 *
 * @param delta (M) f32 scratch
 * @param outTarget (M) f32: g, then t
 */
export function targetOfGain(h: usize, network: Network, sharpness: f32, delta: usize, outTarget: usize): void {
  if (STATES_LAYER > 0) {
    const column = <usize>columnOf(STATES_LAYER) << 2;
    softmaxGradient(h + column, outTarget + column, groupsOf(STATES_LAYER), delta);
    addGains(network.hidden + tableOf(STATES_LAYER), 0, delta, outTarget);
  }
  for (let at: usize = 0; at < ROW_BYTES; at += GROUP_BYTES) targetOfGroup(h + at, UNITS, sharpness, outTarget + at);
}

/** outDelta (groups · m) f32 ← h · (g − ⟨h, g⟩) per group: from a gradient at the softmax to one at its logits. */
export function softmaxGradient(hidden: usize, gradient: usize, groups: i32, outDelta: usize): void {
  for (let group: usize = 0; group < <usize>groups; ++group) {
    const from = (group * UNITS) << 2;
    const to = from + (UNITS << 2);
    let mean: f32 = 0;
    for (let c = from; c < to; c += 4) mean += load<f32>(hidden + c) * load<f32>(gradient + c);
    for (let c = from; c < to; c += 4) store<f32>(outDelta + c, load<f32>(hidden + c) * (load<f32>(gradient + c) - mean));
  }
}

/** Sums of this thread's share of the decoder's rows, F ← keep·F + weight·Σ h ⊗ y, F̂ likewise with ŷ, and their solution. */
export function scaleDecoder(batch: Batch, network: Network, settings: Settings, work: Work): void {
  const first = shareStart(V, 4, work.thread, work.threads);
  const end = shareStart(V, 4, work.thread + 1, work.threads);
  if (first == end) return;
  const step = work.step;
  const observed = network.decoder + STRIDE;
  const rows = observed + ((<usize>first * M) << 2);
  scale(step.keep, <usize>(end - first) * M, rows);
  scale(step.keep, <usize>(end - first) * M, rows + STRIDE);
  for (let t: usize = 0; t < <usize>batch.count; ++t) {
    const label = <i32>load<u16>(batch.tokens + (load<u32>(batch.places + (t << 2)) << 1));
    if (label < first || label >= end) continue;
    addScaled(batch.hidden + ((t * M) << 2), step.weight, M, observed + ((<usize>label * M) << 2));
  }
  addExpected(batch, first, end, step.weight, rows + STRIDE, work);
  decoderRatio(settings, work);
  for (let v = first; v < end; ++v) solveDecoderRow(v, network, work);
}

/** How this step solves the decoder's rows: O += s / H · η · log[(F + (α + κ) π) / (F̂ + α π + κ π exp(O))]. */
export function decoderRatio(settings: Settings, work: Work): void {
  const ratio = work.ratio;
  ratio.pseudoCounts = settings.decoderPseudoCounts;
  ratio.priorPseudoCounts = settings.decoderPrior;
  ratio.step = (settings.decoderStep / <f32>GROUPS) * work.step.eta;
  ratio.columns = M;
}

/** Solves row v of the decoder, with the thread's ratio. */
export function solveDecoderRow(v: i32, network: Network, work: Work): void {
  const row = network.decoder + ((<usize>v * M) << 2);
  const p = load<f32>(network.marginal + (<usize>v << 2));
  const prior = work.rows;
  for (let c: usize = 0; c < ROW_BYTES; c += 4) store<f32>(prior + c, p);
  addLogRatio(row + STRIDE, row + 2 * STRIDE, prior, work.ratio, row);
  addSample(row, M, work.step.samples, AVERAGE_O + ((<usize>v * M) << 3));
}

/** First of a thread's share of a hidden layer's rows; its last is the next thread's first. */
// @ts-ignore: decorator
@inline
function firstRow(layer: i32, thread: i32, threads: i32): i32 {
  return shareStart(rowsOf(layer), readsOf(layer) == STATES ? 4 : 1, thread, threads);
}

/** Sums of this thread's share of a hidden layer's rows: G ← keep·G + weight·Σ x ⊗ t, Ĝ likewise with h. */
// @ts-ignore: decorator
@inline
function addLayerSums(layer: i32, batch: Batch, network: Network, work: Work): void {
  const column = <usize>columnOf(layer) << 2;
  const width = <usize>widthOf(layer);
  const table = network.hidden + tableOf(layer);
  const first = firstRow(layer, work.thread, work.threads);
  const end = firstRow(layer, work.thread + 1, work.threads);
  const step = work.step;
  if (step.begins) {
    const rows = table + ((<usize>first * width) << 2);
    const n = <usize>(end - first) * width;
    scale(step.keep, n, rows + STRIDE);
    scale(step.keep, n, rows + 2 * STRIDE);
  }
  if (readsOf(layer) == STATES) {
    addStateSums(layer, batch, batch.targets + column, step.weight, table + STRIDE, work);
    addStateSums(layer, batch, batch.hidden + column, step.weight, table + 2 * STRIDE, work);
    return;
  }
  const place = work.place;
  place.tokens = batch.tokens;
  place.cipher = network.cipher;
  const outer = work.outer;
  outer.weight = step.weight;
  outer.columns = width;
  outer.first = first;
  outer.end = end;
  outer.sums = table + STRIDE;
  outer.apart = STRIDE;
  for (let t: usize = 0; t < <usize>batch.count; ++t) {
    place.moveTo(load<i32>(batch.places + (t << 2)));
    place.inputs = batch.inputs + ((t * INPUTS) << 2);
    outer.values = batch.targets + ((t * M) << 2) + column;
    outer.second = batch.hidden + ((t * M) << 2) + column;
    addToInputs(layer, place, outer);
  }
  outer.second = 0;
}

/** Sums of this thread's share of the rows of all hidden layers, and at the end of a run their solution. */
export function scaleHidden(batch: Batch, network: Network, settings: Settings, work: Work): void {
  addLayerSums(0, batch, network, work);
  if (LAYERS > 1) addLayerSums(1, batch, network, work);
  if (LAYERS > 2) addLayerSums(2, batch, network, work);
  if (work.step.ends) solveHidden(batch, network, settings, work);
}

/**
 * Solves this thread's share of the hidden layers' rows: U += s / (β K) · η · log[(G + (α + κ) c) / (Ĝ + α c + κ c exp(U))], c the mean hidden
 * state of the batch, K the norm of the layer's inputs. A position of the window that was given little weight is held the more: its κ is
 * κ · (largest weight / its own)², as the spread of its weights is in proportion to it.
 */
function solveHidden(batch: Batch, network: Network, settings: Settings, work: Work): void {
  const mean = work.rows;
  memory.fill(mean, 0, M << 2);
  for (let t = 0; t < batch.count; ++t) addScaled(batch.hidden + ((<usize>t * M) << 2), <f32>1 / <f32>batch.count, M, mean);
  const ratio = work.ratio;
  ratio.pseudoCounts = settings.hiddenPseudoCounts;
  solveLayer(0, network, settings, work);
  if (LAYERS > 1) solveLayer(1, network, settings, work);
  if (LAYERS > 2) solveLayer(2, network, settings, work);
}

/** @param work its rows: the batch's mean hidden state; its ratio: α */
function solveLayer(layer: i32, network: Network, settings: Settings, work: Work): void {
  const table = network.hidden + tableOf(layer);
  const first = firstRow(layer, work.thread, work.threads);
  const end = firstRow(layer, work.thread + 1, work.threads);
  const ratio = work.ratio;
  const prior = settings.sharpness * settings.hiddenPrior;
  ratio.step = (settings.hiddenStep / settings.sharpness / <f32>normOf(layer)) * work.step.eta;
  ratio.columns = widthOf(layer);
  const mean = work.rows + (<usize>columnOf(layer) << 2);
  const average = AVERAGE_U + 2 * tableOf(layer);
  if (readsOf(layer) == TOKENS) {
    let largest: f32 = 0;
    for (let j = 0; j < WINDOW; ++j) largest = max<f32>(largest, positionTotal(network.positions, j));
    for (let j = 0; j < WINDOW; ++j) {
      const held = largest / positionTotal(network.positions, j);
      ratio.priorPseudoCounts = prior * held * held;
      solveRows(max<i32>(first, j * BITS), min<i32>(end, (j + 1) * BITS), table, mean, work);
    }
  } else {
    ratio.priorPseudoCounts = prior;
    solveRows(first, end, table, mean, work);
  }
  if (first < end) {
    const offset = <usize>first * ratio.columns;
    addSample(table + (offset << 2), <usize>(end - first) * ratio.columns, work.step.samples, average + (offset << 3));
  }
}

/** Rows [first, end) of a table, each by addLogRatio with the thread's ratio. */
function solveRows(first: i32, end: i32, table: usize, mean: usize, work: Work): void {
  const ratio = work.ratio;
  for (let row = <usize>first; row < <usize>end; ++row) {
    const at = table + ((row * ratio.columns) << 2);
    addLogRatio(at + STRIDE, at + 2 * STRIDE, mean, ratio, at);
  }
}

/** Weight that the first layer's groups give one of its positions, all together. */
function positionTotal(positions: usize, j: i32): f32 {
  let total: f32 = 0;
  for (let group = 0; group < groupsOf(0); ++group) {
    total += load<f32>(positions + (<usize>(group * POSITIONS_A_GROUP + j) << 2));
  }
  return total;
}

/**
 * outSums (rows, width of the layer) f32 += weight · Σ states ⊗ values, for this thread's share of the rows of a layer of states. Places
 * that are not in use have states of whatever was there, and values of 0.
 *
 * @param values (tiles · TILE) rows of M f32, offset to the layer's first column
 */
export function addStateSums(layer: i32, batch: Batch, values: usize, weight: f32, outSums: usize, work: Work): void {
  const first = shareStart(rowsOf(layer), 4, work.thread, work.threads);
  const end = shareStart(rowsOf(layer), 4, work.thread + 1, work.threads);
  const width = <usize>widthOf(layer);
  const product = work.product;
  product.leftRow = 1;
  product.leftStep = INPUTS;
  product.rightStep = M;
  product.rows = end - first;
  product.depth = TILE;
  product.columns = width;
  product.out = outSums + ((<usize>first * width) << 2);
  product.outRow = width;
  product.weight = weight;
  for (let tile: usize = 0; tile < <usize>batch.tiles; ++tile) {
    product.left = batch.inputs + STATES_AT + ((tile * TILE * INPUTS + first) << 2);
    product.right = values + ((tile * TILE * M) << 2);
    multiply(product);
  }
}
