import { findMatches } from "../comparisons";
import { ORDERS, RADIAL } from "../shape";
import { below, mark, startValues, untouched } from "./support";

const LENGTH = 3 * RADIAL; // of the stream: the ring is overwritten twice
const RING = memory.data(RADIAL * 2, 16);
const MATCHES = memory.data(RADIAL * 4 + 16, 16);
const TOTALS = memory.data(ORDERS * 4 + 16, 16);

const stream = new StaticArray<i32>(LENGTH);
const wantedTotals = new StaticArray<i32>(ORDERS);
const wantedMatches = new StaticArray<u32>(RADIAL);

/** Writes a stream of few tokens, so that long matches are common. */
function writeStream(seed: u32, alphabet: i32): void {
  startValues(seed);
  for (let i = 0; i < LENGTH; ++i) stream[i] = below(alphabet);
}

/** Puts the first `seen` tokens through the ring; the newest stands at its place modulo R. */
function fillRing(seen: i32): void {
  memory.fill(RING, 0xff, RADIAL * 2);
  for (let i = 0; i < seen; ++i) store<u16>(RING + ((<usize>(i % RADIAL)) << 1), <u16>stream[i]);
}

/** Matches by definition: of the tokens still remembered, where did the last o stand before, and what came next? */
function search(seen: i32): i32 {
  const oldest = max(0, seen - RADIAL);
  const newest = seen - 1;
  let found = 0;
  for (let o = 0; o < ORDERS; ++o) wantedTotals[o] = 0;
  for (let at = newest - 1; at >= oldest; --at) {
    let order = 0;
    while (order < ORDERS && at - order >= oldest && stream[at - order] == stream[newest - order]) ++order;
    if (order == 0) continue;
    for (let o = 0; o < order; ++o) wantedTotals[o] += 1;
    wantedMatches[found++] = ((<u32>order) << 16) | <u32>stream[at + 1];
  }
  return found;
}

/** How many of the totals and matches that the kernel lists are not the ones that the search finds. */
function wrong(seen: i32): i32 {
  fillRing(seen);
  const found = findMatches(RING, <u32>(seen - 1) % RADIAL, MATCHES, TOTALS);
  const wanted = search(seen);
  if (found != wanted) return RADIAL;
  let n = 0;
  for (let o = 0; o < ORDERS; ++o) if (load<i32>(TOTALS + ((<usize>o) << 2)) != wantedTotals[o]) ++n;
  for (let i = 0; i < found; ++i) if (load<u32>(MATCHES + ((<usize>i) << 2)) != wantedMatches[i]) ++n;
  return n;
}

describe("comparisons", () => {
  test("are those of a plain search at every place of the ring, before and after it is full", () => {
    for (let alphabet = 2; alphabet < 8; ++alphabet) {
      writeStream(alphabet, alphabet);
      let failures = 0;
      for (let seen = 1; seen <= LENGTH; ++seen) failures += wrong(seen);
      expect(failures).toBe(0, "alphabet of " + alphabet.toString());
    }
  });

  test("of one token alone reach back to the ring's oldest, and no further", () => {
    writeStream(1, 1);
    fillRing(LENGTH);
    expect(findMatches(RING, (LENGTH - 1) % RADIAL, MATCHES, TOTALS)).toBe(RADIAL - 1);
    for (let o = 0; o < ORDERS; ++o) expect(load<i32>(TOTALS + ((<usize>o) << 2))).toBe(RADIAL - 1 - o);
  });

  test("find nothing in an empty ring, where what is absent equals what is absent", () => {
    fillRing(0);
    mark(TOTALS, ORDERS * 4);
    expect(findMatches(RING, RADIAL - 1, MATCHES, TOTALS)).toBe(0);
    for (let o = 0; o < ORDERS; ++o) expect(load<i32>(TOTALS + ((<usize>o) << 2))).toBe(0);
  });

  test("do not count what stands before the stream as a match", () => {
    // a a: the last one matches the first in one token, and before that nothing stands on either side
    stream[0] = 5;
    stream[1] = 5;
    fillRing(2);
    expect(findMatches(RING, 1, MATCHES, TOTALS)).toBe(1);
    expect(load<u32>(MATCHES)).toBe((1 << 16) | 5);
  });

  test("tell ids apart in all their sixteen bits", () => {
    stream[0] = 0x0107;
    stream[1] = 0x0207;
    stream[2] = 0x0108;
    stream[3] = 0x0107;
    fillRing(4);
    expect(findMatches(RING, 3, MATCHES, TOTALS)).toBe(1);
    expect(load<u32>(MATCHES)).toBe((1 << 16) | 0x0207);
    stream[3] = 0xfff7; // the largest id a vocabulary has
    stream[1] = 0xfff7;
    fillRing(4);
    expect(findMatches(RING, 3, MATCHES, TOTALS)).toBe(1);
    expect(load<u32>(MATCHES)).toBe((1 << 16) | 0x0108);
  });

  test("write R matches and ORDERS totals at the most", () => {
    mark(MATCHES + (RADIAL - 1) * 4, 20);
    mark(TOTALS + ORDERS * 4, 16);
    writeStream(2, 1);
    fillRing(LENGTH);
    findMatches(RING, (LENGTH - 1) % RADIAL, MATCHES, TOTALS);
    expect(untouched(MATCHES + (RADIAL - 1) * 4, 20)).toBe(true);
    expect(untouched(TOTALS + ORDERS * 4, 16)).toBe(true);
  });
});
