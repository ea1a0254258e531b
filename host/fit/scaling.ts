/** Iterative scaling of all layers, step 2 of the recipe: passes over the text with averaged weights, and one of the decoder after rounding. */
import { sizesOf } from "../compile/sizes.ts";
import { hiddenWidth, type Shape } from "../shape.ts";
import { averagedSteps, type Table } from "./average.ts";
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
  await solver.once("initialiseScaling");
  const steps = Math.ceil(places / settings.batch!);
  const solved = steps * passes;
  const rounds = shape.weightBits === 4;
  const total = rounds ? solved + steps : solved;
  const run = (steps: readonly [number, number]) => runSteps(solver, "scalingSteps", "scaling", steps, total, hooks);
  await averagedSteps(solver, scaledTables(shape), averaged, [0, solved], run);
  if (!rounds) return false;
  await solver.once("roundHidden");
  // for hidden states as the device has them the decoder is solved alone: one pass, averaged whole
  await solver.configure({ ...settings, lead: total });
  await averagedSteps(solver, [decoderTable(shape)], 1, [solved, total], run);
  return true;
}

/** O in a solver's memory. */
function decoderTable(shape: Shape): Table {
  return { address: "O", length: shape.vocabulary * hiddenWidth(shape) };
}

/** What passes of iterative scaling change: U of every hidden layer, and O. */
export function scaledTables(shape: Shape): Table[] {
  return [{ address: "U", length: sizesOf(shape).HIDDEN_CELLS }, decoderTable(shape)];
}
