/** Ridge regression in its dual form (assembly/classify/dual.ts), for few examples. */
import { throwIfAborted } from "../errors.ts";
import { Pace } from "../pace.ts";
import { rowBytes, strideOf } from "./layout.ts";
import { type Encoded, instantiate, JOB_AT, type Layer, Places } from "./solver.ts";

const DUAL_AT = 320;
/** λ that are tried, over the mean square of an example. */
const PENALTIES = [0.001, 0.01, 0.1, 1, 10, 100, 1000];
/** Rows of products between two looks at the clock. */
const ROWS_A_TURN = 16;

/**
 * Solves a layer from few examples: ridge regression of the classes' indicators, λ and the scores' sharpness chosen by what each example is given by the
 * others. Time grows with n³: about a second for 500 examples.
 *
 * @throws SaffuError ABORTED, UNSUPPORTED, OUT_OF_MEMORY
 */
export async function ridged(
  solver: Uint8Array,
  data: Encoded,
  bits: number,
  signal?: AbortSignal | undefined,
): Promise<Layer> {
  const { features, classes, unit, offsets, ids, values, labels } = data;
  const n = labels.length;
  const stride = strideOf(classes);
  const places = new Places();
  const place = (bytes: number) => places.place(bytes);
  const at = {
    ...{ offsets: place(offsets.byteLength), ids: place(ids.byteLength), values: place(values?.byteLength ?? 0) },
    ...{ labels: place(labels.byteLength), weights: place(3 * features * stride * 4), averages: 0 },
    ...{ prior: place(stride * 4), bias: place(stride * 4), probabilities: place(stride * 4) },
    ...{ rows: place(features * rowBytes(classes, bits)), scales: place(stride * 4) },
  };
  const own = [
    ...[place((n + 1) * 4), place(ids.length * 2), place(ids.length * 4), place(features * 4)],
    ...[place(n * n * 8), place(n * n * 8), place(n * classes * 8), place(n * classes * 8)],
    ...[place(Math.max(n, features) * 8), place(features * 8)],
  ];
  const exports = await instantiate(solver, places.end);
  const { buffer } = exports.memory;
  new Uint32Array(buffer, at.offsets, offsets.length).set(offsets);
  new Uint16Array(buffer, at.ids, ids.length).set(ids);
  if (values) new Uint16Array(buffer, at.values, values.length).set(values);
  new Uint16Array(buffer, at.labels, n).set(labels);
  const whole = new Uint32Array(buffer, JOB_AT, 26);
  whole.set([n, features, classes, stride, values ? 1 : 0]);
  new Float32Array(buffer, JOB_AT, 26)[9] = 1 / unit;
  whole.set([...Object.values(at), bits], 14);
  new Uint32Array(buffer, DUAL_AT + 8, own.length).set(own);
  const pace = new Pace();
  const rest = async () => {
    if (pace.due()) await pace.rest();
    throwIfAborted(signal);
  };
  exports.solvePrior();
  for (let row = 0; row < n; row += ROWS_A_TURN) {
    exports.addPairs(row, Math.min(n, row + ROWS_A_TURN));
    await rest();
  }
  exports.centreGram();
  let best = { penalty: 1, error: Number.POSITIVE_INFINITY };
  for (const penalty of PENALTIES) {
    const error = exports.solveDual(penalty);
    if (error < best.error) best = { penalty, error };
    await rest();
  }
  exports.solveDual(best.penalty);
  exports.takeDual();
  exports.quantise();
  return {
    prior: new Float32Array(buffer, at.prior, classes).slice(),
    bias: new Float32Array(buffer, at.bias, classes).slice(),
    scales: new Float32Array(buffer, at.scales, classes).slice(),
    rows: new Uint8Array(buffer, at.rows, features * rowBytes(classes, bits)).slice(),
  };
}
