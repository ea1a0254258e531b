// Where each tensor of the tuner stands. Weights, their gradient and Adam's two moments are four blocks of one layout, STRIDE
// bytes apart, so that what belongs to a weight is found from its address. Barrier, batch and tile are the trainer's.
import { ROUNDING_BYTES } from "./codebook";
import { HIDDEN_CODES_BYTES } from "./hidden-codes";
import { HIDDEN_WEIGHTS, INPUTS } from "./hidden-layout";
import { BITS, BLOCK, BLOCK_M, CIPHER_WIDTH, M, SHARES, STACKED_BLOCK, STACKED_HEADS, V, WEIGHT_BITS } from "./shape";
import { BATCH, THREADS, TILE } from "./trainer-memory";

/** Columns of the embedding table: b, rounded up to whole vectors; those from b on stay 0. */
export const WIDTH: i32 = (BITS + 3) & ~3;
/** Whether inputs are ciphered, so that there is a table to thaw. */
export const CIPHERED: bool = BITS < V;
/** f32 of the gradients at earlier states that a place hands on. */
export const EARLIER: i32 = STACKED_HEADS > 0 ? (STACKED_BLOCK - 1) * BLOCK_M : 0;
/** Number of weights, the embedding's included. */
export const PARAMETERS: i32 = HIDDEN_WEIGHTS + M + V * M + V + (CIPHERED ? V * WIDTH : 0);
/** Bytes from a weight to its gradient, from there to the first moment, and to the second. */
export const STRIDE: usize = (PARAMETERS * 4 + 63) & ~63;

export const CIPHER: usize = 128; // (V, k) u16; below it stands the barrier
export const U: usize = (CIPHER + (CIPHERED ? V * CIPHER_WIDTH * 2 : 0) + 63) & ~63; // the hidden layers' weights, as hidden-layout.ts has them
export const U0: usize = U + HIDDEN_WEIGHTS * 4; // (M) f32
export const O: usize = U0 + M * 4; // (V, M) f32
export const O0: usize = O + V * M * 4; // (V) f32
export const EMBEDDING: usize = O0 + V * 4; // (V, WIDTH) f32, E; there where CIPHERED

export const GRADIENT: usize = U + STRIDE; // (PARAMETERS) f32, in the order of the weights
export const FIRST_MOMENT: usize = GRADIENT + STRIDE; // (PARAMETERS) f32
export const SECOND_MOMENT: usize = FIRST_MOMENT + STRIDE; // (PARAMETERS) f32

// rounding to four bits
const CODED: bool = WEIGHT_BITS == 4;
export const U_INT8: usize = SECOND_MOMENT + STRIDE; // as hidden-codes.ts has them
export const LAYER_ROUNDING: usize = ROUNDING_BYTES + 16; // a rounding table, and the unit of its levels
export const ROUNDING: usize = U_INT8 + (CODED ? HIDDEN_CODES_BYTES : 0); // (3 layers) of those
export const ROUNDED: usize = ROUNDING + (CODED ? 3 * LAYER_ROUNDING : 0); // laid out as U: what the steps read

// one batch
export const LOSS: usize = (ROUNDED + (CODED ? HIDDEN_WEIGHTS * 4 : 0) + 63) & ~63; // f64, nats since the host last cleared it
export const LABELS: usize = LOSS + 64; // (BATCH) u32, places in TOKENS
export const LIKELIHOOD: usize = LABELS + BATCH * 4; // (BATCH) f32, of the token that came
export const BATCH_INPUTS: usize = LIKELIHOOD + BATCH * 4; // (BATCH, INPUTS) f32
export const HIDDEN: usize = BATCH_INPUTS + BATCH * INPUTS * 4; // (BATCH, M) f32
export const DELTA: usize = HIDDEN + BATCH * M * 4; // (BATCH, M) f32, gradient at the hidden layers' logits
export const EARLIER_DELTA: usize = DELTA + BATCH * M * 4; // (BATCH, EARLIER) f32, at those of the block's heads at the places before
export const PREDICTED: usize = EARLIER_DELTA + BATCH * EARLIER * 4; // (BATCH / TILE, V, TILE) f32, ŷ, then ŷ − y

// thawed inputs
const EMBEDDED_BYTES: usize = CIPHERED ? BLOCK * BATCH * WIDTH * 4 : 0;
export const EMBEDDED: usize = PREDICTED + BATCH * V * 4; // (r, BATCH, WIDTH) f32, rows of E that the blocks name
export const EMBEDDED_DELTA: usize = EMBEDDED + EMBEDDED_BYTES; // (r, BATCH / TILE, WIDTH, TILE) f32, gradient there
export const FOLDED: usize = EMBEDDED_DELTA + EMBEDDED_BYTES; // (r·V, M) f32, E·U a position

// scratch, one a thread: a tile transposed, two lanes of it, four rows, attention over an earlier place
export const SCRATCH_BYTES: usize = (M * TILE + TILE * 2 + M * 4 + 3 * SHARES) * 4;
export const SCRATCH: usize = FOLDED + (CIPHERED ? BLOCK * V * M * 4 : 0); // (THREADS, ...)

export const TOKENS: usize = (SCRATCH + THREADS * SCRATCH_BYTES + 63) & ~63; // (N) u16, to the memory's end
