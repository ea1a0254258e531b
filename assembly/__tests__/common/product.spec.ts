import { multiply, Product } from "../../common/product";
import { differing, fill, get, mark, startValues, untouched } from "../support";

const LEFT = memory.data(24 * 24 * 4, 16);
const RIGHT = memory.data(24 * 32 * 4, 16);
const OUT = memory.data(24 * 32 * 4, 16);

const ROWS = 12; // three tiles
const DEPTH = 9; // any number
const COLUMNS = 16; // two tiles
const OUT_ROW = 24; // wider than the result

const product = changetype<Product>(memory.data(64, 16));

/** out ← LEFT · RIGHT, or with a weight added to what is there. Strides in elements, as in Product. */
function run(leftRow: i32, leftStep: i32, rightStep: i32, depth: i32, weight: f32, rows: i32 = ROWS, columns: i32 = COLUMNS, outRow: i32 = OUT_ROW): void {
  product.left = LEFT;
  product.leftRow = leftRow;
  product.leftStep = leftStep;
  product.right = RIGHT;
  product.rightStep = rightStep;
  product.rows = rows;
  product.depth = depth;
  product.columns = columns;
  product.out = OUT;
  product.outRow = outRow;
  product.weight = weight;
  multiply(product);
}

/** Σ_k in ascending order, each product and each sum rounded to f32. */
function element(leftRow: i32, leftStep: i32, rightStep: i32, depth: i32, a: i32, b: i32): f32 {
  let sum: f32 = 0;
  for (let k = 0; k < depth; ++k) {
    sum += <f32>get(LEFT, a * leftRow + k * leftStep) * <f32>get(RIGHT, k * rightStep + b);
  }
  return sum;
}

/** Elements of the result that differ from the definition, whatever stands beside it. */
function wrong(leftRow: i32, leftStep: i32, rightStep: i32, depth: i32, before: StaticArray<f32>, weight: f32): i32 {
  const found = new StaticArray<f32>(before.length);
  for (let i = 0; i < before.length; ++i) found[i] = before[i];
  for (let a = 0; a < ROWS; ++a) {
    for (let b = 0; b < COLUMNS; ++b) {
      const sum = element(leftRow, leftStep, rightStep, depth, a, b);
      found[a * OUT_ROW + b] = weight == 0 ? sum : before[a * OUT_ROW + b] + weight * sum;
    }
  }
  return differing(OUT, found);
}

function begin(seed: u32): StaticArray<f32> {
  startValues(seed);
  fill(LEFT, 24 * 24, -3, 3);
  fill(RIGHT, 24 * 32, -3, 3);
  fill(OUT, ROWS * OUT_ROW, -3, 3);
  const before = new StaticArray<f32>(ROWS * OUT_ROW);
  for (let i = 0; i < before.length; ++i) before[i] = <f32>get(OUT, i);
  return before;
}

describe("the dense product", () => {
  test("sums over the depth in ascending order, to the bit, and leaves what stands beside the result", () => {
    const before = begin(1);
    run(DEPTH, 1, COLUMNS, DEPTH, 0);
    expect(wrong(DEPTH, 1, COLUMNS, DEPTH, before, 0)).toBe(0);
  });

  test("takes a transposed left side and rows of the right side that are longer than the result's", () => {
    const before = begin(2);
    run(1, ROWS, 20, DEPTH, 0);
    expect(wrong(1, ROWS, 20, DEPTH, before, 0)).toBe(0);
  });

  test("adds weight times the sum where a weight is given", () => {
    const before = begin(3);
    run(DEPTH, 1, COLUMNS, DEPTH, 0.35);
    expect(wrong(DEPTH, 1, COLUMNS, DEPTH, before, 0.35)).toBe(0);
  });

  test("is zero where there is no depth", () => {
    const before = begin(4);
    run(DEPTH, 1, COLUMNS, 0, 0);
    expect(wrong(DEPTH, 1, COLUMNS, 0, before, 0)).toBe(0);
  });

  test("multiplies a matrix by the identity into itself", () => {
    begin(5);
    memory.fill(LEFT, 0, 8 * 8 * 4);
    for (let i = 0; i < 8; ++i) store<f32>(LEFT + ((<usize>(i * 8 + i)) << 2), 1);
    run(8, 1, 16, 8, 0, 8, 16, 16);
    const wanted = new StaticArray<f32>(8 * 16);
    for (let i = 0; i < wanted.length; ++i) wanted[i] = <f32>get(RIGHT, i);
    expect(differing(OUT, wanted)).toBe(0);
  });

  test("writes nothing past its last row", () => {
    begin(6);
    mark(OUT + 4 * 8 * 4, 64);
    run(DEPTH, 1, COLUMNS, DEPTH, 0.5, 4, 8, 8);
    expect(untouched(OUT + 4 * 8 * 4, 64)).toBe(true);
  });
});
