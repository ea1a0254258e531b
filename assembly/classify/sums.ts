// The sums of a classifier, in integers: what was added is taken away to the bit, in any order, and sums of several devices are added. Three forms:
// counts, F = Σ x ⊗ y; the step, with what the frozen base expected, F̂ = Σ x ⊗ ŷ; and ridge, with the Gram sums Σ x ⊗ x.
import { hashOn, spread } from "../common/hash";
import { flipOf } from "../common/sums";
import { Plan, RIDGE, STEP } from "./plan";
import { score, valueOf } from "./scores";

/** F̂ is in units of 1 / FINER of those of F. */
export const FINER: u32 = 1024;
const FINER_BITS: u32 = 10;

/** Examples, and those of each class: (1 + C) u32 in front of F. */
// @ts-ignore: decorator
@inline
export function observedAt(p: Plan): usize {
  return <usize>p.sums + ((1 + <usize>p.classes) << 2);
}
/** F̂, or the Gram sums. */
// @ts-ignore: decorator
@inline
export function secondAt(p: Plan): usize {
  return observedAt(p) + ((<usize>p.features * <usize>p.classes) << 2);
}
/** Row i of the lower triangle of a symmetric matrix, in cells. */
// @ts-ignore: decorator
@inline
export function triangle(i: usize): usize {
  return (i * (i + 1)) >> 1;
}

/**
 * Adds the example whose features are encoded, of class `label`, or takes it away: all of it, or nothing where a sum would leave
 * 0..2^32 − 1.
 *
 * @param add 1 or −1
 * @returns whether the sums have changed
 */
export function addExample(p: Plan, label: u32, add: i32): bool {
  if (p.form == STEP) {
    score(p, false);
    shares(p, label);
  }
  if (change(p, label, add)) return true;
  change(p, label, -add); // sums are modulo 2^32: what has passed an end comes back
  return false;
}

/** plan.scores ← each class's part of FINER: probabilities are cumulated and cut, where the example's hash says; they add up to FINER. */
function shares(p: Plan, label: u32): void {
  let hash = hashOn(0, label);
  for (let i: usize = 0; i < <usize>p.count; ++i) {
    hash = hashOn(hash, (<u32>load<u16>(<usize>p.ids + (i << 1)) << 8) ^ valueOf(p, i));
  }
  const cut = spread(hash) >> (2 + FINER_BITS); // below one unit of 2^30 / FINER
  const last = <usize>p.classes - 1;
  let cumulated = cut;
  let before: u32 = 0;
  for (let c: usize = 0; c <= last; ++c) {
    const probability = load<f32>(<usize>p.probabilities + (c << 2));
    cumulated += probability > 0 ? <u32>(probability * <f32>1073741824) : 0; // no number where weights are none
    const until = c == last ? FINER : min<u32>(FINER, cumulated >> (30 - FINER_BITS));
    store<u32>(<usize>p.scores + (c << 2), until - before);
    before = until;
  }
}

/** False where a sum has passed an end; all are changed nevertheless. */
function change(p: Plan, label: u32, add: i32): bool {
  let fits = addTo(<usize>p.sums, 1, add);
  fits = addTo(<usize>p.sums + ((1 + <usize>label) << 2), 1, add) && fits;
  const classes = <usize>p.classes;
  for (let i: usize = 0; i < <usize>p.count; ++i) {
    const row = <usize>load<u16>(<usize>p.ids + (i << 1)) * classes;
    const value = valueOf(p, i);
    fits = addTo(observedAt(p) + ((row + <usize>label) << 2), value, add) && fits;
    if (p.form != STEP) continue;
    for (let c: usize = 0; c < classes; ++c) {
      fits = addTo(secondAt(p) + ((row + c) << 2), value * load<u32>(<usize>p.scores + (c << 2)), add) && fits;
    }
  }
  if (p.form == RIDGE) fits = addGram(p, add) && fits;
  return fits;
}

/** Gram (D (D + 1) / 2) += x ⊗ x, in the lower triangle, of the whole vector: features that come twice are added up first. */
function addGram(p: Plan, add: i32): bool {
  const dense = <usize>p.scratch; // (D) u32
  const features = <usize>p.features;
  memory.fill(dense, 0, features << 2);
  for (let i: usize = 0; i < <usize>p.count; ++i) {
    const at = dense + (<usize>load<u16>(<usize>p.ids + (i << 1)) << 2);
    store<u32>(at, load<u32>(at) + valueOf(p, i));
  }
  let fits = true;
  for (let i: usize = 0; i < features; ++i) {
    const value = load<u32>(dense + (i << 2));
    if (value == 0) continue;
    const row = secondAt(p) + (triangle(i) << 2);
    for (let j: usize = 0; j <= i; ++j) {
      const other = load<u32>(dense + (j << 2));
      if (other != 0) fits = addTo(row + (j << 2), value * other, add) && fits;
    }
  }
  return fits;
}

// @ts-ignore: decorator
@inline
function addTo(at: usize, value: u32, add: i32): bool {
  const sum = load<u32>(at);
  store<u32>(at, sum + add * value);
  return value <= (sum ^ flipOf(add));
}
