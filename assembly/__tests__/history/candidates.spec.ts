import { clearCandidates, offer } from "../../history/candidates";
import { ABSENT, LONGEST, MOST_LONG, V } from "../../shape";
import { candidates, offerNone, wantOffer, wrongCandidates } from "../candidates";
import { below, startValues } from "../support";

function begin(): void {
  clearCandidates(candidates);
  offerNone();
}

function take(length: i32, follower: i32, before: i32): void {
  offer(candidates, length, follower, before);
  wantOffer(length, follower, before);
}

describe("long matches", () => {
  test("are the longest of those offered, among equals those that were found first", () => {
    startValues(1);
    for (let longest = 1; longest <= LONGEST; ++longest) {
      for (let many = 0; many < 4 * MOST_LONG; many += 1 + below(40)) {
        begin();
        for (let i = 0; i < many; ++i) take(1 + below(longest), below(V), below(3) == 0 ? <i32>ABSENT : below(V));
        expect(wrongCandidates()).toBe(0, many.toString() + " of up to " + longest.toString());
      }
    }
  });

  test("take each other's places whatever the order of their lengths: ever longer, ever shorter, by turns", () => {
    for (let order = 0; order < 4; ++order) {
      begin();
      let failures = 0;
      for (let i = 0; i < 10 * MOST_LONG; ++i) {
        const part = (i * LONGEST) / (10 * MOST_LONG);
        const length = order == 0 ? part + 1 : order == 1 ? LONGEST - part : order == 2 ? 1 + (i % LONGEST) : 1 + 19 * (i & 1);
        take(length, i % V, i % 7);
        if (i % 8 == order) failures += wrongCandidates();
      }
      expect(failures).toBe(0, "order " + order.toString());
    }
  });

  test("are none where what followed is no token, and none at first", () => {
    begin();
    expect(wrongCandidates()).toBe(0);
    expect(candidates.guess).toBe(ABSENT);
    take(LONGEST, V, 0);
    take(LONGEST, 0xffff, 0);
    expect(candidates.count).toBe(0);
    take(1, V - 1, 0xffff);
    expect(wrongCandidates()).toBe(0);
    expect(candidates.longest).toBe(1);
  });

  test("keep ids and tokens before them in all their sixteen bits", () => {
    begin();
    take(1, V - 1, 0xfffe);
    take(LONGEST, V - 1, <i32>ABSENT);
    take(3, 0, 0x0100);
    expect(wrongCandidates()).toBe(0);
  });
});
