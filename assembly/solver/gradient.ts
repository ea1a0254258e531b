// Back-propagation (Rumelhart, Hinton & Williams 1986) through the network: cross-entropy of softmax(h O + o0), h the softmax of each
// group's logits z. With e = ŷ − y: dO = Σ e ⊗ h, do0 = Σ e, dh = e O, dz = h · (dh − ⟨h, dh⟩) a group, dU = Σ x ⊗ dz, du0 = Σ dz. What
// the logits of a layer of states hand down goes to the first layer's states that it read, present and earlier; what a window's logits hand
// down to its shares s = r·a of attention, ds_j = ⟨dz, x_j U_j⟩, goes on to W as dl = s · (ds − ⟨a, ds⟩), dW = Σ c ⊗ dl, dw0 = Σ dl.
// Gradients are means over the batch, and stand STRIDE behind the weights.
import { sumInLanes } from "../common/softmax";
import { addScaled } from "../common/vectors";
import { addToInputs } from "../layers/inputs";
import { STATES_AT, tableOf, W0_AT, W_AT } from "../layers/list";
import { Batch, Network, Place } from "../layers/records";
import { addGains } from "../layers/states";
import { addTokens, contextToken, windowShares } from "../layers/tokens";
import {
  ABSENT,
  ATTENDED,
  BAG_LAYER,
  columnOf,
  EARLIER,
  GROUPS,
  groupsOf,
  INPUTS,
  M,
  readsOf,
  SHARES,
  STATES,
  STATES_LAYER,
  STATES_READ,
  V,
  WIDTH_0,
  widthOf,
  WINDOW,
} from "../shape";
import { TILE } from "./layout";
import { STRIDE, Work } from "./records";
import { addStateSums, softmaxGradient } from "./scaling";
import { shareStart } from "./threads";
import { addExpected, backToHidden } from "./tiles";

/** outLikelihood (count) f32 ← p(y) of the tile's places, the tokens that came. */
export function likelihoodsOfTile(tile: Batch, outLikelihood: usize): void {
  for (let t: usize = 0; t < <usize>tile.count; ++t) store<f32>(outLikelihood + (t << 2), load<f32>(ofLabel(tile, t)));
}

/** Address of the prediction for the token that came at place t of a tile. */
// @ts-ignore: decorator
@inline
function ofLabel(tile: Batch, t: usize): usize {
  const label = <usize>load<u16>(tile.tokens + (load<u32>(tile.places + (t << 2)) << 1));
  return tile.predicted + ((label * TILE + t) << 2);
}

/**
 * Errors at the output, ŷ − y in the predictions' place, and gradients at the hidden layers' logits, dz in the targets' place, zeroed from
 * the tile's count on; at those of earlier places, by way of a layer of states, in `earlier`.
 */
export function deltasOfTile(tile: Batch, network: Network, work: Work): void {
  for (let t: usize = 0; t < <usize>tile.count; ++t) {
    const at = ofLabel(tile, t);
    store<f32>(at, load<f32>(at) - 1);
  }
  backToHidden(tile, network, work);
  for (let t: usize = 0; t < <usize>TILE; ++t) {
    const delta = tile.targets + ((t * M) << 2);
    const hidden = tile.hidden + ((t * M) << 2);
    if (<i32>t >= tile.count) {
      memory.fill(delta, 0, M << 2);
      continue;
    }
    if (STATES_LAYER > 0) {
      const column = <usize>columnOf(STATES_LAYER) << 2;
      const table = network.hidden + tableOf(STATES_LAYER);
      const states = tile.inputs + ((t * INPUTS) << 2) + STATES_AT;
      const earlier = tile.earlier + ((t * EARLIER) << 2);
      const stacked = delta + column;
      softmaxGradient(hidden + column, stacked, groupsOf(STATES_LAYER), stacked);
      addGains(table, 0, stacked, delta);
      memory.fill(earlier, 0, EARLIER << 2);
      for (let j = 1; j < STATES_READ; ++j) {
        const handed = earlier + ((<usize>(j - 1) * WIDTH_0) << 2);
        addGains(table, j, stacked, handed);
        softmaxGradient(states + ((<usize>j * WIDTH_0) << 2), handed, groupsOf(0), handed); // 0 where there was no state
      }
      softmaxGradient(hidden, delta, groupsOf(0), delta);
      if (BAG_LAYER > 0) {
        const bag = <usize>columnOf(BAG_LAYER) << 2;
        softmaxGradient(hidden + bag, delta + bag, groupsOf(BAG_LAYER), delta + bag);
      }
    } else softmaxGradient(hidden, delta, GROUPS, delta);
  }
}

/** This thread's share of the decoder's rows: gradients of O and o0. */
export function decoderGradient(batch: Batch, network: Network, work: Work): void {
  const weight: f32 = <f32>1 / <f32>batch.count;
  const first: usize = shareStart(V, 4, work.thread, work.threads);
  const end: usize = shareStart(V, 4, work.thread + 1, work.threads);
  const rows = network.decoder + STRIDE + ((first * M) << 2);
  const biases = network.decoderBias + STRIDE;
  memory.fill(rows, 0, ((end - first) * M) << 2);
  memory.fill(biases + (first << 2), 0, (end - first) << 2);
  addExpected(batch, first, end, weight, rows, work);
  for (let tile: usize = 0; tile < <usize>batch.tiles; ++tile) {
    const errors = batch.predicted + tile * V * TILE * 4;
    for (let v: usize = first; v < end; ++v) {
      const sum = sumInLanes(errors + v * TILE * 4, TILE);
      store<f32>(biases + (v << 2), load<f32>(biases + (v << 2)) + weight * sum);
    }
  }
}

/**
 * Gradient of rows [first, end) of a layer's U; of a layer of states, of this thread's share: rows that no input names have none.
 *
 * @param network as the step read it; gradients go where `outHidden` is the first of
 */
// @ts-ignore: decorator
@inline
export function layerGradient(layer: i32, batch: Batch, network: Network, outHidden: usize, work: Work): void {
  const width = <usize>widthOf(layer);
  const outer = work.outer;
  const table = outHidden + tableOf(layer);
  memory.fill(table + ((<usize>outer.first * width) << 2), 0, (<usize>(outer.end - outer.first) * width) << 2);
  const column = <usize>columnOf(layer) << 2;
  const weight: f32 = <f32>1 / <f32>batch.count;
  if (readsOf(layer) == STATES) {
    addStateSums(layer, batch, batch.targets + column, weight, table, work);
    return;
  }
  outer.weight = weight;
  outer.columns = width;
  outer.sums = table;
  const place = work.place;
  place.tokens = batch.tokens;
  place.cipher = network.cipher;
  for (let t: usize = 0; t < <usize>batch.count; ++t) {
    const at = load<i32>(batch.places + (t << 2));
    place.moveTo(at);
    place.inputs = batch.inputs + ((t * INPUTS) << 2);
    outer.values = batch.targets + ((t * M) << 2) + column;
    addToInputs(layer, place, outer);
    if (layer != 0 || STATES_LAYER == 0) continue;
    place.inputs = work.shares;
    for (let j = 1; j < STATES_READ && contextToken(place, 0) != ABSENT; ++j) {
      place.at = at - j;
      outer.values = batch.earlier + ((t * EARLIER + <usize>(j - 1) * WIDTH_0) << 2);
      windowShares(place, network.hidden);
      addToInputs(layer, place, outer);
    }
  }
}

/** Gradient of W and w0 of attention over the window's positions. Thread 0 alone. */
export function attentionGradient(batch: Batch, network: Network, outHidden: usize, work: Work): void {
  if (ATTENDED == 0) return;
  memory.fill(outHidden + W_AT, 0, (WINDOW * WINDOW + WINDOW) << 2);
  const outer = work.outer;
  outer.weight = <f32>1 / <f32>batch.count;
  const place = work.place;
  place.tokens = batch.tokens;
  place.cipher = network.cipher;
  for (let t: usize = 0; t < <usize>batch.count; ++t) {
    const at = load<i32>(batch.places + (t << 2));
    place.moveTo(at);
    place.inputs = batch.inputs + ((t * INPUTS) << 2);
    outer.values = batch.targets + ((t * M) << 2);
    addShareGradient(place, network.hidden, outer.values, outer.weight, outHidden, work);
    if (STATES_LAYER == 0) continue;
    place.inputs = work.shares;
    for (let j = 1; j < STATES_READ && contextToken(place, 0) != ABSENT; ++j) {
      place.at = at - j;
      const row = batch.earlier + ((t * EARLIER + <usize>(j - 1) * WIDTH_0) << 2);
      windowShares(place, network.hidden);
      addShareGradient(place, network.hidden, row, outer.weight, outHidden, work);
    }
  }
}

/** Adds to the gradient of W and w0 what one place's logits hand down, its shares and comparisons read. */
function addShareGradient(place: Place, hidden: usize, delta: usize, weight: f32, outHidden: usize, work: Work): void {
  const slopes = work.shares + ((2 * SHARES) << 2); // (r) f32, ds
  const votes = work.rows; // (width) f32
  const shares = place.inputs;
  const comparisons = shares + (SHARES << 2);
  let mean: f32 = 0; // ⟨a, ds⟩
  for (let j = 0; j < WINDOW; ++j) {
    memory.fill(votes, 0, WIDTH_0 << 2);
    addTokens(place, j, hidden, WIDTH_0, votes); // share · x_j U_j
    let slope: f32 = 0;
    for (let c: usize = 0; c < <usize>WIDTH_0 << 2; c += 4) slope += load<f32>(delta + c) * load<f32>(votes + c);
    store<f32>(slopes + (j << 2), slope); // s · ds
    mean += slope / <f32>WINDOW;
  }
  for (let k: usize = 0; k < <usize>WINDOW; ++k) {
    const logit = weight * (load<f32>(slopes + (k << 2)) - load<f32>(shares + (k << 2)) * mean);
    const bias = outHidden + W0_AT + (k << 2);
    store<f32>(bias, load<f32>(bias) + logit);
    for (let i: usize = 0; i < <usize>WINDOW; ++i) {
      const at = outHidden + W_AT + ((i * WINDOW + k) << 2);
      store<f32>(at, load<f32>(at) + load<f32>(comparisons + (i << 2)) * logit);
    }
  }
}

/** Gradient of u0. Thread 0 alone. */
export function biasGradient(batch: Batch, network: Network): void {
  const weight: f32 = <f32>1 / <f32>batch.count;
  const out = network.biases + STRIDE;
  memory.fill(out, 0, M << 2);
  for (let t: usize = 0; t < <usize>batch.count; ++t) addScaled(batch.targets + ((t * M) << 2), weight, M, out);
  if (STATES_LAYER == 0) return;
  for (let row: usize = 0; row < <usize>(batch.count * (STATES_READ - 1)); ++row) {
    addScaled(batch.earlier + ((row * WIDTH_0) << 2), weight, WIDTH_0, out);
  }
}
