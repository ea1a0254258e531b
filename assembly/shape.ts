// Compile-time sizes of one model. The host passes them as `--use` constants (host/compile/), so that every loop bound and
// every address below is a literal in the module. Symbols as in ARCHITECTURE.md.

/** V: vocabulary size, a multiple of 8. */
export const V: i32 = SHAPE_VOCABULARY;
/** b: bits of the input cipher; b == V means one-hot inputs. */
export const BITS: i32 = SHAPE_BITS;
/** k: most bits that any token's cipher has (1 where one-hot). */
export const CIPHER_WIDTH: i32 = SHAPE_CIPHER_WIDTH;
/** r: tokens the block context sees; position 0 is the pivot, the latest token. */
export const BLOCK: i32 = SHAPE_BLOCK;
/** H: label heads. */
export const HEADS: i32 = SHAPE_HEADS;
/** m: classes (hidden units) a head, a multiple of 4. */
export const CLASSES: i32 = SHAPE_CLASSES;
/** Bits of a weight of U: 8, or 4. */
export const WEIGHT_BITS: i32 = SHAPE_WEIGHT_BITS;
/** R: tokens the radial context (self-attention) sees, a power of two of at least 16; 0 = none. */
export const RADIAL: i32 = SHAPE_RADIAL;
/** Highest order of the comparisons, 1 to 4; 0 = none. */
export const ORDERS: i32 = SHAPE_ORDERS;
/** 0: softmax(h O + o0), the paper's; 1: h P with P row-stochastic, ours. */
export const DECODER: i32 = SHAPE_DECODER;
/** 1: the module learns (statistics, correction); 0: it has neither the code nor the memory. */
export const LEARNING: i32 = SHAPE_LEARNING;
/** 1: weights are fetched from flash, row by row; 0: they stand in memory. */
export const FLASH: i32 = SHAPE_FLASH;
/** Tokens of other texts that self-attention sees beside the ring, a multiple of 8; 0 = none. */
export const RECALL: i32 = SHAPE_RECALL;

/** Whether the ring is so long that its places are found by chains; else they are compared one by one. */
export const CHAINED: bool = RADIAL > 1024;
/** Matches that are listed at the most. */
export const MOST_MATCHES: i32 = RADIAL < 1024 ? RADIAL : 1024;

/** M = H·m: width of the hidden state, a multiple of 8. */
export const M: i32 = HEADS * CLASSES;
/** Bytes of a row of U. */
export const U_ROW: i32 = (M * WEIGHT_BITS) / 8;
/** r·b: rows of U, one a position and bit. */
export const FEATURES: i32 = BLOCK * BITS;
/** Parts of the mixture: the stack, then one an order. */
export const PARTS: i32 = 1 + ORDERS;
/** Gate buckets of an order: matches (8 classes) times agreement of their followers (4). */
export const BUCKETS: i32 = 32;
/** Fixed point of the quantised hidden state: 1.0 is 2^14. */
export const HIDDEN_ONE: f32 = 16384;
/** Token id of a position before the stream's start: it compares equal to nothing and adds nothing. */
export const ABSENT: u32 = 0xffff;
/** Bytes of one head's f32 classes. */
export const HEAD_BYTES: usize = CLASSES * 4;
/** Bytes of one f32 hidden state. */
export const ROW_BYTES: usize = M * 4;
