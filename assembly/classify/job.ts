// What a fit of a layer is told: the examples as their active features, sizes and settings, and where everything stands.

/** Where the job stands. */
export const JOB_AT: usize = 64;

/** What is fitted; the host writes it. Addresses are of 16-byte boundaries. */
@unmanaged
export class Job {
  examples: u32; // n
  features: u32; // D
  classes: u32; // C
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
}

// @ts-ignore: decorator
@inline
export function job(): Job {
  return changetype<Job>(JOB_AT);
}

/** The score of a column that stands for no class, so that vectors are whole. */
export const NO_SCORE: f32 = -1e30;

// @ts-ignore: decorator
@inline
export function valueAt(i: usize, j: Job): f32 {
  return j.valued != 0 ? <f32>load<u16>(<usize>j.values + (i << 1)) * j.unit : 1;
}
