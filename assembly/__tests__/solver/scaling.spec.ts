import { normOf, tableOf } from "../../layers/list";
import {
  BITS,
  columnOf,
  firstWeightOf,
  GROUPS,
  groupsOf,
  INPUTS,
  LAYERS,
  M,
  POSITIONS_A_GROUP,
  readsOf,
  rowsOf,
  STATES_LAYER,
  TOKENS,
  UNITS,
  V,
  WIDTH_0,
  widthOf,
  WINDOW,
} from "../../shape";
import { BATCH_INPUTS, HIDDEN, MARGINAL, O, O0, POSITIONS, SECOND_O, TARGETS, U } from "../../solver/layout";
import { network, settings, STRIDE } from "../../solver/records";
import { scaleDecoder, scaleHidden, targetsOfTile } from "../../solver/scaling";
import { shareStart } from "../../solver/threads";
import { tileOf } from "../../solver/tiles";
import {
  COUNT,
  dense,
  forwardBatch,
  labelOf,
  placeOf,
  predictedAt,
  ROWS,
  TILES,
  WEIGHTS_BYTES,
  workAtText,
  workOfText,
  writeBatch,
  writeModel,
} from "../model";
import { changed, copyOf, fill, fillDistribution, gap, get, LOOSE, mark, remember, startValues } from "../support";

const BEFORE = memory.data(131072, 16);
const AFTER = memory.data(131072, 16);

function begin(seed: u32): void {
  startValues(seed);
  writeModel();
  writeBatch(workAtText());
  expect(<i32>WEIGHTS_BYTES).toBeLessThan(131072);
}

/** t ∝ h · exp(β (g − ⟨h, g⟩)) of each group, g_c = O[y, c] − Σ ŷ_v O[v, c] and what a layer of states would gain, the exponent held to ±5. */
function denseTargets(t: i32, sharpness: f64): StaticArray<f64> {
  const gain = new StaticArray<f64>(M);
  const out = new StaticArray<f64>(M);
  for (let c = 0; c < M; ++c) {
    gain[c] = get(O, labelOf(t) * M + c);
    for (let v = 0; v < V; ++v) gain[c] -= predictedAt(t, v) * get(O, v * M + c);
  }
  if (STATES_LAYER > 0) {
    const width = widthOf(STATES_LAYER);
    const column = columnOf(STATES_LAYER);
    for (let i = 0; i < width; ++i) {
      const first = column + i - (i % UNITS);
      let mean: f64 = 0;
      for (let c = first; c < first + UNITS; ++c) mean += get(HIDDEN, t * M + c) * gain[c];
      const delta = get(HIDDEN, t * M + column + i) * (gain[column + i] - mean);
      for (let c = 0; c < WIDTH_0; ++c) gain[c] += get(U, firstWeightOf(STATES_LAYER) + c * width + i) * delta;
    }
  }
  for (let group = 0; group < GROUPS; ++group) {
    let mean: f64 = 0;
    let sum: f64 = 0;
    for (let c = group * UNITS; c < (group + 1) * UNITS; ++c) mean += get(HIDDEN, t * M + c) * gain[c];
    for (let c = group * UNITS; c < (group + 1) * UNITS; ++c) {
      out[c] = get(HIDDEN, t * M + c) * Math.exp(Math.max(-5, Math.min(5, sharpness * (gain[c] - mean))));
      sum += out[c];
    }
    for (let c = group * UNITS; c < (group + 1) * UNITS; ++c) out[c] /= sum;
  }
  return out;
}

/** log ŷ_y of place t where the logit of unit c is larger by `more`, in f64; earlier states stay as they are. */
function likelihoodAt(t: i32, c: i32, more: f64): f64 {
  const h = copyOf(HIDDEN + ((t * M) << 2), M);
  raiseLogit(h, c, more);
  if (STATES_LAYER > 0 && c < WIDTH_0) {
    const width = widthOf(STATES_LAYER);
    for (let i = 0; i < width; ++i) {
      let logit: f64 = 0;
      for (let k = 0; k < WIDTH_0; ++k) {
        logit += (h[k] - get(HIDDEN, t * M + k)) * get(U, firstWeightOf(STATES_LAYER) + k * width + i);
      }
      raiseLogit(h, columnOf(STATES_LAYER) + i, logit);
    }
  }
  let total: f64 = 0;
  let wanted: f64 = 0;
  for (let v = 0; v < V; ++v) {
    let logit = get(O0, v);
    for (let k = 0; k < M; ++k) logit += h[k] * get(O, v * M + k);
    total += Math.exp(logit);
    if (v == labelOf(t)) wanted = logit;
  }
  return wanted - Math.log(total);
}

function raiseLogit(h: StaticArray<f64>, c: i32, more: f64): void {
  const from = c - (c % UNITS);
  let sum: f64 = 0;
  h[c] *= Math.exp(more);
  for (let k = from; k < from + UNITS; ++k) sum += h[k];
  for (let k = from; k < from + UNITS; ++k) h[k] /= sum;
}

function findTargets(sharpness: f32 = 1): f64 {
  const work = workAtText();
  forwardBatch(work);
  for (let i = 0; i < TILES; ++i) targetsOfTile(tileOf(work.batch, i, work), network, sharpness, work);
  let worst: f64 = 0;
  for (let t = 0; t < COUNT; ++t) worst = Math.max(worst, gap(TARGETS + ((t * M) << 2), denseTargets(t, sharpness)));
  return worst;
}

describe("hidden targets", () => {
  test("are what each unit would have gained: the formula, group by group", () => {
    begin(4);
    expect(findTargets()).toBeLessThan(LOOSE);
  });

  test("are flatter the smaller β, and what they add is then the likelihood's gradient at the logits", () => {
    begin(4);
    expect(findTargets(0.25)).toBeLessThan(LOOSE);
    const beta: f64 = 1e-2;
    findTargets(<f32>beta);
    let worst: f64 = 0;
    for (let t = 0; t < COUNT; t += 5) {
      for (let c = 0; c < M; ++c) {
        const gradient = (likelihoodAt(t, c, 1e-4) - likelihoodAt(t, c, -1e-4)) / 2e-4;
        const added = (get(TARGETS, t * M + c) - get(HIDDEN, t * M + c)) / beta;
        worst = Math.max(worst, Math.abs(added - gradient));
      }
    }
    expect(worst).toBeLessThan(0.05); // second order in β, gains of a few nats
  });

  test("hold the exponent to ±5 where the decoder is steep", () => {
    begin(5);
    fill(O, V * M, -40, 40);
    // a gain of some forty nats is of a sum of rounded terms, and is taken to its exponential
    expect(findTargets()).toBeLessThan(LOOSE * 4);
  });

  test("are zero past the batch's last place", () => {
    begin(6);
    memory.fill(TARGETS, 0xff, ROWS * M * 4);
    findTargets();
    expect(gap(TARGETS + COUNT * M * 4, new StaticArray<f64>((ROWS - COUNT) * M))).toBe(0);
  });
});

/** What a thread of several does with the batch as it stands. */
function solve(ofDecoder: bool, thread: i32, threads: i32): void {
  const work = workOfText(thread, threads);
  work.batch.count = COUNT;
  work.batch.tiles = TILES;
  work.step.keep = KEEP;
  work.step.weight = WEIGHT;
  work.step.eta = ETA;
  work.step.begins = true;
  work.step.ends = true;
  work.step.samples = 0;
  if (ofDecoder) scaleDecoder(work.batch, network, settings, work);
  else scaleHidden(work.batch, network, settings, work);
}

let KEEP: f32 = 0.75;
let WEIGHT: f32 = 1.5;
let ETA: f32 = 0.5;

/** α, κ, s of decoder and hidden layers, and β. */
function set(pseudoCounts: f32, prior: f32, step: f32, sharpness: f32 = 1): void {
  KEEP = 0.75;
  WEIGHT = 1.5;
  ETA = 0.5;
  settings.decoderPseudoCounts = pseudoCounts;
  settings.hiddenPseudoCounts = pseudoCounts;
  settings.decoderPrior = prior;
  settings.hiddenPrior = prior;
  settings.decoderStep = step;
  settings.hiddenStep = step;
  settings.sharpness = sharpness;
}

/** keep · sums + weight · Σ h ⊗ y, or ⊗ ŷ, over the batch. */
function denseDecoderSums(sums: usize, expected: bool): StaticArray<f64> {
  const out = copyOf(sums, V * M);
  for (let i = 0; i < V * M; ++i) out[i] *= <f64>KEEP;
  for (let t = 0; t < COUNT; ++t) {
    for (let v = 0; v < V; ++v) {
      const y: f64 = expected ? predictedAt(t, v) : v == labelOf(t) ? 1 : 0;
      for (let c = 0; c < M; ++c) out[v * M + c] += <f64>WEIGHT * y * get(HIDDEN, t * M + c);
    }
  }
  return out;
}

function logLikelihood(): f64 {
  let sum: f64 = 0;
  for (let t = 0; t < COUNT; ++t) sum += Math.log(predictedAt(t, labelOf(t)));
  return sum;
}

/** Sums so far of both kinds, of decoder and hidden layers. */
function fillSums(): void {
  fill(U + STRIDE, <i32>(STRIDE >> 2), 0, 5);
  fill(U + 2 * STRIDE, <i32>(STRIDE >> 2), 0, 5);
}

/**
 * Bytes that differ between a solve in two shares of rows, the later rows first, and a solve of all: in weights, or in a sum. Bytes of the
 * first share that the second has changed count, too.
 */
function sharesDiffer(ofDecoder: bool, from: usize, split: usize): i32 {
  remember(U, WEIGHTS_BYTES, BEFORE);
  solve(ofDecoder, 0, 1);
  remember(U, WEIGHTS_BYTES, AFTER);
  memory.copy(U, BEFORE, WEIGHTS_BYTES);
  solve(ofDecoder, 1, 2);
  let wrong = changed(from, split, U, BEFORE) + changed(from + STRIDE, split + STRIDE, U, BEFORE);
  solve(ofDecoder, 0, 2);
  wrong += changed(U, U + WEIGHTS_BYTES, U, AFTER);
  return wrong;
}

describe("iterative scaling of the decoder", () => {
  test("averages both sums and adds the log of their smoothed ratio, and writes nothing else", () => {
    begin(7);
    forwardBatch(workAtText());
    fillSums();
    set(8, 0, 3);
    const observed = denseDecoderSums(O + STRIDE, false);
    const expected = denseDecoderSums(O + 2 * STRIDE, true);
    const wanted = copyOf(O, V * M);
    for (let v = 0; v < V; ++v) {
      const pseudo = 8 * get(MARGINAL, v);
      for (let c = 0; c < M; ++c) {
        const i = v * M + c;
        wanted[i] += (3 / <f64>GROUPS) * 0.5 * Math.log((observed[i] + pseudo) / (expected[i] + pseudo));
      }
    }
    remember(U, WEIGHTS_BYTES, BEFORE);
    solve(true, 0, 1);
    expect(gap(O + STRIDE, observed)).toBeLessThan(LOOSE);
    expect(gap(O + 2 * STRIDE, expected)).toBeLessThan(LOOSE);
    expect(gap(O, wanted)).toBeLessThan(LOOSE);
    for (let k: usize = 0; k < 3; ++k) {
      expect(changed(U + k * STRIDE, O + k * STRIDE, U, BEFORE)).toBe(0);
      expect(changed(O0 + k * STRIDE, U + (k + 1) * STRIDE, U, BEFORE)).toBe(0);
    }
    expect(O + STRIDE).toBe(SECOND_O);
  });

  test("with a prior counts places where the unit stands alone and π says what comes", () => {
    begin(7);
    forwardBatch(workAtText());
    fillSums();
    set(8, 20, 3);
    const observed = denseDecoderSums(O + STRIDE, false);
    const expected = denseDecoderSums(O + 2 * STRIDE, true);
    const wanted = copyOf(O, V * M);
    for (let v = 0; v < V; ++v) {
      const p: f64 = get(MARGINAL, v);
      for (let c = 0; c < M; ++c) {
        const i = v * M + c;
        const below = expected[i] + 8 * p + 20 * p * Math.exp(wanted[i]);
        wanted[i] += (3 / <f64>GROUPS) * 0.5 * Math.log((observed[i] + 28 * p) / below);
      }
    }
    solve(true, 0, 1);
    expect(gap(O, wanted)).toBeLessThan(LOOSE);
  });

  test("of two shares of rows is the whole, to the bit", () => {
    begin(8);
    forwardBatch(workAtText());
    fillSums();
    set(8, 5, 2);
    expect(sharesDiffer(true, O, O + shareStart(V, 4, 1, 2) * M * 4)).toBe(0);
  });

  test("raises the likelihood with every full pass at step 1/K, up to smoothing", () => {
    begin(9);
    forwardBatch(workAtText());
    const first = logLikelihood();
    let last = first;
    set(1e-3, 0, 1); // pseudo-counts of 1e-3 stand for none
    for (let pass = 0; pass < 12; ++pass) {
      KEEP = 0; // each pass has its own sums
      WEIGHT = 1;
      ETA = 1;
      solve(true, 0, 1);
      forwardBatch(workAtText());
      const now = logLikelihood();
      expect(now).toBeGreaterThan(last - 1e-3, pass.toString());
      last = now;
    }
    // ninety places of a random model: about a nat each is there to gain
    expect(last).toBeGreaterThan(first + <f64>COUNT / 2);
  });
});

/** keep · sums + weight · Σ x ⊗ values over the batch, of one layer. */
function denseLayerSums(layer: i32, sums: usize, values: usize): StaticArray<f64> {
  const width = widthOf(layer);
  const out = copyOf(sums + tableOf(layer), rowsOf(layer) * width);
  const model = dense();
  for (let i = 0; i < out.length; ++i) out[i] *= <f64>KEEP;
  for (let t = 0; t < COUNT; ++t) {
    const x = model.inputs(layer, placeOf(t));
    for (let row = 0; row < rowsOf(layer); ++row) {
      if (x[row] == 0) continue;
      for (let c = 0; c < width; ++c) {
        out[row * width + c] += <f64>WEIGHT * x[row] * get(values, t * M + columnOf(layer) + c);
      }
    }
  }
  return out;
}

/** Hidden states and targets of the batch, distributions of each group, 0 past the last place, where inputs are large numbers. */
function fillStates(): void {
  forwardBatch(workAtText());
  mark(BATCH_INPUTS + COUNT * INPUTS * 4, (ROWS - COUNT) * INPUTS * 4);
  memory.fill(TARGETS, 0, ROWS * M * 4);
  for (let i = 0; i < COUNT * M; i += UNITS) {
    fillDistribution(HIDDEN + (i << 2), UNITS);
    fillDistribution(TARGETS + (i << 2), UNITS);
  }
}

/** κ of a row of a layer: that of the least weighty position is the largest. */
function heldBy(layer: i32, row: i32, prior: f64): f64 {
  if (readsOf(layer) != TOKENS) return prior;
  let largest: f64 = 0;
  let own: f64 = 0;
  for (let j = 0; j < WINDOW; ++j) {
    let total: f64 = 0;
    for (let group = 0; group < groupsOf(0); ++group) total += get(POSITIONS, group * POSITIONS_A_GROUP + j);
    largest = Math.max(largest, total);
    if (j == row / BITS) own = total;
  }
  return (prior * largest * largest) / (own * own);
}

/** Largest distance of sums or U of any layer from one step in f64. */
function hiddenGap(pseudoCounts: f64, prior: f64, step: f64, sharpness: f64): f64 {
  fillStates();
  fillSums();
  set(<f32>pseudoCounts, <f32>prior, <f32>step, <f32>sharpness);
  const mean = new StaticArray<f64>(M);
  for (let t = 0; t < COUNT; ++t) for (let c = 0; c < M; ++c) mean[c] += get(HIDDEN, t * M + c) / <f64>COUNT;
  const observed = new Array<StaticArray<f64>>();
  const expected = new Array<StaticArray<f64>>();
  const wanted = new Array<StaticArray<f64>>();
  for (let layer = 0; layer < LAYERS; ++layer) {
    const width = widthOf(layer);
    observed.push(denseLayerSums(layer, U + STRIDE, TARGETS));
    expected.push(denseLayerSums(layer, U + 2 * STRIDE, HIDDEN));
    const u = copyOf(U + tableOf(layer), rowsOf(layer) * width);
    for (let i = 0; i < u.length; ++i) {
      const c = mean[columnOf(layer) + (i % width)];
      const held = sharpness * heldBy(layer, i / width, prior) * c;
      const above = observed[layer][i] + pseudoCounts * c + held;
      const below = expected[layer][i] + pseudoCounts * c + held * Math.exp(u[i]);
      u[i] += (step / sharpness / <f64>normOf(layer)) * <f64>ETA * Math.log(above / below);
    }
    wanted.push(u);
  }
  remember(U, WEIGHTS_BYTES, BEFORE);
  solve(false, 0, 1);
  let worst: f64 = 0;
  for (let layer = 0; layer < LAYERS; ++layer) {
    worst = Math.max(worst, gap(U + STRIDE + tableOf(layer), observed[layer]));
    worst = Math.max(worst, gap(U + 2 * STRIDE + tableOf(layer), expected[layer]));
    worst = Math.max(worst, gap(U + tableOf(layer), wanted[layer]));
  }
  const tables = tableOf(LAYERS - 1) + ((rowsOf(LAYERS - 1) * widthOf(LAYERS - 1)) << 2);
  for (let k: usize = 0; k < 3; ++k) {
    expect(changed(U + k * STRIDE + tables, U + (k + 1) * STRIDE, U, BEFORE)).toBe(0, "nothing else is written");
  }
  return worst;
}

describe("iterative scaling of the hidden layers", () => {
  test("averages both sums and adds the log of their ratio, smoothed towards the mean hidden state", () => {
    begin(10);
    expect(hiddenGap(6, 0, 1.5, 1)).toBeLessThan(LOOSE);
  });

  test("with a prior counts places of the mean hidden state where the row stands alone, the more the less its position weighs", () => {
    begin(10);
    expect(hiddenGap(6, 9, 1.5, 1)).toBeLessThan(LOOSE * 2);
  });

  test("takes steps the larger, and holds the less, the flatter its targets are", () => {
    begin(13);
    expect(hiddenGap(6, 9, 0.7, 0.5)).toBeLessThan(LOOSE * 2);
  });

  test("of two shares of rows is the whole, to the bit", () => {
    begin(11);
    fillStates();
    fillSums();
    set(6, 2, 1.5);
    expect(sharesDiffer(false, U, U + shareStart(rowsOf(0), 1, 1, 2) * widthOf(0) * 4)).toBe(0);
  });

  test("brings hidden states closer to their targets", () => {
    begin(12);
    findTargets();
    const before = divergence();
    set(1e-2, 0, 1);
    KEEP = 0;
    WEIGHT = 1;
    ETA = 1;
    solve(false, 0, 1);
    forwardBatch(workAtText());
    expect(divergence()).toBeLessThan(before * 0.9);
  });
});

/** Σ t log(t / h) over the batch: what the hidden states miss of their targets. */
function divergence(): f64 {
  let sum: f64 = 0;
  for (let i = 0; i < COUNT * M; ++i) sum += get(TARGETS, i) * Math.log(get(TARGETS, i) / get(HIDDEN, i));
  return sum;
}
