import {
  begin,
  checksum,
  classify,
  correct,
  encode,
  forget,
  input,
  merge,
  observe,
  PLAN_AT,
  predict,
  probabilities,
  put as putWord,
  refit,
} from "../../classify/device";
import { COUNTS, FULL, NO_SUMS, NONE, NOT_BEGUN, OUT_OF_RANGE, PLAN, STEP, TOO_LONG } from "../../classify/plan";
import { activate, classifier, layered, sum } from "./plan";
import { put } from "../support";

const D = 8;
const C = 3;

describe("the device", () => {
  test("answers nothing before it has begun, and begins with a sound plan alone", () => {
    const p = classifier(D, C, 1, 8, COUNTS);
    expect(PLAN_AT).toBe(PLAN);
    expect(predict()).toBe(NOT_BEGUN);
    expect(encode(0)).toBe(NOT_BEGUN);
    expect(observe(0)).toBe(NOT_BEGUN);
    expect(forget(0)).toBe(NOT_BEGUN);
    expect(refit()).toBe(NOT_BEGUN);
    expect(correct(0)).toBe(NOT_BEGUN);
    expect(merge(0, 0, 1, 0)).toBe(NOT_BEGUN);
    expect(putWord(0, 1)).toBe(NOT_BEGUN);
    expect(checksum(0)).toBe(NOT_BEGUN);
    expect(begin()).toBe(0);
    p.stride = 8;
    expect(begin()).toBe(OUT_OF_RANGE);
    expect(predict()).toBe(NOT_BEGUN);
    p.stride = 4;
    p.rows = p.end - 16;
    expect(begin()).toBe(OUT_OF_RANGE);
  });

  test("classifies, observes, solves, forgets", () => {
    const p = classifier(D, C, 1, 8, COUNTS);
    expect(begin()).toBe(0);
    expect(input()).toBe(<i32>p.codes);
    expect(probabilities()).toBe(<i32>p.probabilities);
    for (let c = 0; c < C; ++c) {
      for (let i = 0; i < 4; ++i) {
        expect(putWord(0, c | ((c + 3) << 16))).toBe(0);
        expect(encode(2)).toBe(2);
        expect(observe(c)).toBe(1);
      }
    }
    expect(observe(C)).toBe(OUT_OF_RANGE);
    expect(refit()).toBe(1);
    for (let c = 0; c < C; ++c) {
      putWord(0, c | ((c + 3) << 16));
      expect(classify(2)).toBe(c);
    }
    const solved = checksum(2);
    expect(forget(C - 1)).toBe(1);
    expect(refit()).toBe(1);
    expect(checksum(2)).not.toBe(solved);
    expect(forget(0)).toBe(FULL); // of its features none came with class 0
    expect(sum(p, 0)).toBe(11);
    expect(encode(2000)).toBe(TOO_LONG);
    activate(p, 0, D, 0);
    expect(encode(1)).toBe(OUT_OF_RANGE);
    expect(predict()).toBeGreaterThanOrEqual(0); // of nothing
    expect(putWord(2 * <i32>p.most - 3, 0)).toBe(OUT_OF_RANGE);
    expect(putWord(-1, 0)).toBe(OUT_OF_RANGE);
  });

  test("merges what is staged, all of it or nothing", () => {
    const p = classifier(D, C, 1, 8, COUNTS);
    begin();
    for (let i: usize = 0; i < 4; ++i) store<u32>(<usize>p.staged + 4 * i, <u32>i + 1);
    expect(merge(1, 4, 1, 0)).toBe(1);
    expect(sum(p, 1)).toBe(0);
    expect(merge(1, 4, 1, 1)).toBe(1);
    expect(sum(p, 4)).toBe(4);
    store<u32>(<usize>p.staged, 5, 12);
    expect(merge(1, 4, -1, 1)).toBe(FULL);
    expect(sum(p, 1)).toBe(1);
    expect(merge(<i32>p.cells - 3, 4, 1, 1)).toBe(OUT_OF_RANGE);
    expect(merge(0, 65, 1, 1)).toBe(OUT_OF_RANGE);
    expect(merge(-1, 1, 1, 1)).toBe(OUT_OF_RANGE);
  });

  test("without sums predicts, and says that it does not learn", () => {
    classifier(D, C, 1, 8, NONE);
    begin();
    expect(observe(0)).toBe(NO_SUMS);
    expect(forget(0)).toBe(NO_SUMS);
    expect(refit()).toBe(NO_SUMS);
    expect(merge(0, 1, 1, 1)).toBe(NO_SUMS);
    expect(correct(1)).toBe(NO_SUMS);
    expect(correct(0)).toBe(0);
    expect(checksum(1)).toBe(NO_SUMS);
    expect(classify(0)).toBe(0);
  });

  test("encodes through a hidden layer, twice the same, and learns above it", () => {
    const p = classifier(8, C, 1, 8, STEP);
    layered(p, 20, 2, 4, 8);
    for (let c = 0; c < 8; ++c) put(p.hiddenScales, c, 1);
    for (let c = 0; c < C; ++c) {
      put(p.prior, c, 1.0 / C);
      store<i8>(<usize>p.hiddenRows + 3 * 8 + 1, 9);
    }
    expect(begin()).toBe(0);
    expect(input()).toBe(<i32>p.codes);
    activate(p, 0, 3, 0);
    const found = encode(1);
    expect(load<u16>(<usize>p.ids)).toBe(1); // of the first group its second unit alone
    expect(load<u16>(<usize>p.values)).toBe(64);
    expect(found).toBe(5);
    expect(encode(1)).toBe(found);
    expect(observe(2)).toBe(1);
    expect(sum(p, 1 + C + 1 * C + 2)).toBe(64);
    expect(forget(2)).toBe(1);
    activate(p, 0, 20, 0);
    expect(encode(1)).toBe(OUT_OF_RANGE);
    p.units = 3;
    expect(begin()).toBe(OUT_OF_RANGE);
    p.units = 4;
    p.most = 7;
    expect(begin()).toBe(OUT_OF_RANGE);
  });
});
