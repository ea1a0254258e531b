// A network with random weights where the solver's memory has its own, and a text: what specs of layers and solver begin with.
import { W0_AT, W_AT } from "../layers/list";
import { Place } from "../layers/records";
import { ATTENDED, CIPHERED, GROUPS, HIDDEN_CELLS, M, POSITIONS_A_GROUP, V, WINDOW } from "../shape";
import { CIPHER, MARGINAL, O, O0, POSITIONS, PREDICTED, TILE, TOKENS, U, U0 } from "../solver/layout";
import { network, placeRecords, STRIDE, Work, workOf } from "../solver/records";
import { forwardTile, tileOf } from "../solver/tiles";
import { Dense, denseOf } from "./dense";
import { fill, fillCipher, fillDistribution, fillTokens, get, id, put } from "./support";

/** Tokens of the text. */
export const N: i32 = 120;
/** Places of a batch: a full tile and a part of one. */
export const COUNT: i32 = 90;
export const TILES: i32 = 2;
export const ROWS: i32 = TILES * TILE;

/** Ciphers, a text, and weights of all layers and of the decoder. */
export function writeModel(): void {
  placeRecords();
  if (CIPHERED != 0) fillCipher(CIPHER, V);
  fillTokens(TOKENS, N, V);
  fill(U, HIDDEN_CELLS, -2, 2);
  if (ATTENDED != 0) {
    fill(U + W_AT, WINDOW * WINDOW, -2, 2);
    fill(U + W0_AT, WINDOW, -1, 0);
  }
  fill(U0, M, -2, 0);
  fill(O, V * M, -2, 2);
  fill(O0, V, -4, 0);
  fillDistribution(MARGINAL, V);
  for (let group = 0; group < GROUPS; ++group) {
    // groups differ, and weights fall with the distance
    for (let j = 0; j < POSITIONS_A_GROUP; ++j) put(POSITIONS, group * POSITIONS_A_GROUP + j, <f64>(j + 1 + group) / <f64>(3 * j + 1));
  }
}

/** The model that was written, in f64. */
export function dense(): Dense {
  return denseOf(network, TOKENS);
}

/** The scratch of thread 0 of one, its place in the text. */
export function workAtText(): Work {
  return workOfText(0, 1);
}

export function workOfText(thread: i32, threads: i32): Work {
  const work = workOf(thread, threads);
  placeAt(work, 0);
  return work;
}

/** The thread's place, at a place of the text. */
export function placeAt(work: Work, at: i32): Place {
  const place = work.place;
  place.tokens = TOKENS;
  place.cipher = network.cipher;
  place.inputs = work.inputs;
  place.moveTo(at);
  return place;
}

/** Weights, sums of what was observed, sums of what was expected, second moments: bytes of all four. */
export const WEIGHTS_BYTES: usize = 4 * STRIDE;

/** The tokens that come at the places of a batch, which are all different and in no order: 37 and 120 have no common factor. */
export function placeOf(t: i32): i32 {
  return (t * 37 + 5) % N;
}

export function labelOf(t: i32): i32 {
  return id(TOKENS, placeOf(t));
}

/** The places of a batch of COUNT, in whole tiles. */
export function writeBatch(work: Work): void {
  const batch = work.batch;
  batch.count = COUNT;
  batch.tiles = TILES;
  for (let t: usize = 0; t < <usize>ROWS; ++t) store<i32>(batch.places + (t << 2), placeOf(<i32>t));
}

/** Probability of v at place t of the batch, laid out (tile, V, TILE). */
export function predictedAt(t: i32, v: i32): f64 {
  return get(PREDICTED, ((t / TILE) * V + v) * TILE + (t % TILE));
}

/** Hidden states and predictions of the batch, with large numbers in the scratch. */
export function forwardBatch(work: Work): void {
  memory.fill(work.transposed, 0x7f, M * TILE * 4);
  memory.fill(work.lanes, 0x7f, 2 * TILE * 4);
  for (let i = 0; i < TILES; ++i) forwardTile(tileOf(work.batch, i, work), network, work);
}
