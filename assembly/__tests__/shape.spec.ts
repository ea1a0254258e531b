import {
  ABSENT,
  BITS,
  BLOCK,
  BUCKETS,
  CIPHER_WIDTH,
  CLASSES,
  FEATURES,
  HEAD_BYTES,
  HEADS,
  M,
  ORDERS,
  PARTS,
  RADIAL,
  ROW_BYTES,
  V,
} from "../shape";

/** Tokens that ciphers of at most `width` of b bits can name. */
function named(width: i32): i64 {
  let subsets: i64 = 1;
  let sum: i64 = 0;
  for (let n = 1; n <= width; ++n) {
    subsets = (subsets * (BITS - n + 1)) / n;
    sum += subsets;
  }
  return sum;
}

describe("the shape", () => {
  test("has sizes that vectors of four and eight divide", () => {
    expect(V % 8).toBe(0);
    expect(M % 8).toBe(0);
    expect(CLASSES % 4).toBe(0);
    expect(popcnt(RADIAL)).toBe(1);
    expect(RADIAL % 8).toBe(0);
  });

  test("has derived sizes that follow from the given ones", () => {
    expect(M).toBe(HEADS * CLASSES);
    expect(FEATURES).toBe(BLOCK * BITS);
    expect(HEAD_BYTES).toBe(CLASSES * sizeof<f32>());
    expect(ROW_BYTES).toBe(<usize>HEADS * HEAD_BYTES);
    expect(PARTS - ORDERS).toBe(1, "the stack is the part beside the orders");
    expect(BUCKETS - 1).toBe(7 * 4 + 3, "the last bucket: most matches, all followers distinct");
  });

  test("has no token whose id means absence", () => {
    expect(<u32>V).toBeLessThan(ABSENT);
    expect(ABSENT).toBe(u16.MAX_VALUE);
  });

  test("has ciphers just wide enough to tell all tokens apart", () => {
    expect(named(CIPHER_WIDTH)).toBeGreaterThanOrEqual(V);
    expect(named(CIPHER_WIDTH - 1)).toBeLessThan(V);
  });
});
