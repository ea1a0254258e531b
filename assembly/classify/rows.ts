// Sums of rows of a table: as many as an example has active features, each as often as its value says. Rows are integers, so any order of the
// features gives the same sum, and SIMD the same bits.
import { MOST_VALUE, rowBytes } from "./plan";

/** Features whose rows are summed in 16 bits at the most: 256 · 127 is below 2^15. */
const IN_SHORTS: u32 = 256;

/** Active features, and the table that has a row for each. */
@unmanaged
export class Rows {
  ids: u32; // (count) u16
  values: u32; // (count) u16; 0 where every value is 1
  count: u32;
  table: u32; // (D, columns) i8, or (D, ceil(columns / 2)) pairs of codes of four bits
  columns: u32;
  bits: u32; // 8 or 4
  sums: u32; // (columns, rounded up to a multiple of 4) i32
}

/** Where the one of this module stands: before the plan. */
const ROWS: usize = 16;

// @ts-ignore: decorator
@inline
export function rows(): Rows {
  return changetype<Rows>(ROWS);
}

/** Whether every one of the active features is below `features`, and their values are not too much. */
export function inRange(ids: usize, values: usize, count: u32, features: u32): bool {
  let total: u32 = 0;
  for (let i: usize = 0; i < <usize>count << 1; i += 2) {
    if (<u32>load<u16>(ids + i) >= features) return false;
    if (values != 0) total += load<u16>(values + i);
    if (total > MOST_VALUE) return false;
  }
  return true;
}

/** rows.sums ← Σ value · row. What is active is in range. */
export function sumRows(r: Rows): void {
  memory.fill(<usize>r.sums, 0, ((<usize>r.columns + 3) & ~3) << 2);
  if (ASC_FEATURE_SIMD && r.values == 0) {
    for (let c: usize = 0; c < <usize>r.columns; c += 16) addColumns(c, r);
    return;
  }
  for (let i: usize = 0; i < <usize>r.count; ++i) {
    addRow(rowOf(<usize>r.table, i, r), r.values == 0 ? 1 : <i32>load<u16>(<usize>r.values + (i << 1)), r);
  }
}

/** The row of the i-th active feature in a table, or in one that begins at a later column. */
// @ts-ignore: decorator
@inline
function rowOf(table: usize, i: usize, r: Rows): usize {
  return table + <usize>load<u16>(<usize>r.ids + (i << 1)) * <usize>rowBytes(r.columns, r.bits);
}

function addRow(row: usize, value: i32, r: Rows): void {
  const four = r.bits == 4;
  for (let c: usize = 0; c < <usize>r.columns; ++c) {
    const weight = four ? ((<i32>load<u8>(row + (c >> 1)) >> (<i32>(c & 1) << 2)) & 15) - 8 : <i32>load<i8>(row + c);
    const at = <usize>r.sums + (c << 2);
    store<i32>(at, load<i32>(at) + value * weight);
  }
}

/** Sixteen columns from c on, of values of 1. What is read beyond a row's end belongs to no column. */
function addColumns(c: usize, r: Rows): void {
  const four = r.bits == 4;
  const column = <usize>r.table + (four ? c >> 1 : c);
  for (let from: usize = 0; from < <usize>r.count; from += IN_SHORTS) {
    const until = min<usize>(from + IN_SHORTS, <usize>r.count);
    let low = i16x8.splat(0);
    let high = i16x8.splat(0);
    for (let i = from; i < until; ++i) {
      const at = rowOf(column, i, r);
      let row: v128;
      if (four) {
        const pairs = v128.load64_zero(at);
        const codes = v128.shuffle<i8>(
          v128.and(pairs, i8x16.splat(15)),
          i8x16.shr_u(pairs, 4),
          0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23,
        );
        row = i8x16.sub(codes, i8x16.splat(8));
      } else row = v128.load(at);
      low = i16x8.add(low, i16x8.extend_low_i8x16_s(row));
      high = i16x8.add(high, i16x8.extend_high_i8x16_s(row));
    }
    addLanes(low, c, r);
    addLanes(high, c + 8, r);
  }
}

/** Adds eight lanes to the sums of the columns from c on, as far as there are any. */
function addLanes(lanes: v128, c: usize, r: Rows): void {
  const at = <usize>r.sums + (c << 2);
  const stride = (<usize>r.columns + 3) & ~3;
  if (c < stride) v128.store(at, i32x4.add(v128.load(at), i32x4.extend_low_i16x8_s(lanes)));
  if (c + 4 < stride) v128.store(at, i32x4.add(v128.load(at, 16), i32x4.extend_high_i16x8_s(lanes)), 16);
}
