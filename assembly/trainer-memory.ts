// Where each tensor of the trainer stands. The host gives the module a memory that ends after the last token (host/fit/).
import { CHAIN_BYTES } from "./chains";
import { HIDDEN_CODES_BYTES } from "./hidden-codes";
import { HIDDEN_WEIGHTS, INPUTS } from "./hidden-layout";
import {
  ATTENDED,
  BITS,
  BLOCK,
  BLOCK_M,
  BUCKETS,
  CIPHER_WIDTH,
  FEATURES,
  HEADS,
  M,
  MOST_MATCHES,
  ORDERS,
  PARTS,
  POSITIONS_A_HEAD,
  RADIAL,
  V,
} from "./shape";

/** Tokens of one residual step at the most. */
export const BATCH: i32 = 2048;
/** Tokens that one thread works on at a time; a tile of probabilities, (V, TILE) f32, stays in cache. */
export const TILE: i32 = 64;
/** Threads at the most: each has a scratch of its own. */
export const THREADS: usize = 16;
/** Tokens that the gate is solved on at the most. */
export const GATE_TOKENS: i32 = 65536;

export const SYNC: usize = 64; // (2) i32: threads arrived, generation; a cache line of its own
export const CIPHER: usize = 128; // (V, k) u16
export const MARGINAL: usize = (CIPHER + (BITS == V ? 0 : V * CIPHER_WIDTH * 2) + 63) & ~63; // (V) f32, π
export const U: usize = MARGINAL + V * 4; // the hidden layers' weights in f32, as hidden-layout.ts has them
export const U0: usize = (U + HIDDEN_WEIGHTS * 4 + 63) & ~63; // (M) f32
export const POSITIONS: usize = U0 + M * 4; // (H, POSITIONS_A_HEAD) f32, weights of what each head reads
export const O: usize = (POSITIONS + HEADS * POSITIONS_A_HEAD * 4 + 63) & ~63; // (V, M) f32, or P of the mixture decoder
export const O0: usize = O + V * M * 4; // (V) f32

// statistics: observed and expected sums of the decoder, then of the hidden layers
export const F: usize = (O0 + V * 4 + 63) & ~63; // (V, M) f32
export const F_EXPECTED: usize = F + V * M * 4; // (V, M) f32
export const G: usize = F_EXPECTED + V * M * 4; // laid out as U
export const G_EXPECTED: usize = G + HIDDEN_WEIGHTS * 4; // laid out as U

// attention over positions
export const ATTENTION_SUMS: usize = (G_EXPECTED + HIDDEN_WEIGHTS * 4 + 63) & ~63; // (r, r) f64, then (r) f64
export const PAIRS: usize = ATTENTION_SUMS + (ATTENDED ? (BLOCK * BLOCK + BLOCK) * 8 : 0); // (r·b, V) f32
export const PAIR_TOTALS: usize = PAIRS + (ATTENDED ? FEATURES * V * 4 : 0); // (r·b) f32

// one batch
export const LABELS: usize = PAIR_TOTALS + (ATTENDED ? FEATURES * 4 : 0); // (BATCH) u32, places in TOKENS
export const BATCH_INPUTS: usize = LABELS + BATCH * 4; // (BATCH, INPUTS) f32
export const HIDDEN: usize = BATCH_INPUTS + BATCH * INPUTS * 4; // (BATCH, M) f32
export const TARGETS: usize = HIDDEN + BATCH * M * 4; // (BATCH, M) f32
export const PREDICTED: usize = TARGETS + BATCH * M * 4; // (BATCH / TILE, V, TILE) f32
export const LIKELIHOOD: usize = PREDICTED + BATCH * V * 4; // (BATCH) f32, of the token that came

// scratch, one a thread
export const SCRATCH_BYTES: usize = (M * TILE + TILE * 2 + M * 4 + 512 + INPUTS) * 4;
export const SCRATCH: usize = (LIKELIHOOD + BATCH * 4 + 63) & ~63; // (THREADS, ...)

// the gate
export const RING: usize = (SCRATCH + THREADS * SCRATCH_BYTES + 63) & ~63; // (R) u16
export const CHAINS: usize = (RING + RADIAL * 2 + 63) & ~63; // of the ring
export const MATCHES: usize = (CHAINS + CHAIN_BYTES + 63) & ~63; // (MOST_MATCHES) u32
export const TOTALS: usize = MATCHES + MOST_MATCHES * 4; // (ORDERS) i32
export const DISTINCT: usize = TOTALS + 64; // (ORDERS) i32
export const CHAIN: usize = DISTINCT + 64; // (PARTS) f32
export const ORDER_SUMS: usize = CHAIN + 64; // (ORDERS) f32
export const SEEN: usize = ORDER_SUMS + 64; // (V) u8, zero between calls
export const GATE: usize = (SEEN + (RADIAL == 0 ? 0 : V) + 63) & ~63; // (ORDERS, BUCKETS) f32
export const GATE_SUMS: usize = GATE + ORDERS * BUCKETS * 4; // (2, ORDERS, BUCKETS) f32
export const GATE_BUCKETS: usize = GATE_SUMS + 2 * ORDERS * BUCKETS * 4; // (GATE_TOKENS, ORDERS) u8
export const GATE_LIKELIHOODS: usize = (GATE_BUCKETS + GATE_TOKENS * ORDERS + 63) & ~63; // (GATE_TOKENS, PARTS) f32

// int8 model: rows of U of all layers, of 8 bits a weight or codes of 4; their scales; their levels
export const U_INT8: usize = (GATE_LIKELIHOODS + (RADIAL == 0 ? 0 : GATE_TOKENS * PARTS * 4) + 63) & ~63; // as hidden-codes.ts has them
export const O_INT8: usize = U_INT8 + HIDDEN_CODES_BYTES; // (V, M) i8
export const O_SCALE: usize = (O_INT8 + V * M + 63) & ~63; // (V) f32

export const TOKENS: usize = (O_SCALE + V * 4 + 63) & ~63; // (N) u16, to the memory's end
