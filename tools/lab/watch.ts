/**
 * Which scorers put anomalies before everything else: `npm run watch --prefix tools/lab`. Streams are scored row by row, each before it is learned; settings
 * are chosen on other streams than figures are reported on. `-- --help` tells the options.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { table, writeBlock } from "../markdown.ts";
import { ranked } from "./classify/ranked.ts";
import { RECORDINGS, record } from "./corpora/programs/recorded.ts";
import { WATCHED } from "./corpora/watch.ts";
import { inLab, inRoot } from "./paths.ts";
import { alarmsOf } from "./watch/alarms.ts";
import { SAFFU } from "./watch/saffu.ts";
import type { Scorer, Stream } from "./watch/scorer.ts";
import { TEMPLATES, TOLD_TEMPLATES, WORDS } from "./watch/templates.ts";

const { values } = parseArgs({
  options: {
    record: { type: "boolean", default: false },
    dev: { type: "boolean", default: false },
    peers: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    write: { type: "string" },
    page: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(`npm run watch --prefix tools/lab -- [--record] [--dev] [--peers] [--page] [--only TEXT] [--write DIR]

--record      first uses programs of Debian on loopback and records what they log; once, minutes
--dev         the streams that settings are chosen on
--peers       adds Drain3, scikit-learn and river: npm run watchers makes their environment, PYTHON names another
--page        writes average precisions to docs/watch.md, with --peers
--only TEXT   streams whose name contains it
--write DIR   writes all streams, a JSON file each, and measures nothing`);
  process.exit(0);
}
/** Blocks of docs/watch.md, and the group that each has. */
const PAGE = { injected: "lines put in", done: "done to programs", sensors: "numbers", labels: "labels" };
/** Rows without an anomaly that may be taken for one. */
const ALARMS = 0.01;

interface Result {
  readonly stream: Stream;
  readonly scorer: string;
  readonly precision: number;
  readonly recall: number;
  readonly seconds: number;
}

function* streams(): Generator<Stream> {
  for (const { name, kind, role, group, read } of chosen) yield { name, kind, role, group, ...read() };
}

async function measure(): Promise<void> {
  const results: Result[] = [];
  for (const stream of streams()) {
    for (const scorer of [...SAFFU, TEMPLATES, WORDS, TOLD_TEMPLATES]) {
      const result = await scored(stream, scorer);
      if (result !== undefined) results.push(result);
    }
    if (values.peers) results.push(...peers(stream));
  }
  const groupOf = ({ kind, group }: Stream) =>
    group ?? { lines: "lines put in", numbers: "numbers", labelled: "labels" }[kind];
  const injected = [...new Set(results.map(({ stream }) => stream))].filter(
    (stream) => groupOf(stream) === PAGE.injected,
  );
  const alarms = await alarmsOf(injected);
  console.log(`\n## alarms of a watch with its usual options\n\n${alarms}`);
  if (values.page) {
    writeBlock(inRoot("docs/watch.md"), "alarms", alarms);
    for (const [block, group] of Object.entries(PAGE)) {
      const own = results.filter(({ stream }) => groupOf(stream) === group);
      writeBlock(inRoot("docs/watch.md"), block, precisions(own));
    }
  }
  for (const group of new Set(results.map(({ stream }) => groupOf(stream)))) {
    const own = results.filter(({ stream }) => groupOf(stream) === group);
    console.log(`\n## ${group}, ${values.dev ? "dev" : "report"}\n\n${shown(own)}`);
  }
}

/** Average precisions of streams by scorers, and their means. */
function precisions(results: readonly Result[]): string {
  const scorers = [...new Set(results.map(({ scorer }) => scorer))];
  const names = [...new Set(results.map(({ stream }) => stream.name))];
  const of = (name: string, scorer: string) =>
    results.find((each) => each.stream.name === name && each.scorer === scorer)!.precision;
  const rows = names.map((name) => [name, ...scorers.map((scorer) => percent(of(name, scorer)))]);
  const means = scorers.map((scorer) => names.reduce((sum, name) => sum + of(name, scorer), 0) / names.length);
  return table(["", ...scorers], [...rows, ["mean", ...means.map(percent)]]);
}

async function scored(stream: Stream, { name, scores }: Scorer): Promise<Result | undefined> {
  const before = process.cpuUsage();
  const found = await scores(stream);
  const { user, system } = process.cpuUsage(before);
  return found === undefined ? undefined : result(stream, name, found, (user + system) / 1e6);
}

function result(stream: Stream, scorer: string, scores: readonly number[], seconds: number): Result {
  if (scores.length !== stream.rows.length) {
    throw new Error(`${scorer} gave ${scores.length} scores for ${stream.rows.length} rows of ${stream.name}`);
  }
  const found = { stream, scorer, ...ranked(scores, stream.labels, ALARMS), seconds };
  console.error(`${stream.name} | ${scorer} | ${cells(found).join(" | ")}`);
  return found;
}

/** Scores of Python's libraries. */
function* peers(stream: Stream): Generator<Result> {
  const python = process.env.PYTHON ?? inLab(".venv-watch", "bin", "python");
  if (!existsSync(python))
    throw new Error("no Python with drain3, river, scikit-learn: npm run watchers --prefix tools/lab");
  const words = [inLab("watch", "peers.py"), written(stream, inLab("build", "watch", "streams"))];
  const { stdout, status } = spawnSync(python, words, {
    encoding: "utf8",
    maxBuffer: 1 << 28,
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) throw new Error(`peers.py failed on ${stream.name}: npm run watchers --prefix tools/lab`);
  for (const line of stdout.trimEnd().split("\n")) {
    const { name, scores, seconds } = JSON.parse(line) as { name: string; scores: number[]; seconds: number };
    yield result(stream, name, scores, seconds);
  }
}

/** Writes a stream for others to read: {"name", "kind", "role", "rows", "labels"}. */
function written(stream: Stream, folder: string): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${stream.name}.json`);
  const { name, kind, role, rows, labels } = stream;
  writeFileSync(file, JSON.stringify({ name, kind, role, rows, labels }));
  return file;
}

const percent = (share: number) => (100 * share).toFixed(1);
const cells = ({ precision, recall, seconds }: Pick<Result, "precision" | "recall" | "seconds">) => [
  percent(precision),
  percent(recall),
  seconds.toFixed(1),
];

/** A table of streams by scorers, and of each scorer's means. */
function shown(results: readonly Result[]): string {
  const rows = results.map((each) => {
    const hits = each.stream.labels.filter(Boolean).length;
    return [each.stream.name, `${each.stream.rows.length}`, `${hits}`, each.scorer, ...cells(each)];
  });
  for (const scorer of new Set(results.map((each) => each.scorer))) {
    const own = results.filter((each) => each.scorer === scorer);
    const mean = (key: "precision" | "recall" | "seconds") =>
      own.reduce((sum, each) => sum + each[key], 0) / own.length;
    rows.push([
      `mean of ${own.length}`,
      "",
      "",
      scorer,
      ...cells({ precision: mean("precision"), recall: mean("recall"), seconds: mean("seconds") }),
    ]);
  }
  return table(
    ["stream", "rows", "anomalies", "scorer", "average precision, %", "found at 1 % false alarms, %", "CPU s"],
    rows,
  );
}

if (values.record) {
  for (const name of RECORDINGS) {
    console.error(`recording ${name}`);
    await record(name);
  }
}
const chosen = WATCHED.filter(
  ({ name, role }) =>
    name.includes(values.only) && (values.write !== undefined || role === (values.dev ? "dev" : "report")),
);
if (values.write !== undefined) for (const stream of streams()) console.log(written(stream, values.write));
else await measure();
