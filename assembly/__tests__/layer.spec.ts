import { hiddenState } from "../hidden";
import { addToFeatures, contextToken, hiddenLogits } from "../layer";
import { ABSENT, BITS, BLOCK, CIPHER_WIDTH, CLASSES, FEATURES, HEADS, M, V } from "../shape";
import { denseBlock, denseHidden, denseLogits } from "./dense";
import { copyOf, fill, fillCipher, fillTokens, gap, get, id, mark, ROUNDING, startValues, untouched } from "./support";

const N = 24; // places
const TOKENS = memory.data(24 * 2, 16);
const CIPHER = memory.data(V * CIPHER_WIDTH * 2, 16);
const U = memory.data(FEATURES * M * 4, 16);
const U0 = memory.data(M * 4, 16);
const OUT = memory.data(M * 4 + 16, 16);
const SUMS = memory.data(FEATURES * M * 4 + 16, 16);
const TWIN = memory.data(FEATURES * M * 4, 16);

function begin(seed: u32): void {
  startValues(seed);
  fillCipher(CIPHER, V);
  fillTokens(TOKENS, N, V);
  fill(U, FEATURES * M, -3, 3);
  fill(U0, M, -3, 0);
}

describe("the block before a place", () => {
  test("has the latest token first, and nothing before the stream", () => {
    begin(1);
    for (let at = 0; at < N; ++at) {
      for (let j = 0; j < BLOCK + 2; ++j) {
        const wanted = at - 1 - j < 0 ? <i32>ABSENT : id(TOKENS, at - 1 - j);
        expect(<i32>contextToken(TOKENS, at, j)).toBe(wanted);
      }
    }
  });
});

describe("hidden logits", () => {
  test("are the dense product x̄ U + u0", () => {
    begin(2);
    for (let at = 0; at < N; ++at) {
      hiddenLogits(TOKENS, at, CIPHER, 0, U, U0, 0, M, OUT);
      expect(gap(OUT, denseLogits(denseBlock(TOKENS, at, CIPHER), U, U0))).toBeLessThan(ROUNDING, at.toString());
    }
  });

  test("of one head are its part of all, and nothing past it is written", () => {
    begin(3);
    const all = denseLogits(denseBlock(TOKENS, N - 1, CIPHER), U, U0);
    for (let head = 0; head < HEADS; ++head) {
      mark(OUT + CLASSES * 4, 16);
      hiddenLogits(TOKENS, N - 1, CIPHER, 0, U, U0, head * CLASSES, CLASSES, OUT);
      const part = new StaticArray<f64>(CLASSES);
      for (let c = 0; c < CLASSES; ++c) part[c] = all[head * CLASSES + c];
      expect(gap(OUT, part)).toBeLessThan(ROUNDING, head.toString());
      expect(untouched(OUT + CLASSES * 4, 16)).toBe(true);
    }
  });
});

describe("the hidden state", () => {
  test("is the softmax of each head's logits", () => {
    begin(4);
    mark(OUT + M * 4, 16);
    for (let at = 0; at < N; ++at) {
      hiddenState(TOKENS, at, CIPHER, U, U0, 0, OUT);
      expect(gap(OUT, denseHidden(TOKENS, at, CIPHER, U, U0))).toBeLessThan(ROUNDING, at.toString());
    }
    expect(untouched(OUT + M * 4, 16)).toBe(true);
  });
});

/** Sums after adding weight · x̄ ⊗ values of every place, densely. */
function denseSums(before: StaticArray<f64>, weight: f64, firstRow: i32, endRow: i32): StaticArray<f64> {
  for (let at = 0; at < N; ++at) {
    const x = denseBlock(TOKENS, at, CIPHER);
    for (let row = firstRow; row < endRow; ++row) {
      for (let c = 0; c < M; ++c) before[row * M + c] += weight * x[row] * get(U0, c);
    }
  }
  return before;
}

function addAll(weight: f32, firstRow: i32, endRow: i32, sums: usize): void {
  for (let at = 0; at < N; ++at) addToFeatures(TOKENS, at, CIPHER, 0, U0, weight, M, firstRow, endRow, sums);
}

describe("sums of features", () => {
  test("are the dense outer product of block and values", () => {
    begin(5);
    fill(SUMS, FEATURES * M, 0, 1);
    mark(SUMS + FEATURES * M * 4, 16);
    const wanted = denseSums(copyOf(SUMS, FEATURES * M), 0.6, 0, FEATURES);
    addAll(0.6, 0, FEATURES, SUMS);
    expect(gap(SUMS, wanted)).toBeLessThan(ROUNDING);
    expect(untouched(SUMS + FEATURES * M * 4, 16)).toBe(true);
  });

  test("touch the rows asked for and no other", () => {
    begin(6);
    fill(SUMS, FEATURES * M, 0, 1);
    const wanted = denseSums(copyOf(SUMS, FEATURES * M), 1, 2, FEATURES - 1);
    addAll(1, 2, FEATURES - 1, SUMS);
    expect(gap(SUMS, wanted)).toBeLessThan(ROUNDING);
  });

  test("gathered in two halves are the whole, to the bit", () => {
    begin(7);
    memory.fill(SUMS, 0, FEATURES * M * 4);
    memory.fill(TWIN, 0, FEATURES * M * 4);
    addAll(0.7, 0, FEATURES, SUMS);
    addAll(0.7, BITS / 2, FEATURES, TWIN);
    addAll(0.7, 0, BITS / 2, TWIN);
    expect(gap(TWIN, copyOf(SUMS, FEATURES * M))).toBe(0);
    expect(gap(SUMS, new StaticArray<f64>(FEATURES * M))).toBeGreaterThan(0.5);
  });
});
