// Long matches: of all places of the history and of the memory that the last tokens recur at, the MOST_LONG longest; among equals those
// that were found first. A candidate has eight bytes: the follower's id, u16; the length, 1 to LONGEST, u8; the index of the one of that
// length that was found before it, u8; and the token before the match, u32, by which equal lengths are told to be of different contexts.
import { ABSENT, LONG, MOST_LONG, V } from "../shape";

/** The long matches of one prediction. The tensors stand right behind the record. */
@unmanaged
export class Candidates {
  count: u32;
  /** Matches no longer than that are left out: 0 while there is room. */
  least: u32;
  /** The longest one's length, 0 for none, and the follower of the first of that length. */
  longest: u32;
  guess: u32;
}

/** (MOST_LONG) of 8 bytes. */
const LIST_AT: usize = 16;
/** (24) u8: of each length the index of the candidate that was found last. */
const LAST_AT: usize = LIST_AT + 8 * MOST_LONG;
const NONE: u8 = 0xff;
/** Bytes from a candidate to its link, and what a candidate is without it. */
const LINK: usize = 3;
const WITHOUT_LINK: u64 = 0xffffffff00ffffff;

/** Leaves none. */
export function clearCandidates(candidates: Candidates): void {
  candidates.count = 0;
  candidates.least = 0;
  candidates.longest = 0;
  candidates.guess = ABSENT;
  memory.fill(changetype<usize>(candidates) + LAST_AT, NONE, 24);
}

/** Where the candidate at an index of the list stands. */
// @ts-ignore: decorator
@inline
function candidateAt(candidates: Candidates, index: u32): usize {
  return changetype<usize>(candidates) + LIST_AT + (<usize>index << 3);
}

/** The follower of the candidate at an index. */
// @ts-ignore: decorator
@inline
export function candidateFollower(candidates: Candidates, index: u32): u32 {
  return <u32>load<u16>(candidateAt(candidates, index));
}
/** Its length. */
// @ts-ignore: decorator
@inline
export function candidateLength(candidates: Candidates, index: u32): u32 {
  return <u32>load<u8>(candidateAt(candidates, index), 2);
}
/** Follower, length and the token before the match, in one number. */
// @ts-ignore: decorator
@inline
export function candidateOf(candidates: Candidates, index: u32): u64 {
  return load<u64>(candidateAt(candidates, index)) & WITHOUT_LINK;
}

/** Where the index stands of the candidate of a length that was found last; NONE for none. */
// @ts-ignore: decorator
@inline
function lastOf(candidates: Candidates, length: u32): usize {
  return changetype<usize>(candidates) + LAST_AT + <usize>length;
}

/**
 * Takes a match into the list where there is room; else, where it is longer than the shortest there, in place of the one of those that was found
 * last.
 *
 * @param length at least 1, at most LONGEST
 * @param follower any u16: what is no token is left out
 * @param before the token before the match, ABSENT for none
 */
export function offer(candidates: Candidates, length: u32, follower: u32, before: u32): void {
  if (LONG == 0 || length <= candidates.least || follower >= <u32>V) return;
  if (length > candidates.longest) {
    candidates.longest = length;
    candidates.guess = follower;
  }
  let index = candidates.count;
  if (index < <u32>MOST_LONG) candidates.count = index + 1;
  else {
    const last = lastOf(candidates, candidates.least);
    index = <u32>load<u8>(last);
    store<u8>(last, load<u8>(candidateAt(candidates, index), LINK));
  }
  const last = lastOf(candidates, length);
  const at = candidateAt(candidates, index);
  store<u16>(at, <u16>follower);
  store<u8>(at, <u8>length, 2);
  store<u8>(at, load<u8>(last), LINK);
  store<u32>(at, before, 4);
  store<u8>(last, <u8>index);
  if (candidates.count < <u32>MOST_LONG) return;
  let least = max<u32>(1, candidates.least);
  while (load<u8>(lastOf(candidates, least)) == NONE) ++least;
  candidates.least = least;
}
