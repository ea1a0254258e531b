/** One run of `saffu watch`: lines become rows, labels are learned between them, and the state is saved. */
import { SaffuError } from "../../errors.ts";
import { unwritable } from "../../files/directory-node.ts";
import type { Held } from "../../files/statistics.ts";
import { Pace } from "../../pace.ts";
import { type Fields, hasNone, reader } from "../../watch/fields.ts";
import { type FollowEvent, type Followed, follow } from "../../watch/follow-node.ts";
import type { Watch, WatchRow } from "../../watch/watch.ts";
import { isThere, type Said, saidBy, Waiting } from "./labels.ts";
import type { Options } from "./options.ts";
import type { Rows } from "./rows.ts";
import { type Notes, placesOf, placesToSave, type Saved, writeState } from "./state.ts";
import { Turns } from "./turns.ts";

/** What a run is told. */
export interface Told extends Omit<Options, "until"> {
  readonly files: readonly string[];
  readonly until: "alarm" | number | undefined;
  readonly saveEvery: number;
  readonly signal: AbortSignal;
  /** What the state had beside it, and the options that are saved with it. */
  readonly notes: Notes;
  readonly saved: Saved;
  /** Of the state's file. */
  readonly lock: Held | undefined;
}

/** Bytes that are kept of a line of which a field is looked at, and of one that is looked at itself. */
const [MOST_JSON, MOST_LINE] = [1 << 20, 4096];
const MINUTES_A_DAY = 1440;
/** Episodes whose lines are kept. */
const MOST_SHOWN = 1024;
type Problem = NonNullable<Fields["problem"]> | "PART";

export class Task {
  private readonly turns = new Turns();
  private readonly waiting = new Waiting();
  private readonly said = new Set<string>();
  private readonly bad = new Map<Problem, number>();
  private lines: Followed | undefined;
  /** Where labels have been taken up to. */
  private labelled: Notes["labels"];
  /** Lines of the last episodes, by the numbers that they were shown with: numbers fall where an episode is forgotten. */
  private readonly shown = new Map<number, { readonly from: number; readonly to: number }>();
  /** Whether the last episode goes on. */
  private open = false;
  /** Whether ranks mean something; undefined before the first row of a watch that goes on. */
  private ready: boolean | undefined;
  private saving: Promise<SaffuError | undefined> | undefined;

  constructor(
    private readonly watch: Watch,
    private readonly rows: Rows,
    readonly told: Told,
  ) {
    this.labelled = told.notes.labels;
    this.ready = watch.lines > 0 ? undefined : false;
    this.waiting.restore(told.notes.waiting);
  }

  /** @returns whether there was an alarm. @throws SaffuError INVALID_TEXT, ABORTED */
  async read(): Promise<boolean> {
    const { labels, follow: goesOn, signal } = this.told;
    const stop = new AbortController();
    const all = AbortSignal.any([signal, stop.signal]);
    // of lines that all are there labels are read first, and each is taken as soon as its lines have been read
    if (labels !== undefined && !goesOn) await this.readLabels(labels, all);
    const reading = labels !== undefined && goesOn ? this.readLabels(labels, all) : undefined;
    const read = reading?.catch((cause) => {
      if (!all.aborted) this.rows.say(`no more labels are read: ${(cause as Error).message}`);
    });
    try {
      return await this.readLines();
    } finally {
      stop.abort();
      await read;
      if (!signal.aborted && !goesOn) for (const said of this.waiting.rest()) await this.take(said);
    }
  }

  private async readLines(): Promise<boolean> {
    const {
      files,
      field,
      numbers,
      keep,
      lineBytes = MOST_LINE,
      follow: goesOn,
      fromEnd,
      signal,
      until,
      notes,
    } = this.told;
    const look = reader({ field, numbers, keep });
    const whole = field === undefined && numbers === undefined;
    this.lines = follow(files, {
      ...{ signal, fromEnd, follow: goesOn, retry: goesOn, positions: placesOf(notes.positions, files) },
      most: whole ? lineBytes : Math.max(lineBytes, MOST_JSON),
      onEvent: (event) => this.event(event),
    });
    const pace = new Pace();
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    let [alarmed, count] = [false, 0];
    for await (const { path, bytes } of this.lines) {
      this.turns.begin();
      if (this.turns.busy) await this.turns.settled();
      try {
        const fields = look(bytes);
        const { text, numbers: row, kept, problem } = fields;
        count += 1;
        const none = hasNone(fields);
        if (none) this.watch.skip();
        if (problem !== undefined) this.badLine(none ? problem : "PART");
        if (none) continue;
        const found = this.watch.push(row ?? text!);
        this.progress(found);
        const shown = (row === undefined ? text! : bytes).subarray(0, lineBytes);
        this.rows.row(found, decoder.decode(shown), { path: files.length > 1 ? path : undefined, kept });
        alarmed ||= found.alarm === "begin" || found.alarm === "on";
      } finally {
        this.turns.end();
      }
      if (!this.waiting.none) for (const said of this.waiting.due(this.place)) await this.take(said);
      if ((until === "alarm" && alarmed) || count === until) break;
      if (this.turns.busy) await this.turns.settled();
      if (pace.due()) await pace.rest();
      if (this.rows.full) await this.rows.settled(signal);
    }
    return alarmed;
  }

  private get place() {
    return { lines: this.watch.lines, episodes: this.watch.episodeCount, open: this.open };
  }

  private progress({ line, ready, alarm, episode }: WatchRow): void {
    if (alarm !== undefined) this.open = alarm !== "end";
    if (alarm === "begin" || alarm === "on") {
      const from = (alarm === "on" ? this.shown.get(episode!)?.from : undefined) ?? line;
      this.shown.delete(episode!);
      this.shown.set(episode!, { from, to: line });
      if (this.shown.size > MOST_SHOWN) this.shown.delete(this.shown.keys().next().value!);
    }
    if (ready && this.ready === false) {
      this.rows.say(`from line ${line} on there are lines enough that ranks mean something`);
    }
    this.ready = ready;
  }

  /** Labels as they come, from a file that goes on being written, or a pipe; what is said of lines that are not there yet waits. */
  private async readLabels(path: string, signal: AbortSignal): Promise<void> {
    const { follow: goesOn, notes } = this.told;
    const lines = follow([path], {
      ...{ signal, follow: goesOn, retry: goesOn, positions: placesOf(notes.labels, [path]) },
      onEvent: (event) => this.event(event),
    });
    for await (const { bytes } of lines) {
      const said = saidBy(new TextDecoder().decode(bytes));
      const taken = () => {
        this.labelled = placesToSave(lines.positions(), notes.labels);
      };
      if (said === undefined) this.once("label", `a line of ${path} is no label, and such lines are passed over`);
      else if (this.isThere(said)) {
        await this.take(said, taken);
        continue;
      } else if (!this.waiting.add(said)) {
        this.once("waiting", `more than ${Waiting.MOST} labels are of lines that are not there, and are passed over`);
      }
      taken();
    }
  }

  /** Of an episode that goes on, what is there of it is meant, where who speaks of it has seen it. */
  private isThere(said: Said): boolean {
    return isThere(said, { ...this.place, open: this.told.follow ? false : this.open });
  }

  /** Learns a label, or forgets lines; what cannot be done is said. @param taken is called when it is done */
  private take({ rows: meant, label }: Said, taken = () => {}): Promise<void> {
    const { watch } = this;
    const rows = ("episode" in meant ? this.shown.get(meant.episode) : undefined) ?? meant;
    return this.turns.alone(async () => {
      try {
        if (label === undefined) {
          const { from, to, replayed } = await watch.forget(rows);
          this.rows.say(`${linesIn(from, to)} forgotten; ${replayed} others were read again`);
          return;
        }
        let learned = 0;
        if ("episode" in rows) learned = await watch.label(rows, label);
        else for (let line = rows.from; line <= rows.to; ++line) learned += await watch.label(line, label);
        this.rows.say(`${learned} ${learned === 1 ? "line is" : "lines are"} learned as ${label}`);
      } catch (cause) {
        const what = "episode" in rows ? `episode ${rows.episode}` : linesIn(rows.from, rows.to).replace(/ \w+$/, "");
        this.rows.say(`what was said of ${what} is passed over: ${(cause as Error).message}`);
      } finally {
        taken();
      }
    });
  }

  /**
   * Saves the state, where it has a file.
   *
   * @param last whether nothing comes after it
   * @returns why it is not saved, which is said unless it is the last time, and tried again
   */
  save(last = false): Promise<SaffuError | undefined> {
    const { state, saveEvery, lock, notes, saved } = this.told;
    if (state === undefined) return Promise.resolve(undefined);
    if (this.saving !== undefined) return this.saving;
    let begun = false;
    const saving = this.turns.alone(async () => {
      [begun, this.saving] = [true, undefined]; // who asks from now on wants what comes from now on
      try {
        lock?.assertHeld();
        const kept: Notes = {
          positions: placesToSave(this.lines?.positions() ?? [], notes.positions),
          labels: this.labelled ?? [],
          waiting: this.waiting.saved,
          options: saved,
        };
        const bytes = await writeState(state, await this.watch.save(kept));
        if (this.said.delete("unsaved")) this.rows.say(`${state} is saved again`);
        const daily = ((bytes * MINUTES_A_DAY) / saveEvery / 1e6).toPrecision(2);
        if (!last) {
          this.once("saved", `${state} has ${bytes} bytes: every ${saveEvery} minutes, ${Number(daily)} MB a day`);
        }
        return undefined;
      } catch (cause) {
        const error = cause instanceof SaffuError ? cause : unwritable(state, String(cause), cause);
        if (!last) this.once("unsaved", `the state is not saved, which will be tried again: ${error.message}`);
        return error;
      }
    });
    if (!begun) this.saving = saving;
    return saving;
  }

  /** Says at the end what was counted. */
  sum(): void {
    const [parts, none] = [this.bad.get("PART") ?? 0, [...this.bad].filter(([problem]) => problem !== "PART")];
    const all = none.reduce((sum, [, count]) => sum + count, 0);
    if (all > 1)
      this.rows.say(`${all} lines were passed over: ${none.map(([why, n]) => `${n} ${MANY[why]}`).join(", ")}`);
    if (parts > 1) this.rows.say(`${parts} ${MANY.PART}`);
    if (!this.told.follow && this.ready === false && this.watch.lines > 0) {
      this.rows.say(`ranks mean little yet: no line has had ${this.told.warmUp ?? 100} before it`);
    }
  }

  private badLine(problem: Problem): void {
    this.bad.set(problem, (this.bad.get(problem) ?? 0) + 1);
    if (problem !== "PART") this.rows.bad();
    this.once(problem, `line ${this.watch.lines + (problem === "PART" ? 1 : 0)}: ${ONE[problem]}`);
  }

  private event({ kind, path }: FollowEvent): void {
    if (kind === "missing") this.rows.say(`${path} is not there: it is waited for`);
    else if (kind === "vanished") this.rows.say(`${path} has vanished: it is waited for`);
    else if (kind !== "returned") this.rows.say(`${path} was ${kind}`);
    else this.rows.say(`${path} is there again`);
  }

  private once(key: string, news: string): void {
    if (this.said.has(key)) return;
    this.said.add(key);
    this.rows.say(news);
  }
}

function linesIn(from: number, to: number): string {
  return from === to ? `line ${from} is` : `lines ${from} to ${to} are`;
}

const PASSED = "; such lines are counted and passed over";
const ONE: Readonly<Record<Problem, string>> = {
  INVALID_JSON: `it is no JSON${PASSED}`,
  MISSING_FIELD: `the field is not there${PASSED}`,
  NOT_A_NUMBER: `what is there is no number${PASSED}`,
  PART: "not all numbers are there; such lines are counted, and looked at without them",
};
const MANY: Readonly<Record<Problem, string>> = {
  INVALID_JSON: "are no JSON",
  MISSING_FIELD: "lack the field",
  NOT_A_NUMBER: "have no number there",
  PART: "lines lacked some of the numbers",
};
