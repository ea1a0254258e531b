// What the solver of classifiers is told, and what its steps have in common: sums of sparse rows, the order of examples, the length of a step.
import { exp, logOf } from "../common/math";
import { mix, permuted } from "../common/random";
import { addScaled } from "../common/vectors";

/** Where the job stands. */
export const JOB_AT: usize = 64;

/** What is fitted; the host writes it. Addresses are of 16-byte boundaries. */
@unmanaged
export class Job {
  examples: u32; // n
  features: u32; // D
  classes: u32; // C, or M of a hidden layer
  stride: u32; // C rounded up to a multiple of 4
  valued: u32;
  batch: u32;
  steps: u32;
  averageFrom: u32; // weights are means of those from this step on
  seed: u32;
  unit: f32; // 1 / what a value of 1 is
  step: f32; // s / K̄
  rate: f32; // step i counts (i + 2)^−rate
  pseudoCounts: f32; // α
  priorPseudoCounts: f32; // κ
  offsets: u32; // (n + 1) u32: where an example's features begin
  ids: u32; // u16
  values: u32; // u16, where valued
  labels: u32; // (n) u16
  weights: u32; // (D, stride) f32, and F and F̂ at equal distances behind
  averages: u32; // (D, stride) f64
  prior: u32; // (stride) f32, π
  bias: u32; // (stride) f32
  probabilities: u32; // (stride) f32
  rows: u32; // quantised
  scales: u32; // (stride) f32
  bits: u32;
  samples: u32; // so far
  ratio: u32; // a Ratio
  group: u32; // columns whose weights are known up to what they have in common: all classes, or the units of a group
}

// @ts-ignore: decorator
@inline
export function job(): Job {
  return changetype<Job>(JOB_AT);
}

/** The score of a column that stands for no class, so that vectors are whole. */
export const NO_SCORE: f32 = -1e30;

/** Which example is the i-th of a step's pass. */
// @ts-ignore: decorator
@inline
export function exampleAt(i: u32, step: u32, j: Job): usize {
  const steps = (j.examples + j.batch - 1) / j.batch; // a pass
  return <usize>permuted(i, j.examples, mix(j.seed + (step / steps) * 0x9e3779b9));
}

/** The first of a step's examples in its pass. */
// @ts-ignore: decorator
@inline
export function startOf(step: u32, j: Job): u32 {
  return (step % ((j.examples + j.batch - 1) / j.batch)) * j.batch;
}

/** η of a step: (step + 2)^−rate. */
// @ts-ignore: decorator
@inline
export function etaOf(step: u32, j: Job): f32 {
  return exp(-j.rate * logOf(<f32>(step + 2)));
}

/** What a feature has. */
// @ts-ignore: decorator
@inline
export function valueAt(i: usize, j: Job): f32 {
  return j.valued != 0 ? <f32>load<u16>(<usize>j.values + (i << 1)) * j.unit : 1;
}

/** job.probabilities ← bias + Σ value · row of features [from, until). */
export function scoresAt(from: u32, until: u32, j: Job): void {
  const stride = <usize>j.stride;
  memory.copy(<usize>j.probabilities, <usize>j.bias, stride << 2);
  for (let i = from; i < until; ++i) {
    const row = <usize>j.weights + ((<usize>load<u16>(<usize>j.ids + (<usize>i << 1)) * stride) << 2);
    addScaled(row, valueAt(<usize>i, j), stride, <usize>j.probabilities);
  }
}
