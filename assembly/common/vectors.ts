// Element-wise operations on runs of f32, lengths multiples of 4: no sum crosses lanes, so both builds agree by construction.
import { exp, exp4, log, log4 } from "./math";
import { sumInLanes } from "./softmax";

/** out[i] += weight · values[i]. */
// @ts-ignore: decorator
@inline
export function addScaled(values: usize, weight: f32, n: usize, out: usize): void {
  const end = values + (n << 2);
  if (ASC_FEATURE_SIMD) {
    const by = f32x4.splat(weight);
    for (; values < end; values += 16, out += 16) {
      v128.store(out, f32x4.add(v128.load(out), f32x4.mul(by, v128.load(values))));
    }
  } else {
    for (; values < end; values += 4, out += 4) store<f32>(out, load<f32>(out) + weight * load<f32>(values));
  }
}

/** out[i] *= by. */
// @ts-ignore: decorator
@inline
export function scale(by: f32, n: usize, out: usize): void {
  const end = out + (n << 2);
  if (ASC_FEATURE_SIMD) {
    const lanes = f32x4.splat(by);
    for (; out < end; out += 16) v128.store(out, f32x4.mul(v128.load(out), lanes));
  } else {
    for (; out < end; out += 4) store<f32>(out, load<f32>(out) * by);
  }
}

/** out[i] = max(out[i], least). */
// @ts-ignore: decorator
@inline
export function raise(out: usize, n: usize, least: f32): void {
  const end = out + (n << 2);
  if (ASC_FEATURE_SIMD) {
    const lanes = f32x4.splat(least);
    for (; out < end; out += 16) v128.store(out, f32x4.pmax(v128.load(out), lanes));
  } else {
    for (; out < end; out += 4) store<f32>(out, max<f32>(load<f32>(out), least));
  }
}

/** How the rows of a table are solved from their sums. */
@unmanaged
export class Ratio {
  pseudoCounts: f32; // α
  priorPseudoCounts: f32; // κ, of places that the model has to account for, too; 0 for none
  step: f32;
  columns: usize;
}

/**
 * out[i] += step · log[(observed[i] + (α + κ) · prior[i]) / (expected[i] + α · prior[i] + κ · prior[i] · exp(out[i]))], iterative scaling of
 * one row (generalized iterative scaling, Darroch & Ratcliff 1972, with Dirichlet pseudo-counts: ours). κ is of places that the model has
 * to account for, too (ours): in them the row's feature stands alone and what comes follows the prior. They pull out[i] towards 0, the more
 * the fewer places the sums are of.
 */
// @ts-ignore: decorator
@inline
export function addLogRatio(observed: usize, expected: usize, prior: usize, ratio: Ratio, out: usize): void {
  const end = out + (ratio.columns << 2);
  const mass = ratio.pseudoCounts;
  const weight = ratio.priorPseudoCounts;
  const step = ratio.step;
  if (ASC_FEATURE_SIMD) {
    const masses = f32x4.splat(mass);
    const weights = f32x4.splat(weight);
    const steps = f32x4.splat(step);
    for (; out < end; out += 16, observed += 16, expected += 16, prior += 16) {
      const p = v128.load(prior);
      const value = v128.load(out);
      const pseudo = f32x4.mul(masses, p);
      const added = f32x4.mul(weights, p);
      const above = f32x4.add(f32x4.add(v128.load(observed), added), pseudo);
      const below = f32x4.add(f32x4.add(v128.load(expected), f32x4.mul(added, exp4(value))), pseudo);
      v128.store(out, f32x4.add(value, f32x4.mul(steps, log4(f32x4.div(above, below)))));
    }
  } else {
    for (; out < end; out += 4, observed += 4, expected += 4, prior += 4) {
      const p = load<f32>(prior);
      const value = load<f32>(out);
      const pseudo = mass * p;
      const added = weight * p;
      const above = load<f32>(observed) + added + pseudo;
      const below = load<f32>(expected) + added * exp(value) + pseudo;
      store<f32>(out, value + step * log(above / below));
    }
  }
}

/**
 * out[i] = weight · log[(sums[i] + α · prior[i]) / ((Σ sums + α) · prior[i])]: one row of the explicit solution in log-odds form
 * (2311.07498; smoothing ours).
 */
// @ts-ignore: decorator
@inline
export function logOdds(sums: usize, prior: usize, pseudoCounts: f32, weight: f32, n: usize, out: usize): void {
  const end = out + (n << 2);
  const total = sumInLanes(sums, <i32>n) + pseudoCounts;
  if (ASC_FEATURE_SIMD) {
    const masses = f32x4.splat(pseudoCounts);
    const totals = f32x4.splat(total);
    const by = f32x4.splat(weight);
    for (; out < end; out += 16, sums += 16, prior += 16) {
      const p = v128.load(prior);
      const ratio = f32x4.div(f32x4.add(v128.load(sums), f32x4.mul(masses, p)), f32x4.mul(totals, p));
      v128.store(out, f32x4.mul(by, log4(ratio)));
    }
  } else {
    for (; out < end; out += 4, sums += 4, prior += 4) {
      const p = load<f32>(prior);
      store<f32>(out, weight * log((load<f32>(sums) + pseudoCounts * p) / (total * p)));
    }
  }
}
