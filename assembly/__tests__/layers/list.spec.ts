import { layerOf, normOf, STATES_AT, tableOf, unitOf, W0_AT, W_AT } from "../../layers/list";
import {
  ATTENDED,
  columnOf,
  GROUPS,
  groupsOf,
  HIDDEN_WEIGHTS,
  INPUTS,
  LAYERS,
  positionsOf,
  readsOf,
  rowsOf,
  STATES,
  STATES_READ,
  TOKENS,
  UNITS,
  WIDTH_0,
  widthOf,
  WINDOW,
} from "../../shape";

describe("the list of layers", () => {
  test("has each group in the layer of its columns, at its unit there", () => {
    for (let group = 0; group < GROUPS; ++group) {
      const layer = layerOf(group);
      const first = columnOf(layer) / UNITS;
      expect(group >= first && group < first + groupsOf(layer)).toBe(true, group.toString());
      expect(columnOf(layer) + unitOf(group)).toBe(group * UNITS, group.toString());
    }
  });

  test("has tables back to back, then W and w0, in whole vectors", () => {
    let end: usize = 0;
    for (let layer = 0; layer < LAYERS; ++layer) {
      expect(tableOf(layer)).toBe(end, layer.toString());
      end += rowsOf(layer) * widthOf(layer) * 4;
    }
    expect(W_AT).toBe(end);
    expect(W0_AT).toBe(end + ATTENDED * WINDOW * WINDOW * 4);
    end = W0_AT + ATTENDED * WINDOW * 4;
    expect(<usize>HIDDEN_WEIGHTS * 4).toBeGreaterThanOrEqual(end);
    expect(<usize>HIDDEN_WEIGHTS * 4 - end).toBeLessThan(16);
    expect(HIDDEN_WEIGHTS % 4).toBe(0);
  });

  test("has room in a place's inputs for shares, comparisons and states", () => {
    if (ATTENDED != 0) expect(STATES_AT).toBeGreaterThanOrEqual(2 * WINDOW * 4);
    expect(<usize>INPUTS * 4).toBe(STATES_AT + STATES_READ * WIDTH_0 * 4);
  });

  test("has the sum of a layer's inputs as their norm: one a token, one a group of every state", () => {
    for (let layer = 0; layer < LAYERS; ++layer) {
      const wanted = readsOf(layer) == TOKENS ? WINDOW : readsOf(layer) == STATES ? positionsOf(layer) * groupsOf(0) : 1;
      expect(normOf(layer)).toBe(wanted, layer.toString());
    }
  });
});
