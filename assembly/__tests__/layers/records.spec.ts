import { DOCUMENT_TOKENS } from "../../layers/records";
import { contextToken } from "../../layers/tokens";
import { ABSENT, BAG_LAYER, CONTEXT_TOKENS } from "../../shape";
import { TOKENS } from "../../solver/layout";
import { N, placeAt, workAtText, writeModel } from "../model";
import { id, startValues } from "../support";

const END: i32 = 3;
const REACH: i32 = BAG_LAYER > 0 ? max<i32>(DOCUMENT_TOKENS, CONTEXT_TOKENS) : CONTEXT_TOKENS;

/** The first token that place `at` may read, looked for one by one; `end` is none where it is ABSENT. */
function startOf(at: i32, end: i32): i32 {
  let start = 0;
  for (let before = 0; before < at; ++before) {
    const token = id(TOKENS, before);
    if (token == <i32>ABSENT) start = before + 1;
    if (token == end) start = before;
  }
  return max<i32>(start, at - REACH);
}

describe("a place", () => {
  test("reads from the last boundary before it on, as far as its layers reach", () => {
    startValues(1);
    writeModel();
    for (let at = 0; at < N; at += 7) store<u16>(TOKENS + (at << 1), <u16>END);
    store<u16>(TOKENS + (40 << 1), <u16>END); // two in a row, then an absent token
    store<u16>(TOKENS + (41 << 1), <u16>END);
    store<u16>(TOKENS + (45 << 1), <u16>ABSENT);
    const work = workAtText();
    const place = work.place;
    place.boundary = END + 1;
    for (let at = 0; at < N; ++at) {
      place.moveTo(at);
      expect(place.at).toBe(at);
      expect(place.start).toBe(startOf(at, END), at.toString());
      for (let j = 0; j < CONTEXT_TOKENS; ++j) {
        const wanted = at - 1 - j < startOf(at, END) ? <i32>ABSENT : id(TOKENS, at - 1 - j);
        expect(<i32>contextToken(place, j)).toBe(wanted, at.toString());
      }
    }
    place.boundary = 0;
  });

  test("reads over what is no boundary: none is one where the text is one piece", () => {
    startValues(2);
    writeModel();
    const work = workAtText();
    for (let at = 0; at < N; ++at) expect(placeAt(work, at).start).toBe(startOf(at, <i32>ABSENT), at.toString());
  });
});
