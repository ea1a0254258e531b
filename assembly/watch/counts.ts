// Counts of events in a table of fixed size (ours): cells of 8 bytes, a key of 32 bits and a count, in buckets of eight. A key that finds its bucket full
// takes the place of the least count in it, so what is kept is what comes often. Counts are halved now and then, so that they follow the stream.
import { spread } from "../common/hash";

/** Bytes of a cell, and of a bucket: a cache line. */
export const CELL: usize = 8;
const BUCKET: usize = 64;
/** What stands behind a context in the keys of its total, and of how many different events came behind it. */
const TOTAL: u32 = 0x746f7461;
const DIFFERENT: u32 = 0x64696666;

/** A table. */
@unmanaged
export class Counts {
  cells: u32; // (2^bits) of (u32 key, u32 count), where a bucket begins with a cache line
  bits: u32; // 3 to 24
}

/** A key of two: what comes behind what. It is never 0, which is no key. */
// @ts-ignore: decorator
@inline
export function pairOf(context: u32, event: u32): u32 {
  let hash = (context ^ spread(event * 0x9e3779b1 + 0x7f4a7c15)) * 0xc2b2ae35; // multiplicative, as hashOn is
  hash ^= hash >> 15;
  return hash | u32(hash == 0);
}

// @ts-ignore: decorator
@inline
function bucketOf(counts: Counts, key: u32): usize {
  // in two shifts: of one bucket they are 32 together, which as one would be none
  return <usize>counts.cells + <usize>(((spread(key * 0x9e3779b1) >> 3) >> (32 - counts.bits)) << 6);
}

/** How often an event was counted, since it has a cell. */
export function countOf(counts: Counts, key: u32): u32 {
  const bucket = bucketOf(counts, key);
  for (let at = bucket; at < bucket + BUCKET; at += CELL) {
    if (load<u32>(at) == key) return load<u32>(at, 4);
  }
  return 0;
}

/** Counts an event once more. @returns its count now */
export function addTo(counts: Counts, key: u32): u32 {
  const bucket = bucketOf(counts, key);
  let least = bucket;
  let fewest = u32.MAX_VALUE;
  for (let at = bucket; at < bucket + BUCKET; at += CELL) {
    const count = load<u32>(at, 4);
    if (load<u32>(at) == key) {
      store<u32>(at, count + 1, 4);
      return count + 1;
    }
    if (count < fewest) {
      fewest = count;
      least = at;
    }
  }
  store<u32>(least, key);
  store<u32>(least, 1, 4);
  return 1;
}

/**
 * p(event | context) = (c + d p₀) / (n + d): c times of n, d different events, and p₀ from a shorter context (Witten & Bell 1991, method C).
 */
export function probabilityOf(counts: Counts, context: u32, event: u32, shorter: f32): f32 {
  const total = countOf(counts, pairOf(context, TOTAL));
  if (total == 0) return shorter;
  const different = <f32>max<u32>(1, countOf(counts, pairOf(context, DIFFERENT)));
  return (<f32>countOf(counts, pairOf(context, event)) + different * shorter) / (<f32>total + different);
}

/** Counts that `event` came behind `context`. */
export function countBehind(counts: Counts, context: u32, event: u32): void {
  addTo(counts, pairOf(context, TOTAL));
  if (addTo(counts, pairOf(context, event)) == 1) addTo(counts, pairOf(context, DIFFERENT));
}

/** Halves every count; those that come to 0 are gone. */
export function halve(counts: Counts): void {
  const end = <usize>counts.cells + (CELL << <usize>counts.bits);
  for (let at = <usize>counts.cells; at < end; at += CELL) {
    const count = load<u32>(at, 4) >> 1;
    store<u32>(at, count, 4);
    if (count == 0) store<u32>(at, 0);
  }
}
