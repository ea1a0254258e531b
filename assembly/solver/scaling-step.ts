// One step of iterative scaling: tiles of a batch are shared among threads, then rows of the sums, with a barrier after each. Sums are
// added to at once; where predictions are estimated (sampled.ts), several steps are solved as one, a run: its log ratios are taken once, at
// its end, and its step is as long as theirs together.
import { mix } from "../common/random";
import { scale } from "../common/vectors";
import { HIDDEN_CELLS, M, V } from "../shape";
import { takeMean } from "../common/average";
import { layPool, stepsOfPool } from "./candidates";
import { power } from "./groups";
import { AVERAGE_O, AVERAGE_U, O, O_FIXED, TILE, U } from "./layout";
import { shuffledPlaces } from "./places";
import { network, settings, STRIDE, Work } from "./records";
import { addSampledSums, fixRow, sampleTile } from "./sampled";
import { decoderRatio, scaleDecoder, scaleHidden, solveDecoderRow, targetsOfTile } from "./scaling";
import { barrier, ownerOf, shareStart } from "./threads";
import { forwardTile, tileOf } from "./tiles";

/** Most steps of a run, and steps after which runs are longer by one: the first ones move the weights the most. */
const MOST_STEPS: i32 = 16;
const LONGER_AFTER: i32 = 25;
/** Steps between two samples of the weights where each step is solved. Another number gives other weights. */
const STEPS_A_SAMPLE: i32 = 4;

/** Step `step` of all. Every thread calls it. */
export function scalingStep(step: i32, work: Work): void {
  const n = settings.places;
  const steps = (n + settings.batch - 1) / settings.batch; // a pass
  const start = (step % steps) * settings.batch;
  const order = mix(settings.seed + <u32>(step / steps) * 0x9e3779b9);
  const sampled = settings.sampled != 0;
  if (sampled && step % stepsOfPool() == 0) layPool(step, work);
  const batch = work.batch;
  batch.count = min<i32>(settings.batch, n - start);
  batch.tiles = (batch.count + TILE - 1) / TILE;
  placeInRun(step, n, work);
  work.step.order = order;
  work.step.first = start;
  const movesHidden = step >= settings.lead;
  const end = shareStart(batch.tiles, 1, work.thread + 1, work.threads);
  for (let i = shareStart(batch.tiles, 1, work.thread, work.threads); i < end; ++i) {
    const tile = tileOf(batch, i, work);
    shuffledPlaces(start + i * TILE, tile.count, n, order, tile.places);
    if (sampled) sampleTile(tile, i * TILE, movesHidden, network, work);
    else {
      forwardTile(tile, network, work);
      if (movesHidden) targetsOfTile(tile, network, settings.sharpness, work);
    }
  }
  barrier(work.threads);
  if (sampled) scaleSampledDecoder(work);
  else scaleDecoder(batch, network, settings, work);
  if (movesHidden) scaleHidden(batch, network, settings, work);
  barrier(work.threads);
}

/** What step `step` does to sums and weights. η of step i is (i + 2)^-rate. */
function placeInRun(step: i32, n: i32, work: Work): void {
  const own = work.step;
  if (step == 0 || step >= own.end) {
    own.start = step;
    const most = settings.sampled != 0 ? min<i32>(MOST_STEPS, 1 + step / LONGER_AFTER) : 1;
    own.end = max<i32>(step + 1, min<i32>(step + most, settings.end));
    own.keep = 1;
    own.eta = 0;
    for (let i = step; i < own.end; ++i) {
      own.keep *= <f32>1 - etaOf(i);
      own.eta += etaOf(i);
    }
  }
  let later: f32 = 1; // what the steps after this one leave of it
  for (let i = step + 1; i < own.end; ++i) later *= <f32>1 - etaOf(i);
  own.weight = ((etaOf(step) * <f32>n) / <f32>work.batch.count) * later;
  own.begins = step == own.start;
  own.ends = step == own.end - 1;
  const averaged = step + 1 - settings.averageFrom;
  if (step <= settings.averageFrom) own.taken = 0;
  const due = averaged > 0 && own.ends && (settings.sampled != 0 || averaged % STEPS_A_SAMPLE == 0 || step + 1 == settings.end);
  own.samples = due ? ++own.taken : 0;
}

// @ts-ignore: decorator
@inline
function etaOf(step: i32): f32 {
  return power(<f32>(step + 2), -settings.rate);
}

/** Sums, from samples, and at the end of a run solution of the decoder's rows that are this thread's own. */
function scaleSampledDecoder(work: Work): void {
  const thread = work.thread;
  const threads = work.threads;
  const step = work.step;
  for (let v: u32 = 0; step.begins && v < <u32>V; ++v) {
    if (ownerOf(v, threads) != thread) continue;
    const sums = O + STRIDE + ((<usize>v * M) << 2);
    scale(step.keep, M, sums);
    scale(step.keep, M, sums + STRIDE);
  }
  addSampledSums(work.batch, network, step.weight, work);
  if (!step.ends) return;
  decoderRatio(settings, work);
  for (let v: u32 = 0; v < <u32>V; ++v) {
    if (ownerOf(v, threads) != thread) continue;
    solveDecoderRow(v, network, work);
    fixRow(O + ((<usize>v * M) << 2), O_FIXED + <usize>v * (M << 1));
  }
}

/** Weights ← the means of their samples since settings.averageFrom: of the decoder, and of the hidden layers where they moved. Thread 0 alone. */
export function takeAverages(work: Work): void {
  const samples = work.step.taken;
  if (samples == 0) return;
  takeMean(AVERAGE_O, V * M, samples, O);
  if (settings.lead < settings.end) takeMean(AVERAGE_U, HIDDEN_CELLS, samples, U);
}
