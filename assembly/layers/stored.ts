// The forward pass on the device: rows of 8 or 4 bits, as a gather of those that tokens name, one layer after another. It stands on the
// device's own map of memory; in the flash form rows are fetched into a tile.
import { cipherBit, cipherLength } from "../common/cipher";
import { codeAt } from "../common/nibbles";
import { softmaxOnce } from "../common/softmax";
import { fetch, readFailed } from "../device/flash";
import {
  ATTENTION,
  CIPHER,
  CONTEXT,
  DOCUMENT,
  HIDDEN,
  NEXT_DOCUMENT,
  RESIDENT_LEVELS,
  RESIDENT_U0,
  RESIDENT_W,
  RESIDENT_W0,
  STATES,
  TILE,
  TILE_SCALES,
  U0,
  U_0,
  U_0_LEVELS,
  U_0_SCALE,
  U_1,
  U_1_LEVELS,
  U_1_SCALE,
  U_2,
  U_2_LEVELS,
  U_2_SCALE,
  W,
  W0,
} from "../device/layout";
import {
  ABSENT,
  ATTENDED,
  BAG,
  BAG_LAYER,
  BAG_WIDTH,
  BITS,
  CIPHER_WIDTH,
  CIPHERED,
  columnOf,
  FLASH,
  groupsOf,
  LAYERS,
  readsOf,
  rowBytes,
  rowsOf,
  SHARES,
  STATES_READ,
  STATES_LAYER,
  UNITS,
  WEIGHT_BITS,
  WIDTH_0,
  widthOf,
  WINDOW,
} from "../shape";
import { KEEP, NEW } from "./bag";
import { attentionShares, comparison } from "./window-attention";

const BIASES: usize = FLASH > 0 ? RESIDENT_U0 : U0;
/** Where a token's cipher is fetched to, and one to compare it with. */
const CIPHER_SLOT: usize = TILE_SCALES + 16;
const OTHER_CIPHER_SLOT: usize = TILE_SCALES + 64;

// Where the layer's stored rows, their levels and their scales stand.
// @ts-ignore: decorator
@inline
function storedRowsOf(layer: i32): usize {
  return layer == 0 ? U_0 : layer == 1 ? U_1 : U_2;
}
// @ts-ignore: decorator
@inline
export function levelsOf(layer: i32): usize {
  return layer == 0 ? U_0_LEVELS : layer == 1 ? U_1_LEVELS : U_2_LEVELS;
}
// @ts-ignore: decorator
@inline
function scalesOf(layer: i32): usize {
  return layer == 0 ? U_0_SCALE : layer == 1 ? U_1_SCALE : U_2_SCALE;
}

/**
 * HIDDEN (M) f32 ← h after the tokens of CONTEXT and the document. False where a read failed.
 */
export function storedForward(): bool {
  if (STATES_LAYER > 0 && !earlierStates()) return false;
  if (!firstState(CONTEXT, HIDDEN)) return false;
  if (LAYERS > 1 && !layerState(1)) return false;
  if (LAYERS > 2 && !layerState(2)) return false;
  return true;
}

/** STATES ← states of the first layer after the tokens before the latest one, and so on; 0 before the stream's start. */
function earlierStates(): bool {
  let j = 1;
  for (; j < STATES_READ && <u32>load<u16>(CONTEXT + ((j - 1) << 1)) != ABSENT; ++j) {
    if (!firstState(CONTEXT + (j << 1), STATES + ((j * WIDTH_0) << 2))) return false;
  }
  if (j < STATES_READ) memory.fill(STATES + ((j * WIDTH_0) << 2), 0, ((STATES_READ - j) * WIDTH_0) << 2);
  return true;
}

/** outHidden (width) f32 ← h of the first layer after `context`, latest token first. False where a read failed: logits may be no numbers then. */
// @ts-ignore: decorator
@inline
function firstState(context: usize, outHidden: usize): bool {
  if (ATTENDED != 0) attendToWindow(context);
  memory.copy(outHidden, BIASES, WIDTH_0 << 2);
  for (let j = 0; j < WINDOW; ++j) {
    const token = <u32>load<u16>(context + (j << 1));
    if (token == ABSENT) continue;
    const share: f32 = ATTENDED != 0 ? load<f32>(ATTENTION + (j << 2)) : 1;
    addToken(0, token, j, share, outHidden);
  }
  return softmaxGroups(0, outHidden);
}

/** The columns of a further layer in HIDDEN. */
// @ts-ignore: decorator
@inline
function layerState(layer: i32): bool {
  const column = <usize>columnOf(layer) << 2;
  const width = <usize>widthOf(layer);
  const out = HIDDEN + column;
  if (readsOf(layer) == BAG) {
    for (let c: usize = 0; c < width << 2; c += 4) {
      store<f32>(out + c, load<f32>(BIASES + column + c) + load<f32>(DOCUMENT + c));
    }
  } else {
    memory.copy(STATES, HIDDEN, WIDTH_0 << 2);
    memory.copy(out, BIASES + column, width << 2);
    for (let row: usize = 0; row < <usize>rowsOf(layer); ++row) addRow(layer, row, load<f32>(STATES + (row << 2)), out);
  }
  return softmaxGroups(layer, out);
}

// @ts-ignore: decorator
@inline
function softmaxGroups(layer: i32, logits: usize): bool {
  if (readFailed()) return false;
  for (let group = 0; group < groupsOf(layer); ++group) softmaxOnce(logits + ((group * UNITS) << 2), UNITS);
  return true;
}

/** ATTENTION ← shares of the window's positions. */
function attendToWindow(context: usize): void {
  const comparisons = ATTENTION + (SHARES << 2);
  const pivot = <u32>load<u16>(context);
  for (let j = 0; j < WINDOW; ++j) {
    const token = <u32>load<u16>(context + (j << 1));
    let value: f32 = 0;
    if (pivot != ABSENT && token != ABSENT) {
      const table = cipherTable(pivot, OTHER_CIPHER_SLOT);
      value = comparison(table, pivot, cipherTable(token, CIPHER_SLOT), token);
    }
    store<f32>(comparisons + (j << 2), value);
  }
  attentionShares(comparisons, FLASH > 0 ? RESIDENT_W : W, FLASH > 0 ? RESIDENT_W0 : W0, ATTENTION);
}

/** NEXT_DOCUMENT ← what the document will add to its layer's logits when `token` has come. A failed read is noted (flash.ts). */
export function nextDocument(token: u32): void {
  for (let c: usize = 0; c < <usize>BAG_WIDTH << 2; c += 4) store<f32>(NEXT_DOCUMENT + c, KEEP * load<f32>(DOCUMENT + c));
  addToken(BAG_LAYER, token, 0, NEW, NEXT_DOCUMENT);
}

/** The cipher table that begins so far before the token's row: in memory the table itself, of flash where the row was fetched to. */
// @ts-ignore: decorator
@inline
function cipherTable(token: u32, slot: usize): usize {
  const before = token * CIPHER_WIDTH * 2;
  return CIPHERED == 0 ? CIPHER : fetch(CIPHER + before, CIPHER_WIDTH * 2, slot) - before;
}

/** out (width) f32 += Σ_bit scale[j, bit] · share / bits(token) · U[j, bit]: what a token at position j adds to a layer's logits. */
// @ts-ignore: decorator
@inline
function addToken(layer: i32, token: u32, position: i32, share: f32, out: usize): void {
  const table = cipherTable(token, CIPHER_SLOT);
  const bits = cipherLength(table, token);
  for (let i = 0; i < bits; ++i) {
    const row = <usize>position * BITS + min<u32>(BITS - 1, cipherBit(table, token, i)); // a failed read names any bit
    const scale = load<f32>(fetch(scalesOf(layer) + (row << 2), 4, TILE_SCALES));
    addScaledRow(layer, row, (share * scale) / <f32>bits, out);
  }
}

/** out (width) f32 += weight · scale[row] · U[row]. */
// @ts-ignore: decorator
@inline
function addRow(layer: i32, row: usize, weight: f32, out: usize): void {
  const scale = load<f32>(fetch(scalesOf(layer) + (row << 2), 4, TILE_SCALES));
  addScaledRow(layer, row, scale * weight, out);
}

/** out (width) f32 += scale · U[row], one multiply and one add an element, in that order; an element of four bits is levels[code]. */
// @ts-ignore: decorator
@inline
function addScaledRow(layer: i32, row: usize, scale: f32, out: usize): void {
  const width = <usize>widthOf(layer);
  const bytes = rowBytes(width);
  const levels = FLASH > 0 ? RESIDENT_LEVELS + (<usize>layer << 4) : levelsOf(layer);
  const weights = fetch(storedRowsOf(layer) + row * bytes, bytes, TILE);
  if (ASC_FEATURE_SIMD) {
    const by = f32x4.splat(scale);
    for (let c: usize = 0; c < width; c += 8) {
      const wide = WEIGHT_BITS == 8 ? v128.load8x8_s(weights + c) : decodeEight(weights + (c >> 1), levels);
      const low = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(wide));
      const high = f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(wide));
      const at = out + (c << 2);
      v128.store(at, f32x4.add(v128.load(at), f32x4.mul(by, low)));
      v128.store(at, f32x4.add(v128.load(at, 16), f32x4.mul(by, high)), 16);
    }
  } else {
    for (let c: usize = 0; c < width; ++c) {
      const at = out + (c << 2);
      const weight = load<i8>(WEIGHT_BITS == 8 ? weights + c : levels + codeAt(weights, c));
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
