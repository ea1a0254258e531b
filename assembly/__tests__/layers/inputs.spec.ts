import { readInputs } from "../../layers/forward";
import { addInputs, addToInputs } from "../../layers/inputs";
import { tableOf } from "../../layers/list";
import { ABSENT, groupsOf, HIDDEN_CELLS, LAYERS, M, positionsOf, rowsOf, UNITS, widthOf, WINDOW } from "../../shape";
import { SECOND, TOKENS, U } from "../../solver/layout";
import { network } from "../../solver/records";
import { dense, N, placeAt, workAtText, writeModel } from "../model";
import { changed, copyOf, fill, gap, get, mark, remember, ROUNDING, startValues, untouched } from "../support";

const WIDEST: i32 = M; // of no layer is more
const OUT = memory.data(WIDEST * 4 + 16, 16);
const VALUES = memory.data(WIDEST * 4, 16);
const TWIN = memory.data(HIDDEN_CELLS * 4, 16);
const SPARE = memory.data(HIDDEN_CELLS * 4, 16);
/** Sums over a few dozen places. */
const SUMMED: f64 = ROUNDING * 8;

/** A model, its text in two parts. */
function begin(seed: u32): void {
  startValues(seed);
  writeModel();
  for (let at = 60; at < 60 + WINDOW; ++at) store<u16>(TOKENS + (at << 1), <u16>ABSENT);
}

describe("what a layer reads", () => {
  test("adds its dense product with U to the logits, from a text's start on", () => {
    begin(1);
    const work = workAtText();
    const model = dense();
    for (let layer = 0; layer < LAYERS; ++layer) {
      const width = widthOf(layer);
      for (let at = 0; at < N; at += at < 12 || (at > 55 && at < 75) ? 1 : 7) {
        const place = placeAt(work, at);
        fill(OUT, width, -1, 1);
        mark(OUT + (width << 2), 16);
        const wanted = copyOf(OUT, width);
        const product = model.product(layer, at);
        for (let c = 0; c < width; ++c) wanted[c] += product[c];
        readInputs(layer, place, network);
        for (let j = 0; j < positionsOf(layer); ++j) addInputs(layer, place, j, U + tableOf(layer), width, OUT);
        expect(gap(OUT, wanted)).toBeLessThan(ROUNDING * 4, layer.toString() + " at " + at.toString());
        expect(untouched(OUT + (width << 2), 16)).toBe(true);
        expect(place.at).toBe(at);
      }
    }
  });

  test("adds to one group's logits what that group's columns say, and to no others", () => {
    begin(2);
    const work = workAtText();
    const model = dense();
    for (let layer = 0; layer < LAYERS; ++layer) {
      const place = placeAt(work, 40);
      readInputs(layer, place, network);
      const product = model.product(layer, 40);
      for (let group = 0; group < groupsOf(layer); ++group) {
        memory.fill(OUT, 0, UNITS << 2);
        mark(OUT + (UNITS << 2), 16);
        const table = U + tableOf(layer) + ((group * UNITS) << 2);
        for (let j = 0; j < positionsOf(layer); ++j) addInputs(layer, place, j, table, UNITS, OUT);
        const wanted = new StaticArray<f64>(UNITS);
        for (let c = 0; c < UNITS; ++c) wanted[c] = product[group * UNITS + c];
        expect(gap(OUT, wanted)).toBeLessThan(ROUNDING * 4, layer.toString());
        expect(untouched(OUT + (UNITS << 2), 16)).toBe(true);
      }
    }
  });
});

/** sums += weight · Σ x ⊗ values over the text, rows [first, end) of a layer. */
function addAll(layer: i32, weight: f32, first: i32, end: i32, sums: usize): void {
  const work = workAtText();
  const outer = work.outer;
  outer.values = VALUES;
  outer.weight = weight;
  outer.columns = widthOf(layer);
  outer.first = first;
  outer.end = end;
  outer.sums = sums;
  for (let at = 0; at < N; at += 3) {
    const place = placeAt(work, at);
    readInputs(layer, place, network);
    addToInputs(layer, place, outer);
  }
}

/** The same in f64, upon what stands at `sums`. */
function denseSums(layer: i32, weight: f64, first: i32, end: i32, sums: usize): StaticArray<f64> {
  const width = widthOf(layer);
  const out = copyOf(sums, rowsOf(layer) * width);
  const model = dense();
  for (let at = 0; at < N; at += 3) {
    const x = model.inputs(layer, at);
    for (let row = first; row < end; ++row) {
      for (let c = 0; c < width; ++c) out[row * width + c] += weight * x[row] * get(VALUES, c);
    }
  }
  return out;
}

describe("sums of what a layer reads", () => {
  test("are the dense outer product with the values, upon what was there", () => {
    begin(3);
    fill(VALUES, WIDEST, -1, 1);
    for (let layer = 0; layer < LAYERS; ++layer) {
      const sums = SECOND + tableOf(layer);
      const bytes = <usize>(rowsOf(layer) * widthOf(layer)) << 2;
      fill(SECOND, HIDDEN_CELLS, 0, 1);
      remember(SECOND, HIDDEN_CELLS * 4, SPARE);
      const wanted = denseSums(layer, 0.6, 0, rowsOf(layer), sums);
      addAll(layer, 0.6, 0, rowsOf(layer), sums);
      expect(gap(sums, wanted)).toBeLessThan(SUMMED, layer.toString());
      expect(changed(SECOND, sums, SECOND, SPARE)).toBe(0);
      expect(changed(sums + bytes, SECOND + HIDDEN_CELLS * 4, SECOND, SPARE)).toBe(0);
    }
  });

  test("touch the rows asked for and no other", () => {
    begin(4);
    fill(VALUES, WIDEST, -1, 1);
    for (let layer = 0; layer < LAYERS; ++layer) {
      const sums = SECOND + tableOf(layer);
      fill(SECOND, HIDDEN_CELLS, 0, 1);
      const wanted = denseSums(layer, 1, 2, rowsOf(layer) - 1, sums);
      addAll(layer, 1, 2, rowsOf(layer) - 1, sums);
      expect(gap(sums, wanted)).toBeLessThan(SUMMED, layer.toString());
    }
  });

  test("gathered in two halves are the whole, to the bit", () => {
    begin(5);
    fill(VALUES, WIDEST, -1, 1);
    for (let layer = 0; layer < LAYERS; ++layer) {
      const cells = rowsOf(layer) * widthOf(layer);
      const split = rowsOf(layer) / 2 - 1;
      memory.fill(SECOND, 0, cells << 2);
      memory.fill(TWIN, 0, cells << 2);
      addAll(layer, 0.7, 0, rowsOf(layer), SECOND);
      addAll(layer, 0.7, split, rowsOf(layer), TWIN);
      addAll(layer, 0.7, 0, split, TWIN);
      expect(memory.compare(TWIN, SECOND, cells << 2)).toBe(0, layer.toString());
      expect(gap(SECOND, new StaticArray<f64>(cells))).toBeGreaterThan(0.2, layer.toString());
    }
  });
});
