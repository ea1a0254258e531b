// What followed the long matches, token by token: how often it did after a match of each length. Of the short lengths, contexts are
// counted, not places: a token counts once for each token that has stood before the match (Kneser & Ney 1995, "continuation counts"),
// as what is longer counts by itself.
import { LENGTHS, LONG, MOST_LONG } from "../shape";
import { candidateFollower, candidateLength, candidateOf, Candidates } from "./candidates";

/** The followers of one prediction, in the order in which they were found first. The tensors stand right behind the record. */
@unmanaged
export class Followers {
  count: u32;
}

/** One follower. */
@unmanaged
export class Follower {
  token: u16;
  longest: u8; // of its matches
  exact: u8; // bit l - 1: it has a match of exactly l tokens, up to CONTEXTS
  base: f32; // its probability without the long matches
  value: f32; // what it was made to by them, before all are brought to unit sum
  counts: u32; // (8) u8: contexts, or places, of each length
  more: u32;
}

/** What one length says: an entry of (LENGTHS). */
@unmanaged
export class LengthSums {
  places: i32; // matches of at least that length
  distinct: i32; // their followers; then the bucket
  evidence: f32; // Σ value · evidence of its followers
  value: f32; // Σ value
  own: f32; // evidence of the follower at hand
}

const LIST_AT: usize = 16;
const FOLLOWER_BYTES: usize = 20;
const COUNTS_AT: usize = offsetof<Follower>("counts");
const SUMS_AT: usize = LIST_AT + FOLLOWER_BYTES * MOST_LONG;
const SUM_BYTES: usize = 20;

/** Lengths up to this one are contexts; index and length less one are the same for them. */
const CONTEXTS: u32 = 4;

/** The follower at an index. */
// @ts-ignore: decorator
@inline
export function followerAt(followers: Followers, index: u32): Follower {
  return changetype<Follower>(changetype<usize>(followers) + LIST_AT + <usize>index * FOLLOWER_BYTES);
}
/** The sums of a length, by its index. */
// @ts-ignore: decorator
@inline
export function sumsOf(followers: Followers, k: u32): LengthSums {
  return changetype<LengthSums>(changetype<usize>(followers) + SUMS_AT + <usize>k * SUM_BYTES);
}
/** How often a token followed a match of the length of that index. */
// @ts-ignore: decorator
@inline
export function countOf(follower: Follower, k: u32): u32 {
  return <u32>load<u8>(changetype<usize>(follower) + k, COUNTS_AT);
}
// @ts-ignore: decorator
@inline
function addOne(follower: Follower, k: u32): void {
  const at = changetype<usize>(follower) + k;
  store<u8>(at, load<u8>(at, COUNTS_AT) + 1, COUNTS_AT);
}

/** How many of the lengths 1, 2, 3, 4, 6, 8, 12, 20 a match of `length` has. */
function lengthsOf(length: u32): u32 {
  if (length <= CONTEXTS) return length;
  return length < 6 ? 4 : length < 8 ? 5 : length < 12 ? 6 : length < 20 ? 7 : 8;
}

/**
 * Counts what followed.
 *
 * @param seen (V) u8 scratch, zero between calls
 */
export function countFollowers(candidates: Candidates, seen: usize, outFollowers: Followers): void {
  if (LONG == 0) return;
  outFollowers.count = 0;
  for (let k: u32 = 0; k < <u32>LENGTHS; ++k) {
    const sums = sumsOf(outFollowers, k);
    sums.places = 0;
    sums.distinct = 0;
    sums.evidence = 0;
    sums.value = 0;
  }
  for (let i: u32 = 0; i < candidates.count; ++i) {
    const token = candidateFollower(candidates, i);
    const length = candidateLength(candidates, i);
    const known = <u32>load<u8>(seen + token);
    const follower = followerAt(outFollowers, known > 0 ? known - 1 : outFollowers.count);
    if (known == 0) {
      follower.token = <u16>token;
      follower.longest = 0;
      follower.exact = 0;
      follower.counts = 0;
      follower.more = 0;
      store<u8>(seen + token, <u8>++outFollowers.count);
    }
    const lengths = lengthsOf(length);
    ++sumsOf(outFollowers, lengths - 1).places;
    for (let k = CONTEXTS; k < lengths; ++k) addOne(follower, k);
    const longest = <u32>follower.longest;
    // all that match further are one context, which the first of them counts
    for (let k = max<u32>(1, longest); k < length && k <= CONTEXTS; ++k) addOne(follower, k - 1);
    if (length <= CONTEXTS) {
      const bit: u8 = 1 << <u8>(length - 1);
      if ((follower.exact & bit) == 0 || isFirst(candidates, i)) addOne(follower, length - 1);
      follower.exact |= bit;
    }
    if (length > longest) follower.longest = <u8>length;
  }
  for (let i: u32 = 0; i < outFollowers.count; ++i) {
    const follower = followerAt(outFollowers, i);
    ++sumsOf(outFollowers, lengthsOf(follower.longest) - 1).distinct;
    store<u8>(seen + follower.token, 0);
  }
  // what has a length has those below it
  for (let k: u32 = <u32>LENGTHS - 1; k > 0; --k) {
    const sums = sumsOf(outFollowers, k);
    const below = sumsOf(outFollowers, k - 1);
    below.places += sums.places;
    below.distinct += sums.distinct;
  }
}

/** Whether no candidate before it has the same follower, length and token before. */
function isFirst(candidates: Candidates, index: u32): bool {
  const own = candidateOf(candidates, index);
  for (let i: u32 = 0; i < index; ++i) if (candidateOf(candidates, i) == own) return false;
  return true;
}

/** The follower that is `token`; null where it is none. */
export function followerOf(followers: Followers, token: u32): Follower | null {
  for (let i: u32 = 0; i < followers.count; ++i) {
    const follower = followerAt(followers, i);
    if (<u32>follower.token == token) return follower;
  }
  return null;
}
