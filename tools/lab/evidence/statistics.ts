/** Means, and intervals of Student's t. */
import quantile from "@stdlib/stats-base-dists-t-quantile";
import { mean, sampleRankCorrelation, sampleVariance } from "simple-statistics";

const CONFIDENCE = 0.95;

/** A mean and half the width of its interval; NaN where one value stands alone. */
export interface Estimate {
  readonly mean: number;
  readonly half: number;
  readonly n: number;
}

export function estimate(values: readonly number[]): Estimate {
  const n = values.length;
  const half = n < 2 ? Number.NaN : t(n - 1) * Math.sqrt(sampleVariance([...values]) / n);
  return { mean: mean([...values]), half, n };
}

/**
 * Mean of `a` less mean of `b`, with Welch's interval. A side of one value has no seed: it is taken as exact. Undefined where a side
 * has nothing, or both have one value.
 */
export function difference(a: readonly number[], b: readonly number[]): Estimate | undefined {
  if (a.length === 0 || b.length === 0 || a.length + b.length < 3) return undefined;
  const parts = [a, b].filter(({ length }) => length > 1).map((values) => sampleVariance([...values]) / values.length);
  const variance = parts.reduce((sum, part) => sum + part, 0);
  const sizes = [a, b].filter(({ length }) => length > 1).map(({ length }) => length);
  const freedom = variance ** 2 / parts.reduce((sum, part, i) => sum + part ** 2 / (sizes[i]! - 1), 0);
  const half = variance === 0 ? 0 : t(freedom) * Math.sqrt(variance);
  return { mean: mean([...a]) - mean([...b]), half, n: a.length + b.length };
}

/**
 * The same with Student's interval, for a side of one value that a seed has a part in: its spread is taken to be the other side's.
 * Undefined where both have one value.
 */
export function pooledDifference(a: readonly number[], b: readonly number[]): Estimate | undefined {
  const freedom = a.length + b.length - 2;
  if (a.length === 0 || b.length === 0 || freedom < 1) return undefined;
  const squares = [a, b]
    .filter(({ length }) => length > 1)
    .map((values) => sampleVariance([...values]) * (values.length - 1));
  const variance = squares.reduce((sum, part) => sum + part, 0) / freedom;
  const half = t(freedom) * Math.sqrt(variance * (1 / a.length + 1 / b.length));
  return { mean: mean([...a]) - mean([...b]), half, n: a.length + b.length };
}

/** The interval of a difference lies clear of zero, below it (−1) or above it (1), or holds it (0). */
export function signOf({ mean, half }: Estimate): -1 | 0 | 1 {
  if (mean + half < 0) return -1;
  return mean - half > 0 ? 1 : 0;
}

/** Spearman's, −1 to 1. */
export function rankCorrelation(a: readonly number[], b: readonly number[]): number {
  return sampleRankCorrelation([...a], [...b]);
}

function t(freedom: number): number {
  return quantile((1 + CONFIDENCE) / 2, freedom);
}
