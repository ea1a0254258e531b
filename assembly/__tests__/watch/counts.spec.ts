import { addTo, CELL, countBehind, countOf, Counts, halve, pairOf, probabilityOf } from "../../watch/counts";
import { countsIn, SYMBOLS } from "../../watch/plan";
import { watch } from "./plan";

function table(bits: u32): Counts {
  return countsIn(watch(SYMBOLS, bits));
}

describe("counts", () => {
  test("are exact while a bucket has room, in a table of one bucket as well", () => {
    const counts = table(3);
    for (let key: u32 = 1; key <= 8; ++key) for (let i: u32 = 0; i < key; ++i) expect(addTo(counts, key)).toBe(i + 1);
    for (let key: u32 = 1; key <= 8; ++key) expect(countOf(counts, key)).toBe(key);
    expect(countOf(counts, 9)).toBe(0);
    expect(load<u64>(<usize>counts.cells - 8)).toBe(0);
    expect(load<u64>(<usize>counts.cells + 64)).toBe(0); // the ring
  });

  test("take the place of the least in a full bucket, the first of these", () => {
    const counts = table(3);
    for (let key: u32 = 1; key <= 8; ++key) {
      addTo(counts, key);
      if (key != 3 && key != 6) addTo(counts, key);
    }
    expect(addTo(counts, 100)).toBe(1);
    expect(countOf(counts, 3)).toBe(0);
    expect(countOf(counts, 6)).toBe(1);
    expect(addTo(counts, 100)).toBe(2);
    addTo(counts, 101); // in the place of 6
    expect(countOf(counts, 6)).toBe(0);
    expect(countOf(counts, 100)).toBe(2);
    expect(countOf(counts, 8)).toBe(2);
  });

  test("stay within their table, whatever its size and the keys", () => {
    for (let bits: u32 = 3; bits <= 12; ++bits) {
      const counts = table(bits);
      const end = <usize>counts.cells + (CELL << <usize>bits);
      let key: u32 = 1;
      for (let i = 0; i < 5000; ++i) {
        key = key * 1664525 + 1013904223;
        addTo(counts, key);
      }
      addTo(counts, u32.MAX_VALUE);
      let sum: u64 = 0;
      for (let at = <usize>counts.cells; at < end; at += CELL) sum += load<u32>(at, 4);
      expect(sum).toBeGreaterThan(0);
      expect(load<u64>(<usize>counts.cells - 8)).toBe(0, `${bits}`);
      expect(load<u64>(end)).toBe(0, `${bits}`);
    }
  });

  test("are halved, and those of one are gone", () => {
    const counts = table(4);
    for (let key: u32 = 1; key <= 5; ++key) for (let i: u32 = 0; i < key; ++i) addTo(counts, key);
    halve(counts);
    for (let key: u32 = 1; key <= 5; ++key) expect(countOf(counts, key)).toBe(key >> 1);
    let keys = 0;
    for (let i: usize = 0; i < 16; ++i) keys += i32(load<u32>(<usize>counts.cells + i * CELL) != 0);
    expect(keys).toBe(4);
  });
});

describe("the probability of an event behind a context", () => {
  test("is the shorter context's where nothing came, and shares of what came adds up to one with it", () => {
    const counts = table(10);
    expect(probabilityOf(counts, 5, 1, 0.125)).toBe(0.125);
    for (let i = 0; i < 3; ++i) countBehind(counts, 5, 1);
    countBehind(counts, 5, 2);
    // n = 4, d = 2
    expect(probabilityOf(counts, 5, 1, 0.125)).toBe(<f32>((3 + 2 * 0.125) / 6));
    expect(probabilityOf(counts, 5, 2, 0.125)).toBe(<f32>((1 + 2 * 0.125) / 6));
    expect(probabilityOf(counts, 5, 3, 0.125)).toBe(<f32>((2 * 0.125) / 6));
    expect(probabilityOf(counts, 6, 1, 0.5)).toBe(0.5);
  });

  test("keys of two are none of 0, and depend on both and their order", () => {
    for (let i: u32 = 0; i < 2000; ++i) {
      expect(pairOf(i * 0x9e3779b1, i)).not.toBe(0);
      expect(pairOf(i, i + 1)).not.toBe(pairOf(i + 1, i));
      expect(pairOf(i, 7)).not.toBe(pairOf(i + 1, 7));
    }
  });
});
