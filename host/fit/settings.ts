/** From a recipe to the record of settings that the solver reads. */
import type { Recipe } from "./recipe.ts";
import type { Settings } from "./solver.ts";

/** What a recipe asks the solver for, over `places` training places; pieces of the text end with `newline`, where it is given. */
export function settingsOf(recipe: Recipe, places: number, newline?: number | undefined): Settings {
  const { seed, groups, scaling, targets } = recipe;
  return {
    places,
    seed,
    groupBatch: Math.min(groups.batch, places),
    groupRate: groups.rate,
    groupPseudoCounts: groups.pseudoCounts,
    labelCiphers: targets === "cipher" ? 1 : 0,
    batch: scaling.batch,
    lead: scaling.lead,
    rate: scaling.rate,
    decoderPseudoCounts: scaling.decoderPseudoCounts,
    hiddenPseudoCounts: scaling.hiddenPseudoCounts,
    decoderStep: scaling.decoderStep,
    hiddenStep: scaling.hiddenStep,
    decoderPrior: scaling.decoderPrior,
    hiddenPrior: scaling.hiddenPrior,
    sharpness: scaling.sharpness,
    sampled: scaling.sampled ? 1 : 0,
    boundary: boundarySetting(newline),
  };
}

/** The token that ends a piece of the text as the solver has it. */
export function boundarySetting(newline: number | undefined): number {
  return newline === undefined ? 0 : newline + 1;
}
