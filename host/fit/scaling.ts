/** Iterative scaling of all layers, step 2 of the recipe: passes over the text with averaged weights, and one of the decoder after rounding. */
import type { Shape } from "../shape.ts";
import type { Recipe } from "./recipe.ts";
import type { Settings, Solver } from "./solver.ts";
import { type Hooks, inCalls, PLACES, runSteps } from "./steps.ts";

/** Solves all layers, or where there are no passes the explicit decoder alone. Says whether U is what its codes say. */
export async function fitScaling(
  solver: Solver,
  shape: Shape,
  recipe: Recipe,
  settings: Settings,
  hooks: Hooks<"scaling">,
): Promise<boolean> {
  const { passes, averaged } = recipe.scaling;
  const places = settings.places!;
  if (passes === 0) {
    await inCalls([0, places], PLACES, hooks.signal, async (from, to) => {
      await solver.once("explicitSteps", from, to);
      hooks.onProgress?.({ phase: "scaling", done: to, total: places });
    });
    return false;
  }
  const steps = Math.ceil(places / settings.batch!);
  const solved = steps * passes;
  const rounds = shape.weightBits === 4;
  const total = rounds ? solved + steps : solved;
  /** Steps [first, last), and the means of the weights over the last `share` of them, 0..1, in their place. */
  const phase = async (first: number, last: number, share: number, more: Settings = {}) => {
    const averageFrom = last - Math.floor((last - first) * share);
    await solver.configure({ ...settings, ...more, end: last, averageFrom });
    if (first === 0) await solver.once("initialiseScaling");
    await runSteps(solver, "scalingSteps", "scaling", [first, last], total, hooks);
    await solver.once("takeAverages");
  };
  await phase(0, solved, averaged);
  if (!rounds) return false;
  await solver.once("roundHidden");
  // for hidden states as the device has them the decoder is solved alone: one pass, averaged whole
  await phase(solved, total, 1, { lead: total });
  return true;
}
