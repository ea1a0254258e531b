// Fits a classifier: iterative scaling of one layer, from features to classes, in passes over batches (Darroch & Ratcliff 1972; priors and
// batches as in ../solver/scaling.ts, ours), rows of int8 or four bits from its solution, and the principal directions that an encoding reads.
// Sizes are data, as in plan.ts. The rows of an example are few and sparse, and lead to the classes at once: the solver of language models
// has groups between, and its batches are dense there, so they share common/ and not their steps. One thread.
import { addSample, takeMean } from "../common/average";
import { logOf } from "../common/math";
import { softmaxOnce } from "../common/softmax";
import { addLogRatio, addScaled, Ratio, scale } from "../common/vectors";
import { etaOf, exampleAt, job, Job, NO_SCORE, scoresAt, startOf, valueAt } from "./job";
export { beginHidden, composeSteps } from "./composition";
export { addPairs, centreGram, solveDual, takeDual } from "./dual";

/** What π of a column is that stands for no class. */
const NO_CLASS: f32 = 1e-12;

/** job.prior ← (n of the class + 1) / (n + C), job.bias ← its logarithm. */
export function solvePrior(): void {
  const j = job();
  const prior = <usize>j.prior;
  for (let c: usize = 0; c < <usize>j.stride << 2; c += 4) store<f32>(prior + c, 1);
  for (let i: usize = 0; i < <usize>j.examples; ++i) {
    const at = prior + (<usize>load<u16>(<usize>j.labels + (i << 1)) << 2);
    store<f32>(at, load<f32>(at) + 1);
  }
  const total = <f32>(j.examples + j.classes);
  for (let c: usize = 0; c < <usize>j.stride; ++c) {
    const own = c < <usize>j.classes;
    const share = own ? load<f32>(prior + (c << 2)) / total : NO_CLASS;
    store<f32>(prior + (c << 2), share);
    store<f32>(<usize>j.bias + (c << 2), own ? logOf(share) : NO_SCORE);
  }
}

/** Steps [from, until) of job.steps. */
export function scaleSteps(from: u32, until: u32): void {
  for (let step = from; step < until; ++step) scaleStep(step, job());
}

/** One step: F and F̂ of a batch are mixed into those of before, then W += s / K̄ · η · log[(F + (α + κ) π) / (F̂ + α π + κ π exp(W))]. */
function scaleStep(step: u32, j: Job): void {
  const stride = <usize>j.stride;
  const cells = <usize>j.features * stride;
  const apart = cells << 2;
  const weights = <usize>j.weights;
  const start = startOf(step, j);
  const count = min<u32>(j.batch, j.examples - start);
  const eta = etaOf(step, j);
  scale(<f32>1 - eta, cells << 1, weights + apart);
  const weight = eta * (<f32>j.examples / <f32>count);
  for (let i = start; i < start + count; ++i) {
    addExample(exampleAt(i, step, j), weight, apart, j);
  }
  const ratio = changetype<Ratio>(<usize>j.ratio);
  ratio.pseudoCounts = j.pseudoCounts;
  ratio.priorPseudoCounts = j.priorPseudoCounts;
  ratio.step = j.step * eta;
  ratio.columns = stride;
  for (let row = weights; row < weights + apart; row += stride << 2) {
    addLogRatio(row + apart, row + 2 * apart, <usize>j.prior, ratio, row);
  }
  if (step == 0) j.samples = 0;
  if (step >= j.averageFrom) addSample(weights, cells, ++j.samples, <usize>j.averages);
  if (step + 1 == j.steps && j.samples > 0) takeMean(<usize>j.averages, cells, j.samples, weights);
}

/** F += weight · x ⊗ y, F̂ += weight · x ⊗ ŷ. */
function addExample(example: usize, weight: f32, apart: usize, j: Job): void {
  const stride = <usize>j.stride;
  const p = <usize>j.probabilities;
  const from = load<u32>(<usize>j.offsets + (example << 2));
  const until = load<u32>(<usize>j.offsets + (example << 2), 4);
  scoresAt(from, until, j);
  softmaxOnce(p, j.stride);
  const label = <usize>load<u16>(<usize>j.labels + (example << 1)) << 2;
  scale(weight, stride, p);
  for (let i = from; i < until; ++i) {
    const row = <usize>j.weights + ((<usize>load<u16>(<usize>j.ids + (<usize>i << 1)) * stride) << 2);
    const value = valueAt(<usize>i, j);
    const observed = row + apart + label;
    store<f32>(observed, load<f32>(observed) + weight * value);
    addScaled(p, value, stride, row + 2 * apart);
  }
}

/** Clips that are tried, in shares of the largest weight. */
const CLIPS: i32 = 24;

/**
 * job.rows ← the weights in job.bits bits, less the mean of a feature's classes (of a group's units), which softmax does not see; job.scales ← a scale a class: of those
 * tried the one of the least square error, each feature counted as often as it was active.
 */
export function quantise(): void {
  const j = job();
  const classes = <usize>j.classes;
  const stride = <usize>j.stride;
  const features = <usize>j.features;
  const apart = (features * stride) << 2;
  const group = <usize>j.group << 2;
  const most: f32 = j.bits == 4 ? 7 : 127;
  // how often: in the first column of F̂'s place, which is not read again
  for (let d: usize = 0; d < features; ++d) {
    const row = <usize>j.weights + ((d * stride) << 2);
    let often: f32 = 0.01;
    for (let from = row; from < row + (classes << 2); from += group) {
      let mean: f32 = 0;
      for (let at = from; at < from + group; at += 4) {
        often += load<f32>(at + apart);
        mean += load<f32>(at);
      }
      mean /= <f32>j.group;
      for (let at = from; at < from + group; at += 4) store<f32>(at, load<f32>(at) - mean);
    }
    store<f32>(row + 2 * apart, often);
  }
  for (let c: usize = 0; c < classes; ++c) {
    const column = <usize>j.weights + (c << 2);
    let peak: f32 = 0;
    for (let d: usize = 0; d < features; ++d) peak = max<f32>(peak, abs<f32>(load<f32>(column + ((d * stride) << 2))));
    let best: f32 = 0;
    let least: f64 = Infinity;
    for (let clip = 1; clip <= CLIPS && peak > 1e-30; ++clip) {
      const scale = (peak * <f32>clip) / (<f32>CLIPS * most);
      let error: f64 = 0;
      for (let d: usize = 0; d < features; ++d) {
        const at = column + ((d * stride) << 2);
        const off = load<f32>(at) - scale * levelOf(load<f32>(at), scale, most);
        error += <f64>load<f32>(at + 2 * apart - (c << 2)) * <f64>off * <f64>off;
      }
      if (error < least) {
        least = error;
        best = scale;
      }
    }
    store<f32>(<usize>j.scales + (c << 2), best);
    for (let d: usize = 0; d < features; ++d) {
      const level = <i32>levelOf(load<f32>(column + ((d * stride) << 2)), best, most);
      if (j.bits == 4) {
        const at = <usize>j.rows + d * ((classes + 1) >> 1) + (c >> 1);
        const other = (c & 1) == 0 ? 0x80 : <u32>load<u8>(at) & 15;
        store<u8>(at, (c & 1) == 0 ? <u8>(other | (level + 8)) : <u8>(other | ((level + 8) << 4)));
      } else store<i8>(<usize>j.rows + d * classes + c, <i8>level);
    }
  }
}

/** The nearest level of a scale. */
// @ts-ignore: decorator
@inline
function levelOf(value: f32, scale: f32, most: f32): f32 {
  return scale > 0 ? max<f32>(-most, min<f32>(most, nearest<f32>(value / scale))) : 0;
}

/** What principal directions are of: sums of windows of integers. Addresses are of 16-byte boundaries. */
@unmanaged
class Windows {
  size: u32; // values of a window
  directions: u32; // nf
  windows: u32; // (windows, size) i32, of one call
  count: u32;
  total: u32; // so far
  first: u32; // (size) i64 Σ x
  second: u32; // (size, size) i64 Σ x ⊗ x
  matrix: u32; // (size, size) f64
  vectors: u32; // (size, size) f64
  out: u32; // (nf, size) i8
  thresholds: u32; // (nf) i32: what the mean window's product is, in whole numbers
  variances: u32; // (nf) f64
}

/** Where it stands: behind the job. */
export const WINDOWS_AT: usize = 256;

/** Adds windows to the sums. */
export function addWindows(): void {
  const w = changetype<Windows>(WINDOWS_AT);
  const size = <usize>w.size;
  w.total += w.count;
  for (let i: usize = 0; i < <usize>w.count; ++i) {
    const window = <usize>w.windows + ((i * size) << 2);
    for (let a: usize = 0; a < size; ++a) {
      const x = <i64>load<i32>(window + (a << 2));
      if (x == 0) continue;
      store<i64>(<usize>w.first + (a << 3), load<i64>(<usize>w.first + (a << 3)) + x);
      const row = <usize>w.second + ((a * size) << 3);
      for (let b: usize = 0; b <= a; ++b) {
        store<i64>(row + (b << 3), load<i64>(row + (b << 3)) + x * <i64>load<i32>(window + (b << 2)));
      }
    }
  }
}

/** Sweeps of Jacobi's method; it converges quadratically, in fewer than ten. */
const SWEEPS: i32 = 16;

/**
 * The directions of the largest variance, as integers with 127 their largest element, which is positive (Jacobi 1846, cyclic by rows, in f64, each
 * operation in one order).
 */
export function solveDirections(): void {
  const w = changetype<Windows>(WINDOWS_AT);
  const size = <usize>w.size;
  const n = <f64>max<u32>(1, w.total);
  const matrix = <usize>w.matrix;
  const vectors = <usize>w.vectors;
  const row = size << 3;
  for (let a: usize = 0; a < size; ++a) {
    for (let b: usize = 0; b <= a; ++b) {
      const means = (<f64>load<i64>(<usize>w.first + (a << 3)) / n) * (<f64>load<i64>(<usize>w.first + (b << 3)) / n);
      const value = <f64>load<i64>(<usize>w.second + a * row + (b << 3)) / n - means;
      store<f64>(matrix + a * row + (b << 3), value);
      store<f64>(matrix + b * row + (a << 3), value);
      store<f64>(vectors + a * row + (b << 3), a == b ? 1 : 0);
      store<f64>(vectors + b * row + (a << 3), a == b ? 1 : 0);
    }
  }
  for (let sweep = 0; sweep < SWEEPS; ++sweep) {
    for (let a: usize = 0; a < size; ++a) {
      for (let b = a + 1; b < size; ++b) rotate(matrix, vectors, a, b, size);
    }
  }
  for (let i: usize = 0; i < <usize>w.directions; ++i) takeDirection(i, w);
}

/** One rotation, which makes element (a, b) 0. Vectors are rows. */
function rotate(matrix: usize, vectors: usize, a: usize, b: usize, size: usize): void {
  const row = size << 3;
  const rowA = matrix + a * row;
  const rowB = matrix + b * row;
  const off = load<f64>(rowA + (b << 3));
  if (off == 0) return;
  const theta = (load<f64>(rowB + (b << 3)) - load<f64>(rowA + (a << 3))) / (2 * off);
  const tangent = (theta < 0 ? -1.0 : 1.0) / (abs<f64>(theta) + sqrt<f64>(theta * theta + 1));
  const cosine = 1 / sqrt<f64>(tangent * tangent + 1);
  const sine = tangent * cosine;
  for (let k: usize = 0; k < row; k += 8) {
    turn(rowA + k, rowB + k, cosine, sine);
    turn(vectors + a * row + k, vectors + b * row + k, cosine, sine);
  }
  for (let k: usize = 0; k < size; ++k) turn(matrix + k * row + (a << 3), matrix + k * row + (b << 3), cosine, sine);
}

// @ts-ignore: decorator
@inline
function turn(x: usize, y: usize, cosine: f64, sine: f64): void {
  const first = load<f64>(x);
  const second = load<f64>(y);
  store<f64>(x, cosine * first - sine * second);
  store<f64>(y, sine * first + cosine * second);
}

/** Direction i ← the vector of the largest variance that is left, the first of several. */
function takeDirection(i: usize, w: Windows): void {
  const size = <usize>w.size;
  const row = size << 3;
  let best: usize = 0;
  let variance: f64 = -Infinity;
  for (let k: usize = 0; k < size; ++k) {
    const value = load<f64>(<usize>w.matrix + k * row + (k << 3));
    if (value > variance) {
      variance = value;
      best = k;
    }
  }
  store<f64>(<usize>w.matrix + best * row + (best << 3), -Infinity);
  store<f64>(<usize>w.variances + (i << 3), variance);
  const vector = <usize>w.vectors + best * row;
  let peak: f64 = 0;
  for (let k: usize = 0; k < row; k += 8) if (abs<f64>(load<f64>(vector + k)) > abs<f64>(peak) + 1e-9) peak = load<f64>(vector + k);
  let mean: f64 = 0;
  for (let k: usize = 0; k < size; ++k) {
    const weight = <i32>nearest<f64>((load<f64>(vector + (k << 3)) / peak) * 127);
    store<i8>(<usize>w.out + i * size + k, <i8>weight);
    mean += <f64>weight * (<f64>load<i64>(<usize>w.first + (k << 3)) / <f64>max<u32>(1, w.total));
  }
  store<i32>(<usize>w.thresholds + (i << 2), <i32>floor<f64>(mean));
}
