// Solves a hidden layer under a decoder (composition of explicit layers, 2311.07498; the steps are those of language models' groups, docs/method.md, step 5):
// iterative scaling of both at once. The decoder's targets are the labels. A group's targets are what its units were wanted for, given
// the label (common/targets.ts). Of a composition the hidden layer is kept; the decoder is solved again on its states as the device has them.
//
// Groups begin with rows drawn by the seed. Groups that are solved one by one first, as the language model's are, see the label through their own
// units alone: what only several features together tell (a parity) they never find.
import { addSample, takeMean } from "../common/average";
import { nextUniform, seedGenerator } from "../common/random";
import { dotInLanes, softmaxOnce } from "../common/softmax";
import { targetOfGroup } from "../common/targets";
import { addLogRatio, addScaled, raise, Ratio, scale } from "../common/vectors";
import { etaOf, exampleAt, job, Job, scoresAt, startOf, valueAt } from "./job";

/**
 * The decoder of a composition. The job is the hidden layer: its columns are M, its bias u0, its prior the mean state of a batch, its
 * probabilities the states of one example. Addresses are of 16-byte boundaries.
 */
@unmanaged
class Decoder {
  units: u32; // m of a group, a multiple of 4
  stride: u32; // C rounded up to a multiple of 4
  weights: u32; // (M, stride) f32, and F and F̂ at equal distances behind
  prior: u32; // (stride) f32, π
  bias: u32; // (stride) f32, log π
  probabilities: u32; // (stride) f32
  targets: u32; // (M) f32
  generator: u32; // (4) u32
  step: f32; // s / H
  pseudoCounts: f32; // α
  priorPseudoCounts: f32; // κ
  sharpness: f32; // β of hidden targets
  spread: f32; // root mean square of the first logits
}

/** Where it stands: behind the windows. */
export const DECODER_AT: usize = 384;

// @ts-ignore: decorator
@inline
function decoder(): Decoder {
  return changetype<Decoder>(DECODER_AT);
}

/** Examples that the first weights are measured on. */
const MEASURED: u32 = 1024;
/** Hidden states are held above it, as in the solver of language models: far less is lost in every sum. */
const LEAST_STATE: f32 = 1.3877787807814457e-17; // 2^-56

/** job.weights ← drawn, so that the logits of examples have the mean 0 and the root mean square decoder.spread; job.bias ← less their mean. */
export function beginHidden(): void {
  const j = job();
  const o = decoder();
  const columns = <usize>j.stride;
  const weights = <usize>j.weights;
  const examples = min<u32>(j.examples, MEASURED);
  let squares: f32 = 0;
  for (let i: u32 = 0; i < examples; ++i) {
    const example = exampleAt(i, 0, j) << 2;
    const until = load<u32>(<usize>j.offsets + example, 4);
    for (let at = load<u32>(<usize>j.offsets + example); at < until; ++at) squares += valueAt(<usize>at, j) * valueAt(<usize>at, j);
  }
  // uniform in ±√3 has a variance of 1
  const most = o.spread * sqrt<f32>((<f32>3 * <f32>examples) / max<f32>(squares, 1e-6));
  seedGenerator(<usize>o.generator, j.seed);
  for (let at = weights; at < weights + ((<usize>j.features * columns) << 2); at += 4) {
    store<f32>(at, most * (2 * nextUniform(<usize>o.generator) - 1));
  }
  const mean = <usize>j.prior;
  memory.fill(<usize>j.bias, 0, columns << 2);
  memory.fill(mean, 0, columns << 2);
  for (let i: u32 = 0; i < examples; ++i) {
    const example = exampleAt(i, 0, j) << 2;
    scoresAt(load<u32>(<usize>j.offsets + example), load<u32>(<usize>j.offsets + example, 4), j);
    addScaled(<usize>j.probabilities, <f32>-1 / <f32>examples, columns, mean);
  }
  memory.copy(<usize>j.bias, mean, columns << 2);
}

/** Steps [from, until) of job.steps. */
export function composeSteps(from: u32, until: u32): void {
  for (let step = from; step < until; ++step) composeStep(step, job(), decoder());
}

/**
 * One step: sums of a batch are mixed into those of before, then O += s_O / H · η · log[(F + (α + κ) π) / (F̂ + α π + κ π exp(O))], and
 * U += s_U / (β K̄) · η · log[(G + (α + κ_U) c) / (Ĝ + α c + κ_U c exp(U))], c the batch's mean state.
 */
function composeStep(step: u32, j: Job, o: Decoder): void {
  const columns = <usize>j.stride;
  const cells = <usize>j.features * columns;
  const apart = cells << 2;
  const weights = <usize>j.weights;
  const outputs = columns * <usize>o.stride;
  const start = startOf(step, j);
  const count = min<u32>(j.batch, j.examples - start);
  const eta = etaOf(step, j);
  scale(<f32>1 - eta, cells << 1, weights + apart);
  scale(<f32>1 - eta, outputs << 1, <usize>o.weights + (outputs << 2));
  memory.fill(<usize>j.prior, 0, columns << 2);
  const weight = eta * (<f32>j.examples / <f32>count);
  for (let i = start; i < start + count; ++i) {
    const example = exampleAt(i, step, j);
    readStates(example, j, o);
    addScaled(<usize>j.probabilities, <f32>1 / <f32>count, columns, <usize>j.prior);
    addOutputs(example, weight, j, o);
    addHidden(example, weight, j, o);
  }
  const ratio = changetype<Ratio>(<usize>j.ratio);
  ratio.pseudoCounts = o.pseudoCounts;
  ratio.priorPseudoCounts = o.priorPseudoCounts;
  ratio.step = o.step * eta;
  ratio.columns = <usize>o.stride;
  solveRows(<usize>o.weights, outputs << 2, <usize>o.prior, ratio);
  ratio.pseudoCounts = j.pseudoCounts;
  ratio.priorPseudoCounts = j.priorPseudoCounts;
  ratio.step = j.step * eta;
  ratio.columns = columns;
  solveRows(weights, apart, <usize>j.prior, ratio);
  if (step == 0) j.samples = 0;
  if (step >= j.averageFrom) addSample(weights, cells, ++j.samples, <usize>j.averages);
  if (step + 1 == j.steps && j.samples > 0) takeMean(<usize>j.averages, cells, j.samples, weights);
}

/** Rows of a table of `bytes`, whose sums stand as far behind it and again. */
function solveRows(table: usize, bytes: usize, prior: usize, ratio: Ratio): void {
  for (let row = table; row < table + bytes; row += ratio.columns << 2) addLogRatio(row + bytes, row + 2 * bytes, prior, ratio, row);
}

/** job.probabilities ← states of an example: a softmax in each group. */
function readStates(example: usize, j: Job, o: Decoder): void {
  const states = <usize>j.probabilities;
  const end = states + (<usize>j.stride << 2);
  scoresAt(load<u32>(<usize>j.offsets + (example << 2)), load<u32>(<usize>j.offsets + (example << 2), 4), j);
  for (let group = states; group < end; group += <usize>o.units << 2) softmaxOnce(group, o.units);
  raise(states, <usize>j.stride, LEAST_STATE);
}

/** F += weight · h ⊗ y, F̂ += weight · h ⊗ ŷ; decoder.targets ← g, what each unit would have gained: O_yc − Σ_k ŷ_k O_kc. */
function addOutputs(example: usize, weight: f32, j: Job, o: Decoder): void {
  const stride = <usize>o.stride;
  const apart = (<usize>j.stride * stride) << 2;
  const p = <usize>o.probabilities;
  const label = <usize>load<u16>(<usize>j.labels + (example << 1)) << 2;
  memory.copy(p, <usize>o.bias, stride << 2);
  let row = <usize>o.weights;
  for (let c: usize = 0; c < <usize>j.stride << 2; c += 4, row += stride << 2) addScaled(row, load<f32>(<usize>j.probabilities + c), stride, p);
  softmaxOnce(p, o.stride);
  row = <usize>o.weights;
  for (let c: usize = 0; c < <usize>j.stride << 2; c += 4, row += stride << 2) {
    const state = weight * load<f32>(<usize>j.probabilities + c);
    store<f32>(<usize>o.targets + c, load<f32>(row + label) - dotInLanes(row, p, o.stride));
    const observed = row + apart + label;
    store<f32>(observed, load<f32>(observed) + state);
    addScaled(p, state, stride, row + 2 * apart);
  }
}

/** G += weight · x ⊗ t, Ĝ += weight · x ⊗ h. */
function addHidden(example: usize, weight: f32, j: Job, o: Decoder): void {
  const columns = <usize>j.stride;
  const apart = (<usize>j.features * columns) << 2;
  const states = <usize>j.probabilities;
  const targets = <usize>o.targets;
  for (let c: usize = 0; c < columns << 2; c += <usize>o.units << 2) targetOfGroup(states + c, <usize>o.units, o.sharpness, targets + c);
  scale(weight, columns, states);
  scale(weight, columns, targets);
  const until = load<u32>(<usize>j.offsets + (example << 2), 4);
  for (let i = load<u32>(<usize>j.offsets + (example << 2)); i < until; ++i) {
    const row = <usize>j.weights + ((<usize>load<u16>(<usize>j.ids + (<usize>i << 1)) * columns) << 2);
    const value = valueAt(<usize>i, j);
    addScaled(targets, value, columns, row + apart);
    addScaled(states, value, columns, row + 2 * apart);
  }
}
