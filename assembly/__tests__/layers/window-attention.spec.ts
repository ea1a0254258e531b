import { attentionShares, comparison } from "../../layers/window-attention";
import { ABSENT, CIPHER_WIDTH, SHARES, V, WINDOW } from "../../shape";
import { denseSoftmax, denseToken } from "../dense";
import { copyOf, fill, fillCipher, gap, get, mark, ROUNDING, startValues, untouched } from "../support";

const CIPHER = memory.data(V * CIPHER_WIDTH * 2, 16);
const OTHER = memory.data(V * CIPHER_WIDTH * 2, 16);
const COMPARISONS = memory.data(WINDOW * 4, 16);
const W = memory.data(WINDOW * WINDOW * 4, 16);
const W0 = memory.data(WINDOW * 4, 16);
const OUT = memory.data(SHARES * 4 + 16, 16);

describe("a comparison", () => {
  test("is the product of two ciphers, of one table or of two", () => {
    startValues(1);
    fillCipher(CIPHER, V);
    memory.copy(OTHER, CIPHER, V * CIPHER_WIDTH * 2);
    for (let a = 0; a < V; ++a) {
      const x = denseToken(CIPHER, a);
      for (let b = 0; b < V; ++b) {
        const y = denseToken(CIPHER, b);
        let wanted: f64 = 0;
        for (let bit = 0; bit < x.length; ++bit) wanted += x[bit] * y[bit];
        expect(Math.abs(<f64>comparison(CIPHER, a, OTHER, b) - wanted)).toBeLessThan(ROUNDING);
      }
    }
  });

  test("with an absent token is none, even of two of them", () => {
    expect(comparison(CIPHER, ABSENT, CIPHER, 1)).toBe(0);
    expect(comparison(CIPHER, 1, CIPHER, ABSENT)).toBe(0);
    expect(comparison(CIPHER, ABSENT, CIPHER, ABSENT)).toBe(0);
  });
});

describe("shares of attention", () => {
  test("are r · softmax(c W + w0)", () => {
    startValues(2);
    for (let round = 0; round < 20; ++round) {
      fill(COMPARISONS, WINDOW, 0, 1);
      fill(W, WINDOW * WINDOW, -4, 4);
      fill(W0, WINDOW, -3, 0);
      mark(OUT + SHARES * 4, 16);
      const wanted = copyOf(W0, WINDOW);
      for (let j = 0; j < WINDOW; ++j) {
        for (let i = 0; i < WINDOW; ++i) wanted[j] += get(COMPARISONS, i) * get(W, i * WINDOW + j);
      }
      denseSoftmax(wanted, 0, WINDOW);
      for (let j = 0; j < WINDOW; ++j) wanted[j] *= <f64>WINDOW;
      attentionShares(COMPARISONS, W, W0, OUT);
      expect(gap(OUT, wanted)).toBeLessThan(ROUNDING * 4);
      expect(untouched(OUT + SHARES * 4, 16)).toBe(true);
    }
  });
});
