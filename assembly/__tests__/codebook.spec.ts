import { CODEBOOK_SCRATCH, centreRow, encodeRow, LEVELS, solveLevels } from "../codebook";
import { CLASSES, HEADS, M } from "../shape";
import { copyOf, fill, gap, get, mark, put, ROUNDING, startValues, untouched } from "./support";

const COUNT = 40;
const ROWS = memory.data(40 * M * 4, 16);
const SCRATCH = memory.data(<i32>CODEBOOK_SCRATCH + 16, 16);
const FOUND = memory.data(16 + 16, 16);
const CODES = memory.data(M / 2 + 16, 16);

function level(i: i32): i32 {
  return <i32>load<i8>(FOUND + i);
}

function code(c: i32): i32 {
  const pair = <i32>load<u8>(CODES + c / 2);
  return c % 2 == 0 ? pair & 15 : pair >> 4;
}

/** Σ (x − scale · level of its code)² of a row. */
function errorOf(row: usize, scale: f64): f64 {
  let error: f64 = 0;
  for (let c = 0; c < M; ++c) {
    const off = get(row, c) - scale * <f64>level(code(c));
    error += off * off;
  }
  return error;
}

describe("a codebook of sixteen levels", () => {
  test("ascends, and its largest magnitude is 127", () => {
    for (let seed: u32 = 1; seed < 8; ++seed) {
      startValues(seed);
      fill(ROWS, COUNT * M, -3, 1);
      mark(SCRATCH + CODEBOOK_SCRATCH, 16);
      mark(FOUND + LEVELS, 16);
      expect(solveLevels(ROWS, COUNT, M, SCRATCH, FOUND)).toBeGreaterThan(0);
      for (let i = 1; i < <i32>LEVELS; ++i) expect(level(i)).toBeGreaterThanOrEqual(level(i - 1));
      expect(max(abs(level(0)), abs(level(15)))).toBe(127);
      expect(untouched(SCRATCH + CODEBOOK_SCRATCH, 16)).toBe(true);
      expect(untouched(FOUND + LEVELS, 16)).toBe(true);
    }
  });

  test("finds values that are sixteen or fewer", () => {
    for (let i = 0; i < COUNT * M; ++i) put(ROWS, i, <f64>((i * 5) % 4) - 1.5); // each row alike: −1.5, −0.5, 0.5, 1.5
    const unit = solveLevels(ROWS, COUNT, M, SCRATCH, FOUND);
    const scale = encodeRow(ROWS, M, FOUND, unit, CODES);
    // a bin of the histogram, and half a step of 127, in parts of the largest
    for (let c = 0; c < M; ++c) {
      expect(Math.abs(<f64>scale * <f64>level(code(c)) - get(ROWS, c))).toBeLessThan(1.5 * (1 / 64.0 + 1 / 127.0));
    }
  });

  test("leaves an error that is less than that of sixteen even steps", () => {
    startValues(9);
    let even: f64 = 0;
    let own: f64 = 0;
    for (let i = 0; i < COUNT * M; ++i) {
      // dense about 0, as weights are: the sum of four
      fill(ROWS + i * 4, 1, -1, 1);
      const first = get(ROWS, i);
      fill(ROWS + i * 4, 1, -1, 1);
      put(ROWS, i, first * first * first + get(ROWS, i) * 0.2);
    }
    const unit = solveLevels(ROWS, COUNT, M, SCRATCH, FOUND);
    for (let r = 0; r < COUNT; ++r) {
      const row = ROWS + r * M * 4;
      own += errorOf(row, <f64>encodeRow(row, M, FOUND, unit, CODES));
      let peak: f64 = 0;
      for (let c = 0; c < M; ++c) peak = Math.max(peak, Math.abs(get(row, c)));
      for (let c = 0; c < M; ++c) {
        const step = peak / 7.5;
        const off = get(row, c) - (Math.floor(get(row, c) / step) + 0.5) * step;
        even += off * off;
      }
    }
    expect(own).toBeLessThan(even);
  });

  test("makes of a row of zeros zeros, and writes half as many bytes as there are columns", () => {
    startValues(3);
    fill(ROWS, COUNT * M, -1, 1);
    const unit = solveLevels(ROWS, COUNT, M, SCRATCH, FOUND);
    for (let c = 0; c < M; ++c) put(ROWS, c, 0);
    mark(CODES + M / 2, 16);
    expect(encodeRow(ROWS, M, FOUND, unit, CODES)).toBe(0);
    expect(untouched(CODES + M / 2, 16)).toBe(true);
    for (let i = 0; i < COUNT * M; ++i) put(ROWS, i, 0);
    expect(encodeRow(ROWS, M, FOUND, solveLevels(ROWS, COUNT, M, SCRATCH, FOUND), CODES)).toBe(0);
  });
});

describe("a centred row", () => {
  test("has heads of mean 0, and is otherwise as before", () => {
    startValues(5);
    fill(ROWS, M, -4, 2);
    const before = copyOf(ROWS, M);
    centreRow(ROWS, M);
    for (let head = 0; head < HEADS; ++head) {
      let sum: f64 = 0;
      let shift: f64 = 0;
      for (let c = head * CLASSES; c < (head + 1) * CLASSES; ++c) {
        sum += get(ROWS, c);
        shift += before[c] - get(ROWS, c);
      }
      expect(Math.abs(sum)).toBeLessThan(1e-5);
      for (let c = head * CLASSES; c < (head + 1) * CLASSES; ++c) before[c] -= shift / CLASSES;
    }
    expect(gap(ROWS, before)).toBeLessThan(ROUNDING);
  });
});
