import { W0_AT, W_AT } from "../../layers/list";
import { contextToken, windowComparisons, windowShares } from "../../layers/tokens";
import { ABSENT, ATTENDED, CONTEXT_TOKENS, SHARES, WINDOW } from "../../shape";
import { PLACE_INPUTS, TOKENS, U } from "../../solver/layout";
import { network } from "../../solver/records";
import { dense, N, placeAt, workAtText, writeModel } from "../model";
import { gap, get, id, mark, ROUNDING, startValues, untouched } from "../support";

const OUT = memory.data(WINDOW * 4 + 16, 16);

describe("the window before a place", () => {
  test("has the latest token first, and nothing before the stream", () => {
    startValues(1);
    writeModel();
    const work = workAtText();
    for (let at = 0; at < N; ++at) {
      for (let j = 0; j < CONTEXT_TOKENS; ++j) {
        const wanted = at - 1 - j < 0 ? <i32>ABSENT : id(TOKENS, at - 1 - j);
        expect(<i32>contextToken(placeAt(work, at), j)).toBe(wanted);
      }
    }
  });

  test("is compared with its pivot, position by position; absent tokens compare with nothing", () => {
    startValues(2);
    writeModel();
    for (let at = 50; at < 50 + WINDOW; ++at) store<u16>(TOKENS + (at << 1), <u16>ABSENT);
    const work = workAtText();
    mark(OUT + WINDOW * 4, 16);
    for (let at = 0; at < N; ++at) {
      windowComparisons(placeAt(work, at), OUT);
      expect(gap(OUT, dense().comparisons(at))).toBeLessThan(ROUNDING, at.toString());
    }
    expect(untouched(OUT + WINDOW * 4, 16)).toBe(true);
  });

  if (ATTENDED != 0) {
    test("is shared out by softmax(c W + w0), r in all, and the rest of a vector has nothing", () => {
      startValues(3);
      writeModel();
      const work = workAtText();
      for (let at = 0; at < N; ++at) {
        windowShares(placeAt(work, at), network.hidden);
        expect(gap(PLACE_INPUTS, dense().shares(at))).toBeLessThan(ROUNDING * 4, at.toString());
        for (let j = WINDOW; j < SHARES; ++j) expect(get(PLACE_INPUTS, j)).toBeLessThan(1e-30);
        expect(gap(PLACE_INPUTS + (SHARES << 2), dense().comparisons(at))).toBeLessThan(ROUNDING, at.toString());
      }
    });

    test("is shared out evenly where W and w0 are 0", () => {
      startValues(4);
      writeModel();
      memory.fill(U + W_AT, 0, W0_AT - W_AT + WINDOW * 4);
      windowShares(placeAt(workAtText(), 20), network.hidden);
      for (let j = 0; j < WINDOW; ++j) expect(Math.abs(get(PLACE_INPUTS, j) - 1)).toBeLessThan(ROUNDING);
    });
  }
});
