import { M, V } from "../../shape";
import { HIDDEN, O0, PREDICTED, TARGETS, TILE } from "../../solver/layout";
import { tileOf } from "../../solver/tiles";
import { COUNT, dense, forwardBatch, placeOf, predictedAt, ROWS, TILES, workAtText, writeBatch, writeModel } from "../model";
import { gap, get, mark, put, ROUNDING, startValues, untouched } from "../support";

function begin(seed: u32): void {
  startValues(seed);
  writeModel();
  writeBatch(workAtText());
}

describe("the forward pass of a batch", () => {
  test("is the dense network at every place: hidden states, then softmax(h O + o0)", () => {
    begin(1);
    mark(HIDDEN + ROWS * M * 4, 64);
    mark(PREDICTED + ROWS * V * 4, 64);
    forwardBatch(workAtText());
    const model = dense();
    let worst: f64 = 0;
    for (let t = 0; t < COUNT; ++t) {
      worst = Math.max(worst, gap(HIDDEN + ((t * M) << 2), model.states(placeOf(t))));
      const wanted = model.probabilities(placeOf(t));
      for (let v = 0; v < V; ++v) worst = Math.max(worst, Math.abs(predictedAt(t, v) - wanted[v]));
    }
    expect(worst).toBeLessThan(ROUNDING * 4);
    expect(untouched(HIDDEN + ROWS * M * 4, 64)).toBe(true);
    expect(untouched(PREDICTED + ROWS * V * 4, 64)).toBe(true);
  });

  test("is zero past the batch's last place, so that sums over whole tiles are sums over places", () => {
    begin(2);
    memory.fill(HIDDEN, 0xff, ROWS * M * 4);
    memory.fill(PREDICTED, 0xff, ROWS * V * 4);
    forwardBatch(workAtText());
    let other = 0;
    for (let t = COUNT; t < ROWS; ++t) {
      for (let c = 0; c < M; ++c) if (get(HIDDEN, t * M + c) != 0) ++other;
      for (let v = 0; v < V; ++v) if (predictedAt(t, v) != 0) ++other;
    }
    expect(other).toBe(0);
  });

  test("does not overflow at large logits, and predicts nothing below e^-38", () => {
    begin(3);
    for (let v = 0; v < V; ++v) put(O0, v, v == 3 ? 3e4 : -3e4);
    forwardBatch(workAtText());
    for (let t = 0; t < COUNT; ++t) {
      expect(predictedAt(t, 3)).toBe(1);
      expect(Math.abs(predictedAt(t, 4) / Math.exp(-38) - 1)).toBeLessThan(1e-5);
    }
  });

  test("has tiles that share nothing", () => {
    begin(4);
    const work = workAtText();
    let count = 0;
    for (let i = 0; i < TILES; ++i) {
      const tile = tileOf(work.batch, i, work);
      count += tile.count;
      expect(tile.hidden).toBe(HIDDEN + i * TILE * M * 4);
      expect(tile.targets).toBe(TARGETS + i * TILE * M * 4);
      expect(tile.predicted).toBe(PREDICTED + i * TILE * V * 4);
    }
    expect(count).toBe(COUNT);
  });
});
