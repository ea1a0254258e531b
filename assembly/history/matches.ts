// One match of history attention: how many of the last tokens recur at a place, what followed it, and how much it weighs. A match is a
// u32: the follower's id in the low 16 bits, its length (1 to MATCH_LENGTH) in the next three, in the rest the leading bits of its weight.
import { ABSENT, HISTORY, LONG, LONGEST, MATCH_LENGTH, MOST_MATCHES, REMEMBERS, V } from "../shape";
import { Candidates, offer } from "./candidates";
import { History, tokenAt, tokenBefore } from "./history";

/** The matches of one prediction. The tensors stand right behind the record: one address names them all. */
@unmanaged
export class Matches {
  count: i32; // matches listed
}

/** (MOST_MATCHES) u32. */
const LIST_AT: usize = 16;
/** (MATCH_LENGTH) i32, number of matches of length at least l + 1. */
const TOTALS_AT: usize = LIST_AT + 4 * MOST_MATCHES;
/** (MATCH_LENGTH) i32, distinct followers among them. */
const DISTINCT_AT: usize = TOTALS_AT + 4 * MATCH_LENGTH;
/** (V) u8 scratch, zero between calls. */
const SEEN_AT: usize = DISTINCT_AT + 4 * MATCH_LENGTH;
/** Bytes of matches. */
export const MATCHES_BYTES: i32 = <i32>SEEN_AT + REMEMBERS * V;

/** Where the first match is listed. */
// @ts-ignore: decorator
@inline
export function firstMatch(matches: Matches): usize {
  return changetype<usize>(matches) + LIST_AT;
}
/** Behind the last one. */
// @ts-ignore: decorator
@inline
export function endOfMatches(matches: Matches): usize {
  return firstMatch(matches) + (<usize>matches.count << 2);
}
/** (V) u8 scratch, zero between calls. */
// @ts-ignore: decorator
@inline
export function seenOf(matches: Matches): usize {
  return changetype<usize>(matches) + SEEN_AT;
}
/** Where the number of matches of length at least l + 1 stands, an i32. */
// @ts-ignore: decorator
@inline
export function totalOf(matches: Matches, l: usize): usize {
  return changetype<usize>(matches) + TOTALS_AT + (l << 2);
}
/** Where that of their distinct followers stands. */
// @ts-ignore: decorator
@inline
export function distinctOf(matches: Matches, l: usize): usize {
  return changetype<usize>(matches) + DISTINCT_AT + (l << 2);
}

/** Tokens that a match is compared over. */
export const COMPARED: i32 = LONG != 0 ? LONGEST : MATCH_LENGTH;

/** Lists the place at index `at` of the ring, whose token is the newest one's, while there is room, and offers it as a long match. */
export function addMatch(history: History, at: u32, matches: Matches, candidates: Candidates): void {
  const follower = tokenAt(history, at + 1);
  if (follower == ABSENT) return; // the last token before a break: nothing followed it
  const age = (history.newest - at) & (HISTORY - 1);
  const reach = min<u32>(COMPARED, HISTORY - age); // no further back than the ring's oldest token
  if (LONG != 0 && !hasRoom(matches)) {
    // what cannot be longer than the shortest candidate is of no use
    const least = candidates.least;
    if (least >= reach || tokenAt(history, at - least) != tokenBefore(history, least)) return;
  }
  let length = 1;
  while (length < <i32>reach) {
    const token = tokenBefore(history, length);
    if (token == ABSENT || token != tokenAt(history, at - length)) break;
    ++length;
  }
  offer(candidates, length, follower, length < <i32>reach ? tokenAt(history, at - length) : ABSENT);
  listMatch(length, follower, age, matches);
}

/** Lists a match that stands `age` tokens back, at least one, while there is room, and counts it for each length up to its own. */
export function listMatch(compared: i32, follower: u32, age: u32, matches: Matches): void {
  if (!hasRoom(matches)) return;
  const length = min<i32>(MATCH_LENGTH, compared);
  for (let l: usize = 0; l < <usize>length; ++l) {
    const total = totalOf(matches, l);
    store<i32>(total, load<i32>(total) + 1);
  }
  const match = weightBits(age) | ((<u32>length) << LENGTH_SHIFT) | follower;
  store<u32>(endOfMatches(matches), match);
  ++matches.count;
}

/** Whether another match can be listed: of a ring no longer than the list it always can, but for what is recalled. */
// @ts-ignore: decorator
@inline
export function hasRoom(matches: Matches): bool {
  return matches.count < MOST_MATCHES;
}

/** Counts the distinct followers among the matches of each length. */
export function countDistinct(matches: Matches): void {
  memory.fill(distinctOf(matches, 0), 0, MATCH_LENGTH << 2);
  const seen = changetype<usize>(matches) + SEEN_AT;
  const end = endOfMatches(matches);
  for (let at = firstMatch(matches); at < end; at += 4) {
    const match = load<u32>(at);
    const place = seen + followerOf(match);
    const length = lengthOf(match);
    for (let l = <u32>load<u8>(place); l < length; ++l) {
      const distinct = distinctOf(matches, l);
      store<i32>(distinct, load<i32>(distinct) + 1);
    }
    if (length > <u32>load<u8>(place)) store<u8>(place, <u8>length);
  }
  for (let at = firstMatch(matches); at < end; at += 4) store<u8>(seen + followerOf(load<u32>(at)), 0);
}

/** Where the length stands, and from which bit on the weight. */
const LENGTH_SHIFT: u32 = 16;
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
 * Weighs the matches by the network as well: times p^¼ of what followed (ours), cut as before.
 *
 * @param matches each with the weight of its age
 * @param probabilities (V) f32
 */
export function weighByNetwork(matches: Matches, probabilities: usize): void {
  const end = endOfMatches(matches);
  for (let at = firstMatch(matches); at < end; at += 4) {
    const match = load<u32>(at);
    const p = max<f32>(LEAST, load<f32>(probabilities + (followerOf(match) << 2)));
    const weight = weightOf(match) * sqrt<f32>(sqrt<f32>(p));
    store<u32>(at, bitsOf(weight) | (match & ((1 << WEIGHT_SHIFT) - 1)));
  }
}

/** The weight of a match, in (0, 1]. */
// @ts-ignore: decorator
@inline
export function weightOf(match: u32): f32 {
  return reinterpret<f32>((match >> WEIGHT_SHIFT) << DROPPED);
}

/** The length of a match. */
// @ts-ignore: decorator
@inline
export function lengthOf(match: u32): u32 {
  return (match >> LENGTH_SHIFT) & 7;
}

/** The token that followed a match. */
// @ts-ignore: decorator
@inline
export function followerOf(match: u32): u32 {
  return match & 0xffff;
}
