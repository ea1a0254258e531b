import { findMatches, recallMatches } from "../comparisons";
import { followerOf, orderOf, weightOf } from "../matches";
import { ABSENT, ORDERS, RADIAL, RECALL } from "../shape";
import { below, mark, startValues, untouched } from "./support";

const LENGTH = 3 * RADIAL; // of the stream: the ring is overwritten twice
const RING = memory.data(RADIAL * 2, 16);
const MATCHES = memory.data(RADIAL * 4 + 16, 16);
const TOTALS = memory.data(ORDERS * 4 + 16, 16);
const RECALLED = memory.data(RECALL * 2 + 16, 16);

const stream = new StaticArray<i32>(LENGTH);
const wantedTotals = new StaticArray<i32>(ORDERS);
const wantedOrders = new StaticArray<u32>(RADIAL);
const wantedFollowers = new StaticArray<u32>(RADIAL);
const wantedAges = new StaticArray<i32>(RADIAL);

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

function want(i: i32, order: i32, follower: i32, age: i32): void {
  wantedOrders[i] = order;
  wantedFollowers[i] = follower;
  wantedAges[i] = age;
}

/** Whether match i is the one that is wanted: its weight is 1 / √age, less at most a 32nd of it. */
function isWanted(i: i32): bool {
  const match = load<u32>(MATCHES + ((<usize>i) << 2));
  const weight = <f64>weightOf(match) * Math.sqrt(<f64>wantedAges[i]);
  const near = weight > 1 - 1.0 / 32 && weight < 1 + 1e-6;
  return near && orderOf(match) == wantedOrders[i] && followerOf(match) == wantedFollowers[i];
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
    want(found++, order, stream[at + 1], newest - at);
  }
  return found;
}

/** How many of the totals and matches that the kernel lists are not the ones that the search finds. */
function wrong(seen: i32): i32 {
  fillRing(seen);
  const found = findMatches(RING, 0, <u32>(seen - 1) % RADIAL, MATCHES, TOTALS);
  const wanted = search(seen);
  if (found != wanted) return RADIAL;
  let n = 0;
  for (let o = 0; o < ORDERS; ++o) if (load<i32>(TOTALS + ((<usize>o) << 2)) != wantedTotals[o]) ++n;
  for (let i = 0; i < found; ++i) if (!isWanted(i)) ++n;
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
    expect(findMatches(RING, 0, (LENGTH - 1) % RADIAL, MATCHES, TOTALS)).toBe(RADIAL - 1);
    for (let o = 0; o < ORDERS; ++o) expect(load<i32>(TOTALS + ((<usize>o) << 2))).toBe(RADIAL - 1 - o);
  });

  test("find nothing in an empty ring, where what is absent equals what is absent", () => {
    fillRing(0);
    mark(TOTALS, ORDERS * 4);
    expect(findMatches(RING, 0, RADIAL - 1, MATCHES, TOTALS)).toBe(0);
    for (let o = 0; o < ORDERS; ++o) expect(load<i32>(TOTALS + ((<usize>o) << 2))).toBe(0);
  });

  test("do not count what stands before the stream as a match", () => {
    // a a: the last one matches the first in one token, and before that nothing stands on either side
    stream[0] = 5;
    stream[1] = 5;
    fillRing(2);
    expect(findMatches(RING, 0, 1, MATCHES, TOTALS)).toBe(1);
    expect(followerOf(load<u32>(MATCHES))).toBe(5);
    expect(orderOf(load<u32>(MATCHES))).toBe(1);
    expect(weightOf(load<u32>(MATCHES))).toBe(1);
  });

  test("tell ids apart in all their sixteen bits", () => {
    stream[0] = 0x0107;
    stream[1] = 0x0207;
    stream[2] = 0x0108;
    stream[3] = 0x0107;
    fillRing(4);
    expect(findMatches(RING, 0, 3, MATCHES, TOTALS)).toBe(1);
    expect(followerOf(load<u32>(MATCHES))).toBe(0x0207);
    stream[3] = 0xfff7; // the largest id a vocabulary has
    stream[1] = 0xfff7;
    fillRing(4);
    expect(findMatches(RING, 0, 3, MATCHES, TOTALS)).toBe(1);
    expect(followerOf(load<u32>(MATCHES))).toBe(0x0108);
  });

  test("write R matches and ORDERS totals at the most", () => {
    mark(MATCHES + (RADIAL - 1) * 4, 20);
    mark(TOTALS + ORDERS * 4, 16);
    writeStream(2, 1);
    fillRing(LENGTH);
    findMatches(RING, 0, (LENGTH - 1) % RADIAL, MATCHES, TOTALS);
    expect(untouched(MATCHES + (RADIAL - 1) * 4, 20)).toBe(true);
    expect(untouched(TOTALS + ORDERS * 4, 16)).toBe(true);
  });
});

/** Tokens of other texts to recall; `absent` of them in a hundred stand between two texts. */
function writeRecalled(length: i32, alphabet: i32, absent: i32): void {
  for (let i = 0; i < length; ++i) {
    const token = below(100) < absent ? <i32>ABSENT : below(alphabet);
    store<u16>(RECALLED + ((<usize>i) << 1), <u16>token);
  }
}

function recalledAt(i: i32): i32 {
  return <i32>load<u16>(RECALLED + ((<usize>i) << 1));
}

/** Adds the matches of what is recalled by definition: the last two tokens or more stand there, and a token of the same text follows. */
function searchRecalled(length: i32, seen: i32, found: i32): i32 {
  const oldest = max(0, seen - RADIAL);
  for (let at = length - 2; at >= 0 && found < RADIAL; --at) {
    if (recalledAt(at + 1) == <i32>ABSENT) continue;
    let order = 0;
    while (order < ORDERS && at - order >= 0 && seen - 1 - order >= oldest) {
      if (recalledAt(at - order) != stream[seen - 1 - order]) break;
      ++order;
    }
    if (order < 2) continue;
    for (let o = 0; o < order; ++o) wantedTotals[o] += 1;
    want(found++, order, recalledAt(at + 1), seen + length - 1 - at);
  }
  return found;
}

/** How many of the totals and matches, those of the ring and those recalled, are not the ones that the search finds. */
function wrongRecalled(length: i32, seen: i32): i32 {
  fillRing(seen);
  const newest = <u32>(seen - 1) % RADIAL;
  const own = findMatches(RING, 0, newest, MATCHES, TOTALS);
  const found = recallMatches(RECALLED, length, RING, newest, seen, own, MATCHES, TOTALS);
  const wanted = searchRecalled(length, seen, search(seen));
  if (found != wanted) return RADIAL;
  let n = 0;
  for (let o = 0; o < ORDERS; ++o) if (load<i32>(TOTALS + ((<usize>o) << 2)) != wantedTotals[o]) ++n;
  for (let i = 0; i < found; ++i) if (!isWanted(i)) ++n;
  return n;
}

describe("recalled comparisons", () => {
  test("weigh something however many tokens came since", () => {
    writeStream(1, 1);
    fillRing(8);
    for (let i = 0; i < RECALL; ++i) store<u16>(RECALLED + ((<usize>i) << 1), 0);
    for (let before = -RECALL; before < RECALL; ++before) {
      // the count of tokens begins anew after 2^32
      const found = recallMatches(RECALLED, RECALL, RING, 7, <u32>before, 0, MATCHES, TOTALS);
      for (let i = 0; i < found; ++i) {
        const weight = weightOf(load<u32>(MATCHES + ((<usize>i) << 2)));
        expect(weight > 0 && weight <= 1).toBe(true);
      }
    }
  });

  test("are those of a plain search, whatever the length of what is recalled, after those of the ring", () => {
    for (let alphabet = 2; alphabet < 8; ++alphabet) {
      writeStream(alphabet, alphabet);
      for (let length = 0; length <= RECALL; ++length) {
        writeRecalled(length, alphabet, (length % 3) * 10);
        let failures = 0;
        for (let seen = 1; seen <= LENGTH; seen += 1 + below(7)) failures += wrongRecalled(length, seen);
        expect(failures).toBe(0, "alphabet of " + alphabet.toString() + ", " + length.toString() + " recalled");
      }
    }
  });

  test("are R with those of the ring, and the oldest are left out", () => {
    if (ORDERS < 2) return;
    writeStream(1, 1);
    for (let i = 0; i < RECALL; ++i) store<u16>(RECALLED + ((<usize>i) << 1), 0);
    mark(MATCHES + RADIAL * 4, 16);
    mark(TOTALS + ORDERS * 4, 16);
    for (let seen = 2; seen <= LENGTH; ++seen) {
      fillRing(seen);
      const newest = <u32>(seen - 1) % RADIAL;
      const own = findMatches(RING, 0, newest, MATCHES, TOTALS);
      expect(recallMatches(RECALLED, RECALL, RING, newest, seen, own, MATCHES, TOTALS)).toBe(RADIAL);
      expect(load<i32>(TOTALS)).toBe(RADIAL);
      // a full list takes no more
      expect(recallMatches(RECALLED, RECALL, RING, newest, seen, RADIAL, MATCHES, TOTALS)).toBe(RADIAL);
      expect(load<i32>(TOTALS)).toBe(RADIAL);
    }
    expect(untouched(MATCHES + RADIAL * 4, 16)).toBe(true);
    expect(untouched(TOTALS + ORDERS * 4, 16)).toBe(true);
  });

  test("find nothing before the first token, nor where one text ends", () => {
    writeStream(9, 1);
    for (let i = 0; i < RECALL; ++i) store<u16>(RECALLED + ((<usize>i) << 1), <u16>ABSENT);
    fillRing(0);
    expect(recallMatches(RECALLED, RECALL, RING, RADIAL - 1, 0, 0, MATCHES, TOTALS)).toBe(0);
    fillRing(8);
    expect(recallMatches(RECALLED, RECALL, RING, 7, 8, 0, MATCHES, TOTALS)).toBe(0);
    // 0 0 | 0 0 | 0 0 | …: two tokens match everywhere, and nothing follows them
    for (let i = 0; i < RECALL; ++i) store<u16>(RECALLED + ((<usize>i) << 1), i % 3 == 2 ? <u16>ABSENT : 0);
    expect(recallMatches(RECALLED, RECALL, RING, 7, 8, 0, MATCHES, TOTALS)).toBe(0);
  });
});
