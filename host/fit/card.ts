/** README.md of a fitted model: what it is, what it was fitted on, and what it is not good for. No dates, no machine: same fit, same bytes. */
import { parameters, type Shape } from "../shape.ts";
import type { Recipe } from "./recipe.ts";

/** Facts of one fit, counted while it ran. */
export interface FitFacts {
  readonly trainTokens: number;
  readonly trainBytes: number;
  readonly weightBytes: number;
}

/** The card's text. */
export function modelCard(shape: Shape, recipe: Recipe, facts: FitFacts): string {
  return cardOf(
    "Fitted in closed form by saffu, without back-propagation: co-occurrence sums, then logarithms.",
    shape,
    {
      weights: storedAs(shape, facts.weightBytes),
      "fitted on": `${facts.trainTokens} tokens, ${facts.trainBytes} bytes of text`,
      ...(recipe.boundary && {
        "a piece is": "a line, behind the newline of another, its own newline as its last token",
      }),
      "hidden targets": recipe.targets,
      passes: `${recipe.groups.passes} over the groups, ${scalingPasses(shape, recipe)}`,
      seed: recipe.seed,
    },
  );
}

/** How weights are stored. */
export function storedAs({ weightBits }: Shape, bytes: number): string {
  return `${bytes} bytes, ${weightBits === 4 ? "U in 4 bits, O in 8" : "int8"}, with a scale a row`;
}

function scalingPasses({ weightBits }: Shape, recipe: Recipe): string {
  const { passes } = recipe.scaling;
  return weightBits === 4 && passes > 0
    ? `${passes} of iterative scaling, 1 of the decoder after rounding U`
    : `${passes} of iterative scaling`;
}

/** A card: how the model came to be, its shape, `facts`, and what it is not good for. */
export function cardOf(origin: string, shape: Shape, facts: Readonly<Record<string, string | number>>): string {
  const attention =
    shape.history === 0 ? "none" : `matches of 1 to ${shape.matchLength} tokens over the last ${shape.history} tokens`;
  const memory = shape.memory
    ? ` and in a memory of ${shape.memory} tokens: the end of the training text, verbatim`
    : "";
  const ngrams = shape.ngrams
    ? `| n-grams | ${shape.ngrams} bytes of those of the training text that the network knows too little about |\n`
    : "";
  const long = shape.longMatches ? `| long matches | up to 20 tokens, in the history${memory} |\n${ngrams}` : "";
  const rows = Object.entries(facts).map(([name, value]) => `| ${name} | ${value} |`);
  return `---
library_name: saffu
pipeline_tag: text-generation
---
# A SAFFU language model

${origin}

| | |
| --- | --- |
| vocabulary | ${shape.vocabulary} (${shape.vocabulary === 256 ? "bytes" : "byte-level BPE"}) |
| context window | ${shape.window} tokens, ${shape.bits === shape.vocabulary ? "one-hot" : `${shape.bits}-bit cipher`} |
| hidden state | ${shape.groups} groups of ${shape.units} units (${shape.groups * shape.units}) |
${contextRows(shape)}| decoder | softmax(h O + o0) |
| history attention | ${attention} |
${long}| parameters | ${parameters(shape)} |
${rows.join("\n")}

## What it is not good for

It knows what its text says and no more: no facts, no instructions, no dialogue. It writes locally plausible text and drifts within
a sentence. Use it where few bytes matter: surprisal of a stream, compression, completion of short strings, filtering.
`;
}

/** Rows of what a shape has beside the plain window. */
function contextRows({
  windowAttention,
  documentGroups,
  documentSpan,
  secondGroups,
  secondWindow,
  units,
}: Shape): string {
  const rows = [
    windowAttention && "| attention over the window | softmax of comparisons |",
    documentGroups && `| document | ${documentGroups} groups of ${units} units, a span of ${documentSpan} tokens |`,
    secondGroups && `| second layer | ${secondGroups} groups of ${units} units, over ${secondWindow} hidden states |`,
  ];
  return rows.map((row) => (row ? `${row}\n` : "")).join("");
}

/** The card with more sections (data and licence, figures) before its last. */
export function withSections(card: string, sections: string): string {
  return card.replace(/\n(?=## What it is not good for)/, `\n${sections.trim()}\n\n`);
}
