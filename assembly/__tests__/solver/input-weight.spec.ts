import { newtonPositions } from "../positions";
import { BITS, BLOCK, CIPHER_WIDTH, CLASSES, FEATURES, HEADS, M, V } from "../../shape";
import { denseBlock, denseSoftmax } from "../dense";
import { between, copyOf, fill, fillCipher, gap, get, id, mark, put, startValues, untouched } from "../support";

const N = 160; // places of the slice
const OFFSET = (HEADS - 1) * CLASSES;
const SCRATCH_FLOATS = (BLOCK + 2) * CLASSES + BLOCK * (BLOCK + 2);

const TOKENS = memory.data(160 * 2, 16);
const CIPHER = memory.data(V * CIPHER_WIDTH * 2, 16);
const U = memory.data(FEATURES * M * 4, 16);
const U0 = memory.data(M * 4, 16);
const P = memory.data(V * M * 4, 16);
const SCRATCH = memory.data(SCRATCH_FLOATS * 4 + 16, 16);
const POSITIONS = memory.data(BLOCK * 4 + 16, 16);

/** Weight that U's rows of position j were solved with: 1/2, 1/4, 1/6, ... */
function present(j: i32): f64 {
  return <f64>(<f32>(0.5 / <f64>(j + 1)));
}

/** A system of sums over the slice in f32, solved. */
const SOLVED: f64 = 1e-4;

/** h · P(v | class) under weights, before place `at`: the head alone, in f64. */
function likelihood(at: i32, v: i32, weights: StaticArray<f64>): f64 {
  const x = denseBlock(TOKENS, at, CIPHER);
  const hidden = new StaticArray<f64>(CLASSES);
  for (let c = 0; c < CLASSES; ++c) hidden[c] = get(U0, OFFSET + c);
  for (let row = 0; row < FEATURES; ++row) {
    if (x[row] == 0) continue;
    // U holds log-odds times the present weight
    const by = (x[row] * weights[row / BITS]) / present(row / BITS);
    for (let c = 0; c < CLASSES; ++c) hidden[c] += by * get(U, row * M + OFFSET + c);
  }
  denseSoftmax(hidden, 0, CLASSES);
  let p: f64 = 0;
  for (let c = 0; c < CLASSES; ++c) p += hidden[c] * get(P, v * M + OFFSET + c);
  return p;
}

function logLikelihood(weights: StaticArray<f64>): f64 {
  let sum: f64 = 0;
  for (let at = 0; at < N; ++at) sum += Math.log(likelihood(at, id(TOKENS, at), weights));
  return sum;
}

/** A head at random, and a stream drawn from it at the true weights: for 1, 2 · 0.8^j times the present ones. */
function begin(seed: u32, true_: f64): void {
  startValues(seed);
  fillCipher(CIPHER, V);
  fill(U, FEATURES * M, -2, 2);
  fill(U0, M, -0.5, 0.5);
  // each class gives a few tokens of its own
  for (let c = 0; c < M; ++c) {
    let sum: f64 = 0;
    for (let v = 0; v < V; ++v) {
      put(P, v * M + c, v % CLASSES == c % CLASSES ? 1 : 0.02);
      sum += get(P, v * M + c);
    }
    for (let v = 0; v < V; ++v) put(P, v * M + c, get(P, v * M + c) / sum);
  }
  const weights = new StaticArray<f64>(BLOCK);
  for (let j = 0; j < BLOCK; ++j) weights[j] = true_ * 2 * present(j) * 0.8 ** <f64>j;
  for (let at = 0; at < N; ++at) {
    let left = between(0, 1);
    let token = 0;
    while (token < V - 1 && (left -= likelihood(at, token, weights)) >= 0) ++token;
    store<u16>(TOKENS + ((<usize>at) << 1), <u16>token);
  }
  for (let j = 0; j < BLOCK; ++j) put(POSITIONS, j, present(j));
  mark(POSITIONS + BLOCK * 4, 16);
  mark(SCRATCH + SCRATCH_FLOATS * 4, 16);
}

function solve(steps: i32): StaticArray<f64> {
  newtonPositions(HEADS - 1, TOKENS, 0, N, CIPHER, U, U0, P, steps, SCRATCH, POSITIONS);
  const out = new StaticArray<f64>(BLOCK);
  for (let j = 0; j < BLOCK; ++j) out[j] = get(POSITIONS, j);
  return out;
}

/** Slope of the log-likelihood in one weight, by a difference. */
function slope(weights: StaticArray<f64>, j: i32): f64 {
  const at = weights[j];
  weights[j] = at + 1e-4;
  const above = logLikelihood(weights);
  weights[j] = at - 1e-4;
  const below = logLikelihood(weights);
  weights[j] = at;
  return (above - below) / 2e-4;
}

/**
 * Weights after one step of Newton's method on the EM bound, in f64: (Σ Cov_h(L_j, L_k) + I) δ = Σ (t − h)·L_j, solved
 * by elimination, L_j what position j adds to the logits at its present weight. δ is relative to that weight, and the
 * result is kept in bounds.
 */
function newtonStep(weights: StaticArray<f64>): StaticArray<f64> {
  const width = BLOCK + 1;
  const system = new StaticArray<f64>(BLOCK * width);
  for (let j = 0; j < BLOCK; ++j) system[j * width + j] = 1;
  for (let at = 0; at < N; ++at) addPlace(at, weights, system);
  for (let j = 0; j < BLOCK; ++j) {
    for (let k = 0; k < BLOCK; ++k) {
      if (k == j) continue;
      const by = system[k * width + j] / system[j * width + j];
      for (let i = 0; i < width; ++i) system[k * width + i] -= by * system[j * width + i];
    }
  }
  const out = new StaticArray<f64>(BLOCK);
  for (let j = 0; j < BLOCK; ++j) {
    const by = system[j * width + BLOCK] / system[j * width + j];
    out[j] = Math.min(4, Math.max(0.01, weights[j] + present(j) * by));
  }
  return out;
}

/** Adds one place's curvature and gradient to the system, in units of the present weights. */
function addPlace(at: i32, weights: StaticArray<f64>, system: StaticArray<f64>): void {
  const x = denseBlock(TOKENS, at, CIPHER);
  const votes = new StaticArray<f64>(BLOCK * CLASSES);
  const hidden = new StaticArray<f64>(CLASSES);
  const target = new StaticArray<f64>(CLASSES);
  for (let c = 0; c < CLASSES; ++c) hidden[c] = get(U0, OFFSET + c);
  for (let row = 0; row < FEATURES; ++row) {
    const j = row / BITS;
    for (let c = 0; c < CLASSES; ++c) {
      const vote = x[row] * get(U, row * M + OFFSET + c);
      votes[j * CLASSES + c] += vote;
      hidden[c] += (vote * weights[j]) / present(j);
    }
  }
  denseSoftmax(hidden, 0, CLASSES);
  let sum: f64 = 0;
  for (let c = 0; c < CLASSES; ++c) {
    target[c] = hidden[c] * get(P, id(TOKENS, at) * M + OFFSET + c);
    sum += target[c];
  }
  for (let j = 0; j < BLOCK; ++j) {
    const a = mean(votes, j, hidden);
    for (let k = 0; k < BLOCK; ++k) {
      const b = mean(votes, k, hidden);
      for (let c = 0; c < CLASSES; ++c) {
        system[j * (BLOCK + 1) + k] += hidden[c] * (votes[j * CLASSES + c] - a) * (votes[k * CLASSES + c] - b);
      }
    }
    for (let c = 0; c < CLASSES; ++c) {
      system[j * (BLOCK + 1) + BLOCK] += (target[c] / sum - hidden[c]) * votes[j * CLASSES + c];
    }
  }
}

function mean(votes: StaticArray<f64>, j: i32, hidden: StaticArray<f64>): f64 {
  let sum: f64 = 0;
  for (let c = 0; c < CLASSES; ++c) sum += hidden[c] * votes[j * CLASSES + c];
  return sum;
}

describe("position weights", () => {
  test("stay as they are where no step is taken", () => {
    begin(1, 1);
    const weights = solve(0);
    for (let j = 0; j < BLOCK; ++j) expect(weights[j]).toBe(present(j));
  });

  test("take the steps of Newton's method on the EM bound", () => {
    for (let seed: u32 = 20; seed < 24; ++seed) {
      begin(seed, 1);
      let wanted = copyOf(POSITIONS, BLOCK);
      for (let n = 0; n < 3; ++n) wanted = newtonStep(wanted);
      solve(3);
      expect(gap(POSITIONS, wanted)).toBeLessThan(SOLVED, seed.toString());
    }
  });

  test("raise the likelihood of the slice with every step", () => {
    let last = -Infinity;
    for (let steps = 0; steps < 6; ++steps) {
      begin(2, 1);
      const now = logLikelihood(solve(steps));
      // at rest the steps are roundings
      expect(now).toBeGreaterThan(last - 1e-3, steps.toString());
      if (steps == 1) expect(now).toBeGreaterThan(last + 1, "the first step");
      last = now;
    }
    expect(untouched(SCRATCH + SCRATCH_FLOATS * 4, 16)).toBe(true);
    expect(untouched(POSITIONS + BLOCK * 4, 16)).toBe(true);
  });

  test("come to rest where the likelihood is flat in each of them", () => {
    begin(3, 1);
    const start = new StaticArray<f64>(BLOCK);
    for (let j = 0; j < BLOCK; ++j) start[j] = present(j);
    const steepest = Math.abs(slope(start, 0));
    const weights = solve(60);
    for (let j = 0; j < BLOCK; ++j) {
      expect(weights[j]).toBeGreaterThan(0.02, "inside the bounds");
      expect(weights[j]).toBeLessThan(3.9, "inside the bounds");
      expect(Math.abs(slope(weights, j))).toBeLessThan(steepest * 0.002);
    }
  });

  test("go to the least where a position misleads, and to the most where it cannot say enough", () => {
    begin(4, -2);
    const least = solve(30);
    for (let j = 0; j < BLOCK; ++j) expect(Math.abs(least[j] - 0.01)).toBeLessThan(1e-8, j.toString());
    begin(5, 40);
    expect(solve(60)[0]).toBe(4);
  });

  test("are solved on the slice given and on nothing else", () => {
    begin(6, 1);
    const wanted = solveFrom(20, 100);
    begin(6, 1);
    // the label at 100 and all after it, and whatever the block before 20 does not reach
    for (let at = 100; at < N; ++at) store<u16>(TOKENS + (at << 1), 3);
    for (let at = 0; at < 20 - BLOCK; ++at) store<u16>(TOKENS + (at << 1), 3);
    expect(solveFrom(20, 100)).toBe(wanted);
    begin(6, 1);
    expect(solveFrom(20, 101)).not.toBe(wanted);
  });
});

function solveFrom(from: i32, to: i32): f64 {
  newtonPositions(HEADS - 1, TOKENS, from, to, CIPHER, U, U0, P, 4, SCRATCH, POSITIONS);
  return get(POSITIONS, 0);
}
