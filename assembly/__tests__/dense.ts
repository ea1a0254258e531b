// The specs' oracle: the model in dense f64, straight from its definition. The kernels gather rows; here a token is a row
// of b numbers and every product runs over all of them.
import { ABSENT, BITS, BLOCK, CIPHER_WIDTH, CLASSES, FEATURES, HEADS, M, V } from "../shape";
import { copyOf, get, id } from "./support";

/** x of one token: a row of b numbers, non-negative and of unit sum. */
export function denseToken(cipher: usize, token: i32): StaticArray<f64> {
  const row = new StaticArray<f64>(BITS);
  if (BITS == V) {
    row[token] = 1;
    return row;
  }
  let size = 0;
  for (let i = 0; i < CIPHER_WIDTH; ++i) if (id(cipher, token * CIPHER_WIDTH + i) < BITS) ++size;
  for (let i = 0; i < size; ++i) row[id(cipher, token * CIPHER_WIDTH + i)] = 1 / <f64>size;
  return row;
}

/** x̄ before place `at` of the stream, (r·b): position 0 is the latest token, what lies before the stream is zero. */
export function denseBlock(tokens: usize, at: i32, cipher: usize): StaticArray<f64> {
  const out = new StaticArray<f64>(FEATURES);
  for (let j = 0; j < BLOCK; ++j) {
    const place = at - 1 - j;
    if (place < 0 || id(tokens, place) == <i32>ABSENT) continue;
    const row = denseToken(cipher, id(tokens, place));
    for (let bit = 0; bit < BITS; ++bit) out[j * BITS + bit] = row[bit];
  }
  return out;
}

/** x̄ U + u0, (M). */
export function denseLogits(x: StaticArray<f64>, u: usize, u0: usize): StaticArray<f64> {
  const out = copyOf(u0, M);
  for (let row = 0; row < FEATURES; ++row) {
    for (let c = 0; c < M; ++c) out[c] += x[row] * get(u, row * M + c);
  }
  return out;
}

/** Softmax of n values from `first`, in place. */
export function denseSoftmax(values: StaticArray<f64>, first: i32, n: i32): void {
  let peak = -Infinity;
  let sum: f64 = 0;
  for (let i = first; i < first + n; ++i) peak = Math.max(peak, values[i]);
  for (let i = first; i < first + n; ++i) sum += Math.exp(values[i] - peak);
  for (let i = first; i < first + n; ++i) values[i] = Math.exp(values[i] - peak) / sum;
}

/** h before place `at`, (M): softmax of each head's logits. */
export function denseHidden(tokens: usize, at: i32, cipher: usize, u: usize, u0: usize): StaticArray<f64> {
  const out = denseLogits(denseBlock(tokens, at, cipher), u, u0);
  for (let head = 0; head < HEADS; ++head) denseSoftmax(out, head * CLASSES, CLASSES);
  return out;
}
