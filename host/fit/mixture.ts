/** The mixture of the network with the history: the last step of every fit and of every tuning run. */
import { BATCH } from "../compile/sizes.ts";
import { throwIfAborted } from "../errors.ts";
import type { Shape } from "../shape.ts";
import type { Solver } from "./solver.ts";
import type { Hooks } from "./steps.ts";

/** Solves the mixture on places [from, to), the text's tail, which the network has not seen. */
export async function fitMixture(
  solver: Solver,
  shape: Shape,
  sweeps: number,
  from: number,
  to: number,
  { signal, onProgress }: Hooks<"mixture">,
): Promise<void> {
  if (shape.history === 0) return;
  for (let at = from; at < to; at += BATCH) {
    throwIfAborted(signal);
    const places = Math.min(BATCH, to - at);
    await solver.once("evaluate", at, places);
    await solver.once("mixturePlaces", at, places, at - from);
    onProgress?.({ phase: "mixture", done: at + places - from, total: to - from });
  }
  await solver.once("mixtureSolve", to - from, sweeps);
}
