// What is solved from the sums, into rows of its own; the base stays as it is. All three forms end in rows of int8 with a scale a class.
//   counts  log[(F + α) / (Σ_d F + α D)], multinomial (naive Bayes), a row's mean over classes taken off, which softmax does not see
//   step    W + (s / K̄) · log[(F + α π) / (F̂ + α π)], one step of iterative scaling (Darroch & Ratcliff 1972; pseudo-counts ours)
//   ridge   (Gram + λ)⁻¹ F (ridge.ts)
import { logOf } from "../common/math";
import { codeAt } from "../common/nibbles";
import { COUNTS, Plan, RIDGE, rowBytes, STEP, wholeOf } from "./plan";
import { solveRidge } from "./ridge";
import { FINER, observedAt, secondAt } from "./sums";

/** Rows, scales and bias of the last refit ← the solution. */
export function refitAll(p: Plan): void {
  const classes = <usize>p.classes;
  const bias = <usize>p.liveBias;
  const scales = <usize>p.liveScales;
  if (p.form == RIDGE) solveRidge(p, <f64>p.pseudoCounts);
  else solveBias(p);
  if (p.form == COUNTS) classTotals(p, p.pseudoCounts);
  // the largest of each class first, then all again
  memory.fill(scales, 0, <usize>p.stride << 2);
  const row = rowOfScratch(p);
  for (let d: usize = 0; d < <usize>p.features; ++d) {
    solveRow(p, d, row);
    for (let c: usize = 0; c < classes << 2; c += 4) {
      store<f32>(scales + c, max<f32>(load<f32>(scales + c), abs<f32>(load<f32>(row + c))));
    }
  }
  for (let c: usize = 0; c < classes << 2; c += 4) store<f32>(scales + c, load<f32>(scales + c) / <f32>127);
  for (let d: usize = 0; d < <usize>p.features; ++d) {
    solveRow(p, d, row);
    for (let c: usize = 0; c < classes; ++c) {
      const scale = load<f32>(scales + (c << 2));
      const value: f32 = scale > 1e-30 ? load<f32>(row + (c << 2)) / scale : 0;
      store<i8>(<usize>p.live + d * classes + c, <i8>wholeOf(value, 127));
    }
  }
  for (let c: usize = 0; c < classes << 2; c += 4) {
    const value = load<f32>(bias + c);
    store<f32>(bias + c, p.form == STEP ? value : value * p.step);
    if (p.form != STEP) store<f32>(scales + c, load<f32>(scales + c) * p.step);
  }
}

/** (stride) f32, behind what else is in the scratch. */
function rowOfScratch(p: Plan): usize {
  return <usize>p.end - (<usize>p.stride << 2);
}

/** Bias: the base's, or log of how often each class was. */
function solveBias(p: Plan): void {
  for (let c: usize = 0; c < <usize>p.classes << 2; c += 4) {
    const bias =
      p.form == STEP
        ? load<f32>(<usize>p.bias + c)
        : logOf((<f32>load<u32>(<usize>p.sums + 4 + c) + 1) / (<f32>load<u32>(<usize>p.sums) + <f32>p.classes));
    store<f32>(<usize>p.liveBias + c, bias);
  }
}

/** plan.probabilities ← log(Σ_d F + α D) of each class. */
function classTotals(p: Plan, pseudoCounts: f32): void {
  const classes = <usize>p.classes;
  for (let c: usize = 0; c < classes; ++c) {
    let total: u64 = 0;
    for (let d: usize = 0; d < <usize>p.features; ++d) total += load<u32>(observedAt(p) + ((d * classes + c) << 2));
    const sum = <f32>total / <f32>p.unit + pseudoCounts * <f32>p.features;
    store<f32>(<usize>p.probabilities + (c << 2), logOf(sum));
  }
}

/** outRow (C) f32 ← row d of the solution. */
function solveRow(p: Plan, d: usize, outRow: usize): void {
  const classes = <usize>p.classes;
  const cells = d * classes;
  const unit: f32 = <f32>1 / <f32>p.unit;
  if (p.form == RIDGE) {
    for (let c: usize = 0; c < classes; ++c) {
      store<f32>(outRow + (c << 2), <f32>load<f64>(<usize>p.scratch + ((d * <usize>p.stride + c) << 3)));
    }
    return;
  }
  if (p.form == COUNTS) {
    let mean: f32 = 0;
    for (let c: usize = 0; c < classes; ++c) {
      const observed = <f32>load<u32>(observedAt(p) + ((cells + c) << 2)) * unit;
      const value = logOf(observed + p.pseudoCounts) - load<f32>(<usize>p.probabilities + (c << 2));
      store<f32>(outRow + (c << 2), value);
      mean += value;
    }
    mean /= <f32>classes;
    for (let c: usize = 0; c < classes << 2; c += 4) store<f32>(outRow + c, load<f32>(outRow + c) - mean);
    return;
  }
  const four = p.bits == 4;
  const base = <usize>p.rows + d * <usize>rowBytes(p.classes, p.bits);
  for (let c: usize = 0; c < classes; ++c) {
    const pseudo = p.pseudoCounts * load<f32>(<usize>p.prior + (c << 2));
    const observed = <f32>load<u32>(observedAt(p) + ((cells + c) << 2)) * unit;
    const expected = <f32>load<u32>(secondAt(p) + ((cells + c) << 2)) * (unit / <f32>FINER);
    const weight = four ? <f32>(<i32>codeAt(base, c) - 8) : <f32>load<i8>(base + c);
    const by = p.step * logOf((observed + pseudo) / (expected + pseudo));
    store<f32>(outRow + (c << 2), load<f32>(<usize>p.scales + (c << 2)) * weight + by);
  }
}
