/** Bits per byte of a model and of the baselines over the same tokens and texts: what cards, README and bench print. */
import type { ModelFiles } from "../../../host/files/config.ts";
import { load } from "../../../host/index.ts";
import type { Tokenizer } from "../../../host/tokenizer/index.ts";
import { kneserNeyTable } from "../baselines/table.ts";
import type { BenchCorpus, Book } from "../corpora/gutenberg.ts";

/** One row: bits per byte on dev and on test. */
export interface Figure {
  readonly name: string;
  readonly bytes: number;
  readonly dev: number;
  readonly test: number;
}

/** The orders that every table shows. */
export const ORDERS = [2, 3, 5];

/** Bits per byte of `files` on dev and test, each book scored from an empty context, read in order. */
export async function modelFigure(name: string, files: ModelFiles, corpus: BenchCorpus): Promise<Figure> {
  const model = await load(files);
  const over = (books: readonly Book[]) => {
    const scores = books.map(({ text }) => model.score(text));
    return sum(scores.map(({ bits }) => bits)) / sum(scores.map(({ bytes }) => bytes));
  };
  return { name, bytes: files.get("model.safetensors")!.length, dev: over(corpus.dev), test: over(corpus.test) };
}

/** Kneser-Ney 5, 3, 2, each with a cache and without one, fitted on `train` with the model's own tokenizer. */
export function baselineFigures(
  train: Uint16Array,
  tokenizer: Tokenizer,
  corpus: BenchCorpus,
  cacheLength: number,
): { readonly cached: Figure[]; readonly alone: Figure[] } {
  const groups = [corpus.dev, corpus.test].map((books) => books.map(({ text }) => tokenizer.encode(text)));
  const bytes = groups.map((group) => sum(group.map((tokens) => tokenizer.decode(tokens).length)));
  const vocabulary = tokenizer.vocabularySize;
  // history attention matches up to four tokens before the one that it predicts: the cache does, too
  const options = { orders: ORDERS, cacheLength, cacheOrder: 5, vocabulary };
  const rows = kneserNeyTable(train, groups, options);
  const figure = (name: string, size: number, bits: readonly number[]): Figure => ({
    name,
    bytes: size,
    dev: bits[0]! / bytes[0]!,
    test: bits[1]! / bytes[1]!,
  });
  const cached = rows.map(({ order, bytes, bitsWithCache }) =>
    figure(`Kneser-Ney ${order}, cache of ${cacheLength.toLocaleString("en")}`, bytes, bitsWithCache),
  );
  const alone = rows.map(({ order, bytes, bits }) => figure(`Kneser-Ney ${order}`, bytes, bits));
  return { cached: cached.reverse(), alone: alone.reverse() };
}

/** A Markdown table of figures. */
export function figureTable(figures: readonly Figure[]): string {
  const rows = figures.map(
    ({ name, bytes, dev, test }) =>
      `| ${name} | ${bytes.toLocaleString("en")} | ${dev.toFixed(3)} | ${test.toFixed(3)} |`,
  );
  return ["| | bytes | dev | test |", "| --- | ---: | ---: | ---: |", ...rows].join("\n");
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
