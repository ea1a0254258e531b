// The feed-forward step of a SAFFU layer on the device: x̄ U + u0 with rows of 8 or 4 bits, as a gather of the rows that the block's tokens
// name. The attention over positions is folded into the rows when they are solved, so a position costs a row and nothing else.
import { cipherBit, cipherLength } from "./cipher";
import { codeAt } from "./codes";
import { fetch } from "./flash";
import { TILE, TILE_SCALES } from "./memory";
import { ABSENT, BITS, BLOCK, CIPHER_WIDTH, M, U_ROW, V, WEIGHT_BITS } from "./shape";

/**
 * outHidden ← u0 + Σ_j Σ_bit scale[j, bit] / bits(x_j) · U[j, bit], one multiply and one add an element, in that order. An element of
 * four bits is levels[code].
 *
 * @param context (r) u16 token ids, latest first; ABSENT adds nothing
 * @param cipher (V, k) u16
 * @param u (r·b, M) i8, or (r·b, M / 2) u8: the codes of columns 2c and 2c + 1, the first in the low bits
 * @param levels (16) i8, of four bits alone
 * @param uScale (r·b) f32
 * @param u0 (M) f32
 * @param outHidden (M) f32 logits of the heads
 */
export function feedForward(context: usize, cipher: usize, u: usize, levels: usize, uScale: usize, u0: usize, outHidden: usize): void {
  memory.copy(outHidden, u0, M << 2);
  for (let j = 0; j < BLOCK; ++j) {
    const token = <u32>load<u16>(context + (j << 1));
    if (token == ABSENT) continue;
    // the row of a table that begins so far before it
    const before = token * CIPHER_WIDTH * 2;
    const table = BITS == V ? cipher : fetch(cipher + before, CIPHER_WIDTH * 2, TILE_SCALES + 16) - before;
    const bits = cipherLength(table, token);
    for (let i = 0; i < bits; ++i) {
      const row = <usize>j * BITS + min<u32>(BITS - 1, cipherBit(table, token, i)); // a failed read names any bit
      const weights = fetch(u + row * U_ROW, U_ROW, TILE);
      addRow(weights, levels, load<f32>(fetch(uScale + (row << 2), 4, TILE_SCALES)) / <f32>bits, outHidden);
    }
  }
}

/** out[0..M) += scale · row[0..M). */
// @ts-ignore: decorator
@inline
function addRow(row: usize, levels: usize, scale: f32, out: usize): void {
  if (ASC_FEATURE_SIMD) {
    const by = f32x4.splat(scale);
    for (let c: usize = 0; c < <usize>M; c += 8) {
      const wide = WEIGHT_BITS == 8 ? v128.load8x8_s(row + c) : decodeEight(row + (c >> 1), levels);
      const low = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(wide));
      const high = f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(wide));
      const at = out + (c << 2);
      v128.store(at, f32x4.add(v128.load(at), f32x4.mul(by, low)));
      v128.store(at, f32x4.add(v128.load(at, 16), f32x4.mul(by, high)), 16);
    }
  } else {
    for (let c: usize = 0; c < <usize>M; ++c) {
      const at = out + (c << 2);
      const weight = load<i8>(WEIGHT_BITS == 8 ? row + c : levels + codeAt(row, c));
      store<f32>(at, load<f32>(at) + scale * <f32>weight);
    }
  }
}

/** Eight elements, as i16, of the eight codes at `codes`. */
// @ts-ignore: decorator
@inline
function decodeEight(codes: usize, levels: usize): v128 {
  const pairs = v128.load32_zero(codes);
  const low = v128.and(pairs, i8x16.splat(15));
  const high = i8x16.shr_u(pairs, 4);
  const each = i8x16.shuffle(low, high, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  return i16x8.extend_low_i8x16_s(i8x16.swizzle(v128.load(levels), each));
}
