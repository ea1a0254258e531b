// The feed-forward step of the SAFFU layers on the device: x̄ U with rows of 8 or 4 bits, as a gather of the rows that tokens name; of the
// second layer, all rows, each by its hidden unit.
import { cipherBit, cipherLength } from "./cipher";
import { codeAt } from "./codes";
import { fetch } from "./flash";
import { TILE, TILE_SCALES } from "./memory";
import { ABSENT, ATTENDED, BITS, BLOCK, BLOCK_M, CIPHER_WIDTH, rowBytes, V, WEIGHT_BITS } from "./shape";

/** Where a token's cipher is fetched to, and one to compare it with. */
const CIPHER_SLOT: usize = TILE_SCALES + 16;
export const OTHER_CIPHER_SLOT: usize = TILE_SCALES + 64;

/** The cipher table that begins so far before the token's row: in memory the table itself, of flash where the row was fetched to. */
// @ts-ignore: decorator
@inline
export function cipherTable(cipher: usize, token: u32, slot: usize): usize {
  const before = token * CIPHER_WIDTH * 2;
  return BITS == V ? cipher : fetch(cipher + before, CIPHER_WIDTH * 2, slot) - before;
}

/**
 * out += Σ_bit scale[j, bit] · share / bits(token) · U[j, bit]: what a token at position j adds to a layer's logits.
 *
 * @param u (rows, width) i8, or (rows, width / 2) u8: the codes of columns 2c and 2c + 1, the first in the low bits
 * @param levels (16) i8, of four bits alone
 * @param scales (rows) f32
 */
// @ts-ignore: decorator
@inline
export function addToken(
  token: u32,
  cipher: usize,
  position: i32,
  share: f32,
  u: usize,
  levels: usize,
  scales: usize,
  width: usize,
  out: usize,
): void {
  const table = cipherTable(cipher, token, CIPHER_SLOT);
  const bits = cipherLength(table, token);
  for (let i = 0; i < bits; ++i) {
    const row = <usize>position * BITS + min<u32>(BITS - 1, cipherBit(table, token, i)); // a failed read names any bit
    const scale = load<f32>(fetch(scales + (row << 2), 4, TILE_SCALES));
    addRow(fetch(u + row * rowBytes(width), rowBytes(width), TILE), levels, (share * scale) / <f32>bits, width, out);
  }
}

/**
 * outHidden ← u0 + Σ_j Σ_bit scale[j, bit] / bits(x_j) · U[j, bit], one multiply and one add an element, in that order; a position's
 * rows are taken by its share where there is attention. An element of four bits is levels[code].
 *
 * @param context (r) u16 token ids, latest first; ABSENT adds nothing
 * @param cipher (V, k) u16; @param shares (r) f32
 * @param u (r·b, width of the block's heads); levels, uScale as of addToken
 * @param u0 and outHidden (width) f32
 */
export function feedForward(
  context: usize,
  cipher: usize,
  shares: usize,
  u: usize,
  levels: usize,
  uScale: usize,
  u0: usize,
  outHidden: usize,
): void {
  memory.copy(outHidden, u0, BLOCK_M << 2);
  for (let j = 0; j < BLOCK; ++j) {
    const token = <u32>load<u16>(context + (j << 1));
    if (token == ABSENT) continue;
    const share: f32 = ATTENDED ? load<f32>(shares + (j << 2)) : 1;
    addToken(token, cipher, j, share, u, levels, uScale, BLOCK_M, outHidden);
  }
}

/** out[0..width) += scale · row[0..width). */
// @ts-ignore: decorator
@inline
export function addRow(row: usize, levels: usize, scale: f32, width: usize, out: usize): void {
  if (ASC_FEATURE_SIMD) {
    const by = f32x4.splat(scale);
    for (let c: usize = 0; c < width; c += 8) {
      const wide = WEIGHT_BITS == 8 ? v128.load8x8_s(row + c) : decodeEight(row + (c >> 1), levels);
      const low = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(wide));
      const high = f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(wide));
      const at = out + (c << 2);
      v128.store(at, f32x4.add(v128.load(at), f32x4.mul(by, low)));
      v128.store(at, f32x4.add(v128.load(at, 16), f32x4.mul(by, high)), 16);
    }
  } else {
    for (let c: usize = 0; c < width; ++c) {
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
