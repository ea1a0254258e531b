// A layer that reads the hidden states which the first layer had at the last places, the present one included, as that layer reads tokens:
// by position, without a projection. The states are of unit sum a group, so its inputs have the norm positions · groups.
import { addScaled } from "../common/vectors";
import { STATES_LAYER, WIDTH_0, WIDTH_1, WIDTH_2 } from "../shape";
import { STATES_AT } from "./list";
import { Outer, Place } from "./records";

/** Columns of the layer's table. */
const WIDTH: usize = STATES_LAYER == 1 ? WIDTH_1 : WIDTH_2;

/** out (columns) f32 += Σ_c h_−j[c] U[j, c]: what position j adds to the logits. @param table offset to the first column */
export function addStates(place: Place, j: i32, table: usize, columns: usize, out: usize): void {
  const states = place.inputs + STATES_AT;
  const from = <usize>j * WIDTH_0;
  for (let i = from; i < from + WIDTH_0; ++i) {
    addScaled(table + ((i * WIDTH) << 2), load<f32>(states + (i << 2)), columns, out);
  }
}

/** Adds to each row by the state that it reads. */
export function addToStates(place: Place, outer: Outer): void {
  const states = place.inputs + STATES_AT;
  for (let row = <usize>outer.first; row < <usize>outer.end; ++row) {
    outer.addTo(outer.sums + ((row * WIDTH) << 2), outer.weight * load<f32>(states + (row << 2)));
  }
}

/**
 * outGains (width of the first layer) f32 += Σ U[j, c] · delta: what the first layer's state at position j would gain through this layer,
 * whose logits would gain `delta`; summed in ascending order.
 *
 * @param table (positions · width of the first layer, width) f32; @param delta (width) f32
 */
export function addGains(table: usize, j: i32, delta: usize, outGains: usize): void {
  for (let c: usize = 0; c < <usize>WIDTH_0; ++c) {
    const row = table + (((<usize>j * WIDTH_0 + c) * WIDTH) << 2);
    let sum: f32 = 0;
    for (let i: usize = 0; i < WIDTH << 2; i += 4) sum += load<f32>(row + i) * load<f32>(delta + i);
    store<f32>(outGains + (c << 2), load<f32>(outGains + (c << 2)) + sum);
  }
}
