/** saffu watch: lines of files that go on being written, or of standard input, each with what it surprises, its rank and alarms. */
import { invalidOption, SaffuError, throwIfAborted } from "../../errors.ts";
import { reasonOf } from "../../files/directory-node.ts";
import { reader } from "../../watch/fields.ts";
import { watchOptionsOf } from "../../watch/stream.ts";
import type { Watch } from "../../watch/watch.ts";
import { labelClassifier, openWatch } from "../../watch/watch-node.ts";
import { interruptedBy, interruptSignal, STEPS } from "../interrupt.ts";
import { loadModel } from "../load.ts";
import { goOnUnread } from "../output.ts";
import { assertWritable } from "../writable.ts";
import { argumentsOf } from "./arguments.ts";
import { compileTo } from "./compile.ts";
import type { Options } from "./options.ts";
import { JsonRows, LiveRows, type Rows } from "./rows.ts";
import { inFile, lockState, type Notes, notesOf, readState, savedOptions } from "./state.ts";
import { Task } from "./task.ts";

/** Exit code where `--until alarm` has seen one. */
export const ALARMED = 10;
/** Minutes between two times that the state is saved: usually, and at the most, as timers go no further. */
const [SAVE_EVERY, MOST_MINUTES] = [60, 35_000];
const MINUTE = 60_000;

export async function run(given: readonly string[], options: Options): Promise<void> {
  const { state, labels, saveEvery = SAVE_EVERY } = options;
  const until = untilOf(options.until);
  if (!(saveEvery > 0 && saveEvery <= MOST_MINUTES)) {
    throw invalidOption("saveEvery", `minutes, above 0 and up to ${MOST_MINUTES}`, saveEvery);
  }
  const signal = interruptSignal(STEPS);
  process.once("SIGHUP", () => process.kill(process.pid, "SIGTERM")); // a terminal that is closed: what was learned is saved
  const { model, files } = await argumentsOf(given);
  if (labels === "-" && files.includes("-")) {
    throw invalidOption("labels", "another file than the lines, which come from standard input", labels);
  }
  const { field, numbers, symbols } = options;
  if (labels !== undefined && (numbers !== undefined || symbols)) {
    throw invalidOption("labels", "left out with --numbers and --symbols: lines alone have labels", labels);
  }
  if (numbers !== undefined && (field !== undefined || symbols)) {
    throw invalidOption("numbers", "given without --field and --symbols", numbers.join(","));
  }
  reader({ field, numbers, keep: options.keep }); // refuses what is no field
  const kind = options.symbols ? "symbols" : undefined;
  const explain = options.alarms && !isTable(options) ? "alarms" : "all";
  const own = watchOptionsOf({ ...options, explain, kind, ...noState });
  if (options.compile !== undefined) return compileTo(options.compile, own, options.json ?? false, signal);
  if (state !== undefined) await assertWritable(state);
  const lock = state === undefined ? undefined : await lockState(state, signal);
  try {
    const now = savedOptions(own, model !== undefined);
    const kept = state === undefined ? undefined : await readState(state);
    const notes: Notes = state === undefined || kept === undefined ? {} : await notesOf(state, kept, now);
    const watch = await openWatch({
      ...own,
      model: model === undefined ? undefined : await loadModel(model, options.build, signal),
      classifier: labels === undefined && kept === undefined ? undefined : await classifierFor(own.kind),
      state: kept,
    }).catch((cause) => {
      throw state === undefined ? cause : inFile(state, cause);
    });
    const told = { ...options, saveEvery, files, until, signal, notes, saved: now, lock };
    await watched(watch, rowsFor(options, signal), told);
  } finally {
    lock?.release();
  }
  throwIfAborted(interruptedBy() === undefined ? undefined : signal);
}

/** Reads to the end, and saves. @throws SaffuError INVALID_TEXT, UNWRITABLE where what was to be kept or printed is not */
async function watched(watch: Watch, rows: Rows, told: Task["told"]): Promise<void> {
  const { state, saveEvery, until, signal } = told;
  if (state !== undefined) goOnUnread();
  const task = new Task(watch, rows, told);
  // counted from the end of the last save: however long one takes, lines come between two
  let [timer, over]: [NodeJS.Timeout | undefined, boolean] = [undefined, false];
  const saveLater = () => {
    if (!over) timer = setTimeout(() => task.save().then(saveLater), saveEvery * MINUTE).unref();
  };
  if (state !== undefined) saveLater();
  let unsaved: SaffuError | undefined;
  try {
    const alarmed = await task.read();
    if (alarmed && until === "alarm") process.exitCode = ALARMED;
  } finally {
    over = true;
    clearTimeout(timer);
    unsaved = await task.save(true);
    task.sum();
    // else it is the error that the command ends with
    const quiet = unsaved === undefined || !(signal.aborted || process.exitCode === ALARMED);
    if (!quiet) rows.say(`the state is not saved: ${unsaved!.message}`);
    rows.end();
    watch.close();
  }
  if (signal.aborted || process.exitCode === ALARMED) return;
  if (unsaved !== undefined) throw unsaved;
  const { failure } = rows;
  if (failure === undefined || (failure as NodeJS.ErrnoException).code === "EPIPE") return;
  throw new SaffuError("UNWRITABLE", `standard output cannot be written: ${reasonOf(failure)}`);
}

const noState = { state: undefined } as const;

/** Labels are of lines. */
async function classifierFor(kind: string | undefined) {
  return kind === undefined || kind === "lines" ? labelClassifier() : undefined;
}

function untilOf(until: string | undefined): "alarm" | number | undefined {
  if (until === undefined || until === "alarm") return until;
  const lines = Number(until);
  if (/^\d+$/.test(until) && lines >= 1 && lines <= Number.MAX_SAFE_INTEGER) return lines;
  throw invalidOption("until", "alarm, or a number of lines", until);
}

function rowsFor(options: Options, signal: AbortSignal): Rows {
  return isTable(options)
    ? new LiveRows(process.stdout, signal)
    : new JsonRows(process.stdout, options.alarms ?? false);
}

/** Whether the table is drawn. */
function isTable({ live, json }: Options): boolean {
  return process.stdout.isTTY === true && !json && live !== false;
}
