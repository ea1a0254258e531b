/** saffu classify: fit, eval, predict, observe, forget, merge, unmerge, refit. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Tally } from "../../classify/examples.ts";
import { FeedForward } from "../../classify/feed-forward-node.ts";
import type { HiddenOptions } from "../../classify/fit.ts";
import type { Form } from "../../classify/layout.ts";
import { classifierHeader } from "../../compile/classifier.ts";
import { invalidOption, SaffuError } from "../../errors.ts";
import { STATISTICS } from "../../files/config.ts";
import { assertWritable, replaceFile } from "../../files/directory-node.ts";
import { isRecord } from "../../files/json.ts";
import { lockStatistics } from "../../files/lock-node.ts";
import { readStatisticsFile } from "../../files/statistics-node.ts";
import type { Build } from "../../model/kernel.ts";
import { interruptSignal } from "../interrupt.ts";
import { done, write } from "../output.ts";
import { Progress } from "../progress.ts";
import { assertWritable as assertFileWritable } from "../writable.ts";
import { type DataOptions, openData } from "./data.ts";
import { examplesOf, inputOf, type KindOptions, type Reading, readingOf } from "./inputs.ts";

interface RowOptions extends DataOptions {
  readonly onBad?: string | undefined;
  readonly json?: boolean | undefined;
}

interface FitOptions extends RowOptions, KindOptions {
  readonly out: string;
  readonly exact?: string | undefined;
  readonly hidden?: string | undefined;
  readonly bytes?: number | undefined;
  readonly weightBits?: number | undefined;
  readonly passes?: number | undefined;
  readonly seed?: number | undefined;
}

export async function fit(path: string, options: FitOptions): Promise<void> {
  const signal = interruptSignal();
  const { out, json, exact, bytes, weightBits, passes, seed } = options;
  const hidden = hiddenOf(options.hidden);
  const data = await openData(path, options, signal);
  await assertWritable(out); // before the work, not after it
  const { encoding, reading, rows } = await readingOf(data, options);
  const progress = await Progress.start();
  const start = performance.now();
  try {
    const classifier = await FeedForward.fit(examplesOf(rows, reading), {
      ...{ encoding, exact: exact as Form | undefined, hidden, bytes, weightBits, passes, seed, signal },
      ...{ notes: { reading }, onBad: onBadOf(options) },
      onProgress: ({ phase, done, total }) => progress.update(phase, done, total),
    });
    await classifier.save(out, { signal });
    done(`${out} is written`);
    progress.stop();
    const report = classifier.report!;
    const seconds = (performance.now() - start) / 1000;
    const facts = {
      directory: out,
      ...report,
      labels: classifier.labels,
      encoding: shortOf(classifier.encoding),
      hidden: classifier.hidden,
      exact: classifier.exact,
      seconds,
    };
    const tried = report.tried.find(({ setting }) => setting === report.setting);
    const held = tried ? `, ${percent(tried.accuracy)} right of what was held out` : "";
    say(
      json,
      facts,
      `${out}: ${report.examples} examples of ${classifier.labels.length} labels in ${report.bytes} bytes${held}, fitted in ${seconds.toFixed(1)} s${skippedOf(report)}`,
    );
  } finally {
    progress.stop();
  }
}

/** Groups and units of "GxU". */
function hiddenOf(text: string | undefined): HiddenOptions | undefined {
  if (text === undefined) return undefined;
  const found = /^(\d{1,4})x(\d{1,4})$/.exec(text);
  if (found === null) throw invalidOption("hidden", "GROUPSxUNITS, as 8x16", text);
  return { groups: Number(found[1]), units: Number(found[2]) };
}

/** An encoding without its lists. */
function shortOf(encoding: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(encoding).filter(([, value]) => !Array.isArray(value)));
}

export async function evaluate(directory: string, path: string, options: RowOptions): Promise<void> {
  const signal = interruptSignal();
  const classifier = await FeedForward.load(directory, { signal });
  const reading = readingKept(classifier);
  const data = await openData(path, options, signal);
  const confusion = classifier.labels.map(() => classifier.labels.map(() => 0));
  const tally: Tally = { examples: 0, skipped: 0, firstSkipped: undefined };
  let bits = 0;
  for await (const example of examplesOf(data.rows, reading)) {
    try {
      if (example instanceof SaffuError) throw example;
      const label = String(example.label);
      const { label: found, surprisal } = classifier.predict(example.input, label, example.row);
      bits += surprisal;
      confusion[classifier.labels.indexOf(label)]![classifier.labels.indexOf(found)]! += 1;
      tally.examples += 1;
    } catch (cause) {
      skip(cause, options, tally);
    }
  }
  if (tally.examples === 0) throw new SaffuError("INVALID_EXAMPLE", `there are no examples${skippedOf(tally)}`);
  const right = confusion.reduce((sum, row, i) => sum + row[i]!, 0);
  const labels = classifier.labels.map((label, i) => {
    const own = confusion[i]!.reduce((a, b) => a + b, 0);
    const said = confusion.reduce((sum, row) => sum + row[i]!, 0);
    const hit = confusion[i]![i]!;
    return { label, examples: own, recall: own ? hit / own : null, precision: said ? hit / said : null };
  });
  const accuracy = right / tally.examples;
  const facts = { ...tally, accuracy, bits: bits / tally.examples, labels, confusion };
  say(
    options.json,
    facts,
    `${percent(accuracy)} of ${tally.examples} examples are right, ${facts.bits.toFixed(4)} bits an example${skippedOf(tally)}`,
  );
}

export async function predict(directory: string, path: string, options: RowOptions): Promise<void> {
  const signal = interruptSignal();
  const classifier = await FeedForward.load(directory, { signal });
  const reading = readingKept(classifier);
  const data = await openData(path, options, signal);
  onBadOf(options);
  let rows = 0;
  for await (const row of data.rows) {
    rows += 1;
    try {
      if (row instanceof SaffuError) throw row;
      const { label, surprisal, probabilities } = classifier.predict(inputOf(reading, row), undefined, row.number);
      const probability = Math.max(...probabilities);
      await write(`${JSON.stringify({ row: row.number, label, probability, surprisal })}\n`, signal);
    } catch (cause) {
      if (options.onBad !== "skip" || !isBadRow(cause)) throw cause;
      await write(`${JSON.stringify({ row: rows, error: { code: cause.code, message: cause.message } })}\n`, signal);
    }
  }
}

export async function learn(
  verb: "observe" | "forget",
  directory: string,
  path: string,
  options: RowOptions,
): Promise<void> {
  const signal = interruptSignal();
  const reading = readingKept(await FeedForward.load(directory, { signal })); // what is wrong is said before a lock is made
  const data = await openData(path, options, signal);
  await changing(directory, directory, signal, options.json, async (classifier) => {
    const tally = await classifier[verb](examplesOf(data.rows, reading), { signal, onBad: onBadOf(options) });
    return () => {
      const said = verb === "observe" ? "observed" : "forgot";
      const stale = `predictions are those of the last fit or refit: saffu classify refit ${directory} --out ${directory}`;
      const facts = { ...tally, observed: classifier.examples };
      say(
        options.json,
        facts,
        `${said} ${tally.examples} examples, ${classifier.examples} are in the sums${skippedOf(tally)}; ${stale}`,
      );
    };
  });
}

export async function merge(
  verb: "merge" | "unmerge",
  directory: string,
  paths: readonly string[],
  { out, json }: { out: string; json?: boolean },
): Promise<void> {
  const signal = interruptSignal();
  await changing(directory, out, signal, json, async (classifier) => {
    for (const path of paths) {
      const found = await stat(path).catch(() => undefined);
      const file = found?.isDirectory() ? join(path, STATISTICS) : path;
      await classifier[verb](await readStatisticsFile(file, classifier.mostStatistics, signal));
    }
    return () =>
      say(json, { observed: classifier.examples }, `${out}: ${classifier.examples} examples are in the sums`);
  });
}

export async function refit(
  directory: string,
  { out, json, pseudoCounts, step }: { out: string; json?: boolean; pseudoCounts?: number; step?: number },
): Promise<void> {
  const signal = interruptSignal();
  await changing(directory, out, signal, json, async (classifier) => {
    const used = classifier.refit({ pseudoCounts, step });
    return () =>
      say(json, { ...used, observed: classifier.examples }, `${out}: solved from ${classifier.examples} examples`);
  });
}

interface CompileOptions {
  readonly out: string;
  readonly target?: string;
  readonly build?: string;
  readonly learning?: boolean;
  readonly json?: boolean;
}

export async function compile(
  directory: string,
  { out, target = "wasm", build, learning, json }: CompileOptions,
): Promise<void> {
  if (target !== "wasm" && target !== "c-header") throw invalidOption("target", "wasm or c-header", target);
  const classifier = await FeedForward.load(directory, { signal: interruptSignal() });
  await assertFileWritable(out);
  const module = classifier.compile({ build: build as Build | undefined, learning });
  const bytes = target === "wasm" ? module : new TextEncoder().encode(classifierHeader(classifier, module));
  await replaceFile([out, bytes]);
  done(`${out} is written`);
  say(
    json,
    { moduleBytes: module.length, labels: classifier.labels.length },
    `${out}: module of ${module.length} bytes`,
  );
}

/** Loads, changes and saves, while nobody else writes there. */
async function changing(
  directory: string,
  out: string,
  signal: AbortSignal,
  quiet: boolean | undefined,
  work: (classifier: FeedForward) => Promise<() => void>,
): Promise<void> {
  const onWait = (holder: string) => {
    if (!quiet) process.stderr.write(`saffu: waiting for ${holder}, which writes to ${out}\n`);
  };
  await FeedForward.load(directory, { signal });
  const lock = await lockStatistics(out, { signal, onWait });
  try {
    const classifier = await FeedForward.load(directory, { signal });
    const report = await work(classifier);
    await classifier.save(out, { signal, lock });
    done(`${out} is saved`);
    report();
  } finally {
    lock.release();
  }
}

/** How the fit read its rows. @throws SaffuError UNSUPPORTED where it was no fit of the command line */
function readingKept(classifier: FeedForward): Reading {
  const { notes } = classifier.recipe;
  const reading = isRecord(notes) ? notes.reading : undefined;
  if (isRecord(reading) && typeof reading.label === "string") return reading as unknown as Reading;
  throw new SaffuError(
    "UNSUPPORTED",
    "the classifier was not fitted by saffu classify: its config.json does not say how rows are read",
  );
}

function onBadOf({ onBad }: RowOptions): "skip" | "stop" {
  if (onBad === undefined || onBad === "skip" || onBad === "stop") return onBad ?? "stop";
  throw invalidOption("onBad", `"skip" or "stop"`, onBad);
}

function isBadRow(cause: unknown): cause is SaffuError {
  return cause instanceof SaffuError && (cause.code === "INVALID_EXAMPLE" || cause.code === "UNKNOWN_LABEL");
}

function skip(cause: unknown, options: RowOptions, tally: Tally): void {
  if (onBadOf(options) !== "skip" || !isBadRow(cause)) throw cause;
  tally.skipped += 1;
  tally.firstSkipped ??= cause.message;
}

function skippedOf({ skipped, firstSkipped }: Pick<Tally, "skipped" | "firstSkipped">): string {
  return skipped === 0 ? "" : `; ${skipped} rows were skipped, the first: ${firstSkipped}`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

function say(json: boolean | undefined, facts: object, line: string): void {
  process.stdout.write(json ? `${JSON.stringify(facts)}\n` : `${line}\n`);
}
