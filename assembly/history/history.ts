// The history: the last R tokens of the stream in a ring, and where it is indexed, links by which places with the same last token, and
// with the same last two tokens, are found without looking at the others (ours). What a prediction costs is then bound by how far the
// links are followed.
import { ABSENT, HISTORY, INDEXED, PAIRS, V } from "../shape";

/** A ring of tokens and its index. The tensors stand right behind the record: one address names them all. */
@unmanaged
export class History {
  newest: u32; // index in the ring of the latest token
}

/** (R) u16 token ids, the token at place p of the stream at p mod R; ABSENT where nothing stands yet. */
const RING_AT: usize = 16;
/** (V) u16, the newest place of each token that has a follower; of an index, as the three that follow. */
const NEWEST_AT: usize = RING_AT + 2 * HISTORY;
/** (R) u16, the place before each one with the same token. */
const TOKEN_LINKS_AT: usize = NEWEST_AT + 2 * INDEXED * V;
/** (R) u16, the place before each one whose pair of tokens has the same hash. */
const PAIR_LINKS_AT: usize = TOKEN_LINKS_AT + 2 * INDEXED * HISTORY;
/** (PAIRS) u16, the newest place of each hash. */
const PAIR_NEWEST_AT: usize = PAIR_LINKS_AT + 2 * INDEXED * HISTORY;
/** Bytes of a history. */
export const HISTORY_BYTES: i32 = <i32>PAIR_NEWEST_AT + 2 * INDEXED * PAIRS;

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
  return <u32>load<u16>(changetype<usize>(history) + ((index & (HISTORY - 1)) << 1), RING_AT);
}

/** Eight tokens from an index of the ring on, a multiple of 8. */
// @ts-ignore: decorator
@inline
export function eightTokensAt(history: History, index: u32): v128 {
  return v128.load(changetype<usize>(history) + (index << 1), RING_AT);
}

/** Four tokens from an index of the ring on, a multiple of 4. */
// @ts-ignore: decorator
@inline
export function fourTokensAt(history: History, index: u32): u64 {
  return load<u64>(changetype<usize>(history) + (index << 1), RING_AT);
}

// Places that the index leads to.
// @ts-ignore: decorator
@inline
export function newestOf(history: History, token: u32): u32 {
  return <u32>load<u16>(changetype<usize>(history) + (token << 1), NEWEST_AT);
}
// @ts-ignore: decorator
@inline
export function nextOf(history: History, index: u32): u32 {
  return <u32>load<u16>(changetype<usize>(history) + (index << 1), TOKEN_LINKS_AT);
}
// @ts-ignore: decorator
@inline
export function newestOfPair(history: History, hash: u32): u32 {
  return <u32>load<u16>(changetype<usize>(history) + (hash << 1), PAIR_NEWEST_AT);
}
// @ts-ignore: decorator
@inline
export function nextOfPair(history: History, index: u32): u32 {
  return <u32>load<u16>(changetype<usize>(history) + (index << 1), PAIR_LINKS_AT);
}

/** Empties ring and index. Links are left: none is followed before it is written. */
export function clearHistory(history: History): void {
  const at = changetype<usize>(history);
  history.newest = HISTORY - 1;
  memory.fill(at + RING_AT, 0xff, HISTORY * 2);
  if (INDEXED == 0) return;
  memory.fill(at + NEWEST_AT, 0, V * 2); // place 0, whose token tells that it is not meant
  memory.fill(at + PAIR_NEWEST_AT, 0, PAIRS * 2);
}

/** Appends a token after the newest, in place of the oldest. */
export function pushToken(history: History, token: u32): void {
  if (INDEXED != 0) linkNewest(history);
  const at = (history.newest + 1) & (HISTORY - 1);
  store<u16>(changetype<usize>(history) + (at << 1), <u16>token, RING_AT);
  history.newest = at;
}

/** Puts the newest place, which is about to have a follower, in front of those that it is linked with. */
function linkNewest(history: History): void {
  const token = tokenBefore(history, 0);
  if (token == ABSENT) return;
  const before = tokenBefore(history, 1);
  const at = changetype<usize>(history);
  link(at + NEWEST_AT + (token << 1), at + TOKEN_LINKS_AT, history.newest);
  if (before != ABSENT) link(at + PAIR_NEWEST_AT + (pairHash(before, token) << 1), at + PAIR_LINKS_AT, history.newest);
}

function link(first: usize, links: usize, place: u32): void {
  store<u16>(links + (place << 1), load<u16>(first));
  store<u16>(first, <u16>place);
}

/** The hash of a pair of tokens, below PAIRS. */
export function pairHash(before: u32, token: u32): u32 {
  return ((before * V + token) * 0x9e3779b1) >> PAIR_SHIFT; // multiplicative: Knuth, The Art of Computer Programming 3, 6.4
}
