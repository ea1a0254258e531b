import { tableOf, W0_AT, W_AT } from "../../layers/list";
import { ATTENDED, columnOf, LAYERS, M, rowsOf, UNITS, V, WIDTH_0, widthOf, WINDOW } from "../../shape";
import {
  attentionGradient,
  biasGradient,
  decoderGradient,
  deltasOfTile,
  layerGradient,
  likelihoodsOfTile,
} from "../../solver/gradient";
import { HIDDEN, LIKELIHOOD, O, O0, TARGETS, TILE, U, U0 } from "../../solver/layout";
import { network, STRIDE } from "../../solver/records";
import { shareStart } from "../../solver/threads";
import { tileOf } from "../../solver/tiles";
import { Dense } from "../dense";
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
import { below, between, changed, gap, get, mark, remember, ROUNDING, startValues, untouched } from "../support";

const BEFORE = memory.data(131072, 16);
const AFTER = memory.data(131072, 16);
/** A gradient in f32 of a few thousand terms against a difference of f64 likelihoods. */
const DIFFERENCE: f64 = 1e-5;

function begin(seed: u32): void {
  startValues(seed);
  writeModel();
  const work = workAtText();
  writeBatch(work);
  forwardBatch(work);
}

function backward(): void {
  const work = workAtText();
  for (let i = 0; i < TILES; ++i) deltasOfTile(tileOf(work.batch, i, work), network, work);
}

/** Gradients of a thread's share of all weights. */
function gradients(thread: i32, threads: i32): void {
  const work = workOfText(thread, threads);
  const batch = work.batch;
  batch.count = COUNT;
  batch.tiles = TILES;
  if (thread == 0) attentionGradient(batch, network, U + STRIDE, work);
  decoderGradient(batch, network, work);
  for (let layer = 0; layer < LAYERS; ++layer) {
    work.outer.first = shareStart(rowsOf(layer), 4, thread, threads);
    work.outer.end = shareStart(rowsOf(layer), 4, thread + 1, threads);
    layerGradient(layer, batch, network, U + STRIDE, work);
  }
  if (thread == 0) biasGradient(batch, network);
}

/** Mean −log p of the batch. */
function loss(model: Dense): f64 {
  let sum: f64 = 0;
  for (let t = 0; t < COUNT; ++t) sum -= Math.log(model.probabilities(placeOf(t))[labelOf(t)]);
  return sum / <f64>COUNT;
}

/** Slope of the loss where weights go along a direction, by a difference. */
function slope(model: Dense, weights: StaticArray<f64>, first: i32, direction: StaticArray<f64>): f64 {
  const size: f64 = 1e-4;
  move(weights, first, direction, size);
  const above = loss(model);
  move(weights, first, direction, -2 * size);
  const under = loss(model);
  move(weights, first, direction, size);
  return (above - under) / (2 * size);
}

function move(weights: StaticArray<f64>, first: i32, direction: StaticArray<f64>, by: f64): void {
  for (let i = 0; i < direction.length; ++i) weights[first + i] += by * direction[i];
}

/** Largest difference of the gradient that stands at `found` from slopes along random directions, and along some weights. */
function worstSlope(model: Dense, weights: StaticArray<f64>, first: i32, n: i32, found: usize): f64 {
  let worst: f64 = 0;
  let steepest: f64 = 0;
  for (let round = 0; round < 4; ++round) {
    const direction = new StaticArray<f64>(n);
    if (round < 2) for (let i = 0; i < n; ++i) direction[i] = between(-1, 1);
    else direction[below(n)] = 1;
    let wanted = slope(model, weights, first, direction);
    steepest = Math.max(steepest, Math.abs(wanted));
    for (let i = 0; i < n; ++i) wanted -= direction[i] * get(found, i);
    worst = Math.max(worst, Math.abs(wanted));
  }
  expect(steepest).toBeGreaterThan(50 * DIFFERENCE, "a slope that would be missed");
  return worst;
}

describe("the backward pass of a tile", () => {
  test("leaves the errors at the output, and gradients at the logits of all layers; 0 past the places", () => {
    begin(1);
    const errors = new StaticArray<f64>(COUNT * V);
    for (let t = 0; t < COUNT; ++t) {
      for (let v = 0; v < V; ++v) errors[t * V + v] = predictedAt(t, v) - (labelOf(t) == v ? 1 : 0);
    }
    memory.fill(TARGETS, 0xff, ROWS * M * 4);
    mark(TARGETS + ROWS * M * 4, 64);
    backward();
    let worst: f64 = 0;
    for (let t = 0; t < COUNT; ++t) {
      for (let v = 0; v < V; ++v) worst = Math.max(worst, Math.abs(predictedAt(t, v) - errors[t * V + v]));
      // what no layer reads: dz by the softmax's Jacobian alone
      for (let c = LAYERS > 1 ? WIDTH_0 : 0; c < M; ++c) {
        const first = c - (c % UNITS);
        let wanted: f64 = 0;
        for (let d = first; d < first + UNITS; ++d) {
          let dh: f64 = 0;
          for (let v = 0; v < V; ++v) dh += errors[t * V + v] * get(O, v * M + d);
          // ∂h_d / ∂z_c = h_d (1[c = d] − h_c)
          wanted += dh * get(HIDDEN, t * M + d) * ((c == d ? 1.0 : 0.0) - get(HIDDEN, t * M + c));
        }
        worst = Math.max(worst, Math.abs(get(TARGETS, t * M + c) - wanted));
      }
    }
    expect(worst).toBeLessThan(ROUNDING * 10);
    expect(gap(TARGETS + COUNT * M * 4, new StaticArray<f64>((ROWS - COUNT) * M))).toBe(0);
    expect(untouched(TARGETS + ROWS * M * 4, 64)).toBe(true);
  });

  test("has the likelihood of the token that came, and of no place more", () => {
    begin(2);
    const work = workAtText();
    mark(LIKELIHOOD, (ROWS + 4) * 4);
    for (let i = 0; i < TILES; ++i) likelihoodsOfTile(tileOf(work.batch, i, work), LIKELIHOOD + ((i * TILE) << 2));
    for (let t = 0; t < COUNT; ++t) expect(get(LIKELIHOOD, t)).toBe(predictedAt(t, labelOf(t)), t.toString());
    expect(untouched(LIKELIHOOD + COUNT * 4, (ROWS - COUNT + 4) * 4)).toBe(true);
  });
});

describe("gradients are the slopes of the mean −log p of the batch", () => {
  test("in each layer's U, through the layers that read it", () => {
    begin(3);
    backward();
    gradients(0, 1);
    const model = dense();
    for (let layer = 0; layer < LAYERS; ++layer) {
      const n = rowsOf(layer) * widthOf(layer);
      const worst = worstSlope(model, model.hidden, <i32>(tableOf(layer) >> 2), n, U + STRIDE + tableOf(layer));
      expect(worst).toBeLessThan(DIFFERENCE, layer.toString());
    }
  });

  if (ATTENDED != 0) {
    test("in W and w0, by way of present and earlier windows", () => {
      begin(4);
      backward();
      gradients(0, 1);
      const model = dense();
      const w = worstSlope(model, model.hidden, <i32>(W_AT >> 2), WINDOW * WINDOW, U + STRIDE + W_AT);
      expect(w).toBeLessThan(DIFFERENCE);
      const w0 = worstSlope(model, model.hidden, <i32>(W0_AT >> 2), WINDOW, U + STRIDE + W0_AT);
      expect(w0).toBeLessThan(DIFFERENCE);
    });
  }

  test("in u0", () => {
    begin(5);
    backward();
    gradients(0, 1);
    const model = dense();
    for (let layer = 0; layer < LAYERS; ++layer) {
      const at = U0 + STRIDE + (columnOf(layer) << 2);
      expect(worstSlope(model, model.biases, columnOf(layer), widthOf(layer), at)).toBeLessThan(DIFFERENCE, layer.toString());
    }
  });

  test("in O and o0", () => {
    begin(6);
    backward();
    gradients(0, 1);
    const model = dense();
    expect(worstSlope(model, model.decoder, 0, V * M, O + STRIDE)).toBeLessThan(DIFFERENCE);
    expect(worstSlope(model, model.decoderBias, 0, V, O0 + STRIDE)).toBeLessThan(DIFFERENCE);
  });

  test("and of shares of rows those of all, to the bit; nothing else is written", () => {
    begin(7);
    backward();
    mark(U + STRIDE, STRIDE); // what was there before is not added to
    remember(U, WEIGHTS_BYTES, BEFORE);
    gradients(0, 1);
    remember(U, WEIGHTS_BYTES, AFTER);
    expect(changed(U, U + STRIDE, U, BEFORE)).toBe(0);
    expect(changed(U + 2 * STRIDE, U + WEIGHTS_BYTES, U, BEFORE)).toBe(0);
    memory.copy(U, BEFORE, WEIGHTS_BYTES);
    gradients(2, 3);
    const rows = shareStart(V, 4, 2, 3) * M * 4;
    expect(changed(O + STRIDE, O + STRIDE + rows, U, BEFORE)).toBe(0);
    gradients(0, 3);
    gradients(1, 3);
    expect(changed(U, U + WEIGHTS_BYTES, U, AFTER)).toBe(0);
  });
});
