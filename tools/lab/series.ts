/**
 * Labelled series: `npm run series --prefix tools/lab`. The seven sets that come with the Python package aeon, in their own split; the sizes of the encoding are
 * chosen on folds of the training part. Three seeds; beside them scikit-learn's random forest of the values.
 */
import { type Example, FeedForward, series } from "../../host/index.ts";
import { table } from "../markdown.ts";
import { accuracy, percents } from "./classify/measure.ts";
import { preparedSets } from "./classify/prepared.ts";

interface Set {
  readonly name: string;
  readonly channels: number;
  readonly length: number;
  readonly train: readonly Example<number[]>[];
  readonly test: readonly Example<number[]>[];
  readonly right: Readonly<Record<string, readonly number[]>>;
}

const SEEDS = [1, 2, 3];
const BYTES = 25_000;
const FORMS = ["none"] as const;

const shown: string[][] = [];
const means: Record<string, number[]> = {};
for (const { name, channels, length, train, test, right } of preparedSets<Set>("series", "aeon")) {
  const cells: string[] = [];
  for (const exact of FORMS) {
    const found: number[] = [];
    let bytes = 0;
    for (const seed of SEEDS) {
      const classifier = await FeedForward.fit(train, {
        encoding: series({ length, channels }),
        bytes: BYTES,
        exact,
        seed,
      });
      found.push(accuracy(classifier, test));
      bytes = Math.max(bytes, classifier.report!.bytes);
    }
    cells.push(percents(found), String(bytes));
    means[exact] = [...(means[exact] ?? []), found.reduce((a, b) => a + b, 0) / found.length];
  }
  for (const [peer, each] of Object.entries(right)) {
    cells.push(percents(each));
    means[peer] = [...(means[peer] ?? []), each.reduce((a, b) => a + b, 0) / each.length];
  }
  shown.push([name, `${channels} × ${length}`, String(train.length), String(test.length), ...cells]);
  console.error(shown.at(-1)!.join(" | "));
}
const mean = (name: string) => ((100 * means[name]!.reduce((a, b) => a + b, 0)) / means[name]!.length).toFixed(2);
const peers = Object.keys(means).filter((name) => name !== "none");
shown.push(["mean", "", "", "", mean("none"), "", ...peers.map(mean)]);
console.log(
  table(
    ["set", "values", "train", "test", "saffu, % right", "bytes", ...peers.map((name) => `${name}, % right`)],
    shown,
  ),
);
