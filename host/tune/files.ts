/** The files of a tuned model: its weights, its card, config.json, and what it has of its base. */
import { KERNEL_FILES, type ModelFiles, withConfig } from "../files/config.ts";
import { cardOf, storedAs } from "../fit/card.ts";
import type { Model } from "../model/model.ts";
import type { Shape } from "../shape.ts";
import type { TuneRecipe } from "./recipe.ts";

/** Facts of one run, counted while it ran; config.json records them beside the options. */
export interface TuneFacts {
  readonly trainTokens: number;
  readonly trainBytes: number;
  readonly steps: number;
  readonly bestEpoch: number;
  readonly mixture: { readonly tokens: number; readonly sweeps: number };
  /** SHA-256 of the base's config.json. */
  readonly base: string;
}

/** A tuned model's weights, and its shape: that of its base, but for the bytes of n-grams. */
export interface Tuned {
  readonly shape: Shape;
  readonly weights: Uint8Array;
}

/** What a tuned model has of its base, where its base has it: the network has the same shape, and n-grams have no more bytes. */
const KEPT = [...KERNEL_FILES, "tokenizer.json"] as const;

const ORIGINS: Record<TuneRecipe["init"], string> = {
  warm: "Fitted in closed form by saffu, then tuned: back-propagation with Adam from there on.",
  cold: "Trained by saffu from random weights: back-propagation with Adam.",
  xavier: "Trained by saffu from random weights (Glorot & Bengio 2010): back-propagation with Adam.",
};

/** The directory of a tuned model. */
export function tunedFiles(
  base: Model,
  { shape, weights }: Tuned,
  recipe: TuneRecipe,
  facts: TuneFacts,
): Promise<ModelFiles> {
  const boundary = base.boundary === "none" ? {} : { boundary: base.boundary };
  const record = { ...recipe, ...facts, bits: shape.bits };
  return withConfig(
    new Map([
      ["model.safetensors", weights],
      ["README.md", new TextEncoder().encode(cardText({ shape, weights }, recipe, facts))],
      ...KEPT.flatMap((name): [string, Uint8Array][] => {
        const bytes = base.files.get(name);
        return bytes === undefined ? [] : [[name, bytes]];
      }),
    ]),
    shape,
    recipe.init === "warm" ? { ...base.config.recipe, tune: record } : { ...boundary, tune: record },
  );
}

function cardText({ shape, weights }: Tuned, recipe: TuneRecipe, facts: TuneFacts): string {
  const { epochs, batch, lr, soften, init, seed } = recipe;
  const { bestEpoch, steps, trainTokens, trainBytes } = facts;
  return cardOf(ORIGINS[init], shape, {
    weights: storedAs(shape, weights.length),
    "tuned on": `${trainTokens} tokens, ${trainBytes} bytes of text`,
    epochs: bestEpoch === epochs ? epochs : `${bestEpoch}, the best of ${epochs} on a held-out text`,
    steps: `${steps} of ${batch} tokens`,
    "learning rate": lr,
    ...(soften < 1 && bestEpoch > 0 && { "U at the start times": soften }),
    seed,
  });
}
