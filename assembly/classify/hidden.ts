// A hidden layer (composition of explicit layers: 2311.07498): groups of units, each a softmax over the active features that the encoding finds. The
// decoder reads its states as features with values, in integers, so sums over them are as exact as sums over the encoding's own features.
import { softmaxOnce } from "../common/softmax";
import { OUT_OF_RANGE, Plan } from "./plan";
import { inRange, rows, sumRows } from "./rows";
import { scoreOf } from "./scores";

/** What a state of 1 is. */
export const STATE_UNIT: u32 = 64;
/** M at the most. */
export const MOST_HIDDEN: u32 = 4096;

/**
 * plan.ids, plan.values ← the states that are not 0 when rounded, of `count` active features.
 *
 * @returns how many there are; OUT_OF_RANGE where a feature is none, or the values are too much
 */
export function readHidden(p: Plan, count: u32): i32 {
  const values = p.codedUnit > 1 ? p.codeValues : 0;
  if (!inRange(<usize>p.codes, <usize>values, count, p.coded)) return OUT_OF_RANGE;
  const r = rows();
  r.ids = p.codes;
  r.values = values;
  r.count = count;
  r.table = p.hiddenRows;
  r.columns = p.features;
  r.bits = p.hiddenBits;
  r.sums = p.hiddenStates;
  sumRows(r);
  const states = <usize>p.hiddenStates;
  const units = <usize>p.features << 2;
  const unit: f32 = <f32>1 / <f32>p.codedUnit;
  for (let c: usize = 0; c < units; c += 4) {
    store<f32>(states + c, scoreOf(<usize>p.hiddenBias + c, <usize>p.hiddenScales + c, load<i32>(states + c), unit));
  }
  for (let c: usize = 0; c < units; c += <usize>p.units << 2) softmaxOnce(states + c, p.units);
  let found: usize = 0;
  for (let c: usize = 0; c < <usize>p.features; ++c) {
    const value = <u32>nearest<f32>(load<f32>(states + (c << 2)) * <f32>STATE_UNIT);
    if (value == 0) continue;
    store<u16>(<usize>p.ids + found, <u16>c);
    store<u16>(<usize>p.values + found, <u16>value);
    found += 2;
  }
  return <i32>(found >> 1);
}
