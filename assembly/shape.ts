// Compile-time sizes of one model. The host passes them as `--use` constants (host/compile/), so that every loop bound and every
// address is a literal in the module. Symbols as in ARCHITECTURE.md. What counts bytes in layout.ts is an i32, flags are 0 or 1.

/** V: vocabulary size, a multiple of 8. */
export const V: i32 = SHAPE_VOCABULARY;
/** b: bits of the input cipher; b == V means one-hot inputs. */
export const BITS: i32 = SHAPE_BITS;
/** k: most bits that any token's cipher has (1 where one-hot). */
export const CIPHER_WIDTH: i32 = SHAPE_CIPHER_WIDTH;
/** Whether inputs are ciphered: then there is a table of ciphers. */
export const CIPHERED: i32 = BITS < V ? 1 : 0;
/** m: units of a group, a multiple of 4. */
export const UNITS: i32 = SHAPE_UNITS;
/** Bits of a hidden layer's weight: 8, or codes of 4. */
export const WEIGHT_BITS: i32 = SHAPE_WEIGHT_BITS;
export const CODED: i32 = WEIGHT_BITS == 4 ? 1 : 0;

// What a layer reads.
/** The tokens of the context window, each at its position: sparse rows, or one-hot. */
export const TOKENS: i32 = 0;
/** The document: a decayed bag of the stream's tokens. */
export const BAG: i32 = 1;
/** Hidden states that the first layer had at the last places, the present one included. */
export const STATES: i32 = 2;

// The list of layers, in the order of their columns of the hidden state. The first reads tokens; of each other kind there is at most one.
export const LAYERS: i32 = SHAPE_LAYERS;
const READS_1: i32 = SHAPE_READS_1;
const READS_2: i32 = SHAPE_READS_2;
const GROUPS_0: i32 = SHAPE_GROUPS_0;
const GROUPS_1: i32 = SHAPE_GROUPS_1;
const GROUPS_2: i32 = SHAPE_GROUPS_2;
const POSITIONS_0: i32 = SHAPE_POSITIONS_0;
const POSITIONS_1: i32 = SHAPE_POSITIONS_1;
const POSITIONS_2: i32 = SHAPE_POSITIONS_2;
/** T: tokens in which a token's share of the document falls to 1/e, nearly. */
export const SPAN: i32 = SHAPE_SPAN;
/** Whether positions of the context window are attended to by the softmax of their comparisons (2311.07510). */
export const ATTENDED: i32 = SHAPE_WINDOW_ATTENTION;

/** R: tokens of the stream that history attention sees, a power of two of at least 16; 0 = none. */
export const HISTORY: i32 = SHAPE_HISTORY;
export const REMEMBERS: i32 = HISTORY > 0 ? 1 : 0;
/** Longest match that history attention tells apart, 1 to 4 tokens; 0 = none. */
export const MATCH_LENGTH: i32 = SHAPE_MATCH_LENGTH;
/** Whether the network is adapted to the text's own marginals and recent tokens. */
export const ADAPTS: i32 = SHAPE_ADAPTS;
/** Whether matches are found by an index of the history; else its places are compared one by one. */
export const INDEXED: i32 = SHAPE_INDEXED;
/** Whether the module learns (sums, correction); else it has neither the code nor the memory. */
export const LEARNING: i32 = SHAPE_LEARNING;
/** Whether weights are fetched from flash, row by row; else they stand in memory. */
export const FLASH: i32 = SHAPE_FLASH;
/** Whether matches of up to LONGEST tokens are weighed on top of the mixture. */
export const LONG: i32 = SHAPE_LONG;
/** Whether the long-term memory is sorted by what stands before each place; else it is looked through. */
export const MEMORY_INDEXED: i32 = SHAPE_MEMORY_INDEXED;
/** Tokens of other texts that history attention sees beside the history, a multiple of 8; 0 = none. */
export const RECALL: i32 = SHAPE_RECALL;
export const RECALLS: i32 = RECALL > 0 ? 1 : 0;
/** Bytes of the longest frame that messages are packed into, a multiple of 16; 0 = none, and no coder. */
export const PACK: i32 = SHAPE_PACK;
export const PACKS: i32 = PACK > 0 ? 1 : 0;

/** r: tokens of the context window; position 0 is the pivot, the latest token. */
export const WINDOW: i32 = POSITIONS_0;
/** Weights of attention over positions, rounded up to whole vectors. */
export const SHARES: i32 = (WINDOW + 3) & ~3;
/** H: groups of all layers. */
export const GROUPS: i32 = GROUPS_0 + GROUPS_1 + GROUPS_2;
/** M: width of the hidden state, layer after layer; each layer's is a multiple of 8. */
export const M: i32 = GROUPS * UNITS;

/** What the layer reads: TOKENS, BAG or STATES. */
// @ts-ignore: decorator
@inline
export function readsOf(layer: i32): i32 {
  return layer == 0 ? TOKENS : layer == 1 ? READS_1 : READS_2;
}
/** Groups of the layer. */
// @ts-ignore: decorator
@inline
export function groupsOf(layer: i32): i32 {
  return layer == 0 ? GROUPS_0 : layer == 1 ? GROUPS_1 : GROUPS_2;
}
/** Positions of what the layer reads. */
// @ts-ignore: decorator
@inline
export function positionsOf(layer: i32): i32 {
  return layer == 0 ? POSITIONS_0 : layer == 1 ? POSITIONS_1 : POSITIONS_2;
}
/** Columns of the hidden state that are the layer's. */
// @ts-ignore: decorator
@inline
export function widthOf(layer: i32): i32 {
  return layer == 0 ? WIDTH_0 : layer == 1 ? WIDTH_1 : WIDTH_2;
}
/** The first of them. */
// @ts-ignore: decorator
@inline
export function columnOf(layer: i32): i32 {
  return layer == 0 ? 0 : layer == 1 ? WIDTH_0 : WIDTH_0 + WIDTH_1;
}
/** Rows of the layer's U. */
// @ts-ignore: decorator
@inline
export function rowsOf(layer: i32): i32 {
  return layer == 0 ? ROWS_0 : layer == 1 ? ROWS_1 : ROWS_2;
}
/** Rows of the tables of the layers before it. */
// @ts-ignore: decorator
@inline
export function firstRowOf(layer: i32): i32 {
  return layer == 0 ? 0 : layer == 1 ? ROWS_0 : ROWS_0 + ROWS_1;
}
/** Weights of the tables of the layers before it. */
// @ts-ignore: decorator
@inline
export function firstWeightOf(layer: i32): i32 {
  return layer == 0 ? 0 : layer == 1 ? ROWS_0 * WIDTH_0 : ROWS_0 * WIDTH_0 + ROWS_1 * WIDTH_1;
}
/** Bytes of a stored row of U of so many columns. */
// @ts-ignore: decorator
@inline
export function rowBytes(width: usize): usize {
  return (width * WEIGHT_BITS) / 8;
}

export const WIDTH_0: i32 = GROUPS_0 * UNITS;
export const WIDTH_1: i32 = GROUPS_1 * UNITS;
export const WIDTH_2: i32 = GROUPS_2 * UNITS;
export const ROWS_0: i32 = POSITIONS_0 * BITS;
export const ROWS_1: i32 = LAYERS > 1 ? (READS_1 == STATES ? POSITIONS_1 * WIDTH_0 : BITS) : 0;
export const ROWS_2: i32 = LAYERS > 2 ? (READS_2 == STATES ? POSITIONS_2 * WIDTH_0 : BITS) : 0;
/** Layers that a table of their own is kept of: 1 where there is one. */
export const LAYER_1: i32 = LAYERS > 1 ? 1 : 0;
export const LAYER_2: i32 = LAYERS > 2 ? 1 : 0;
/** Rows and weights of the tables of all layers. */
export const HIDDEN_ROWS: i32 = ROWS_0 + ROWS_1 + ROWS_2;
export const HIDDEN_CELLS: i32 = ROWS_0 * WIDTH_0 + ROWS_1 * WIDTH_1 + ROWS_2 * WIDTH_2;
/** Numbers of the layer that reads the document, and of the one that reads states; 0 = none. */
export const BAG_LAYER: i32 = LAYERS > 1 && READS_1 == BAG ? 1 : LAYERS > 2 && READS_2 == BAG ? 2 : 0;
export const STATES_LAYER: i32 = LAYERS > 1 && READS_1 == STATES ? 1 : LAYERS > 2 && READS_2 == STATES ? 2 : 0;
export const BAG_WIDTH: i32 = BAG_LAYER == 1 ? WIDTH_1 : BAG_LAYER == 2 ? WIDTH_2 : 0;
/** Hidden states of the first layer that one prediction reads. */
export const STATES_READ: i32 = STATES_LAYER == 1 ? POSITIONS_1 : STATES_LAYER == 2 ? POSITIONS_2 : 0;
/** Tokens of which the device has to know the ids, the latest first: those of every window that a hidden state is made of. */
export const CONTEXT_TOKENS: i32 = STATES_READ > 0 ? WINDOW + STATES_READ - 1 : WINDOW;
/** Weights of positions that a group may have: as many as any layer has positions. */
export const POSITIONS_A_GROUP: i32 = STATES_READ > WINDOW ? STATES_READ : WINDOW;

/** Weights of all layers in f32, as layers/list.ts has them: the tables of U, then W and w0; rounded up to whole vectors. */
export const HIDDEN_WEIGHTS: i32 = (HIDDEN_CELLS + ATTENDED * (WINDOW * WINDOW + WINDOW) + 3) & ~3;
/** f32 of what a place's layers read beside its tokens: shares of attention and comparisons; hidden states. */
export const INPUTS: i32 = ATTENDED * 2 * SHARES + STATES_READ * WIDTH_0;
/** f32 of the gradients at earlier states that a place hands on. */
export const EARLIER: i32 = STATES_READ > 0 ? (STATES_READ - 1) * WIDTH_0 : 0;

/** Matches that are listed at the most. Where long matches are weighed as well, and no index is there to bound them, fewer do. */
const LISTED: i32 = LONG != 0 && INDEXED == 0 ? 256 : 1024;
export const MOST_MATCHES: i32 = HISTORY < LISTED ? HISTORY : LISTED;
/** Parts of the mixture: the network, then one a match length. */
export const PARTS: i32 = 1 + MATCH_LENGTH;
/** Buckets of a match length's mixture weights: matches (8 classes) times agreement of their followers (4). */
export const BUCKETS: i32 = 32;
/** Cells of the mixture's weights. */
export const CELLS: i32 = MATCH_LENGTH * BUCKETS;
/** The longest match that is told from longer ones. */
export const LONGEST: i32 = 20;
/** Lengths that long matches are told apart by: 1, 2, 3, 4, 6, 8, 12, 20. */
export const LENGTHS: i32 = LONG * 8;
/** Buckets of the weights of such a length: matches (3 classes) times agreement of their followers (3) times what came true of late (2). */
export const LONG_BUCKETS: i32 = 18;
/** Cells of those weights. */
export const LONG_CELLS: i32 = LENGTHS * LONG_BUCKETS;
/** Long matches that are looked at, the longest. */
export const MOST_LONG: i32 = LONG * 64;
/** Bytes of a token in the memory. */
export const MEMORY_WIDTH: i32 = V > 256 ? 2 : 1;
/** Sets of candidates in a pool at the most: one for every four of its 65536 places, and for each token one more. */
export const POOL_SETS: i32 = 16384 + V;
/** Pairs of tokens are told apart by so many hashes in the index. */
export const PAIRS: i32 = HISTORY / 4;

/** Fixed point of the quantised hidden state: 1.0 is 2^14. */
export const HIDDEN_ONE: f32 = 16384;
/** Token id of a position before the stream's start: it compares equal to nothing and adds nothing. */
export const ABSENT: u32 = 0xffff;
/** Bytes of one group's f32 units. */
export const GROUP_BYTES: usize = UNITS * 4;
/** Bytes of one f32 hidden state. */
export const ROW_BYTES: usize = M * 4;
