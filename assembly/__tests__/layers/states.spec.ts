import { tableOf } from "../../layers/list";
import { addGains } from "../../layers/states";
import { firstWeightOf, M, STATES_LAYER, STATES_READ, WIDTH_0, widthOf } from "../../shape";
import { U } from "../../solver/layout";
import { dense, writeModel } from "../model";
import { copyOf, fill, gap, get, mark, ROUNDING, startValues, untouched } from "../support";

const DELTA = memory.data(M * 4, 16);
const GAINS = memory.data(WIDTH_0 * 4 + 16, 16);

if (STATES_LAYER > 0) {
  describe("gains of a state", () => {
    test("are the rows of U that read it, times what the logits would gain, upon what was there", () => {
      startValues(1);
      writeModel();
      const model = dense();
      const width = widthOf(STATES_LAYER);
      for (let j = 0; j < STATES_READ; ++j) {
        fill(DELTA, width, -1, 1);
        fill(GAINS, WIDTH_0, -1, 1);
        mark(GAINS + WIDTH_0 * 4, 16);
        const wanted = copyOf(GAINS, WIDTH_0);
        for (let c = 0; c < WIDTH_0; ++c) {
          const row = firstWeightOf(STATES_LAYER) + (j * WIDTH_0 + c) * width;
          for (let i = 0; i < width; ++i) wanted[c] += model.hidden[row + i] * get(DELTA, i);
        }
        addGains(U + tableOf(STATES_LAYER), j, DELTA, GAINS);
        expect(gap(GAINS, wanted)).toBeLessThan(ROUNDING * 4, j.toString());
        expect(untouched(GAINS + WIDTH_0 * 4, 16)).toBe(true);
      }
    });
  });
}
