/**
 * The live table of `saffu watch` on a terminal: what was read, how surprising the last lines were, the last alarms, the most frequent templates. It
 * is drawn in place below what the terminal shows, at most five times a second; behind it the terminal is as it was.
 */
import type { WriteStream } from "node:tty";
import type { LiveRow, LiveState } from "./live-state.ts";
import { cut, spelt } from "./width.ts";

const BARS = "▁▂▃▄▅▆▇█";
/** Milliseconds between two drawings, and after which one is drawn though nothing is new: the rate falls. */
const PAUSE = 200;
const BEAT = 1000;
const [COLUMNS, ROWS] = [80, 24];
/** Columns before a highlighted word that would be cut off. */
const BEFORE = 12;
/** The cursor is hidden, and lines that are too wide for this terminal are cut by it, not wrapped; and back. */
const BEGIN = "\x1b[?25l\x1b[?7l";
const END = "\x1b[0m\x1b[?7h\x1b[?25h";

/** Bars of the last values, one a column: from 0 to the largest of them. What is no number is a blank. */
export function sparkline(values: readonly number[], columns: number): string {
  const shown = columns < 1 ? [] : values.slice(-columns);
  const most = Math.max(0, ...shown.filter(Number.isFinite));
  const bar = (value: number) => {
    if (Number.isNaN(value)) return " ";
    const share = value === Number.POSITIVE_INFINITY ? 1 : most > 0 ? Math.max(0, value) / most : 0;
    return BARS[Math.min(BARS.length - 1, Math.floor(share * BARS.length))]!;
  };
  return shown.map(bar).join("");
}

/**
 * The table in lines, at most `rows` of them, none wider than `columns`; of control characters they have those alone that set a style and take it
 * back within the line.
 */
export function screenOf(state: LiveState, columns: number, rows: number): string[] {
  const width = Math.max(1, Math.floor(columns));
  const room = Math.max(1, Math.floor(rows));
  const top = [cut(headOf(state), width), scoresOf(state, width)];
  const note = state.note === undefined ? [] : [cut(spelt(state.note), width)];
  const left = room - top.length - note.length;
  const sections = left < 3 ? [] : sectionsOf(state, width, left);
  return [...top, ...sections, ...note].slice(0, room);
}

function headOf({ lines, perSecond, alarms, open }: LiveState): string {
  const rate = perSecond < 10 ? perSecond.toFixed(1) : counted(Math.round(perSecond));
  const all = `${counted(alarms)} ${alarms === 1 ? "alarm" : "alarms"}`;
  return `${counted(lines)} ${lines === 1 ? "line" : "lines"}   ${rate} a second   ${open === undefined ? all : `${counted(open)} open of ${all}`}`;
}

function scoresOf({ scores }: LiveState, columns: number): string {
  const last = scores.at(-1);
  const label = last === undefined || Number.isNaN(last) ? "" : ` ${last.toFixed(1)} bits`;
  const room = columns - label.length;
  return room < 8 ? sparkline(scores, columns) : sparkline(scores, room) + label;
}

/** Alarms, and below them templates: each as much as there is, and where that is too much, half of the room. */
function sectionsOf({ last, frequent }: LiveState, columns: number, rows: number): string[] {
  const wanted = [last, frequent].map((each) => (each.length === 0 ? 0 : each.length + 2));
  const half = Math.floor(rows / 2);
  const forAlarms = Math.min(wanted[0]!, Math.max(half, rows - wanted[1]!));
  const forTemplates = Math.min(wanted[1]!, rows - forAlarms);
  return [
    ...section("last alarms", last, forAlarms, columns, ({ bits, rank }) => `${bits.toFixed(1)} bits ${percent(rank)}`),
    ...section(
      "most frequent",
      frequent,
      forTemplates,
      columns,
      ({ count, bits }) => `${counted(count)}× ${bits.toFixed(1).padStart(6)} bits`,
    ),
  ];
}

function section(
  name: string,
  all: readonly LiveRow[],
  rows: number,
  columns: number,
  figuresOf: (row: LiveRow) => string,
): string[] {
  if (rows < 3) return [];
  const shown = all.slice(0, rows - 2);
  const figures = shown.map((row) => figuresOf(row));
  const wide = Math.max(...figures.map(({ length }) => length));
  const lines = shown.map((row, i) => {
    const before = cut(` ${figures[i]!.padStart(wide)}${row.alarm ? " ! " : "   "}`, columns);
    const room = columns - Math.min(columns, wide + 4);
    return before + highlighted(spelt(row.template), row.why.map(spelt), room);
  });
  return ["", cut(name, columns), ...lines];
}

/** A text in so many columns with some of its words set off; it begins before the first of them that would be cut off. */
function highlighted(text: string, words: readonly string[], columns: number): string {
  const marked = new Uint8Array(text.length);
  let first = text.length;
  for (const word of words.filter(Boolean)) {
    for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + word.length)) {
      marked.fill(1, at, at + word.length);
      first = Math.min(first, at);
    }
  }
  let from = 0;
  if (first < text.length && first + 1 > columns - 1) from = Math.max(0, first - Math.min(BEFORE, columns >> 1));
  if (from > 0 && /[\udc00-\udfff]/.test(text[from]!)) from += 1; // no half of a character
  const lead = from > 0 ? "…" : "";
  return cut(lead + text.slice(from), columns, (at) => marked[at + from - lead.length] === 1);
}

function counted(value: number): string {
  return value.toLocaleString("en");
}

/** A share as a percentage that does not say 100 where it is less. */
function percent(share: number): string {
  const shown = Number.isFinite(share) ? Math.min(100, Math.max(0, 100 * share)) : 0;
  return `${(shown < 100 ? Math.min(shown, 99.9) : shown).toFixed(1)}%`.padStart(6);
}

/** Draws the table on a terminal, until it ends. */
export class Live {
  private drawn = 0;
  private at = Number.NEGATIVE_INFINITY;
  private timer: NodeJS.Timeout | undefined;
  private readonly beat: NodeJS.Timeout;
  private ended = false;
  /** The screen's lines have moved since: it is drawn from its top. */
  private moved = false;

  /**
   * @param terminal nobody else writes to it meanwhile
   * @param state is asked for at each drawing
   * @param signal ends it, as `end` does
   */
  constructor(
    private readonly terminal: WriteStream,
    private readonly state: () => LiveState,
    private readonly signal?: AbortSignal,
  ) {
    this.terminal.write(BEGIN);
    this.beat = setInterval(this.changed, BEAT).unref();
    terminal.on("resize", this.resized);
    process.on("exit", this.end);
    process.on("SIGTSTP", this.stopped);
    process.on("SIGCONT", this.continued);
    if (signal?.aborted) this.end();
    else signal?.addEventListener("abort", this.end);
  }

  /** There is something new: it is drawn now, or when it is time. */
  readonly changed = (): void => {
    if (this.ended || this.timer !== undefined) return;
    const wait = this.at + PAUSE - performance.now();
    if (wait <= 0 && !this.terminal.writableNeedDrain) {
      this.draw();
      return;
    }
    this.timer = setTimeout(
      () => {
        this.timer = undefined;
        this.changed();
      },
      Math.max(wait, PAUSE / 4),
    ).unref();
  };

  /** Draws what is there a last time, and leaves the terminal as it was, the cursor below the table. */
  readonly end = (): void => {
    if (this.ended) return;
    this.ended = true;
    clearTimeout(this.timer);
    clearInterval(this.beat);
    this.terminal.off("resize", this.resized);
    process.off("exit", this.end);
    process.off("SIGTSTP", this.stopped);
    process.off("SIGCONT", this.continued);
    this.signal?.removeEventListener("abort", this.end);
    try {
      this.draw();
    } finally {
      this.terminal.write(END);
    }
  };

  private draw(): void {
    const { columns, rows } = this.terminal; // 0 where the terminal does not know
    const lines = screenOf(this.state(), columns || COLUMNS, (rows || ROWS) - 1);
    const back = this.moved ? "\x1b[H\x1b[J" : this.drawn > 0 ? `\x1b[${this.drawn}A` : "";
    this.terminal.write(`${back}${lines.map((line) => `\r${line}\x1b[K\n`).join("")}\x1b[J`);
    [this.drawn, this.moved, this.at] = [lines.length, false, performance.now()];
  }

  private readonly resized = (): void => {
    this.moved = true; // terminals break lines anew, each in its way
    this.changed();
  };

  /** Ctrl-Z: the shell has the terminal as it was. */
  private readonly stopped = (): void => {
    this.terminal.write(END);
    process.kill(process.pid, "SIGSTOP");
  };

  private readonly continued = (): void => {
    this.drawn = 0; // below what the shell has written
    this.terminal.write(BEGIN);
    this.changed();
  };
}
