import { headStep, power, responsibilities, solveHead } from "../heads";
import { BITS, BLOCK, CIPHER_WIDTH, CLASSES, FEATURES, HEADS, M, V } from "../../shape";
import { denseBlock, denseHidden, denseSoftmax } from "../dense";
import {
  between,
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

const N = 40; // training places
const HEAD = HEADS - 1;
const OFFSET = HEAD * CLASSES;
/** Sums that were scaled down and added to some dozen times. */
const AVERAGED: f64 = 1e-4;

const TOKENS = memory.data(40 * 2, 16);
const CIPHER = memory.data(V * CIPHER_WIDTH * 2, 16);
const FIRST = memory.data(V * M * 4, 16);
const MARGINAL = memory.data(V * 4, 16);
const POSITIONS = memory.data(BLOCK * 4, 16);
const SUMS_U = memory.data(FEATURES * M * 4, 16);
const SUMS_O = memory.data(V * M * 4 + M * 4, 16);
const SCRATCH = memory.data(2 * CLASSES * 4 + 16, 16);
const U = memory.data(FEATURES * M * 4, 16);
const U0 = memory.data(M * 4, 16);
const P = memory.data(V * M * 4 + M * 4, 16);

/** A stream, ciphers, first targets for each token, and sums of zero. */
function begin(seed: u32): void {
  startValues(seed);
  fillCipher(CIPHER, V);
  fillTokens(TOKENS, N, V);
  for (let i = 0; i < V * M; i += CLASSES) fillDistribution(FIRST + (i << 2), CLASSES);
  fillDistribution(MARGINAL, V);
  fill(POSITIONS, BLOCK, 0.3, 1);
  memory.fill(SUMS_U, 0, FEATURES * M * 4);
  memory.fill(SUMS_O, 0, V * M * 4);
  mark(SUMS_O + V * M * 4, M * 4);
  fill(U, FEATURES * M, -1, 1);
  fill(U0, M, -1, 0);
  fill(P, V * M, 0.01, 0.2);
  mark(SCRATCH + 2 * CLASSES * 4, 16);
}

function step(batch: i32, n: i32, rate: f32, fixedTargets: bool, mass: f32): void {
  headStep(
    HEAD,
    TOKENS,
    N,
    batch,
    n,
    7,
    rate,
    fixedTargets,
    mass,
    POSITIONS,
    CIPHER,
    FIRST,
    MARGINAL,
    SUMS_U,
    SUMS_O,
    SCRATCH,
    U,
    U0,
    P,
  );
}

/** Target of a place: the posterior of each class of the head under U, U0 and P as they stand. */
function posterior(at: i32): StaticArray<f64> {
  const hidden = denseHidden(TOKENS, at, CIPHER, U, U0);
  const out = new StaticArray<f64>(CLASSES);
  let sum: f64 = 0;
  for (let c = 0; c < CLASSES; ++c) {
    out[c] = hidden[OFFSET + c] * get(P, id(TOKENS, at) * M + OFFSET + c);
    sum += out[c];
  }
  for (let c = 0; c < CLASSES; ++c) out[c] /= sum;
  return out;
}

/** XᵀT of all places in the head's columns, T the posteriors or the first targets. */
function denseSumsU(byPosterior: bool): StaticArray<f64> {
  const out = new StaticArray<f64>(FEATURES * M);
  for (let at = 0; at < N; ++at) {
    const x = denseBlock(TOKENS, at, CIPHER);
    const t = byPosterior ? posterior(at) : firstTarget(at);
    for (let row = 0; row < FEATURES; ++row) {
      for (let c = 0; c < CLASSES; ++c) out[row * M + OFFSET + c] += x[row] * t[c];
    }
  }
  return out;
}

/** YᵀT, likewise. */
function denseSumsO(byPosterior: bool): StaticArray<f64> {
  const out = new StaticArray<f64>(V * M);
  for (let at = 0; at < N; ++at) {
    const t = byPosterior ? posterior(at) : firstTarget(at);
    for (let c = 0; c < CLASSES; ++c) out[id(TOKENS, at) * M + OFFSET + c] += t[c];
  }
  return out;
}

function firstTarget(at: i32): StaticArray<f64> {
  return copyOf(FIRST + ((id(TOKENS, at) * M + OFFSET) << 2), CLASSES);
}

/** Σ log p of the stream under the head's mixture decoder. */
function logLikelihood(): f64 {
  let sum: f64 = 0;
  for (let at = 0; at < N; ++at) {
    const hidden = denseHidden(TOKENS, at, CIPHER, U, U0);
    let p: f64 = 0;
    for (let c = OFFSET; c < OFFSET + CLASSES; ++c) p += hidden[c] * get(P, id(TOKENS, at) * M + c);
    sum += Math.log(p);
  }
  return sum;
}

describe("power", () => {
  test("is x to the exponent", () => {
    let worst: f64 = 0;
    for (let x: f64 = 1; x < 1e5; x *= 1.7) {
      for (let exponent: f64 = -1; exponent <= 0; exponent += 0.1) {
        const wanted = <f64>(<f32>x) ** <f64>(<f32>exponent);
        worst = Math.max(worst, Math.abs(<f64>power(<f32>x, <f32>exponent) / wanted - 1));
      }
    }
    // a logarithm of up to 11, rounded, is a relative error of e^that
    expect(worst).toBeLessThan(2e-6);
    expect(power(7, 0)).toBe(1);
  });
});

describe("responsibilities", () => {
  test("are the posterior of each class given context and token", () => {
    startValues(1);
    for (let round = 0; round < 10; ++round) {
      fill(SCRATCH, CLASSES, -4, 4);
      fill(SUMS_O, CLASSES, 0, 0.3);
      const wanted = copyOf(SCRATCH, CLASSES);
      denseSoftmax(wanted, 0, CLASSES);
      let sum: f64 = 0;
      for (let c = 0; c < CLASSES; ++c) sum += wanted[c] * get(SUMS_O, c);
      for (let c = 0; c < CLASSES; ++c) wanted[c] *= get(SUMS_O, c) / sum;
      responsibilities(SCRATCH, SUMS_O);
      expect(gap(SCRATCH, wanted)).toBeLessThan(ROUNDING);
    }
  });

  test("are all alike where no class could have given the token", () => {
    fill(SCRATCH, CLASSES, -4, 4);
    memory.fill(SUMS_O, 0, CLASSES * 4);
    mark(SCRATCH + CLASSES * 4, 16);
    responsibilities(SCRATCH, SUMS_O);
    expect(untouched(SCRATCH + CLASSES * 4, 16)).toBe(true);
    for (let c = 0; c < CLASSES; ++c) expect(get(SCRATCH, c)).toBe(1 / <f64>CLASSES);
  });
});

/** Sums of a head at random, and its prior: the share of each class. */
function writeSums(seed: u32): StaticArray<f64> {
  begin(seed);
  fill(SUMS_U, FEATURES * M, 0.5, 30);
  fill(SUMS_O, V * M, 5, 30);
  const prior = new StaticArray<f64>(CLASSES);
  let all: f64 = 0;
  for (let v = 0; v < V; ++v) {
    for (let c = 0; c < CLASSES; ++c) {
      prior[c] += get(SUMS_O, v * M + OFFSET + c);
      all += get(SUMS_O, v * M + OFFSET + c);
    }
  }
  for (let c = 0; c < CLASSES; ++c) prior[c] /= all;
  return prior;
}

function rowSum(row: i32): f64 {
  let sum: f64 = 0;
  for (let c = 0; c < CLASSES; ++c) sum += get(SUMS_U, row * M + OFFSET + c);
  return sum;
}

function solve(mass: f32): void {
  solveHead(HEAD, SUMS_U, SUMS_O, mass, POSITIONS, MARGINAL, SCRATCH, U, U0, P);
}

describe("the explicit solution of a head", () => {
  test("is log π, smoothed log-odds times the position's weight, and smoothed p(y | class)", () => {
    const prior = writeSums(2);
    const wantedU = copyOf(U, FEATURES * M);
    const wantedU0 = copyOf(U0, M);
    const wantedP = copyOf(P, V * M);
    for (let c = 0; c < CLASSES; ++c) {
      wantedU0[OFFSET + c] = Math.log(prior[c]);
      for (let row = 0; row < FEATURES; ++row) {
        const conditional = (get(SUMS_U, row * M + OFFSET + c) + 12 * prior[c]) / (rowSum(row) + 12);
        wantedU[row * M + OFFSET + c] = get(POSITIONS, row / BITS) * Math.log(conditional / prior[c]);
      }
      let total: f64 = 0;
      for (let v = 0; v < V; ++v) total += get(SUMS_O, v * M + OFFSET + c);
      for (let v = 0; v < V; ++v) {
        wantedP[v * M + OFFSET + c] = (get(SUMS_O, v * M + OFFSET + c) + 12 * get(MARGINAL, v)) / (total + 12);
      }
    }
    mark(P + V * M * 4, M * 4);
    solve(12);
    // other heads' columns are wanted as they were
    expect(gap(U, wantedU)).toBeLessThan(LOOSE);
    expect(gap(U0, wantedU0)).toBeLessThan(LOOSE);
    expect(gap(P, wantedP)).toBeLessThan(LOOSE);
    expect(untouched(SCRATCH + 2 * CLASSES * 4, 16)).toBe(true);
    expect(untouched(P + V * M * 4, M * 4)).toBe(true);
  });

  test("gives exact conditionals for one feature at weight one: softmax(u0 + U) is its share of the sums", () => {
    writeSums(3);
    for (let j = 0; j < BLOCK; ++j) put(POSITIONS, j, 1);
    solve(1e-4);
    let worst: f64 = 0;
    for (let row = 0; row < FEATURES; ++row) {
      const logits = new StaticArray<f64>(CLASSES);
      for (let c = 0; c < CLASSES; ++c) logits[c] = get(U0, OFFSET + c) + get(U, row * M + OFFSET + c);
      denseSoftmax(logits, 0, CLASSES);
      for (let c = 0; c < CLASSES; ++c) {
        worst = Math.max(worst, Math.abs(logits[c] - get(SUMS_U, row * M + OFFSET + c) / rowSum(row)));
      }
    }
    expect(worst).toBeLessThan(LOOSE);
  });

  test("has columns of P that sum to one", () => {
    writeSums(4);
    solve(40);
    for (let c = OFFSET; c < OFFSET + CLASSES; ++c) {
      let sum: f64 = 0;
      for (let v = 0; v < V; ++v) sum += get(P, v * M + c);
      expect(Math.abs(sum - 1)).toBeLessThan(ROUNDING * 2);
    }
  });

  test("counts a thousandth of a place more for each class in log π, so that none is without hope", () => {
    writeSums(5);
    let all: f64 = 0;
    const counts = new StaticArray<f64>(CLASSES);
    for (let v = 0; v < V; ++v) {
      for (let c = 0; c < CLASSES; ++c) {
        // the first class was never taken, the others hardly
        put(SUMS_O, v * M + OFFSET + c, (<f64>c * 2e-3) / <f64>V);
        counts[c] += get(SUMS_O, v * M + OFFSET + c) + 1e-3 / <f64>V;
        all += get(SUMS_O, v * M + OFFSET + c) + 1e-3 / <f64>V;
      }
    }
    solve(5);
    for (let c = 0; c < CLASSES; ++c) {
      expect(Math.abs(get(U0, OFFSET + c) - Math.log(counts[c] / all))).toBeLessThan(LOOSE);
    }
  });

  test("is finite for a class that no place has taken and for a feature never seen", () => {
    writeSums(5);
    for (let v = 0; v < V; ++v) put(SUMS_O, v * M + OFFSET, 0);
    for (let c = 0; c < CLASSES; ++c) put(SUMS_U, M + OFFSET + c, 0);
    solve(5);
    let sum: f64 = 0;
    for (let i = 0; i < FEATURES * M; ++i) sum += get(U, i);
    for (let i = 0; i < M; ++i) sum += get(U0, i);
    for (let i = 0; i < V * M; ++i) sum += get(P, i);
    expect(isFinite(sum)).toBe(true);
    // never seen: no class is likelier than before
    for (let c = 0; c < CLASSES; ++c) expect(Math.abs(get(U, M + OFFSET + c))).toBeLessThan(LOOSE);
  });
});

describe("a step of a head", () => {
  test("at first sums the targets it is given, over all places", () => {
    begin(6);
    const wantedU = denseSumsU(false);
    const wantedO = denseSumsO(false);
    step(N, 0, 0.6, false, 10);
    expect(gap(SUMS_U, wantedU)).toBeLessThan(ROUNDING * 4);
    expect(gap(SUMS_O, wantedO)).toBeLessThan(ROUNDING * 4);
    expect(untouched(SUMS_O + V * M * 4, M * 4)).toBe(true);
    expect(untouched(SCRATCH + 2 * CLASSES * 4, 16)).toBe(true);
  });

  test("then sums responsibilities under the present solution", () => {
    begin(7);
    step(N, 0, 0, false, 10);
    const wantedU = denseSumsU(true);
    const wantedO = denseSumsO(true);
    step(N, 1, 0, false, 10); // rate 0: the new sums replace the old
    expect(gap(SUMS_U, wantedU)).toBeLessThan(LOOSE);
    expect(gap(SUMS_O, wantedO)).toBeLessThan(LOOSE);
  });

  test("keeps its first targets where they are fixed", () => {
    begin(8);
    const wanted = denseSumsO(false);
    step(N, 0, 0, true, 10);
    step(N, 1, 0, true, 10);
    expect(gap(SUMS_O, wanted)).toBeLessThan(ROUNDING * 4);
  });

  test("solves the head from its sums", () => {
    begin(9);
    step(N, 0, 0, false, 10);
    const u = copyOf(U, FEATURES * M);
    const p = copyOf(P, V * M);
    fill(U, FEATURES * M, -1, 1);
    for (let row = 0; row < FEATURES; ++row) {
      // columns of other heads are not compared with what the fill has put there
      for (let c = 0; c < OFFSET; ++c) put(U, row * M + c, u[row * M + c]);
    }
    solve(10);
    expect(gap(U, u)).toBe(0);
    expect(gap(P, p)).toBe(0);
  });

  test("averages batches at rate (step + 2)^-decay, and a pass visits every place once", () => {
    begin(10);
    const wanted = denseSumsO(false);
    const visited = new StaticArray<f64>(V * M);
    // three batches of 13 and one of a single place
    for (let n = 0; n < 4; ++n) {
      const before = copyOf(SUMS_O, V * M);
      step(13, n, 0.6, true, 10);
      const eta = n == 0 ? 1 : <f64>(n + 2) ** -0.6;
      const count = n < 3 ? 13 : 1;
      // what the step has added, without its weight: the sums of its places
      for (let i = 0; i < V * M; ++i) {
        visited[i] += ((get(SUMS_O, i) - (1 - eta) * before[i]) * <f64>count) / (eta * <f64>N);
      }
    }
    let worst: f64 = 0;
    for (let i = 0; i < V * M; ++i) worst = Math.max(worst, Math.abs(visited[i] - wanted[i]));
    expect(worst).toBeLessThan(AVERAGED);
  });

  test("takes other batches in another pass", () => {
    begin(11);
    step(7, 0, 0, true, 10);
    const first = copyOf(SUMS_O, V * M);
    step(7, 6, 0, true, 10);
    // rate 0 keeps nothing of what was there: equal sums would be equal places
    expect(gap(SUMS_O, first)).toBeGreaterThan(0.1);
  });

  test("explains the stream better with every full pass, where the solution is exact", () => {
    begin(12);
    for (let at = 1; at < N; ++at) {
      // a stream with structure: mostly one of two followers
      const last = id(TOKENS, at - 1);
      if (between(0, 1) < 0.8) store<u16>(TOKENS + (at << 1), <u16>((last * 3 + (at & 1)) % V));
    }
    for (let j = 0; j < BLOCK; ++j) put(POSITIONS, j, j == 0 ? 1 : 0.2);
    step(N, 0, 0, false, 0.01);
    const first = logLikelihood();
    let last = first;
    for (let n = 1; n < 12; ++n) {
      step(N, n, 0, false, 0.01);
      const now = logLikelihood();
      // one feature at a time: the explicit solution is the maximum of the bound, up to the mass and f32
      if (BLOCK == 1 && BITS == V) expect(now).toBeGreaterThan(last - 0.01);
      last = now;
    }
    expect(last).toBeGreaterThan(first + 5);
  });
});
