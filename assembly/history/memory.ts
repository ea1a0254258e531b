// The long-term memory: the end of the training text, token by token, and where it is indexed its places in the order of what stands
// before them, read backwards (a suffix array of the reversed text: Manber & Myers 1993). A search in it ends between the two places
// whose tokens before them are most like the newest ones; the longest matches are its neighbours, in turn.
import { fetch } from "../device/flash";
import { ABSENT, FLASH, LONGEST, MEMORY_INDEXED, MEMORY_WIDTH, MOST_LONG } from "../shape";
import { Candidates, offer } from "./candidates";
import { History, tokenBefore } from "./history";

/** Where the memory stands, written by the host or by a data segment. */
@unmanaged
export class Memory {
  /** (length) u8 or u16 token ids, then, on a boundary of 16 bytes, (length) u16 places. In the flash form where it would be, the weights' first byte at BASE. */
  at: u32;
  length: u32;
}

/** Most places of a memory. */
const MOST_PLACES: u32 = 65536;
/** Bytes of flash that are looked through at a time. */
const TILE_BYTES: i32 = 64;

/** Bytes from the tokens to the order of places. */
// @ts-ignore: decorator
@inline
function orderAt(length: u32): u32 {
  return (length * MEMORY_WIDTH + 15) & ~15;
}

/** Tokens that can be read: none where the memory would end outside the module's own; in flash, reads say where it ends. */
function lengthOf(memo: Memory): i32 {
  const length = memo.length;
  if (length > MOST_PLACES) return 0;
  const bytes = MEMORY_INDEXED != 0 ? orderAt(length) + 2 * length : length * MEMORY_WIDTH;
  return FLASH != 0 || <u64>memo.at + <u64>bytes <= <u64>memory.size() << 16 ? <i32>length : 0;
}

/**
 * Offers the longest matches of the memory, MOST_LONG at the most: where it is indexed longest first, else the newest first.
 *
 * @param tile (2, TILE_BYTES) u8 scratch, of the flash form alone: a window or an index, and what is looked through. A failed read is noted (flash.ts), and what is offered then means nothing
 */
export function searchMemory(history: History, memo: Memory, tile: usize, outCandidates: Candidates): void {
  if (MEMORY_INDEXED == 0 && MEMORY_WIDTH > 1) return; // a memory of such tokens is indexed, or there is none
  const length = lengthOf(memo);
  const pivot = tokenBefore(history, 0);
  if (length < 2 || pivot == ABSENT) return;
  if (MEMORY_INDEXED == 0) {
    lookThrough(history, memo, length, pivot, tile, outCandidates);
    return;
  }
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((compareAt(history, memo, placeAt(memo, length, middle, tile), tile) & 1) != 0) low = middle + 1;
    else high = middle;
  }
  let before = low - 1;
  let beforeMatches = matchedAt(history, memo, length, before, tile);
  let matches = matchedAt(history, memo, length, low, tile);
  for (let looked = 0; looked < MOST_LONG; ++looked) {
    const longest = max<i32>(beforeMatches, matches);
    if (longest <= <i32>outCandidates.least) return; // nothing longer is left
    if (matches >= beforeMatches) {
      offerPlace(memo, placeAt(memo, length, low, tile), matches, tile, outCandidates);
      matches = matchedAt(history, memo, length, ++low, tile);
    } else {
      offerPlace(memo, placeAt(memo, length, before, tile), beforeMatches, tile, outCandidates);
      beforeMatches = matchedAt(history, memo, length, --before, tile);
    }
  }
}

/** The place at an index of the order; 0, which nothing stands before, for what is none. */
function placeAt(memo: Memory, length: i32, index: i32, tile: usize): i32 {
  const place = <i32>load<u16>(fetch(memo.at + orderAt(length) + (index << 1), 2, tile));
  return place < length ? place : 0;
}

/** Tokens before the place at an index of the order that match; -1 outside. */
function matchedAt(history: History, memo: Memory, length: i32, index: i32, tile: usize): i32 {
  if (index < 0 || index >= length) return -1;
  return compareAt(history, memo, placeAt(memo, length, index, tile), tile) >> 1;
}

/** The first token of the window before a place: as many tokens as a match has at the most, one more, and the place itself. */
// @ts-ignore: decorator
@inline
function firstOf(place: i32): i32 {
  return max<i32>(0, place - LONGEST - 1);
}

/** Where that window can be read. */
// @ts-ignore: decorator
@inline
function windowOf(memo: Memory, place: i32, tile: usize): usize {
  const first = firstOf(place);
  return fetch(memo.at + first * MEMORY_WIDTH, (place + 1 - first) * MEMORY_WIDTH, tile);
}

// @ts-ignore: decorator
@inline
function tokenIn(window: usize, index: i32): u32 {
  return MEMORY_WIDTH == 1 ? <u32>load<u8>(window + index) : <u32>load<u16>(window + (index << 1));
}

/**
 * How many of the newest tokens stand before `place`, up to LONGEST, times 2; and 1 where the first that differs is greater in the
 * history. Where a text begins stands what is less than every token.
 */
function compareAt(history: History, memo: Memory, place: i32, tile: usize): i32 {
  const window = windowOf(memo, place, tile);
  const last = place - 1 - firstOf(place);
  let matched = 0;
  for (; matched < LONGEST; ++matched) {
    const own = tokenBefore(history, matched);
    if (own == ABSENT) return matched << 1; // less than what is there, or equal to nothing
    if (matched > last) return (matched << 1) | 1;
    const other = tokenIn(window, last - matched);
    if (own != other) return (matched << 1) | i32(own > other);
  }
  return matched << 1;
}

/** Offers the match of so many tokens before a place. */
function offerPlace(memo: Memory, place: i32, matched: i32, tile: usize, outCandidates: Candidates): void {
  const window = windowOf(memo, place, tile);
  const last = place - 1 - firstOf(place);
  const before = last < matched ? ABSENT : tokenIn(window, last - matched);
  offer(outCandidates, matched, tokenIn(window, last + 1), before);
}

/** Looks at every place whose last token is `pivot`, the newest first; of bytes alone. */
function lookThrough(
  history: History,
  memo: Memory,
  length: i32,
  pivot: u32,
  tile: usize,
  outCandidates: Candidates,
): void {
  let end = length - 1; // behind the last token that is looked at: the newest of all has no follower
  while (end > 0 && <i32>outCandidates.least < LONGEST) {
    const many = FLASH != 0 ? min<i32>(TILE_BYTES, end) : end;
    const start = end - many;
    const bytes = fetch(memo.at + start, many, tile + TILE_BYTES);
    let at = many;
    // of a match that is longer than the shortest candidate, the token after that length is equal as well
    let least: usize = 0;
    const block: i32 = ASC_FEATURE_SIMD ? 16 : 8;
    for (; at >= block + LONGEST; at -= block) {
      const first = bytes + at - block;
      if (ASC_FEATURE_SIMD) {
        const equal = i8x16.eq(v128.load(first), i8x16.splat(<i8>pivot));
        const further = i8x16.eq(v128.load(first - least), i8x16.splat(<i8>tokenBefore(history, <u32>least)));
        let mask = i8x16.bitmask(v128.and(equal, further));
        while (mask != 0) {
          const lane = 31 - clz<i32>(mask);
          mask ^= 1 << lane;
          const index = at - 16 + lane;
          if (isWorth(history, bytes, index, outCandidates)) offerLooked(history, memo, start + index + 1, tile, outCandidates);
        }
      } else {
        const further = equalBytes(load<u64>(first - least), tokenBefore(history, <u32>least));
        let mask = equalBytes(load<u64>(first), pivot) & further;
        while (mask != 0) {
          const lane = 7 - (<i32>clz<u64>(mask) >> 3);
          mask ^= <u64>0x80 << (<u64>lane << 3);
          const index = at - 8 + lane;
          if (isWorth(history, bytes, index, outCandidates)) offerLooked(history, memo, start + index + 1, tile, outCandidates);
        }
      }
      least = outCandidates.least;
    }
    for (; at > 0; --at) {
      if (tokenIn(bytes, at - 1) != pivot || !isWorth(history, bytes, at - 1, outCandidates)) continue;
      offerLooked(history, memo, start + at, tile, outCandidates);
    }
    end = start;
  }
}

/** Whether the match that ends at an index of some bytes could be longer than the shortest candidate, by what can be read of it there. */
// @ts-ignore: decorator
@inline
function isWorth(history: History, bytes: usize, index: i32, candidates: Candidates): bool {
  const least = <i32>candidates.least;
  return index < least || tokenIn(bytes, index - least) == tokenBefore(history, least);
}

/** The top bit of each of eight bytes that equals `token`: a byte xor itself is 0, and only 0 has no bit after 0x7f was added. */
// @ts-ignore: decorator
@inline
function equalBytes(bytes: u64, token: u32): u64 {
  const differing = bytes ^ (<u64>(token & 0xff) * 0x0101010101010101);
  return ~(((differing & 0x7f7f7f7f7f7f7f7f) + 0x7f7f7f7f7f7f7f7f) | differing | 0x7f7f7f7f7f7f7f7f);
}

function offerLooked(history: History, memo: Memory, place: i32, tile: usize, outCandidates: Candidates): void {
  const matched = compareAt(history, memo, place, tile) >> 1;
  if (matched > <i32>outCandidates.least) offerPlace(memo, place, matched, tile, outCandidates);
}
