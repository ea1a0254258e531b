/**
 * The shipped tuned model: `npm run tuned --prefix tools/lab` prints its bits per byte beside the closed form that it starts from and beside Kneser-Ney over
 * the same tokens, whole, pruned to the same bytes, and with a cache, and their ratios with what this project wants to reach; the
 * tables go to docs/tuning.md.
 */
import { load } from "../../host/index.ts";
import { writeBlock } from "../markdown.ts";
import { withoutAttention } from "../variants.ts";
import { NgramCounts } from "./baselines/counts.ts";
import { pruneKneserNey } from "./baselines/pruned.ts";
import { type Book, benchCorpus } from "./corpora/gutenberg.ts";
import { baselineFigures, type Figure, figureTable, modelFigure } from "./figures/quality.ts";
import { inRoot } from "./paths.ts";

const corpus = benchCorpus();
const { files, tokenizer, config } = await load(inRoot("models/potato-en-tuned"));
const { files: base } = await load(inRoot("models/potato-en"));
const tokens = tokenizer.encode(new TextEncoder().encode(corpus.train));
const counts = new NgramCounts(tokens, 5, tokenizer.vocabularySize);

const tuned = await modelFigure("tuned", files, corpus);
const pruned = [3, 5].map((order): Figure => {
  const model = pruneKneserNey(counts, { order, bytes: tuned.bytes });
  const over = (books: readonly Book[]) => {
    const bits = books.flatMap(({ text }) => Array.from(model.score(tokenizer.encode(text)), (log) => -log));
    return bits.reduce((sum, bit) => sum + bit) / books.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
  };
  return { name: `Kneser-Ney ${order}, pruned`, bytes: model.bytes, dev: over(corpus.dev), test: over(corpus.test) };
});
const { cached, alone: others } = baselineFigures(tokens, tokenizer, corpus, config.shape.history);
const figures = [
  tuned,
  ...cached,
  await modelFigure("tuned, its network alone", await withoutAttention(files), corpus),
  await modelFigure("closed form", base, corpus),
  await modelFigure("closed form, its network alone", await withoutAttention(base), corpus),
  ...pruned,
  ...others,
];

const whole = (order: number) => others.find(({ name }) => name === `Kneser-Ney ${order}`)!;
const smallest = pruned.reduce((best, one) => (one.dev < best.dev ? one : best));
const bounds: [Figure, "dev" | "test", string][] = [
  [whole(3), "dev", "1.05"],
  [whole(3), "test", "1.00"],
  [smallest, "dev", "0.90"],
  [smallest, "test", "0.90"],
  [whole(5), "dev", "1.00, a stretch"],
  [whole(5), "test", "1.00, a stretch"],
];
const rows = bounds.map(
  ([other, split, bound]) => `| ${other.name}, ${split} | ${(tuned[split] / other[split]).toFixed(3)} | ${bound} |`,
);
const text = [figureTable(figures), "", "| tuned ÷ | ratio | to reach |", "| --- | ---: | ---: |", ...rows].join("\n");
writeBlock(inRoot("docs/tuning.md"), "tuned", text);
console.log(text);
