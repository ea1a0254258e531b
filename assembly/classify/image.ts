// Images as codes of patches (ours): the image is binarised; of each P × P patch that is not blank, the signs of its products with nf principal
// directions make a code of nf bits, and a feature is (one of G × G' regions, code). D = G · G' · 2^nf, and an image has an active feature a patch.
//
// A product is a sum over the patch's rows of what a table says of a row's P bits: nf lanes of 16 bits, each raised by RAISE so that it is never
// below 0. Sums begin where a lane's highest bit says whether the product is above its threshold; no lane overflows into the next, so scalar
// code adds four at a time as one number of 64 bits.
import { Plan } from "./plan";

/** plan.a width, 1 to 64; b height, 1 to 64; c P, 2 to 8; d nf, 1 to 8; e regions down, and across · 256; f a pixel is set where it is above. */
export const LANES: usize = 8;
/** At least 8 · 127. */
const RAISE: i32 = 1024;
/** In the tables: (LANES) u16 where sums begin, (64) u64 rows of the image, then (P, 2^P, LANES) u16. */
const IMAGE_ROWS: usize = 16;
const ROWS_AT: usize = 16 + 64 * 8;

/** Bytes of the tables. */
export function imageTableBytes(patch: u32): u32 {
  return <u32>ROWS_AT + ((patch << patch) << 4);
}

/** Tables from the encoding's parameters: (LANES) i16 thresholds, (nf, P, P) i8 directions. */
export function beginImage(p: Plan): void {
  const patch = <usize>p.c;
  const filters = <usize>p.d;
  for (let lane: usize = 0; lane < LANES; ++lane) {
    // a lane that is not in use never reaches its highest bit
    const start = lane < filters ? 32767 - <i32>load<i16>(<usize>p.parameters + (lane << 1)) - <i32>patch * RAISE : 0;
    store<u16>(<usize>p.tables + (lane << 1), <u16>start);
    for (let row: usize = 0; row < patch; ++row) {
      const weights = <usize>p.parameters + 16 + (lane * patch + row) * patch;
      for (let bits: usize = 0; bits < <usize>1 << patch; ++bits) {
        let sum: i32 = 0;
        if (lane < filters) {
          sum = RAISE;
          for (let x: usize = 0; x < patch; ++x) {
            if (((bits >> x) & 1) != 0) sum += load<i8>(weights + x);
          }
        }
        store<u16>(<usize>p.tables + ROWS_AT + ((((row << patch) + bits) * LANES + lane) << 1), <u16>sum);
      }
    }
  }
}

/** Active features of the image at plan.input, (height, width) u8. */
export function encodeImage(p: Plan): u32 {
  const width = <usize>p.a;
  const height = <usize>p.b;
  const patch = <usize>p.c;
  const down = <usize>p.e & 255;
  const across = <usize>p.e >> 8;
  const columns = width - patch + 1;
  const rows = height - patch + 1;
  const image = <usize>p.tables + IMAGE_ROWS;
  for (let y: usize = 0; y < height; ++y) {
    let bits: u64 = 0;
    const at = <usize>p.input + y * width;
    for (let x: usize = 0; x < width; ++x) bits |= <u64>(load<u8>(at + x) > <u8>p.f) << <u64>x;
    store<u64>(image + (y << 3), bits);
  }
  const mask: u64 = (<u64>1 << <u64>patch) - 1;
  const end = <usize>p.tables + ROWS_AT + ((patch << patch) << 4);
  const rowBytes = (<usize>16) << patch;
  let out = <usize>p.codes;
  for (let y: usize = 0; y < rows; ++y) {
    const above = ((y * down) / rows) * across;
    let union: u64 = 0;
    for (let r: usize = 0; r < patch; ++r) union |= load<u64>(image + ((y + r) << 3));
    if (union == 0) continue;
    for (let x: usize = 0; x < columns; ++x) {
      if (((union >> <u64>x) & mask) == 0) continue;
      let source = image + (y << 3);
      let code: u32 = 0;
      if (ASC_FEATURE_SIMD) {
        let sums = v128.load(<usize>p.tables);
        for (let table = <usize>p.tables + ROWS_AT; table < end; table += rowBytes, source += 8) {
          const bits = <usize>((load<u64>(source) >> <u64>x) & mask);
          sums = i16x8.add(sums, v128.load(table + (bits << 4)));
        }
        code = <u32>i16x8.bitmask(sums);
      } else {
        let low = load<u64>(<usize>p.tables);
        let high = load<u64>(<usize>p.tables, 8);
        for (let table = <usize>p.tables + ROWS_AT; table < end; table += rowBytes, source += 8) {
          const at = table + (<usize>((load<u64>(source) >> <u64>x) & mask) << 4);
          low += load<u64>(at);
          high += load<u64>(at, 8);
        }
        code = highBits(low) | (highBits(high) << 4);
      }
      const id = ((above + (x * across) / columns) << <usize>p.d) + code;
      store<u16>(out, <u16>id);
      out += 2;
    }
  }
  return <u32>((out - <usize>p.codes) >> 1);
}

/** The highest bits of four lanes of 16, as four bits, the lowest lane first: one product moves them side by side. */
// @ts-ignore: decorator
@inline
function highBits(lanes: u64): u32 {
  return <u32>((((lanes >> 15) & 0x0001000100010001) * 0x0001000200040008) >> 48) & 15;
}
