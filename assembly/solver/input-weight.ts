// The weight of a group's inputs (ours): bags and hidden states are not as independent as tokens are, so one scalar says how often what a
// group reads is taken. With the rows fixed, the expected log-likelihood is concave in it; Newton's method solves it.
import { softmax } from "../common/softmax";
import { addScaled } from "../common/vectors";
import { readInputs } from "../layers/forward";
import { addInputs } from "../layers/inputs";
import { layerOf, tableOf, unitOf } from "../layers/list";
import { Network } from "../layers/records";
import { BAG, GROUP_BYTES, M, positionsOf, POSITIONS_A_GROUP, readsOf, UNITS } from "../shape";
import { responsibilities } from "./groups";
import { Work } from "./records";

const STEPS: i32 = 4;
/** Least and most that a weight may be: a bag's shares are small. */
const LEAST: f32 = 0.01;
const MOST: f32 = 4;
const MOST_OF_BAG: f32 = 64;

/**
 * The weight w that maximises Σ log Σ_c h_c P(y | c), h = softmax(u0 + w L), by Newton steps on the EM bound: gradient Σ (t − h)·L,
 * curvature Var_h(L). U holds L times the present weight and is read at the ratio of the two. The group's weights of positions are
 * multiplied by what is found.
 *
 * @param from, to places of the slice
 */
export function solveInputWeight(group: i32, from: i32, to: i32, network: Network, work: Work): void {
  const votes = work.rows; // (m) present weight times log-odds
  const hidden = votes + GROUP_BYTES; // (m)
  const target = hidden + GROUP_BYTES; // (m)
  const layer = layerOf(group);
  const column = <usize>(group * UNITS) << 2;
  const table = network.hidden + tableOf(layer) + (<usize>unitOf(group) << 2);
  const positions = network.positions + (<usize>(group * POSITIONS_A_GROUP) << 2);
  const most: f32 = readsOf(layer) == BAG ? MOST_OF_BAG : MOST;
  const present = load<f32>(positions);
  const place = work.place;
  place.cipher = network.cipher;
  place.inputs = work.inputs;
  let ratio: f32 = 1; // new weight over present weight
  for (let step = 0; step < STEPS; ++step) {
    let gradient: f32 = 0;
    let curvature: f32 = 0;
    for (let at = from; at < to; ++at) {
      place.moveTo(at);
      memory.copy(hidden, network.biases + column, GROUP_BYTES);
      memory.fill(votes, 0, GROUP_BYTES);
      readInputs(layer, place, network);
      for (let j = 0; j < positionsOf(layer); ++j) addInputs(layer, place, j, table, UNITS, votes);
      addScaled(votes, ratio, UNITS, hidden);
      memory.copy(target, hidden, GROUP_BYTES);
      softmax(hidden, UNITS);
      const label = <usize>load<u16>(place.tokens + (<usize>at << 1));
      responsibilities(target, network.decoder + ((label * M) << 2) + column);
      let slope: f32 = 0;
      let mean: f32 = 0;
      for (let c: usize = 0; c < GROUP_BYTES; c += 4) {
        slope += (load<f32>(target + c) - load<f32>(hidden + c)) * load<f32>(votes + c);
        mean += load<f32>(hidden + c) * load<f32>(votes + c);
      }
      let variance: f32 = 0;
      for (let c: usize = 0; c < GROUP_BYTES; c += 4) {
        variance += load<f32>(hidden + c) * (load<f32>(votes + c) - mean) * load<f32>(votes + c);
      }
      gradient += slope;
      curvature += variance;
    }
    // one pseudo-place of curvature
    const root = sqrt<f32>(max<f32>(curvature + 1, 1e-6));
    const next = ratio + gradient / root / root;
    ratio = min<f32>(most, max<f32>(LEAST, next * present)) / present;
  }
  for (let j: usize = 0; j < <usize>positionsOf(layer); ++j) {
    store<f32>(positions + (j << 2), load<f32>(positions + (j << 2)) * ratio);
  }
}
