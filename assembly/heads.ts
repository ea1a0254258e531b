// Heads, each solved alone by the explicit solution under a mixture decoder (step 1 of the recipe). Hidden targets are the
// responsibilities of the head's classes (EM; Neal & Hinton 1998), or the label cipher of the token that came (2311.11012).

import { addTarget, headLogits, positionsOf, prepareInputs, rowsOf, tableOf, widthOf } from "./inputs";
import { exp, log } from "./math";
import { mix, permuted } from "./random";
import { CLASSES, HEAD_BYTES, M, V } from "./shape";
import { softmax, sumInLanes } from "./softmax";
import { addScaled, logOdds, scale } from "./vectors";

/** x^power for x > 0, by the module's own exp and log. */
export function power(x: f32, exponent: f32): f32 {
  return exp(exponent * log(x));
}

/**
 * One batch of stepwise EM for one head: targets from the present solution, sums averaged at rate (step + 2)^-decay, then the
 * explicit solution of U (log-odds form) and P. The first step's targets are `first`, a fixed class distribution of each token.
 * decay 0 and a batch of all tokens is a full pass.
 *
 * @param n training places; @param batch places of a step; @param step counts from 0
 * @param fixedTargets true: `first` (a label cipher) stays the target in every step
 * @param mass α of both solves; @param positions (positions) f32 weights of what the head reads
 * @param first (V, M) f32; marginal (V) f32
 * @param sumsU laid out as U (hidden-layout.ts), sumsO (V, M) f32: this head's columns
 * @param scratch (2 m + INPUTS) f32
 * @param outU the hidden layers' weights, outU0 (M), outP (V, M) f32: this head's columns
 */
export function headStep(
  head: i32,
  tokens: usize,
  n: i32,
  batch: i32,
  step: i32,
  key: u32,
  rate: f32,
  fixedTargets: bool,
  mass: f32,
  positions: usize,
  cipher: usize,
  first: usize,
  marginal: usize,
  sumsU: usize,
  sumsO: usize,
  scratch: usize,
  outU: usize,
  outU0: usize,
  outP: usize,
): void {
  const offset = <usize>(head * CLASSES);
  const column = offset << 2;
  const steps = (n + batch - 1) / batch; // a pass
  const pass = step / steps;
  const from = (step % steps) * batch;
  const count = min<i32>(batch, n - from);
  const eta: f32 = step == 0 ? 1 : power(<f32>(step + 2), -rate);
  const weight: f32 = (eta * <f32>n) / <f32>count;
  const keep: f32 = 1 - eta;
  const rows = <usize>rowsOf(head);
  const width = <usize>widthOf(head);
  const table = sumsU + tableOf(head);
  for (let row: usize = 0; row < rows; ++row) scale(keep, CLASSES, table + ((row * width) << 2));
  for (let v: usize = 0; v < <usize>V; ++v) scale(keep, CLASSES, sumsO + ((v * M) << 2) + column);

  const inputs = scratch + ((2 * CLASSES) << 2);
  const order = mix(key + <u32>pass * 0x9e3779b9 + <u32>head * 0x85ebca6b);
  for (let i = from; i < from + count; ++i) {
    const at = <i32>permuted(i, n, order);
    const label = <usize>load<u16>(tokens + ((<usize>at) << 1));
    let target = first + ((label * M) << 2) + column;
    prepareInputs(head, tokens, at, cipher, outU, outU0, inputs);
    if (step > 0 && !fixedTargets) {
      headLogits(head, tokens, at, cipher, inputs, outU, outU0, scratch);
      responsibilities(scratch, outP + ((label * M) << 2) + column);
      target = scratch;
    }
    addTarget(head, tokens, at, cipher, inputs, target, weight, sumsU);
    addScaled(target, weight, CLASSES, sumsO + ((label * M) << 2) + column);
  }
  solveHead(head, sumsU, sumsO, mass, positions, marginal, scratch, outU, outU0, outP);
}

/** hidden ← softmax(hidden) · likelihood, normalised: the posterior of each class given context and token. */
export function responsibilities(hidden: usize, likelihood: usize): void {
  softmax(hidden, CLASSES);
  for (let c: usize = 0; c < HEAD_BYTES; c += 4) {
    store<f32>(hidden + c, load<f32>(hidden + c) * load<f32>(likelihood + c));
  }
  const sum = sumInLanes(hidden, CLASSES);
  // a likelihood of zero throughout says nothing: all classes alike
  if (sum > 1e-30) scale(<f32>1 / sum, CLASSES, hidden);
  else for (let c: usize = 0; c < HEAD_BYTES; c += 4) store<f32>(hidden + c, <f32>1 / <f32>CLASSES);
}

/** The explicit solution of a head from its sums: u0 = log π, U in log-odds, P = smoothed p(y | class). */
export function solveHead(
  head: i32,
  sumsU: usize,
  sumsO: usize,
  mass: f32,
  positions: usize,
  marginal: usize,
  prior: usize,
  outU: usize,
  outU0: usize,
  outP: usize,
): void {
  const offset = <usize>(head * CLASSES);
  sumsU += tableOf(head);
  sumsO += offset << 2;
  outU += tableOf(head);
  outU0 += offset << 2;
  outP += offset << 2;
  const totals = prior + (CLASSES << 2);
  for (let c: usize = 0; c < HEAD_BYTES; c += 4) store<f32>(totals + c, 0);
  for (let v: usize = 0; v < <usize>V; ++v) addScaled(sumsO + ((v * M) << 2), 1, CLASSES, totals);
  memory.copy(prior, totals, CLASSES << 2);
  for (let c: usize = 0; c < HEAD_BYTES; c += 4) store<f32>(prior + c, load<f32>(prior + c) + 1e-3);
  scale(<f32>1 / sumInLanes(prior, CLASSES), CLASSES, prior);
  for (let c: usize = 0; c < HEAD_BYTES; c += 4) store<f32>(outU0 + c, log(load<f32>(prior + c)));
  const width = <usize>widthOf(head);
  const groups = <usize>positionsOf(head);
  const rows = <usize>rowsOf(head) / groups;
  for (let j: usize = 0; j < groups; ++j) {
    const position = load<f32>(positions + (j << 2));
    for (let i: usize = 0; i < rows; ++i) {
      const row = ((j * rows + i) * width) << 2;
      logOdds(sumsU + row, prior, mass, sumInLanes(sumsU + row, CLASSES) + mass, position, CLASSES, outU + row);
    }
  }
  for (let v: usize = 0; v < <usize>V; ++v) {
    const row = (v * M) << 2;
    const pseudo = mass * load<f32>(marginal + (v << 2));
    for (let c: usize = 0; c < HEAD_BYTES; c += 4) {
      store<f32>(outP + row + c, (load<f32>(sumsO + row + c) + pseudo) / (load<f32>(totals + c) + mass));
    }
  }
}
