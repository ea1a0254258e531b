/** The decoder's correction, solved from the sums (docs/learning.md). */
import { throwIfAborted } from "../errors.ts";
import { type Correction, correctionOf } from "../files/statistics.ts";
import type { LearningKernel } from "../model/kernel.ts";
import { Pace } from "../pace.ts";
import type { Shape } from "../shape.ts";
import type { RefitOptions } from "./options.ts";
import { accepted } from "./refusals.ts";

/** Rows solved between two looks at the signal. */
const ROWS = 256;

/**
 * @param pseudoCounts α in pseudo-tokens, `step` s: within the bounds of `checkRefitOptions`
 * @returns the rows that predict in place of the base's, (V, M) i8, and their scales, (V) f32
 * @throws SaffuError ABORTED; UNSUPPORTED where the kernel does not learn
 */
export async function solveDecoder(
  kernel: LearningKernel,
  shape: Shape,
  { pseudoCounts, step }: { readonly pseudoCounts: number; readonly step: number },
  { signal, onProgress }: Pick<RefitOptions, "signal" | "onProgress">,
): Promise<Correction> {
  const { vocabulary } = shape;
  const pace = new Pace();
  for (let from = 0; from < vocabulary; from += ROWS) {
    if (pace.due()) await pace.rest();
    throwIfAborted(signal);
    const to = Math.min(vocabulary, from + ROWS);
    accepted(kernel.refit(from, to, pseudoCounts, step));
    onProgress?.({ done: to, total: vocabulary });
  }
  throwIfAborted(signal); // the last look may be the one that aborts
  return correctionOf(kernel.correctedO.slice(), kernel.correctedScale.slice(), shape);
}
