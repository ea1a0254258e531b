/** What the live table shows, gathered line by line in bounded memory. */

/** A line that was scored. */
export interface LiveRow {
  /** What lines like it have in common, or the line itself. */
  readonly template: string;
  /** By what lines are alike; the template, where it is not said. */
  readonly id?: string | undefined;
  /** Lines like it so far. */
  readonly count: number;
  /** Its surprise. */
  readonly bits: number;
  /** Share of earlier lines that surprised less: 0..1. */
  readonly rank: number;
  readonly alarm: boolean;
  /** Words of the template that surprised most. */
  readonly why: readonly string[];
}

export interface LiveState {
  /** Lines read. */
  readonly lines: number;
  readonly perSecond: number;
  /** Bits of the last lines, the oldest first; NaN where a line has none. */
  readonly scores: readonly number[];
  /** Alarms so far. */
  readonly alarms: number;
  /** Alarms that last; undefined where nobody counts them. */
  readonly open?: number | undefined;
  /** The last lines with an alarm, the newest first. */
  readonly last: readonly LiveRow[];
  /** The most frequent templates, the most frequent first, each as it came last. */
  readonly frequent: readonly LiveRow[];
  /** One line of news: a file was rotated, a model was saved. */
  readonly note?: string | undefined;
}

const MOST_SCORES = 512;
const MOST_LAST = 64;
/** Templates that are kept: twice as many as are left when they are thinned out. */
const MOST_TEMPLATES = 512;
/** Seconds over which the rate is taken. */
const SPAN = 5;
/** Characters of a template that are kept: more than the widest terminal shows. */
const MOST_TEXT = 2048;

/**
 * Gathers rows.
 *
 * ```ts
 * const tally = new Tally();
 * const live = new Live(process.stdout, () => tally.state());
 * tally.add(row);
 * live.changed();
 * ```
 */
export class Tally {
  /** Alarms that last, and one line of news, as who knows them sets them. */
  open: number | undefined;
  note: string | undefined;
  private lines = 0;
  private alarms = 0;
  private readonly scores: number[] = [];
  private readonly last: LiveRow[] = [];
  private readonly templates = new Map<string, LiveRow>();
  /** Lines of each second, by its number. */
  private readonly seconds = new Map<number, number>();
  private readonly since: number;

  /** @param clock milliseconds */
  constructor(private readonly clock: () => number = () => performance.now()) {
    this.since = clock();
  }

  /** Takes a line's row. Where a line is not scored, undefined counts it. */
  add(row: LiveRow | undefined): void {
    this.lines += 1;
    const second = Math.floor(this.clock() / 1000);
    this.seconds.set(second, (this.seconds.get(second) ?? 0) + 1);
    if (this.seconds.size > SPAN + 1) this.seconds.delete(this.seconds.keys().next().value!);
    this.scores.push(row?.bits ?? Number.NaN);
    if (this.scores.length > 2 * MOST_SCORES) this.scores.splice(0, MOST_SCORES);
    if (row === undefined) return;
    const kept = row.template.length > MOST_TEXT ? { ...row, template: copyOf(row.template) } : row;
    if (row.alarm) {
      this.alarms += 1;
      this.last.unshift(kept);
      this.last.length = Math.min(this.last.length, MOST_LAST);
    }
    this.templates.set(idOf(kept), kept);
    if (this.templates.size > MOST_TEMPLATES) {
      for (const row of this.sorted().slice(MOST_TEMPLATES / 2)) this.templates.delete(idOf(row));
    }
  }

  state(): LiveState {
    const now = this.clock();
    const oldest = Math.floor(now / 1000) - SPAN;
    let recent = 0;
    for (const [second, count] of this.seconds) if (second > oldest) recent += count;
    const span = Math.min((now - this.since) / 1000, SPAN - 1 + ((now / 1000) % 1));
    return {
      lines: this.lines,
      perSecond: recent / Math.max(span, 1),
      scores: this.scores.slice(-MOST_SCORES),
      alarms: this.alarms,
      open: this.open,
      last: this.last,
      frequent: this.sorted().slice(0, MOST_LAST),
      note: this.note,
    };
  }

  private sorted(): LiveRow[] {
    return [...this.templates.values()].sort((a, b) => b.count - a.count);
  }
}

function idOf({ id, template }: LiveRow): string {
  return id ?? template;
}

/** The beginning of a text that does not keep the rest in memory, as a slice of it does. */
function copyOf(text: string): string {
  return Buffer.from(text.slice(0, MOST_TEXT)).toString();
}
