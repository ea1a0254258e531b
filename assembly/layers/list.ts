// Where the f32 weights of the layers of shape.ts stand behind the first of them, in one block, so that one address names them all, and
// their sums or gradients stand at the same distances: the tables of U, layer after layer, then W and w0 of attention.
import { ATTENDED, firstWeightOf, groupsOf, HIDDEN_CELLS, LAYERS, positionsOf, readsOf, SHARES, STATES, TOKENS, UNITS, WINDOW } from "../shape";

/** Bytes from the block's start to the layer's table. */
// @ts-ignore: decorator
@inline
export function tableOf(layer: i32): usize {
  return <usize>firstWeightOf(layer) << 2;
}
/** W: (r, r) f32, a row a comparison. */
export const W_AT: usize = HIDDEN_CELLS * 4;
/** w0: (r) f32. */
export const W0_AT: usize = W_AT + ATTENDED * WINDOW * WINDOW * 4;

/** Of what a place's layers read beside its tokens: bytes to the hidden states, behind shares and comparisons. */
export const STATES_AT: usize = ATTENDED * 2 * SHARES * 4;

/** K: the norm of the layer's inputs, exact for tokens and states, whose rows are of unit sum; a bag's is nearly 1. */
// @ts-ignore: decorator
@inline
export function normOf(layer: i32): i32 {
  return readsOf(layer) == TOKENS ? positionsOf(layer) : readsOf(layer) == STATES ? positionsOf(layer) * groupsOf(0) : 1;
}

/** The layer of a group; groups are counted through all layers. */
export function layerOf(group: i32): i32 {
  let layer = 0;
  while (layer < LAYERS - 1 && group >= groupsOf(layer)) group -= groupsOf(layer++);
  return layer;
}

/** The group's first unit among its layer's columns. */
export function unitOf(group: i32): i32 {
  for (let layer = 0; layer < LAYERS - 1 && group >= groupsOf(layer); ++layer) group -= groupsOf(layer);
  return group * UNITS;
}
