/**
 * Events among a sensor's readings: `npm run sensors --prefix tools/lab`. Of four motes two had an event. Each of the two is left out in turn: a classifier is
 * fitted to all readings of the other three, and gives each reading of the one left out a probability when it comes, from that reading and those
 * before. Settings were chosen with `-- --dev`: the two motes without an event, with simulated steam put in. With `-- --peers` scikit-learn gets the
 * same columns of the same rows.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type Example, FeedForward, table } from "../../host/index.ts";
import { table as shownTable } from "../markdown.ts";
import { percents, timed } from "./classify/measure.ts";
import { COLUMNS, columnsOf, type Mote, motes, steamed } from "./classify/motes.ts";
import { missing, python } from "./classify/prepared.ts";
import { ranked } from "./classify/ranked.ts";
import { inLab } from "./paths.ts";

const { values } = parseArgs({
  options: { dev: { type: "boolean", default: false }, peers: { type: "boolean", default: false } },
});
const SEEDS = [1, 2, 3];
/** Readings without an event that may be taken for one. */
const ALARMS = 0.01;
const SETTINGS = values.dev
  ? [
      { bins: 16, ferns: 0 },
      { bins: 8, ferns: 0 },
      { bins: 16, ferns: 64 },
    ]
  : [{ bins: 16, ferns: 0 }];

interface Split {
  readonly name: string;
  readonly train: readonly Mote[];
  readonly test: Mote;
}

function splits(): Split[] {
  const all = motes();
  const isCalm = ({ readings }: Mote) => !readings.some(({ event }) => event);
  if (!values.dev) {
    return all
      .filter((mote) => !isCalm(mote))
      .map((test) => ({ name: `mote ${test.name}`, train: all.filter((mote) => mote !== test), test }));
  }
  const calm = all.filter(isCalm);
  return [1, 2, 3, 4].flatMap((seed) =>
    [
      [calm[0]!, calm[1]!],
      [calm[1]!, calm[0]!],
    ].map(([one, other]) => ({
      name: `mote ${other!.name}, steam ${seed}`,
      train: [steamed(one!, seed), steamed(one!, seed + 10)],
      test: steamed(other!, seed + 20),
    })),
  );
}

type Rows = readonly Example<(number | null)[]>[];
const rowsOf = (mote: Mote): Rows =>
  columnsOf(mote).map((input, i) => ({ input, label: mote.readings[i]!.event ? "event" : "none" }));

const events = (rows: Rows) => rows.map(({ label }) => label === "event");
const shown: string[][] = [];
const prepared: object[] = [];
for (const settings of SETTINGS) {
  const means: { precision: number; recall: number }[] = [];
  for (const { name, train, test } of splits()) {
    const [fitted, tests] = [train.flatMap(rowsOf), rowsOf(test)];
    prepared.push({ name, train: fitted, test: tests });
    const found: { precision: number; recall: number }[] = [];
    let [bytes, seconds] = [0, 0];
    for (const seed of SEEDS) {
      const [classifier, took] = await timed(() =>
        FeedForward.fit(fitted, { encoding: table({ columns: COLUMNS, ...settings }), seed }),
      );
      const own = classifier.labels.indexOf("event");
      const scores = tests.map(({ input }) => classifier.predict(input).probabilities[own]!);
      found.push(ranked(scores, events(tests), ALARMS));
      bytes = classifier.report!.bytes;
      seconds += took / SEEDS.length;
    }
    means.push(...found);
    const cells = [percents(found.map(({ precision }) => precision)), percents(found.map(({ recall }) => recall))];
    shown.push([
      name,
      `saffu, ${settings.bins} bins, ${settings.ferns} ferns`,
      String(bytes),
      ...cells,
      seconds.toFixed(1),
    ]);
    console.error(shown.at(-1)!.join(" | "));
  }
  const mean = (key: "precision" | "recall") =>
    ((100 * means.reduce((sum, each) => sum + each[key], 0)) / means.length).toFixed(2);
  shown.push([
    "mean",
    `saffu, ${settings.bins} bins, ${settings.ferns} ferns`,
    "",
    mean("precision"),
    mean("recall"),
    "",
  ]);
}
if (values.peers) peers();
console.log(
  shownTable(
    ["left out", "classifier", "bytes", "average precision, %", "found at 1 % false alarms, %", "CPU s"],
    shown,
  ),
);

interface Scored {
  readonly name: string;
  readonly split: number;
  readonly scores: readonly number[];
  readonly seconds: number;
}

/** scikit-learn's, of the same columns, in the lab's Python environment, or in the one that PYTHON names. */
function peers(): void {
  const folder = inLab("build", "sensors");
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/splits.json`, JSON.stringify(prepared));
  const words = [inLab("classify", "sensors.py"), `${folder}/splits.json`, String(SEEDS.length)];
  const { stdout, status } = spawnSync(python(), words, {
    encoding: "utf8",
    maxBuffer: 1 << 28,
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) throw missing("scikit-learn");
  const results = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Scored);
  for (const name of new Set(results.map((result) => result.name))) {
    const all: { precision: number; recall: number }[] = [];
    for (const [i, split] of (prepared as { name: string; test: Rows }[]).entries()) {
      const own = results.filter((result) => result.name === name && result.split === i);
      const found = own.map(({ scores }) => ranked(scores, events(split.test), ALARMS));
      all.push(...found);
      const seconds = own.reduce((sum, each) => sum + each.seconds, 0) / own.length;
      const cells = [percents(found.map(({ precision }) => precision)), percents(found.map(({ recall }) => recall))];
      shown.push([split.name, name, "", ...cells, seconds.toFixed(1)]);
    }
    const mean = (key: "precision" | "recall") =>
      ((100 * all.reduce((sum, each) => sum + each[key], 0)) / all.length).toFixed(2);
    shown.push(["mean", name, "", mean("precision"), mean("recall"), ""]);
  }
}
