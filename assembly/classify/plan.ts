// What a classifier is, as data: its sizes, and where its tensors stand. A classifier's shape follows from its encoding, so it is not a set of
// constants as a language model's is: one module, built once, runs every classifier, and a fit compiles nothing. The host writes the plan from
// its table (host/classify/layout.ts), `begin` checks it, and from then on the kernels trust it.

/** Where the plan stands. */
export const PLAN: usize = 64;
/** What it begins with: "SFC1". */
export const MAGIC: u32 = 0x31434653;

/** Encodings. */
export const FEATURES: u32 = 0;
export const IMAGE: u32 = 1;
export const SERIES: u32 = 2;
export const TABLE: u32 = 3;
export const LINES: u32 = 4;

/** Exact forms: what the sums are of. */
export const NONE: u32 = 0;
export const COUNTS: u32 = 1;
export const STEP: u32 = 2;
export const RIDGE: u32 = 3;

/** Errors that the entries answer. */
export const NOT_BEGUN: i32 = -1;
export const NOT_FINITE: i32 = -2;
export const TOO_LONG: i32 = -3;
export const OUT_OF_RANGE: i32 = -4;
export const FULL: i32 = -5;
export const NO_SUMS: i32 = -6;

/** Most of what the values of one example come to, so that its scores stay within i32. */
export const MOST_VALUE: u32 = 1 << 23;

/** Addresses are of 16-byte boundaries. */
@unmanaged
export class Plan {
  magic: u32;
  kind: u32;
  form: u32;
  features: u32; // that the decoder reads: D of the encoding, or M of the hidden layer; at most 65536
  classes: u32; // C, 2 to 256
  stride: u32; // C rounded up to a multiple of 4
  bits: u32; // of a base weight, 8 or 4
  most: u32; // active ones of an example, at most
  unit: u32; // what a value of 1 is; 1 where features have no values
  a: u32; // what the encoding is told, by its file
  b: u32;
  c: u32;
  d: u32;
  e: u32;
  f: u32;
  parameters: u32; // of the encoding, by its file
  input: u32; // what is to be classified
  inputBytes: u32;
  ids: u32; // (most) u16: what the decoder reads
  values: u32; // (most) u16, where unit > 1
  scores: u32; // (stride) i32
  probabilities: u32; // (stride) f32
  bias: u32; // (stride) f32
  scales: u32; // (stride) f32
  rows: u32; // (D, C) i8, or (D, ceil(C / 2)) pairs of codes of four bits
  liveBias: u32; // (stride) f32, of the last refit
  liveScales: u32; // (stride) f32
  live: u32; // (D, C) i8
  tables: u32; // that `begin` makes of the encoding's parameters
  prior: u32; // (stride) f32, π: how often the fit saw each class
  sums: u32; // examples, (C) of each class, F (D, C), and F̂ (D, C) or the Gram sums (D (D + 1) / 2), all u32
  cells: u32; // of them
  staged: u32; // sums to merge, in pieces
  stagedCells: u32;
  scratch: u32; // of ridge: (D (D + 1) / 2) f64, (D, stride) f64; of the others: (stride) f32
  end: u32; // of the memory
  groups: u32; // H of the hidden layer; 0 where the decoder reads the encoding's features
  units: u32; // m of a group, a multiple of 4; M = H · m
  hiddenBits: u32; // of its weights, 8 or 4
  coded: u32; // D of the encoding; the same as features where there is no hidden layer, and so are the four below
  codedMost: u32;
  codedUnit: u32;
  codes: u32; // (codedMost) u16: active features as the encoding finds them
  codeValues: u32; // (codedMost) u16, where codedUnit > 1
  hiddenBias: u32; // (M) f32
  hiddenScales: u32; // (M) f32
  hiddenRows: u32; // (D, M) i8, or (D, M / 2) pairs of codes of four bits
  hiddenStates: u32; // (M) i32 sums, then f32 states
  pseudoCounts: f32; // of a refit: α > 0, in examples of the step, values of counts, and λ of ridge
  step: f32; // s / K̄ of the step; of the other forms what scores are multiplied by
  // written by the module
  begun: u32;
  count: u32; // active features of the example
  corrected: u32; // whether the last refit predicts
}

// @ts-ignore: decorator
@inline
export function plan(): Plan {
  return changetype<Plan>(PLAN);
}

/** Bytes of one feature's row. */
// @ts-ignore: decorator
@inline
export function rowBytes(columns: u32, bits: u32): u32 {
  return bits == 4 ? (columns + 1) >> 1 : columns;
}

/** The nearest integer, within ±most; −most for what is no number, which a conversion would trap on. */
// @ts-ignore: decorator
@inline
export function wholeOf(value: f32, most: f32): i32 {
  return value > -most ? <i32>nearest<f32>(min<f32>(value, most)) : -(<i32>most);
}
