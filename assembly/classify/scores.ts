// Scores of an example's classes: bias + scale · Σ values · row. Rows are integers, so any order of the features gives the same sum, and
// SIMD the same bits.
import { softmaxOnce } from "../common/softmax";
import { MOST_VALUE, OUT_OF_RANGE, Plan, rowBytes } from "./plan";

/** Features whose rows are summed in 16 bits at the most: 256 · 127 is below 2^15. */
const IN_SHORTS: u32 = 256;
/** That of a lane without a class. */
const NO_SCORE: f32 = -1e30;

/**
 * plan.probabilities ← softmax of the scores under the base, or under the last refit.
 *
 * @param live whether rows of the last refit are read
 * @returns the most probable class, the first of several; OUT_OF_RANGE where a feature is none, or the values are too much
 */
export function score(p: Plan, live: bool): i32 {
  if (!inRange(p)) return OUT_OF_RANGE;
  memory.fill(<usize>p.scores, 0, <usize>p.stride << 2);
  const rows = <usize>(live ? p.live : p.rows);
  const four = !live && p.bits == 4;
  if (p.unit > 1) addValued(p, rows, four);
  else addRows(p, rows, four);
  const scales = <usize>(live ? p.liveScales : p.scales);
  const bias = <usize>(live ? p.liveBias : p.bias);
  const unit: f32 = <f32>1 / <f32>p.unit;
  const classes = <usize>p.classes << 2;
  for (let c: usize = 0; c < <usize>p.stride << 2; c += 4) {
    const sum = <f32>load<i32>(<usize>p.scores + c) * unit;
    const found = load<f32>(bias + c) + load<f32>(scales + c) * sum;
    // what is no number, as no model has, would trap in exp
    store<f32>(<usize>p.probabilities + c, c < classes && found > NO_SCORE ? min<f32>(found, -NO_SCORE) : NO_SCORE);
  }
  softmaxOnce(<usize>p.probabilities, p.stride);
  let best: usize = 0;
  for (let c: usize = 4; c < classes; c += 4) {
    if (load<f32>(<usize>p.probabilities + c) > load<f32>(<usize>p.probabilities + best)) best = c;
  }
  return <i32>(best >> 2);
}

/** Whether every feature is one, and their values are not too much. */
export function inRange(p: Plan): bool {
  let total: u32 = 0;
  if (p.count > p.most) return false;
  for (let i: usize = 0; i < <usize>p.count; ++i) {
    if (<u32>load<u16>(<usize>p.ids + (i << 1)) >= p.features) return false;
    if (p.unit > 1) total += load<u16>(<usize>p.values + (i << 1));
    if (total > MOST_VALUE) return false;
  }
  return true;
}

/** What the i-th active feature has. */
// @ts-ignore: decorator
@inline
export function valueOf(p: Plan, i: usize): u32 {
  return p.unit > 1 ? <u32>load<u16>(<usize>p.values + (i << 1)) : 1;
}

/** plan.scores += value · row, feature by feature. */
function addValued(p: Plan, rows: usize, four: bool): void {
  for (let i: usize = 0; i < <usize>p.count; ++i) {
    const value = <i32>valueOf(p, i);
    addRow(rowOf(p, rows, i, four), value, p, four);
  }
}

/** The row of the i-th active feature. */
// @ts-ignore: decorator
@inline
function rowOf(p: Plan, rows: usize, i: usize, four: bool): usize {
  return rows + <usize>load<u16>(<usize>p.ids + (i << 1)) * <usize>(four ? rowBytes(p) : p.classes);
}

function addRow(row: usize, value: i32, p: Plan, four: bool): void {
  for (let c: usize = 0; c < <usize>p.classes; ++c) {
    const weight = four ? ((<i32>load<u8>(row + (c >> 1)) >> (<i32>(c & 1) << 2)) & 15) - 8 : <i32>load<i8>(row + c);
    const at = <usize>p.scores + (c << 2);
    store<i32>(at, load<i32>(at) + value * weight);
  }
}

/** The same where every value is 1. SIMD takes sixteen classes at once; what it reads beyond a row's end belongs to no class. */
function addRows(p: Plan, rows: usize, four: bool): void {
  if (!ASC_FEATURE_SIMD) {
    for (let i: usize = 0; i < <usize>p.count; ++i) addRow(rowOf(p, rows, i, four), 1, p, four);
    return;
  }
  for (let c: usize = 0; c < <usize>p.classes; c += 16) {
    const column = rows + (four ? c >> 1 : c);
    for (let from: usize = 0; from < <usize>p.count; from += IN_SHORTS) {
      const until = min<usize>(from + IN_SHORTS, <usize>p.count);
      let low = i16x8.splat(0);
      let high = i16x8.splat(0);
      for (let i = from; i < until; ++i) {
        const at = rowOf(p, column, i, four);
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
      addLanes(low, p, c);
      addLanes(high, p, c + 8);
    }
  }
}

/** Adds eight lanes to the scores of the classes from c on, as far as there are any. */
function addLanes(lanes: v128, p: Plan, c: usize): void {
  const at = <usize>p.scores + (c << 2);
  if (c < <usize>p.stride) v128.store(at, i32x4.add(v128.load(at), i32x4.extend_low_i16x8_s(lanes)));
  if (c + 4 < <usize>p.stride) v128.store(at, i32x4.add(v128.load(at, 16), i32x4.extend_high_i16x8_s(lanes)), 16);
}
