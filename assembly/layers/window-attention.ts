// Attention over the positions of the context window (2311.07510): comparisons c_j = ⟨x_0, x_j⟩ of the pivot with each position, of un-projected
// vectors, a = softmax(c W + w0). What a position adds to a group's logits is taken r·a_j times (the factor is ours: where W and w0 are 0
// nothing changes).
import { cipherBit, cipherLength } from "../common/cipher";
import { scaleInPlace, softmaxOnce } from "../common/softmax";
import { ABSENT, CIPHERED, SHARES, WINDOW } from "../shape";

/** ⟨x_a, x_b⟩: bits in common over the product of their numbers; 0 with an absent token. */
export function comparison(cipherOfA: usize, a: u32, cipherOfB: usize, b: u32): f32 {
  if (a == ABSENT || b == ABSENT) return 0;
  if (CIPHERED == 0) return a == b ? 1 : 0;
  const bitsOfA = cipherLength(cipherOfA, a);
  const bitsOfB = cipherLength(cipherOfB, b);
  let common = 0;
  for (let i = 0; i < bitsOfA; ++i) {
    for (let k = 0; k < bitsOfB; ++k) common += cipherBit(cipherOfA, a, i) == cipherBit(cipherOfB, b, k) ? 1 : 0;
  }
  return <f32>common / <f32>(bitsOfA * bitsOfB);
}

/**
 * outShares ← r · softmax(c W + w0).
 *
 * @param comparisons (r) f32
 * @param w (r, r) f32, a row a comparison; @param w0 (r) f32
 * @param outShares (SHARES) f32; 0, nearly, from r on
 */
export function attentionShares(comparisons: usize, w: usize, w0: usize, outShares: usize): void {
  for (let j: usize = 0; j < <usize>SHARES; ++j) {
    let logit: f32 = -1e9;
    if (j < <usize>WINDOW) {
      logit = load<f32>(w0 + (j << 2));
      for (let i: usize = 0; i < <usize>WINDOW; ++i) {
        logit += load<f32>(comparisons + (i << 2)) * load<f32>(w + ((i * WINDOW + j) << 2));
      }
    }
    store<f32>(outShares + (j << 2), logit);
  }
  softmaxOnce(outShares, SHARES);
  scaleInPlace(outShares, SHARES, <f32>WINDOW);
}
