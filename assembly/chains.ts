// Chains of a ring that is too long to be compared place by place (ours): from each place to the one before it with the same token, and
// to the one before it with the same pair of tokens. What a comparison costs is then bound by how far the chains are followed.
import { addMatch } from "./matches";
import { ABSENT, CHAINED, RADIAL, V } from "./shape";

/** Places of the last token, and of the last two, that are looked at: the newest. More of either is no better (docs/fitting.md). */
const TOKENS_FOLLOWED: i32 = 128;
const PAIRS_FOLLOWED: i32 = 256;
/** Pairs of tokens are told apart by so many hashes. */
const PAIRS: u32 = RADIAL / 4;
const PAIR_SHIFT: i32 = 32 - ctz<u32>(PAIRS);

// from the chains' address on
const TOKEN_LINKS: usize = V * 2; // (R) u16, after the newest place of each token, (V) u16
const PAIR_LINKS: usize = TOKEN_LINKS + RADIAL * 2; // (R) u16
const PAIR_NEWEST: usize = PAIR_LINKS + RADIAL * 2; // (PAIRS) u16
/** Bytes of the chains. */
export const CHAIN_BYTES: usize = CHAINED ? PAIR_NEWEST + PAIRS * 2 : 0;

/** Empties ring and chains. Links are left: none is followed before it is written. */
export function clearRing(ring: usize, chains: usize): void {
  memory.fill(ring, 0xff, RADIAL * 2);
  if (!CHAINED) return;
  memory.fill(chains, 0, V * 2); // place 0, whose token tells that it is not meant
  memory.fill(chains + PAIR_NEWEST, 0, PAIRS * 2);
}

/** Appends a token after the one at `newest`, in place of the oldest; returns the index of where it stands. */
export function pushToken(ring: usize, chains: usize, newest: u32, token: u32): u32 {
  if (CHAINED) link(ring, chains, newest);
  const at = (newest + 1) & (RADIAL - 1);
  store<u16>(ring + (at << 1), <u16>token);
  return at;
}

/** Puts the newest place, which is about to have a follower, in front of its chains. */
function link(ring: usize, chains: usize, newest: u32): void {
  const token = <u32>load<u16>(ring + (newest << 1));
  if (token == ABSENT) return;
  const before = <u32>load<u16>(ring + (((newest - 1) & (RADIAL - 1)) << 1));
  chain(chains + (token << 1), chains + TOKEN_LINKS, newest);
  if (before != ABSENT) chain(chains + PAIR_NEWEST + (hash(before, token) << 1), chains + PAIR_LINKS, newest);
}

function chain(first: usize, links: usize, place: u32): void {
  store<u16>(links + (place << 1), load<u16>(first));
  store<u16>(first, <u16>place);
}

function hash(before: u32, token: u32): u32 {
  return ((before * V + token) * 0x9e3779b1) >> PAIR_SHIFT; // multiplicative: Knuth, The Art of Computer Programming 3, 6.4
}

/**
 * Lists the matches that the chains lead to: the newest TOKENS_FOLLOWED places of the last token; where there are more of them, then
 * what matches the last two tokens among the next PAIRS_FOLLOWED places whose pair has the same hash.
 *
 * A link may lead to a place that has been overwritten since. Such a place is younger than the one it is reached from, or its tokens are
 * others; either ends the chain, and all that would follow is no longer in the ring.
 *
 * @param newest index in the ring of the latest token, which is not ABSENT
 * @returns number of matches, at most TOKENS_FOLLOWED + PAIRS_FOLLOWED
 */
export function followChains(ring: usize, chains: usize, newest: u32, outMatches: usize, outTotals: usize): i32 {
  const token = <u32>load<u16>(ring + (newest << 1));
  let found = 0;
  let age: u32 = 0; // of the last place looked at
  let at = <u32>load<u16>(chains + (token << 1));
  for (let followed = 0; followed < TOKENS_FOLLOWED; ++followed) {
    const older = (newest - at) & (RADIAL - 1);
    if (older <= age || <u32>load<u16>(ring + (at << 1)) != token) return found;
    age = older;
    found = addMatch(ring, newest, at, found, outMatches, outTotals);
    at = load<u16>(chains + TOKEN_LINKS + (at << 1));
  }
  const before = <u32>load<u16>(ring + (((newest - 1) & (RADIAL - 1)) << 1));
  if (before == ABSENT) return found;
  const wanted = hash(before, token);
  const listed = age;
  age = 0;
  at = load<u16>(chains + PAIR_NEWEST + (wanted << 1));
  for (let followed = 0; followed < PAIRS_FOLLOWED; ) {
    const older = (newest - at) & (RADIAL - 1);
    if (older <= age || older > <u32>(RADIAL - 2)) break; // the oldest token's predecessor is gone
    age = older;
    const own = <u32>load<u16>(ring + (at << 1));
    const ownBefore = <u32>load<u16>(ring + (((at - 1) & (RADIAL - 1)) << 1));
    if (own == ABSENT || ownBefore == ABSENT || hash(ownBefore, own) != wanted) break;
    if (older > listed) {
      ++followed;
      if (own == token && ownBefore == before) found = addMatch(ring, newest, at, found, outMatches, outTotals);
    }
    at = load<u16>(chains + PAIR_LINKS + (at << 1));
  }
  return found;
}
