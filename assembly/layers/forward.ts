// The forward pass in f32, as the solver runs it: the hidden state of all layers, one after another.
import { softmax } from "../common/softmax";
import { raise } from "../common/vectors";
import { ABSENT, columnOf, groupsOf, LAYERS, positionsOf, readsOf, STATES, STATES_LAYER, STATES_READ, TOKENS, UNITS, WIDTH_0, widthOf } from "../shape";
import { addInputs } from "./inputs";
import { STATES_AT, tableOf } from "./list";
import { Network, Place } from "./records";
import { contextToken, windowShares } from "./tokens";

/**
 * Least hidden state of the solver, 2^-56: products with predictions, which are held above 2^-67, and with weights stay normal
 * numbers. Those that are not take a processor a hundred times as long, and far less than this is lost in every sum.
 */
const LEAST_STATE: f32 = 1.3877787807814457e-17;

/** outHidden (M) f32 ← h; the place's inputs ← what its layers read beside its tokens. */
export function forward(place: Place, network: Network, outHidden: usize): void {
  if (STATES_LAYER > 0) earlierStates(place, network); // first: shares are overwritten
  firstState(place, network, outHidden);
  if (LAYERS > 1) layerState(1, place, network, outHidden);
  if (LAYERS > 2) layerState(2, place, network, outHidden);
}

/** outHidden (width of the first layer) f32 ← its h; the place's inputs ← shares of attention. */
// @ts-ignore: decorator
@inline
export function firstState(place: Place, network: Network, outHidden: usize): void {
  windowShares(place, network.hidden);
  layerState(0, place, network, outHidden);
}

// @ts-ignore: decorator
@inline
function layerState(layer: i32, place: Place, network: Network, outHidden: usize): void {
  const column = <usize>columnOf(layer) << 2;
  const width = <usize>widthOf(layer);
  const out = outHidden + column;
  if (readsOf(layer) == STATES) memory.copy(place.inputs + STATES_AT, outHidden, WIDTH_0 << 2);
  memory.copy(out, network.biases + column, width << 2);
  for (let j = 0; j < positionsOf(layer); ++j) addInputs(layer, place, j, network.hidden + tableOf(layer), width, out);
  for (let group = 0; group < groupsOf(layer); ++group) softmax(out + (<usize>(group * UNITS) << 2), UNITS);
  raise(out, width, LEAST_STATE);
}

/**
 * The place's inputs ← states of the first layer before the places ahead of it; 0 before a text's start. Position 0, the present one, is
 * left as it is.
 */
export function earlierStates(place: Place, network: Network): void {
  const states = place.inputs + STATES_AT;
  const at = place.at;
  let j = 1;
  for (; j < STATES_READ && contextToken(place, 0) != ABSENT; ++j) {
    --place.at;
    firstState(place, network, states + ((<usize>j * WIDTH_0) << 2));
  }
  place.at = at;
  if (j < STATES_READ) memory.fill(states + ((<usize>j * WIDTH_0) << 2), 0, (<usize>(STATES_READ - j) * WIDTH_0) << 2);
}

/** The place's inputs ← what one layer reads before it beside its tokens. */
export function readInputs(layer: i32, place: Place, network: Network): void {
  if (readsOf(layer) == STATES) {
    earlierStates(place, network);
    firstState(place, network, place.inputs + STATES_AT);
  } else if (readsOf(layer) == TOKENS) windowShares(place, network.hidden);
}
