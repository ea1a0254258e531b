// Written by `npm run build` from the table in host/compile/layout.ts: change it there.
import {
  ADAPTS,
  ATTENDED,
  BAG_WIDTH,
  CELLS,
  CIPHERED,
  CIPHER_WIDTH,
  CODED,
  CONTEXT_TOKENS,
  FLASH,
  HISTORY,
  INDEXED,
  LAYERS,
  LAYER_1,
  LAYER_2,
  LEARNING,
  LENGTHS,
  LONG,
  LONG_CELLS,
  M,
  MATCH_LENGTH,
  MOST_LONG,
  MOST_MATCHES,
  PAIRS,
  RECALL,
  RECALLS,
  REMEMBERS,
  ROWS_0,
  ROWS_1,
  ROWS_2,
  SHARES,
  STATES_READ,
  V,
  WEIGHT_BITS,
  WIDTH_0,
  WIDTH_1,
  WIDTH_2,
  WINDOW,
} from "../shape";

/** Decoder rows in a tile of the flash form. */
export const TILE_ROWS: usize = 32;

/** Where the first tensor stands. */
export const BASE: usize = 16;

// weights, written by the host, or in data segments; in the flash form they stand at address − BASE of the flash instead
export const CIPHER: usize = (BASE + 15) & ~15; // (V, k) u16; absent where inputs are one-hot
export const U_0: usize = (CIPHER + CIPHERED * V * CIPHER_WIDTH * 2 + 15) & ~15; // (rows, width) i8, or codes of 4 bits
export const U_0_LEVELS: usize = (U_0 + ROWS_0 * ((WIDTH_0 * WEIGHT_BITS) / 8) + 15) & ~15; // (16) i8; of codes alone
export const U_0_SCALE: usize = U_0_LEVELS + CODED * 16; // (rows) f32
export const U_1: usize = (U_0_SCALE + ROWS_0 * 4 + 15) & ~15; // (rows, width) i8, or codes of 4 bits
export const U_1_LEVELS: usize = (U_1 + ROWS_1 * ((WIDTH_1 * WEIGHT_BITS) / 8) + 15) & ~15; // (16) i8; of codes alone
export const U_1_SCALE: usize = U_1_LEVELS + CODED * LAYER_1 * 16; // (rows) f32
export const U_2: usize = (U_1_SCALE + ROWS_1 * 4 + 15) & ~15; // (rows, width) i8, or codes of 4 bits
export const U_2_LEVELS: usize = (U_2 + ROWS_2 * ((WIDTH_2 * WEIGHT_BITS) / 8) + 15) & ~15; // (16) i8; of codes alone
export const U_2_SCALE: usize = U_2_LEVELS + CODED * LAYER_2 * 16; // (rows) f32
export const U0: usize = (U_2_SCALE + ROWS_2 * 4 + 15) & ~15; // (M) f32, layer after layer
export const W: usize = (U0 + M * 4 + 15) & ~15; // (r, r) f32; absent without attention over positions
export const W0: usize = (W + ATTENDED * WINDOW * WINDOW * 4 + 15) & ~15; // (r) f32
export const O: usize = (W0 + ATTENDED * WINDOW * 4 + 15) & ~15; // (V, M) i8
export const O_SCALE: usize = (O + V * M + 15) & ~15; // (V) f32
export const O0: usize = (O_SCALE + V * 4 + 15) & ~15; // (V) f32
export const LONG_TABLE: usize = (O0 + V * 4 + 15) & ~15; // (2, lengths, buckets) f32; absent without long matches
export const MIXTURE: usize = (LONG_TABLE + 2 * LONG_CELLS * 4 + 15) & ~15; // (match lengths, buckets) f32; absent without a history

// of the flash form: what is small, and a tile
export const RESIDENT_LEVELS: usize = ((FLASH == 0 ? MIXTURE + CELLS * 4 : BASE) + 15) & ~15; // (16) i8 a layer
export const RESIDENT_U0: usize = (RESIDENT_LEVELS + FLASH * CODED * LAYERS * 16 + 15) & ~15; // (M) f32
export const RESIDENT_O0: usize = (RESIDENT_U0 + FLASH * M * 4 + 15) & ~15; // (V) f32
export const RESIDENT_W: usize = (RESIDENT_O0 + FLASH * V * 4 + 15) & ~15; // (r, r) f32
export const RESIDENT_W0: usize = (RESIDENT_W + FLASH * ATTENDED * WINDOW * WINDOW * 4 + 15) & ~15; // (r) f32
export const TILE: usize = (RESIDENT_W0 + FLASH * ATTENDED * WINDOW * 4 + 15) & ~15; // (TILE_ROWS, M) i8
export const TILE_SCALES: usize = (TILE + FLASH * 32 * M + 15) & ~15; // (TILE_ROWS) f32

// state
export const STATE: usize = (TILE_SCALES + FLASH * 32 * 4 + 15) & ~15; // one State: what a prediction leaves for the next call
export const CONTEXT: usize = (STATE + 28 + 15) & ~15; // (tokens) u16, latest first
export const HISTORY_RECORD: usize = (CONTEXT + CONTEXT_TOKENS * 2 + 15) & ~15; // one History; its tensors stand right behind it
export const RING: usize = HISTORY_RECORD + REMEMBERS * 16; // (R) u16
export const NEWEST: usize = RING + HISTORY * 2; // (V) u16, the newest place of each token; absent without an index, as the three that follow
export const TOKEN_LINKS: usize = NEWEST + INDEXED * V * 2; // (R) u16
export const PAIR_LINKS: usize = TOKEN_LINKS + INDEXED * HISTORY * 2; // (R) u16
export const PAIR_NEWEST: usize = PAIR_LINKS + INDEXED * HISTORY * 2; // (R / 4) u16
export const DOCUMENT: usize = (PAIR_NEWEST + INDEXED * PAIRS * 2 + 15) & ~15; // (width) f32: what the stream adds to the logits of the groups that read the document
export const MIXTURE_SUMS: usize = (DOCUMENT + BAG_WIDTH * 4 + 15) & ~15; // (2, match lengths, buckets) f32: the mixture as the text has it
export const LONG_RECORD: usize = (MIXTURE_SUMS + 2 * CELLS * 4 + 15) & ~15; // one LongMixture; its tensor stands right behind it
export const LONG_SUMS: usize = LONG_RECORD + LONG * 16; // (4, lengths, buckets) f32: the weights as the text has them
export const MARGINALS: usize = (LONG_SUMS + 4 * LONG_CELLS * 4 + 15) & ~15; // (2, V) f32: tokens as they came and as they were expected
export const RECENCY: usize = (MARGINALS + ADAPTS * 2 * V * 4 + 15) & ~15; // (V) f32: tokens as they came of late
export const RECENCY_VALUES: usize = (RECENCY + ADAPTS * V * 4 + 15) & ~15; // (4) f32: its weight in the mixture, and its scale
export const GENERATOR: usize = (RECENCY_VALUES + ADAPTS * 4 * 4 + 15) & ~15; // (4) u32

// scratch
export const NEXT_DOCUMENT: usize = (GENERATOR + 4 * 4 + 15) & ~15; // (width) f32
export const STATES: usize = (NEXT_DOCUMENT + BAG_WIDTH * 4 + 15) & ~15; // (positions, width) f32
export const ATTENTION: usize = (STATES + STATES_READ * WIDTH_0 * 4 + 15) & ~15; // (2, SHARES) f32: shares of positions, comparisons
export const HIDDEN: usize = (ATTENTION + ATTENDED * 2 * SHARES * 4 + 15) & ~15; // (M) f32
export const HIDDEN_FIXED: usize = (HIDDEN + M * 4 + 15) & ~15; // (M) i16; in the scalar build (M + 1) u32, in the order of device/decoder.ts
export const HIDDEN_SUM: usize = HIDDEN_FIXED + M * 4;
export const MIXED: usize = (HIDDEN_SUM + 1 * 4 + 15) & ~15; // (3, match lengths) of history/mixture.ts
export const MATCHES_RECORD: usize = (MIXED + 3 * MATCH_LENGTH * 4 + 15) & ~15; // one Matches; its tensors stand right behind it
export const MATCHES: usize = MATCHES_RECORD + REMEMBERS * 16; // (most matches) u32
export const TOTALS: usize = MATCHES + MOST_MATCHES * 4; // (match lengths) i32
export const DISTINCT: usize = TOTALS + MATCH_LENGTH * 4; // (match lengths) i32
export const SEEN: usize = DISTINCT + MATCH_LENGTH * 4; // (V) u8, zero between calls
export const CANDIDATES_RECORD: usize = (SEEN + REMEMBERS * V + 15) & ~15; // one Candidates; its tensors stand right behind it
export const CANDIDATES: usize = CANDIDATES_RECORD + LONG * 16; // (most long matches) of 8 bytes
export const LAST_CANDIDATES: usize = CANDIDATES + MOST_LONG * 8; // (24) u8: the last one of each length
export const FOLLOWERS_RECORD: usize = (LAST_CANDIDATES + LONG * 24 + 15) & ~15; // one Followers; its tensors stand right behind it
export const FOLLOWERS: usize = FOLLOWERS_RECORD + LONG * 16; // (most long matches) of 20 bytes
export const LENGTH_SUMS: usize = FOLLOWERS + MOST_LONG * 20; // (lengths) of 20 bytes
export const MEMORY_TILE: usize = (LENGTH_SUMS + LENGTHS * 20 + 15) & ~15; // (2, 64) u8: what is read of the memory
export const NGRAM_TILE: usize = (MEMORY_TILE + FLASH * LONG * 128 + 15) & ~15; // (64) f32, (64) u8: factors, and what else is read of the n-grams
export const NETWORK: usize = (NGRAM_TILE + FLASH * LONG * 320 + 15) & ~15; // (V) f32: the network's probabilities, before they are adapted
export const WEIGHTS: usize = (NETWORK + ADAPTS * V * 4 + 15) & ~15; // (V) f32, of sampling
export const PROBABILITIES: usize = (WEIGHTS + V * 4 + 15) & ~15; // (V) f32

// what was observed last, and where the long-term memory stands: written by the host, or by the firmware
export const MEMORY_RECORD: usize = (PROBABILITIES + V * 4 + 15) & ~15; // one Memory
export const NGRAMS_RECORD: usize = MEMORY_RECORD + LONG * 8; // one Ngrams
export const RECALLED: usize = (NGRAMS_RECORD + LONG * 8 + 15) & ~15; // (RECALL) u16, oldest first; ABSENT between texts
export const RECALLED_LENGTH: usize = (RECALLED + RECALL * 2 + 15) & ~15; // u32, tokens in it
export const RECALLED_AT: usize = RECALLED_LENGTH + RECALLS * 4; // u32, where they stand instead: behind the module's own memory; 0 for RECALLED

// learning; a predictor's memory ends before it
export const SAMPLE_RECORD: usize = (RECALLED_AT + RECALLS * 4 + 15) & ~15; // one Sample; its tensors stand right behind it
export const SAMPLE_WEIGHTS: usize = SAMPLE_RECORD + LEARNING * 16; // (M) u32
export const CORRECTION: usize = (SAMPLE_WEIGHTS + LEARNING * M * 4 + 15) & ~15; // one Correction
export const OBSERVED: usize = (CORRECTION + LEARNING * 3 * 4 + 15) & ~15; // (V, M) u32; the statistics, contiguous: what a host stores and loads as one piece
export const EXPECTED: usize = OBSERVED + LEARNING * V * M * 4; // (V, M) u32
export const OBSERVED_TOKENS: usize = EXPECTED + LEARNING * V * M * 4; // u32, tokens in the sums
export const GENERATION: usize = OBSERVED_TOKENS + LEARNING * 4; // u32, how often the sums were halved
export const CORRECTED_O: usize = (GENERATION + LEARNING * 4 + 15) & ~15; // (V, M) i8
export const CORRECTED_O_SCALE: usize = (CORRECTED_O + LEARNING * V * M + 15) & ~15; // (V) f32

export const END: usize = (CORRECTED_O_SCALE + LEARNING * V * 4 + 15) & ~15;
