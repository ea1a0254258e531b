// Scores of an example's classes: bias + scale · Σ values · row.
import { softmaxOnce } from "../common/softmax";
import { OUT_OF_RANGE, Plan } from "./plan";
import { inRange, rows, sumRows } from "./rows";

/** That of a lane without a class. */
const NO_SCORE: f32 = -1e30;

/**
 * plan.probabilities ← softmax of the scores under the base, or under the last refit.
 *
 * @param live whether rows of the last refit are read
 * @returns the most probable class, the first of several; OUT_OF_RANGE where a feature is none, or the values are too much
 */
export function score(p: Plan, live: bool): i32 {
  if (!isReadable(p)) return OUT_OF_RANGE;
  const r = rows();
  r.ids = p.ids;
  r.values = p.unit > 1 ? p.values : 0;
  r.count = p.count;
  r.table = live ? p.live : p.rows;
  r.columns = p.classes;
  r.bits = live ? 8 : p.bits;
  r.sums = p.scores;
  sumRows(r);
  const scales = <usize>(live ? p.liveScales : p.scales);
  const bias = <usize>(live ? p.liveBias : p.bias);
  const unit: f32 = <f32>1 / <f32>p.unit;
  const classes = <usize>p.classes << 2;
  for (let c: usize = 0; c < <usize>p.stride << 2; c += 4) {
    const found = c < classes ? scoreOf(bias + c, scales + c, load<i32>(<usize>p.scores + c), unit) : NO_SCORE;
    store<f32>(<usize>p.probabilities + c, found);
  }
  softmaxOnce(<usize>p.probabilities, p.stride);
  let best: usize = 0;
  for (let c: usize = 4; c < classes; c += 4) {
    if (load<f32>(<usize>p.probabilities + c) > load<f32>(<usize>p.probabilities + best)) best = c;
  }
  return <i32>(best >> 2);
}

/** bias + scale · sum / unit; NO_SCORE for what is no number, as no model has, which would trap in exp. */
// @ts-ignore: decorator
@inline
export function scoreOf(bias: usize, scale: usize, sum: i32, unit: f32): f32 {
  const found = load<f32>(bias) + load<f32>(scale) * (<f32>sum * unit);
  return found > NO_SCORE ? min<f32>(found, -NO_SCORE) : NO_SCORE;
}

/** Whether what the decoder reads is what it has rows for. */
export function isReadable(p: Plan): bool {
  return p.count <= p.most && inRange(<usize>p.ids, p.unit > 1 ? <usize>p.values : 0, p.count, p.features);
}

/** What the i-th active feature has. */
// @ts-ignore: decorator
@inline
export function valueOf(p: Plan, i: usize): u32 {
  return p.unit > 1 ? <u32>load<u16>(<usize>p.values + (i << 1)) : 1;
}
