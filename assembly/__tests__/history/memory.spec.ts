import { clearCandidates } from "../../history/candidates";
import { Memory, searchMemory } from "../../history/memory";
import { ABSENT, HISTORY, LONGEST, MEMORY_INDEXED, MEMORY_WIDTH, MOST_LONG, V } from "../../shape";
import { candidates, offerNone, wantOffer, wrongCandidates } from "../candidates";
import { emptyHistory, fillHistory, history, stream } from "../stream";
import { below, startValues } from "../support";

/** Tokens of a memory at the most; its order stands behind them. */
const MOST: i32 = 300;
const TOKENS = memory.data(4 * MOST + 32, 16);
const memo = changetype<Memory>(memory.data(offsetof<Memory>() + 8, 8));
const text = new StaticArray<i32>(MOST);
const order = new StaticArray<i32>(MOST);
let length = 0;
let seen = 0;

function writeMemory(): void {
  for (let i = 0; i < length; ++i) {
    if (MEMORY_WIDTH == 1) store<u8>(TOKENS + i, <u8>text[i]);
    else store<u16>(TOKENS + (i << 1), <u16>text[i]);
  }
  memo.at = <u32>TOKENS;
  memo.length = length;
  if (MEMORY_INDEXED == 0) return;
  // insertion sort by what stands before, read backwards; of equal places the newest is first
  for (let place = 0; place < length; ++place) {
    let at = place;
    for (; at > 0 && differs(place, order[at - 1]) <= 0; --at) order[at] = order[at - 1];
    order[at] = place;
  }
  const behind = TOKENS + ((length * MEMORY_WIDTH + 15) & ~15);
  for (let i = 0; i < length; ++i) store<u16>(behind + (i << 1), <u16>order[i]);
}

/** The token `back` places before a place of the memory, the first of which is 0; −1 before its beginning. */
function before(place: i32, back: i32): i32 {
  return place - 1 - back >= 0 ? text[place - 1 - back] : -1;
}
/** The same of the newest. */
function newest(back: i32): i32 {
  return seen - 1 - back >= max(0, seen - HISTORY) ? stream[seen - 1 - back] : -1;
}

/** Less than 0, 0, or more, as what stands before place a is less than that before place b. */
function differs(a: i32, b: i32): i32 {
  for (let back = 0; back < LONGEST; ++back) {
    const difference = before(a, back) - before(b, back);
    if (difference != 0 || before(a, back) < 0) return difference;
  }
  return 0;
}

/** How many of the newest tokens stand before a place. */
function matched(place: i32): i32 {
  let n = 0;
  while (n < LONGEST && newest(n) >= 0 && newest(n) == before(place, n)) ++n;
  return n;
}

function want(place: i32): void {
  const n = matched(place);
  if (n > 0) wantOffer(n, text[place], before(place, n) < 0 ? <i32>ABSENT : before(place, n));
}

/** What a search offers, by definition: every place, the newest first; of a memory in order the neighbours of what was read last. */
function search(): void {
  offerNone();
  if (length < 2 || seen == 0) return;
  if (MEMORY_INDEXED == 0) {
    for (let place = length - 1; place > 0; --place) want(place);
    return;
  }
  let right = 0;
  for (let i = 0; i < length; ++i) {
    const n = matched(i);
    // less than the newest tokens, where the first that differs is
    if (n < LONGEST && before(i, n) < newest(n)) ++right;
  }
  let left = right - 1;
  for (let looked = 0; looked < MOST_LONG; ++looked) {
    const before = left >= 0 ? matched(order[left]) : -1;
    const behind = right < length ? matched(order[right]) : -1;
    if (max(before, behind) <= 0) return;
    if (behind >= before) want(order[right++]);
    else want(order[left--]);
  }
}

function wrong(): i32 {
  fillHistory(seen);
  clearCandidates(candidates);
  search();
  searchMemory(history, memo, 0, candidates);
  return wrongCandidates();
}

describe("a search of the memory", () => {
  test("finds what a plain search finds, in all memories and texts of two tokens up to seven long", () => {
    let failures = 0;
    for (length = 0; length <= 7; ++length) {
      for (let bits = 0; bits < 1 << length; ++bits) {
        for (let i = 0; i < length; ++i) text[i] = (bits >> i) & 1;
        writeMemory();
        for (seen = 0; seen <= 5; ++seen) {
          for (let last = 0; last < 1 << seen; ++last) {
            for (let i = 0; i < seen; ++i) stream[i] = (last >> i) & 1;
            failures += wrong();
          }
        }
      }
    }
    expect(failures).toBe(0);
  });

  test("finds it in longer ones of few and of many tokens, which share pieces shorter and longer than a match", () => {
    startValues(1);
    for (let run = 0; run < 600; ++run) {
      const alphabet = 1 + below(run % 4 == 0 ? V : 4);
      length = below(MOST);
      for (let i = 0; i < length; ++i) text[i] = i > 30 && below(30) > 0 ? text[i - 25] : below(alphabet);
      writeMemory();
      seen = below(60);
      const from = length > seen ? below(length - seen) : 0;
      for (let i = 0; i < seen; ++i) stream[i] = run % 2 == 0 && length > seen && below(40) > 0 ? text[from + i] : below(alphabet);
      expect(wrong()).toBe(0, "run " + run.toString());
    }
  });

  test("is one of the newest tokens alone, where the ring is full", () => {
    startValues(2);
    length = MOST;
    for (let i = 0; i < length; ++i) text[i] = below(2);
    writeMemory();
    for (let i = 0; i < stream.length; ++i) stream[i] = below(2);
    for (seen = HISTORY - 3; seen < HISTORY + 25; ++seen) expect(wrong()).toBe(0, "after " + seen.toString());
  });

  test("finds nothing in an empty text, and in a memory that would end outside the module's own", () => {
    length = 20;
    for (let i = 0; i < length; ++i) text[i] = 1;
    writeMemory();
    emptyHistory();
    clearCandidates(candidates);
    searchMemory(history, memo, 0, candidates);
    expect(candidates.count).toBe(0);
    stream[0] = 1;
    fillHistory(1);
    const end = <u32>memory.size() << 16;
    for (let at = 0; at < 6; ++at) {
      memo.at = at == 0 ? end - 19 : at == 1 ? end : at == 2 ? 0xffffffff : <u32>TOKENS;
      memo.length = at == 3 ? 65537 : at == 4 ? 0xffffffff : at == 5 ? 0x80000000 : 20;
      searchMemory(history, memo, 0, candidates);
      expect(candidates.count).toBe(0, "case " + at.toString());
    }
  });

  if (MEMORY_INDEXED != 0) {
    test("looks at places that are none as at the first, before which nothing stands", () => {
      length = 30;
      for (let i = 0; i < length; ++i) text[i] = 1;
      writeMemory();
      const behind = TOKENS + ((length * MEMORY_WIDTH + 15) & ~15);
      for (let i = 0; i < length; ++i) store<u16>(behind + (i << 1), i % 2 == 0 ? 0xffff : 30);
      stream[0] = 1;
      fillHistory(1);
      clearCandidates(candidates);
      searchMemory(history, memo, 0, candidates);
      expect(candidates.count).toBe(0);
    });
  }
});
