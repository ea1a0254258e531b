/** Groups of all layers by the explicit solution, layer by layer: step 1 of the recipe. */
import { sizesOf } from "../compile/sizes.ts";
import type { Shape } from "../shape.ts";
import type { Recipe } from "./recipe.ts";
import type { Settings, Solver } from "./solver.ts";
import { type Hooks, inCalls, PLACES, runSteps } from "./steps.ts";

/** What a document's weight is before it is solved: so many tokens of the same kind as if they were independent. */
const DOCUMENT_WEIGHT = 8;

/** Counts the text, then solves the window's groups and the document's, then those of a second layer, which read what those say. */
export async function fitGroups(
  solver: Solver,
  shape: Shape,
  recipe: Recipe,
  settings: Settings,
  hooks: Hooks<"groups">,
): Promise<void> {
  const places = settings.places!;
  await solver.once("count");
  setPositions(solver, shape, recipe.groups.decay);
  await solver.once("initialiseGroups");
  const { groups, documentGroups = 0, secondGroups = 0 } = shape;
  if (shape.windowAttention) await solveAttention(solver, places, hooks.signal);
  const lower = groups + documentGroups;
  const steps = Math.ceil(places / settings.groupBatch!) * recipe.groups.passes;
  const total = secondGroups > 0 ? 2 * steps : steps;
  const run = (args: readonly number[], done: number) =>
    runSteps(solver, "groupSteps", "groups", [0, steps], total, hooks, { args, done });
  await run([0, lower], 0);
  // bags and hidden states are not as independent as tokens are: how often they are taken has to be solved
  await weighInputs(solver, groups, lower, places);
  if (secondGroups === 0) return;
  await run([lower, lower + secondGroups], steps);
  await weighInputs(solver, lower, lower + secondGroups, places);
}

/** The weights of positions that groups begin with: decaying, and of hidden states shared by the groups that they come from. Attention sets its own. */
function setPositions(solver: Solver, shape: Shape, decay: number): void {
  const { groups, documentGroups = 0, secondGroups = 0 } = shape;
  const all = groups + documentGroups + secondGroups;
  const each = sizesOf(shape).POSITIONS_A_GROUP;
  const positions = solver.view(Float32Array, "POSITIONS", all * each);
  for (let group = 0; group < all; ++group) {
    let weight = group < groups ? 1 : group < groups + documentGroups ? DOCUMENT_WEIGHT : 1 / groups;
    for (let j = 0; j < each; ++j) {
      positions[group * each + j] = weight;
      weight *= decay; // not a power, whose last bits differ between engines
    }
  }
}

/** The weight of the inputs of groups [first, end), over the last places. */
async function weighInputs(solver: Solver, first: number, end: number, places: number): Promise<void> {
  if (first === end) return;
  const slice = Math.min(20_000, Math.ceil(places / 10));
  await solver.all("weighInputs", "thread", "threads", first, end, places - slice, places);
}

/** W of attention over the window's positions: a pass that counts pairs, and one that adds up targets. */
async function solveAttention(solver: Solver, places: number, signal: AbortSignal | undefined): Promise<void> {
  for (const pass of [0, 1]) {
    await inCalls([0, places], PLACES, signal, (from, to) => solver.once("attentionSteps", pass, from, to));
  }
}
