// The device module: one model of one shape. The host writes weights at the exported addresses, calls reset, then feeds tokens.
// No imports, no start function, no growth; every call is bounded by the shape.
//
// A token takes the same steps wherever it comes from: the network predicts, history and recent tokens are mixed in, what follows the text
// adapts to the token, and the context grows by it. `feed` scores by them, `observe` and `forget` add to the sums or take away from them.
import { hashOn, spread } from "../common/hash";
import { logOf } from "../common/math";
import { seedGenerator } from "../common/random";
import { scaleInPlace } from "../common/softmax";
import { mergeSums } from "../common/sums";
import { Candidates, clearCandidates } from "../history/candidates";
import { findMatches, recallMatches } from "../history/find";
import { countFollowers, Followers } from "../history/followers";
import { clearHistory, History, pushToken } from "../history/history";
import { countDistinct, Matches, seenOf, weighByNetwork } from "../history/matches";
import { Memory, searchMemory } from "../history/memory";
import { levelsOf, nextDocument, storedForward } from "../layers/stored";
import {
  ADAPTS,
  ATTENDED,
  BAG_LAYER,
  BAG_WIDTH,
  CELLS,
  CODED,
  CONTEXT_TOKENS,
  FLASH,
  LAYERS,
  LEARNING,
  LONG,
  LONG_CELLS,
  M,
  RECALL,
  REMEMBERS,
  V,
  WINDOW,
} from "../shape";
import { Correction, correctRow } from "./correction";
import { decode, decodeStored, quantiseHidden } from "./decoder";
import { fetch, forgiveReads, readFailed } from "./flash";
import {
  CANDIDATES_RECORD,
  CONTEXT,
  CORRECTED_O,
  CORRECTED_O_SCALE,
  CORRECTION,
  DOCUMENT,
  END,
  FOLLOWERS_RECORD,
  GENERATOR,
  HIDDEN,
  HIDDEN_FIXED,
  HISTORY_RECORD,
  LONG_RECORD,
  LONG_SUMS,
  LONG_TABLE,
  MARGINALS,
  MATCHES_RECORD,
  MEMORY_RECORD,
  MEMORY_TILE,
  MIXED,
  MIXTURE,
  MIXTURE_SUMS,
  NETWORK,
  NEXT_DOCUMENT,
  NGRAMS_RECORD,
  NGRAM_TILE,
  O,
  O_SCALE,
  O0,
  OBSERVED,
  PROBABILITIES,
  RECALLED,
  RECALLED_LENGTH,
  RECALLED_AT,
  RECENCY,
  RESIDENT_LEVELS,
  RESIDENT_O0,
  RESIDENT_U0,
  RESIDENT_W,
  RESIDENT_W0,
  SAMPLE_RECORD,
  STATE,
  TILE,
  TILE_SCALES,
  U0,
  W,
  W0,
  WEIGHTS,
} from "./layout";
import { countToken, rescale, rescaled, resetMarginals } from "./marginals";
import { adaptLong, LongMixture, mixLong, resetLong, withoutLong } from "./long-mixture";
import { adaptMixture, attend, resetMixture } from "./mixture";
import { applyNgrams, Ngrams } from "./ngrams";
import { adaptRecency, countRecent, mixRecent, resetRecency } from "./recency";
import { draw } from "./sampling";
import { addToken, ageSums, Sample, Sums, weigh } from "./sums";

// The module's contract with hosts and firmware: addresses by the names of the file's tensors.
export {
  CIPHER,
  CORRECTED_O,
  CORRECTED_O_SCALE,
  END,
  EXPECTED,
  GENERATION,
  LONG_SUMS,
  LONG_TABLE,
  MEMORY_RECORD,
  MIXTURE as GATE,
  O as DECODER_O,
  O_SCALE as DECODER_O_SCALE,
  O0 as DECODER_O0,
  OBSERVED,
  OBSERVED_TOKENS,
  PROBABILITIES,
  RECALLED,
  RECALLED_LENGTH,
  RECALLED_AT,
  RING,
  SAMPLE_RECORD as PREDICTOR_END,
  U_0 as BLOCK_U,
  U_0_LEVELS as BLOCK_U_LEVELS,
  U_0_SCALE as BLOCK_U_SCALE,
  U0 as BLOCK_U0,
} from "./layout";
export { END as __data_end, END as __heap_base } from "./layout";
export { RECALL } from "../shape";
const LOG2E: f32 = 1.44269504088896341;
/** Surprisal is capped where a probability is no longer a normal number, at about 126 bits. */
const LEAST: f32 = 1.1754944e-38;
/** Bounds of a refit's options: within them every logarithm and every code of a row is finite. */
const LEAST_PSEUDO_COUNTS: f32 = 9.5367431640625e-7; // 2^-20
const MOST_PSEUDO_COUNTS: f32 = 1e9;
const MOST_STEP: f32 = 4;

// what the functions answer in place of a result; then nothing has changed, unless they say what has
const OUT_OF_RANGE = -1;
const FULL = -2;
const NOT_OBSERVED = -3;
const NOT_COMPILED = -4;
const READ_FAILED = -5;
const NOT_READY = -6;

/** What a prediction leaves for the next call. */
@unmanaged
class State {
  ready: u8; // whether reset was called
  predicted: u8; // whether PROBABILITIES belongs to the present context
  corrected: u8; // whether predictions are made with the correction's rows
  place: u32; // tokens since the context was empty
  counted: u32; // tokens in the marginals
  scale: f32; // what brought the rescaled network to unit sum
  kept: f32; // what the recency cache left of the network
  rest: f32; // what the match lengths left of what is below them
  hash: u32; // of the tokens since the context was empty
}

const state: State = changetype<State>(STATE);
const history: History = changetype<History>(HISTORY_RECORD);
const matches: Matches = changetype<Matches>(MATCHES_RECORD);
const candidates: Candidates = changetype<Candidates>(CANDIDATES_RECORD);
const followers: Followers = changetype<Followers>(FOLLOWERS_RECORD);
const long: LongMixture = changetype<LongMixture>(LONG_RECORD);
const memo: Memory = changetype<Memory>(MEMORY_RECORD);
const ngrams: Ngrams = changetype<Ngrams>(NGRAMS_RECORD);

const sums: Sums = changetype<Sums>(OBSERVED);
const sampled: Sample = changetype<Sample>(SAMPLE_RECORD);
const correction: Correction = changetype<Correction>(CORRECTION);

/**
 * Empties the context: window, history, recency cache and document; mixture and marginals are the model's again. The generator keeps its
 * place, sums and correction stay. The first call of all, and in the flash form the one that fetches what is small.
 *
 * @returns 0, or -5 where a read failed: the module is not ready then
 */
export function reset(): i32 {
  if (FLASH > 0) {
    state.ready = 0;
    if (!fetchResident()) return READ_FAILED;
  }
  if (REMEMBERS != 0) {
    clearHistory(history);
    matches.count = 0;
    resetMixture(FLASH > 0 ? MIXTURE_SUMS : MIXTURE, MIXTURE_SUMS);
  }
  if (LONG != 0) {
    resetLong(FLASH > 0 ? LONG_SUMS : LONG_TABLE, long);
    followers.count = 0;
  }
  if (ADAPTS != 0) {
    resetMarginals(MARGINALS);
    resetRecency(RECENCY);
    state.counted = 0;
  }
  memory.fill(CONTEXT, 0xff, CONTEXT_TOKENS * 2);
  if (BAG_LAYER > 0) memory.fill(DOCUMENT, 0, BAG_WIDTH * 4);
  state.place = 0;
  state.hash = 0;
  state.predicted = 0;
  state.rest = 1;
  state.kept = 1;
  state.ready = 1;
  return 0;
}

/** Fetches what is small, in the flash form. False where a read failed. */
function fetchResident(): bool {
  forgiveReads();
  if (CODED != 0) {
    fetch(levelsOf(0), 16, RESIDENT_LEVELS);
    if (LAYERS > 1) fetch(levelsOf(1), 16, RESIDENT_LEVELS + 16);
    if (LAYERS > 2) fetch(levelsOf(2), 16, RESIDENT_LEVELS + 32);
  }
  if (ATTENDED != 0) {
    fetch(W, WINDOW * WINDOW * 4, RESIDENT_W);
    fetch(W0, WINDOW * 4, RESIDENT_W0);
  }
  fetch(U0, M * 4, RESIDENT_U0);
  fetch(O0, V * 4, RESIDENT_O0);
  if (REMEMBERS != 0) fetch(MIXTURE, CELLS * 4, MIXTURE_SUMS);
  if (LONG != 0) fetch(LONG_TABLE, 2 * LONG_CELLS * 4, LONG_SUMS);
  return !readFailed();
}

/**
 * Fills PROBABILITIES, (V) f32 of unit sum, for the token that comes next.
 *
 * @returns 0; -5 where a read failed, -6 before reset
 */
export function predict(): i32 {
  if (state.ready == 0) return NOT_READY; // first: what stands from before a reset that failed is no prediction any more
  if (state.predicted != 0) return 0;
  if (!predictNetwork(state.corrected != 0)) return READ_FAILED;
  if (!mixText(true)) return READ_FAILED;
  state.predicted = 1;
  return 0;
}

/** Where the network's own probabilities stand; what the text says beside it goes to PROBABILITIES. */
const OWN: usize = ADAPTS != 0 ? NETWORK : PROBABILITIES;

/** OWN ← the network with its n-grams, of the base or with its correction. False where a read failed. */
function predictNetwork(corrected: bool): bool {
  forgiveReads();
  const o0 = FLASH > 0 ? RESIDENT_O0 : O0;
  if (!storedForward()) return false;
  quantiseHidden(HIDDEN, HIDDEN_FIXED);
  if (LEARNING > 0 && corrected) decode(HIDDEN_FIXED, CORRECTED_O, CORRECTED_O_SCALE, o0, OWN);
  else if (FLASH > 0) {
    if (!decodeStored(HIDDEN_FIXED, O, O_SCALE, o0, OWN)) return false;
  } else decode(HIDDEN_FIXED, O, O_SCALE, o0, OWN);
  if (LONG != 0) applyNgrams(history, ngrams, NGRAM_TILE, OWN);
  return !readFailed();
}

/**
 * PROBABILITIES ← the network's, of OWN, and what the text says beside it: rescaled by its marginals, mixed with recent tokens, then with
 * what followed earlier, and with the long matches of all that. False where a read of the memory failed.
 *
 * @param recall whether other texts have a say that were observed
 */
function mixText(recall: bool): bool {
  if (REMEMBERS == 0) return true;
  if (ADAPTS != 0) {
    state.scale = rescale(MARGINALS, NETWORK, PROBABILITIES);
    state.kept = 1;
    if (state.place > 0) state.kept = mixRecent(RECENCY, state.scale, PROBABILITIES, WEIGHTS);
    else scaleInPlace(PROBABILITIES, V, state.scale);
  }
  state.rest = 1;
  if (LONG != 0) clearCandidates(candidates);
  findMatches(history, matches, candidates);
  if (RECALL > 0 && recall) {
    let recalled = RECALLED;
    let room: i32 = RECALL;
    const place = load<u32>(RECALLED_AT);
    if (place >= <u32>SAMPLE_RECORD) {
      // behind what a predictor has: the module's own scratch is no text
      recalled = place;
      room = max<i32>(0, (memory.size() << 15) - (place >> 1)); // up to the memory's end
    }
    recallMatches(recalled, <i32>min<u32>(room, load<u32>(RECALLED_LENGTH)), history, state.place, matches, candidates);
  }
  if (matches.count > 0) {
    if (ADAPTS != 0) weighByNetwork(matches, PROBABILITIES);
    countDistinct(matches);
    state.rest = attend(matches, MIXTURE_SUMS, MIXED, PROBABILITIES);
  }
  if (LONG == 0) return true;
  forgiveReads();
  searchMemory(history, memo, MEMORY_TILE, candidates);
  if (readFailed()) return false;
  countFollowers(candidates, seenOf(matches), followers);
  mixLong(followers, long, PROBABILITIES);
  return true;
}

/** The probability of a token under the mixture, before the long matches: what the mixture's parts share. */
// @ts-ignore: decorator
@inline
function mixedProbability(token: u32): f32 {
  const p = load<f32>(PROBABILITIES + (token << 2));
  return LONG != 0 ? withoutLong(followers, long, token, p) : p;
}

/**
 * Appends a token to the context without predicting it: mixture and marginals stay as they are. 0; -1 where token ≥ V, -5 where a read
 * failed (of the document's rows), -6 before reset.
 */
export function append(token: u32): i32 {
  if (token >= <u32>V) return OUT_OF_RANGE;
  if (state.ready == 0) return NOT_READY;
  if (!foresee(token)) return READ_FAILED;
  extend(token);
  return 0;
}

/** Reads what `extend` will need of `token`. False where a read failed: then the context cannot be extended by it, and has not changed. */
// @ts-ignore: decorator
@inline
function foresee(token: u32): bool {
  if (BAG_LAYER == 0) return true;
  forgiveReads();
  nextDocument(token);
  return !readFailed();
}

/** The context with one more token, which was foreseen. */
function extend(token: u32): void {
  if (BAG_LAYER > 0) memory.copy(DOCUMENT, NEXT_DOCUMENT, BAG_WIDTH * 4);
  for (let j: usize = CONTEXT_TOKENS - 1; j > 0; --j) store<u16>(CONTEXT + (j << 1), load<u16>(CONTEXT + (j << 1) - 2));
  store<u16>(CONTEXT, <u16>token);
  if (REMEMBERS != 0) pushToken(history, token);
  if (ADAPTS != 0) countRecent(RECENCY, token);
  ++state.place;
  state.hash = hashOn(state.hash, token);
  state.predicted = 0;
}

/** Surprisal of `token` in bits, −log2 p(token | context); then mixture and marginals follow it, and it is appended. -1 where token ≥ V; -5, -6 as predict. */
export function feed(token: u32): f32 {
  if (token >= <u32>V) return <f32>OUT_OF_RANGE;
  const error = predict();
  if (error < 0) return <f32>error;
  if (!foresee(token)) {
    state.predicted = 0; // a second try reads again what the first has read
    return <f32>READ_FAILED;
  }
  const p = mixedProbability(token);
  const network: f32 = ADAPTS != 0 ? rescaled(MARGINALS, NETWORK, token, state.scale) : 0;
  return follow(token, p, network, shareOfNetwork(network, p));
}

/**
 * Updates everything that adapts to the text after `token` arrives, and appends it.
 *
 * @param p the probability that the mixture gave it, before the long matches
 * @param network the probability that the network gave it
 * @param share the part of `p` that came from the network
 * @returns its surprisal in bits
 */
function follow(token: u32, p: f32, network: f32, share: f32): f32 {
  const last = load<f32>(PROBABILITIES + (token << 2));
  if (LONG != 0) adaptLong(followers, candidates, long, token);
  if (ADAPTS != 0) {
    if (state.place > 0 && p > 0) adaptRecency(RECENCY, token, network, share, state.rest / p);
    state.counted = countToken(token, share, NETWORK, state.counted, MARGINALS);
  }
  if (REMEMBERS != 0 && matches.count > 0) adaptMixture(matches, token, p, MIXTURE_SUMS, MIXED);
  extend(token);
  return max<f32>(0, -logOf(max<f32>(LEAST, last)) * LOG2E);
}

/** The network's responsibility for a token that it gave `network`, and the mixture p. */
// @ts-ignore: decorator
@inline
function shareOfNetwork(network: f32, p: f32): f32 {
  return p > 0 ? min<f32>(1, (state.rest * state.kept * network) / p) : 0;
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
 * Adds `token`, after what came since `reset`, to the sums, and appends it. A piece of text is what stands between a reset and the next:
 * its sums depend on nothing else.
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

/** Adds a token to the sums or takes it away, then goes on as `feed` does. */
function learn(token: u32, add: i32): f32 {
  if (LEARNING == 0) return <f32>NOT_COMPILED;
  if (token >= <u32>V) return <f32>OUT_OF_RANGE;
  if (state.ready == 0) return <f32>NOT_READY;
  state.predicted = 0; // with a correction, PROBABILITIES are not those of predict
  if (!predictNetwork(false)) return <f32>READ_FAILED;
  if (ADAPTS == 0) memory.copy(WEIGHTS, PROBABILITIES, V * 4); // else mixText keeps them
  const at = PROBABILITIES + (token << 2);
  const unscaled = load<f32>(at);
  if (!mixText(false)) return <f32>READ_FAILED; // a piece is closed: what was observed before it has no say
  const p = mixedProbability(token);
  const network = ADAPTS != 0 ? rescaled(MARGINALS, NETWORK, token, state.scale) : unscaled;
  const share = shareOfNetwork(network, p);
  weigh(HIDDEN, share, sampled);
  sampled.offset = spread(hashOn(state.hash, token));
  if (!foresee(token)) return <f32>READ_FAILED;
  if (!addToken(token, ADAPTS != 0 ? NETWORK : WEIGHTS, sampled, add, sums)) return <f32>(add > 0 ? FULL : NOT_OBSERVED);
  return follow(token, p, network, share);
}

/**
 * Adds V sums of another device, staged as u32 in PROBABILITIES, to row `row` of the sums seen as (2·M, V): one row after the other is
 * OBSERVED, then EXPECTED. The count of tokens is added by the host. Call it for all rows without `commit` first.
 *
 * @returns 0; -1 where row ≥ 2·M, -2 where a sum would pass 2^32 − 1, -4 in a module that does not learn: nothing has changed
 */
export function merge(row: u32, commit: i32): i32 {
  return addStaged(row, commit, 1);
}

/** Takes away what `merge` added, row by row. @returns as merge; -3 where a sum would fall below 0 */
export function unmerge(row: u32, commit: i32): i32 {
  return addStaged(row, commit, -1);
}

function addStaged(row: u32, commit: i32, add: i32): i32 {
  if (LEARNING == 0) return NOT_COMPILED;
  state.predicted = 0; // the sums are staged where predictions stand
  if (row >= 2 * M) return OUT_OF_RANGE;
  if (mergeSums(PROBABILITIES, V, add, OBSERVED + ((row * V) << 2), commit != 0)) return 0;
  return add > 0 ? FULL : NOT_OBSERVED;
}

/**
 * Halves the sums and begins their next generation, so that there is room for more. What was observed before weighs half as much from
 * now on, and can no longer be forgotten.
 *
 * @returns 0; -4 in a module that does not learn
 */
export function age(): i32 {
  if (LEARNING == 0) return NOT_COMPILED;
  ageSums(sums);
  return 0;
}

/**
 * Solves rows [from, to) of the correction from the sums as they stand. With no token observed they are the base's.
 *
 * @param pseudoCounts α in 2^-20..1e9; @param step s in 0..4
 * @returns 0; -1 where the rows are not within 0..V or an option is out of range, -4 in a module that does not learn; -5 where a read
 * failed: the rows before it are solved
 */
export function refit(from: u32, to: u32, pseudoCounts: f32, step: f32): i32 {
  if (LEARNING == 0) return NOT_COMPILED;
  if (from > to || to > <u32>V) return OUT_OF_RANGE;
  if (!(pseudoCounts >= LEAST_PSEUDO_COUNTS && pseudoCounts <= MOST_PSEUDO_COUNTS)) return OUT_OF_RANGE;
  if (!(step >= 0 && step <= MOST_STEP)) return OUT_OF_RANGE;
  state.predicted = 0;
  correction.pseudoCounts = pseudoCounts;
  correction.step = step;
  correction.scratch = HIDDEN;
  for (let v = from; v < to; ++v) {
    forgiveReads();
    const base = fetch(O + v * M, M, TILE);
    const scale = load<f32>(fetch(O_SCALE + (v << 2), 4, TILE_SCALES));
    if (readFailed()) return READ_FAILED;
    store<f32>(CORRECTED_O_SCALE + (v << 2), correctRow(v, sums, correction, base, scale, CORRECTED_O + v * M));
  }
  return 0;
}

/**
 * Predicts with the correction's rows from now on, or (0) with the base's, which are as they were.
 *
 * @returns 0; -4 in a module that does not learn
 */
export function correct(on: i32): i32 {
  if (LEARNING == 0) return NOT_COMPILED;
  state.corrected = on != 0 ? 1 : 0;
  state.predicted = 0;
  return 0;
}
