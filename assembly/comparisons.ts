// Comparisons of explicit self-attention (ours): where in the ring the last o tokens have stood before, and what followed.
// c^(o) = Π_{i<o} ⟨x_i, x_{j+i}⟩ of one-hot rows is 1 exactly there, so a comparison is an equality of ids.
import { followChains } from "./chains";
import { addMatch, list } from "./matches";
import { ABSENT, CHAINED, MOST_MATCHES, ORDERS, RADIAL, V } from "./shape";

/** In another text one token alone recurs for no reason: its followers made predictions worse (docs/learning.md). */
const LEAST_RECALLED: i32 = 2;

/**
 * Lists the earlier places of the ring whose last tokens equal the newest ones, newest place first: all of them, or where the ring is
 * long those that its chains lead to.
 *
 * @param ring (R) u16 token ids, position p of the stream at p mod R; ABSENT where nothing stands yet
 * @param chains of chains.ts; unused where the ring has none
 * @param newest index in the ring of the latest token
 * @param outMatches (MOST_MATCHES) u32 of matches.ts, each of the longest order that holds
 * @param outTotals (ORDERS) i32, number of matches of order at least o + 1
 * @returns number of matches listed
 */
export function findMatches(ring: usize, chains: usize, newest: u32, outMatches: usize, outTotals: usize): i32 {
  for (let o: usize = 0; o < <usize>ORDERS; ++o) store<i32>(outTotals + (o << 2), 0);
  const pivot = <u32>load<u16>(ring + (newest << 1));
  if (pivot == ABSENT) return 0;
  if (CHAINED) return followChains(ring, chains, newest, outMatches, outTotals);
  let found = 0;
  if (ASC_FEATURE_SIMD) {
    const wanted = i16x8.splat(<i16>pivot);
    const first = newest & ~7;
    // blocks of eight, backwards from the newest's own, which is seen twice: its places before the newest, at the end those after
    for (let n: u32 = 0; n <= <u32>RADIAL; n += 8) {
      const base = (first - n) & (RADIAL - 1);
      let mask = i16x8.bitmask(i16x8.eq(v128.load(ring + (base << 1)), wanted));
      if (n == 0) mask &= (1 << (newest & 7)) - 1;
      else if (n == RADIAL) mask &= ~((2 << (newest & 7)) - 1);
      while (mask != 0) {
        const lane = 31 - clz<i32>(mask);
        mask ^= 1 << lane;
        found = addMatch(ring, newest, base + lane, found, outMatches, outTotals);
      }
    }
  } else {
    for (let back: u32 = 1; back < <u32>RADIAL; ++back) {
      const at = (newest - back) & (RADIAL - 1);
      if (<u32>load<u16>(ring + (at << 1)) == pivot) found = addMatch(ring, newest, at, found, outMatches, outTotals);
    }
  }
  return found;
}

/**
 * Adds the matches of a memory that is read beside the ring, newest place first, until there are MOST_MATCHES in all: no call takes longer
 * than its bound, and what is left out is oldest.
 *
 * @param recalled (length) u16 token ids, oldest first; ABSENT between texts. A firmware writes it: any other id ≥ V counts as that
 * @param place tokens of the text itself: what is recalled stands before them
 * @param found matches listed so far
 * @returns number of matches listed
 */
export function recallMatches(
  recalled: usize,
  length: i32,
  ring: usize,
  newest: u32,
  place: u32,
  found: i32,
  outMatches: usize,
  outTotals: usize,
): i32 {
  const pivot = <u32>load<u16>(ring + (newest << 1));
  if (pivot == ABSENT) return found;
  const now = place + length - 1; // place of the newest token, counted from the oldest that is recalled
  let at = length - 2; // the newest token has no follower
  if (ASC_FEATURE_SIMD) {
    const wanted = i16x8.splat(<i16>pivot);
    for (; at >= 7 && found < MOST_MATCHES; at -= 8) {
      const first = at - 7;
      let mask = i16x8.bitmask(i16x8.eq(v128.load(recalled + (<usize>first << 1)), wanted));
      while (mask != 0 && found < MOST_MATCHES) {
        const lane = 31 - clz<i32>(mask);
        mask ^= 1 << lane;
        found = addRecalled(recalled, first + lane, ring, newest, now, found, outMatches, outTotals);
      }
    }
  }
  for (; at >= 0 && found < MOST_MATCHES; --at) {
    if (<u32>load<u16>(recalled + (<usize>at << 1)) == pivot) {
      found = addRecalled(recalled, at, ring, newest, now, found, outMatches, outTotals);
    }
  }
  return found;
}

function addRecalled(
  recalled: usize,
  at: i32,
  ring: usize,
  newest: u32,
  now: u32,
  found: i32,
  outMatches: usize,
  outTotals: usize,
): i32 {
  const place = recalled + (<usize>at << 1);
  const follower = <u32>load<u16>(place, 2);
  if (follower >= <u32>V) return found; // it is written where the id says
  const reach = min<i32>(ORDERS, at + 1);
  let order = 1;
  while (order < reach) {
    const token = load<u16>(ring + (((newest - order) & (RADIAL - 1)) << 1));
    if (<u32>token == ABSENT || token != load<u16>(place - (<usize>order << 1))) break;
    ++order;
  }
  return order < LEAST_RECALLED ? found : list(order, follower, now - <u32>at, found, outMatches, outTotals);
}
