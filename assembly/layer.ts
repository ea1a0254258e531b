// The SAFFU layers in f32, as the solvers see them: features of the block context are the rows of U that its tokens name.
import { attentionShares, comparison } from "./block-attention";
import { cipherBit, cipherLength } from "./cipher";
import { ABSENT, ATTENDED, BITS, BLOCK, BLOCK_M, SHARES } from "./shape";
import { addScaled } from "./vectors";
import { W0_AT, W_AT } from "./hidden-layout";

/** Token at block position j before place `at`; ABSENT before the stream's start. */
// @ts-ignore: decorator
@inline
export function contextToken(tokens: usize /* (N) u16 */, at: i32, j: i32): u32 {
  const place = at - 1 - j;
  return place < 0 ? ABSENT : <u32>load<u16>(tokens + (<usize>place << 1));
}

/** outComparisons (r) f32 ← comparisons of the pivot before place `at` with each position of its block. */
export function blockComparisons(tokens: usize, at: i32, cipher: usize, outComparisons: usize): void {
  const pivot = contextToken(tokens, at, 0);
  for (let j = 0; j < BLOCK; ++j) {
    store<f32>(outComparisons + (<usize>j << 2), comparison(cipher, pivot, cipher, contextToken(tokens, at, j)));
  }
}

/**
 * Attention over positions before place `at`.
 *
 * @param u the hidden layers' weights; W and w0 stand behind U
 * @param outShares (2, SHARES) f32: shares, then the comparisons
 */
// @ts-ignore: decorator
@inline
export function blockShares(tokens: usize, at: i32, cipher: usize, u: usize, outShares: usize): void {
  if (!ATTENDED) return;
  const comparisons = outShares + (SHARES << 2);
  blockComparisons(tokens, at, cipher, comparisons);
  attentionShares(comparisons, u + W_AT, u + W0_AT, outShares);
}

/** How often a bit of position j is taken: by its token's number of bits, and by attention. */
// @ts-ignore: decorator
@inline
function shareOf(shares: usize, j: i32, weight: f32, bits: i32): f32 {
  return (ATTENDED ? weight * load<f32>(shares + (<usize>j << 2)) : weight) / <f32>bits;
}

/**
 * out += Σ_bit U[j, bit] / bits(x_j), times the share of position j where there is attention: what one position adds to the logits of
 * `n` classes from `first`.
 *
 * @param tokens (N) u16, the label at `at`; @param cipher (V, k) u16
 * @param shares (SHARES) f32; @param u (r·b, width of the block's heads) f32
 * @param out (n) f32
 */
// @ts-ignore: decorator
@inline
export function addPosition(
  tokens: usize,
  at: i32,
  j: i32,
  cipher: usize,
  shares: usize,
  u: usize,
  first: usize,
  n: usize,
  out: usize,
): void {
  const token = contextToken(tokens, at, j);
  if (token == ABSENT) return;
  const bits = cipherLength(cipher, token);
  const share = shareOf(shares, j, 1, bits);
  for (let i = 0; i < bits; ++i) {
    const row = <usize>j * BITS + cipherBit(cipher, token, i);
    addScaled(u + ((row * BLOCK_M + first) << 2), share, n, out);
  }
}

/** outHidden (n) f32 ← u0 + Σ_j, for `n` classes of the block's heads from `first`: their logits. */
// @ts-ignore: decorator
@inline
export function hiddenLogits(
  tokens: usize,
  at: i32,
  cipher: usize,
  shares: usize,
  u: usize,
  u0: usize,
  first: usize,
  n: usize,
  outHidden: usize,
): void {
  memory.copy(outHidden, u0 + (first << 2), n << 2);
  for (let j = 0; j < BLOCK; ++j) addPosition(tokens, at, j, cipher, shares, u, first, n, outHidden);
}

/**
 * outSums[row] += weight / bits · values for each row that the block before `at` names and that lies in [firstRow, endRow), times the
 * share of its position where there is attention.
 *
 * @param values (n) f32
 * @param outSums (r·b, width of the block's heads) f32, offset to the first class
 */
// @ts-ignore: decorator
@inline
export function addToFeatures(
  tokens: usize,
  at: i32,
  cipher: usize,
  shares: usize,
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
    const share = shareOf(shares, j, weight, bits);
    for (let i = 0; i < bits; ++i) {
      const row = j * BITS + cipherBit(cipher, token, i);
      if (row < firstRow || row >= endRow) continue;
      addScaled(values, share, n, outSums + ((<usize>row * BLOCK_M) << 2));
    }
  }
}
