import { GROUPS, M, UNITS } from "../../shape";
import {
  decodeRow,
  encodeRow,
  LEVELS,
  ROUNDING_BYTES,
  roundingTable,
  roundRow,
  scaleOf,
  solveLevels,
} from "../../solver/codebook";
import { copyOf, fill, gap, get, mark, put, ROUNDING, startValues, untouched } from "../support";

const COUNT = 40;
const ROWS = memory.data(40 * M * 4, 16);
const HISTOGRAM_BYTES: usize = (1024 + 3 * LEVELS) * 8;
const HISTOGRAM = memory.data(<i32>HISTOGRAM_BYTES + 16, 16);
const DEPTHS = memory.data(2 * M * 4 + 16, 16);
const FOUND = memory.data(16 + 16, 16);
const CODES = memory.data(M / 2 + 16, 16);
const ROW = memory.data(M * 4 + 16, 16);
const TABLE = memory.data(<i32>ROUNDING_BYTES + 16, 16);

function level(i: i32): i32 {
  return <i32>load<i8>(FOUND + i);
}

/** Rows as weights are: dense below the largest of their group, with a long tail further down. */
function fillRows(seed: u32): void {
  startValues(seed);
  for (let i = 0; i < COUNT * M; ++i) {
    fill(ROWS + i * 4, 1, -1, 1);
    const first = get(ROWS, i);
    fill(ROWS + i * 4, 1, -1, 1);
    const tail = first * first * first * first;
    put(ROWS, i, get(ROWS, i) * 0.2 - 12 * tail * tail);
  }
}

/** Largest of a group of a row. */
function peakOf(row: usize, c: i32): f64 {
  let peak = -Infinity;
  for (let k = (c / UNITS) * UNITS; k < (c / UNITS + 1) * UNITS; ++k) peak = Math.max(peak, get(row, k));
  return peak;
}

/** Σ w (depth − depth')² of a row: depths below the largest of its group, w = exp(0.3 · depth) + 0.003; those of `off` are taken as they are. */
function errorOf(row: usize, off: usize, top: f64): f64 {
  let error: f64 = 0;
  for (let c = 0; c < M; ++c) {
    const depth = get(row, c) - peakOf(row, c);
    const difference = depth - (get(off, c) - top);
    error += (Math.exp(0.3 * depth) + 0.003) * difference * difference;
  }
  return error;
}

describe("a codebook of sixteen levels", () => {
  test("ascends from −127 to 127", () => {
    for (let seed: u32 = 1; seed < 8; ++seed) {
      fillRows(seed);
      mark(HISTOGRAM + HISTOGRAM_BYTES, 16);
      mark(DEPTHS + 2 * M * 4, 16);
      mark(FOUND + LEVELS, 16);
      expect(solveLevels(ROWS, COUNT, M, HISTOGRAM, DEPTHS, FOUND)).toBeGreaterThan(0);
      for (let i = 1; i < <i32>LEVELS; ++i) expect(level(i)).toBeGreaterThanOrEqual(level(i - 1));
      expect(level(0)).toBe(-127);
      expect(level(15)).toBe(127);
      expect(untouched(HISTOGRAM + HISTOGRAM_BYTES, 16)).toBe(true);
      expect(untouched(DEPTHS + 2 * M * 4, 16)).toBe(true);
      expect(untouched(FOUND + LEVELS, 16)).toBe(true);
    }
  });

  test("finds depths that are sixteen or fewer", () => {
    for (let i = 0; i < COUNT * M; ++i) put(ROWS, i, 2.5 - <f64>((i * 3) % 4)); // of each group 0, −1, −2 and −3
    const unit = solveLevels(ROWS, COUNT, M, HISTOGRAM, DEPTHS, FOUND);
    const scale = encodeRow(ROWS, M, FOUND, unit, DEPTHS, CODES);
    decodeRow(CODES, M, FOUND, scale, ROW);
    const top = 127 * <f64>scale;
    // a bin of the histogram, and half a step of 254, in parts of the largest
    for (let c = 0; c < M; ++c) {
      const off = get(ROW, c) - top - (get(ROWS, c) - peakOf(ROWS, c));
      expect(Math.abs(off)).toBeLessThan(3 * (1 / 64.0 + 1 / 254.0));
    }
  });

  test("leaves a weighted error that is less than that of sixteen even steps", () => {
    fillRows(9);
    let even: f64 = 0;
    let own: f64 = 0;
    const unit = solveLevels(ROWS, COUNT, M, HISTOGRAM, DEPTHS, FOUND);
    for (let r = 0; r < COUNT; ++r) {
      const row = ROWS + r * M * 4;
      const scale = encodeRow(row, M, FOUND, unit, DEPTHS, CODES);
      decodeRow(CODES, M, FOUND, scale, ROW);
      own += errorOf(row, ROW, 127 * <f64>scale);
      let least: f64 = 0;
      for (let c = 0; c < M; ++c) least = Math.min(least, get(row, c) - peakOf(row, c));
      for (let c = 0; c < M; ++c) {
        const step = -least / 15;
        put(ROW, c, Math.round((get(row, c) - peakOf(row, c)) / step) * step);
      }
      even += errorOf(row, ROW, 0);
    }
    expect(own).toBeLessThan(even);
  });

  test("does not see what all units of a group have in common", () => {
    fillRows(4);
    const unit = solveLevels(ROWS, COUNT, M, HISTOGRAM, DEPTHS, FOUND);
    const scale = encodeRow(ROWS, M, FOUND, unit, DEPTHS, CODES);
    decodeRow(CODES, M, FOUND, scale, ROW);
    const before = copyOf(ROW, M);
    // sums of eighths and halves are exact
    for (let i = 0; i < COUNT * M; ++i) put(ROWS, i, Math.round(get(ROWS, i) * 8) / 8);
    const same = solveLevels(ROWS, COUNT, M, HISTOGRAM, DEPTHS, FOUND);
    const sameScale = encodeRow(ROWS, M, FOUND, same, DEPTHS, CODES);
    decodeRow(CODES, M, FOUND, sameScale, ROW);
    const eighths = copyOf(ROW, M);
    expect(gap(ROW, before)).toBeGreaterThan(0);
    for (let i = 0; i < COUNT * M; ++i) put(ROWS, i, get(ROWS, i) + <f64>((i / UNITS) % GROUPS) - 0.5);
    expect(solveLevels(ROWS, COUNT, M, HISTOGRAM, DEPTHS, FOUND)).toBe(same);
    expect(encodeRow(ROWS, M, FOUND, same, DEPTHS, CODES)).toBe(sameScale);
    decodeRow(CODES, M, FOUND, sameScale, ROW);
    expect(gap(ROW, eighths)).toBe(0);
  });

  test("makes of a row of zeros zeros, and writes half as many bytes as there are columns", () => {
    startValues(3);
    fill(ROWS, COUNT * M, -1, 1);
    const unit = solveLevels(ROWS, COUNT, M, HISTOGRAM, DEPTHS, FOUND);
    for (let c = 0; c < M; ++c) put(ROWS, c, 0);
    mark(CODES + M / 2, 16);
    mark(DEPTHS + 2 * M * 4, 16);
    expect(encodeRow(ROWS, M, FOUND, unit, DEPTHS, CODES)).toBe(0);
    expect(untouched(CODES + M / 2, 16)).toBe(true);
    expect(untouched(DEPTHS + 2 * M * 4, 16)).toBe(true);
    for (let i = 0; i < COUNT * M; ++i) put(ROWS, i, 0);
    const none = solveLevels(ROWS, COUNT, M, HISTOGRAM, DEPTHS, FOUND);
    expect(encodeRow(ROWS, M, FOUND, none, DEPTHS, CODES)).toBe(0);
  });
});

describe("the rounding of a step", () => {
  test("takes each depth to the nearest level", () => {
    fillRows(6);
    const unit = solveLevels(ROWS, COUNT, M, HISTOGRAM, DEPTHS, FOUND);
    roundingTable(FOUND, TABLE);
    for (let r = 0; r < COUNT; ++r) {
      const row = ROWS + r * M * 4;
      const scale = scaleOf(row, M, FOUND, unit, DEPTHS);
      mark(ROW + M * 4, 16);
      roundRow(row, M, TABLE, scale, ROW);
      expect(untouched(ROW + M * 4, 16)).toBe(true);
      for (let c = 0; c < M; ++c) {
        const depth = get(row, c) - peakOf(row, c);
        let least = Infinity;
        for (let i = 0; i < <i32>LEVELS; ++i) least = Math.min(least, Math.abs(depth - <f64>scale * <f64>(level(i) - 127)));
        expect(Math.abs(get(ROW, c) - depth)).toBeLessThan(least + ROUNDING * 20);
      }
    }
  });

  test("is at the scale of the least weighted square error for the codes at the row's own root mean square", () => {
    fillRows(7);
    const unit = <f64>solveLevels(ROWS, COUNT, M, HISTOGRAM, DEPTHS, FOUND);
    for (let r = 0; r < COUNT; ++r) {
      const row = ROWS + r * M * 4;
      let squares: f64 = 0;
      let total: f64 = 0;
      for (let c = 0; c < M; ++c) {
        const depth = get(row, c) - peakOf(row, c);
        const weight = Math.exp(0.3 * depth) + 0.003;
        squares += weight * depth * depth;
        total += weight;
      }
      const tried = Math.sqrt(squares / total) * unit;
      let above: f64 = 0;
      let below: f64 = 0;
      for (let c = 0; c < M; ++c) {
        const depth = get(row, c) - peakOf(row, c);
        const weight = Math.exp(0.3 * depth) + 0.003;
        let nearest = 0;
        for (let i = 1; i < <i32>LEVELS; ++i) {
          if (Math.abs(depth / tried - <f64>(level(i) - 127)) < Math.abs(depth / tried - <f64>(level(nearest) - 127))) nearest = i;
        }
        above += weight * depth * <f64>(level(nearest) - 127);
        below += weight * <f64>(level(nearest) - 127) * <f64>(level(nearest) - 127);
      }
      const scale = <f64>scaleOf(row, M, FOUND, <f32>unit, DEPTHS);
      expect(Math.abs(scale / (above / below) - 1)).toBeLessThan(ROUNDING * 20, r.toString());
    }
  });

  test("leaves at most twice the error of the codes that are stored", () => {
    fillRows(8);
    const unit = solveLevels(ROWS, COUNT, M, HISTOGRAM, DEPTHS, FOUND);
    roundingTable(FOUND, TABLE);
    let stored: f64 = 0;
    let rounded: f64 = 0;
    for (let r = 0; r < COUNT; ++r) {
      const row = ROWS + r * M * 4;
      const scale = encodeRow(row, M, FOUND, unit, DEPTHS, CODES);
      decodeRow(CODES, M, FOUND, scale, ROW);
      stored += errorOf(row, ROW, 127 * <f64>scale);
      roundRow(row, M, TABLE, scaleOf(row, M, FOUND, unit, DEPTHS), ROW);
      rounded += errorOf(row, ROW, 0);
    }
    expect(rounded).toBeLessThan(stored * 2);
  });

  test("makes of a row whose units are alike zeros", () => {
    for (let c = 0; c < M; ++c) put(ROWS, c, 0.75);
    roundRow(ROWS, M, TABLE, scaleOf(ROWS, M, FOUND, 0.01, DEPTHS), ROW);
    for (let c = 0; c < M; ++c) expect(get(ROW, c)).toBe(0);
  });
});
