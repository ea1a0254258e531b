import { biasGradient, decoderGradient, deltasOfTile, featureGradient, likelihoodsOfTile } from "../backward";
import { CIPHER_WIDTH, CLASSES, FEATURES, M, V } from "../../shape";
import { TILE } from "../trainer-memory";
import { denseBlock } from "../dense";
import { fill, fillCipher, fillTokens, gap, get, id, mark, ROUNDING, startValues, untouched } from "../support";

const N = 100; // tokens of the stream
const TILES = 2;
const COUNT = 90; // places of the batch: a full tile and a part of one
const ROWS = TILES * TILE;
const WEIGHT: f32 = <f32>1 / <f32>COUNT;

const TOKENS = memory.data(100 * 2, 16);
const PLACES = memory.data(ROWS * 4, 16);
const CIPHER = memory.data(V * CIPHER_WIDTH * 2, 16);
const O = memory.data(V * M * 4, 16);
const HIDDEN = memory.data(ROWS * M * 4, 16);
const PREDICTED = memory.data(ROWS * V * 4, 16);
const DELTA = memory.data(ROWS * M * 4 + 16, 16);
const LIKELIHOOD = memory.data(ROWS * 4 + 16, 16);
const OUT = memory.data((V > FEATURES ? V : FEATURES) * M * 4 + 16, 16);
const BIAS = memory.data((V > M ? V : M) * 4 + 16, 16);

/** Hidden states and predictions at random; the columns past the places are 0, as the forward pass leaves them. */
function begin(seed: u32): void {
  startValues(seed);
  fillCipher(CIPHER, V);
  fillTokens(TOKENS, N, V);
  fill(O, V * M, -2, 2);
  fill(HIDDEN, ROWS * M, 0, 0.5);
  fill(PREDICTED, ROWS * V, 0, 0.1);
  for (let t = 0; t < ROWS; ++t) {
    // 37 and 100 have no common factor: places are all different, and in no order
    store<i32>(PLACES + ((<usize>t) << 2), (t * 37 + 5) % N);
    if (t < COUNT) continue;
    memory.fill(HIDDEN + ((<usize>t * M) << 2), 0, M << 2);
    for (let v = 0; v < V; ++v) store<f32>(PREDICTED + ((<usize>at(t, v)) << 2), 0);
  }
}

function place(t: i32): i32 {
  return load<i32>(PLACES + ((<usize>t) << 2));
}

/** Where the prediction of v at place t stands, (tile, V, TILE). */
function at(t: i32, v: i32): i32 {
  return ((t / TILE) * V + v) * TILE + (t % TILE);
}

function inTile(tile: i32): i32 {
  return min(TILE, COUNT - tile * TILE);
}

/** ŷ − y, (COUNT, V), before the kernels change ŷ. */
function denseErrors(): StaticArray<f64> {
  const errors = new StaticArray<f64>(COUNT * V);
  for (let t = 0; t < COUNT; ++t) {
    for (let v = 0; v < V; ++v) errors[t * V + v] = get(PREDICTED, at(t, v)) - (id(TOKENS, place(t)) == v ? 1 : 0);
  }
  return errors;
}

function backward(): void {
  for (let tile = 0; tile < TILES; ++tile) {
    const first = <usize>tile * TILE;
    const rows = first * M * 4;
    const predicted = PREDICTED + first * V * 4;
    deltasOfTile(TOKENS, PLACES + (first << 2), inTile(tile), 0, O, 0, HIDDEN + rows, predicted, DELTA + rows, 0);
  }
}

describe("the backward pass of a tile", () => {
  test("leaves the errors at the output, and dz by the softmax's Jacobian at the hidden layer", () => {
    begin(1);
    const errors = denseErrors();
    mark(DELTA + ROWS * M * 4, 16);
    backward();
    let worst: f64 = 0;
    for (let t = 0; t < COUNT; ++t) {
      for (let v = 0; v < V; ++v) worst = Math.max(worst, Math.abs(get(PREDICTED, at(t, v)) - errors[t * V + v]));
      for (let c = 0; c < M; ++c) {
        const head = c / CLASSES;
        let wanted: f64 = 0;
        for (let d = head * CLASSES; d < (head + 1) * CLASSES; ++d) {
          let dh: f64 = 0;
          for (let v = 0; v < V; ++v) dh += errors[t * V + v] * get(O, v * M + d);
          // ∂h_d / ∂z_c = h_d (1[c = d] − h_c)
          wanted += dh * get(HIDDEN, t * M + d) * ((c == d ? 1.0 : 0.0) - get(HIDDEN, t * M + c));
        }
        worst = Math.max(worst, Math.abs(get(DELTA, t * M + c) - wanted));
      }
    }
    expect(worst).toBeLessThan(ROUNDING * 10);
    for (let i = COUNT * M; i < ROWS * M; ++i) expect(get(DELTA, i)).toBe(0);
    expect(untouched(DELTA + ROWS * M * 4, 16)).toBe(true);
  });

  test("has the likelihood of the token that came, and of no place more", () => {
    begin(2);
    mark(LIKELIHOOD, ROWS * 4 + 16);
    for (let tile = 0; tile < TILES; ++tile) {
      const first = <usize>tile * TILE;
      const own = PREDICTED + first * V * 4;
      likelihoodsOfTile(TOKENS, PLACES + (first << 2), inTile(tile), own, LIKELIHOOD + (first << 2));
    }
    for (let t = 0; t < COUNT; ++t) {
      expect(get(LIKELIHOOD, t)).toBe(get(PREDICTED, at(t, id(TOKENS, place(t)))), t.toString());
    }
    expect(untouched(LIKELIHOOD + COUNT * 4, (ROWS - COUNT) * 4 + 16)).toBe(true);
  });
});

describe("gradients are means over the batch", () => {
  test("of the decoder, in shares of rows, and of nothing beyond a share", () => {
    begin(3);
    const errors = denseErrors();
    backward();
    const wanted = new StaticArray<f64>(V * M);
    const bias = new StaticArray<f64>(V);
    for (let t = 0; t < COUNT; ++t) {
      for (let v = 0; v < V; ++v) {
        const error = errors[t * V + v] / <f64>COUNT;
        bias[v] += error;
        for (let c = 0; c < M; ++c) wanted[v * M + c] += error * get(HIDDEN, t * M + c);
      }
    }
    mark(OUT, V * M * 4 + 16);
    mark(BIAS, V * 4 + 16);
    decoderGradient(TILES, PREDICTED, HIDDEN, 8, V, WEIGHT, OUT, BIAS);
    expect(untouched(OUT, 8 * M * 4)).toBe(true);
    expect(untouched(BIAS, 8 * 4)).toBe(true);
    decoderGradient(TILES, PREDICTED, HIDDEN, 0, 8, WEIGHT, OUT, BIAS);
    expect(gap(OUT, wanted)).toBeLessThan(ROUNDING);
    expect(gap(BIAS, bias)).toBeLessThan(ROUNDING);
    expect(untouched(OUT + V * M * 4, 16)).toBe(true);
    expect(untouched(BIAS + V * 4, 16)).toBe(true);
  });

  test("of U and u0: dz at the rows that each block names", () => {
    begin(4);
    backward();
    const wanted = new StaticArray<f64>(FEATURES * M);
    const bias = new StaticArray<f64>(M);
    for (let t = 0; t < COUNT; ++t) {
      const x = denseBlock(TOKENS, place(t), CIPHER);
      for (let c = 0; c < M; ++c) {
        const dz = get(DELTA, t * M + c) / <f64>COUNT;
        bias[c] += dz;
        for (let row = 0; row < FEATURES; ++row) wanted[row * M + c] += x[row] * dz;
      }
    }
    mark(OUT, FEATURES * M * 4 + 16);
    mark(BIAS, M * 4 + 16);
    featureGradient(TOKENS, PLACES, COUNT, CIPHER, 0, 0, DELTA, 0, 5, FEATURES, WEIGHT, 0, OUT);
    expect(untouched(OUT, 5 * M * 4)).toBe(true);
    featureGradient(TOKENS, PLACES, COUNT, CIPHER, 0, 0, DELTA, 0, 0, 5, WEIGHT, 0, OUT);
    biasGradient(COUNT, DELTA, 0, WEIGHT, BIAS);
    expect(gap(OUT, wanted)).toBeLessThan(ROUNDING);
    expect(gap(BIAS, bias)).toBeLessThan(ROUNDING);
    expect(untouched(OUT + FEATURES * M * 4, 16)).toBe(true);
    expect(untouched(BIAS + M * 4, 16)).toBe(true);
  });
});
