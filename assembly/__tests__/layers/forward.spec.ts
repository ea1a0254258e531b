import { earlierStates, forward, readInputs } from "../../layers/forward";
import { STATES_AT } from "../../layers/list";
import { ABSENT, INPUTS, M, STATES_LAYER, STATES_READ, WIDTH_0, WINDOW } from "../../shape";
import { PLACE_INPUTS, TOKENS, U0 } from "../../solver/layout";
import { network } from "../../solver/records";
import { dense, N, placeAt, workAtText, writeModel } from "../model";
import { gap, get, mark, put, ROUNDING, startValues, untouched } from "../support";

const OUT = memory.data(M * 4 + 16, 16);
/** Products of a layer with states that are rounded themselves. */
const LAYERED: f64 = ROUNDING * 4;

describe("the forward pass", () => {
  test("is the softmax of each group's logits, layer after layer, from a text's start on", () => {
    startValues(1);
    writeModel();
    for (let at = 60; at < 60 + WINDOW; ++at) store<u16>(TOKENS + (at << 1), <u16>ABSENT);
    const work = workAtText();
    const model = dense();
    mark(OUT + M * 4, 16);
    for (let at = 0; at < N; ++at) {
      memory.fill(PLACE_INPUTS, 0x7f, INPUTS * 4); // of another place
      const place = placeAt(work, at);
      forward(place, network, OUT);
      expect(gap(OUT, model.states(at))).toBeLessThan(LAYERED, at.toString());
      expect(place.at).toBe(at);
    }
    expect(untouched(OUT + M * 4, 16)).toBe(true);
  });

  test("has no state below 2^-56, so that products stay normal numbers", () => {
    startValues(2);
    writeModel();
    for (let c = 0; c < M; ++c) put(U0, c, c % 4 == 1 ? 0 : -80);
    forward(placeAt(workAtText(), 30), network, OUT);
    for (let c = 0; c < M; ++c) expect(get(OUT, c)).toBeGreaterThanOrEqual(Math.pow(2, -56));
  });

  if (STATES_LAYER > 0) {
    test("leaves the states that a layer reads with the place, those before the text's start 0", () => {
      startValues(3);
      writeModel();
      const work = workAtText();
      const model = dense();
      for (let at = 0; at < 12; ++at) {
        mark(PLACE_INPUTS, INPUTS * 4);
        readInputs(STATES_LAYER, placeAt(work, at), network);
        expect(gap(PLACE_INPUTS + STATES_AT, model.inputs(STATES_LAYER, at))).toBeLessThan(LAYERED, at.toString());
      }
      mark(PLACE_INPUTS, INPUTS * 4);
      earlierStates(placeAt(work, 30), network);
      expect(untouched(PLACE_INPUTS + STATES_AT, WIDTH_0 * 4)).toBe(true, "the present state is not its own");
      for (let i = WIDTH_0; i < STATES_READ * WIDTH_0; ++i) expect(get(PLACE_INPUTS + STATES_AT, i)).toBeLessThan(1);
    });
  }
});
