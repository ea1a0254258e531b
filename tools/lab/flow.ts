/**
 * Streams in one pass: `npm run flow --prefix tools/lab`. Those that come with the Python package river, each row scored before it is learned, beside
 * river's classifiers. A classifier is fitted to the first rows, which nobody is scored on; from then on each row is observed, and the layer is solved
 * from the sums. Settings were chosen with `-- --dev`, on streams that river generates.
 */
import { type Example, FeedForward, table } from "../../host/index.ts";
import { table as shownTable } from "../markdown.ts";
import { percents, timed } from "./classify/measure.ts";
import { preparedSets } from "./classify/prepared.ts";

interface Stream {
  readonly name: string;
  /** Rows that are not scored. */
  readonly first: number;
  readonly columns: readonly string[];
  readonly rows: readonly Example<number[]>[];
  readonly right: Readonly<Record<string, readonly number[]>>;
  readonly seconds: Readonly<Record<string, number>>;
}

const SEEDS = [1, 2, 3];
const SIZES = { bins: 8, ferns: 256 };
const PSEUDO_COUNTS = 0.03;
/** Rows between two refits. */
const EVERY = 1;

/** Share of rows after the first that get their own label before they are learned, and the classifier as it is then. */
async function followed({ rows, first, columns }: Stream, seed: number): Promise<[number, FeedForward]> {
  const labels = [...new Set(rows.map(({ label }) => String(label)))].sort();
  const encoding = table({ columns, ...SIZES });
  const classifier = await FeedForward.fit(rows.slice(0, first), { encoding, exact: "counts", labels, seed });
  classifier.refit({ pseudoCounts: PSEUDO_COUNTS });
  let right = 0;
  for (let from = first; from < rows.length; from += EVERY) {
    const next = rows.slice(from, from + EVERY);
    right += next.filter(({ input, label }) => classifier.predict(input).label === label).length;
    await classifier.observe(next);
    classifier.refit({ pseudoCounts: PSEUDO_COUNTS });
  }
  return [right / (rows.length - first), classifier];
}

const shown: string[][] = [];
let peers: string[] = [];
const words = process.argv.includes("--dev") ? ["--dev"] : [];
for (const stream of preparedSets<Stream>("flow", "river", ...words)) {
  const found: number[] = [];
  let [seconds, bytes] = [0, 0];
  for (const seed of SEEDS) {
    const [[right, classifier], took] = await timed(() => followed(stream, seed));
    found.push(right);
    seconds += took / SEEDS.length;
    bytes = classifier.report!.bytes + classifier.sumBytes;
  }
  peers = Object.keys(stream.right);
  const theirs = peers.flatMap((peer) => [percents(stream.right[peer]!), stream.seconds[peer]!.toFixed(1)]);
  shown.push([stream.name, String(stream.rows.length), String(bytes), percents(found), seconds.toFixed(1), ...theirs]);
  console.error(shown.at(-1)!.join(" | "));
}
const headers = ["stream", "rows", "bytes with sums", "saffu, counts: right, %", "CPU s"];
console.log(shownTable([...headers, ...peers.flatMap((peer) => [`${peer}, %`, "CPU s"])], shown));
