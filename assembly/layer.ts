// The SAFFU layer in f32, as the solvers see it: a token position's features are the rows of U that its block names.
import { cipherBit, cipherLength } from "./cipher";
import { ABSENT, BITS, BLOCK, CLASSES, HEADS, M } from "./shape";
import { softmax } from "./softmax";
import { addScaled } from "./vectors";

/** Token at block position j before place `at`; ABSENT before the stream's start. */
// @ts-ignore: decorator
@inline
export function contextToken(tokens: usize /* (N) u16 */, at: i32, j: i32): u32 {
  const place = at - 1 - j;
  return place < 0 ? ABSENT : <u32>load<u16>(tokens + (<usize>place << 1));
}

/**
 * outHidden ← u0 + Σ_j Σ_bit U[j, bit] / bits(x_j), for `n` classes from `first`: the logits of some heads.
 *
 * @param tokens (N) u16, the label at `at`
 * @param cipher (V, k) u16
 * @param u (r·b, M) f32 and u0 (M) f32
 * @param outHidden (n) f32
 */
// @ts-ignore: decorator
@inline
export function hiddenLogits(
  tokens: usize,
  at: i32,
  cipher: usize,
  u: usize,
  u0: usize,
  first: usize,
  n: usize,
  outHidden: usize,
): void {
  memory.copy(outHidden, u0 + (first << 2), n << 2);
  for (let j = 0; j < BLOCK; ++j) {
    const token = contextToken(tokens, at, j);
    if (token == ABSENT) continue;
    const bits = cipherLength(cipher, token);
    const share: f32 = <f32>1 / <f32>bits;
    for (let i = 0; i < bits; ++i) {
      const row = <usize>j * BITS + cipherBit(cipher, token, i);
      addScaled(u + ((row * M + first) << 2), share, n, outHidden);
    }
  }
}

/** outHidden (M) f32 ← h, the softmax of each head's logits. */
export function hiddenState(tokens: usize, at: i32, cipher: usize, u: usize, u0: usize, outHidden: usize): void {
  hiddenLogits(tokens, at, cipher, u, u0, 0, M, outHidden);
  for (let head: usize = 0; head < <usize>HEADS; ++head) softmax(outHidden + ((head * CLASSES) << 2), CLASSES);
}

/**
 * outSums[row] += weight / bits · values for each row that the block before `at` names and that lies in [firstRow, endRow).
 *
 * @param values (n) f32
 * @param outSums (r·b, M) f32, offset to the first class
 */
// @ts-ignore: decorator
@inline
export function addToFeatures(
  tokens: usize,
  at: i32,
  cipher: usize,
  values: usize,
  weight: f32,
  n: usize,
  firstRow: i32,
  endRow: i32,
  outSums: usize,
): void {
  for (let j = 0; j < BLOCK; ++j) {
    const token = contextToken(tokens, at, j);
    if (token == ABSENT) continue;
    const bits = cipherLength(cipher, token);
    const share: f32 = weight / <f32>bits;
    for (let i = 0; i < bits; ++i) {
      const row = j * BITS + cipherBit(cipher, token, i);
      if (row < firstRow || row >= endRow) continue;
      addScaled(values, share, n, outSums + ((<usize>row * M) << 2));
    }
  }
}
