/**
 * Watching a stream: each row is scored by what it surprises, ranked among the last, and learned, at once or later. Counts alone do it, or a language model
 * with them; labels are learned beside; what should not have been learned is taken away again.
 *
 * ```ts
 * const watch = await openWatch();
 * for await (const line of lines) {
 *   const { alarm, why } = watch.push(line);
 *   if (alarm === "begin") console.log(line, why);
 * }
 * ```
 */
import { invalidOption, SaffuError, shown } from "../errors.ts";
import { Pace } from "../pace.ts";
import { ALARM, BEGINS, ENDS, HELD_BACK, UNIT, WARM, WatchDevice } from "./device.ts";
import { explainLine, explainNumbers, type Why } from "./explain.ts";
import { type Copy, type Episode, type Event, History } from "./history.ts";
import { LABELS, type Label, type Lesson, Lessons } from "./lessons.ts";
import { type WatchModel, type WatchOptions, type WatchSettings, watchSettings } from "./options.ts";
import { formatState, MOST_UNITS, parseState } from "./state.ts";

/** What a row came to. */
export interface WatchRow {
  /** Its number in the stream, from 1. */
  readonly line: number;
  /** Bits that counts are surprised by, all together. */
  readonly bits: number;
  /** Bits that the model is surprised by, where there is one. */
  readonly modelBits?: number | undefined;
  /** What is ranked, in bits: what of them is not ordinary, and what of the model's is not. */
  readonly score: number;
  /** 1 + how many of the last `of` rows had as high a score, or a higher one. */
  readonly rank: number;
  readonly of: number;
  /** Whether there were rows enough before it that its rank means something: `warmUp`. */
  readonly ready: boolean;
  /** What a line looks like without what changes from line to line; a symbol as it is; empty for numbers. */
  readonly template: string;
  /** The place of its template in the tree: the same on every machine, whatever came before. */
  readonly id: string;
  /** The words or columns that surprised most. */
  readonly why: readonly Why[];
  /** An episode begins with this row, goes on with another alarm, or has ended, as `gap` rows had none. */
  readonly alarm?: "begin" | "on" | "end" | undefined;
  /** Number of the episode that is under way, or ends. */
  readonly episode?: number | undefined;
  /** Whether it was learned at once. */
  readonly learned: boolean;
  /** What labels make of it, where there were both: the probability of an alarm. */
  readonly known?: number | undefined;
}

/** What was taken away. */
export interface Forgotten {
  /** Rows from, to and together. */
  readonly from: number;
  readonly to: number;
  readonly rows: number;
  /** Rows that were learned again without them. */
  readonly replayed: number;
}

/** A row: its text or bytes, or its numbers, NaN where one is missing. */
export type Row = string | Uint8Array | ArrayLike<number>;

const UNEXPLAINED = { template: "", why: [] } as const;
/** Bits of a token that are ordinary. */
const ORDINARY = 4;
/** Episodes that are remembered. */
const MOST_EPISODES = 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export class Watch {
  private line = 0;
  private episodes: Episode[] = [];
  private busy = false;
  private readonly history: History;
  private readonly session: ReturnType<WatchModel["session"]> | undefined;
  private readonly lessons: Lessons | undefined;

  private constructor(
    private readonly device: WatchDevice,
    private readonly settings: WatchSettings,
    options: WatchOptions,
  ) {
    this.history = new History(settings.reach, () => this.copy());
    this.lessons = options.classifier === undefined ? undefined : new Lessons(options.classifier);
    this.session = options.model?.session();
    this.session?.push("\n"); // every line is read behind this alone
    this.session?.flush();
  }

  /**
   * A watch that has seen nothing, or, with `state`, one that goes on.
   *
   * @param module assembly/watch/, compiled
   * @throws SaffuError INVALID_OPTION, OUT_OF_MEMORY, UNSUPPORTED; MODEL_CORRUPT, MODEL_VERSION, MODEL_DIGEST where the state is none;
   * STATISTICS_MISMATCH where it is of other options
   */
  static async start(module: Uint8Array, options: WatchOptions): Promise<Watch> {
    const settings = watchSettings(options);
    const device = await WatchDevice.start(module, settings.shape);
    const watch = new Watch(device, settings, options);
    try {
      if (options.state !== undefined) await watch.restore(options.state);
    } catch (cause) {
      watch.close();
      throw cause;
    }
    return watch;
  }

  /** Rows so far. */
  get lines(): number {
    return this.line;
  }

  /** Episodes that have begun. */
  get episodeCount(): number {
    return this.device.at("episodes");
  }

  /** Bytes of memory: of the module, which has a fixed size, without what is kept of the past. */
  get bytes(): number {
    return this.device.plan.end;
  }

  /** The first row that can still be labelled or forgotten; Infinity where there is none. */
  get reaches(): number {
    return this.history.first;
  }

  /**
   * The next row.
   *
   * @throws SaffuError INVALID_TEXT where it is no row of this watch, and then nothing has changed; BUSY while it forgets, or learns a label
   */
  push(row: Row): WatchRow {
    this.assertFree();
    const input = this.inputOf(row);
    this.history.before(this.line);
    return this.read(input, undefined, row);
  }

  /** Counts a row that is not looked at: the next has the number after it. */
  skip(): void {
    this.assertFree();
    this.history.before(this.line);
    this.passOver();
  }

  /**
   * Learns what a line was, from its label: an alarm, or fine. The classifier takes it for all such lines from now on.
   *
   * @param row its number; or the number of an episode, all of whose rows get the label
   * @returns how many rows it was learned of: those that were looked at
   * @throws SaffuError INVALID_OPTION where the watch has no classifier, or the row is not within reach; BUSY; and what the classifier throws. Then
   * it is learned of none
   */
  async label(row: number | { readonly episode: number }, label: Label): Promise<number> {
    this.assertFree();
    if (this.lessons === undefined)
      throw new SaffuError("INVALID_OPTION", "this watch learns no labels: give it a classifier");
    if (!LABELS.includes(label)) throw invalidOption("label", `one of ${LABELS.join(", ")}`, label);
    const { from, to } = typeof row === "number" ? { from: row, to: row } : this.rowsOf(asked(row));
    this.assertReach(from, to);
    return this.alone(async () => {
      const before = { lessons: this.lessons!.length, events: this.history.since };
      const pace = new Pace();
      let learned = 0;
      try {
        for (let at = from; at <= to; ++at) {
          if (pace.due()) await pace.rest();
          if (await this.learnLabel(at, label)) learned += 1;
        }
      } catch (cause) {
        this.history.takeBack(before.events);
        await this.lessons!.cut(before.lessons).catch(() => {}); // what has failed first is what is told
        throw cause;
      }
      return learned;
    });
  }

  /**
   * Takes rows away: all later scores, ranks and alarms are those of a watch that never saw them. The rows since are learned again without them.
   * Episodes that began behind them are numbered anew.
   *
   * @param what rows, first and last, or an episode
   * @throws SaffuError INVALID_OPTION where they are not within reach; BUSY; and what the classifier throws. Then all is as it was
   */
  async forget(
    what: { readonly from: number; readonly to: number } | { readonly episode: number },
  ): Promise<Forgotten> {
    this.assertFree();
    const { from, to } = "episode" in asked(what) ? this.rowsOf(what as { episode: number }) : (what as Episode);
    this.assertReach(from, to);
    return this.alone(async () => {
      const now = {
        copy: this.copy(),
        line: this.line,
        past: this.history.kept,
        lessons: this.lessons?.since(0) ?? [],
      };
      try {
        return { from, to, rows: to - from + 1, replayed: await this.replay(from, to) };
      } catch (cause) {
        this.history.restore(now.past); // first, as the classifier may fail again
        const taught = async () => {
          await this.goTo({ ...now.copy, lessons: 0 }, now.line);
          for (const lesson of now.lessons) await this.lessons!.learn(lesson);
        };
        await taught().catch(() => {});
        throw cause;
      }
    });
  }

  /** Goes back to before row `from`, and on without those up to `to`. @returns rows that were read again */
  private async replay(from: number, to: number): Promise<number> {
    const past = this.history.rewind(from)!;
    await this.goTo(past.copy, past.after);
    const pace = new Pace();
    let replayed = 0;
    for (const event of past.events) {
      if (pace.due()) await pace.rest();
      const gone = event.row >= from && event.row <= to;
      if (event.do === "label") {
        if (!gone) await this.learn(event.row, event.lesson);
        continue;
      }
      this.history.before(this.line);
      if (gone || event.do === "skip") {
        this.passOver();
        continue;
      }
      this.read(event.input, event.model);
      replayed += 1;
    }
    return replayed;
  }

  private passOver(): void {
    this.line += 1;
    this.history.add({ do: "skip", row: this.line });
  }

  /** What `save` was given beside it, of the state that the watch goes on from. */
  notes: unknown;

  /**
   * All that the watch is, its past within reach included.
   *
   * @param notes any JSON that is kept with it: where in a file the stream is
   * @throws SaffuError INVALID_OPTION where the notes are no JSON; BUSY
   */
  async save(notes?: unknown): Promise<Uint8Array> {
    this.assertFree();
    assertJson(notes);
    const lessons = this.lessons?.since(0) ?? [];
    return await formatState({ line: this.line, now: this.copy(), lessons, past: this.history.kept, notes });
  }

  /** Gives back what the watch holds; no other call may follow. */
  close(): void {
    this.session?.close();
  }

  private async restore(bytes: Uint8Array): Promise<void> {
    const { line, now, lessons, past, notes } = await parseState(bytes);
    const labelled = lessons.length > 0 || past.some(({ events }) => events.some((event) => event.do === "label"));
    if (labelled && this.lessons === undefined) {
      throw new SaffuError("STATISTICS_MISMATCH", "the watch's state has labels: give it a classifier");
    }
    const own = past.every(({ events }) => events.every((event) => this.isOwn(event)));
    for (const { state, episodes } of [now, ...past.map(({ copy }) => copy)]) {
      const sound = this.device.restore(state) && episodes.length === Math.min(MOST_EPISODES, this.episodeCount);
      if (own && sound) continue;
      throw new SaffuError("STATISTICS_MISMATCH", "the watch's state is damaged, or of other options than these");
    }
    this.device.restore(now.state);
    for (const lesson of lessons) await this.lessons!.learn(lesson);
    this.line = line;
    this.notes = notes;
    this.episodes = [...now.episodes];
    this.history.restore(past);
  }

  /** Whether an event of a state could have come to a watch of these settings. */
  private isOwn(event: Event): boolean {
    if (event.do === "skip") return true;
    const { kind, most } = this.settings.shape;
    if (event.do === "label") return kind === "lines";
    if (event.input instanceof Float32Array)
      return kind === "numbers" && event.input.length === this.settings.columns.length;
    return kind !== "numbers" && event.input.length <= most;
  }

  private copy(): Copy {
    return { state: this.device.save(), lessons: this.lessons?.length ?? 0, episodes: [...this.episodes] };
  }

  private async goTo({ state, lessons, episodes }: Copy, line: number): Promise<void> {
    this.device.restore(state);
    this.episodes = [...episodes];
    this.line = line;
    await this.lessons?.cut(lessons);
  }

  /** Scores a row, with what the model made of it when it came, if that is known. @param given the row as it is shown */
  private read(input: Uint8Array | Float32Array, model: number | undefined, given: Row = input): WatchRow {
    const { device } = this;
    const numbers = input instanceof Float32Array;
    const looked = model === undefined && !numbers ? this.look(input as Uint8Array) : undefined;
    const units = model ?? looked?.units ?? 0;
    const said = numbers
      ? undefined
      : this.lessons?.verdict(
          () => decoder.decode(input),
          () => device.templateOf(input),
        );
    const verdict = said?.verdict ?? 0;
    const flags = numbers ? device.pushNumbers(input, verdict) : device.pushBytes(input, units, verdict);
    this.line += 1;
    this.history.add({ do: "row", row: this.line, input, model: units });
    const score = device.at("score");
    const lines = this.settings.shape.kind === "lines";
    const alarm = flags & BEGINS ? "begin" : flags & ENDS ? "end" : flags & ALARM ? "on" : undefined;
    const { template, why } =
      alarm === undefined && !this.settings.explains
        ? UNEXPLAINED
        : numbers
          ? { template: "", why: explainNumbers(device, this.settings.columns, given as ArrayLike<number>) }
          : lines
            ? explainLine(device, input)
            : { template: decoder.decode(input), why: [] };
    const episode = this.episodeOf(flags);
    return {
      line: this.line,
      bits: device.at("bits") / UNIT,
      ...(looked === undefined ? {} : { modelBits: looked.bits }),
      score: score / UNIT,
      rank: device.at("rank"),
      of: device.at("ranked"),
      ready: (flags & WARM) !== 0,
      template,
      id: device.at("template").toString(16).padStart(8, "0"),
      why,
      ...(alarm === undefined ? {} : { alarm }),
      ...(episode === undefined ? {} : { episode }),
      learned: (flags & HELD_BACK) === 0,
      ...(said?.probability === undefined ? {} : { known: said.probability }),
    };
  }

  /** Keeps the rows of episodes. @returns the number of the one that is under way, or ends */
  private episodeOf(flags: number): number | undefined {
    const number = this.device.at("episodes");
    const { line } = this;
    if (flags & BEGINS) this.episodes = [...this.episodes.slice(1 - MOST_EPISODES), { from: line, to: line }];
    else if (flags & ALARM) this.episodes[this.episodes.length - 1] = { ...this.episodes.at(-1)!, to: line };
    return flags & (ALARM | ENDS) || this.device.at("open") === 1 ? number : undefined;
  }

  /** What the model makes of a line: bits, and what of them is not ordinary, in units. */
  private look(line: Uint8Array): { bits: number; units: number } | undefined {
    if (this.session === undefined) return undefined;
    const { bits, pieces } = this.session.peek(line.subarray(0, this.settings.shape.most));
    const above = pieces.reduce((sum, piece) => sum + Math.max(0, piece.bits - ORDINARY), 0);
    return { bits, units: Math.min(MOST_UNITS, Math.floor(above * UNIT)) };
  }

  private inputOf(row: Row): Uint8Array | Float32Array {
    const { kind, most } = this.settings.shape;
    if (kind === "numbers") {
      const { columns } = this.settings;
      const length = typeof row === "object" && row !== null ? row.length : -1;
      const given = Array.from({ length: columns.length }, (_, i) => (length === columns.length ? row[i] : undefined));
      if (!given.every((value) => typeof value === "number")) {
        throw new SaffuError("INVALID_TEXT", `a row must be ${columns.length} numbers, got ${shown(row)}`);
      }
      return numbersOf(given);
    }
    if (typeof row === "string") return encoder.encode(row).slice(0, most);
    // not instanceof: the bytes may come from another realm
    if (!ArrayBuffer.isView(row) || (row as Uint8Array)[Symbol.toStringTag] !== "Uint8Array") {
      throw new SaffuError("INVALID_TEXT", `a row must be a text, got ${shown(row)}`);
    }
    return new Uint8Array((row as Uint8Array).subarray(0, most)); // a copy: `slice` of a Buffer is none
  }

  private async learnLabel(row: number, label: Label): Promise<boolean> {
    const event = this.history.row(row);
    if (event === undefined || event.input instanceof Float32Array) return false;
    const template = this.device.templateOf(event.input);
    await this.learn(row, { text: decoder.decode(event.input), label, template });
    return true;
  }

  private async learn(row: number, lesson: Lesson): Promise<void> {
    await this.lessons!.learn(lesson);
    this.history.add({ do: "label", row, lesson });
  }

  private rowsOf({ episode }: { readonly episode: number }): Episode {
    const found = this.episodes.at(episode - 1 - this.device.at("episodes"));
    if (Number.isInteger(episode) && episode >= 1 && episode <= this.device.at("episodes") && found) return found;
    throw invalidOption("episode", `the number of one of the last ${this.episodes.length}`, episode);
  }

  private assertReach(from: number, to: number): void {
    const { first } = this.history;
    if (Number.isInteger(from) && Number.isInteger(to) && from >= first && from <= to && to <= this.line) return;
    const reach = first <= this.line ? `rows in ${first}..${this.line}` : "rows within reach, and there are none";
    throw invalidOption("rows", reach, from === to ? from : `${from}..${to}`);
  }

  private assertFree(): void {
    if (this.busy) throw new SaffuError("BUSY", "the watch forgets, or learns a label: wait until it has");
  }

  private async alone<T>(work: () => Promise<T>): Promise<T> {
    this.busy = true;
    try {
      return await work();
    } finally {
      this.busy = false;
    }
  }
}

/** A row of numbers, where what is missing is the one NaN whose bits are the same on every machine. */
function numbersOf(given: readonly number[]): Float32Array {
  const row = Float32Array.from(given);
  const bits = new Uint32Array(row.buffer);
  for (const [i, value] of row.entries()) if (Number.isNaN(value)) bits[i] = 0x7fc00000;
  return row;
}

/** @throws SaffuError INVALID_OPTION where rows are not named */
function asked<T>(what: T): T & object {
  if (typeof what === "object" && what !== null) return what;
  throw invalidOption("rows", "{ from, to } or { episode }", what);
}

/** @throws SaffuError INVALID_OPTION */
function assertJson(notes: unknown): void {
  try {
    JSON.stringify(notes);
  } catch (cause) {
    throw new SaffuError("INVALID_OPTION", `notes must be JSON, got ${shown(notes)}`, { cause });
  }
}
