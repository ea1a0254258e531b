import { ANY, bucketOf, sumWeights } from "../../history/mixture";
import { BUCKETS, MATCH_LENGTH } from "../../shape";
import { denseBucket, matches, MOST, weight, writeMatches } from "../matches";
import { below, get, LOOSE, mark, startValues, untouched } from "../support";

const SUMS = memory.data(MATCH_LENGTH * 4 + 16, 16);

describe("the mixture's bucket", () => {
  test("tells how many matches there are and how far their followers agree", () => {
    let wrong = 0;
    for (let total = 1; total < 100; ++total) {
      for (let distinct = 1; distinct <= total; ++distinct) {
        if (bucketOf(total, distinct) != denseBucket(total, distinct)) ++wrong;
      }
    }
    expect(wrong).toBe(0);
  });

  test("stays within the table", () => {
    expect(bucketOf(1, 1)).toBe(0);
    expect(bucketOf(i32.MAX_VALUE, i32.MAX_VALUE)).toBe(BUCKETS - 1);
  });
});

describe("sums of weights", () => {
  test("are those of each length or a greater one, of all matches or of those that a token followed", () => {
    startValues(2);
    for (let n = 0; n <= MOST; ++n) {
      writeMatches(n, n == 0 ? 0 : 1 + below(MATCH_LENGTH));
      mark(SUMS + MATCH_LENGTH * 4, 16);
      for (let token = ANY; token < 7; ++token) {
        sumWeights(matches, token, SUMS);
        for (let l = 0; l < MATCH_LENGTH; ++l) expect(Math.abs(get(SUMS, l) - weight(l, token))).toBeLessThan(LOOSE);
      }
      expect(untouched(SUMS + MATCH_LENGTH * 4, 16)).toBe(true);
    }
  });
});
