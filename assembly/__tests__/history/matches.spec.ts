import { countDistinct, followerOf, lengthOf, listMatch, weighByNetwork, weightOf } from "../../history/matches";
import { MATCH_LENGTH, V } from "../../shape";
import { clearMatches, count, DISTINCT, distinctOf, followers, lengths, LIST, matches, MOST, SEEN, TOTALS, writeMatches } from "../matches";
import { fill, get, mark, put, startValues, untouched } from "../support";

const PROBABILITIES = memory.data(V * 4, 16);

describe("a match", () => {
  test("keeps its follower and its length, and weighs 1 / √age, less at most a 32nd of it", () => {
    for (let length = 1; length <= MATCH_LENGTH; ++length) {
      for (let age: u32 = 1; age < 1 << 20; age = age + 1 + age / 3) {
        clearMatches();
        listMatch(length, 0xfff7, age, matches);
        const match = load<u32>(LIST);
        expect(followerOf(match)).toBe(0xfff7);
        expect(lengthOf(match)).toBe(length);
        const weight = <f64>weightOf(match) * Math.sqrt(<f64>age);
        expect(weight > 1 - 1.0 / 32 && weight < 1 + 1e-6).toBe(true, age.toString());
      }
    }
    clearMatches();
    listMatch(1, 0, 0, matches);
    expect(weightOf(load<u32>(LIST))).toBe(1, "no weight is above 1");
  });

  test("is counted for each length up to its own", () => {
    startValues(1);
    for (let n = 1; n <= MOST; ++n) {
      mark(LIST + (n << 2), 16);
      mark(DISTINCT, MATCH_LENGTH * 4);
      writeMatches(n, MATCH_LENGTH);
      expect(matches.count).toBe(n);
      for (let l = 0; l < MATCH_LENGTH; ++l) expect(load<i32>(TOTALS + (l << 2))).toBe(count(l, -1));
      expect(untouched(LIST + (n << 2), 16)).toBe(true);
      expect(untouched(DISTINCT, MATCH_LENGTH * 4)).toBe(true);
    }
  });
});

describe("distinct followers", () => {
  test("are counted length by length, and the scratch is clean afterwards", () => {
    startValues(2);
    for (let n = 1; n <= MOST; ++n) {
      for (let longest = 1; longest <= MATCH_LENGTH; ++longest) {
        writeMatches(n, longest);
        countDistinct(matches);
        for (let l = 0; l < MATCH_LENGTH; ++l) expect(load<i32>(DISTINCT + (l << 2))).toBe(distinctOf(l));
        for (let v: usize = 0; v < <usize>V; ++v) expect(load<u8>(SEEN + v)).toBe(0);
      }
    }
  });
});

describe("matches weighed by the network", () => {
  test("weigh p^¼ of what followed, cut to six bits, and keep follower and length", () => {
    startValues(11);
    writeMatches(MOST, MATCH_LENGTH);
    fill(PROBABILITIES, V, 0, 1);
    put(PROBABILITIES, followers[3], 0); // no weight is 0
    const before = new StaticArray<u32>(MOST);
    for (let i = 0; i < MOST; ++i) before[i] = load<u32>(LIST + (i << 2));
    mark(LIST + (MOST << 2), 16);
    weighByNetwork(matches, PROBABILITIES);
    expect(untouched(LIST + (MOST << 2), 16)).toBe(true);
    for (let i = 0; i < MOST; ++i) {
      const match = load<u32>(LIST + (i << 2));
      expect(followerOf(match)).toBe(followers[i]);
      expect(lengthOf(match)).toBe(lengths[i]);
      const p = Math.max(1.1754944e-38, get(PROBABILITIES, followers[i]));
      const wanted = <f64>weightOf(before[i]) * Math.pow(p, 0.25);
      const found = <f64>weightOf(match);
      expect(found).toBeGreaterThan(wanted * (1 - 1.0 / 32) * (1 - 1e-6), i.toString());
      expect(found).toBeLessThan(wanted * (1 + 1e-6), i.toString());
      expect(found).toBeGreaterThan(0);
    }
  });
});
