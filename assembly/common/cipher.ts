// Reading the bit-cipher (2311.11012): each token is a set of at most CIPHER_WIDTH of b bits, a non-negative row of unit sum, so a product
// with it is a gather of rows. One-hot inputs (b == V) need no table: the bit is the token.
import { BITS, CIPHER_WIDTH, CIPHERED } from "../shape";

/** Bit i of a token's cipher, or a value ≥ BITS where it has no more. */
// @ts-ignore: decorator
@inline
export function cipherBit(cipher: usize /* (V, k) u16 */, token: u32, i: i32): u32 {
  return CIPHERED == 0 ? token : <u32>load<u16>(cipher + ((token * CIPHER_WIDTH + i) << 1));
}

/** Number of bits of a token's cipher, 1 to CIPHER_WIDTH. */
// @ts-ignore: decorator
@inline
export function cipherLength(cipher: usize /* (V, k) u16 */, token: u32): i32 {
  if (CIPHER_WIDTH == 1) return 1;
  let n = 1;
  while (n < CIPHER_WIDTH && cipherBit(cipher, token, n) < <u32>BITS) ++n;
  return n;
}
