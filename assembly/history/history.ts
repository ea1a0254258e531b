// The history: the last R tokens of the stream in a ring, and where it is indexed, links by which places with the same last token, and
// with the same last two tokens, are found without looking at the others (ours). What a prediction costs is then bound by how far the
// links are followed.
import { ABSENT, HISTORY, INDEXED, PAIRS, V } from "../shape";

/** A ring of tokens and its index. All but `newest` is set once. */
@unmanaged
export class History {
  ring: usize; // (R) u16 token ids, the token at place p of the stream at p mod R; ABSENT where nothing stands yet
  newest: u32; // index in the ring of the latest token
  newestOf: usize; // (V) u16, the newest place of each token that has a follower; of an index, as the three that follow
  tokenLinks: usize; // (R) u16, the place before each one with the same token
  pairLinks: usize; // (R) u16, the place before each one whose pair of tokens has the same hash
  pairNewest: usize; // (PAIRS) u16, the newest place of each hash
}

const PAIR_SHIFT: i32 = 32 - ctz<u32>(PAIRS);

/** The token `back` places before the newest one, which is 0. */
// @ts-ignore: decorator
@inline
export function tokenBefore(history: History, back: u32): u32 {
  return tokenAt(history, history.newest - back);
}

/** The token at an index of the ring, modulo its size. */
// @ts-ignore: decorator
@inline
export function tokenAt(history: History, index: u32): u32 {
  return <u32>load<u16>(history.ring + ((index & (HISTORY - 1)) << 1));
}

/** Empties ring and index. Links are left: none is followed before it is written. */
export function clearHistory(history: History): void {
  history.newest = HISTORY - 1;
  memory.fill(history.ring, 0xff, HISTORY * 2);
  if (INDEXED == 0) return;
  memory.fill(history.newestOf, 0, V * 2); // place 0, whose token tells that it is not meant
  memory.fill(history.pairNewest, 0, PAIRS * 2);
}

/** Appends a token after the newest, in place of the oldest. */
export function pushToken(history: History, token: u32): void {
  if (INDEXED != 0) linkNewest(history);
  const at = (history.newest + 1) & (HISTORY - 1);
  store<u16>(history.ring + (at << 1), <u16>token);
  history.newest = at;
}

/** Puts the newest place, which is about to have a follower, in front of those that it is linked with. */
function linkNewest(history: History): void {
  const token = tokenBefore(history, 0);
  if (token == ABSENT) return;
  const before = tokenBefore(history, 1);
  link(history.newestOf + (token << 1), history.tokenLinks, history.newest);
  if (before != ABSENT) link(history.pairNewest + (pairHash(before, token) << 1), history.pairLinks, history.newest);
}

function link(first: usize, links: usize, place: u32): void {
  store<u16>(links + (place << 1), load<u16>(first));
  store<u16>(first, <u16>place);
}

/** The hash of a pair of tokens, below PAIRS. */
export function pairHash(before: u32, token: u32): u32 {
  return ((before * V + token) * 0x9e3779b1) >> PAIR_SHIFT; // multiplicative: Knuth, The Art of Computer Programming 3, 6.4
}
