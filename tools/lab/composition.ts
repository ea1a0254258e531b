/**
 * Two layers beside one: `npm run composition --prefix tools/lab`. Drawn points whose label is told by features only together, as bits and as columns of a table;
 * and digits (MNIST, tested on the last 10,000 of train) at about the same bytes. Three seeds each.
 */

import {
  type Encoding,
  type Example,
  FeedForward,
  features,
  type HiddenOptions,
  image,
  table,
} from "../../host/index.ts";
import { generator } from "../generator.ts";
import { table as markdown } from "../markdown.ts";
import { accuracy, percents, timed } from "./classify/measure.ts";
import { mnist } from "./classify/mnist.ts";

const SEEDS = [1, 2, 3];
const [TRAIN, TEST] = [3000, 2000];

type Draw = (next: () => number) => Example<never>;

/** Twelve bits; the label is whether an odd number of the first three is set. */
const parity: Draw = (next) => {
  const set = Array.from({ length: 12 }, () => Number(next() < 0.5));
  return { input: { ids: set.map((bit, i) => 2 * i + bit) } as never, label: (set[0]! + set[1]! + set[2]!) % 2 };
};
/** Points of a square of 4 × 4 fields, black or white. */
const chequers: Draw = (next) => {
  const [x, y] = [next(), next()];
  return { input: [x, y] as never, label: (Math.floor(4 * x) + Math.floor(4 * y)) % 2 };
};
/** Points of a square in rings around its middle. */
const rings: Draw = (next) => {
  const [x, y] = [2 * next() - 1, 2 * next() - 1];
  return { input: [x, y] as never, label: Math.floor(5 * Math.hypot(x, y)) % 3 };
};

const columns = ["x", "y"];
const digits = (patch: number, bits: number) => image({ width: 28, height: 28, patch, bits, regions: 4 });
const bits = features({ features: 24, most: 12 });
const small: HiddenOptions = { groups: 4, units: 8 };
interface Row {
  readonly task: string;
  readonly draw?: Draw;
  readonly name: string;
  readonly encoding: Encoding<never>;
  readonly hidden?: HiddenOptions;
}
const binned = { columns, bins: 16, ferns: 0 };
const ROWS: readonly Row[] = [
  { task: "parity", draw: parity, name: "bits", encoding: bits },
  { task: "parity", draw: parity, name: "bits", encoding: bits, hidden: small },
  ...(
    [
      ["chequers", chequers],
      ["rings", rings],
    ] as const
  ).flatMap(([task, draw]) => [
    { task, draw, name: "bins", encoding: table(binned) },
    { task, draw, name: "bins and ferns", encoding: table({ ...binned, ferns: 64 }) },
    { task, draw, name: "bins", encoding: table(binned), hidden: small },
  ]),
  { task: "digits", name: "6 × 6, 4 bits", encoding: digits(6, 4) },
  { task: "digits", name: "6 × 6, 4 bits", encoding: digits(6, 4), hidden: { groups: 8, units: 16 } },
  { task: "digits", name: "7 × 7, 8 bits", encoding: digits(7, 8) },
  { task: "digits", name: "6 × 6, 6 bits", encoding: digits(6, 6), hidden: { groups: 8, units: 8 } },
];

const { train, test } = mnist(true);
const shown: string[][] = [];
for (const { task, draw, name, encoding, hidden } of ROWS) {
  const found: number[] = [];
  let [seconds, bytes] = [0, 0];
  for (const seed of SEEDS) {
    const next = generator(seed);
    const [from, on] = draw
      ? [Array.from({ length: TRAIN }, () => draw(next)), Array.from({ length: TEST }, () => draw(next))]
      : [train as unknown as Example<never>[], test as unknown as Example<never>[]];
    const [classifier, took] = await timed(() => FeedForward.fit(from, { encoding, hidden, seed }));
    found.push(accuracy(classifier, on));
    seconds += took / SEEDS.length;
    bytes = Math.max(bytes, classifier.report!.bytes);
  }
  const layers = hidden ? `${hidden.groups} groups of ${hidden.units}` : "–";
  shown.push([task, name, layers, bytes.toLocaleString("en"), percents(found), seconds.toFixed(1)]);
  console.error(shown.at(-1)!.join(" | "));
}
console.log(markdown(["task", "features", "hidden layer", "bytes", "right, % (each seed)", "CPU s"], shown));
