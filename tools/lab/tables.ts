/**
 * Tables: `npm run tables --prefix tools/lab`. Those that come with scikit-learn, three splits each; sizes of the encoding are chosen on the part that is learned
 * from. Beside them scikit-learn's classifiers with their usual settings.
 */
import { type Example, FeedForward, table as rows } from "../../host/index.ts";
import { table } from "../markdown.ts";
import { accuracy, percents } from "./classify/measure.ts";
import { preparedSets } from "./classify/prepared.ts";

interface Split {
  readonly train: readonly Example<number[]>[];
  readonly test: readonly Example<number[]>[];
  readonly right: Readonly<Record<string, number>>;
}

interface Table {
  readonly name: string;
  readonly columns: number;
  readonly splits: readonly Split[];
}

const BYTES = 25_000;

const shown: string[][] = [];
let peers: string[] = [];
for (const { name, columns, splits } of preparedSets<Table>("tables", "scikit-learn")) {
  const found: number[] = [];
  let bytes = 0;
  for (const [i, { train, test }] of splits.entries()) {
    const encoding = rows({ columns: Array.from({ length: columns }, (_, c) => `c${c}`) });
    const classifier = await FeedForward.fit(train, { encoding, bytes: BYTES, seed: i + 1 });
    found.push(accuracy(classifier, test));
    bytes = Math.max(bytes, classifier.report!.bytes);
  }
  peers = Object.keys(splits[0]!.right);
  const theirs = peers.map((peer) => percents(splits.map(({ right }) => right[peer]!)));
  shown.push([
    name,
    String(columns),
    String(splits[0]!.train.length),
    String(splits[0]!.test.length),
    percents(found),
    String(bytes),
    ...theirs,
  ]);
  console.error(shown.at(-1)!.join(" | "));
}
console.log(
  table(
    ["table", "columns", "train", "test", "saffu, % right", "bytes", ...peers.map((peer) => `${peer}, % right`)],
    shown,
  ),
);
