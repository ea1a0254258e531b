// Where each tensor of the device module stands: laid out by hand, back to back, each on a 16-byte boundary, so that the module
// needs no allocator, no start function and no growth. host/compile/layout.ts computes the same total; a test compares them.
import { CHAIN_BYTES } from "./chains";
import {
  ATTENDED,
  BITS,
  BLOCK,
  BLOCK_M,
  BUCKETS,
  CIPHER_WIDTH,
  CONTEXT_TOKENS,
  DOCUMENT_FEATURES,
  DOCUMENT_HEADS,
  DOCUMENT_M,
  FEATURES,
  FLASH,
  LEARNING,
  M,
  MOST_MATCHES,
  ORDERS,
  RADIAL,
  RECALL,
  RESCALED,
  SHARES,
  STACKED_FEATURES,
  STACKED_HEADS,
  STACKED_M,
  V,
  WEIGHT_BITS,
} from "./shape";
import { SAMPLES } from "./statistics";
import { UNIGRAM_VALUES } from "./unigrams";

/** First address: the page's first bytes stay unused, so that no tensor stands at the null address. */
export const BASE: usize = 16;
/** Decoder rows in a tile of the flash form, a multiple of 8. */
export const TILE_ROWS: usize = FLASH == 0 ? 0 : 32;

// weights, written by the host, or in data segments; in the flash form they stand at address − BASE of the flash instead
export const CIPHER: usize = BASE; // (V, k) u16; absent where one-hot
const LEVELS: usize = WEIGHT_BITS == 4 ? 16 : 0; // bytes; absent where weights have 8 bits
// rows of two codes each where weights have 4 bits
export const BLOCK_U: usize = (CIPHER + (BITS == V ? 0 : V * CIPHER_WIDTH * 2) + 15) & ~15; // (r·b, width) i8
export const BLOCK_U_LEVELS: usize = (BLOCK_U + FEATURES * ((BLOCK_M * WEIGHT_BITS) / 8) + 15) & ~15; // (16) i8
export const BLOCK_U_SCALE: usize = BLOCK_U_LEVELS + LEVELS; // (r·b) f32
export const DOCUMENT_U: usize = (BLOCK_U_SCALE + FEATURES * 4 + 15) & ~15; // (b, width) i8; absent without document heads, as what follows
export const DOCUMENT_U_LEVELS: usize = (DOCUMENT_U + DOCUMENT_FEATURES * ((DOCUMENT_M * WEIGHT_BITS) / 8) + 15) & ~15;
export const DOCUMENT_U_SCALE: usize = DOCUMENT_U_LEVELS + (DOCUMENT_HEADS > 0 ? LEVELS : 0);
export const STACKED_U: usize = (DOCUMENT_U_SCALE + DOCUMENT_FEATURES * 4 + 15) & ~15; // (positions · width, width) i8; absent without a second layer
export const STACKED_U_LEVELS: usize = (STACKED_U + STACKED_FEATURES * ((STACKED_M * WEIGHT_BITS) / 8) + 15) & ~15;
export const STACKED_U_SCALE: usize = STACKED_U_LEVELS + (STACKED_HEADS > 0 ? LEVELS : 0);
export const BLOCK_U0: usize = (STACKED_U_SCALE + STACKED_FEATURES * 4 + 15) & ~15; // (width) f32
export const DOCUMENT_U0: usize = BLOCK_U0 + BLOCK_M * 4; // (width) f32
export const STACKED_U0: usize = DOCUMENT_U0 + DOCUMENT_M * 4; // (width) f32
export const BLOCK_W: usize = (BLOCK_U0 + M * 4 + 15) & ~15; // (r, r) f32; absent without attention over positions
export const BLOCK_W0: usize = (BLOCK_W + (ATTENDED ? BLOCK * BLOCK * 4 : 0) + 15) & ~15; // (r) f32
export const DECODER_O: usize = (BLOCK_W0 + (ATTENDED ? BLOCK * 4 : 0) + 15) & ~15; // (V, M) i8
export const DECODER_O_SCALE: usize = (DECODER_O + V * M + 15) & ~15; // (V) f32
export const DECODER_O0: usize = (DECODER_O_SCALE + V * 4 + 15) & ~15; // (V) f32
export const GATE: usize = (DECODER_O0 + V * 4 + 15) & ~15; // (ORDERS, BUCKETS) f32; absent without self-attention
export const WEIGHTS_END: usize = (GATE + ORDERS * BUCKETS * 4 + 15) & ~15;

// of the flash form: what is small, and a tile
const RESIDENT: usize = FLASH == 0 ? WEIGHTS_END : BASE;
export const RESIDENT_LEVELS: usize = RESIDENT; // (16) i8 a layer
const LAYERS: usize = 1 + (DOCUMENT_HEADS > 0 ? 1 : 0) + (STACKED_HEADS > 0 ? 1 : 0);
export const RESIDENT_U0: usize = RESIDENT_LEVELS + (FLASH > 0 ? LAYERS * LEVELS : 0); // (M) f32
export const RESIDENT_O0: usize = RESIDENT_U0 + FLASH * M * 4; // (V) f32
export const RESIDENT_W: usize = (RESIDENT_O0 + FLASH * V * 4 + 15) & ~15; // (r, r) f32
export const RESIDENT_W0: usize = (RESIDENT_W + (ATTENDED ? FLASH * BLOCK * BLOCK * 4 : 0) + 15) & ~15; // (r) f32
export const TILE: usize = (RESIDENT_W0 + (ATTENDED ? FLASH * BLOCK * 4 : 0) + 15) & ~15; // (TILE_ROWS, M) i8
export const TILE_SCALES: usize = TILE + TILE_ROWS * M; // (TILE_ROWS) f32
const TILE_END: usize = TILE_SCALES + TILE_ROWS * 4;

// state
export const CONTEXT: usize = TILE_END; // (CONTEXT_TOKENS) u16, latest first
export const RING: usize = (CONTEXT + CONTEXT_TOKENS * 2 + 15) & ~15; // (R) u16
export const CHAINS: usize = (RING + RADIAL * 2 + 15) & ~15; // of the ring; absent where it is compared place by place
export const DOCUMENT: usize = (CHAINS + CHAIN_BYTES + 15) & ~15; // (width) f32: what the stream adds to the document heads' logits
export const GATE_STATE: usize = (DOCUMENT + DOCUMENT_M * 4 + 15) & ~15; // (2, ORDERS, BUCKETS) f32: the gate as the text has it
export const MARGINALS: usize = GATE_STATE + 2 * ORDERS * BUCKETS * 4; // (2, V) f32: tokens as they came and as they were expected
export const UNIGRAMS: usize = MARGINALS + (RESCALED ? 2 * V * 4 : 0); // (V + UNIGRAM_VALUES) f32: tokens as they came of late, and λ
export const GENERATOR: usize = UNIGRAMS + (RESCALED ? (V + UNIGRAM_VALUES) * 4 : 0); // (4) u32

// scratch
export const NEXT_DOCUMENT: usize = GENERATOR + 16; // (width) f32
export const STATES: usize = NEXT_DOCUMENT + DOCUMENT_M * 4; // (positions, width of the block's heads) f32
export const ATTENTION: usize = STATES + STACKED_FEATURES * 4; // (2, SHARES) f32: shares of positions, comparisons
export const HIDDEN: usize = ATTENTION + (ATTENDED ? 2 * SHARES * 4 : 0); // (M) f32
export const HIDDEN_FIXED: usize = HIDDEN + M * 4; // (M) i16
export const TOTALS: usize = (HIDDEN_FIXED + M * 2 + 15) & ~15; // (ORDERS) i32
export const DISTINCT: usize = (TOTALS + ORDERS * 4 + 15) & ~15; // (ORDERS) i32
export const MIXED: usize = (DISTINCT + ORDERS * 4 + 15) & ~15; // (3, ORDERS) of attention.ts
export const MATCHES: usize = (MIXED + 3 * ORDERS * 4 + 15) & ~15; // (MOST_MATCHES) u32
export const SEEN: usize = (MATCHES + MOST_MATCHES * 4 + 15) & ~15; // (V) u8, zero between calls; absent without self-attention
export const STACK: usize = (SEEN + (RADIAL == 0 ? 0 : V) + 15) & ~15; // (V) f32: the stack's probabilities, before they are rescaled
export const WEIGHTS: usize = STACK + (RESCALED ? V * 4 : 0); // (V) f32, of sampling
export const PROBABILITIES: usize = WEIGHTS + V * 4; // (V) f32

// what was observed last: written by the host, or by the firmware
export const RECALLED: usize = PROBABILITIES + V * 4; // (RECALL) u16, oldest first; ABSENT between texts
export const RECALLED_LENGTH: usize = RECALLED + RECALL * 2; // u32, tokens in it

/** Where the memory of a module that only predicts ends: what follows is read and written by observe, forget, merge, refit and correct alone. */
export const PREDICTOR_END: usize = RECALLED_LENGTH + (RECALL > 0 ? 16 : 0);

// learning; absent without it
export const SAMPLE_WEIGHTS: usize = PREDICTOR_END; // (M) u32
export const SAMPLE_ROWS: usize = (SAMPLE_WEIGHTS + LEARNING * M * 4 + 15) & ~15; // (SAMPLES) u32

// statistics, contiguous: what a host stores and loads as one piece
export const OBSERVED: usize = SAMPLE_ROWS + LEARNING * SAMPLES * 4; // (V, M) u32
export const EXPECTED: usize = OBSERVED + LEARNING * V * M * 4; // (V, M) u32
export const OBSERVED_TOKENS: usize = EXPECTED + LEARNING * V * M * 4; // u32, tokens in the sums

// correction
export const CORRECTED_O: usize = OBSERVED_TOKENS + LEARNING * 16; // (V, M) i8
export const CORRECTED_O_SCALE: usize = CORRECTED_O + LEARNING * V * M; // (V) f32
export const END: usize = CORRECTED_O_SCALE + LEARNING * V * 4;
