import { isView, learnRow, rememberRow, rowLesson, scoreRow, VIEWS, viewBytes } from "../../watch/numbers";
import { NUMBERS, Plan } from "../../watch/plan";
import { put } from "../support";
import { KEPT, watch } from "./plan";

/** A row through all that `push` does with it. @returns its bits */
function row(p: Plan, a: f32, b: f32): u32 {
  put(p.input, 0, a);
  put(p.input, 1, b);
  const bits = scoreRow(p);
  learnRow(p, <usize>p.scratch + 8, rowLesson(p, <usize>p.scratch + 8));
  rememberRow(p);
  ++p.rows;
  return bits;
}

function view(p: Plan, column: i32, which: i32): f32 {
  return load<f32>(<usize>p.found + ((<usize>column * VIEWS + <usize>which) << 2));
}

function own(p: Plan, column: i32): u32 {
  return load<u32>(<usize>p.found + 2 * 16 + (<usize>column << 2));
}

describe("views of a column", () => {
  test("are its value, two changes, and the range of twelve rows; none where a row is absent", () => {
    const p = watch(NUMBERS, 3);
    for (let i = 0; i < 20; ++i) {
      row(p, <f32>(i * i), i == 10 ? <f32>NaN : 5);
      expect(view(p, 0, 0)).toBe(<f32>(i * i));
      if (i == 0) expect(isNaN(view(p, 0, 1))).toBe(true);
      else expect(view(p, 0, 1)).toBe(<f32>(i + i - 1));
      if (i < 6) expect(isNaN(view(p, 0, 2))).toBe(true);
      else expect(view(p, 0, 2)).toBe(<f32>(i * i - (i - 6) * (i - 6)));
      const oldest = max(0, i - 11);
      expect(view(p, 0, 3)).toBe(<f32>(i * i - oldest * oldest));
      expect(isNaN(view(p, 1, 0))).toBe(i == 10);
      expect(isNaN(view(p, 1, 1))).toBe(i == 0 || i == 10 || i == 11);
      expect(isNaN(view(p, 1, 3))).toBe(i == 10);
    }
  });

  test("say nothing until there are values enough, then how far out one is, and in which column", () => {
    const p = watch(NUMBERS, 3);
    for (let i = 0; i < 15; ++i) expect(row(p, <f32>(i % 3), 7)).toBe(0);
    expect(row(p, 1000, 7)).toBe(0);
    for (let i = 0; i < 30; ++i) row(p, <f32>(i % 3), 7);
    expect(row(p, 0, 7)).toBe(0);
    const near = row(p, 4, 7);
    expect(near).toBeGreaterThan(0);
    expect(own(p, 0)).toBe(near);
    expect(own(p, 1)).toBe(0);
    for (let i = 0; i < 30; ++i) row(p, <f32>(i % 3), 7);
    expect(row(p, 400, 7)).toBeGreaterThan(near);
    for (let i = 0; i < 30; ++i) row(p, <f32>(i % 3), 7);
    expect(row(p, NaN, -Infinity)).toBe(0);
    expect(row(p, 1, 7.5)).toBeGreaterThan(0); // a column that was constant
    expect(own(p, 0)).toBe(0);
  });

  test("of values at the ends of f32 stay within the bound of what is farthest", () => {
    const p = watch(NUMBERS, 3);
    const values: f32[] = [2e38, -2e38, 3.3e38, -3.3e38, f32.MAX_VALUE, -f32.MAX_VALUE, 1e-45, 0, Infinity, NaN];
    for (let i = 0; i < 40; ++i) row(p, values[i & 1], values[i & 1]);
    for (let i = 0; i < 200; ++i) expect(row(p, values[(i * 7) % 10], values[(i * 3) % 10])).toBeLessThan(2 * 4 * 720);
  });
});

describe("values that are kept", () => {
  test("are the last ones, in order, and never more; absent ones are not kept", () => {
    const p = watch(NUMBERS, 3);
    let drawn: u32 = 3;
    for (let i = 0; i < 200; ++i) {
      drawn = drawn * 1664525 + 1013904223;
      row(p, <f32>((drawn >> 16) % 50), i % 4 == 0 ? <f32>NaN : <f32>i);
      for (let j: usize = 0; j < 2 * VIEWS; ++j) {
        const at = <usize>p.values + j * viewBytes(KEPT);
        expect(isView(at, KEPT)).toBe(true);
        const count = load<u32>(at);
        let came: f64 = 0;
        let sorted: f64 = 0;
        for (let k: usize = 0; k < <usize>count; ++k) {
          came += load<f32>(at + 8 + (k << 2));
          sorted += load<f32>(at + 8 + ((<usize>KEPT + k) << 2));
        }
        expect(sorted).toBe(came);
      }
    }
    expect(load<u32>(<usize>p.values)).toBe(KEPT);
  });

  test("that are damaged are none of a view", () => {
    const p = watch(NUMBERS, 3);
    for (let i = 0; i < 10; ++i) row(p, <f32>i, 1);
    const at = <usize>p.values;
    const sorted = at + 8 + (<usize>KEPT << 2);
    expect(isView(at, KEPT)).toBe(true);
    const values: f32[] = [NaN, Infinity, -Infinity, 9];
    for (let i = 0; i < 4; ++i) {
      store<f32>(sorted + 12, values[i]);
      expect(isView(at, KEPT)).toBe(false, `${values[i]}`);
      store<f32>(sorted + 12, 3);
    }
    store<u32>(at, 17);
    expect(isView(at, KEPT)).toBe(false);
    store<u32>(at, 16);
    store<u32>(at, 16, 4);
    expect(isView(at, KEPT)).toBe(false);
    store<u32>(at, 10);
    store<u32>(at, 9, 4);
    expect(isView(at, KEPT)).toBe(false);
  });
});
