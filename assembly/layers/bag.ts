// A layer that reads the document: a decayed bag of the stream, d = Σ_i (1/T) (1 − 1/T)^i x_(−1−i). On the device its part of the logits
// is carried along, z ← (1 − 1/T) z + U[x] / T; the solvers sum the last 5·T tokens.
import { cipherBit, cipherLength } from "../common/cipher";
import { addScaled } from "../common/vectors";
import { BAG_WIDTH, SPAN } from "../shape";
import { DOCUMENT_TOKENS, Outer, Place } from "./records";

/** What a token's share is multiplied by with each token that follows. */
export const KEEP: f32 = <f32>(SPAN - 1) / <f32>SPAN;
/** Share of the latest token. */
export const NEW: f32 = <f32>1 / <f32>SPAN;

/** out (columns) f32 += d U. @param table offset to the first column */
export function addBag(place: Place, table: usize, columns: usize, out: usize): void {
  let share = NEW;
  for (let at = place.at - 1, end = max<i32>(place.start, place.at - DOCUMENT_TOKENS); at >= end; --at, share *= KEEP) {
    const token = <u32>load<u16>(place.tokens + (<usize>at << 1));
    const bits = cipherLength(place.cipher, token);
    for (let i = 0; i < bits; ++i) {
      const row = <usize>cipherBit(place.cipher, token, i);
      addScaled(table + ((row * BAG_WIDTH) << 2), share / <f32>bits, columns, out);
    }
  }
}

/** Adds to the rows of the bag's tokens, each by its share of d. */
export function addToBag(place: Place, outer: Outer): void {
  let share = NEW * outer.weight;
  for (let at = place.at - 1, end = max<i32>(place.start, place.at - DOCUMENT_TOKENS); at >= end; --at, share *= KEEP) {
    const token = <u32>load<u16>(place.tokens + (<usize>at << 1));
    const bits = cipherLength(place.cipher, token);
    for (let i = 0; i < bits; ++i) {
      const row = <i32>cipherBit(place.cipher, token, i);
      if (row < outer.first || row >= outer.end) continue;
      outer.addTo(outer.sums + ((<usize>row * BAG_WIDTH) << 2), share / <f32>bits);
    }
  }
}
