/**
 * Weights averaged over the last steps of a solve (ours; of stochastic approximation: Polyak & Juditsky 1992): where tokens are few,
 * every step moves the weights by the noise of its batch.
 */
import type { Solver } from "./solver.ts";

/** Steps between two samples of the weights. Another number gives other weights. */
const STEPS_A_SAMPLE = 4;

/** A table of f32 in a solver's memory. */
export interface Table {
  readonly address: string;
  readonly length: number;
}

/**
 * Runs steps [first, last), and puts the means of the tables over the last `share` of them, 0..1, in their place. Sums are of f64 in the
 * order of the steps, so they are the same in any engine.
 *
 * @param run runs some steps in order
 */
export async function averagedSteps(
  solver: Solver,
  tables: readonly Table[],
  share: number,
  [first, last]: readonly [first: number, last: number],
  run: (steps: readonly [first: number, last: number]) => Promise<void>,
): Promise<void> {
  const averaged = last - Math.floor((last - first) * share);
  await run([first, averaged]);
  if (averaged === last) return;
  const sums = tables.map(({ length }) => new Float64Array(length));
  const each = (work: (values: Float32Array, sum: Float64Array) => void) => {
    for (const [i, { address, length }] of tables.entries()) work(solver.view(Float32Array, address, length), sums[i]!);
  };
  let samples = 0;
  for (let from = averaged; from < last; from += STEPS_A_SAMPLE) {
    await run([from, Math.min(last, from + STEPS_A_SAMPLE)]);
    each((values, sum) => {
      for (let i = 0; i < sum.length; ++i) sum[i]! += values[i]!;
    });
    ++samples;
  }
  each((values, sum) => {
    for (let i = 0; i < sum.length; ++i) values[i] = sum[i]! / samples;
  });
}
