// The trainer module: fits one model of one shape without a gradient. The host writes tokens at TOKENS, calls count, configures,
// then runs heads, residual steps, the gate and the quantisation, each in calls of bounded work. With shared memory, every
// thread makes the same calls with its own number.
import { countDistinct, gateInputs, solveGate } from "./attention";
import { assignCipher, labelCiphers, rankTokens } from "./cipher";
import { clearRing, pushToken } from "./chains";
import { findMatches } from "./comparisons";
import { explicitDecoder } from "./explicit";
import { addAttentionTargets, attendedWeight, countPairs, solveAttention, totalPairs } from "./explicit-attention";
import { headStep, power, solveHead } from "./heads";
import { hiddenState } from "./hidden";
import { decodeHidden, encodeHidden } from "./hidden-codes";
import { DOCUMENT_AT, HIDDEN_WEIGHTS, INPUTS, STACKED_AT, W0_AT, W_AT } from "./hidden-layout";
import { log } from "./math";
import { consecutivePlaces, shuffledPlaces } from "./places";
import { newtonPositions } from "./positions";
import { quantiseRow } from "./quantise";
import { mix, nextUniform, seedGenerator } from "./random";
import { forwardTile, solveDecoder, solveFeatures, targetsOfTile } from "./residual";
import {
  ATTENDED,
  BITS,
  BLOCK,
  BLOCK_HEADS,
  BLOCK_M,
  CLASSES,
  DECODER,
  DOCUMENT_M,
  FEATURES,
  HEADS,
  M,
  ORDERS,
  PARTS,
  POSITIONS_A_HEAD,
  RADIAL,
  ROW_BYTES,
  V,
} from "./shape";
import { softmax } from "./softmax";
import { barrier, shareStart } from "./threads";
import {
  ATTENTION_SUMS,
  BATCH,
  BATCH_INPUTS,
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
  CHAINS,
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
  ORDER_SUMS,
  PAIRS,
  PAIR_TOTALS,
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
  U0,
} from "./trainer-memory";
import { addScaled, scale } from "./vectors";

export { HIDDEN_WEIGHTS } from "./hidden-layout";
/** Where tensors of codes stand behind U_INT8. */
export {
  DOCUMENT_LEVELS_AT,
  DOCUMENT_ROWS_AT,
  DOCUMENT_SCALES_AT,
  LEVELS_AT,
  SCALES_AT,
  STACKED_LEVELS_AT,
  STACKED_ROWS_AT,
  STACKED_SCALES_AT,
} from "./hidden-codes";
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
  U0,
} from "./trainer-memory";
export { POSITIONS_A_HEAD } from "./shape";

/** Where the hidden layers' weights stand behind U; what the shape does not have is of no length. */
export const DOCUMENT_U: usize = U + DOCUMENT_AT;
export const STACKED_U: usize = U + STACKED_AT;
export const BLOCK_W: usize = U + W_AT;
export const BLOCK_W0: usize = U + W0_AT;
/** Their biases, behind the block's. */
export const DOCUMENT_U0: usize = U0 + BLOCK_M * 4;
export const STACKED_U0: usize = DOCUMENT_U0 + DOCUMENT_M * 4;

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
let priorO: f32 = 0;
let priorU: f32 = 0;
let sharpness: f32 = 1;
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
  memory.fill(G, 0, HIDDEN_WEIGHTS * 4);
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

/**
 * Steps [from, to) of those of heads [first, end) that are this thread's. No barrier: heads of one layer do not know of one another;
 * those of the second layer want the first's solution.
 */
export function headSteps(thread: i32, threads: i32, first: i32, end: i32, from: i32, to: i32): void {
  for (let head = first + thread; head < end; head += threads) {
    const positions = POSITIONS + (<usize>(head * POSITIONS_A_HEAD) << 2);
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

/** Newton steps for the position weights of those of heads [first, end) that are this thread's, over TOKENS[from..to), then U at the new weights. */
export function solvePositions(thread: i32, threads: i32, first: i32, end: i32, from: i32, to: i32, steps: i32): void {
  for (let head = first + thread; head < end; head += threads) {
    const positions = POSITIONS + (<usize>(head * POSITIONS_A_HEAD) << 2);
    newtonPositions(head, TOKENS, from, to, CIPHER, U, U0, O, steps, scratchOf(thread), positions);
    solveHead(head, G, F, headMass, positions, MARGINAL, scratchOf(thread), U, U0, O);
  }
}

/**
 * Attention over positions, places [from, to) of one of its two passes: pairs are counted (0), then targets are added up (1); the last
 * call of the second solves W and w0, and sets the weights of the block's positions. Thread 0 alone.
 */
export function attentionSteps(pass: i32, from: i32, to: i32): void {
  if (!ATTENDED) return;
  if (pass == 0) {
    if (from == 0) memory.fill(PAIRS, 0, (FEATURES * V) << 2);
    countPairs(TOKENS, from, to, CIPHER, PAIRS);
    if (to == n) totalPairs(PAIRS, PAIR_TOTALS);
    return;
  }
  if (from == 0) memory.fill(ATTENTION_SUMS, 0, (BLOCK * BLOCK + BLOCK) << 3);
  addAttentionTargets(TOKENS, from, to, CIPHER, PAIRS, PAIR_TOTALS, MARGINAL, headMass, scratchOf(0), ATTENTION_SUMS);
  if (to < n) return;
  solveAttention(ATTENTION_SUMS, <f64>headMass, U + W_AT, U + W0_AT);
  const weight = attendedWeight(U + W0_AT);
  for (let i: usize = 0; i < <usize>(BLOCK_HEADS * POSITIONS_A_HEAD); ++i) store<f32>(POSITIONS + (i << 2), weight);
}

/** Clears the sums before residual steps; under the softmax decoder O becomes 0 unless `keep`. Thread 0 alone. */
export function initialiseResidual(keep: bool): void {
  memory.fill(F, 0, V * M * 4);
  memory.fill(F_EXPECTED, 0, V * M * 4);
  memory.fill(G, 0, HIDDEN_WEIGHTS * 4);
  memory.fill(G_EXPECTED, 0, HIDDEN_WEIGHTS * 4);
  if (!keep) memory.fill(O, 0, V * M * 4);
}

/**
 * Settings of the residual steps.
 *
 * @param places of one step, at most BATCH; @param first step at which hidden layers move too: the decoder finds its feet first
 * @param decay of the averaging rate (step + 2)^-decay
 * @param decoderPrior κ of O, @param hiddenPrior of U, in places; 0 for none
 * @param hiddenSharpness β of the hidden targets, above 0; the hidden step is divided by it, as targets move by so much less
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
  decoderPrior: f32,
  hiddenPrior: f32,
  hiddenSharpness: f32,
): void {
  key = seed;
  batch = places;
  lead = first;
  rate = decay;
  massO = decoderMass;
  massU = hiddenMass;
  stepO = decoderStep;
  stepU = hiddenStep;
  priorO = decoderPrior;
  priorU = hiddenPrior;
  sharpness = hiddenSharpness;
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
    for (let tile = shareStart(tiles, 1, thread, threads), end = shareStart(tiles, 1, thread + 1, threads); tile < end; ++tile) {
      const inTile = min<i32>(TILE, count - tile * TILE);
      shuffledPlaces(start + tile * TILE, inTile, n, order, LABELS + (<usize>(tile * TILE) << 2));
      forward(tile, inTile, transposed, lanes);
      if (step >= lead) {
        const at = <usize>tile * TILE;
        const places = LABELS + (at << 2);
        const rows = at * M * 4;
        targetsOfTile(TOKENS, places, inTile, U, O, PREDICTED + at * V * 4, HIDDEN + rows, sharpness, row, TARGETS + rows);
      }
    }
    barrier(threads);
    const eta = power(<f32>(step + 2), -rate);
    const weight: f32 = (eta * <f32>n) / <f32>count;
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
      priorO,
      (stepO / <f32>HEADS) * eta,
      MARGINAL,
      row,
      F,
      F_EXPECTED,
      O,
    );
    if (step >= lead) {
      solveFeatures(
        thread,
        threads,
        TOKENS,
        LABELS,
        count,
        tiles,
        CIPHER,
        POSITIONS,
        BATCH_INPUTS,
        HIDDEN,
        TARGETS,
        1 - eta,
        weight,
        massU,
        sharpness * priorU,
        stepU / sharpness,
        eta,
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
    BATCH_INPUTS + at * INPUTS * 4,
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
    hiddenState(TOKENS, at, CIPHER, U, U0, hidden + (M << 2), hidden);
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
        hiddenState(TOKENS, from + <i32>(at + t), CIPHER, U, U0, scratch + (M << 2), scratch);
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
  let newest = <u32>(from - 1) & (RADIAL - 1); // places stand at their number modulo R
  if (index == 0) {
    clearRing(RING, CHAINS);
    const first = max<i32>(0, from - RADIAL);
    newest = <u32>(first - 1) & (RADIAL - 1);
    for (let at = first; at < from; ++at) newest = pushToken(RING, CHAINS, newest, load<u16>(TOKENS + (<usize>at << 1)));
  }
  for (let i = 0; i < places; ++i) {
    const at = from + i;
    const found = findMatches(RING, CHAINS, newest, MATCHES, TOTALS);
    const token = <u32>load<u16>(TOKENS + (<usize>at << 1));
    const stack = load<f32>(LIKELIHOOD + (<usize>i << 2));
    const to = <usize>(index + i);
    countDistinct(MATCHES, found, SEEN, DISTINCT);
    const likelihoods = GATE_LIKELIHOODS + to * PARTS * 4;
    gateInputs(MATCHES, found, TOTALS, DISTINCT, token, stack, ORDER_SUMS, likelihoods, GATE_BUCKETS + to * ORDERS);
    newest = pushToken(RING, CHAINS, newest, token);
  }
}

/** Solves the gate over the first `places` inputs. Thread 0 alone. */
export function gateSolve(places: i32, sweeps: i32): void {
  if (RADIAL > 0) solveGate(GATE_LIKELIHOODS, GATE_BUCKETS, places, sweeps, CHAIN, GATE_SUMS, GATE);
}

/** Whether U is what its codes say: they are then not solved again. */
let rounded: bool = false;

/** U becomes what its codes of four bits say, so that what is solved after it makes up for what they lose. Thread 0 alone. */
export function roundHidden(): void {
  encodeHidden(U, SCRATCH, U_INT8);
  decodeHidden(U_INT8, U);
  rounded = true;
}

/** The model's weights in int8, or codes of four bits: rows of U and O, scales and levels. Thread 0 alone. */
export function quantise(): void {
  if (!rounded) encodeHidden(U, SCRATCH, U_INT8);
  for (let v: usize = 0; v < <usize>V; ++v) {
    store<f32>(O_SCALE + (v << 2), quantiseRow(O + ((v * M) << 2), M, O_INT8 + v * M));
  }
}
