/**
 * Handwritten digits (MNIST): `npm run digits --prefix tools/lab`. Accuracy of classifiers by bytes, form and amount of data, three seeds each. All
 * settings were chosen with `-- --dev`, which learns from the first 50,000 images and tests on the last 10,000 of train.
 */
import { parseArgs } from "node:util";
import { type ClassifierOptions, FeedForward, image } from "../../host/index.ts";
import { table } from "../markdown.ts";
import { accuracy, percents, timed } from "./classify/measure.ts";
import { drawn, mnist } from "./classify/mnist.ts";

const { values } = parseArgs({ options: { dev: { type: "boolean", default: false }, only: { type: "string" } } });
const SEEDS = [1, 2, 3];
const { train, test } = mnist(values.dev);

type Options = Omit<ClassifierOptions<ArrayLike<number>>, "encoding">;
interface Row {
  readonly name: string;
  /** Patch, bits, regions down and across. */
  readonly size: readonly [number, number, number, number];
  readonly options: Options;
  /** Images that are learned from; all by default. */
  readonly images?: number;
}

const ROWS: readonly Row[] = [
  { name: "usual", size: [7, 8, 4, 4], options: {} },
  { name: "usual, one pass", size: [7, 8, 4, 4], options: { passes: 1 } },
  { name: "weights of 8 bits", size: [7, 8, 4, 4], options: { weightBits: 8 } },
  { name: "small", size: [6, 4, 4, 4], options: {} },
  { name: "counts", size: [7, 8, 4, 4], options: { exact: "counts" } },
  { name: "ridge, small", size: [7, 5, 3, 2], options: { exact: "ridge" } },
  { name: "ridge, large", size: [6, 6, 4, 4], options: { exact: "ridge" } },
  { name: "base", size: [7, 8, 4, 4], options: { exact: "base" } },
  { name: "usual", size: [7, 8, 4, 4], options: {}, images: 1000 },
  { name: "usual", size: [7, 8, 4, 4], options: {}, images: 100 },
  { name: "counts", size: [7, 8, 4, 4], options: { exact: "counts" }, images: 100 },
];

const shown: string[][] = [];
for (const { name, size, options, images = train.length } of ROWS) {
  if (values.only !== undefined && !name.includes(values.only)) continue;
  const [patch, bits, regions, across] = size;
  const encoding = image({ width: 28, height: 28, patch, bits, regions, across });
  const found: number[] = [];
  let seconds = 0;
  let facts = ["", ""];
  for (const seed of SEEDS) {
    const examples = images === train.length ? train : drawn(train, images, seed);
    const [classifier, took] = await timed(() => FeedForward.fit(examples, { ...options, encoding, seed }));
    found.push(accuracy(classifier, test));
    seconds += took / SEEDS.length;
    facts = [String(classifier.report!.bytes), classifier.sumBytes === 0 ? "–" : String(classifier.sumBytes)];
  }
  shown.push([
    name,
    `${patch} × ${patch}, ${bits}, ${regions} × ${across}`,
    String(images),
    ...facts,
    percents(found),
    seconds.toFixed(1),
  ]);
  console.error(shown.at(-1)!.join(" | "));
}
const headers = [
  "classifier",
  "patch, bits, regions",
  "images",
  "bytes",
  "bytes of sums",
  "right, % (each seed)",
  "CPU s",
];
console.log(table(headers, shown));
