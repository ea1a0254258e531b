// One match of explicit self-attention: how many of the last tokens recur at a place, and what followed it.
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
  return list(order, follower, found, outMatches, outTotals);
}

/** Lists a match, and counts it for each order up to its own. */
export function list(order: i32, follower: u32, found: i32, outMatches: usize, outTotals: usize): i32 {
  for (let o: usize = 0; o < <usize>order; ++o) {
    const total = outTotals + (o << 2);
    store<i32>(total, load<i32>(total) + 1);
  }
  store<u32>(outMatches + (<usize>found << 2), (order << 16) | follower);
  return found + 1;
}
