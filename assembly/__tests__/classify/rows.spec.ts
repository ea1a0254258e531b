import { MOST_VALUE } from "../../classify/plan";
import { inRange, rows, sumRows } from "../../classify/rows";
import { below, mark, startValues, untouched } from "../support";

const IDS: usize = 4096;
const VALUES: usize = 8192;
const TABLE: usize = 65536;
const SUMS: usize = 16384;
const D = 50;

/** Sums of random rows in their definition, value by value. */
function agrees(columns: i32, bits: i32, count: i32, valued: bool, extreme: bool): bool {
  const r = rows();
  const width = bits == 4 ? (columns + 1) >> 1 : columns;
  for (let i = 0; i < D * width + 16; ++i) store<u8>(TABLE + i, extreme ? (bits == 4 ? 0xff : 0x7f) : <u8>below(256));
  for (let i = 0; i < count; ++i) {
    store<u16>(IDS + 2 * i, <u16>below(D));
    store<u16>(VALUES + 2 * i, <u16>below(300));
  }
  r.ids = <u32>IDS;
  r.values = valued ? <u32>VALUES : 0;
  r.count = count;
  r.table = <u32>TABLE;
  r.columns = columns;
  r.bits = bits;
  r.sums = <u32>SUMS;
  const stride = (columns + 3) & ~3;
  mark(SUMS, 4 * stride + 64);
  sumRows(r);
  if (!untouched(SUMS + 4 * stride, 64)) return false;
  for (let c = 0; c < columns; ++c) {
    let wanted = 0;
    for (let i = 0; i < count; ++i) {
      const row = TABLE + <i32>load<u16>(IDS + 2 * i) * width;
      const byte = <i32>load<u8>(row + (bits == 4 ? c >> 1 : c));
      const weight = bits == 8 ? <i32>(<i8>byte) : ((c & 1) == 0 ? byte & 15 : byte >> 4) - 8;
      wanted += weight * (valued ? <i32>load<u16>(VALUES + 2 * i) : 1);
    }
    if (load<i32>(SUMS + 4 * c) != wanted) return false;
  }
  return true;
}

describe("sums of rows", () => {
  test("are what they are defined as, for any number of columns, and write none behind them", () => {
    startValues(1);
    for (let columns = 1; columns < 40; ++columns) {
      for (let i = 0; i < 4; ++i) expect(agrees(columns, i < 2 ? 4 : 8, 1 + below(70), (i & 1) == 1, false)).toBe(true, `${columns}, ${i}`);
    }
  });

  test("do not overflow 16 bits where many rows are as large as can be", () => {
    startValues(2);
    for (let count = 255; count < 260; ++count) expect(agrees(17, 8, count, false, true)).toBe(true, `${count}`);
    expect(agrees(5, 8, 1000, false, true)).toBe(true);
    expect(agrees(5, 4, 1000, false, true)).toBe(true);
  });

  test("of nothing are 0", () => {
    expect(agrees(9, 8, 0, false, false)).toBe(true);
    expect(agrees(9, 4, 0, true, false)).toBe(true);
  });
});

describe("what is active", () => {
  test("is in range where every id is one, and the values together are not too much", () => {
    store<u16>(IDS, 9);
    store<u16>(IDS, 3, 2);
    expect(inRange(IDS, 0, 2, 10)).toBe(true);
    expect(inRange(IDS, 0, 2, 9)).toBe(false);
    expect(inRange(IDS, 0, 0, 1)).toBe(true);
    for (let i: usize = 0; i < 400; i += 2) {
      store<u16>(IDS + i, 0);
      store<u16>(VALUES + i, 0xffff);
    }
    const most = MOST_VALUE / 0xffff;
    expect(inRange(IDS, VALUES, most, 10)).toBe(true);
    expect(inRange(IDS, VALUES, most + 1, 10)).toBe(false);
  });
});
