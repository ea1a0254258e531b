// Position weights (ours): one scalar a position, in place of one temperature and a fixed decay. With the rows fixed, the
// expected log-likelihood is concave in the weights; Newton's method solves it, an r × r system a step.
import { responsibilities } from "./heads";
import { addVotes, mostWeightOf, positionsOf, prepareInputs } from "./inputs";
import { CLASSES, HEAD_BYTES, M, POSITIONS_A_HEAD } from "./shape";
import { softmax } from "./softmax";
import { addScaled } from "./vectors";

/**
 * Weights w maximising Σ log Σ_c h_c P(y | c), h = softmax(u0 + Σ_j w_j L_j), by Newton steps on the EM bound: gradient
 * Σ (t − h)·L_j, curvature Σ Cov_h(L_j, L_k). U holds L times the present weights and is read at the ratio of the two.
 *
 * @param from, to places of the slice
 * @param scratch ((r + 2)·m + r·(r + 2) + INPUTS) f32, r the most positions that a layer has
 * @param positions (r) f32, the present weights in, the solved ones out; kept within [0.01, 4], a document's within [0.01, 64]
 */
export function newtonPositions(
  head: i32,
  tokens: usize,
  from: i32,
  to: i32,
  cipher: usize,
  u: usize,
  u0: usize,
  p: usize,
  steps: i32,
  scratch: usize,
  positions: usize,
): void {
  const votes = scratch; // (r, m) present weight times log-odds
  const hidden = votes + POSITIONS_A_HEAD * CLASSES * 4; // (m)
  const target = hidden + CLASSES * 4; // (m)
  const ratio = target + CLASSES * 4; // (r) new weight over present weight
  const gradient = ratio + POSITIONS_A_HEAD * 4; // (r)
  const curvature = gradient + POSITIONS_A_HEAD * 4; // (r, r)
  const inputs = (curvature + POSITIONS_A_HEAD * POSITIONS_A_HEAD * 4 + 15) & ~15;
  const offset = <usize>(head * CLASSES);
  const n = <usize>positionsOf(head);
  const most = mostWeightOf(head);
  for (let j: usize = 0; j < n; ++j) store<f32>(ratio + (j << 2), 1);
  for (let step = 0; step < steps; ++step) {
    memory.fill(gradient, 0, (POSITIONS_A_HEAD + POSITIONS_A_HEAD * POSITIONS_A_HEAD) * 4);
    for (let at = from; at < to; ++at) {
      memory.copy(hidden, u0 + (offset << 2), CLASSES * 4);
      memory.fill(votes, 0, n * CLASSES * 4);
      prepareInputs(head, tokens, at, cipher, u, u0, inputs);
      for (let j: usize = 0; j < n; ++j) {
        const row = votes + j * CLASSES * 4;
        addVotes(head, tokens, at, <i32>j, cipher, inputs, u, row);
        addScaled(row, load<f32>(ratio + (j << 2)), CLASSES, hidden);
      }
      memory.copy(target, hidden, CLASSES * 4);
      softmax(hidden, CLASSES);
      const label = <usize>load<u16>(tokens + ((<usize>at) << 1));
      responsibilities(target, p + ((label * M + offset) << 2));
      accumulate(n, votes, hidden, target, gradient, curvature);
    }
    solveSystem(n, gradient, curvature);
    for (let j: usize = 0; j < n; ++j) {
      const present = load<f32>(positions + (j << 2));
      const next = load<f32>(ratio + (j << 2)) + load<f32>(gradient + (j << 2));
      store<f32>(ratio + (j << 2), min<f32>(most, max<f32>(0.01, next * present)) / present);
    }
  }
  for (let j: usize = 0; j < n; ++j) {
    store<f32>(positions + (j << 2), load<f32>(positions + (j << 2)) * load<f32>(ratio + (j << 2)));
  }
}

function accumulate(n: usize, votes: usize, hidden: usize, target: usize, gradient: usize, curvature: usize): void {
  for (let j: usize = 0; j < n; ++j) {
    const a = votes + j * CLASSES * 4;
    let slope: f32 = 0;
    let mean: f32 = 0;
    for (let c: usize = 0; c < HEAD_BYTES; c += 4) {
      slope += (load<f32>(target + c) - load<f32>(hidden + c)) * load<f32>(a + c);
      mean += load<f32>(hidden + c) * load<f32>(a + c);
    }
    store<f32>(gradient + (j << 2), load<f32>(gradient + (j << 2)) + slope);
    for (let k: usize = 0; k <= j; ++k) {
      const b = votes + k * CLASSES * 4;
      let covariance: f32 = 0;
      for (let c: usize = 0; c < HEAD_BYTES; c += 4) {
        covariance += load<f32>(hidden + c) * (load<f32>(a + c) - mean) * load<f32>(b + c);
      }
      const at = curvature + ((j * n + k) << 2);
      store<f32>(at, load<f32>(at) + covariance);
    }
  }
}

/** Solves curvature · x = gradient by Cholesky's method, x in gradient's place; one pseudo-place of curvature a position. */
function solveSystem(n: usize, gradient: usize, curvature: usize): void {
  for (let j: usize = 0; j < n; ++j) {
    for (let k: usize = 0; k <= j; ++k) {
      const at = curvature + ((j * n + k) << 2);
      let sum = load<f32>(at) + (j == k ? <f32>1 : 0);
      for (let i: usize = 0; i < k; ++i) {
        sum -= load<f32>(curvature + ((j * n + i) << 2)) * load<f32>(curvature + ((k * n + i) << 2));
      }
      store<f32>(at, j == k ? sqrt<f32>(max<f32>(sum, 1e-6)) : sum / load<f32>(curvature + ((k * n + k) << 2)));
    }
  }
  for (let j: usize = 0; j < n; ++j) {
    let sum = load<f32>(gradient + (j << 2));
    for (let i: usize = 0; i < j; ++i) {
      sum -= load<f32>(curvature + ((j * n + i) << 2)) * load<f32>(gradient + (i << 2));
    }
    store<f32>(gradient + (j << 2), sum / load<f32>(curvature + ((j * n + j) << 2)));
  }
  for (let j = <i32>n - 1; j >= 0; --j) {
    const column = <usize>j;
    let sum = load<f32>(gradient + (column << 2));
    for (let i = column + 1; i < n; ++i) {
      sum -= load<f32>(curvature + ((i * n + column) << 2)) * load<f32>(gradient + (i << 2));
    }
    store<f32>(gradient + (column << 2), sum / load<f32>(curvature + ((column * n + column) << 2)));
  }
}
