// A layer that reads the tokens of the context window: at each position, the rows of U that a token's cipher names, divided by how many
// they are, and taken by the position's share where there is attention.
import { cipherBit, cipherLength } from "../common/cipher";
import { addScaled } from "../common/vectors";
import { ABSENT, ATTENDED, BITS, SHARES, WIDTH_0, WINDOW } from "../shape";
import { W0_AT, W_AT } from "./list";
import { Outer, Place } from "./records";
import { attentionShares, comparison } from "./window-attention";

/** Token at position j of the window before a place; ABSENT before the start of its text or piece. */
// @ts-ignore: decorator
@inline
export function contextToken(place: Place, j: i32): u32 {
  const at = place.at - 1 - j;
  return at < place.start ? ABSENT : <u32>load<u16>(place.tokens + (<usize>at << 1));
}

/** outComparisons (r) f32 ← comparisons of the pivot with each position of the window. */
export function windowComparisons(place: Place, outComparisons: usize): void {
  const pivot = contextToken(place, 0);
  for (let j = 0; j < WINDOW; ++j) {
    store<f32>(outComparisons + (<usize>j << 2), comparison(place.cipher, pivot, place.cipher, contextToken(place, j)));
  }
}

/** The place's inputs (2, SHARES) f32 ← shares of the window's positions, then their comparisons. @param hidden as of Network */
// @ts-ignore: decorator
@inline
export function windowShares(place: Place, hidden: usize): void {
  if (ATTENDED == 0) return;
  const comparisons = place.inputs + (SHARES << 2);
  windowComparisons(place, comparisons);
  attentionShares(comparisons, hidden + W_AT, hidden + W0_AT, place.inputs);
}

/** How often a bit of position j is taken: by its token's number of bits, and by attention. */
// @ts-ignore: decorator
@inline
function shareOf(shares: usize, j: i32, weight: f32, bits: i32): f32 {
  return (ATTENDED != 0 ? weight * load<f32>(shares + (<usize>j << 2)) : weight) / <f32>bits;
}

/** out (columns) f32 += share · Σ_bit U[j, bit] / bits(x_j): what position j adds to the logits. @param table offset to the first column */
// @ts-ignore: decorator
@inline
export function addTokens(place: Place, j: i32, table: usize, columns: usize, out: usize): void {
  const token = contextToken(place, j);
  if (token == ABSENT) return;
  const bits = cipherLength(place.cipher, token);
  const share = shareOf(place.inputs, j, 1, bits);
  for (let i = 0; i < bits; ++i) {
    const row = <usize>j * BITS + cipherBit(place.cipher, token, i);
    addScaled(table + ((row * WIDTH_0) << 2), share, columns, out);
  }
}

/** Adds to the rows that the window names. */
// @ts-ignore: decorator
@inline
export function addToTokens(place: Place, outer: Outer): void {
  const cipher = place.cipher;
  for (let j = 0; j < WINDOW; ++j) {
    const token = contextToken(place, j);
    if (token == ABSENT) continue;
    const bits = cipherLength(cipher, token);
    const share = shareOf(place.inputs, j, outer.weight, bits);
    for (let i = 0; i < bits; ++i) {
      const row = j * BITS + cipherBit(cipher, token, i);
      if (row >= outer.first && row < outer.end) outer.addTo(outer.sums + ((<usize>row * WIDTH_0) << 2), share);
    }
  }
}
