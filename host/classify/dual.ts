/** Ridge regression in its dual form (assembly/classify/dual.ts), for few examples. */
import { throwIfAborted } from "../errors.ts";
import { Pace } from "../pace.ts";
import { type Encoded, type Layer, Solve } from "./solver.ts";

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
  const { features, classes, ids, labels } = data;
  const n = labels.length;
  const solve = new Solve(data, classes, { passes: 1, seed: 0, rate: 0, bits });
  solve.set({ group: classes });
  const place = (bytes: number) => solve.place(bytes);
  const own = [
    ...[place((n + 1) * 4), place(ids.length * 2), place(ids.length * 4), place(features * 4)],
    ...[place(n * n * 8), place(n * n * 8), place(n * classes * 8), place(n * classes * 8)],
    ...[place(Math.max(n, features) * 8), place(features * 8)],
  ];
  const exports = await solve.start(solver);
  new Uint32Array(exports.memory.buffer, DUAL_AT + 8, own.length).set(own);
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
  return solve.layer();
}
