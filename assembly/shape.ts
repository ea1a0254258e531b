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
/** Whether the block is attended to by the softmax of comparisons (attention over positions, 2311.07510). */
export const ATTENDED: bool = SHAPE_BLOCK_ATTENTION != 0;
/** H: label heads of the block context. */
export const BLOCK_HEADS: i32 = SHAPE_HEADS;
/** Heads of the document context; 0 = none. */
export const DOCUMENT_HEADS: i32 = SHAPE_DOCUMENT_HEADS;
/** T: tokens in which a token's share of the document falls to 1/e, nearly. */
export const DOCUMENT_SPAN: i32 = SHAPE_DOCUMENT_SPAN;
/** Heads of the second layer, which reads the hidden states of the block's heads; 0 = none. */
export const STACKED_HEADS: i32 = SHAPE_STACKED_HEADS;
/** Hidden states that the second layer sees: the present one and those of the places before it. */
export const STACKED_BLOCK: i32 = SHAPE_STACKED_BLOCK;
/** Heads of all layers: what the decoder reads. */
export const HEADS: i32 = BLOCK_HEADS + DOCUMENT_HEADS + STACKED_HEADS;
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
/** Whether the stack is rescaled by the text's own marginals, and weighs what followed: where the ring is longer than that of the smallest devices. */
export const RESCALED: bool = RADIAL > 256;
/** Matches that are listed at the most. */
export const MOST_MATCHES: i32 = RADIAL < 1024 ? RADIAL : 1024;

/** M: width of the hidden state, that of the block's heads, then the document's, then the second layer's; each a multiple of 8. */
export const M: i32 = HEADS * CLASSES;
export const BLOCK_M: i32 = BLOCK_HEADS * CLASSES;
export const DOCUMENT_M: i32 = DOCUMENT_HEADS * CLASSES;
export const STACKED_M: i32 = STACKED_HEADS * CLASSES;
/** Bytes of a row of U of so many columns. */
// @ts-ignore: decorator
@inline
export function rowBytes(width: usize): usize {
  return (width * WEIGHT_BITS) / 8;
}
/** r·b: rows of the block's U, one a position and bit. */
export const FEATURES: i32 = BLOCK * BITS;
/** Rows of the document's U, one a bit. */
export const DOCUMENT_FEATURES: i32 = DOCUMENT_HEADS > 0 ? BITS : 0;
/** Rows of the second layer's U, one a position and class of the block's heads. */
export const STACKED_FEATURES: i32 = STACKED_HEADS > 0 ? STACKED_BLOCK * BLOCK_M : 0;
/** Tokens of which the device has to know the ids, the latest first: those of every block that a hidden state is made of. */
export const CONTEXT_TOKENS: i32 = STACKED_HEADS > 0 ? BLOCK + STACKED_BLOCK - 1 : BLOCK;
/** Weights of positions that a head may have: as many as any layer has positions. */
export const POSITIONS_A_HEAD: i32 = STACKED_HEADS > 0 && STACKED_BLOCK > BLOCK ? STACKED_BLOCK : BLOCK;
/** Weights of attention over positions, rounded up to whole vectors. */
export const SHARES: i32 = (BLOCK + 3) & ~3;
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
