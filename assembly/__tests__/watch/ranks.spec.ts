import { ranksIn, SYMBOLS } from "../../watch/plan";
import { isTree, keepScore, LEVELS, rankOf, Ranks } from "../../watch/ranks";
import { bitsOf } from "../../watch/surprise";
import { hashOf, watch, WINDOW } from "./plan";

function among(levels: StaticArray<u32>, count: i32, level: u32): u32 {
  let rank: u32 = 1;
  for (let i = max(0, count - <i32>WINDOW); i < count; ++i) rank += u32(levels[i] >= level);
  return rank;
}

describe("ranks", () => {
  test("are 1 + how many of the last are as high, at every level and as the window passes", () => {
    const ranks: Ranks = ranksIn(watch(SYMBOLS, 3));
    const levels = new StaticArray<u32>(200);
    let drawn: u32 = 7;
    for (let i = 0; i < 200; ++i) {
      drawn = drawn * 1664525 + 1013904223;
      const level = i % 3 == 0 ? (drawn >> 8) % LEVELS : i % 3 == 1 ? LEVELS - 1 - ((drawn >> 8) & 1) : (drawn >> 8) & 3;
      expect(rankOf(ranks, level)).toBe(among(levels, i, level), `${i}`);
      expect(rankOf(ranks, 0)).toBe(1 + min<u32>(i, WINDOW));
      levels[i] = level;
      keepScore(ranks, level);
      expect(ranks.seen).toBe(min<u32>(i + 1, WINDOW));
      expect(ranks.at).toBe((i + 1) % WINDOW);
      const tree = hashOf(<usize>ranks.tree, <usize>ranks.tree + 4 * (LEVELS + 1));
      if (i % 7 == 0) expect(isTree(ranks)).toBe(true);
      expect(hashOf(<usize>ranks.tree, <usize>ranks.tree + 4 * (LEVELS + 1))).toBe(tree); // it is as it was
    }
    expect(load<u32>(<usize>ranks.tree + (<usize>LEVELS << 2))).toBe(WINDOW); // the entry of all levels
  });
});

describe("a tree", () => {
  test("of other scores than those in the ring is none", () => {
    for (let which = 0; which < 4; ++which) {
      const ranks: Ranks = ranksIn(watch(SYMBOLS, 3));
      for (let i: u32 = 0; i < 5; ++i) keepScore(ranks, i * 100);
      if (which == 0) store<u16>(<usize>ranks.ring + 2, 101);
      if (which == 1) store<u32>(<usize>ranks.tree, 1);
      if (which == 2) store<u32>(<usize>ranks.tree + 4 * 4000, 1);
      if (which == 3) ranks.at = 4;
      expect(isTree(ranks)).toBe(false, `${which}`);
    }
  });
});

describe("bits", () => {
  test("are sixteenths, rounded down, between those of 1 and of the least probability", () => {
    expect(bitsOf(1)).toBe(0);
    expect(bitsOf(2)).toBe(0);
    expect(bitsOf(Infinity)).toBe(0);
    for (let i: u32 = 1; i < 60; ++i) {
      const bits = bitsOf(1 / <f32>(u64(1) << i));
      expect(bits == 16 * i || bits == 16 * i - 1).toBe(true); // as f32 rounds 16 / ln 2
    }
    expect(bitsOf(0)).toBe(bitsOf(<f32>1e-30));
    expect(bitsOf(-1)).toBe(bitsOf(0));
    expect(bitsOf(0)).toBeLessThanOrEqual(1024);
    expect(bitsOf(0)).toBeGreaterThan(1000);
  });
});
