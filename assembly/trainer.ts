// The trainer module: fits one model of one shape without a gradient. The host writes tokens at TOKENS, calls count, configures,
// then runs heads, residual steps, the gate and the quantisation, each in calls of bounded work. With shared memory, every
// thread makes the same calls with its own number.
import { countDistinct, gateInputs, solveGate } from "./attention";
import { assignCipher, labelCiphers, rankTokens } from "./cipher";
import { findMatches } from "./comparisons";
import { explicitDecoder } from "./explicit";
import { headStep, power, solveHead } from "./heads";
import { hiddenState } from "./layer";
import { log } from "./math";
import { consecutivePlaces, shuffledPlaces } from "./places";
import { newtonPositions } from "./positions";
import { quantiseRow } from "./quantise";
import { mix, nextUniform, seedGenerator } from "./random";
import { forwardTile, solveDecoder, solveFeatures, targetsOfTile } from "./residual";
import { ABSENT, BITS, BLOCK, CLASSES, DECODER, FEATURES, HEADS, M, ORDERS, PARTS, RADIAL, ROW_BYTES, V } from "./shape";
import { softmax } from "./softmax";
import { barrier, shareStart } from "./threads";
import {
  BATCH,
  CIPHER,
  F,
  F_EXPECTED,
  G,
  G_EXPECTED,
  GATE,
  GATE_BUCKETS,
  GATE_LIKELIHOODS,
  GATE_SUMS,
  CHAIN,
  DISTINCT,
  SEEN,
  HIDDEN,
  LABELS,
  LIKELIHOOD,
  MARGINAL,
  MATCHES,
  O,
  O_INT8,
  O_SCALE,
  O0,
  POSITIONS,
  PREDICTED,
  RING,
  SCRATCH,
  SCRATCH_BYTES,
  TARGETS,
  TILE,
  TOKENS,
  TOTALS,
  U,
  U_INT8,
  U_SCALE,
  U0,
} from "./trainer-memory";
import { addScaled, scale } from "./vectors";

export {
  BATCH,
  CIPHER,
  GATE,
  GATE_BUCKETS,
  GATE_LIKELIHOODS,
  GATE_TOKENS,
  LIKELIHOOD,
  O,
  O_INT8,
  O_SCALE,
  O0,
  POSITIONS,
  THREADS,
  TOKENS,
  U,
  U_INT8,
  U_SCALE,
  U0,
} from "./trainer-memory";

let n: i32 = 0; // training places: labels TOKENS[0..n)
let key: u32 = 0;
let batch: i32 = 0;
let headBatch: i32 = 0;
let headRate: f32 = 0;
let headMass: f32 = 0;
let cipherTargets: bool = false;
let massO: f32 = 0;
let massU: f32 = 0;
let stepO: f32 = 0;
let stepU: f32 = 0;
let rate: f32 = 0;
let lead: i32 = 0;

// @ts-ignore: decorator
@inline
function scratchOf(thread: i32): usize {
  return SCRATCH + <usize>thread * SCRATCH_BYTES;
}

/**
 * Token marginal π = (count + 1) / (n + V) of the first `places` tokens, o0 = log π, and the input cipher. Every thread calls it
 * to learn `places`; the first one does the work.
 */
export function count(thread: i32, places: i32): void {
  n = places;
  if (thread != 0) return;
  for (let v: usize = 0; v < <usize>V; ++v) store<f32>(MARGINAL + (v << 2), 1);
  for (let i: usize = 0; i < <usize>places; ++i) {
    const at = MARGINAL + (<usize>load<u16>(TOKENS + (i << 1)) << 2);
    store<f32>(at, load<f32>(at) + 1); // exact up to 2^24 of one token
  }
  scale(<f32>1 / <f32>(places + V), V, MARGINAL);
  for (let v: usize = 0; v < <usize>V << 2; v += 4) store<f32>(O0 + v, log(load<f32>(MARGINAL + v)));
  rankTokens(MARGINAL, PREDICTED);
  if (BITS < V) assignCipher(PREDICTED, scratchOf(0), CIPHER);
}

/**
 * Settings of the head passes.
 *
 * @param places of one step; @param decay of the averaging rate (step + 2)^-decay; @param mass α
 * @param ciphered targets are label ciphers, not responsibilities
 */
export function configureHeads(seed: u32, places: i32, decay: f32, mass: f32, ciphered: bool): void {
  key = seed;
  headBatch = places;
  headRate = decay;
  headMass = mass;
  cipherTargets = ciphered;
}

/**
 * First targets of the heads, (V, M) f32 in F_EXPECTED: softmax of twice a normal deviate a class, by the sum of four uniforms
 * (variance 1/3, so the factor is 2·√3); or label ciphers, by the ranks that `count` has left. Thread 0 alone.
 */
export function initialiseHeads(): void {
  memory.fill(G, 0, FEATURES * M * 4);
  memory.fill(F, 0, V * M * 4);
  if (cipherTargets) {
    labelCiphers(PREDICTED, key, scratchOf(0), F_EXPECTED);
    return;
  }
  const generator = scratchOf(0);
  seedGenerator(generator, key);
  for (let i: usize = 0; i < <usize>(V * M); i += <usize>CLASSES) {
    for (let c: usize = 0; c < <usize>CLASSES; ++c) {
      const deviate =
        nextUniform(generator) + nextUniform(generator) + nextUniform(generator) + nextUniform(generator) - 2;
      store<f32>(F_EXPECTED + ((i + c) << 2), deviate * 3.4641016);
    }
    softmax(F_EXPECTED + (i << 2), CLASSES);
  }
}

/** Steps [from, to) of the heads that are this thread's. No barrier: heads do not know of one another. */
export function headSteps(thread: i32, threads: i32, from: i32, to: i32): void {
  for (let head = thread; head < HEADS; head += threads) {
    const positions = POSITIONS + (<usize>(head * BLOCK) << 2);
    for (let step = from; step < to; ++step) {
      headStep(
        head,
        TOKENS,
        n,
        headBatch,
        step,
        key,
        headRate,
        cipherTargets,
        headMass,
        positions,
        CIPHER,
        F_EXPECTED,
        MARGINAL,
        G,
        F,
        scratchOf(thread),
        U,
        U0,
        O,
      );
    }
  }
}

/** Newton steps for the position weights of this thread's heads, over TOKENS[from..to), then U at the new weights. */
export function solvePositions(thread: i32, threads: i32, from: i32, to: i32, steps: i32): void {
  for (let head = thread; head < HEADS; head += threads) {
    const offset = <usize>(head * CLASSES);
    const positions = POSITIONS + (<usize>(head * BLOCK) << 2);
    newtonPositions(TOKENS, from, to, CIPHER, U, U0, O, offset, steps, scratchOf(thread), positions);
    solveHead(G, F, offset, headMass, positions, MARGINAL, scratchOf(thread), U, U0, O);
  }
}

/** Clears the sums before residual steps; under the softmax decoder O becomes 0 unless `keep`. Thread 0 alone. */
export function initialiseResidual(keep: bool): void {
  memory.fill(F, 0, V * M * 4);
  memory.fill(F_EXPECTED, 0, V * M * 4);
  memory.fill(G, 0, FEATURES * M * 4);
  memory.fill(G_EXPECTED, 0, FEATURES * M * 4);
  if (!keep) memory.fill(O, 0, V * M * 4);
}

/**
 * Settings of the residual steps.
 *
 * @param places of one step, at most BATCH; @param first step at which hidden layers move too: the decoder finds its feet first
 * @param decay of the averaging rate (step + 2)^-decay
 */
export function configureResidual(
  seed: u32,
  places: i32,
  first: i32,
  decay: f32,
  decoderMass: f32,
  hiddenMass: f32,
  decoderStep: f32,
  hiddenStep: f32,
): void {
  key = seed;
  batch = places;
  lead = first;
  rate = decay;
  massO = decoderMass;
  massU = hiddenMass;
  stepO = decoderStep;
  stepU = hiddenStep;
}

/** Residual steps [from, to): tiles are shared among threads, then rows of the sums, with a barrier after each. */
export function residualSteps(thread: i32, threads: i32, from: i32, to: i32): void {
  const steps = (n + batch - 1) / batch; // a pass
  const transposed = scratchOf(thread);
  const lanes = transposed + M * TILE * 4;
  const row = lanes + TILE * 8;
  for (let step = from; step < to; ++step) {
    const start = (step % steps) * batch;
    const count = min<i32>(batch, n - start);
    const order = mix(key + <u32>(step / steps) * 0x9e3779b9);
    const tiles = (count + TILE - 1) / TILE;
    const eta = power(<f32>(step + 2), -rate);
    const weight: f32 = (eta * <f32>n) / <f32>count;
    for (let tile = shareStart(tiles, 1, thread, threads), end = shareStart(tiles, 1, thread + 1, threads); tile < end; ++tile) {
      const inTile = min<i32>(TILE, count - tile * TILE);
      shuffledPlaces(start + tile * TILE, inTile, n, order, LABELS + (<usize>(tile * TILE) << 2));
      forward(tile, inTile, transposed, lanes);
      if (step >= lead) {
        const at = <usize>tile * TILE;
        const places = LABELS + (at << 2);
        const rows = at * M * 4;
        targetsOfTile(TOKENS, places, inTile, O, PREDICTED + at * V * 4, HIDDEN + rows, TARGETS + rows);
      }
    }
    barrier(threads);
    solveDecoder(
      TOKENS,
      LABELS,
      count,
      tiles,
      HIDDEN,
  PREDICTED,
      shareStart(V, 4, thread, threads),
      shareStart(V, 4, thread + 1, threads),
      1 - eta,
      weight,
      massO,
      (stepO / <f32>HEADS) * eta,
      MARGINAL,
      row,
      F,
      F_EXPECTED,
      O,
    );
    if (step >= lead) {
      solveFeatures(
        TOKENS,
        LABELS,
        count,
        CIPHER,
        HIDDEN,
        TARGETS,
        shareStart(FEATURES, 1, thread, threads),
        shareStart(FEATURES, 1, thread + 1, threads),
        1 - eta,
        weight,
        massU,
        (stepU / <f32>BLOCK) * eta,
        row,
        G,
        G_EXPECTED,
        U,
      );
    }
    barrier(threads);
  }
}

/** Hidden states and predictions of a tile whose places stand in LABELS. */
function forward(tile: i32, inTile: i32, transposed: usize, lanes: usize): void {
  const at = <usize>tile * TILE;
  forwardTile(
    TOKENS,
    LABELS + (at << 2),
    inTile,
    CIPHER,
    U,
    U0,
    O,
    O0,
    transposed,
    lanes,
    HIDDEN + at * M * 4,
    PREDICTED + at * V * 4,
  );
}

/**
 * The explicit decoder of the plain published form: F = Σ h ⊗ y over places [from, to) is added to; the last call solves.
 * Thread 0 alone.
 */
export function explicitSteps(from: i32, to: i32, mass: f32, solve: bool): void {
  const hidden = scratchOf(0);
  if (from == 0) memory.fill(F, 0, V * M * 4);
  for (let at = from; at < to; ++at) {
    hiddenState(TOKENS, at, CIPHER, U, U0, hidden);
    addScaled(hidden, 1, M, F + ((<usize>load<u16>(TOKENS + (<usize>at << 1)) * M) << 2));
  }
  if (solve) explicitDecoder(F, MARGINAL, mass, hidden, O);
}

/** LIKELIHOOD[i] ← p(token at from + i) under the f32 stack, for i < places ≤ BATCH. Thread 0 alone. */
export function evaluate(from: i32, places: i32): void {
  const scratch = scratchOf(0);
  for (let tile = 0; tile * TILE < places; ++tile) {
    const inTile = min<i32>(TILE, places - tile * TILE);
    const at = <usize>tile * TILE;
    consecutivePlaces(from + <i32>at, inTile, LABELS + (at << 2));
    if (DECODER == 0) forward(tile, inTile, scratch, scratch + M * TILE * 4);
    for (let t: usize = 0; t < <usize>inTile; ++t) {
      const label = <usize>load<u16>(TOKENS + (<usize>(from + <i32>(at + t)) << 1));
      let p: f32 = 0;
      if (DECODER == 0) p = load<f32>(PREDICTED + ((at * V + label * TILE + t) << 2));
      else {
        hiddenState(TOKENS, from + <i32>(at + t), CIPHER, U, U0, scratch);
        for (let c: usize = 0; c < ROW_BYTES; c += 4) p += load<f32>(scratch + c) * load<f32>(O + (label * M << 2) + c);
        p /= <f32>HEADS;
      }
      store<f32>(LIKELIHOOD + ((at + t) << 2), p);
    }
  }
}

/**
 * The gate's inputs for the places whose likelihoods `evaluate(from, places)` has just written; `index` is how many came before.
 * The ring starts from the R tokens before the first place. Thread 0 alone.
 */
export function gatePlaces(from: i32, places: i32, index: i32): void {
  if (RADIAL == 0) return;
  for (let i = 0; i < places; ++i) {
    const at = from + i;
    for (let back = index + i == 0 ? RADIAL : 1; back > 0; --back) {
      const place = at - back;
      const token = place < 0 ? <u16>ABSENT : load<u16>(TOKENS + (<usize>place << 1));
      store<u16>(RING + ((<usize>place & (RADIAL - 1)) << 1), token);
    }
    const found = findMatches(RING, <u32>(at - 1) & (RADIAL - 1), MATCHES, TOTALS);
    const token = <u32>load<u16>(TOKENS + (<usize>at << 1));
    const stack = load<f32>(LIKELIHOOD + (<usize>i << 2));
    const to = <usize>(index + i);
    countDistinct(MATCHES, found, SEEN, DISTINCT);
    const likelihoods = GATE_LIKELIHOODS + to * PARTS * 4;
    gateInputs(MATCHES, found, TOTALS, DISTINCT, token, stack, likelihoods, GATE_BUCKETS + to * ORDERS);
  }
}

/** Solves the gate over the first `places` inputs. Thread 0 alone. */
export function gateSolve(places: i32, sweeps: i32): void {
  if (RADIAL > 0) solveGate(GATE_LIKELIHOODS, GATE_BUCKETS, places, sweeps, CHAIN, GATE_SUMS, GATE);
}

/** The int8 model: U_INT8, U_SCALE, O_INT8, O_SCALE from U and O. Thread 0 alone. */
export function quantise(): void {
  for (let row: usize = 0; row < <usize>FEATURES; ++row) {
    store<f32>(U_SCALE + (row << 2), quantiseRow(U + ((row * M) << 2), M, U_INT8 + row * M));
  }
  for (let v: usize = 0; v < <usize>V; ++v) {
    store<f32>(O_SCALE + (v << 2), quantiseRow(O + ((v * M) << 2), M, O_INT8 + v * M));
  }
}
