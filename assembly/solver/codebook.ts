// Weights of four bits (ours): a code names one of sixteen levels, which are those of the layer, and a row has a scale. Softmax over a
// group does not see what all its classes have in common, so a weight is known by its depth below the largest of its group; and the
// deeper, the less it matters how deep. Levels and scales are those of the least square error weighted by that, the levels by Lloyd's
// algorithm (Lloyd 1982) over a histogram of all rows, each in units of its root mean square.
import { exp } from "../common/math";
import { codeAt } from "../common/nibbles";
import { UNITS } from "../shape";

/** Values that a code can name. */
export const LEVELS: usize = 16;
/** The largest level, of depth 0; the least is −TOP. */
const TOP: i32 = 127;
/** Weight of a depth of x ≤ 0: exp(x · FALL) + FLOOR. */
const FALL: f32 = 0.3;
const FLOOR: f32 = 0.003;
/** The histogram: bins of 1/64 from −16 on, up to 0. */
const BINS: i32 = 1024;
const BIN: f32 = 0.015625;
const LEAST_BIN: f32 = -16;
const SWEEPS: i32 = 40;
/** A row whose depths are less than this counts as 0. */
const LEAST: f32 = 1e-30;
/** Tried as scales, in root mean squares; for each the best scale for its codes is solved. */
const TRIES: i32 = 5;
const FIRST_TRY: f32 = 0.8;
const TRY_STEP: f32 = 0.1;

/**
 * outDepths (width) f32 ← what each weight of a row has less than the largest of its group, 0 or below; their weights behind them, from
 * width · 4 bytes on.
 *
 * @returns their weighted root mean square
 */
function depthsOf(row: usize, width: usize, outDepths: usize): f32 {
  let squares: f32 = 0;
  let total: f32 = 0;
  const to = outDepths - row;
  for (const end = row + (width << 2); row < end; row += UNITS << 2) {
    const peak = peakOf(row);
    for (let at = row; at < row + (UNITS << 2); at += 4) {
      const depth = load<f32>(at) - peak;
      const weight = exp(depth * FALL) + FLOOR;
      store<f32>(at + to, depth);
      store<f32>(at + to + (width << 2), weight);
      squares += weight * depth * depth;
      total += weight;
    }
  }
  return sqrt<f32>(squares / total);
}

/** Largest weight of a group. */
// @ts-ignore: decorator
@inline
function peakOf(group: usize): f32 {
  let peak = load<f32>(group);
  for (let at = group + 4; at < group + (UNITS << 2); at += 4) peak = max<f32>(peak, load<f32>(at));
  return peak;
}

/**
 * Solves the levels of a layer.
 *
 * @param rows (count, width) f32
 * @param histogram (1024 + 3 · LEVELS) f64 scratch; @param depths (2, width) f32 scratch
 * @param outLevels (LEVELS) i8, ascending from −127 to 127; depth 0 is the last
 * @returns what one unit of a level is in root mean squares of a row
 */
export function solveLevels(
  rows: usize,
  count: i32,
  width: usize,
  histogram: usize,
  depths: usize,
  outLevels: usize,
): f32 {
  memory.fill(histogram, 0, (<usize>BINS + 3 * LEVELS) << 3);
  const levels = histogram + (BINS << 3); // (LEVELS) f64, then sums and weights of the same size
  const sums = levels + (LEVELS << 3);
  const weights = sums + (LEVELS << 3);
  let total: f64 = 0;
  for (let i = 0; i < count; ++i) {
    const unit = depthsOf(rows + ((<usize>i * width) << 2), width, depths);
    if (unit < LEAST) continue;
    const squared = <f64>unit * <f64>unit;
    for (let at = depths; at < depths + (width << 2); at += 4) {
      const depth = load<f32>(at);
      if (depth == 0) continue; // has its level
      const bin = <usize>max<i32>(0, min<i32>(BINS - 1, <i32>floor<f32>((depth / unit - LEAST_BIN) / BIN)));
      const weight = <f64>load<f32>(at + (width << 2)) * squared;
      store<f64>(histogram + (bin << 3), load<f64>(histogram + (bin << 3)) + weight);
      total += weight;
    }
  }
  // from levels of equal shares on, and 0
  let seen: f64 = 0;
  let next: usize = 0;
  for (let bin = 0; bin < BINS; ++bin) {
    seen += load<f64>(histogram + (<usize>bin << 3));
    for (; next < LEVELS - 1 && seen * <f64>(LEVELS - 1) >= total * (<f64>next + 0.5); ++next) {
      store<f64>(levels + (next << 3), centreOf(bin));
    }
  }
  for (let sweep = 0; sweep < SWEEPS; ++sweep) {
    memory.fill(sums, 0, LEVELS << 4);
    let level: usize = 0; // nearest to the bin; bins and levels both ascend
    for (let bin = 0; bin < BINS; ++bin) {
      const x = centreOf(bin);
      while (level < LEVELS - 1 && middle(levels, level) < x) ++level;
      const weight = load<f64>(histogram + (<usize>bin << 3));
      const at = sums + (level << 3);
      store<f64>(at, load<f64>(at) + weight * x);
      store<f64>(at, load<f64>(at, LEVELS << 3) + weight, LEVELS << 3);
    }
    for (let i: usize = 0; i < (LEVELS - 1) << 3; i += 8) {
      const weight = load<f64>(weights + i);
      if (weight > 0) store<f64>(levels + i, load<f64>(sums + i) / weight);
    }
  }
  const unit = -load<f64>(levels) / <f64>(2 * TOP);
  for (let i: usize = 0; i < LEVELS; ++i) {
    const steps = unit > 0 ? <i32>nearest<f64>(load<f64>(levels + (i << 3)) / unit) : 0;
    store<i8>(outLevels + i, <i8>(TOP + steps));
  }
  return <f32>unit;
}

function centreOf(bin: i32): f64 {
  return <f64>LEAST_BIN + (<f64>bin + 0.5) * <f64>BIN;
}

/** Halfway from a level to the next. */
function middle(levels: usize, level: usize): f64 {
  return (load<f64>(levels + (level << 3)) + load<f64>(levels + (level << 3), 8)) / 2;
}

/**
 * outCodes ← the codes of a row's nearest levels, at the scale that leaves the least weighted square error of those tried.
 *
 * @param row (width) f32; @param depths (2, width) f32 scratch
 * @param levels (LEVELS) i8 and unit, of solveLevels
 * @param outCodes (width / 2) u8, the codes of columns 2c and 2c + 1, the first in the low bits
 * @returns the scale: element c is scale · levels[code c], and the same more a group
 */
export function encodeRow(row: usize, width: usize, levels: usize, unit: f32, depths: usize, outCodes: usize): f32 {
  const least = depthsOf(row, width, depths) * unit;
  const end = depths + (width << 2);
  let best: f32 = 0;
  let bestTry: f32 = 0;
  let bestError: f32 = f32.MAX_VALUE;
  for (let i = 0; i < TRIES && least > LEAST; ++i) {
    const tried = least * (FIRST_TRY + <f32>i * TRY_STEP);
    const scale = fittedScale(depths, width, levels, tried);
    let error: f32 = 0;
    for (let at = depths; at < end; at += 4) {
      const x = load<f32>(at);
      const off = x - scale * stepsOf(levels, codeOf(x / tried, levels));
      error += load<f32>(at + (width << 2)) * off * off;
    }
    if (error < bestError) {
      bestError = error;
      bestTry = tried;
      best = scale;
    }
  }
  for (let c: usize = 0; c < width; c += 2) {
    const at = depths + (c << 2);
    const low = bestTry > 0 ? codeOf(load<f32>(at) / bestTry, levels) : LEVELS - 1;
    const high = bestTry > 0 ? codeOf(load<f32>(at, 4) / bestTry, levels) : LEVELS - 1;
    store<u8>(outCodes + (c >> 1), <u8>(low | (high << 4)));
  }
  return best;
}

/** The scale of the least weighted square error for the codes that depths have at another scale, `tried`. */
function fittedScale(depths: usize, width: usize, levels: usize, tried: f32): f32 {
  let products: f32 = 0;
  let squares: f32 = 0;
  for (let at = depths; at < depths + (width << 2); at += 4) {
    const x = load<f32>(at);
    const weight = load<f32>(at + (width << 2));
    const steps = stepsOf(levels, codeOf(x / tried, levels));
    products += weight * x * steps;
    squares += weight * steps * steps;
  }
  return squares > 0 ? products / squares : 0;
}

/** outRow (width) f32 ← scale · levels[code]. */
export function decodeRow(codes: usize, width: usize, levels: usize, scale: f32, outRow: usize): void {
  for (let c: usize = 0; c < width; ++c) {
    store<f32>(outRow + (c << 2), scale * <f32>load<i8>(levels + codeAt(codes, c)));
  }
}

/** Bytes of a rounding table. */
export const ROUNDING_BYTES: usize = 2 * LEVELS * 4;

/**
 * What roundRow looks up: depths of the levels, then what is halfway to the next, in units of a scale.
 *
 * @param levels (LEVELS) i8, of solveLevels; @param outTable ROUNDING_BYTES
 */
export function roundingTable(levels: usize, outTable: usize): void {
  for (let i: usize = 0; i < LEVELS; ++i) store<f32>(outTable + (i << 2), stepsOf(levels, i));
  for (let i: usize = 0; i < LEVELS - 1; ++i) {
    const at = outTable + (i << 2);
    store<f32>(at, (load<f32>(at) + load<f32>(at, 4)) * 0.5, LEVELS << 2);
  }
}

/** A row's scale for roundRow: that of encodeRow, of one try. @param depths (2, width) f32 scratch */
export function scaleOf(row: usize, width: usize, levels: usize, unit: f32, depths: usize): f32 {
  const tried = depthsOf(row, width, depths) * unit;
  return tried > LEAST ? fittedScale(depths, width, levels, tried) : 0;
}

/**
 * outRow (width) f32 ← scale · the depths of the levels nearest to a row's.
 *
 * @param row (width) f32; @param table of roundingTable
 */
export function roundRow(row: usize, width: usize, table: usize, scale: f32, outRow: usize): void {
  const end = row + (width << 2);
  const halves = table + (LEVELS << 2);
  const inverse: f32 = scale < LEAST ? 0 : <f32>1 / scale;
  const to = outRow - row;
  for (; row < end; row += UNITS << 2) {
    const peak = peakOf(row);
    if (ASC_FEATURE_SIMD) {
      for (let at = row; at < row + (UNITS << 2); at += 16) {
        const x = f32x4.mul(f32x4.sub(v128.load(at), f32x4.splat(peak)), f32x4.splat(inverse));
        let depth = v128.load32_splat(table);
        for (let i: usize = 0; i < (LEVELS - 1) << 2; i += 4) {
          const above = f32x4.gt(x, v128.load32_splat(halves + i));
          depth = v128.bitselect(v128.load32_splat(table + i, 4), depth, above);
        }
        v128.store(at + to, f32x4.mul(depth, f32x4.splat(scale)));
      }
    } else {
      for (let at = row; at < row + (UNITS << 2); at += 4) {
        const x = (load<f32>(at) - peak) * inverse;
        let i: usize = 0;
        while (i < (LEVELS - 1) << 2 && x > load<f32>(halves + i)) i += 4;
        store<f32>(at + to, load<f32>(table + i) * scale);
      }
    }
  }
}

/** Depth of a level, in units of the scale. */
// @ts-ignore: decorator
@inline
function stepsOf(levels: usize, code: usize): f32 {
  return <f32>(<i32>load<i8>(levels + code) - TOP);
}

/** The code of the level nearest to a depth of x scales, the lower of two. */
function codeOf(x: f32, levels: usize): usize {
  let code: usize = 0;
  while (code < LEVELS - 1 && stepsOf(levels, code) + stepsOf(levels, code + 1) < x + x) ++code;
  return code;
}
