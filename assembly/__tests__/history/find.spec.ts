import { clearCandidates } from "../../history/candidates";
import { findMatches, recallMatches } from "../../history/find";
import { pairHash, pushToken } from "../../history/history";
import { followerOf, lengthOf, weightOf } from "../../history/matches";
import { ABSENT, HISTORY, INDEXED, LONG, LONGEST, MATCH_LENGTH, MOST_MATCHES, RECALL, V } from "../../shape";
import { candidates, offerNone, wantOffer, wrongCandidates } from "../candidates";
import { clearMatches, LIST, matches, TOTALS } from "../matches";
import { emptyHistory, fillHistory, history, LENGTH, stream, writeStream } from "../stream";
import { below, mark, startValues, untouched } from "../support";

/** Places of the last token, and of the last two, that an index leads to. */
const TOKENS_FOLLOWED = 128;
const PAIRS_FOLLOWED = 256;

const RECALLED = memory.data(RECALL * 2 + 16, 16);
const wantedTotals = new StaticArray<i32>(MATCH_LENGTH);
const wantedLengths = new StaticArray<u32>(MOST_MATCHES);
const wantedFollowers = new StaticArray<u32>(MOST_MATCHES);
const wantedAges = new StaticArray<i32>(MOST_MATCHES);
let wanted = 0;

function want(length: i32, follower: i32, age: i32): void {
  for (let l = 0; l < length; ++l) wantedTotals[l] += 1;
  wantedLengths[wanted] = length;
  wantedFollowers[wanted] = follower;
  wantedAges[wanted++] = age;
}

/** Whether match i is the one that is wanted: its weight is 1 / √age, less at most a 32nd of it. */
function isWanted(i: i32): bool {
  const match = load<u32>(LIST + ((<usize>i) << 2));
  const weight = <f64>weightOf(match) * Math.sqrt(<f64>wantedAges[i]);
  const near = weight > 1 - 1.0 / 32 && weight < 1 + 1e-6;
  return near && lengthOf(match) == wantedLengths[i] && followerOf(match) == wantedFollowers[i];
}

/** How many tokens before place `at` and before the newest are the same, both of them included; of those still remembered. */
function lengthAt(at: i32, seen: i32, most: i32 = MATCH_LENGTH): i32 {
  const oldest = max(0, seen - HISTORY);
  let length = 0;
  while (length < most && at - length >= oldest && stream[at - length] == stream[seen - 1 - length]) ++length;
  return length;
}

/**
 * Matches by definition: of the tokens still remembered, where did the last l stand before, and what came next? The newest MOST_MATCHES
 * of them; of an index the newest places of the last token, then of those with the hash of the last two.
 */
function search(seen: i32): void {
  const newest = seen - 1;
  const oldest = max(0, seen - HISTORY);
  wanted = 0;
  for (let l = 0; l < MATCH_LENGTH; ++l) wantedTotals[l] = 0;
  let at = newest - 1;
  const most = INDEXED != 0 ? TOKENS_FOLLOWED : MOST_MATCHES;
  for (; at >= oldest && wanted < most; --at) {
    if (stream[at] == stream[newest]) want(lengthAt(at, seen), stream[at + 1], newest - at);
  }
  if (INDEXED == 0 || newest < 1) return;
  const hash = pairHash(stream[newest - 1], stream[newest]);
  for (let followed = 0; at > oldest && followed < PAIRS_FOLLOWED; --at) {
    if (pairHash(stream[at - 1], stream[at]) != hash) continue;
    ++followed;
    if (lengthAt(at, seen) > 1) want(lengthAt(at, seen), stream[at + 1], newest - at);
  }
}

/** How many of the totals and matches that are listed are not the ones that the search finds. */
function wrong(): i32 {
  if (matches.count != wanted) return MOST_MATCHES;
  let n = 0;
  for (let l = 0; l < MATCH_LENGTH; ++l) if (load<i32>(TOTALS + ((<usize>l) << 2)) != wantedTotals[l]) ++n;
  for (let i = 0; i < wanted; ++i) if (!isWanted(i)) ++n;
  return n;
}

/** Whether a place of the stream is looked at: many at its start and where the ring is full, some between. */
function isLookedAt(seen: i32): bool {
  return seen < 30 || seen % 37 == 0 || (seen % HISTORY < 12 && seen <= 2 * HISTORY + 12) || seen % HISTORY > HISTORY - 12;
}

function wrongOverStream(): i32 {
  let failures = 0;
  clearMatches();
  emptyHistory();
  for (let seen = 1; seen <= LENGTH; ++seen) {
    pushToken(history, stream[seen - 1]);
    if (!isLookedAt(seen)) continue;
    findMatches(history, matches, candidates);
    search(seen);
    failures += wrong();
  }
  return failures;
}

describe("matches in the history", () => {
  test("are those of a plain search at places of the ring, before and after it is full", () => {
    startValues(1);
    for (let alphabet = 1; alphabet < 8; ++alphabet) {
      writeStream(alphabet);
      expect(wrongOverStream()).toBe(0, "alphabet of " + alphabet.toString());
    }
  });

  test("are found among many other tokens, whose pairs have hashes in common", () => {
    startValues(2);
    writeStream(V, true);
    expect(wrongOverStream()).toBe(0);
  });

  test("of one token alone are the newest, as many as are listed at the most", () => {
    startValues(3);
    writeStream(1);
    clearMatches();
    fillHistory(LENGTH);
    findMatches(history, matches, candidates);
    const most = INDEXED != 0 ? TOKENS_FOLLOWED + PAIRS_FOLLOWED : HISTORY > MOST_MATCHES ? MOST_MATCHES : HISTORY - 1;
    expect(matches.count).toBe(most);
    for (let i = 0; i < most; ++i) {
      const weight = <f64>weightOf(load<u32>(LIST + (i << 2))) * Math.sqrt(<f64>(i + 1));
      expect(weight > 1 - 1.0 / 32 && weight < 1 + 1e-6).toBe(true, "the newest place first");
    }
    for (let l = 0; l < MATCH_LENGTH; ++l) expect(load<i32>(TOTALS + (l << 2))).toBeGreaterThan(most - MATCH_LENGTH, "nothing ran over it");
  });

  test("are none in an empty history, where what is absent equals what is absent", () => {
    clearMatches();
    emptyHistory();
    mark(TOTALS, MATCH_LENGTH * 4);
    matches.count = 3;
    findMatches(history, matches, candidates);
    expect(matches.count).toBe(0);
    for (let l = 0; l < MATCH_LENGTH; ++l) expect(load<i32>(TOTALS + ((<usize>l) << 2))).toBe(0);
  });

  test("are not counted beyond the stream's start", () => {
    // a a: the last one matches the first in one token, and before that nothing stands on either side
    stream[0] = 5;
    stream[1] = 5;
    clearMatches();
    fillHistory(2);
    findMatches(history, matches, candidates);
    expect(matches.count).toBe(1);
    expect(followerOf(load<u32>(LIST))).toBe(5);
    expect(lengthOf(load<u32>(LIST))).toBe(1);
    expect(weightOf(load<u32>(LIST))).toBe(1);
  });

  if (INDEXED == 0) {
    test("tell ids apart in all their sixteen bits", () => {
      clearMatches();
      stream[0] = 0x0107;
      stream[1] = 0x0207;
      stream[2] = 0x0108;
      stream[3] = 0x0107;
      fillHistory(4);
      findMatches(history, matches, candidates);
      expect(matches.count).toBe(1);
      expect(followerOf(load<u32>(LIST))).toBe(0x0207);
      stream[3] = 0xfff7; // the largest id a vocabulary has
      stream[1] = 0xfff7;
      fillHistory(4);
      findMatches(history, matches, candidates);
      expect(matches.count).toBe(1);
      expect(followerOf(load<u32>(LIST))).toBe(0x0108);
    });
  }
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
function searchRecalled(length: i32, seen: i32): void {
  const oldest = max(0, seen - HISTORY);
  for (let at = length - 2; at >= 0 && wanted < MOST_MATCHES; --at) {
    if (recalledAt(at + 1) >= V) continue;
    let run = 0;
    while (run < MATCH_LENGTH && at - run >= 0 && seen - 1 - run >= oldest) {
      if (recalledAt(at - run) != stream[seen - 1 - run]) break;
      ++run;
    }
    if (run >= 2) want(run, recalledAt(at + 1), seen + length - 1 - at);
  }
}

describe("recalled matches", () => {
  test("weigh something however many tokens came since", () => {
    startValues(1);
    writeStream(1);
    fillHistory(8);
    for (let i = 0; i < RECALL; ++i) store<u16>(RECALLED + ((<usize>i) << 1), 0);
    for (let before = -RECALL; before < RECALL; ++before) {
      // the count of tokens begins anew after 2^32
      clearMatches();
      recallMatches(RECALLED, RECALL, history, <u32>before, matches, candidates);
      expect(matches.count).toBeGreaterThan(RECALL - 4);
      for (let i = 0; i < matches.count; ++i) {
        const weight = weightOf(load<u32>(LIST + ((<usize>i) << 2)));
        expect(weight > 0 && weight <= 1).toBe(true);
      }
    }
  });

  test("are those of a plain search, whatever the length of what is recalled, after those of the history", () => {
    startValues(2);
    for (let alphabet = 2; alphabet < 8; ++alphabet) {
      writeStream(alphabet);
      for (let length = 0; length <= RECALL; length += alphabet == 2 ? 1 : 5) {
        writeRecalled(length, alphabet, (length % 3) * 10);
        let failures = 0;
        clearMatches();
        emptyHistory();
        for (let seen = 1; seen <= 48; ++seen) {
          pushToken(history, stream[seen - 1]);
          findMatches(history, matches, candidates);
          recallMatches(RECALLED, length, history, seen, matches, candidates);
          search(seen);
          searchRecalled(length, seen);
          failures += wrong();
        }
        expect(failures).toBe(0, "alphabet of " + alphabet.toString() + ", " + length.toString() + " recalled");
      }
    }
  });

  test("are as many as there is room for beside those of the history, and the oldest are left out", () => {
    startValues(3);
    writeStream(1);
    fillHistory(8);
    for (let i = 0; i < RECALL; ++i) store<u16>(RECALLED + ((<usize>i) << 1), 0);
    for (let room = 0; room < 20; ++room) {
      clearMatches();
      matches.count = MOST_MATCHES - room;
      recallMatches(RECALLED, RECALL, history, 8, matches, candidates);
      expect(matches.count).toBe(MOST_MATCHES);
      expect(load<i32>(TOTALS)).toBe(room);
      for (let i = 0; i < room; ++i) {
        // place i from the end of what is recalled, which has no follower at its own last token
        const weight = <f64>weightOf(load<u32>(LIST + ((MOST_MATCHES - room + i) << 2))) * Math.sqrt(<f64>(8 + 1 + i));
        expect(weight > 1 - 1.0 / 32 && weight < 1 + 1e-6).toBe(true);
      }
    }
  });

  test("find nothing before the first token, nor where one text ends, nor what is no token", () => {
    startValues(9);
    writeStream(1);
    clearMatches();
    for (let i = 0; i < RECALL; ++i) store<u16>(RECALLED + ((<usize>i) << 1), <u16>ABSENT);
    emptyHistory();
    recallMatches(RECALLED, RECALL, history, 0, matches, candidates);
    expect(matches.count).toBe(0);
    fillHistory(8);
    recallMatches(RECALLED, RECALL, history, 8, matches, candidates);
    expect(matches.count).toBe(0);
    // 0 0 | 0 0 | 0 0 | …: two tokens match everywhere, and nothing follows them
    for (let i = 0; i < RECALL; ++i) store<u16>(RECALLED + ((<usize>i) << 1), i % 3 == 2 ? <u16>ABSENT : 0);
    recallMatches(RECALLED, RECALL, history, 8, matches, candidates);
    expect(matches.count).toBe(0);
    for (let i = 0; i < RECALL; ++i) store<u16>(RECALLED + ((<usize>i) << 1), i % 3 == 2 ? <u16>V : 0);
    recallMatches(RECALLED, RECALL, history, 8, matches, candidates);
    expect(matches.count).toBe(0);
  });
});

/** Wants the long match at a place of the stream, of those still remembered. */
function wantLong(at: i32, seen: i32): void {
  const length = lengthAt(at, seen, LONGEST);
  const before = at - length;
  // of the longest the token before them is of no use
  const known = length < LONGEST && before >= max(0, seen - HISTORY);
  wantOffer(length, stream[at + 1], known ? stream[before] : <i32>ABSENT);
}

/** Wants the long matches of the stream and of what is recalled: at every place that is looked at, whether it is listed or not. */
function searchLong(seen: i32, recalled: i32): void {
  const newest = seen - 1;
  const oldest = max(0, seen - HISTORY);
  offerNone();
  let at = newest - 1;
  let followed = 0;
  for (; at >= oldest && (INDEXED == 0 || followed < TOKENS_FOLLOWED); --at) {
    if (stream[at] != stream[newest]) continue;
    ++followed;
    wantLong(at, seen);
  }
  if (INDEXED != 0 && newest > 0) {
    const hash = pairHash(stream[newest - 1], stream[newest]);
    for (followed = 0; at > oldest && followed < PAIRS_FOLLOWED; --at) {
      if (pairHash(stream[at - 1], stream[at]) != hash) continue;
      ++followed;
      if (lengthAt(at, seen) > 1) wantLong(at, seen);
    }
  }
  for (at = recalled - 2; at >= 0; --at) {
    let length = 0;
    while (length < LONGEST && at - length >= 0 && newest - length >= oldest && recalledAt(at - length) == stream[newest - length]) ++length;
    const known = length < LONGEST && at - length >= 0;
    if (length >= 2) wantOffer(length, recalledAt(at + 1), known ? recalledAt(at - length) : <i32>ABSENT);
  }
}

if (LONG != 0) {
  describe("long matches", () => {
    test("are offered of all places that are looked at, the newest first, those of the history before what is recalled", () => {
      startValues(4);
      for (let alphabet = 1; alphabet < 8; ++alphabet) {
        writeStream(alphabet, alphabet > 5);
        for (let i = 0; i < LENGTH; ++i) if (i > 100 && below(12) > 0) stream[i] = stream[i - 40];
        writeRecalled(RECALL, alphabet, 3);
        for (let i = 0; i < RECALL / 2; ++i) store<u16>(RECALLED + ((<usize>i) << 1), <u16>stream[HISTORY - 20 + i]);
        emptyHistory();
        clearMatches();
        let failures = 0;
        for (let seen = 1; seen <= LENGTH; ++seen) {
          pushToken(history, stream[seen - 1]);
          if (!isLookedAt(seen)) continue;
          clearCandidates(candidates);
          findMatches(history, matches, candidates);
          recallMatches(RECALLED, RECALL, history, seen, matches, candidates);
          searchLong(seen, RECALL);
          failures += wrongCandidates();
        }
        expect(failures).toBe(0, "alphabet of " + alphabet.toString());
      }
    });
  });
}
