// The device module: one model of one shape. The host writes weights at the exported addresses, calls reset, then feeds tokens.
// No imports, no start function, no growth; every call is bounded by the shape.
import { adapt, attend, countDistinct, resetGate } from "./attention";
import { clearRing, pushToken } from "./chains";
import { findMatches, recallMatches } from "./comparisons";
import { hiddenStates, nextDocument } from "./contexts";
import { correctRow } from "./correction";
import { decode, decodeStored, quantiseHidden } from "./decoder";
import { fetch, forgiveReads, readFailed } from "./flash";
import { countToken, rescale, rescaled, resetMarginals } from "./marginals";
import { weighByStack } from "./matches";
import { log } from "./math";
import {
  BLOCK_U_LEVELS,
  BLOCK_U0,
  BLOCK_W,
  BLOCK_W0,
  CHAINS,
  CONTEXT,
  CORRECTED_O,
  CORRECTED_O_SCALE,
  DECODER_O,
  DECODER_O_SCALE,
  DECODER_O0,
  DISTINCT,
  DOCUMENT,
  DOCUMENT_U_LEVELS,
  EXPECTED,
  GATE,
  GATE_STATE,
  GENERATOR,
  HIDDEN,
  HIDDEN_FIXED,
  MARGINALS,
  MATCHES,
  MIXED,
  NEXT_DOCUMENT,
  OBSERVED,
  OBSERVED_TOKENS,
  PROBABILITIES,
  RECALLED,
  RECALLED_LENGTH,
  RESIDENT_LEVELS,
  RESIDENT_O0,
  RESIDENT_U0,
  RESIDENT_W,
  RESIDENT_W0,
  RING,
  SAMPLE_ROWS,
  SAMPLE_WEIGHTS,
  SEEN,
  STACK,
  STACKED_U_LEVELS,
  TILE,
  TILE_SCALES,
  TOTALS,
  UNIGRAMS,
  WEIGHTS,
} from "./memory";
import { seedGenerator } from "./random";
import { draw } from "./sampling";
import {
  ATTENDED,
  BLOCK,
  BUCKETS,
  CONTEXT_TOKENS,
  DECODER,
  DOCUMENT_HEADS,
  DOCUMENT_M,
  FLASH,
  LEARNING,
  M,
  ORDERS,
  RADIAL,
  RECALL,
  RESCALED,
  STACKED_HEADS,
  V,
  WEIGHT_BITS,
} from "./shape";
import { addToken, mergeSums, sampleRows, weigh } from "./statistics";
import { adaptUnigrams, countUnigram, mixUnigrams, resetUnigrams } from "./unigrams";

export {
  BLOCK_U,
  BLOCK_U_LEVELS,
  BLOCK_U_SCALE,
  BLOCK_U0,
  CIPHER,
  CORRECTED_O,
  CORRECTED_O_SCALE,
  DECODER_O,
  DECODER_O_SCALE,
  DECODER_O0,
  END,
  EXPECTED,
  GATE,
  OBSERVED,
  OBSERVED_TOKENS,
  PREDICTOR_END,
  PROBABILITIES,
  RECALLED,
  RECALLED_LENGTH,
  RING,
} from "./memory";
export { END as __data_end, END as __heap_base } from "./memory";
export { RECALL } from "./shape";

const LOG2E: f32 = 1.44269504088896341;
/** Surprisal is capped where a probability is no longer a normal number, at about 126 bits. */
const LEAST: f32 = 1.1754944e-38;
/** Bounds of a refit's options: within them every logarithm and every code of a row is finite. */
const LEAST_MASS: f32 = 9.5367431640625e-7; // 2^-20
const MOST_MASS: f32 = 1e9;
const MOST_STEP: f32 = 4;

// what the functions answer in place of a result; then nothing has changed, unless they say what has
const OUT_OF_RANGE = -1;
const FULL = -2;
const NOT_OBSERVED = -3;
const NOT_COMPILED = -4;
const READ_FAILED = -5;
const NOT_READY = -6;

let ready: bool = false; // whether reset was called
let newest: u32 = 0; // place in the ring of the latest token
let place: u32 = 0; // tokens since the context was empty
let predicted: bool = false; // whether PROBABILITIES belongs to the present context
let found: i32 = 0; // matches that the last prediction was made with
let rest: f32 = 1; // what the orders left of what is below them
let scale: f32 = 1; // what brought the rescaled stack to unit sum
let kept: f32 = 1; // and what unigrams left of those
let counted: u32 = 0; // tokens in the marginals
let corrected: bool = false; // whether predictions are made with the correction's rows

/**
 * Empties the context: block, ring, unigrams and document; the gate and the marginals are the model's again. The generator keeps its place, statistics and correction stay. The first call of all, and in
 * the flash form the one that fetches what is small.
 *
 * @returns 0, or -5 where a read failed: the module is not ready then
 */
export function reset(): i32 {
  if (FLASH > 0) {
    ready = false;
    forgiveReads();
    if (WEIGHT_BITS == 4) {
      fetch(BLOCK_U_LEVELS, 16, RESIDENT_LEVELS);
      if (DOCUMENT_HEADS > 0) fetch(DOCUMENT_U_LEVELS, 16, RESIDENT_LEVELS + 16);
      if (STACKED_HEADS > 0) fetch(STACKED_U_LEVELS, 16, RESIDENT_LEVELS + (DOCUMENT_HEADS > 0 ? 32 : 16));
    }
    if (ATTENDED) {
      fetch(BLOCK_W, BLOCK * BLOCK * 4, RESIDENT_W);
      fetch(BLOCK_W0, BLOCK * 4, RESIDENT_W0);
    }
    fetch(BLOCK_U0, M * 4, RESIDENT_U0);
    fetch(DECODER_O0, V * 4, RESIDENT_O0);
    if (RADIAL > 0) fetch(GATE, ORDERS * BUCKETS * 4, GATE_STATE);
    if (readFailed()) return READ_FAILED;
  }
  if (RADIAL > 0) {
    clearRing(RING, CHAINS);
    resetGate(FLASH > 0 ? GATE_STATE : GATE, GATE_STATE);
  }
  if (RESCALED) {
    resetMarginals(MARGINALS);
    counted = 0;
    kept = 1;
    resetUnigrams(UNIGRAMS);
  }
  newest = RADIAL - 1;
  memory.fill(CONTEXT, 0xff, CONTEXT_TOKENS * 2);
  if (DOCUMENT_HEADS > 0) memory.fill(DOCUMENT, 0, DOCUMENT_M * 4);
  place = 0;
  predicted = false;
  ready = true;
  return 0;
}

/**
 * Fills PROBABILITIES, (V) f32 of unit sum, for the token that comes next.
 *
 * @returns 0; -5 where a read failed, -6 before reset
 */
export function predict(): i32 {
  if (!ready) return NOT_READY; // first: what stands from before a reset that failed is no prediction any more
  if (predicted) return 0;
  if (!predictStack(corrected)) return READ_FAILED;
  attendTo(true);
  predicted = true;
  return 0;
}

/** PROBABILITIES ← the stack alone, of the base or with its correction. False where a read failed. */
function predictStack(withCorrection: bool): bool {
  forgiveReads();
  const o0 = FLASH > 0 ? RESIDENT_O0 : DECODER_O0;
  if (!hiddenStates()) return false;
  quantiseHidden(HIDDEN, HIDDEN_FIXED);
  if (LEARNING > 0 && withCorrection) decode(HIDDEN_FIXED, CORRECTED_O, CORRECTED_O_SCALE, o0, PROBABILITIES);
  else if (FLASH > 0) return decodeStored(HIDDEN_FIXED, DECODER_O, DECODER_O_SCALE, o0, PROBABILITIES);
  else decode(HIDDEN_FIXED, DECODER_O, DECODER_O_SCALE, o0, PROBABILITIES);
  return true;
}

/** PROBABILITIES, the stack's ← what the text says beside it: rescaled by its marginals, mixed with what came of late, then with what followed earlier. */
function attendTo(recall: bool): void {
  if (RADIAL == 0) return;
  if (RESCALED) {
    memory.copy(STACK, PROBABILITIES, V * 4);
    scale = rescale(MARGINALS, PROBABILITIES);
    kept = place > 0 ? mixUnigrams(UNIGRAMS, PROBABILITIES, WEIGHTS) : 1;
  }
  rest = 1;
  found = findMatches(RING, CHAINS, newest, MATCHES, TOTALS);
  if (RECALL > 0 && recall) {
    const length = <i32>min<u32>(RECALL, load<u32>(RECALLED_LENGTH));
    found = recallMatches(RECALLED, length, RING, newest, place, found, MATCHES, TOTALS);
  }
  if (found == 0) return;
  if (RESCALED) weighByStack(MATCHES, found, PROBABILITIES);
  countDistinct(MATCHES, found, SEEN, DISTINCT);
  rest = attend(MATCHES, found, TOTALS, DISTINCT, GATE_STATE, MIXED, PROBABILITIES);
}

/**
 * Appends a token to the context without predicting it: gate and marginals stay as they are. 0; -1 where token ≥ V, -5 where a read failed (of the document's rows), -6 before reset.
 */
export function append(token: u32): i32 {
  if (token >= <u32>V) return OUT_OF_RANGE;
  if (!ready) return NOT_READY;
  if (!foresee(token)) return READ_FAILED;
  extend(token);
  return 0;
}

/** Reads what `extend` will need of `token`. False where a read failed: then the context cannot be extended by it, and has not changed. */
// @ts-ignore: decorator
@inline
function foresee(token: u32): bool {
  if (DOCUMENT_HEADS == 0) return true;
  forgiveReads();
  nextDocument(token);
  return !readFailed();
}

/** The context with one more token, which was foreseen. */
function extend(token: u32): void {
  if (DOCUMENT_HEADS > 0) memory.copy(DOCUMENT, NEXT_DOCUMENT, DOCUMENT_M * 4);
  for (let j: usize = CONTEXT_TOKENS - 1; j > 0; --j) store<u16>(CONTEXT + (j << 1), load<u16>(CONTEXT + (j << 1) - 2));
  store<u16>(CONTEXT, <u16>token);
  if (RADIAL > 0) newest = pushToken(RING, CHAINS, newest, token);
  if (RESCALED) countUnigram(UNIGRAMS, token);
  ++place;
  predicted = false;
}

/** Surprisal of `token` in bits, −log2 p(token | context); then gate and marginals follow it, and it is appended. -1 where token ≥ V; -5, -6 as predict. */
export function feed(token: u32): f32 {
  if (token >= <u32>V) return <f32>OUT_OF_RANGE;
  const error = predict();
  if (error < 0) return <f32>error;
  if (!foresee(token)) {
    predicted = false; // a second try reads again what the first has read
    return <f32>READ_FAILED;
  }
  const p = load<f32>(PROBABILITIES + (token << 2));
  const stack: f32 = RESCALED ? rescaled(MARGINALS, STACK, token, scale) : 0;
  adaptTo(token, p, stack, explained(stack, p));
  extend(token);
  return surprisalOf(p);
}

/** What follows the text does so by `token`, which was predicted with p, the stack with `stack`, which explains the share `share` of it. */
function adaptTo(token: u32, p: f32, stack: f32, share: f32): void {
  if (RADIAL == 0) return;
  if (RESCALED) {
    if (place > 0 && p > 0) adaptUnigrams(UNIGRAMS, token, stack, share, rest / p);
    counted = countToken(token, share, STACK, counted, MARGINALS);
  }
  if (found > 0) adapt(MATCHES, found, token, p, GATE_STATE, MIXED);
}

/** The stack's responsibility for a token that it gave `stack`, and the mixture p. */
// @ts-ignore: decorator
@inline
function explained(stack: f32, p: f32): f32 {
  return p > 0 ? min<f32>(1, (rest * kept * stack) / p) : 0;
}

function surprisalOf(p: f32): f32 {
  return max<f32>(0, -log(max<f32>(LEAST, p)) * LOG2E);
}

/** Seeds the generator of `sample`. */
export function seed(value: u32): void {
  seedGenerator(GENERATOR, value);
}

/** Draws the next token (see draw); the context stays as it is. -1 where an option is out of range; -5, -6 as predict. */
export function sample(temperature: f32, topK: u32, topP: f32): i32 {
  const error = predict();
  if (error < 0) return error;
  return draw(PROBABILITIES, GENERATOR, temperature, topK, topP, WEIGHTS);
}

/**
 * Adds `token`, after what came since `reset`, to the statistics, and appends it. A piece of text is what stands between a reset
 * and the next: its sums depend on nothing else.
 *
 * @returns surprisal in bits under the base; -1 where token ≥ V, -2 where a sum would pass 2^32 − 1, -4 in a module that does not
 * learn; -5, -6 as predict
 */
export function observe(token: u32): f32 {
  return learn(token, 1);
}

/**
 * Takes away what `observe` added: the same piece from the same reset, token by token.
 *
 * @returns as observe; -3 where a sum would fall below 0, as the piece was never observed: then this call has changed nothing
 */
export function forget(token: u32): f32 {
  return learn(token, -1);
}

function learn(token: u32, add: i32): f32 {
  if (LEARNING == 0) return <f32>NOT_COMPILED;
  if (token >= <u32>V) return <f32>OUT_OF_RANGE;
  if (!ready) return <f32>NOT_READY;
  predicted = false; // with a correction, PROBABILITIES are not those of predict
  if (!predictStack(false)) return <f32>READ_FAILED;
  const rows = sampleRows(PROBABILITIES, place, SAMPLE_ROWS);
  const at = PROBABILITIES + (token << 2);
  const unscaled = load<f32>(at);
  attendTo(false); // a piece is closed: what was observed before it has no say
  const p = load<f32>(at);
  const stack = RESCALED ? rescaled(MARGINALS, STACK, token, scale) : unscaled;
  const share = explained(stack, p);
  weigh(HIDDEN, share, SAMPLE_WEIGHTS);
  if (!foresee(token)) return <f32>READ_FAILED;
  const tokens = load<u32>(OBSERVED_TOKENS);
  const bound: u32 = add > 0 ? 0xffffffff : 0;
  if (tokens == bound || !addToken(token, SAMPLE_WEIGHTS, SAMPLE_ROWS, rows, add, OBSERVED, EXPECTED)) {
    return <f32>(add > 0 ? FULL : NOT_OBSERVED);
  }
  store<u32>(OBSERVED_TOKENS, tokens + add);
  adaptTo(token, p, stack, share);
  extend(token);
  return surprisalOf(p);
}

/**
 * Adds V sums of another device, staged as u32 in PROBABILITIES, to row `row` of the statistics seen as (2·M, V): one row after
 * the other is OBSERVED, then EXPECTED. The count of tokens is added by the host. Call it for all rows without `commit` first.
 *
 * @returns 0; -1 where row ≥ 2·M, -2 where a sum would pass 2^32 − 1, -4 in a module that does not learn: nothing has changed
 */
export function merge(row: u32, commit: i32): i32 {
  if (LEARNING == 0) return NOT_COMPILED;
  predicted = false; // the sums are staged where predictions stand
  if (row >= 2 * M) return OUT_OF_RANGE;
  return mergeSums(PROBABILITIES, V, OBSERVED + ((row * V) << 2), commit != 0) ? 0 : FULL;
}

/**
 * Solves rows [from, to) of the correction from the statistics as they stand. With no token observed they are the base's.
 *
 * @param mass α in 2^-20..1e9; @param step s in 0..4
 * @returns 0; -1 where the rows are not within 0..V or an option is out of range, -4 in a module that does not learn, or whose
 * decoder is the mixture, which has no residual solve; -5 where a read failed: the rows before it are solved
 */
export function refit(from: u32, to: u32, mass: f32, step: f32): i32 {
  if (LEARNING == 0 || DECODER != 0) return NOT_COMPILED;
  if (from > to || to > <u32>V) return OUT_OF_RANGE;
  if (!(mass >= LEAST_MASS && mass <= MOST_MASS && step >= 0 && step <= MOST_STEP)) return OUT_OF_RANGE;
  predicted = false;
  const tokens = max<u32>(1, load<u32>(OBSERVED_TOKENS));
  for (let v = from; v < to; ++v) {
    const row = v * M;
    forgiveReads();
    const base = fetch(DECODER_O + row, M, TILE);
    const scale = load<f32>(fetch(DECODER_O_SCALE + (v << 2), 4, TILE_SCALES));
    if (readFailed()) return READ_FAILED;
    const sums = row << 2;
    const out = CORRECTED_O + row;
    const outScale = correctRow(OBSERVED + sums, EXPECTED + sums, tokens, mass, step, base, scale, HIDDEN, out);
    store<f32>(CORRECTED_O_SCALE + (v << 2), outScale);
  }
  return 0;
}

/**
 * Predicts with the correction's rows from now on, or (0) with the base's, which are as they were.
 *
 * @returns 0; -4 in a module that does not learn, or whose decoder is the mixture, which has no correction
 */
export function correct(on: i32): i32 {
  if (LEARNING == 0 || DECODER != 0) return NOT_COMPILED;
  corrected = on != 0;
  predicted = false;
  return 0;
}
