// One match of explicit self-attention: how many of the last tokens recur at a place, what followed it, and how much it weighs. A match
// is a u32: the follower's id in the low 16 bits, its order (1 to ORDERS) in the next three, in the rest the leading bits of its weight.
import { ABSENT, ORDERS, RADIAL } from "./shape";

/** Lists the place `at` of the ring, whose token is the newest one's. Returns the number of matches listed. */
export function addMatch(ring: usize, newest: u32, at: u32, found: i32, outMatches: usize, outTotals: usize): i32 {
  const follower = <u32>load<u16>(ring + (((at + 1) & (RADIAL - 1)) << 1));
  if (follower == ABSENT) return found; // the last token before a break: nothing followed it
  const reach = min<u32>(ORDERS, RADIAL - ((newest - at) & (RADIAL - 1))); // no further back than the ring's oldest token
  let order = 1;
  while (order < <i32>reach) {
    const token = load<u16>(ring + (((newest - order) & (RADIAL - 1)) << 1));
    if (<u32>token == ABSENT || token != load<u16>(ring + (((at - order) & (RADIAL - 1)) << 1))) break;
    ++order;
  }
  return list(order, follower, (newest - at) & (RADIAL - 1), found, outMatches, outTotals);
}

/** Lists a match that stands `age` tokens back, at least one, and counts it for each order up to its own. */
export function list(order: i32, follower: u32, age: u32, found: i32, outMatches: usize, outTotals: usize): i32 {
  for (let o: usize = 0; o < <usize>order; ++o) {
    const total = outTotals + (o << 2);
    store<i32>(total, load<i32>(total) + 1);
  }
  store<u32>(outMatches + (<usize>found << 2), weightBits(age) | ((<u32>order) << ORDER_SHIFT) | follower);
  return found + 1;
}

/** Where the order stands, and from which bit on the weight. */
const ORDER_SHIFT: u32 = 16;
const WEIGHT_SHIFT: u32 = 19;
/** Bits of an f32 that are left out of a weight: what stays is its exponent and five bits of its fraction. */
const DROPPED: u32 = 31 - (32 - WEIGHT_SHIFT);

/** What follows a match counts the less the longer ago that was: 1 / sqrt(age) (ours), rounded down to six leading bits. */
// @ts-ignore: decorator
@inline
function weightBits(age: u32): u32 {
  return bitsOf(<f32>1 / sqrt<f32>(<f32>max<u32>(1, age)));
}

// @ts-ignore: decorator
@inline
function bitsOf(weight: f32): u32 {
  return (reinterpret<u32>(weight) >> DROPPED) << WEIGHT_SHIFT;
}

/** The smallest normal number: no weight is 0. */
const LEAST: f32 = 1.1754944e-38;

/**
 * Weighs the matches by the stack as well: times p^¼ of what followed (ours), cut as before.
 *
 * @param matches (n) u32, each with the weight of its age
 * @param probabilities (V) f32
 */
export function weighByStack(matches: usize, n: i32, probabilities: usize): void {
  for (const end = matches + (<usize>n << 2); matches < end; matches += 4) {
    const match = load<u32>(matches);
    const p = max<f32>(LEAST, load<f32>(probabilities + (followerOf(match) << 2)));
    const weight = weightOf(match) * sqrt<f32>(sqrt<f32>(p));
    store<u32>(matches, bitsOf(weight) | (match & ((1 << WEIGHT_SHIFT) - 1)));
  }
}

/** The weight of a match, in (0, 1]. */
// @ts-ignore: decorator
@inline
export function weightOf(match: u32): f32 {
  return reinterpret<f32>((match >> WEIGHT_SHIFT) << DROPPED);
}

/** The order of a match. */
// @ts-ignore: decorator
@inline
export function orderOf(match: u32): u32 {
  return (match >> ORDER_SHIFT) & 7;
}

/** The token that followed a match. */
// @ts-ignore: decorator
@inline
export function followerOf(match: u32): u32 {
  return match & 0xffff;
}
