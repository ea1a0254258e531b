import {
  embeddedDeltas,
  embeddedFeatureGradient,
  embeddedTile,
  embeddingGradient,
  foldEmbedding,
  thawCipher,
} from "../embedding";
import { BITS, BLOCK, CIPHER_WIDTH, CLASSES, FEATURES, HEADS, M, V } from "../shape";
import { BATCH, TILE } from "../trainer-memory";
import { WIDTH } from "../tuner-memory";
import { denseHidden, denseSoftmax, denseToken } from "./dense";
import { copyOf, fill, fillCipher, fillTokens, gap, get, id, mark, ROUNDING, startValues, untouched } from "./support";

const N = 60; // tokens of the stream
const COUNT = 50; // places: a part of a tile
const WEIGHT: f32 = <f32>1 / <f32>COUNT;

const TOKENS = memory.data(60 * 2, 16);
const PLACES = memory.data(TILE * 4, 16);
const CIPHER = memory.data(V * CIPHER_WIDTH * 2, 16);
const U = memory.data((FEATURES + 4) * M * 4, 16); // four rows more, as other weights stand behind them
const U0 = memory.data(M * 4, 16);
const TABLE = memory.data(V * WIDTH * 4 + 16, 16);
const EMBEDDED = memory.data(BLOCK * BATCH * WIDTH * 4, 16);
const EMBEDDED_DELTA = memory.data(BLOCK * BATCH * WIDTH * 4, 16);
const HIDDEN = memory.data(TILE * M * 4 + 16, 16);
const DELTA = memory.data(TILE * M * 4, 16);
const TRANSPOSED = memory.data(M * TILE * 4, 16);
const FOUR = memory.data(4 * M * 4, 16);
const OUT = memory.data(BLOCK * V * M * 4 + 16, 16);

function begin(seed: u32): void {
  startValues(seed);
  fillCipher(CIPHER, V);
  fillTokens(TOKENS, N, V);
  fill(U, (FEATURES + 4) * M, -2, 2);
  fill(U0, M, -2, 0);
  memory.fill(TABLE, 0, V * WIDTH * 4);
  for (let v = 0; v < V; ++v) fill(TABLE + ((v * WIDTH) << 2), BITS, -1, 1);
  memory.fill(DELTA, 0, TILE * M * 4);
  fill(DELTA, COUNT * M, -1, 1);
  for (let t = 0; t < TILE; ++t) store<i32>(PLACES + ((<usize>t) << 2), (t * 7) % N); // the stream's first place among them
}

function place(t: i32): i32 {
  return load<i32>(PLACES + ((<usize>t) << 2));
}

/** Token at position j before place t of the tile, or −1 before the stream. */
function tokenAt(t: i32, j: i32): i32 {
  return place(t) - 1 - j < 0 ? -1 : id(TOKENS, place(t) - 1 - j);
}

function forward(): void {
  mark(HIDDEN + TILE * M * 4, 16);
  embeddedTile(TOKENS, PLACES, COUNT, TABLE, U, U0, EMBEDDED, HIDDEN);
}

describe("embedded inputs", () => {
  test("of a thawed cipher give the hidden states of the cipher", () => {
    begin(1);
    mark(TABLE, V * WIDTH * 4 + 16);
    thawCipher(CIPHER, TABLE);
    for (let v = 0; v < V; ++v) {
      const row = denseToken(CIPHER, v);
      for (let i = 0; i < WIDTH; ++i) {
        expect(get(TABLE, v * WIDTH + i)).toBe(i < BITS ? <f64>(<f32>row[i]) : 0);
      }
    }
    expect(untouched(TABLE + V * WIDTH * 4, 16)).toBe(true);
    forward();
    for (let t = 0; t < COUNT; ++t) {
      const wanted = denseHidden(TOKENS, place(t), CIPHER, U, U0);
      expect(gap(HIDDEN + ((t * M) << 2), wanted)).toBeLessThan(ROUNDING, t.toString());
    }
  });

  test("of any table give softmax(u0 + Σ E[x_j] U_j) a head, and zeros past the places", () => {
    begin(2);
    forward();
    for (let t = 0; t < COUNT; ++t) {
      const wanted = copyOf(U0, M);
      for (let j = 0; j < BLOCK; ++j) {
        const token = tokenAt(t, j);
        if (token < 0) continue;
        for (let i = 0; i < BITS; ++i) {
          for (let c = 0; c < M; ++c) wanted[c] += get(TABLE, token * WIDTH + i) * get(U, (j * BITS + i) * M + c);
        }
      }
      for (let head = 0; head < HEADS; ++head) denseSoftmax(wanted, head * CLASSES, CLASSES);
      expect(gap(HIDDEN + ((t * M) << 2), wanted)).toBeLessThan(ROUNDING * 4, t.toString());
    }
    for (let i = COUNT * M; i < TILE * M; ++i) expect(get(HIDDEN, i)).toBe(0);
    expect(untouched(HIDDEN + TILE * M * 4, 16)).toBe(true);
  });
});

describe("gradients through embedded inputs", () => {
  test("of U: Σ x̄_j ⊗ dz, four bits at a time, the last of them in part", () => {
    begin(3);
    forward();
    mark(OUT, FEATURES * M * 4 + 16);
    for (let j = 0; j < BLOCK; ++j) {
      for (let bit = 0; bit < BITS; bit += 4) {
        embeddedFeatureGradient(1, EMBEDDED, DELTA, j, bit, WEIGHT, FOUR, OUT);
      }
    }
    const wanted = new StaticArray<f64>(FEATURES * M);
    for (let t = 0; t < COUNT; ++t) {
      for (let j = 0; j < BLOCK; ++j) {
        if (tokenAt(t, j) < 0) continue;
        for (let i = 0; i < BITS; ++i) {
          const x = get(TABLE, tokenAt(t, j) * WIDTH + i) / <f64>COUNT;
          for (let c = 0; c < M; ++c) wanted[(j * BITS + i) * M + c] += x * get(DELTA, t * M + c);
        }
      }
    }
    expect(gap(OUT, wanted)).toBeLessThan(ROUNDING);
    expect(untouched(OUT + FEATURES * M * 4, 16)).toBe(true);
  });

  test("of E: Σ dz U_jᵀ over the places that hold the token, in shares of tokens", () => {
    begin(4);
    forward();
    embeddedDeltas(DELTA, U, TRANSPOSED, EMBEDDED_DELTA);
    mark(OUT, V * WIDTH * 4 + 16);
    embeddingGradient(TOKENS, PLACES, COUNT, EMBEDDED_DELTA, 3, V, WEIGHT, OUT);
    expect(untouched(OUT, 3 * WIDTH * 4)).toBe(true);
    embeddingGradient(TOKENS, PLACES, COUNT, EMBEDDED_DELTA, 0, 3, WEIGHT, OUT);
    const wanted = new StaticArray<f64>(V * WIDTH);
    for (let t = 0; t < COUNT; ++t) {
      for (let j = 0; j < BLOCK; ++j) {
        const token = tokenAt(t, j);
        if (token < 0) continue;
        for (let i = 0; i < BITS; ++i) {
          for (let c = 0; c < M; ++c) {
            wanted[token * WIDTH + i] += (get(DELTA, t * M + c) * get(U, (j * BITS + i) * M + c)) / <f64>COUNT;
          }
        }
      }
    }
    expect(gap(OUT, wanted)).toBeLessThan(ROUNDING);
    expect(untouched(OUT + V * WIDTH * 4, 16)).toBe(true);
  });
});

test("folded, E·U_j is the row of a token at position j", () => {
  begin(5);
  mark(OUT, BLOCK * V * M * 4 + 16);
  foldEmbedding(TABLE, U, OUT);
  for (let j = 0; j < BLOCK; ++j) {
    for (let v = 0; v < V; ++v) {
      const wanted = new StaticArray<f64>(M);
      for (let i = 0; i < BITS; ++i) {
        for (let c = 0; c < M; ++c) wanted[c] += get(TABLE, v * WIDTH + i) * get(U, (j * BITS + i) * M + c);
      }
      expect(gap(OUT + (((j * V + v) * M) << 2), wanted)).toBeLessThan(ROUNDING * 4);
    }
  }
  expect(untouched(OUT + BLOCK * V * M * 4, 16)).toBe(true);
});
