// Ridge regression of the classes' indicators where there are fewer examples than features: solved for a weight of each example (the dual form:
// Saunders, Gammerman & Vovk 1998), and each example predicted from all others in closed form (Allen 1974), by which the penalty and the
// scores' sharpness are chosen. Sums of features are integers, the rest is f64, each operation in one order, without SIMD.
import { softmaxOnce } from "../common/softmax";
import { job, Job, NO_SCORE } from "./job";

/** Where the record stands: behind the windows of solver.ts. */
export const DUAL_AT: usize = 320;

/** Addresses are of 16-byte boundaries. */
@unmanaged
class Dual {
  spread: f64; // mean of the diagonal of the centred products; written by the module
  offsets: u32; // (n + 1) u32: where an example's pairs begin
  ids: u32; // u16: its features, each once
  counts: u32; // u32: what the values of each come to
  dense: u32; // (D) u32, 0 between calls
  products: u32; // (n, n) f64: of examples with one another
  factor: u32; // (n, n) f64: below the diagonal L of L Lᵀ, on it 1 / L, above it the transpose of L⁻¹
  weights: u32; // (n, C) f64: of examples
  left: u32; // (n, C) f64: what the others make of each example
  means: u32; // (max(n, D)) f64
  column: u32; // (D) f64, 0 between calls
}

// @ts-ignore: decorator
@inline
function dual(): Dual {
  return changetype<Dual>(DUAL_AT);
}

/** Of the intercept, which is one more feature that every example has: so large that it is hardly penalised. */
const INTERCEPT: f64 = 10;
/** Powers of two that scores are multiplied by, from 2^−2 on. */
const SHARPNESSES: i32 = 8;

// @ts-ignore: decorator
@inline
function target(example: usize, c: usize, j: Job): f64 {
  return <usize>load<u16>(<usize>j.labels + (example << 1)) == c ? 1.0 : -1.0;
}

/** dual.ids, counts ← each feature of an example once; all examples. */
function gather(j: Job, d: Dual): void {
  const dense = <usize>d.dense;
  let out: usize = 0;
  store<u32>(<usize>d.offsets, 0);
  for (let i: usize = 0; i < <usize>j.examples; ++i) {
    const from = <usize>load<u32>(<usize>j.offsets + (i << 2));
    const until = <usize>load<u32>(<usize>j.offsets + (i << 2), 4);
    for (let k = from; k < until; ++k) {
      const at = dense + (<usize>load<u16>(<usize>j.ids + (k << 1)) << 2);
      store<u32>(at, load<u32>(at) + (j.valued != 0 ? <u32>load<u16>(<usize>j.values + (k << 1)) : 1));
    }
    for (let k = from; k < until; ++k) {
      const id = load<u16>(<usize>j.ids + (k << 1));
      const at = dense + (<usize>id << 2);
      const count = load<u32>(at);
      if (count == 0) continue;
      store<u16>(<usize>d.ids + (out << 1), id);
      store<u32>(<usize>d.counts + (out << 2), count);
      store<u32>(at, 0);
      ++out;
    }
    store<u32>(<usize>d.offsets + (i << 2), <u32>out, 4);
  }
}

/** Rows [from, until) of the products of examples with those before them. The first call begins with row 0. */
export function addPairs(from: u32, until: u32): void {
  const j = job();
  const d = dual();
  if (from == 0) gather(j, d);
  const n = <usize>j.examples;
  for (let i = <usize>from; i < <usize>until; ++i) {
    spreadOut(i, true, d);
    for (let other: usize = 0; other <= i; ++other) {
      let sum: f64 = 0;
      const end = <usize>load<u32>(<usize>d.offsets + (other << 2), 4);
      for (let k = <usize>load<u32>(<usize>d.offsets + (other << 2)); k < end; ++k) {
        const mine = load<u32>(<usize>d.dense + (<usize>load<u16>(<usize>d.ids + (k << 1)) << 2));
        sum += <f64>mine * <f64>load<u32>(<usize>d.counts + (k << 2));
      }
      store<f64>(<usize>d.products + ((i * n + other) << 3), sum);
      store<f64>(<usize>d.products + ((other * n + i) << 3), sum);
    }
    spreadOut(i, false, d);
  }
}

/** dual.dense ← the features of an example, or 0 again. */
function spreadOut(example: usize, on: bool, d: Dual): void {
  const until = <usize>load<u32>(<usize>d.offsets + (example << 2), 4);
  for (let k = <usize>load<u32>(<usize>d.offsets + (example << 2)); k < until; ++k) {
    const at = <usize>d.dense + (<usize>load<u16>(<usize>d.ids + (k << 1)) << 2);
    store<u32>(at, on ? load<u32>(<usize>d.counts + (k << 2)) : 0);
  }
}

/** The products as if each feature's mean had been taken off, and of 1 on the diagonal, on average. */
export function centreGram(): void {
  const d = dual();
  const n = <usize>job().examples;
  const row = n << 3;
  let all: f64 = 0;
  for (let i: usize = 0; i < n; ++i) {
    let sum: f64 = 0;
    for (let at = <usize>d.products + i * row, end = at + row; at < end; at += 8) sum += load<f64>(at);
    store<f64>(<usize>d.means + (i << 3), sum / <f64>n);
    all += sum / <f64>n;
  }
  const mean = all / <f64>n;
  let trace: f64 = 0;
  for (let i: usize = 0; i < n; ++i) {
    const at = <usize>d.products + i * row;
    const own = load<f64>(<usize>d.means + (i << 3));
    for (let k: usize = 0; k < n; ++k) {
      const product = load<f64>(at + (k << 3)) - (own + load<f64>(<usize>d.means + (k << 3))) + mean;
      store<f64>(at + (k << 3), product);
    }
    trace += load<f64>(at + (i << 3));
  }
  d.spread = trace > 1e-9 ? trace / <f64>n : 1;
  for (let at = <usize>d.products, end = at + n * row; at < end; at += 8) store<f64>(at, load<f64>(at) / d.spread);
}

/**
 * Solves the weights of the examples.
 *
 * @param penalty λ, over the mean square of an example
 * @returns the square error of each example predicted from the others
 */
export function solveDual(penalty: f64): f64 {
  const j = job();
  const d = dual();
  const n = <usize>j.examples;
  const classes = <usize>j.classes;
  const row = n << 3;
  const factor = <usize>d.factor;
  for (let i: usize = 0; i < n; ++i) {
    const own = factor + i * row;
    for (let k: usize = 0; k <= i; ++k) {
      const other = factor + k * row;
      let sum = load<f64>(<usize>d.products + i * row + (k << 3)) + INTERCEPT + (i == k ? penalty : 0);
      for (let at: usize = 0; at < k << 3; at += 8) sum -= load<f64>(own + at) * load<f64>(other + at);
      const inverse = i == k ? 1 / sqrt<f64>(max<f64>(sum, 1e-12)) : load<f64>(other + (k << 3));
      store<f64>(own + (k << 3), i == k ? inverse : sum * inverse);
    }
    // row i of L⁻¹, into column i
    const inverse = load<f64>(own + (i << 3));
    for (let k: usize = 0; k < i; ++k) {
      const other = factor + k * row;
      let sum = load<f64>(own + (k << 3)) * load<f64>(other + (k << 3));
      for (let at = (k + 1) << 3; at < i << 3; at += 8) sum += load<f64>(own + at) * load<f64>(other + at);
      store<f64>(other + (i << 3), -sum * inverse);
    }
  }
  let error: f64 = 0;
  for (let c: usize = 0; c < classes; ++c) {
    // means ← L⁻¹ y, weights ← L⁻ᵀ of it
    for (let i: usize = 0; i < n; ++i) {
      let sum: f64 = 0;
      for (let k: usize = 0; k <= i; ++k) sum += load<f64>(factor + k * row + (i << 3)) * target(k, c, j);
      store<f64>(<usize>d.means + (i << 3), sum);
    }
    for (let i: usize = 0; i < n; ++i) {
      let sum: f64 = 0;
      let square: f64 = 0;
      for (let at = i << 3; at < row; at += 8) {
        const element = load<f64>(factor + i * row + at);
        sum += element * load<f64>(<usize>d.means + at);
        square += element * element;
      }
      const off = sum / square;
      store<f64>(<usize>d.weights + ((i * classes + c) << 3), sum);
      store<f64>(<usize>d.left + ((i * classes + c) << 3), target(i, c, j) - off);
      error += off * off;
    }
  }
  return error;
}

/**
 * job.weights, job.bias ← the layer of the last solution, scores multiplied by what gives the examples that are predicted from the others the
 * least square error of probabilities (Brier 1950). How often each feature comes stands behind the weights, where `quantise` reads it.
 */
export function takeDual(): void {
  const j = job();
  const d = dual();
  const n = <usize>j.examples;
  const classes = <usize>j.classes;
  const stride = <usize>j.stride << 2;
  const apart = <usize>j.features * stride;
  const by = sharpness(j, d);
  const per = by / (d.spread * <f64>j.unit);
  memory.fill(<usize>j.weights, 0, 2 * apart);
  memory.fill(<usize>d.means, 0, <usize>j.features << 3);
  for (let k: usize = 0, end = <usize>load<u32>(<usize>d.offsets + (n << 2)); k < end; ++k) {
    const id = <usize>load<u16>(<usize>d.ids + (k << 1));
    const often = <usize>j.weights + apart + id * stride;
    const mean = <usize>d.means + (id << 3);
    const count = <f64>load<u32>(<usize>d.counts + (k << 2));
    store<f64>(mean, load<f64>(mean) + count / <f64>n);
    store<f32>(often, load<f32>(often) + <f32>count * j.unit);
  }
  for (let c: usize = 0; c < <usize>j.stride; ++c) {
    store<f32>(<usize>j.bias + (c << 2), NO_SCORE);
    if (c >= classes) continue;
    let total: f64 = 0;
    let shift: f64 = 0;
    for (let i: usize = 0; i < n; ++i) total += load<f64>(<usize>d.weights + ((i * classes + c) << 3));
    for (let i: usize = 0; i < n; ++i) {
      const weight = load<f64>(<usize>d.weights + ((i * classes + c) << 3));
      const until = <usize>load<u32>(<usize>d.offsets + (i << 2), 4);
      for (let k = <usize>load<u32>(<usize>d.offsets + (i << 2)); k < until; ++k) {
        const at = <usize>d.column + (<usize>load<u16>(<usize>d.ids + (k << 1)) << 3);
        store<f64>(at, load<f64>(at) + weight * <f64>load<u32>(<usize>d.counts + (k << 2)));
      }
    }
    for (let id: usize = 0; id < <usize>j.features; ++id) {
      const at = <usize>d.column + (id << 3);
      const mean = load<f64>(<usize>d.means + (id << 3));
      const weight = (load<f64>(at) - mean * total) * per;
      shift += weight * mean * <f64>j.unit;
      store<f32>(<usize>j.weights + id * stride + (c << 2), <f32>weight);
      store<f64>(at, 0);
    }
    store<f32>(<usize>j.bias + (c << 2), <f32>(by * INTERCEPT * total - shift));
  }
}

/** Of the powers of two the one with the least square error of probabilities. */
function sharpness(j: Job, d: Dual): f64 {
  const p = <usize>j.probabilities;
  const classes = <usize>j.classes;
  let best: f64 = 1;
  let least: f64 = Infinity;
  let by: f64 = 0.25;
  for (let i = 0; i < SHARPNESSES; ++i, by *= 2) {
    let error: f64 = 0;
    for (let example: usize = 0; example < <usize>j.examples; ++example) {
      for (let c: usize = 0; c < <usize>j.stride; ++c) {
        const own = c < classes ? <f32>(by * load<f64>(<usize>d.left + ((example * classes + c) << 3))) : NO_SCORE;
        store<f32>(p + (c << 2), own);
      }
      softmaxOnce(p, j.stride);
      for (let c: usize = 0; c < classes; ++c) {
        const off = <f64>load<f32>(p + (c << 2)) - (target(example, c, j) > 0 ? 1.0 : 0.0);
        error += off * off;
      }
    }
    if (error < least) {
      least = error;
      best = by;
    }
  }
  return best;
}
