// What the solver's kernels are given: where a network's weights stand, a place of the text, a tile of places.

import { addScaled } from "../common/vectors";
import { ABSENT, BAG_LAYER, CONTEXT_TOKENS, SPAN } from "../shape";

/** Tokens before a place of which a document is summed; what is older, under 1 % of it, is left out. */
export const DOCUMENT_TOKENS: i32 = 5 * SPAN;
/** Tokens before a place that its layers read at the most. */
const REACH: i32 = BAG_LAYER > 0 && DOCUMENT_TOKENS > CONTEXT_TOKENS ? DOCUMENT_TOKENS : CONTEXT_TOKENS;

/** Weights of a network in f32. */
@unmanaged
export class Network {
  cipher: usize; // (V, k) u16
  hidden: usize; // (HIDDEN_WEIGHTS) f32: tables of U of all layers, W and w0, as list.ts has them
  biases: usize; // (M) f32, u0
  decoder: usize; // (V, M) f32, O; or P of a group's own mixture
  decoderBias: usize; // (V) f32, o0
  marginal: usize; // (V) f32, π; read by solvers alone, as what follows
  positions: usize; // (GROUPS, POSITIONS_A_GROUP) f32, weights of what each group reads
}

/** A place of a text. */
@unmanaged
export class Place {
  tokens: usize; // (N) u16, the label at `at`
  at: i32;
  cipher: usize; // (V, k) u16
  inputs: usize; // (INPUTS) f32: shares of attention, comparisons; hidden states that the place reads
  boundary: u32; // the token that ends a piece of the text, and 1; 0 where the text is one piece
  start: i32; // the first token that is read: those before it are of another piece, or out of reach; a piece reads the end of the one before

  /** Goes to a place, where what is read begins with the last boundary before it, or behind the last absent token. */
  moveTo(at: i32): void {
    const first = max<i32>(0, at - REACH);
    let start = at;
    for (; start > first; --start) {
      const token = <u32>load<u16>(this.tokens + (<usize>(start - 1) << 1));
      if (token == ABSENT) break;
      if (token + 1 != this.boundary) continue;
      --start;
      break;
    }
    this.at = at;
    this.start = start;
  }
}

/** Places of a text that are worked on together, in tiles of TILE places; a tile is a batch of one. */
@unmanaged
export class Batch {
  tokens: usize; // (N) u16
  places: usize; // (count) u32
  count: i32; // places in use
  tiles: i32; // tiles they fill; the rest of the last one is zeroed
  inputs: usize; // (tiles · TILE, INPUTS) f32
  hidden: usize; // (tiles · TILE, M) f32, h
  targets: usize; // (tiles · TILE, M) f32: hidden targets, or gradients at the hidden layers' logits
  earlier: usize; // (tiles · TILE, EARLIER) f32, gradients at the first layer's logits at the places before
  predicted: usize; // (tiles, V, TILE) f32, ŷ
}

/** Rows of a table that are added to: sums += weight · x ⊗ values, for rows [first, end); and likewise second ones, where there are some. */
@unmanaged
export class Outer {
  values: usize; // (columns) f32
  weight: f32;
  columns: usize;
  first: i32;
  end: i32;
  sums: usize; // (rows, width of the layer) f32, offset to the first column
  second: usize; // (columns) f32; 0 for none
  apart: usize; // bytes from the sums to those of the second values

  /** The row of sums at an address += share · values. */
  // @ts-ignore: decorator
  @inline
  addTo(row: usize, share: f32): void {
    addScaled(this.values, share, this.columns, row);
    if (this.second != 0) addScaled(this.second, share, this.columns, row + this.apart);
  }
}
