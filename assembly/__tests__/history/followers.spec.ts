import { candidateFollower, candidateLength, candidateOf, clearCandidates, offer } from "../../history/candidates";
import { countFollowers, countOf, followerAt, followerOf, Followers, sumsOf } from "../../history/followers";
import { ABSENT, LENGTHS, LONGEST, MOST_LONG, V } from "../../shape";
import { candidates } from "../candidates";
import { below, mark, startValues, untouched } from "../support";

/** The record, the list and the sums. */
const BYTES: usize = 16 + 20 * MOST_LONG + 20 * LENGTHS;
const RECORD = memory.data(16 + 20 * MOST_LONG + 20 * LENGTHS + 16, 16);
const followers = changetype<Followers>(RECORD);
const SEEN = memory.data(V + 16, 16);

/** Lengths that are told apart. */
const LENGTH: StaticArray<i32> = [1, 2, 3, 4, 6, 8, 12, 20];
/** Up to this one contexts are counted. */
const CONTEXTS = 4;

/** How often `token` followed a match of so many tokens, by definition: each context once, all that go further being one; else places. */
function countNaively(token: i32, length: i32): i32 {
  let further = 0;
  let contexts = 0;
  for (let i: u32 = 0; i < candidates.count; ++i) {
    if (candidateFollower(candidates, i) != <u32>token) continue;
    const own = <i32>candidateLength(candidates, i);
    if (own > length || (own == length && length > CONTEXTS)) ++further;
    if (own != length || length > CONTEXTS) continue;
    let known = false;
    for (let j: u32 = 0; j < i; ++j) known = known || candidateOf(candidates, j) == candidateOf(candidates, i);
    if (!known) ++contexts;
  }
  return length > CONTEXTS ? further : contexts + min(1, further);
}

/** What is not as the definition says: of all followers and lengths. */
function wrong(): i32 {
  let n = 0;
  let many: u32 = 0;
  // in the order in which they were found first
  for (let i: u32 = 0; i < candidates.count; ++i) {
    const token = candidateFollower(candidates, i);
    let first = true;
    let longest: u32 = 0;
    for (let j: u32 = 0; j < candidates.count; ++j) {
      if (candidateFollower(candidates, j) != token) continue;
      if (j < i) first = false;
      longest = max(longest, candidateLength(candidates, j));
    }
    if (!first) continue;
    const follower = followerAt(followers, many++);
    if (<u32>follower.token != token || <u32>follower.longest != longest) ++n;
    for (let k = 0; k < LENGTHS; ++k) if (<i32>countOf(follower, k) != countNaively(token, LENGTH[k])) ++n;
  }
  for (let k = 0; k < LENGTHS; ++k) {
    let places = 0;
    let distinct = 0;
    for (let i: u32 = 0; i < candidates.count; ++i) places += i32(<i32>candidateLength(candidates, i) >= LENGTH[k]);
    for (let i: u32 = 0; i < many; ++i) distinct += i32(<i32>followerAt(followers, i).longest >= LENGTH[k]);
    const sums = sumsOf(followers, k);
    if (sums.places != places || sums.distinct != distinct || sums.evidence != 0 || sums.value != 0) ++n;
  }
  for (let v = 0; v < V; ++v) if (load<u8>(SEEN + v) != 0) ++n;
  return n + i32(followers.count != many);
}

describe("what followed the long matches", () => {
  test("is counted as the definition says, length by length, whatever was counted before", () => {
    startValues(1);
    mark(RECORD, BYTES + 16);
    for (let run = 0; run < 400; ++run) {
      clearCandidates(candidates);
      const many = below(2 * MOST_LONG);
      const longest = 1 + below(run % 2 == 0 ? 5 : LONGEST);
      const alphabet = 1 + below(run % 3 == 0 ? 3 : V);
      for (let i = 0; i < many; ++i) {
        offer(candidates, 1 + below(longest), below(alphabet), below(5) == 0 ? ABSENT : below(4));
      }
      countFollowers(candidates, SEEN, followers);
      expect(wrong()).toBe(0, "run " + run.toString());
    }
    expect(untouched(RECORD + BYTES, 16)).toBe(true);
  });

  test("is as many tokens as there are matches, at the most", () => {
    clearCandidates(candidates);
    for (let i = 0; i < MOST_LONG; ++i) offer(candidates, 1 + (i % LONGEST), i % V, i);
    countFollowers(candidates, SEEN, followers);
    expect(followers.count).toBe(min(V, MOST_LONG));
    expect(wrong()).toBe(0);
    clearCandidates(candidates);
    for (let i = 0; i < MOST_LONG; ++i) offer(candidates, LONGEST, 3, ABSENT);
    countFollowers(candidates, SEEN, followers);
    expect(wrong()).toBe(0);
    expect(countOf(followerAt(followers, 0), LENGTHS - 1)).toBe(MOST_LONG);
    expect(countOf(followerAt(followers, 0), 0)).toBe(1);
  });

  test("is found by its token, and nothing by others", () => {
    clearCandidates(candidates);
    offer(candidates, 2, 5, 1);
    offer(candidates, 3, 7, 1);
    countFollowers(candidates, SEEN, followers);
    expect(changetype<usize>(followerOf(followers, 7))).toBe(changetype<usize>(followerAt(followers, 1)));
    expect(changetype<usize>(followerOf(followers, 6))).toBe(0);
    clearCandidates(candidates);
    countFollowers(candidates, SEEN, followers);
    expect(followers.count).toBe(0);
    expect(changetype<usize>(followerOf(followers, 7))).toBe(0);
  });
});
