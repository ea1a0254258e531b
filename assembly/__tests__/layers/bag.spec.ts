import { addBag, KEEP, NEW } from "../../layers/bag";
import { tableOf } from "../../layers/list";
import { BAG_LAYER, BAG_WIDTH, SPAN } from "../../shape";
import { TOKENS, U } from "../../solver/layout";
import { N, placeAt, workAtText, writeModel } from "../model";
import { copyOf, gap, id, ROUNDING, startValues } from "../support";

const OUT = memory.data(BAG_WIDTH * 4 + 16, 16);

function addAt(at: i32): void {
  memory.fill(OUT, 0, BAG_WIDTH * 4);
  addBag(placeAt(workAtText(), at), U + tableOf(BAG_LAYER), BAG_WIDTH, OUT);
}

if (BAG_LAYER > 0) {
  describe("the document", () => {
    test("is carried along: what a token adds, and the rest kept", () => {
      startValues(1);
      writeModel();
      expect(KEEP).toBe(<f32>(1 - 1 / <f64>SPAN));
      expect(NEW).toBe(<f32>(1 / <f64>SPAN));
      // within 5·T tokens of the text's start nothing is left out
      const wanted = new StaticArray<f64>(BAG_WIDTH);
      for (let at = 1; at <= 5 * SPAN; ++at) {
        const token = id(TOKENS, at - 1);
        for (let i = 0; i < BAG_WIDTH; ++i) wanted[i] *= 1 - 1 / <f64>SPAN;
        // a text of that token alone
        store<u16>(TOKENS + (N << 1), 0xffff);
        store<u16>(TOKENS + ((N + 1) << 1), <u16>token);
        addAt(N + 2);
        const alone = copyOf(OUT, BAG_WIDTH);
        for (let i = 0; i < BAG_WIDTH; ++i) wanted[i] += alone[i];
        addAt(at);
        expect(gap(OUT, wanted)).toBeLessThan(ROUNDING * 8, at.toString());
      }
    });

    test("reaches 5·T tokens back, and no further", () => {
      startValues(2);
      writeModel();
      const at = N - 1;
      addAt(at);
      const before = copyOf(OUT, BAG_WIDTH);
      store<u16>(TOKENS + ((at - 5 * SPAN - 1) << 1), <u16>((id(TOKENS, at - 5 * SPAN - 1) + 1) % 8));
      addAt(at);
      expect(gap(OUT, before)).toBe(0);
      store<u16>(TOKENS + ((at - 5 * SPAN) << 1), <u16>((id(TOKENS, at - 5 * SPAN) + 1) % 8));
      addAt(at);
      expect(gap(OUT, before)).toBeGreaterThan(0);
    });
  });
}
