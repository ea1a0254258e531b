// Weights of four bits (ours): a code names one of sixteen levels, which are those of the layer, and a row has a scale. The levels are
// where the weights are dense: Lloyd's algorithm (Lloyd 1982) over a histogram of all rows, each divided by its root mean square.
import { codeAt } from "./codes";
import { CLASSES } from "./shape";

/** Values that a code can name. */
export const LEVELS: usize = 16;
/** The histogram: bins of 1/64 from −8 on. */
const BINS: i32 = 1024;
const BIN: f32 = 0.015625;
const LEAST_BIN: f32 = -8;
const SWEEPS: i32 = 40;
/** A row whose weights are less than this counts as 0. */
const LEAST: f32 = 1e-30;
/** Tried as scales, in root mean squares; for each the best scale for its codes is solved. */
const TRIES: i32 = 5;
const FIRST_TRY: f32 = 0.8;
const TRY_STEP: f32 = 0.1;

/** Bytes of scratch for solveLevels. */
export const CODEBOOK_SCRATCH: usize = (<usize>BINS + 3 * LEVELS) * 8;

/** Takes the mean of each head from a row of U: softmax over a head does not see it, and what is left is smaller. */
export function centreRow(row: usize, width: usize): void {
  for (let first = row; first < row + (width << 2); first += CLASSES << 2) {
    let sum: f32 = 0;
    for (let c: usize = 0; c < <usize>CLASSES; ++c) sum += load<f32>(first + (c << 2));
    const mean = sum / <f32>CLASSES;
    for (let c: usize = 0; c < <usize>CLASSES; ++c) store<f32>(first + (c << 2), load<f32>(first + (c << 2)) - mean);
  }
}

function rootMeanSquare(row: usize, width: usize): f32 {
  let sum: f32 = 0;
  for (let c: usize = 0; c < width; ++c) sum += load<f32>(row + (c << 2)) * load<f32>(row + (c << 2));
  return sqrt<f32>(sum / <f32>width);
}

/**
 * Solves the levels of a layer.
 *
 * @param rows (count, width) f32
 * @param scratch CODEBOOK_SCRATCH bytes
 * @param outLevels (LEVELS) i8, ascending, the largest magnitude 127
 * @returns what one unit of a level is in root mean squares of a row
 */
export function solveLevels(rows: usize, count: i32, width: usize, scratch: usize, outLevels: usize): f32 {
  memory.fill(scratch, 0, CODEBOOK_SCRATCH);
  let total: f64 = 0;
  for (let i = 0; i < count; ++i) {
    const row = rows + ((<usize>i * width) << 2);
    const unit = rootMeanSquare(row, width);
    if (unit < LEAST) continue;
    for (let c: usize = 0; c < width; ++c) {
      const bin = <i32>floor<f32>((load<f32>(row + (c << 2)) / unit - LEAST_BIN) / BIN);
      const at = scratch + (<usize>max<i32>(0, min<i32>(BINS - 1, bin)) << 3);
      store<f64>(at, load<f64>(at) + 1);
    }
    total += <f64>width;
  }
  const levels = scratch + (BINS << 3); // (LEVELS) f64, then sums and counts of the same size
  const sums = levels + (LEVELS << 3);
  const counts = sums + (LEVELS << 3);
  // from levels of equal shares on
  let seen: f64 = 0;
  let next: usize = 0;
  for (let bin = 0; bin < BINS; ++bin) {
    seen += load<f64>(scratch + (<usize>bin << 3));
    for (; next < LEVELS && seen * <f64>LEVELS >= total * (<f64>next + 0.5); ++next) {
      store<f64>(levels + (next << 3), centreOf(bin));
    }
  }
  for (let sweep = 0; sweep < SWEEPS; ++sweep) {
    memory.fill(sums, 0, LEVELS << 4);
    let level: usize = 0; // nearest to the bin; bins and levels both ascend
    for (let bin = 0; bin < BINS; ++bin) {
      const x = centreOf(bin);
      while (level < LEVELS - 1 && middle(levels, level) < x) ++level;
      const many = load<f64>(scratch + (<usize>bin << 3));
      const at = sums + (level << 3);
      store<f64>(at, load<f64>(at) + many * x);
      store<f64>(at, load<f64>(at, LEVELS << 3) + many, LEVELS << 3);
    }
    for (let i: usize = 0; i < LEVELS << 3; i += 8) {
      const many = load<f64>(counts + i);
      if (many > 0) store<f64>(levels + i, load<f64>(sums + i) / many);
    }
  }
  const most = max<f64>(abs<f64>(load<f64>(levels)), abs<f64>(load<f64>(levels + ((LEVELS - 1) << 3))));
  for (let i: usize = 0; i < LEVELS; ++i) {
    store<i8>(outLevels + i, most > 0 ? <i8>nearest<f64>((load<f64>(levels + (i << 3)) * 127) / most) : 0);
  }
  return <f32>(most / 127);
}

function centreOf(bin: i32): f64 {
  return <f64>LEAST_BIN + (<f64>bin + 0.5) * <f64>BIN;
}

/** Halfway from a level to the next. */
function middle(levels: usize, level: usize): f64 {
  return (load<f64>(levels + (level << 3)) + load<f64>(levels + (level << 3), 8)) / 2;
}

/**
 * outCodes ← the codes of a row's nearest levels, at the scale that leaves the least square error of those tried.
 *
 * @param row (width) f32
 * @param levels (LEVELS) i8 and unit, of solveLevels
 * @param outCodes (width / 2) u8, the codes of columns 2c and 2c + 1, the first in the low bits
 * @returns the scale: element c is scale · levels[code c]
 */
export function encodeRow(row: usize, width: usize, levels: usize, unit: f32, outCodes: usize): f32 {
  const least = rootMeanSquare(row, width) * unit;
  let best: f32 = 0;
  let bestTry: f32 = 0;
  let bestError: f32 = f32.MAX_VALUE;
  for (let i = 0; i < TRIES && least > LEAST; ++i) {
    const tried = least * (FIRST_TRY + <f32>i * TRY_STEP);
    let products: f32 = 0;
    let squares: f32 = 0;
    for (let c: usize = 0; c < width; ++c) {
      const x = load<f32>(row + (c << 2));
      const level = <f32>load<i8>(levels + codeOf(x / tried, levels));
      products += x * level;
      squares += level * level;
    }
    const scale = squares > 0 ? products / squares : 0; // of least squares
    let error: f32 = 0;
    for (let c: usize = 0; c < width; ++c) {
      const x = load<f32>(row + (c << 2));
      const off = x - scale * <f32>load<i8>(levels + codeOf(x / tried, levels));
      error += off * off;
    }
    if (error < bestError) {
      bestError = error;
      bestTry = tried;
      best = scale;
    }
  }
  for (let c: usize = 0; c < width; c += 2) {
    const at = row + (c << 2);
    const low = bestTry > 0 ? codeOf(load<f32>(at) / bestTry, levels) : 0;
    const high = bestTry > 0 ? codeOf(load<f32>(at, 4) / bestTry, levels) : 0;
    store<u8>(outCodes + (c >> 1), <u8>(low | (high << 4)));
  }
  return best;
}

/** outRow (width) f32 ← scale · levels[code]. */
export function decodeRow(codes: usize, width: usize, levels: usize, scale: f32, outRow: usize): void {
  for (let c: usize = 0; c < width; ++c) {
    store<f32>(outRow + (c << 2), scale * <f32>load<i8>(levels + codeAt(codes, c)));
  }
}

/** The code of the level nearest to x, the lower of two. */
function codeOf(x: f32, levels: usize): usize {
  let code: usize = 0;
  while (code < LEVELS - 1 && <f32>load<i8>(levels + code) + <f32>load<i8>(levels + code, 1) < x + x) ++code;
  return code;
}
