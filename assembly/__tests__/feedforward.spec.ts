import { feedForward } from "../feedforward";
import { ABSENT, BITS, BLOCK, CIPHER_WIDTH, FEATURES, M, rowBytes, V, WEIGHT_BITS } from "../shape";
import { denseToken } from "./dense";
import {
  below,
  copyOf,
  differing,
  fill,
  fillCipher,
  gap,
  get,
  mark,
  ROUNDING,
  startValues,
  untouched,
} from "./support";

const CONTEXT = memory.data(BLOCK * 2, 16);
const CIPHER = memory.data(V * CIPHER_WIDTH * 2, 16);
const ROWS = memory.data(FEATURES * M, 16); // (r·b, M) i8, or (r·b, M / 2) codes
const LEVELS = memory.data(16, 16);
const SCALES = memory.data(FEATURES * 4, 16);
const BIAS = memory.data(M * 4, 16);
const OUT = memory.data(M * 4 + 16, 16);

function writeModel(seed: u32): void {
  startValues(seed);
  fillCipher(CIPHER, V);
  for (let i = 0; i < FEATURES * <i32>rowBytes(M); ++i) store<i8>(ROWS + i, <i8>(below(255) - 127));
  for (let i = 0; i < 16; ++i) store<i8>(LEVELS + i, <i8>(below(255) - 127));
  fill(SCALES, FEATURES, 1e-4, 0.03);
  fill(BIAS, M, -3, 0);
}

/** U[row, c] before its row's scale. */
function weightAt(row: i32, c: i32): i32 {
  if (WEIGHT_BITS == 8) return <i32>load<i8>(ROWS + row * M + c);
  const codes = <i32>load<u8>(ROWS + (row * M + c) / 2);
  return <i32>load<i8>(LEVELS + (c % 2 == 0 ? codes % 16 : codes / 16));
}

function setContext(j: i32, token: i32): void {
  store<u16>(CONTEXT + ((<usize>j) << 1), <u16>token);
}

function contextAt(j: i32): i32 {
  return <i32>load<u16>(CONTEXT + ((<usize>j) << 1));
}

/** x̄ U + u0 in f64 with the whole of x̄: every bit of every position. */
function dense(): StaticArray<f64> {
  const out = copyOf(BIAS, M);
  for (let j = 0; j < BLOCK; ++j) {
    if (contextAt(j) == <i32>ABSENT) continue;
    const x = denseToken(CIPHER, contextAt(j));
    for (let bit = 0; bit < BITS; ++bit) {
      const row = j * BITS + bit;
      for (let c = 0; c < M; ++c) out[c] += x[bit] * get(SCALES, row) * <f64>weightAt(row, c);
    }
  }
  return out;
}

/** The same in f32, position by position and bit by bit: one product and one sum an element, each rounded. */
function pinned(): StaticArray<f32> {
  const out = new StaticArray<f32>(M);
  for (let c = 0; c < M; ++c) out[c] = <f32>get(BIAS, c);
  for (let j = 0; j < BLOCK; ++j) {
    if (contextAt(j) == <i32>ABSENT) continue;
    const x = denseToken(CIPHER, contextAt(j));
    let bits = 0;
    for (let bit = 0; bit < BITS; ++bit) if (x[bit] > 0) ++bits;
    for (let bit = 0; bit < BITS; ++bit) {
      if (x[bit] == 0) continue;
      const row = j * BITS + bit;
      const scale = <f32>get(SCALES, row) / <f32>bits;
      for (let c = 0; c < M; ++c) out[c] += scale * <f32>weightAt(row, c);
    }
  }
  return out;
}

describe("the feed-forward step", () => {
  test("is the dense product of block and weights, for every token", () => {
    writeModel(1);
    for (let token = 0; token < V; ++token) {
      for (let j = 0; j < BLOCK; ++j) setContext(j, (token + j * 7) % V);
      feedForward(CONTEXT, CIPHER, 0, ROWS, LEVELS, SCALES, BIAS, OUT);
      expect(gap(OUT, dense())).toBeLessThan(ROUNDING, token.toString());
    }
  });

  test("adds rows in the order of positions and bits: the bits of its definition", () => {
    for (let seed: u32 = 2; seed < 12; ++seed) {
      writeModel(seed);
      for (let j = 0; j < BLOCK; ++j) setContext(j, below(V));
      feedForward(CONTEXT, CIPHER, 0, ROWS, LEVELS, SCALES, BIAS, OUT);
      expect(differing(OUT, pinned())).toBe(0);
    }
  });

  test("adds nothing for a position before the stream", () => {
    writeModel(12);
    for (let known = 0; known < BLOCK; ++known) {
      for (let j = 0; j < BLOCK; ++j) setContext(j, j < known ? below(V) : <i32>ABSENT);
      feedForward(CONTEXT, CIPHER, 0, ROWS, LEVELS, SCALES, BIAS, OUT);
      expect(differing(OUT, pinned())).toBe(0, known.toString());
    }
  });

  test("writes M logits and no more, and keeps the bias as it is", () => {
    writeModel(13);
    const bias = copyOf(BIAS, M);
    for (let j = 0; j < BLOCK; ++j) setContext(j, j);
    mark(OUT + M * 4, 16);
    feedForward(CONTEXT, CIPHER, 0, ROWS, LEVELS, SCALES, BIAS, OUT);
    expect(untouched(OUT + M * 4, 16)).toBe(true);
    expect(gap(BIAS, bias)).toBe(0);
  });
});
