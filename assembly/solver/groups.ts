// Groups, each solved alone by the explicit solution under a mixture of its own units (step 1 of the recipe). Hidden targets are the
// responsibilities of the group's units (EM; Neal & Hinton 1998), or the label cipher of the token that came (2311.11012).
import { exp, log } from "../common/math";
import { mix, permuted } from "../common/random";
import { softmax, sumInLanes } from "../common/softmax";
import { addScaled, logOdds, scale } from "../common/vectors";
import { readInputs } from "../layers/forward";
import { addInputs, addToInputs } from "../layers/inputs";
import { layerOf, tableOf, unitOf } from "../layers/list";
import { Network } from "../layers/records";
import { GROUP_BYTES, M, positionsOf, POSITIONS_A_GROUP, rowsOf, UNITS, V, widthOf } from "../shape";
import { Settings } from "./layout";
import { STRIDE, Work } from "./records";

/** x^power for x > 0, by the module's own exp and log. */
export function power(x: f32, exponent: f32): f32 {
  return exp(exponent * log(x));
}

/**
 * One batch of stepwise EM for one group: targets from the present solution, sums averaged at rate (step + 2)^-rate, then the explicit
 * solution of U (log-odds form) and P, in the decoder's place. The first step's targets are a fixed distribution over units of each token,
 * (V, M) f32 where the decoder's expected sums stand; label ciphers stay the targets in every step. A rate of 0 and a batch of all places
 * is a full pass. Sums stand STRIDE behind the weights.
 *
 * @param group counted through all layers; @param step counts from 0
 */
export function groupStep(group: i32, step: i32, network: Network, settings: Settings, work: Work): void {
  const n = settings.places;
  const layer = layerOf(group);
  const column = <usize>(group * UNITS) << 2;
  const sumsU = network.hidden + STRIDE;
  const sumsO = network.decoder + STRIDE;
  const first = network.decoder + 2 * STRIDE;
  const steps = (n + settings.groupBatch - 1) / settings.groupBatch; // a pass
  const pass = step / steps;
  const from = (step % steps) * settings.groupBatch;
  const count = min<i32>(settings.groupBatch, n - from);
  const eta: f32 = step == 0 ? 1 : power(<f32>(step + 2), -settings.groupRate);
  const weight: f32 = (eta * <f32>n) / <f32>count;
  const keep: f32 = 1 - eta;
  const table = tableOf(layer) + (<usize>unitOf(group) << 2);
  const row = <usize>widthOf(layer) << 2;
  for (let i: usize = 0; i < <usize>rowsOf(layer); ++i) scale(keep, UNITS, sumsU + table + i * row);
  for (let v: usize = 0; v < <usize>V; ++v) scale(keep, UNITS, sumsO + ((v * M) << 2) + column);

  const place = work.place;
  place.cipher = network.cipher;
  place.inputs = work.inputs;
  const outer = work.outer;
  outer.weight = weight;
  outer.columns = UNITS;
  outer.first = 0;
  outer.end = rowsOf(layer);
  outer.sums = sumsU + table;
  const logits = work.rows;
  const positions = positionsOf(layer);
  const order = mix(settings.seed + <u32>pass * 0x9e3779b9 + <u32>group * 0x85ebca6b);
  for (let i = from; i < from + count; ++i) {
    place.at = <i32>permuted(i, n, order);
    const label = <usize>load<u16>(place.tokens + (<usize>place.at << 1));
    let target = first + ((label * M) << 2) + column;
    readInputs(layer, place, network);
    if (step > 0 && settings.labelCiphers == 0) {
      memory.copy(logits, network.biases + column, GROUP_BYTES);
      for (let j = 0; j < positions; ++j) addInputs(layer, place, j, network.hidden + table, UNITS, logits);
      responsibilities(logits, network.decoder + ((label * M) << 2) + column);
      target = logits;
    }
    outer.values = target;
    addToInputs(layer, place, outer);
    addScaled(target, weight, UNITS, sumsO + ((label * M) << 2) + column);
  }
  solveGroup(group, network, settings.groupPseudoCounts, work.rows);
}

/** hidden ← softmax(hidden) · likelihood, normalised: the posterior of each unit given context and token. */
export function responsibilities(hidden: usize, likelihood: usize): void {
  softmax(hidden, UNITS);
  for (let c: usize = 0; c < GROUP_BYTES; c += 4) {
    store<f32>(hidden + c, load<f32>(hidden + c) * load<f32>(likelihood + c));
  }
  const sum = sumInLanes(hidden, UNITS);
  // a likelihood of zero throughout says nothing: all units alike
  if (sum > 1e-30) scale(<f32>1 / sum, UNITS, hidden);
  else for (let c: usize = 0; c < GROUP_BYTES; c += 4) store<f32>(hidden + c, <f32>1 / <f32>UNITS);
}

/**
 * The explicit solution of a group from its sums: u0 = log π, U in log-odds, P = smoothed p(y | unit).
 *
 * @param scratch (2 m) f32
 */
export function solveGroup(group: i32, network: Network, pseudoCounts: f32, scratch: usize): void {
  const layer = layerOf(group);
  const column = <usize>(group * UNITS) << 2;
  const table = network.hidden + tableOf(layer) + (<usize>unitOf(group) << 2);
  const outU0 = network.biases + column;
  const outP = network.decoder + column;
  const sumsO = outP + STRIDE;
  const positions = network.positions + (<usize>(group * POSITIONS_A_GROUP) << 2);
  const prior = scratch;
  const totals = prior + GROUP_BYTES;
  for (let c: usize = 0; c < GROUP_BYTES; c += 4) store<f32>(totals + c, 0);
  for (let v: usize = 0; v < <usize>V; ++v) addScaled(sumsO + ((v * M) << 2), 1, UNITS, totals);
  memory.copy(prior, totals, GROUP_BYTES);
  for (let c: usize = 0; c < GROUP_BYTES; c += 4) store<f32>(prior + c, load<f32>(prior + c) + 1e-3);
  scale(<f32>1 / sumInLanes(prior, UNITS), UNITS, prior);
  for (let c: usize = 0; c < GROUP_BYTES; c += 4) store<f32>(outU0 + c, log(load<f32>(prior + c)));
  const width = <usize>widthOf(layer);
  const rows = <usize>(rowsOf(layer) / positionsOf(layer));
  for (let j: usize = 0; j < <usize>positionsOf(layer); ++j) {
    const position = load<f32>(positions + (j << 2));
    for (let i: usize = 0; i < rows; ++i) {
      const row = table + (((j * rows + i) * width) << 2);
      logOdds(row + STRIDE, prior, pseudoCounts, position, UNITS, row);
    }
  }
  for (let v: usize = 0; v < <usize>V; ++v) {
    const row = (v * M) << 2;
    const pseudo = pseudoCounts * load<f32>(network.marginal + (v << 2));
    for (let c: usize = 0; c < GROUP_BYTES; c += 4) {
      store<f32>(outP + row + c, (load<f32>(sumsO + row + c) + pseudo) / (load<f32>(totals + c) + pseudoCounts));
    }
  }
}
