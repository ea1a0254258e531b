// Groups, each solved alone by the explicit solution under a mixture of its own units (step 1 of the recipe). Hidden targets are the
// responsibilities of the group's units (EM; Neal & Hinton 1998), or the label cipher of the token that came (2311.11012).
import { exp, log } from "../common/math";
import { mix } from "../common/random";
import { softmax, sumInLanes } from "../common/softmax";
import { addScaled, logOdds, scale } from "../common/vectors";
import { readInputs } from "../layers/forward";
import { addInputs, addToInputs } from "../layers/inputs";
import { layerOf, tableOf, unitOf } from "../layers/list";
import { Network, Place } from "../layers/records";
import {
  columnOf,
  GROUP_BYTES,
  groupsOf,
  INPUTS,
  LAYERS,
  M,
  positionsOf,
  POSITIONS_A_GROUP,
  rowsOf,
  UNITS,
  V,
  widthOf,
} from "../shape";
import { Settings, TILE } from "./layout";
import { shuffledPlaces } from "./places";
import { STRIDE, Work } from "./records";
import { barrier, ownerOf, shareStart } from "./threads";

/** x^power for x > 0, by the module's own exp and log. */
export function power(x: f32, exponent: f32): f32 {
  return exp(exponent * log(x));
}

/** Places that are worked on at a time. */
const PART: i32 = 512;

/**
 * One batch of stepwise EM for groups [first, end), counted through all layers: targets from the present solution, sums averaged at rate
 * (step + 2)^-rate, then the explicit solution of U (log-odds form) and P, in the decoder's place. The first step's targets are a fixed
 * distribution over units of each token, (V, M) f32 where the decoder's expected sums stand; label ciphers stay the targets in every step.
 * A rate of 0 and a batch of all places is a full pass. Sums stand STRIDE behind the weights. Every thread calls it: places are shared,
 * then rows of the sums, then groups.
 *
 * @param step counts from 0
 */
export function groupStep(first: i32, end: i32, step: i32, network: Network, settings: Settings, work: Work): void {
  const n = settings.places;
  const steps = (n + settings.groupBatch - 1) / settings.groupBatch; // a pass
  const from = (step % steps) * settings.groupBatch;
  const count = min<i32>(settings.groupBatch, n - from);
  const order = mix(settings.seed + <u32>(step / steps) * 0x9e3779b9 + <u32>first * 0x85ebca6b);
  const fixed = step == 0 || settings.labelCiphers != 0;
  const eta: f32 = step == 0 ? 1 : power(<f32>(step + 2), -settings.groupRate);
  const own = work.step;
  own.keep = 1 - eta;
  own.weight = (eta * <f32>n) / <f32>count;
  const batch = work.batch;
  for (let part = 0; part < count; part += PART) {
    batch.count = min<i32>(PART, count - part);
    const to = shareStart(batch.count, TILE, work.thread + 1, work.threads);
    const at = shareStart(batch.count, TILE, work.thread, work.threads);
    shuffledPlaces(from + part + at, to - at, n, order, batch.places + (<usize>at << 2));
    targetsOfPlaces(at, to, first, end, fixed, network, work);
    barrier(work.threads);
    own.begins = part == 0;
    addGroupSums(0, first, end, network, work);
    if (LAYERS > 1) addGroupSums(1, first, end, network, work);
    if (LAYERS > 2) addGroupSums(2, first, end, network, work);
    addMixtureSums(first, end, network, work);
    barrier(work.threads);
  }
  for (let group = first + work.thread; group < end; group += work.threads) {
    solveGroup(group, network, settings.groupPseudoCounts, work.rows);
  }
  barrier(work.threads);
}

/** The first group of a layer, counted through all layers; of the layer behind the last, the number of groups. */
// @ts-ignore: decorator
@inline
function firstGroup(layer: i32): i32 {
  return layer == 0 ? 0 : columnOf(layer) / UNITS;
}

/** Targets (count, M) f32 of places [at, to) of the batch in groups [first, end). @param fixed whether they are those of the token alone */
function targetsOfPlaces(at: i32, to: i32, first: i32, end: i32, fixed: bool, network: Network, work: Work): void {
  const batch = work.batch;
  const place = work.place;
  place.tokens = batch.tokens;
  place.cipher = network.cipher;
  const column = <usize>(first * UNITS) << 2;
  const bytes = <usize>((end - first) * UNITS) << 2;
  for (let t = <usize>at; t < <usize>to; ++t) {
    const target = batch.targets + ((t * M) << 2);
    place.moveTo(load<i32>(batch.places + (t << 2)));
    place.inputs = batch.inputs + ((t * INPUTS) << 2);
    const label = <usize>load<u16>(place.tokens + (<usize>place.at << 1));
    readGroups(0, first, end, fixed, place, network, target);
    if (LAYERS > 1) readGroups(1, first, end, fixed, place, network, target);
    if (LAYERS > 2) readGroups(2, first, end, fixed, place, network, target);
    const row = ((label * M) << 2) + column;
    if (fixed) memory.copy(target + column, network.decoder + 2 * STRIDE + row, bytes);
    else {
      for (let group: usize = 0; group < bytes; group += GROUP_BYTES) {
        responsibilities(target + column + group, network.decoder + row + group);
      }
    }
  }
}

/** What a layer reads at a place, and unless targets are fixed the logits of those of its groups that are among [first, end). */
// @ts-ignore: decorator
@inline
function readGroups(layer: i32, first: i32, end: i32, fixed: bool, place: Place, network: Network, outTarget: usize): void {
  const from = max<i32>(first, firstGroup(layer));
  const to = min<i32>(end, firstGroup(layer) + groupsOf(layer));
  if (from >= to) return;
  readInputs(layer, place, network);
  if (fixed) return;
  const column = <usize>(from * UNITS) << 2;
  const columns = <usize>((to - from) * UNITS);
  const table = network.hidden + tableOf(layer) + (<usize>((from - firstGroup(layer)) * UNITS) << 2);
  memory.copy(outTarget + column, network.biases + column, columns << 2);
  for (let j = 0; j < positionsOf(layer); ++j) addInputs(layer, place, j, table, columns, outTarget + column);
}

/** Sums of this thread's share of a layer's rows, in the columns of groups [first, end): F ← keep·F + weight·Σ x ⊗ t. */
// @ts-ignore: decorator
@inline
function addGroupSums(layer: i32, first: i32, end: i32, network: Network, work: Work): void {
  const from = max<i32>(first, firstGroup(layer));
  const to = min<i32>(end, firstGroup(layer) + groupsOf(layer));
  if (from >= to) return;
  const width = <usize>widthOf(layer) << 2;
  const outer = work.outer;
  outer.weight = work.step.weight;
  outer.columns = <usize>((to - from) * UNITS);
  outer.first = shareStart(rowsOf(layer), 1, work.thread, work.threads);
  outer.end = shareStart(rowsOf(layer), 1, work.thread + 1, work.threads);
  outer.sums = network.hidden + STRIDE + tableOf(layer) + (<usize>((from - firstGroup(layer)) * UNITS) << 2);
  if (work.step.begins) {
    for (let row = <usize>outer.first; row < <usize>outer.end; ++row) scale(work.step.keep, outer.columns, outer.sums + row * width);
  }
  const batch = work.batch;
  const place = work.place;
  for (let t: usize = 0; t < <usize>batch.count; ++t) {
    place.moveTo(load<i32>(batch.places + (t << 2)));
    place.inputs = batch.inputs + ((t * INPUTS) << 2);
    outer.values = batch.targets + ((t * M + <usize>(from * UNITS)) << 2);
    addToInputs(layer, place, outer);
  }
}

/** Sums of this thread's own rows of the decoder, likewise: F ← keep·F + weight·Σ y ⊗ t. */
function addMixtureSums(first: i32, end: i32, network: Network, work: Work): void {
  const thread = work.thread;
  const threads = work.threads;
  const step = work.step;
  const column = <usize>(first * UNITS) << 2;
  const columns = <usize>((end - first) * UNITS);
  const sums = network.decoder + STRIDE + column;
  for (let v: u32 = 0; step.begins && v < <u32>V; ++v) {
    if (ownerOf(v, threads) == thread) scale(step.keep, columns, sums + ((<usize>v * M) << 2));
  }
  const batch = work.batch;
  for (let t: usize = 0; t < <usize>batch.count; ++t) {
    const label = <u32>load<u16>(batch.tokens + (<usize>load<u32>(batch.places + (t << 2)) << 1));
    if (ownerOf(label, threads) != thread) continue;
    addScaled(batch.targets + ((t * M) << 2) + column, step.weight, columns, sums + ((<usize>label * M) << 2));
  }
}

/** hidden ← softmax(hidden) · likelihood, normalised: the posterior of each unit given context and token. */
export function responsibilities(hidden: usize, likelihood: usize): void {
  softmax(hidden, UNITS);
  if (ASC_FEATURE_SIMD) {
    for (let c: usize = 0; c < GROUP_BYTES; c += 16) {
      v128.store(hidden + c, f32x4.mul(v128.load(hidden + c), v128.load(likelihood + c)));
    }
  } else {
    for (let c: usize = 0; c < GROUP_BYTES; c += 4) {
      store<f32>(hidden + c, load<f32>(hidden + c) * load<f32>(likelihood + c));
    }
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
