/** saffu watch: lines of files that go on being written, or of standard input, each with what it surprises, its rank and alarms. */
import { SaffuError, throwIfAborted } from "../../errors.ts";
import { Pace } from "../../pace.ts";
import { type Fields, reader } from "../../watch/fields.ts";
import { type FollowEvent, type Followed, follow, type Position } from "../../watch/follow-node.ts";
import { type WatchStreamOptions, watchOptionsOf } from "../../watch/stream.ts";
import type { Watch, WatchRow } from "../../watch/watch.ts";
import { labelClassifier, openWatch } from "../../watch/watch-node.ts";
import { interruptedBy, interruptSignal, STEPS } from "../interrupt.ts";
import { loadModel } from "../load.ts";
import { assertWritable } from "../writable.ts";
import { argumentsOf } from "./arguments.ts";
import { saidBy } from "./labels.ts";
import { JsonRows, LiveRows, type Rows } from "./rows.ts";
import { readState, writeState } from "./state.ts";

/** Options of the command, as commander has them. */
export interface Options extends Omit<WatchStreamOptions, "model" | "classifier" | "state" | "signal"> {
  readonly symbols?: boolean;
  readonly alarms?: boolean;
  readonly follow: boolean;
  readonly fromEnd?: boolean;
  readonly until?: string;
  readonly state?: string;
  readonly saveEvery?: number;
  readonly labels?: string;
  readonly live?: boolean;
  readonly json?: boolean;
  readonly build?: string;
}

/** Exit code where `--until alarm` has seen one. */
export const ALARMED = 10;
/** Minutes between two times that the state is saved. */
const SAVE_EVERY = 60;
const [MINUTE, DAY] = [60_000, 1440];

export async function run(given: readonly string[], options: Options): Promise<void> {
  const { state, labels, saveEvery = SAVE_EVERY } = options;
  const until = untilOf(options.until);
  if (!(saveEvery > 0 && saveEvery <= DAY * 365)) {
    throw new SaffuError(
      "INVALID_OPTION",
      `saveEvery must be minutes, above 0 and up to ${DAY * 365}, got ${saveEvery}`,
    );
  }
  const signal = interruptSignal(STEPS);
  const { model, files } = await argumentsOf(given);
  if (state !== undefined) await assertWritable(state);
  const kept = state === undefined ? undefined : await readState(state);
  const own = watchOptionsOf({ ...options, kind: options.symbols ? "symbols" : undefined, ...noState });
  const watch = await openWatch({
    ...own,
    model: model === undefined ? undefined : await loadModel(model, options.build, signal),
    classifier: labels === undefined && kept === undefined ? undefined : await classifierFor(own.kind),
    state: kept,
  });
  const rows = rowsFor(options, signal);
  const task = new Task(watch, rows, { ...options, files, until, signal });
  const timer = state === undefined ? undefined : setInterval(() => task.save(), saveEvery * MINUTE);
  timer?.unref();
  const stop = new AbortController();
  const labelled = async () => {
    if (labels !== undefined) await task.readLabels(labels, AbortSignal.any([signal, stop.signal]));
  };
  // of what goes on being written labels come while lines do; else they are of lines that have all been read
  const reading = options.follow ? labelled() : undefined;
  reading?.catch(() => {});
  try {
    const alarmed = await task.read();
    if (!options.follow) await labelled();
    if (alarmed && until === "alarm") process.exitCode = ALARMED;
  } finally {
    stop.abort();
    clearInterval(timer);
    await task.save();
    await rows.end();
    watch.close();
  }
  throwIfAborted(interruptedBy() === undefined ? undefined : signal);
}

const noState = { state: undefined } as const;

/** Labels are of lines. */
async function classifierFor(kind: string | undefined) {
  return kind === undefined || kind === "lines" ? labelClassifier() : undefined;
}

function untilOf(until: string | undefined): "alarm" | number | undefined {
  if (until === undefined || until === "alarm") return until;
  const lines = Number(until);
  if (/^\d+$/.test(until) && lines >= 1) return lines;
  throw new SaffuError("INVALID_OPTION", `until must be alarm, or a number of lines, got ${JSON.stringify(until)}`);
}

function rowsFor({ live, json, alarms = false }: Options, signal: AbortSignal): Rows {
  const terminal = process.stdout.isTTY === true;
  return terminal && !json && live !== false
    ? new LiveRows(process.stdout, signal)
    : new JsonRows(process.stdout, alarms);
}

interface Told extends Options {
  readonly files: readonly string[];
  readonly signal: AbortSignal;
}

/** One run of the command. */
class Task {
  private lines: Followed | undefined;
  /** Work that the watch is busy with, or the last of it: rows wait for it. */
  private under: Promise<unknown> = Promise.resolve();
  private busy = false;
  private readonly said = new Set<string>();
  private readonly bad = new Map<string, number>();
  private saved = 0;

  constructor(
    private readonly watch: Watch,
    private readonly rows: Rows,
    private readonly told: Omit<Told, "until"> & { readonly until: "alarm" | number | undefined },
  ) {}

  /** @returns whether there was an alarm */
  async read(): Promise<boolean> {
    const { files, field, numbers, lineBytes, follow: goesOn, fromEnd, signal, until } = this.told;
    const look = reader({ field, numbers });
    const notes = this.watch.notes as { positions?: readonly Position[] } | null | undefined;
    const whole = field === undefined && numbers === undefined;
    this.lines = follow(files, {
      ...{ signal, fromEnd, follow: goesOn, retry: goesOn, positions: notes?.positions },
      most: whole ? (lineBytes ?? 4096) : 1 << 20,
      onEvent: (event) => this.event(event),
    });
    const pace = new Pace();
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    let [alarmed, ready, count] = [false, this.watch.lines > 0, 0];
    for await (const { path, bytes } of this.lines) {
      if (this.busy) await this.under;
      if (pace.due()) await pace.rest();
      if (this.rows.full) await this.rows.settled();
      const { text, numbers: row, problem } = look(bytes);
      count += 1;
      if (problem !== undefined && (row === undefined || row.every((value) => Number.isNaN(value)))) {
        this.watch.skip();
        this.badLine(problem);
      } else {
        const found = this.watch.push(row ?? text!);
        if (!ready && found.ready) this.ready(found);
        ready ||= found.ready;
        this.rows.row(found, decoder.decode(row === undefined ? text : bytes), files.length > 1 ? path : undefined);
        alarmed ||= found.alarm === "begin" || found.alarm === "on";
        if (until === "alarm" && alarmed) break;
      }
      if (count === until) break;
    }
    await this.under;
    return alarmed;
  }

  /** Labels as they come, from a file that goes on being written, or a pipe. */
  async readLabels(path: string, signal: AbortSignal): Promise<void> {
    const lines = follow([path], { signal, follow: this.told.follow, onEvent: (event) => this.event(event) });
    for await (const { bytes } of lines) {
      const said = saidBy(new TextDecoder().decode(bytes));
      if (said === undefined) {
        this.once("label", `a line of ${path} is no label, and such lines are passed over`);
        continue;
      }
      const { rows, label } = said;
      await this.alone(async () => {
        try {
          if (label === undefined) {
            const { from, to, replayed } = await this.watch.forget(rows);
            this.rows.say(`lines ${from} to ${to} are forgotten, ${replayed} behind them learned again`);
          } else if ("episode" in rows) {
            this.learned(await this.watch.label(rows, label), label);
          } else {
            let learned = 0;
            for (let line = rows.from; line <= rows.to; ++line) learned += await this.watch.label(line, label);
            this.learned(learned, label);
          }
        } catch (cause) {
          this.rows.say(`a line of ${path} is passed over: ${(cause as Error).message}`);
        }
      });
    }
  }

  /** Saves the state, where it has a file; what cannot be saved is said, and tried again. */
  save(): Promise<void> {
    const { state } = this.told;
    if (state === undefined) return Promise.resolve();
    return this.alone(async () => {
      try {
        const bytes = await writeState(state, await this.watch.save({ positions: this.lines?.positions() ?? [] }));
        const { saveEvery = SAVE_EVERY } = this.told;
        const daily = (bytes * DAY) / saveEvery / 1e6;
        if (this.saved++ === 0 && this.told.follow) {
          this.once(
            "saved",
            `${state} has ${bytes} bytes: written every ${saveEvery} minutes, ${daily.toFixed(0)} MB a day`,
          );
        }
      } catch (cause) {
        this.once("unsaved", `the state is not saved, and will be tried again: ${(cause as Error).message}`);
      }
    });
  }

  private learned(lines: number, label: string): void {
    this.rows.say(`${lines} ${lines === 1 ? "line is" : "lines are"} learned as ${label}`);
  }

  /** One after the other; rows wait meanwhile. */
  private alone(work: () => Promise<void>): Promise<void> {
    const next = this.under.then(async () => {
      this.busy = true;
      await work().finally(() => {
        this.busy = false;
      });
    });
    this.busy = true;
    this.under = next;
    return next;
  }

  private ready({ line }: WatchRow): void {
    if (this.watch.lines === line)
      this.rows.say(`from line ${line} on there are lines enough that ranks mean something`);
  }

  private badLine(problem: NonNullable<Fields["problem"]>): void {
    this.bad.set(problem, (this.bad.get(problem) ?? 0) + 1);
    this.rows.bad();
    this.once(problem, `line ${this.watch.lines}: ${WHY[problem]}; such lines are counted and passed over`);
  }

  private event({ kind, path }: FollowEvent): void {
    if (kind === "missing") this.rows.say(`${path} is not there: it is waited for`);
    else if (kind !== "returned") this.rows.say(`${path} was ${kind}`);
  }

  private once(key: string, news: string): void {
    if (this.said.has(key)) return;
    this.said.add(key);
    this.rows.say(news);
  }
}

const WHY: Readonly<Record<NonNullable<Fields["problem"]>, string>> = {
  INVALID_JSON: "it is no JSON",
  MISSING_FIELD: "the field is not there",
  NOT_A_NUMBER: "what is there is no number",
};
