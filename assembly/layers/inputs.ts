// What a layer reads, whatever that is: products of its inputs with a table, and of its inputs with values. `layer` is a constant wherever
// speed matters, so that one of the three kinds is left when a module is compiled.
import { BAG, readsOf, TOKENS } from "../shape";
import { addBag, addToBag } from "./bag";
import { Outer, Place } from "./records";
import { addStates, addToStates } from "./states";
import { addToTokens, addTokens } from "./tokens";

/** out (columns) f32 += x_j U_j: what position j of the layer's inputs adds to its logits. @param table offset to the first column */
// @ts-ignore: decorator
@inline
export function addInputs(layer: i32, place: Place, j: i32, table: usize, columns: usize, out: usize): void {
  if (readsOf(layer) == TOKENS) addTokens(place, j, table, columns, out);
  else if (readsOf(layer) == BAG) addBag(place, table, columns, out);
  else addStates(place, j, table, columns, out);
}

/** sums += weight · x ⊗ values. */
// @ts-ignore: decorator
@inline
export function addToInputs(layer: i32, place: Place, outer: Outer): void {
  if (readsOf(layer) == TOKENS) addToTokens(place, outer);
  else if (readsOf(layer) == BAG) addToBag(place, outer);
  else addToStates(place, outer);
}
