// Comparisons of history attention (ours): where in the history the last l tokens have stood before, and what followed.
// c^(l) = Π_{i<l} ⟨x_i, x_{j+i}⟩ of one-hot rows is 1 exactly there, so a comparison is an equality of ids.
import { ABSENT, HISTORY, INDEXED, LONG, LONGEST, MATCH_LENGTH, V } from "../shape";
import { Candidates, offer } from "./candidates";
import { eightTokensAt, fourTokensAt, History, newestOf, newestOfPair, nextOf, nextOfPair, pairHash, tokenAt, tokenBefore } from "./history";
import { addMatch, COMPARED, hasRoom, listMatch, Matches, totalOf } from "./matches";

/** In another text one token alone recurs for no reason: its followers made predictions worse (docs/learning.md). */
const LEAST_RECALLED: i32 = 2;
/** Places of the last token, and of the last two, that an index leads to: the newest. More of either is no better (docs/method.md). */
const TOKENS_FOLLOWED: i32 = 128;
const PAIRS_FOLLOWED: i32 = 256;

/**
 * Lists the earlier places of the history whose last tokens equal the newest ones, newest place first, each with the longest match that
 * holds: all of them up to MOST_MATCHES, or where there is an index those that it leads to. What is looked at is offered as a long match.
 */
export function findMatches(history: History, outMatches: Matches, outCandidates: Candidates): void {
  outMatches.count = 0;
  for (let l: usize = 0; l < <usize>MATCH_LENGTH; ++l) store<i32>(totalOf(outMatches, l), 0);
  const pivot = tokenBefore(history, 0);
  if (pivot == ABSENT) return;
  if (INDEXED != 0) followIndex(history, outMatches, outCandidates);
  else compareAll(history, pivot, outMatches, outCandidates);
}

/** Whether there is a use for more: long matches may be older than what is listed, but not longer than the longest. */
// @ts-ignore: decorator
@inline
function wantsMore(matches: Matches, candidates: Candidates): bool {
  return hasRoom(matches) || (LONG != 0 && <i32>candidates.least < LONGEST);
}

function compareAll(history: History, pivot: u32, outMatches: Matches, outCandidates: Candidates): void {
  const newest = history.newest;
  if (ASC_FEATURE_SIMD) {
    const wanted = i16x8.splat(<i16>pivot);
    const first = newest & ~7;
    // blocks of eight, backwards from the newest's own, which is seen twice: its places before the newest, at the end those after
    for (let n: u32 = 0; n <= <u32>HISTORY && wantsMore(outMatches, outCandidates); n += 8) {
      const base = (first - n) & (HISTORY - 1);
      let mask = i16x8.bitmask(i16x8.eq(eightTokensAt(history, base), wanted));
      if (n == 0) mask &= (1 << (newest & 7)) - 1;
      else if (n == HISTORY) mask &= ~((2 << (newest & 7)) - 1);
      while (mask != 0 && wantsMore(outMatches, outCandidates)) {
        const lane = 31 - clz<i32>(mask);
        mask ^= 1 << lane;
        addMatch(history, base + lane, outMatches, outCandidates);
      }
    }
  } else {
    const wanted = <u64>pivot * 0x0001000100010001;
    const first = newest & ~3;
    for (let n: u32 = 0; n <= <u32>HISTORY && wantsMore(outMatches, outCandidates); n += 4) {
      const base = (first - n) & (HISTORY - 1);
      let mask = equalTokens(fourTokensAt(history, base), wanted);
      if (n == 0) mask &= (<u64>1 << (<u64>(newest & 3) << 4)) - 1;
      else if (n == HISTORY) mask &= ~((<u64>0x10000 << (<u64>(newest & 3) << 4)) - 1);
      while (mask != 0 && wantsMore(outMatches, outCandidates)) {
        const lane = 3 - <i32>(clz<u64>(mask) >> 4);
        mask ^= <u64>0x8000 << (<u64>lane << 4);
        addMatch(history, base + lane, outMatches, outCandidates);
      }
    }
  }
}

/**
 * Lists the matches that the index leads to: the newest TOKENS_FOLLOWED places of the last token; where there are more of them, then
 * what matches the last two tokens among the next PAIRS_FOLLOWED places whose pair has the same hash.
 *
 * A link may lead to a place that has been overwritten since. Such a place is younger than the one it is reached from, or its tokens are
 * others; either ends the walk, and all that would follow is no longer in the ring.
 */
function followIndex(history: History, outMatches: Matches, outCandidates: Candidates): void {
  const newest = history.newest;
  const token = tokenBefore(history, 0);
  let age: u32 = 0; // of the last place looked at
  let at = newestOf(history, token);
  for (let followed = 0; followed < TOKENS_FOLLOWED; ++followed) {
    const older = (newest - at) & (HISTORY - 1);
    if (older <= age || tokenAt(history, at) != token) return;
    age = older;
    addMatch(history, at, outMatches, outCandidates);
    at = nextOf(history, at);
  }
  const before = tokenBefore(history, 1);
  if (before == ABSENT) return;
  const wanted = pairHash(before, token);
  const listed = age;
  age = 0;
  at = newestOfPair(history, wanted);
  for (let followed = 0; followed < PAIRS_FOLLOWED; ) {
    const older = (newest - at) & (HISTORY - 1);
    if (older <= age || older > <u32>(HISTORY - 2)) break; // the oldest token's predecessor is gone
    age = older;
    const own = tokenAt(history, at);
    const ownBefore = tokenAt(history, at - 1);
    if (own == ABSENT || ownBefore == ABSENT || pairHash(ownBefore, own) != wanted) break;
    if (older > listed) {
      ++followed;
      if (own == token && ownBefore == before) addMatch(history, at, outMatches, outCandidates);
    }
    at = nextOfPair(history, at);
  }
}

/**
 * The top bit of each of four tokens that equals the wanted one's: a token xor itself is 0, and only 0 has no bit after 0x7fff was added.
 */
// @ts-ignore: decorator
@inline
function equalTokens(tokens: u64, wanted: u64): u64 {
  const differing = tokens ^ wanted;
  return ~(((differing & 0x7fff7fff7fff7fff) + 0x7fff7fff7fff7fff) | differing | 0x7fff7fff7fff7fff);
}

/**
 * Adds the matches of what is read beside the history, newest place first, until there are MOST_MATCHES in all: no call takes
 * longer than its bound, and what is left out is oldest.
 *
 * @param recalled (length) u16 token ids, oldest first; ABSENT between texts. A firmware writes it: any other id ≥ V counts as that
 * @param place tokens of the text itself: what is recalled stands before them
 */
export function recallMatches(
  recalled: usize,
  length: i32,
  history: History,
  place: u32,
  outMatches: Matches,
  outCandidates: Candidates,
): void {
  const pivot = tokenBefore(history, 0);
  if (pivot == ABSENT) return;
  const now = place + length - 1; // place of the newest token, counted from the oldest that is recalled
  let at = length - 2; // the newest token has no follower
  if (ASC_FEATURE_SIMD) {
    const wanted = i16x8.splat(<i16>pivot);
    for (; at >= 7 && wantsMore(outMatches, outCandidates); at -= 8) {
      const first = at - 7;
      let mask = i16x8.bitmask(i16x8.eq(v128.load(recalled + (<usize>first << 1)), wanted));
      while (mask != 0 && wantsMore(outMatches, outCandidates)) {
        const lane = 31 - clz<i32>(mask);
        mask ^= 1 << lane;
        addRecalled(recalled, first + lane, history, now, outMatches, outCandidates);
      }
    }
  }
  for (; at >= 0 && wantsMore(outMatches, outCandidates); --at) {
    if (<u32>load<u16>(recalled + (<usize>at << 1)) == pivot)
      addRecalled(recalled, at, history, now, outMatches, outCandidates);
  }
}

function addRecalled(
  recalled: usize,
  at: i32,
  history: History,
  now: u32,
  outMatches: Matches,
  outCandidates: Candidates,
): void {
  const place = recalled + (<usize>at << 1);
  const follower = <u32>load<u16>(place, 2);
  if (follower >= <u32>V) return; // it is written where the id says
  const reach = min<i32>(COMPARED, at + 1);
  if (LONG != 0 && !hasRoom(outMatches)) {
    // what cannot be longer than the shortest candidate is of no use
    const least = <i32>outCandidates.least;
    if (least >= reach || <u32>load<u16>(place - (<usize>least << 1)) != tokenBefore(history, least)) return;
  }
  let length = 1;
  while (length < reach) {
    const token = tokenBefore(history, length);
    if (token == ABSENT || token != <u32>load<u16>(place - (<usize>length << 1))) break;
    ++length;
  }
  if (length < LEAST_RECALLED) return;
  offer(outCandidates, length, follower, length < reach ? <u32>load<u16>(place - (<usize>length << 1)) : ABSENT);
  listMatch(length, follower, now - <u32>at, outMatches);
}
