import { forwardTile, solveDecoder, solveFeatures, targetsOfTile } from "../residual";
import { BITS, BLOCK, BLOCK_HEADS, CIPHER_WIDTH, CLASSES, FEATURES, HEADS, M, POSITIONS_A_HEAD, V } from "../../shape";
import { shareStart } from "../threads";
import { TILE } from "../trainer-memory";
import { denseBlock, denseHidden, denseSoftmax } from "../dense";
import {
  copyOf,
  fill,
  fillCipher,
  fillDistribution,
  fillTokens,
  gap,
  get,
  id,
  LOOSE,
  mark,
  put,
  ROUNDING,
  startValues,
  untouched,
} from "../support";

const N = 120; // tokens of the stream
const TILES = 2;
const COUNT = 90; // places of the batch: a full tile and a part of one
const ROWS = TILES * TILE;

const TOKENS = memory.data(120 * 2, 16);
const PLACES = memory.data(ROWS * 4, 16);
const CIPHER = memory.data(V * CIPHER_WIDTH * 2, 16);
const U = memory.data(FEATURES * M * 4, 16);
const U0 = memory.data(M * 4, 16);
const O = memory.data(V * M * 4 + 16, 16);
const O0 = memory.data(V * 4, 16);
const MARGINAL = memory.data(V * 4, 16);
const TRANSPOSED = memory.data(M * TILE * 4 + 16, 16);
const LANES = memory.data(2 * TILE * 4 + 16, 16);
const SCRATCH = memory.data(M * 4 + 16, 16);
const HIDDEN = memory.data(ROWS * M * 4 + 16, 16);
const PREDICTED = memory.data(ROWS * V * 4 + 16, 16);
const POSITIONS = memory.data(HEADS * POSITIONS_A_HEAD * 4, 16);
const TARGETS = memory.data(ROWS * M * 4 + 16, 16);
const OBSERVED = memory.data((V > FEATURES ? V : FEATURES) * M * 4, 16);
const EXPECTED = memory.data((V > FEATURES ? V : FEATURES) * M * 4, 16);

function begin(seed: u32): void {
  startValues(seed);
  fillCipher(CIPHER, V);
  fillTokens(TOKENS, N, V);
  fill(U, FEATURES * M, -2, 2);
  fill(U0, M, -2, 0);
  fill(O, V * M, -2, 2);
  fill(O0, V, -4, 0);
  fillDistribution(MARGINAL, V);
  // heads differ, their sums fall with the distance
  for (let head = 0; head < BLOCK_HEADS; ++head) {
    for (let j = 0; j < BLOCK; ++j) put(POSITIONS, head * POSITIONS_A_HEAD + j, <f64>(j + 1 + head) / <f64>(3 * j + 1));
  }
  // 37 and 120 have no common factor: the places of a batch are all different, and in no order
  for (let t = 0; t < ROWS; ++t) store<i32>(PLACES + ((<usize>t) << 2), (t * 37 + 5) % N);
}

function place(t: i32): i32 {
  return load<i32>(PLACES + ((<usize>t) << 2));
}

function label(t: i32): i32 {
  return id(TOKENS, place(t));
}

/** Probability of v at place t of the batch, laid out (tile, V, TILE). */
function predicted(t: i32, v: i32): f64 {
  return get(PREDICTED, ((t / TILE) * V + v) * TILE + (t % TILE));
}

function inTile(tile: i32): i32 {
  return min(TILE, COUNT - tile * TILE);
}

/** Hidden states and predictions of all tiles, with large numbers in the scratch. */
function forward(): void {
  memory.fill(TRANSPOSED, 0x7f, M * TILE * 4);
  memory.fill(LANES, 0x7f, 2 * TILE * 4);
  for (let tile = 0; tile < TILES; ++tile) {
    const at = tile * TILE;
    forwardTile(
      TOKENS,
      PLACES + (at << 2),
      inTile(tile),
      CIPHER,
      U,
      U0,
      O,
      O0,
      TRANSPOSED,
      LANES,
      0,
      HIDDEN + ((at * M) << 2),
      PREDICTED + ((at * V) << 2),
    );
  }
}

describe("the forward pass of a batch", () => {
  test("is the dense model at every place: hidden states, then softmax(h O + o0)", () => {
    begin(1);
    mark(HIDDEN + ROWS * M * 4, 16);
    mark(PREDICTED + ROWS * V * 4, 16);
    mark(TRANSPOSED + M * TILE * 4, 16);
    mark(LANES + 2 * TILE * 4, 16);
    forward();
    let worst: f64 = 0;
    for (let t = 0; t < COUNT; ++t) {
      const hidden = denseHidden(TOKENS, place(t), CIPHER, U, U0);
      worst = Math.max(worst, gap(HIDDEN + ((t * M) << 2), hidden));
      const logits = copyOf(O0, V);
      for (let v = 0; v < V; ++v) for (let c = 0; c < M; ++c) logits[v] += hidden[c] * get(O, v * M + c);
      denseSoftmax(logits, 0, V);
      for (let v = 0; v < V; ++v) worst = Math.max(worst, Math.abs(predicted(t, v) - logits[v]));
    }
    expect(worst).toBeLessThan(ROUNDING * 2);
    expect(untouched(HIDDEN + ROWS * M * 4, 16)).toBe(true);
    expect(untouched(PREDICTED + ROWS * V * 4, 16)).toBe(true);
    expect(untouched(TRANSPOSED + M * TILE * 4, 16)).toBe(true);
    expect(untouched(LANES + 2 * TILE * 4, 16)).toBe(true);
  });

  test("is zero past the batch's last place, so that sums over whole tiles are sums over places", () => {
    begin(2);
    memory.fill(HIDDEN, 0xff, ROWS * M * 4);
    memory.fill(PREDICTED, 0xff, ROWS * V * 4);
    forward();
    let other = 0;
    for (let t = COUNT; t < ROWS; ++t) {
      for (let c = 0; c < M; ++c) if (get(HIDDEN, t * M + c) != 0) ++other;
      for (let v = 0; v < V; ++v) if (predicted(t, v) != 0) ++other;
    }
    expect(other).toBe(0);
  });

  test("does not overflow at large logits", () => {
    begin(3);
    for (let v = 0; v < V; ++v) put(O0, v, v == 3 ? 3e4 : -3e4);
    forward();
    for (let t = 0; t < COUNT; ++t) expect(predicted(t, 3)).toBe(1);
  });
});

/** t ∝ h · exp(β (g − ⟨h, g⟩)) of each head, g_c = O[y, c] − Σ ŷ_v O[v, c], the exponent held to ±5. */
function denseTargets(t: i32, sharpness: f64): StaticArray<f64> {
  const gain = new StaticArray<f64>(M);
  const out = new StaticArray<f64>(M);
  for (let c = 0; c < M; ++c) {
    gain[c] = get(O, label(t) * M + c);
    for (let v = 0; v < V; ++v) gain[c] -= predicted(t, v) * get(O, v * M + c);
  }
  for (let head = 0; head < HEADS; ++head) {
    let mean: f64 = 0;
    let sum: f64 = 0;
    for (let c = head * CLASSES; c < (head + 1) * CLASSES; ++c) mean += get(HIDDEN, t * M + c) * gain[c];
    for (let c = head * CLASSES; c < (head + 1) * CLASSES; ++c) {
      out[c] = get(HIDDEN, t * M + c) * Math.exp(Math.max(-5, Math.min(5, sharpness * (gain[c] - mean))));
      sum += out[c];
    }
    for (let c = head * CLASSES; c < (head + 1) * CLASSES; ++c) out[c] /= sum;
  }
  return out;
}

/** log ŷ_y of place t where the logit of class c is larger by `more`, in f64. */
function likelihoodAt(t: i32, c: i32, more: f64): f64 {
  const from = c - (c % CLASSES);
  const h = new StaticArray<f64>(M);
  let sum: f64 = 0;
  for (let k = 0; k < M; ++k) {
    h[k] = get(HIDDEN, t * M + k) * (k == c ? Math.exp(more) : 1);
    if (k >= from && k < from + CLASSES) sum += h[k];
  }
  for (let k = from; k < from + CLASSES; ++k) h[k] /= sum;
  let total: f64 = 0;
  let wanted: f64 = 0;
  for (let v = 0; v < V; ++v) {
    let logit = get(O0, v);
    for (let k = 0; k < M; ++k) logit += h[k] * get(O, v * M + k);
    total += Math.exp(logit);
    if (v == label(t)) wanted = logit;
  }
  return wanted - Math.log(total);
}

function findTargets(sharpness: f32 = 1): f64 {
  forward();
  for (let tile = 0; tile < TILES; ++tile) {
    const at = tile * TILE;
    const rows = (at * M) << 2;
    targetsOfTile(
      TOKENS,
      PLACES + (at << 2),
      inTile(tile),
      U,
      O,
      PREDICTED + ((at * V) << 2),
      HIDDEN + rows,
      sharpness,
      SCRATCH,
      TARGETS + rows,
    );
  }
  let worst: f64 = 0;
  for (let t = 0; t < COUNT; ++t) worst = Math.max(worst, gap(TARGETS + ((t * M) << 2), denseTargets(t, sharpness)));
  return worst;
}

describe("hidden targets", () => {
  test("are what each class would have gained: the formula, head by head", () => {
    begin(4);
    mark(TARGETS + ROWS * M * 4, 16);
    expect(findTargets()).toBeLessThan(LOOSE);
    expect(untouched(TARGETS + ROWS * M * 4, 16)).toBe(true);
  });

  test("are flatter the smaller β, and what they add is then the likelihood's gradient at the logits", () => {
    begin(4);
    expect(findTargets(0.25)).toBeLessThan(LOOSE);
    const beta: f64 = 1e-2;
    findTargets(<f32>beta);
    let worst: f64 = 0;
    for (let t = 0; t < COUNT; ++t) {
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
    expect(findTargets()).toBeLessThan(LOOSE);
  });

  test("are zero past the batch's last place", () => {
    begin(6);
    memory.fill(TARGETS, 0xff, ROWS * M * 4);
    findTargets();
    for (let i = COUNT * M; i < ROWS * M; ++i) expect(get(TARGETS, i)).toBe(0);
  });
});

function decoder(first: i32, end: i32, keep: f32, weight: f32, mass: f32, step: f32, prior: f32 = 0): void {
  solveDecoder(
    TOKENS,
    PLACES,
    COUNT,
    TILES,
    HIDDEN,
    PREDICTED,
    first,
    end,
    keep,
    weight,
    mass,
    prior,
    step,
    MARGINAL,
    SCRATCH,
    OBSERVED,
    EXPECTED,
    O,
  );
}

/** keep · sums + weight · Σ h ⊗ y, or ⊗ ŷ, over the batch. */
function denseDecoderSums(sums: usize, expected: bool, keep: f64, weight: f64): StaticArray<f64> {
  const out = copyOf(sums, V * M);
  for (let i = 0; i < V * M; ++i) out[i] *= keep;
  for (let t = 0; t < COUNT; ++t) {
    for (let v = 0; v < V; ++v) {
      const y: f64 = expected ? predicted(t, v) : v == label(t) ? 1 : 0;
      for (let c = 0; c < M; ++c) out[v * M + c] += weight * y * get(HIDDEN, t * M + c);
    }
  }
  return out;
}

function logLikelihood(): f64 {
  let sum: f64 = 0;
  for (let t = 0; t < COUNT; ++t) sum += Math.log(predicted(t, label(t)));
  return sum;
}

/**
 * How often a solve in two shares of rows, the later rows first, differs from a solve of all: in weights, in a sum, or by
 * touching a row of the other share.
 */
function sharesDiffer(weights: usize, rows: i32, split: i32, solve: (first: i32, end: i32) => void): i32 {
  const n = rows * M;
  const before = [copyOf(weights, n), copyOf(OBSERVED, n), copyOf(EXPECTED, n)];
  const tensors: usize[] = [weights, OBSERVED, EXPECTED];
  solve(0, rows);
  const whole = [copyOf(weights, n), copyOf(OBSERVED, n), copyOf(EXPECTED, n)];
  for (let k = 0; k < 3; ++k) for (let i = 0; i < n; ++i) put(tensors[k], i, before[k][i]);
  let wrong = 0;
  solve(split, rows);
  for (let k = 0; k < 3; ++k) for (let i = 0; i < split * M; ++i) if (get(tensors[k], i) != before[k][i]) ++wrong;
  solve(0, split);
  for (let k = 0; k < 3; ++k) for (let i = 0; i < n; ++i) if (get(tensors[k], i) != whole[k][i]) ++wrong;
  return wrong;
}

describe("the residual solve of the decoder", () => {
  test("averages both sums and adds the log of their smoothed ratio", () => {
    begin(7);
    forward();
    fill(OBSERVED, V * M, 0, 5);
    fill(EXPECTED, V * M, 0, 5);
    mark(O + V * M * 4, 16);
    mark(SCRATCH + M * 4, 16);
    const observed = denseDecoderSums(OBSERVED, false, 0.75, 1.5);
    const expected = denseDecoderSums(EXPECTED, true, 0.75, 1.5);
    const wanted = copyOf(O, V * M);
    for (let v = 0; v < V; ++v) {
      const pseudo = 8 * get(MARGINAL, v);
      for (let c = 0; c < M; ++c) {
        const i = v * M + c;
        wanted[i] += 0.5 * Math.log((observed[i] + pseudo) / (expected[i] + pseudo));
      }
    }
    decoder(0, V, 0.75, 1.5, 8, 0.5);
    expect(gap(OBSERVED, observed)).toBeLessThan(LOOSE);
    expect(gap(EXPECTED, expected)).toBeLessThan(LOOSE);
    expect(gap(O, wanted)).toBeLessThan(LOOSE);
    expect(untouched(O + V * M * 4, 16)).toBe(true);
    expect(untouched(SCRATCH + M * 4, 16)).toBe(true);
  });

  test("with a prior counts places where the class stands alone and π says what comes", () => {
    begin(7);
    forward();
    fill(OBSERVED, V * M, 0, 5);
    fill(EXPECTED, V * M, 0, 5);
    const observed = denseDecoderSums(OBSERVED, false, 0.75, 1.5);
    const expected = denseDecoderSums(EXPECTED, true, 0.75, 1.5);
    const wanted = copyOf(O, V * M);
    for (let v = 0; v < V; ++v) {
      const p: f64 = get(MARGINAL, v);
      for (let c = 0; c < M; ++c) {
        const i = v * M + c;
        const below = expected[i] + 8 * p + 20 * p * Math.exp(wanted[i]);
        wanted[i] += 0.5 * Math.log((observed[i] + 28 * p) / below);
      }
    }
    decoder(0, V, 0.75, 1.5, 8, 0.5, 20);
    expect(gap(O, wanted)).toBeLessThan(LOOSE);
  });

  test("of two shares of rows is the whole, to the bit", () => {
    begin(8);
    forward();
    fill(OBSERVED, V * M, 0, 5);
    fill(EXPECTED, V * M, 0, 5);
    const wrong = sharesDiffer(O, V, 12, (first: i32, end: i32): void => decoder(first, end, 0.5, 2, 8, 0.5));
    expect(wrong).toBe(0);
  });

  test("raises the likelihood with every full pass at step 1/K, up to smoothing", () => {
    begin(9);
    forward();
    const first = logLikelihood();
    let last = first;
    for (let pass = 0; pass < 12; ++pass) {
      // keep nothing: each pass has its own sums; a mass of 1e-3 stands for none
      decoder(0, V, 0, 1, 1e-3, <f32>1 / <f32>HEADS);
      forward();
      const now = logLikelihood();
      expect(now).toBeGreaterThan(last - 1e-3, pass.toString());
      last = now;
    }
    // ninety places of a random model: far more than a nat each is there to gain
    expect(last).toBeGreaterThan(first + <f64>COUNT);
  });
});

/** A thread's share of rows; `step` is divided by the norm of the inputs, r. */
function features(
  thread: i32,
  threads: i32,
  keep: f32,
  weight: f32,
  mass: f32,
  step: f32,
  prior: f32 = 0,
): void {
  solveFeatures(
    thread,
    threads,
    TOKENS,
    PLACES,
    COUNT,
    TILES,
    CIPHER,
    POSITIONS,
    0,
    HIDDEN,
    TARGETS,
    keep,
    weight,
    mass,
    prior,
    step * <f32>BLOCK,
    1,
    SCRATCH,
    OBSERVED,
    EXPECTED,
    U,
  );
}

/** keep · sums + weight · Σ x̄ ⊗ values over the batch. */
function denseFeatureSums(sums: usize, values: usize, keep: f64, weight: f64): StaticArray<f64> {
  const out = copyOf(sums, FEATURES * M);
  for (let i = 0; i < FEATURES * M; ++i) out[i] *= keep;
  for (let t = 0; t < COUNT; ++t) {
    const x = denseBlock(TOKENS, place(t), CIPHER);
    for (let row = 0; row < FEATURES; ++row) {
      for (let c = 0; c < M; ++c) out[row * M + c] += weight * x[row] * get(values, t * M + c);
    }
  }
  return out;
}

/** Hidden states and targets of the batch: distributions of each head, and large numbers past the last place. */
function fillStates(): void {
  mark(HIDDEN + COUNT * M * 4, M * 4);
  mark(TARGETS + COUNT * M * 4, M * 4);
  for (let i = 0; i < COUNT * M; i += CLASSES) {
    fillDistribution(HIDDEN + (i << 2), CLASSES);
    fillDistribution(TARGETS + (i << 2), CLASSES);
  }
}

describe("the residual solve of the hidden layer", () => {
  test("averages both sums and adds the log of their ratio, smoothed towards the mean hidden state", () => {
    begin(10);
    fillStates();
    fill(OBSERVED, FEATURES * M, 0, 5);
    fill(EXPECTED, FEATURES * M, 0, 5);
    mark(SCRATCH + M * 4, 16);
    const observed = denseFeatureSums(OBSERVED, TARGETS, 0.75, 1.5);
    const expected = denseFeatureSums(EXPECTED, HIDDEN, 0.75, 1.5);
    const mean = new StaticArray<f64>(M);
    for (let t = 0; t < COUNT; ++t) for (let c = 0; c < M; ++c) mean[c] += get(HIDDEN, t * M + c) / <f64>COUNT;
    const wanted = copyOf(U, FEATURES * M);
    for (let row = 0; row < FEATURES; ++row) {
      for (let c = 0; c < M; ++c) {
        const i = row * M + c;
        const pseudo = 6 * mean[c];
        wanted[i] += 0.3 * Math.log((observed[i] + pseudo) / (expected[i] + pseudo));
      }
    }
    features(0, 1, 0.75, 1.5, 6, 0.3);
    expect(gap(OBSERVED, observed)).toBeLessThan(LOOSE);
    expect(gap(EXPECTED, expected)).toBeLessThan(LOOSE);
    expect(gap(U, wanted)).toBeLessThan(LOOSE);
    expect(untouched(SCRATCH + M * 4, 16)).toBe(true);
  });

  test("with a prior counts places of the mean hidden state where the row stands alone, the more the less its position weighs", () => {
    begin(10);
    fillStates();
    fill(OBSERVED, FEATURES * M, 0, 5);
    fill(EXPECTED, FEATURES * M, 0, 5);
    const observed = denseFeatureSums(OBSERVED, TARGETS, 0.75, 1.5);
    const expected = denseFeatureSums(EXPECTED, HIDDEN, 0.75, 1.5);
    const wanted = copyOf(U, FEATURES * M);
    // what all heads together give a position: the first has the most, the last the least
    const totals = new StaticArray<f64>(BLOCK);
    for (let j = 0; j < BLOCK; ++j) {
      for (let head = 0; head < BLOCK_HEADS; ++head) totals[j] += get(POSITIONS, head * POSITIONS_A_HEAD + j);
    }
    for (let c = 0; c < M; ++c) {
      let mean: f64 = 0;
      for (let t = 0; t < COUNT; ++t) mean += get(HIDDEN, t * M + c) / <f64>COUNT;
      for (let row = 0; row < FEATURES; ++row) {
        const i = row * M + c;
        const prior = 9 * mean * (totals[0] / totals[row / BITS]) ** 2;
        const below = expected[i] + 6 * mean + prior * Math.exp(wanted[i]);
        wanted[i] += 0.3 * Math.log((observed[i] + 6 * mean + prior) / below);
      }
    }
    features(0, 1, 0.75, 1.5, 6, 0.3, 9);
    expect(gap(U, wanted)).toBeLessThan(LOOSE);
  });

  test("of two shares of rows is the whole, to the bit", () => {
    begin(11);
    fillStates();
    fill(OBSERVED, FEATURES * M, 0, 5);
    fill(EXPECTED, FEATURES * M, 0, 5);
    const split = shareStart(FEATURES, 1, 1, 2);
    const wrong = sharesDiffer(U, FEATURES, split, (first: i32, end: i32): void => {
      const whole = first == 0 && end == FEATURES;
      features(first == 0 ? 0 : 1, whole ? 1 : 2, 0.5, 2, 6, 0.5);
    });
    expect(wrong).toBe(0);
  });

  test("brings hidden states closer to their targets", () => {
    begin(12);
    forward();
    findTargets();
    const before = divergence();
    memory.fill(OBSERVED, 0, FEATURES * M * 4);
    memory.fill(EXPECTED, 0, FEATURES * M * 4);
    // x̄ has a part for each position: K = r
    features(0, 1, 0, 1, 1e-2, <f32>1 / <f32>BLOCK);
    forward();
    expect(divergence()).toBeLessThan(before);
  });
});

/** Σ t log(t / h) over the batch: what the hidden states miss of their targets. */
function divergence(): f64 {
  let sum: f64 = 0;
  for (let i = 0; i < COUNT * M; ++i) sum += get(TARGETS, i) * Math.log(get(TARGETS, i) / get(HIDDEN, i));
  return sum;
}
