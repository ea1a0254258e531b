// Which places of the text a tile is about: PLACES of the solver.
import { permuted } from "../common/random";

/**
 * outPlaces (count) u32 ← the places that stand at `index` and after it in an order of all n (random.ts).
 */
export function shuffledPlaces(index: i32, count: i32, n: i32, order: u32, outPlaces: usize): void {
  for (let t = 0; t < count; ++t) store<u32>(outPlaces + ((<usize>t) << 2), permuted(index + t, n, order));
}

/** outPlaces (count) u32 ← from, from + 1, … */
export function consecutivePlaces(from: i32, count: i32, outPlaces: usize): void {
  for (let t = 0; t < count; ++t) store<u32>(outPlaces + ((<usize>t) << 2), from + t);
}
