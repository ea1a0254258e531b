// The solver module: fits one model of one shape without a gradient, and tunes it by back-propagation. The host writes tokens at TOKENS
// and settings at SETTINGS, calls `open`, then runs the steps of each phase in calls of bounded work. With shared memory, every thread
// makes the same calls with its own number; what thread 0 does alone, only it is called for.
import { log } from "../common/math";
import { quantiseRow } from "../common/quantise";
import { nextUniform, seedGenerator } from "../common/random";
import { softmax } from "../common/softmax";
import { addScaled, scale } from "../common/vectors";
import { Candidates } from "../history/candidates";
import { findMatches } from "../history/find";
import { clearHistory, History, pushToken } from "../history/history";
import { countDistinct, Matches } from "../history/matches";
import { forward } from "../layers/forward";
import { W0_AT, W_AT } from "../layers/list";
import {
  ATTENDED,
  CIPHERED,
  CODED,
  groupsOf,
  HIDDEN_WEIGHTS,
  HISTORY,
  M,
  MATCH_LENGTH,
  PARTS,
  POSITIONS_A_GROUP,
  REMEMBERS,
  UNITS,
  V,
  WINDOW,
  ROWS_0,
} from "../shape";
import { addAttentionTargets, attendedWeight, countPairs, Pairs, solveAttention, totalPairs } from "./attention";
import { assignCipher, labelCiphers, rankTokens } from "./ciphers";
import { groupFollowers } from "./candidates";
import { decodeHidden, encodeHidden } from "./codes";
import { explicitDecoder } from "./explicit";
import { likelihoodsOfTile } from "./gradient";
import { groupStep, solveGroup } from "./groups";
import { solveInputWeight } from "./input-weight";
import {
  ATTENTION_SUMS,
  CIPHER,
  HISTORY_RECORD,
  MATCHES_RECORD,
  LIKELIHOOD,
  MARGINAL,
  MATCH_SUMS,
  MIXTURE,
  MIXTURE_BUCKETS,
  MIXTURE_LIKELIHOODS,
  MIXTURE_SUMS,
  O,
  O_FIXED,
  O_INT8,
  O_SCALE,
  O0,
  PAIR_COUNTS,
  PAIR_TOTALS,
  POSITIONS,
  PREDICTED,
  RECORDS,
  ROUNDED,
  SECOND,
  SECOND_O,
  THIRD,
  THIRD_O,
  TILE,
  TOKENS,
  U,
} from "./layout";
import { mixtureInputs, solveMixture } from "./mixture";
import { consecutivePlaces } from "./places";
import { network, placeRecords, readNetwork, settings, Work, workOf } from "./records";
import { roundAll, roundAsStored } from "./rounding";
import { scalingStep, takeAverages as takeMeans } from "./scaling-step";
import { shareStart } from "./threads";
import { forwardTile, tileOf } from "./tiles";
import * as tune from "./tune";

/** Where the memory that the host does not size begins, to be held against its own table. */
export { TOKENS } from "./layout";

const pairs: Pairs = changetype<Pairs>(RECORDS + 128);
const history: History = changetype<History>(HISTORY_RECORD);
const matches: Matches = changetype<Matches>(MATCHES_RECORD);

/** Puts addresses into the shared records, and has steps of tuning read what settings say. The first call, and again after new settings. */
export function open(): void {
  placeRecords();
  if (CODED != 0 && settings.rounds != 0) readNetwork.hidden = ROUNDED;
  pairs.counts = PAIR_COUNTS;
  pairs.totals = PAIR_TOTALS;
  pairs.marginal = MARGINAL;
  pairs.pseudoCounts = settings.groupPseudoCounts;
}

/** The thread's scratch, its place in the text at hand. */
function workAt(thread: i32, threads: i32): Work {
  const work = workOf(thread, threads);
  const place = work.place;
  place.tokens = TOKENS;
  place.cipher = CIPHER;
  place.inputs = work.inputs;
  place.boundary = settings.boundary;
  return work;
}

/** Token marginal π = (count + 1) / (n + V) of the training places, o0 = log π, and the input cipher. */
export function count(): void {
  const places = settings.places;
  for (let v: usize = 0; v < <usize>V; ++v) store<f32>(MARGINAL + (v << 2), 1);
  for (let i: usize = 0; i < <usize>places; ++i) {
    const at = MARGINAL + (<usize>load<u16>(TOKENS + (i << 1)) << 2);
    store<f32>(at, load<f32>(at) + 1); // exact up to 2^24 of one token
  }
  scale(<f32>1 / <f32>(places + V), V, MARGINAL);
  for (let v: usize = 0; v < <usize>V << 2; v += 4) store<f32>(O0 + v, log(load<f32>(MARGINAL + v)));
  rankTokens(MARGINAL, PREDICTED);
  if (CIPHERED != 0) assignCipher(PREDICTED, workOf(0, 1).rows, CIPHER);
}

/**
 * First targets of the groups, (V, M) f32: softmax of twice a normal deviate a unit, by the sum of four uniforms (variance 1/3, so the
 * factor is 2·√3); or label ciphers, by the ranks that `count` has left.
 */
export function initialiseGroups(): void {
  memory.fill(SECOND, 0, HIDDEN_WEIGHTS * 4);
  memory.fill(SECOND_O, 0, V * M * 4);
  const scratch = workOf(0, 1).rows;
  if (settings.labelCiphers != 0) {
    labelCiphers(PREDICTED, settings.seed, scratch, THIRD_O);
    return;
  }
  seedGenerator(scratch, settings.seed);
  for (let i: usize = 0; i < <usize>(V * M); i += <usize>UNITS) {
    for (let c: usize = 0; c < <usize>UNITS; ++c) {
      const deviate = nextUniform(scratch) + nextUniform(scratch) + nextUniform(scratch) + nextUniform(scratch) - 2;
      store<f32>(THIRD_O + ((i + c) << 2), deviate * 3.4641016);
    }
    softmax(THIRD_O + (i << 2), UNITS);
  }
}

/** Steps [from, to) of groups [first, end). Those of a layer of states want the first's solution. */
export function groupSteps(thread: i32, threads: i32, first: i32, end: i32, from: i32, to: i32): void {
  const work = workAt(thread, threads);
  for (let step = from; step < to; ++step) groupStep(first, end, step, network, settings, work);
}

/** The weight of the inputs of those of groups [first, end) that are this thread's, over places [from, to), then U at the new weight. */
export function weighInputs(thread: i32, threads: i32, first: i32, end: i32, from: i32, to: i32): void {
  const work = workAt(thread, threads);
  for (let group = first + thread; group < end; group += threads) {
    solveInputWeight(group, from, to, network, work);
    solveGroup(group, network, settings.groupPseudoCounts, work.rows);
  }
}

/**
 * Attention over positions, places [from, to) of one of its two passes: pairs are counted (0), then targets are added up (1); the last
 * call of the second solves W and w0, and sets the weights of the window's positions.
 */
export function attentionSteps(pass: i32, from: i32, to: i32): void {
  if (ATTENDED == 0) return;
  const work = workAt(0, 1);
  if (pass == 0) {
    if (from == 0) memory.fill(PAIR_COUNTS, 0, (ROWS_0 * V) << 2);
    countPairs(work.place, from, to, pairs);
    if (to == settings.places) totalPairs(pairs);
    return;
  }
  if (from == 0) memory.fill(ATTENTION_SUMS, 0, (WINDOW * WINDOW + WINDOW) << 3);
  addAttentionTargets(work.place, from, to, pairs, work.rows, ATTENTION_SUMS);
  if (to < settings.places) return;
  solveAttention(ATTENTION_SUMS, <f64>settings.groupPseudoCounts, U + W_AT, U + W0_AT);
  const weight = attendedWeight(U + W0_AT);
  for (let i: usize = 0; i < <usize>(groupsOf(0) * POSITIONS_A_GROUP); ++i) store<f32>(POSITIONS + (i << 2), weight);
}

/** Clears sums and decoder before iterative scaling, and groups tokens by the one before them where predictions are estimated. */
export function initialiseScaling(): void {
  if (settings.sampled != 0) groupFollowers();
  memory.fill(SECOND, 0, HIDDEN_WEIGHTS * 4);
  memory.fill(THIRD, 0, HIDDEN_WEIGHTS * 4);
  memory.fill(SECOND_O, 0, V * M * 4);
  memory.fill(THIRD_O, 0, V * M * 4);
  memory.fill(O, 0, V * M * 4);
  memory.fill(O_FIXED, 0, V * M * 2);
}

/** Steps [from, to) of iterative scaling. */
export function scalingSteps(thread: i32, threads: i32, from: i32, to: i32): void {
  const work = workAt(thread, threads);
  for (let step = from; step < to; ++step) scalingStep(step, work);
}

/** The weights ← their means over the last steps of a phase. */
export function takeAverages(): void {
  takeMeans(workOf(0, 1));
}

/** The explicit decoder of the plain published form: F = Σ h ⊗ y over places [from, to) is added to; the last call solves. */
export function explicitSteps(from: i32, to: i32): void {
  const work = workAt(0, 1);
  const place = work.place;
  const hidden = work.rows;
  if (from == 0) memory.fill(SECOND_O, 0, V * M * 4);
  for (let at = from; at < to; ++at) {
    place.moveTo(at);
    forward(place, network, hidden);
    const label = <usize>load<u16>(TOKENS + (<usize>at << 1));
    addScaled(hidden, 1, M, SECOND_O + ((label * M) << 2));
  }
  if (to == settings.places) explicitDecoder(SECOND_O, MARGINAL, settings.groupPseudoCounts, hidden, O);
}

/** LIKELIHOOD[i] ← p(token at from + i) under the f32 network as steps of tuning read it, for i < places ≤ BATCH. */
export function evaluate(from: i32, places: i32): void {
  const work = workAt(0, 1);
  const batch = work.batch;
  batch.count = places;
  batch.tiles = (places + TILE - 1) / TILE;
  for (let i = 0; i < batch.tiles; ++i) {
    const tile = tileOf(batch, i, work);
    consecutivePlaces(from + i * TILE, tile.count, tile.places);
    forwardTile(tile, readNetwork, work);
    likelihoodsOfTile(tile, LIKELIHOOD + (<usize>(i * TILE) << 2));
  }
}

/** PREDICTED ← ŷ of the network at the `count` ≤ BATCH places that the host has written to PLACES, tile by tile. Every thread calls it. */
export function predictPlaces(thread: i32, threads: i32, count: i32): void {
  const work = workAt(thread, threads);
  const batch = work.batch;
  batch.count = count;
  batch.tiles = (count + TILE - 1) / TILE;
  const end = shareStart(batch.tiles, 1, thread + 1, threads);
  for (let i = shareStart(batch.tiles, 1, thread, threads); i < end; ++i) forwardTile(tileOf(batch, i, work), readNetwork, work);
}

/**
 * The mixture's inputs for the places whose likelihoods `evaluate(from, places)` has just written; `index` is how many came before. The
 * history starts from those of the R tokens before the first place that are of its piece, and each further piece from the boundary before it alone.
 */
export function mixturePlaces(from: i32, places: i32, index: i32): void {
  if (REMEMBERS == 0) return;
  if (index == 0) {
    clearHistory(history);
    let first = from;
    while (first > max<i32>(0, from - HISTORY)) if (endsPiece(load<u16>(TOKENS + (<usize>--first << 1)))) break;
    history.newest = <u32>(first - 1) & (HISTORY - 1); // places stand at their number modulo R
    for (let at = first; at < from; ++at) pushToken(history, load<u16>(TOKENS + (<usize>at << 1)));
  }
  for (let i = 0; i < places; ++i) {
    findMatches(history, matches, changetype<Candidates>(0)); // a solver looks for no long ones
    countDistinct(matches);
    const token = <u32>load<u16>(TOKENS + (<usize>(from + i) << 1));
    const network = load<f32>(LIKELIHOOD + (<usize>i << 2));
    const to = <usize>(index + i);
    const likelihoods = MIXTURE_LIKELIHOODS + to * PARTS * 4;
    mixtureInputs(matches, token, network, MATCH_SUMS, likelihoods, MIXTURE_BUCKETS + to * MATCH_LENGTH);
    if (endsPiece(token)) clearHistory(history);
    pushToken(history, token);
  }
}

// @ts-ignore: decorator
@inline
function endsPiece(token: u32): bool {
  return token + 1 == settings.boundary;
}

/** Solves the mixture over the first `places` inputs. */
export function mixtureSolve(places: i32, sweeps: i32): void {
  if (REMEMBERS != 0) solveMixture(MIXTURE_LIKELIHOODS, MIXTURE_BUCKETS, places, sweeps, MIXTURE_SUMS, MIXTURE);
}

/** U becomes what its codes of four bits say, so that what is solved after it makes up for what they lose. */
export function roundHidden(): void {
  encodeHidden(U, workOf(0, 1));
  decodeHidden(U);
}

/** The hidden layers as they are stored, from U. */
export function storeHidden(): void {
  encodeHidden(U, workOf(0, 1));
}

/** The decoder as it is stored, in int8 with a scale a row. */
export function storeDecoder(): void {
  for (let v: usize = 0; v < <usize>V; ++v) {
    store<f32>(O_SCALE + (v << 2), quantiseRow(O + ((v * M) << 2), M, O_INT8 + v * M));
  }
}

// Tuning.

/** Moments and loss ← 0, weights to be read as they are. */
export function begin(): void {
  tune.begin();
}

/** Weights of a cold start. */
export function initialise(seed: u32, xavier: bool): void {
  tune.initialise(seed, xavier, workOf(0, 1));
}

/** Steps [from, to). */
export function tuneSteps(thread: i32, threads: i32, from: i32, to: i32): void {
  const work = workAt(thread, threads);
  for (let step = from; step < to; ++step) tune.tuneStep(step, work);
}

/** Levels and scales for the steps that come, and the rounding of all rows. Every thread calls it. */
export function startRounding(thread: i32, threads: i32): void {
  if (readNetwork.hidden != U) roundAll(workOf(thread, threads));
}

/** Codes and what they say of the hidden layers, as the model is stored; the steps read that. */
export function roundRead(): void {
  if (readNetwork.hidden != U) roundAsStored(workOf(0, 1));
}

/** Adds the likelihoods of `evaluate` to the loss. */
export function addLoss(count: i32): void {
  tune.addLoss(count);
}
