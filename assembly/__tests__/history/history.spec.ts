import { pairHash, pushToken, tokenAt, tokenBefore } from "../../history/history";
import { ABSENT, HISTORY, INDEXED, PAIRS, V } from "../../shape";
import { emptyHistory, END, fillHistory, history, LENGTH, NEWEST, PAIR_LINKS, PAIR_NEWEST, RING, stream, TOKEN_LINKS, writeStream } from "../stream";
import { id, mark, startValues, untouched } from "../support";

/** The newest place of the stream before `at` with the same token, or with the same hash of two; -1 where there is none. */
function placeBefore(at: i32, pairs: bool): i32 {
  for (let i = at - 1; i >= (pairs ? 1 : 0); --i) {
    if (pairs) {
      if (pairHash(stream[i - 1], stream[i]) == pairHash(stream[at - 1], stream[at])) return i;
    } else if (stream[i] == stream[at]) return i;
  }
  return -1;
}

describe("the history", () => {
  test("is empty at first: every token is absent", () => {
    mark(RING, END + 16 - RING);
    emptyHistory();
    for (let back = 0; back < HISTORY; ++back) expect(tokenBefore(history, back)).toBe(ABSENT);
    expect(untouched(END, 16)).toBe(true);
  });

  if (INDEXED != 0) {
    test("is empty again after a text, and so is its index", () => {
      startValues(3);
      writeStream(V);
      fillHistory(LENGTH);
      emptyHistory();
      for (let v = 0; v < V; ++v) expect(id(NEWEST, v)).toBe(0);
      for (let hash = 0; hash < PAIRS; ++hash) expect(id(PAIR_NEWEST, hash)).toBe(0);
    });
  }

  test("has the last R tokens, the newest first, each at its place modulo R", () => {
    startValues(1);
    writeStream(V);
    emptyHistory();
    let wrong = 0;
    mark(END, 16);
    for (let seen = 1; seen <= LENGTH; ++seen) {
      pushToken(history, stream[seen - 1]);
      if (seen % 61 > 2) continue;
      for (let back = 0; back < HISTORY; ++back) {
        const wanted = back < seen ? stream[seen - 1 - back] : <i32>ABSENT;
        if (<i32>tokenBefore(history, back) != wanted) ++wrong;
        if (back < seen && <i32>tokenAt(history, seen - 1 - back) != wanted) ++wrong;
      }
    }
    expect(wrong).toBe(0);
    expect(untouched(END, 16)).toBe(true);
  });

  test("has hashes of pairs below PAIRS, and pairs of a vocabulary spread over them", () => {
    const seen = new StaticArray<i32>(PAIRS);
    let most = 0;
    for (let a = 0; a < V; ++a) {
      for (let b = 0; b < V; ++b) {
        const hash = pairHash(a, b);
        expect(hash).toBeLessThan(PAIRS);
        seen[hash] += 1;
        most = max(most, seen[hash]);
      }
    }
    // even would be V² / PAIRS
    expect(most).toBeLessThan((4 * V * V) / PAIRS + 4);
  });

  if (INDEXED != 0) {
    test("is linked from each place with a follower to the one before it with the same token, and the same hash of two", () => {
      startValues(2);
      writeStream(V);
      mark(END, 16);
      emptyHistory();
      let wrong = 0;
      for (let seen = 1; seen <= LENGTH; ++seen) {
        pushToken(history, stream[seen - 1]);
        const at = seen - 2; // has a follower now
        if (at < 0) continue;
        if (id(NEWEST, stream[at]) != at % HISTORY) ++wrong;
        const before = placeBefore(at, false);
        if (before >= 0 && id(TOKEN_LINKS, at % HISTORY) != before % HISTORY) ++wrong;
        if (at < 1) continue;
        if (id(PAIR_NEWEST, pairHash(stream[at - 1], stream[at])) != at % HISTORY) ++wrong;
        const pair = placeBefore(at, true);
        if (pair >= 0 && id(PAIR_LINKS, at % HISTORY) != pair % HISTORY) ++wrong;
      }
      expect(wrong).toBe(0);
      expect(untouched(END, 16)).toBe(true);
    });
  }
});
