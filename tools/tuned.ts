/**
 * A shipped model, tuned: `npm run tuned [-- --model potato-en --epochs 8 --lr 0.01 --batch 1024 --out DIR]`. Back-propagation from the
 * model's weights on train of the bench corpus; bits per byte beside Kneser-Ney over the same tokens, whole, pruned to the same bytes,
 * and with a cache, and their ratios with what this project wants to reach. The epoch is chosen on the first tenth of each book of dev.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { save, tune } from "../host/index.ts";
import { Model } from "../host/model/model.ts";
import { directorySource, NODE } from "../host/refit/platform.ts";
import { NgramCounts } from "./baselines/counts.ts";
import { pruneKneserNey } from "./baselines/pruned.ts";
import { benchCorpus } from "./corpora/gutenberg.ts";
import { baselineFigures, type Figure, figureTable, modelFigure, withoutAttention } from "./figures.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "potato-en" },
    epochs: { type: "string", default: "8" },
    lr: { type: "string", default: "0.01" },
    batch: { type: "string", default: "1024" },
    out: { type: "string" },
  },
});
const corpus = benchCorpus();
const train = new TextEncoder().encode(corpus.train);
const base = await Model.read(directorySource(join("models", values.model)), {}, NODE);
const dev = corpus.dev.map(({ text }) => new TextEncoder().encode(text.slice(0, Math.ceil(text.length / 10))));
const { files, report } = await tune(base.files, () => [train], {
  epochs: Number(values.epochs),
  lr: Number(values.lr),
  batch: Number(values.batch),
  dev,
});
if (values.out) await save(values.out, files);

const { tokenizer } = base;
const tokens = tokenizer.encode(train);
const tuned = await modelFigure("tuned", files, corpus);
const counts = new NgramCounts(tokens, 5, tokenizer.vocabularySize);
const pruned = [3, 5].map((order) => {
  const model = pruneKneserNey(counts, { order, bytes: tuned.bytes });
  const over = (books: typeof corpus.dev) => {
    const texts = books.map(({ text }) => tokenizer.encode(text));
    const bits = texts.flatMap((text) => Array.from(model.score(text))).reduce((sum, bit) => sum - bit, 0);
    return bits / books.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
  };
  return { name: `Kneser-Ney ${order}, pruned`, bytes: model.bytes, dev: over(corpus.dev), test: over(corpus.test) };
});
const figures: Figure[] = [
  tuned,
  await modelFigure("tuned, without self-attention", await withoutAttention(files), corpus),
  await modelFigure("as shipped", base.files, corpus),
  await modelFigure("as shipped, without self-attention", await withoutAttention(base.files), corpus),
  ...pruned,
  ...baselineFigures(tokens, tokenizer, corpus, report.shape.radial),
];
console.log(`epochs ${values.epochs}, best ${report.bestEpoch}, rate ${values.lr}, batches of ${values.batch}\n`);
console.log(figureTable(figures));
const figureOf = (name: string) => figures.find((figure) => figure.name === name)!;
const best = pruned.reduce((a, b) => (b.dev < a.dev ? b : a));
const ratio = (other: Figure, split: "dev" | "test", bound: string) =>
  console.log(`| ${other.name}, ${split} | ${(tuned[split] / other[split]).toFixed(3)} | ${bound} |`);
console.log("\n| tuned ÷ | ratio | to reach |\n| --- | ---: | ---: |");
ratio(figureOf("Kneser-Ney 3"), "dev", "1.05");
ratio(figureOf("Kneser-Ney 3"), "test", "1.00");
for (const split of ["dev", "test"] as const) ratio(best, split, "0.90");
for (const split of ["dev", "test"] as const) ratio(figureOf("Kneser-Ney 5"), split, "1.00, a stretch");
